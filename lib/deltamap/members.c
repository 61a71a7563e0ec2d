#include <assert.h>
#include <string.h>

#include "deltamap/internal.h"

enum { LOOKS_PER_TICK = 16 };

struct peer *map_peer_find(struct map *map, uint64_t id)
{
	for (uint32_t i = 0; i < map->peer_count; i++)
		if (map->peers[i].actor.id == id)
			return &map->peers[i];
	return NULL;
}

static uint16_t room_of(const struct map_peer *peer)
{
	assert(peer->packet_max == 0 ||
		(peer->packet_max >= WIRE_PACKET_MAX && peer->packet_max <= WIRE_JUMBO_MAX));
	return peer->packet_max == 0 ? (uint16_t)WIRE_MESSAGES_MAX
				     : (uint16_t)(peer->packet_max - WIRE_AROUND_MESSAGES);
}

static void take_live(struct map *map, const struct map_peer *peers, uint32_t count)
{
	struct peer next[SW_MEMBERS_MAX];
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (peers[i].state != MAP_PEER_LIVE)
			continue;
		const struct peer *known = map_peer_find(map, peers[i].actor.id);
		bool same = known != NULL && actor_equal(known->actor, peers[i].actor);
		next[n] = (struct peer){
			.actor = peers[i].actor, .at = peers[i].at, .room = room_of(&peers[i])};
		serve_room(map, next[n].actor.id, next[n].room);
		if (same) {
			next[n].starting_ns = known->starting_ns;
			next[n].told_ns = known->told_ns;
		}
		n++;
	}
	memcpy(map->peers, next, n * sizeof(next[0]));
	map->peer_count = n;
}

/* What is known of the life of that id that membership holds; NULL: nothing. */
static const struct map_peer *find_other(const struct map *map, uint64_t id)
{
	for (uint32_t i = 0; i < map->other_count; i++)
		if (map->others[i].actor.id == id)
			return &map->others[i];
	return NULL;
}

enum known { KNOWN_NOT, KNOWN_MEMBER, KNOWN_OVER };

static enum known what_is_known(const struct map *map, struct actor actor)
{
	if (actor.id == map->self.id)
		return actor.epoch < map->self.epoch ? KNOWN_OVER : KNOWN_MEMBER;
	for (uint32_t i = 0; i < map->peer_count; i++)
		if (map->peers[i].actor.id == actor.id)
			return map->peers[i].actor.epoch > actor.epoch ? KNOWN_OVER : KNOWN_MEMBER;
	const struct map_peer *other = find_other(map, actor.id);
	if (other == NULL || other->actor.epoch < actor.epoch)
		return KNOWN_NOT;
	bool over = other->state == MAP_PEER_OVER || other->actor.epoch > actor.epoch;
	return over ? KNOWN_OVER : KNOWN_MEMBER;
}

bool member_is_over(const struct map *map, struct actor actor)
{
	return what_is_known(map, actor) == KNOWN_OVER;
}

/* An actor of which membership has had no word for long was forgotten, and its row reaped. */
static void look_over(struct map *map, uint64_t now_ns, uint16_t slot)
{
	struct actor_slot *a = &map->store.actors[slot];
	if (horizon_is_entry(a->actor))
		return;
	enum known known = what_is_known(map, a->actor);
	if (known != KNOWN_NOT)
		a->unknown_ns = 0;
	else if (a->unknown_ns == 0)
		a->unknown_ns = now_ns;
	bool over = known == KNOWN_OVER ||
		    (known == KNOWN_NOT && map->running &&
			    now_ns - a->unknown_ns >= map->config.unknown_after_ns);
	if (over && !a->over)
		store_due(&map->store, slot);
	a->over = over;
}

/* A few at a time: new actors come with every vector. */
void members_tick(struct map *map, uint64_t now_ns)
{
	const struct store *s = &map->store;
	if (now_ns < map->next_look_ns)
		return;
	map->next_look_ns = now_ns + map->config.pull_interval_ns;
	for (uint32_t i = 0; i < LOOKS_PER_TICK && i < s->actor_count; i++)
		look_over(map, now_ns, s->actor_order[map->next_look++ % s->actor_count]);
}

void map_peers_owner(struct map *map, uint64_t now_ns, const struct map_peer *peers, uint32_t count,
	bool running)
{
	assert(count <= SW_MEMBERS_MAX);
	take_live(map, peers, count);
	map->other_count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (peers[i].state != MAP_PEER_LIVE)
			map->others[map->other_count++] = peers[i];
	if (running && !map->running) {
		map->quiet_since_ns = now_ns;
		map->next_pull_ns = now_ns;
	}
	map->running = running;
	report_members(map);
	for (uint32_t i = 0; i < map->store.actor_count; i++)
		look_over(map, now_ns, map->store.actor_order[i]);
}
