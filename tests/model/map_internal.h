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

/* map_check.c: what replica a holds now goes into the history; then the invariant of all. */
const char *check_step(struct world *w, uint32_t a);
/* a collects it now. */
void check_collected(struct world *w, uint32_t a, const struct map_view *tombstone);
const char *check_healed(const struct world *w, const uint16_t held[KEYS]);
/* The largest record of each key that a live replica holds, in the history + 1; 0: none. */
void check_held(const struct world *w, uint16_t held[KEYS]);
