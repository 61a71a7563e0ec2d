/* Which members may own keys now: those that are live, do not drain, and did not come back a moment
 * ago.
 *
 * A member that came back (was gone, or lives under another instance than before) owns nothing
 * until it has been here for stable_ns; a newcomer owns at once. A suspect goes on owning: who
 * stands in for it meanwhile is duty.h's.
 *
 * One owner, the keeper or a simulator; no clock, no allocation. For each change of members, and
 * when next_ns has come: eligible_begin(), eligible_add() for every member, and then servers[0 …
 * count - 1] are what rendezvous_table_servers() wants.
 */
#pragma once

#include <stdbool.h>

#include "rendezvous/rendezvous.h"
#include "wire/wire.h"

/* When a server may own keys: at once, or some time after it came back. */
struct standing {
	uint64_t id;
	uint64_t instance; /* 0: not seen yet */
	uint64_t eligible_ns;
	uint64_t turn; /* the last in which it was a member */
	bool gone;
};

struct eligible {
	uint64_t stable_ns;
	uint64_t now_ns, turn;
	bool remembered; /* this server had an earlier life: it waits as others wait for it */
	struct standing standings[2 * SW_MEMBERS_MAX];
	uint32_t standing_count;
	/* out */
	struct rendezvous_server servers[SW_MEMBERS_MAX];
	uint32_t count;
	uint64_t next_ns; /* when the next one becomes eligible; SW_NEVER_NS: none is waiting */
};

void eligible_init(struct eligible *e, uint64_t stable_ns);
void eligible_begin(struct eligible *e, uint64_t now_ns, bool remembered);
/* At most SW_MEMBERS_MAX in a turn; ids differ. */
void eligible_add(struct eligible *e, const struct wire_member *record, bool self);
