/* Faults end: everybody hears of everybody, packets arrive in order, and all pull from all. */
#include "base/random.h"
#include "map_internal.h"

#include <string.h>

enum { QUEUE_MAX = 1024, ROUNDS_MAX = 20, STILL_ROUNDS = 2 };

struct calm {
	struct world *world;
	uint32_t head, tail;
	const char *broken;
	world_known known;
	void *context;
	bool done; /* it is known how it goes on */
	int still; /* rounds in which nothing moved */
	bool moved;
	uint64_t digest;
	uint16_t held[KEYS];
	struct packet queue[QUEUE_MAX];
};

static struct calm calm;

static void put_packet(void *context, const struct packet *packet)
{
	struct calm *c = context;
	if (c->head - c->tail == QUEUE_MAX) {
		c->broken = "calm replicas come to rest";
		return;
	}
	struct packet *to = &c->queue[c->head++ % QUEUE_MAX];
	memcpy(to, packet, offsetof(struct packet, bytes) + packet->len);
}

static void step(struct calm *c, enum step_kind kind, uint32_t a, uint32_t b)
{
	struct step t = {.kind = kind, .a = (uint8_t)a, .b = (uint8_t)b};
	const char *broken;
	if (c->broken != NULL)
		return;
	(void)world_step(c->world, &t, NULL, put_packet, c, &broken);
	c->broken = c->broken != NULL ? c->broken : broken;
}

static void go_on_all(struct calm *c)
{
	for (uint32_t i = 0; i < c->world->replicas && c->head == c->tail; i++)
		world_go_on(c->world, i, put_packet, c);
}

static void deliver_all(struct calm *c)
{
	go_on_all(c);
	while (c->head != c->tail && c->broken == NULL) {
		static struct packet p;
		const struct packet *at = &c->queue[c->tail++ % QUEUE_MAX];
		memcpy(&p, at, offsetof(struct packet, bytes) + at->len);
		struct step t = {.kind = STEP_DELIVER, .a = p.to};
		const char *broken;
		(void)world_step(c->world, &t, &p, put_packet, c, &broken);
		c->broken = c->broken != NULL ? c->broken : broken;
		go_on_all(c);
	}
}

/* Of what there is to agree on. */
static uint64_t digest(const struct world *w)
{
	uint64_t h = 0;
	for (uint32_t i = 0; i < w->replicas; i++) {
		const struct map *m = world_map(i);
		if (!w->nodes[i].up)
			continue;
		h = sw_mix64(h + map_vector_hash(m) + w->nodes[i].ready);
		h = sw_mix64(h + map_content_hash(m) + map_tombstone_count(m));
		h = sw_mix64(h + w->nodes[i].epoch);
	}
	return h;
}

static void look_whether_moved(struct calm *c)
{
	uint64_t now = digest(c->world);
	c->moved |= now != c->digest;
	c->digest = now;
}

static struct fingerprint mix_held(const struct world *w, struct fingerprint key, uint16_t held)
{
	if (held == 0)
		return fingerprint_mix(key, 0);
	const struct written *h = &w->history[held - 1];
	key = fingerprint_mix(fingerprint_mix(key, h->clock), h->author.actor.id);
	return fingerprint_mix(key, (uint64_t)h->author.actor.epoch << 32 | h->author.seq);
}

/* Each moment on the way may be known: what is to be held in the end is a part of its name. */
static void look_whether_known(struct calm *c, uint32_t place)
{
	const struct world *w = c->world;
	struct fingerprint key = {0};
	look_whether_moved(c);
	if (c->known == NULL || c->broken != NULL)
		return;
	for (uint32_t k = 0; k < KEYS; k++)
		key = mix_held(w, key, c->held[k]);
	for (uint32_t i = 0; i < w->replicas; i++)
		key = fingerprint_mix(key, world_hash_replica(w, i));
	key = fingerprint_mix(fingerprint_mix(key, world_hash_rest(w)), place);
	key = fingerprint_mix(key, (uint64_t)c->still << 1 | c->moved);
	c->done = c->known(c->context, key);
}

static void for_all_pairs(struct calm *c, enum step_kind kind)
{
	struct world *w = c->world;
	for (uint32_t i = 0; i < w->replicas; i++)
		for (uint32_t k = 0; k < w->replicas; k++) {
			if (i == k || !w->nodes[i].up || !w->nodes[k].up || c->done)
				continue;
			step(c, kind, i, k);
			deliver_all(c);
			if (kind == STEP_PULL)
				look_whether_known(c, i * REPLICAS_MAX + k);
		}
}

static void go_on_if_forgotten(struct calm *c)
{
	struct world *w = c->world;
	for (uint32_t i = 0; i < w->replicas; i++) {
		bool forgotten = false;
		for (uint32_t k = 0; k < w->replicas; k++)
			forgotten |= w->nodes[k].up && w->nodes[k].forgotten[i];
		if (forgotten && w->nodes[i].up)
			step(c, STEP_GO_ON, i, 0);
	}
	deliver_all(c);
}

static void round_of_all(struct calm *c)
{
	struct world *w = c->world;
	bool any_ready = false;
	for_all_pairs(c, STEP_LEARN);
	for_all_pairs(c, STEP_PULL);
	for_all_pairs(c, STEP_REPORT);
	for (uint32_t i = 0; i < w->replicas; i++)
		any_ready |= w->nodes[i].up && w->nodes[i].ready;
	for (uint32_t i = 0; i < w->replicas && !any_ready; i++)
		if (w->nodes[i].up)
			step(c, STEP_SILENCE, i, 0);
}

const char *world_heal_until(struct world *w, world_known known, void *context)
{
	struct calm *c = &calm;
	c->world = w;
	c->head = c->tail = 0;
	c->broken = NULL;
	c->known = known;
	c->context = context;
	c->done = false;
	c->still = 0;
	world_collecting_count = 0;
	check_held(w, c->held);
	if (w->forgotten_go_on)
		go_on_if_forgotten(c);
	c->digest = digest(w);
	for (int round = 0; c->still < STILL_ROUNDS && c->broken == NULL && !c->done; round++) {
		c->moved = false;
		round_of_all(c);
		look_whether_moved(c);
		c->still = c->moved ? 0 : c->still + 1;
		if (round == ROUNDS_MAX)
			c->broken = "calm replicas come to rest";
	}
	if (c->broken != NULL || c->done)
		return c->broken;
	return check_healed(w, c->held);
}

const char *world_heal(struct world *w)
{
	return world_heal_until(w, NULL, NULL);
}
