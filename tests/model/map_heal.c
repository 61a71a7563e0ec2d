/* Faults end: everybody hears of everybody, packets arrive in order, and all pull from all. */
#include "map_internal.h"

#include <stdlib.h>

enum { QUEUE_MAX = 1024, ROUNDS = 3, DELIVERIES_MAX = 100000 };

struct calm {
	struct world *world;
	uint32_t head, tail;
	uint32_t delivered;
	const char *broken;
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

static void deliver_all(struct calm *c)
{
	while (c->head != c->tail && c->broken == NULL) {
		static struct packet p;
		const struct packet *at = &c->queue[c->tail++ % QUEUE_MAX];
		memcpy(&p, at, offsetof(struct packet, bytes) + at->len);
		struct step t = {.kind = STEP_DELIVER, .a = p.to};
		const char *broken;
		if (++c->delivered == DELIVERIES_MAX)
			c->broken = "calm replicas come to rest";
		(void)world_step(c->world, &t, &p, put_packet, c, &broken);
		c->broken = c->broken != NULL ? c->broken : broken;
	}
}

static void for_all_pairs(struct calm *c, enum step_kind kind)
{
	struct world *w = c->world;
	for (uint32_t i = 0; i < w->replicas; i++)
		for (uint32_t k = 0; k < w->replicas; k++) {
			if (i == k || !w->nodes[i].up || !w->nodes[k].up)
				continue;
			step(c, kind, i, k);
			deliver_all(c);
		}
}

const char *world_heal(struct world *w)
{
	struct calm *c = &calm;
	uint16_t held[KEYS];
	c->world = w;
	c->head = c->tail = c->delivered = 0;
	c->broken = NULL;
	check_held(w, held);
	for_all_pairs(c, STEP_LEARN);
	for (int round = 0; round < ROUNDS; round++)
		for_all_pairs(c, STEP_PULL);
	return c->broken != NULL ? c->broken : check_healed(w, held);
}
