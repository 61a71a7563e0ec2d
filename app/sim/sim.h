/* The simulator: whole servers (membership, map, ownership, codec: the objects of the appliance) in
 * one process and virtual time, packets as bytes. One seed gives one run, to the last event.
 *
 * sim_create() makes the servers, none of them running; a script or the caller starts, cuts, pauses
 * and stops them; sim_run() lets virtual time pass. Observers are called for every membership
 * event, every packet sent and after every event. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/random.h"
#include "deltamap/deltamap.h"
#include "swim/swim.h"

enum {
	SIM_SERVERS_MAX = 8192,
	SIM_GROUP_MAX = SW_MEMBERS_MAX,
	SIM_SEEDS = 3 /* the first of a group */
};

struct sim;

/* Every link alike. A packet takes delay_min + up to delay_spread, uniformly; spread lets packets
 * overtake one another. Rates in parts per million. */
struct sim_network {
	uint64_t delay_min_ns;
	uint64_t delay_spread_ns;
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t reorder_ppm; /* takes up to ten times as long */
	uint32_t corrupt_ppm; /* one bit is flipped */
	uint64_t bits_per_s;  /* a server's link; 0: no limit */
	uint64_t queue_ns;    /* longest wait for it: more is dropped; with bits_per_s */
};

struct sim_config {
	uint32_t servers;
	uint32_t group_size; /* servers of one cluster; 0: all are one */
	uint32_t zones;      /* of a group, servers in turn; 0: none */
	uint64_t seed;
	struct swim_profile profile;
	struct swim_features features;
	struct sim_network network;
	uint32_t records_max; /* of each map; 0: membership alone */
	enum map_push push;   /* how the maps send their writes */
	uint64_t start_spread_ns;
	uint16_t packet_max; /* that servers take and send: swim/path.h; 0: small ones alone */
};

enum sim_packet_fate { SIM_SENT, SIM_LOST, SIM_CUT, SIM_OVERFLOWED };

struct sim_observer {
	void *context;
	void (*on_event)(
		void *context, struct sim *sim, uint32_t server, const struct swim_event *event);
	void (*on_packet)(
		void *context, struct sim *sim, uint32_t from, uint16_t bytes, bool membership);
	/* A server's map collected a tombstone, or has something to tell. */
	void (*on_collect)(
		void *context, struct sim *sim, uint32_t server, const struct map_view *tombstone);
	void (*on_map_event)(
		void *context, struct sim *sim, uint32_t server, const struct map_event *event);
	/* False: something that must hold does not; sim_run() stops. */
	bool (*after_event)(void *context, struct sim *sim, uint32_t server);
};

struct sim *sim_create(const struct sim_config *config);
void sim_destroy(struct sim *sim);
void sim_observe(struct sim *sim, const struct sim_observer *observer);
/* Until virtual time has passed; false if an observer said stop. */
bool sim_run(struct sim *sim, uint64_t for_ns);

uint64_t sim_now(const struct sim *sim);
uint64_t sim_events(const struct sim *sim); /* handled so far */
uint64_t sim_packets(const struct sim *sim);
struct sw_random *sim_random(struct sim *sim); /* for scripts: part of the run */
const struct sim_config *sim_config(const struct sim *sim);

/* ---- servers ---- */
bool sim_is_up(const struct sim *sim, uint32_t server);
/* Empty, under this least epoch (0: from virtual time, as from a wall clock), as a new instance. */
void sim_start(struct sim *sim, uint32_t server, uint32_t epoch);
/* The same under the id of another server: by mistake there are two. Until it stops. */
void sim_start_twin(struct sim *sim, uint32_t server, uint32_t of);
void sim_crash(struct sim *sim, uint32_t server);
/* Runs nothing; what arrives waits. */
void sim_pause(struct sim *sim, uint32_t server, bool on);
/* Timers run, packets do not: neither in nor out (the anomaly of the Lifeguard paper). */
void sim_block(struct sim *sim, uint32_t server, bool on);
/* Runs only run_ns of every period_ns; 0: always. */
void sim_starve(struct sim *sim, uint32_t server, uint64_t run_ns, uint64_t period_ns);
/* Its clock: this much faster than time (parts per million), and an offset. */
void sim_clock(struct sim *sim, uint32_t server, int32_t rate_ppm, uint64_t offset_ns);
void sim_leave(struct sim *sim, uint32_t server);
void sim_drain(struct sim *sim, uint32_t server, bool on);
int sim_forget(struct sim *sim, uint32_t at, uint32_t server); /* as swim_forget() */
bool sim_is_healthy(
	const struct sim *sim, uint32_t server); /* up, neither paused, blocked nor starved */

/* ---- network ---- */
struct sim_network *sim_network(struct sim *sim); /* may be changed between events */
void sim_cut(struct sim *sim, uint32_t from, uint32_t to, bool on); /* one way; of one group */
/* Servers of `side` (bit i: server i of the group) against the others of their group. */
void sim_split(struct sim *sim, uint32_t group, const uint64_t side[SIM_GROUP_MAX / 64]);
void sim_heal(struct sim *sim);
/* The largest packet that a server's link carries; 0: any. What is longer is lost without a word.
 */
void sim_carries(struct sim *sim, uint32_t server, uint16_t bytes);

/* ---- looking in ---- */
uint64_t sim_instance(const struct sim *sim, uint32_t server); /* of its last start */
struct swim *sim_swim(struct sim *sim, uint32_t server);
struct map *sim_map(struct sim *sim, uint32_t server);
uint64_t sim_id(uint32_t server);
uint32_t sim_identity(
	const struct sim *sim, uint32_t server); /* whose id it runs under: its own but for twins */
uint32_t sim_group_first(const struct sim *sim, uint32_t server);
uint32_t sim_group_size(const struct sim *sim, uint32_t server);
/* All that run hold exactly all that run for alive, in equal tables; and somebody runs. */
bool sim_members_agree(struct sim *sim, uint32_t group);
/* All that run are ready and hold equal contents under equal vectors; and somebody runs. */
bool sim_maps_agree(struct sim *sim, uint32_t group);
/* The largest packet that `viewer` holds the path to `server` for carrying. */
uint16_t sim_packet_max(const struct sim *sim, uint32_t viewer, uint32_t server);
/* What `viewer` holds `server` for (enum wire_member_state); -1: unknown. */
int sim_state(struct sim *sim, uint32_t viewer, uint32_t server);

/* ---- the map; texts ---- */
int sim_put(struct sim *sim, uint32_t server, const char *key,
	const char *value); /* as map_put_owner() */
int sim_del(struct sim *sim, uint32_t server, const char *key);
/* NULL: absent or deleted. Valid until the next call. */
const char *sim_get(struct sim *sim, uint32_t server, const char *key);
