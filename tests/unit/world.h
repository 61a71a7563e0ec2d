/* A few whole servers (membership and map) in one process and virtual time: packets as bytes over a
 * network that delays, loses, duplicates and cuts. The same seed gives the same run. */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "deltamap/deltamap.h"
#include "swim/swim.h"

enum { WORLD_NODES_MAX = 64, WORLD_EVENTS_MAX = 4096 };

struct world;

struct world_config {
	uint32_t nodes;
	uint64_t seed;
	struct swim_profile profile;
	uint64_t delay_min_ns;
	uint64_t delay_max_ns; /* more than the least: packets overtake one another */
	uint32_t loss_permille;
	uint32_t duplicate_permille;
	uint32_t records_max;
};

struct world_event {
	uint32_t node;
	struct swim_event event;
};

struct world *world_create(const struct world_config *config);
void world_destroy(struct world *world);
uint64_t world_now(const struct world *world);
struct sw_random *world_random(struct world *world);
void world_run(struct world *world, uint64_t for_ns);

void world_start(struct world *world, uint32_t node, uint32_t epoch); /* empty, a new instance */
void world_crash(struct world *world, uint32_t node);
void world_pause(struct world *world, uint32_t node, bool on); /* does not run; its packets wait */
void world_cut(struct world *world, uint32_t from, uint32_t to, bool on); /* one way */
void world_split(struct world *world, uint32_t side); /* nodes below `side` against the rest */
void world_heal(struct world *world);
void world_loss(struct world *world, uint32_t permille);

struct swim *world_swim(struct world *world, uint32_t node);
struct map *world_map(struct world *world, uint32_t node);
uint64_t world_id(uint32_t node);
uint64_t world_packets(const struct world *world);
/* What `viewer` holds `node` for; -1: unknown. */
int world_state(struct world *world, uint32_t viewer, uint32_t node);
/* All that run hold all that run for alive, and have equal tables. */
bool world_members_agree(struct world *world);
/* All that run are ready, and have equal contents and vectors. */
bool world_maps_agree(struct world *world);
uint32_t world_events(struct world *world, const struct world_event **events);
void world_forget_events(struct world *world);
int world_put(struct world *world, uint32_t node, const char *key, const char *value);
int world_del(struct world *world, uint32_t node, const char *key);
/* The value, or NULL; valid until the world runs on. */
const char *world_get(struct world *world, uint32_t node, const char *key);
