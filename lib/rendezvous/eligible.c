#include "rendezvous/eligible.h"

#include <assert.h>

#include "base/clock.h"

enum { STANDINGS_MAX = 2 * SW_MEMBERS_MAX };

void eligible_init(struct eligible *e, uint64_t stable_ns)
{
	*e = (struct eligible){.stable_ns = stable_ns, .next_ns = SW_NEVER_NS};
}

void eligible_begin(struct eligible *e, uint64_t now_ns, bool remembered)
{
	e->now_ns = now_ns;
	e->turn++;
	e->remembered = remembered;
	e->count = 0;
	e->next_ns = SW_NEVER_NS;
}

/* There are twice as many as members: if all are taken, some are of servers that are members no
 * longer. The one unseen for longest makes room. */
static struct standing *take_standing(struct eligible *e)
{
	if (e->standing_count < STANDINGS_MAX)
		return &e->standings[e->standing_count++];
	struct standing *oldest = &e->standings[0];
	for (uint32_t i = 1; i < STANDINGS_MAX; i++)
		if (e->standings[i].turn < oldest->turn)
			oldest = &e->standings[i];
	return oldest;
}

static struct standing *find_standing(struct eligible *e, uint64_t id)
{
	struct standing *s = NULL;
	for (uint32_t i = 0; i < e->standing_count && s == NULL; i++)
		if (e->standings[i].id == id)
			s = &e->standings[i];
	if (s == NULL) {
		s = take_standing(e);
		*s = (struct standing){.id = id};
	}
	s->turn = e->turn;
	return s;
}

static uint64_t eligible_at(struct eligible *e, const struct wire_member *record, bool self)
{
	struct standing *s = find_standing(e, record->actor.id);
	if (record->state > WIRE_SUSPECT) {
		s->gone = true;
		return SW_NEVER_NS;
	}
	/* Another process under this id came back too, even if nobody saw it gone: it waits by
	 * itself. */
	bool restarted = s->instance != 0 && s->instance != record->instance;
	if (s->gone || restarted || (self && e->remembered && s->eligible_ns == 0))
		s->eligible_ns = e->now_ns + e->stable_ns;
	s->instance = record->instance;
	s->gone = false;
	return s->eligible_ns;
}

void eligible_add(struct eligible *e, const struct wire_member *record, bool self)
{
	uint64_t at_ns = eligible_at(e, record, self);
	if (at_ns == SW_NEVER_NS || (record->flags & WIRE_MEMBER_DRAIN))
		return;
	if (at_ns > e->now_ns) {
		e->next_ns = sw_min_u64(e->next_ns, at_ns);
		return;
	}
	assert(e->count < SW_MEMBERS_MAX);
	struct rendezvous_server *server = &e->servers[e->count++];
	*server = rendezvous_server_make(record->actor.id, record->weight);
	server->zone = rendezvous_zone(record->zone);
}
