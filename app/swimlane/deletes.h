/* The latest deletes that were collected: of keys that are no longer in the map, so that a watch
 * that resumes can still be told of them. A ring of fixed length; control core only.
 *
 * Its base is a vector: of every actor the ring has all collected tombstones beyond it. A resume
 * from a vector that reaches the base misses no delete.
 */
#pragma once

#include "appliance.h"

struct control;

struct deletes {
	uint32_t cap;
	uint64_t next; /* of the next one; the ring holds the cap before it, at most */
	struct deleted {
		struct map_view view; /* without key and value */
		uint8_t key_len;
		uint8_t key[SW_KEY_MAX];
	} * ring;
	struct version_vector base;
	uint32_t joins_seen;
	bool ready_seen;
};

int deletes_init(struct control *control);
void deletes_fini(struct control *control);
/* Often: notices when whole maps were taken over. */
void deletes_tick(struct control *control);
/* A tombstone was collected. */
void deletes_add(struct control *control, const struct map_view *view);
/* Some may not have come here: what was collected until now is no longer in the ring for sure. */
void deletes_rebase(struct control *control);
/* Does a resume from here miss none? */
bool deletes_reach(struct control *control, const struct version_vector *from);
/* The first that is still there. */
uint64_t deletes_first(const struct control *control);
/* False if that one is not there (any more, or yet). */
bool deletes_get(const struct control *control, uint64_t number, struct map_view *view);
