/* What the files of the map's world share. */
#pragma once

#include "map_world.h"

#include "base/clock.h"

/* Nothing happens by itself in this world: timers are far apart, and a step moves a clock past the
 * one that it needs. */
#define WORLD_START_NS   (1000000 * SW_NS_PER_S)
#define WORLD_STEP_NS    (2 * SW_NS_PER_MS)
#define WORLD_RESEND_NS  (1000 * SW_NS_PER_S)
#define WORLD_TIMEOUT_NS (1000000 * SW_NS_PER_S)
#define WORLD_FIRST_NS   (10 * WORLD_TIMEOUT_NS)
#define WORLD_NEVER_NS   (1000000000 * SW_NS_PER_S)

uint64_t world_id(uint32_t replica);
uint32_t world_replica_of(uint64_t id);
uint32_t world_key_of(const uint8_t *key);
uint64_t world_key_hash(uint32_t key);
struct actor world_actor(const struct world *w, uint32_t replica);
/* Is `other` known to a as it is, or at all, and not forgotten? */
bool world_is_peer(const struct world *w, uint32_t a, uint32_t other);

enum { COLLECTING_MAX = 16 };

/* Tombstones that were collected and are not in a history yet. */
extern struct collecting world_collecting[COLLECTING_MAX];
extern uint32_t world_collecting_count;

void check_set_dot(struct dot *to, struct dot dot);
/* map_check.c: what replica a holds now, by its map. */
void check_look(struct world *w, uint32_t a);
/* The same goes into the history. */
void check_remember(struct world *w, uint32_t a);
/* The write `origin`, of a record that replaces `old` (NULL: nothing). */
void check_write(struct world *w, uint32_t origin, const struct written *old);
/* A collected tombstone goes into the history. */
void check_collected(struct world *w, const struct collecting *c);
/* The invariant of one replica, over the history behind its first `from`. */
const char *check_covered(const struct world *w, uint32_t a, uint32_t from);
/* All of that after a step of a: first the tombstones, then its records; the invariant of all. */
const char *check_step(struct world *w, uint32_t a);
const char *check_healed(const struct world *w, const uint16_t held[KEYS]);
/* The largest record of each key that a live replica holds, in the history + 1; 0: none. */
void check_held(const struct world *w, uint16_t held[KEYS]);
