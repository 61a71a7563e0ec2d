/* A few replicas and the packets between them, driven by hand: no clock, no membership protocol.
 * What each server holds the others for is set by the test. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/random.h"
#include "deltamap/deltamap.h"

enum { WORLD_SERVERS = 6, WORLD_PACKETS_MAX = 4096 };

struct world_packet {
	struct actor from;
	uint32_t to; /* server */
	uint64_t last_seq, floor;
	uint16_t len;
	uint8_t bytes[WIRE_MESSAGES_MAX];
};

struct world_known {
	struct actor actor; /* epoch 0: not heard of */
	enum map_peer_state state;
};

struct world {
	uint32_t servers;
	uint64_t now_ns;
	struct sw_random random;
	uint32_t records_max;
	struct map *maps[WORLD_SERVERS];
	struct actor actors[WORLD_SERVERS];
	uint32_t epochs[WORLD_SERVERS];                         /* the largest that each had */
	struct world_known known[WORLD_SERVERS][WORLD_SERVERS]; /* [viewer][subject] */
	bool cut[WORLD_SERVERS][WORLD_SERVERS];                 /* [from][to] */
	uint32_t packet_count;
	struct world_packet *packets;
	uint32_t loss_percent, duplicate_percent;
	uint32_t actors_high; /* as map_config's */
	bool pulls;           /* servers pull by themselves */
	uint64_t lost_packets;
	/* Of the test's. */
	void (*on_collect)(struct world *w, uint32_t server, const struct map_view *tombstone);
	void (*on_change)(
		struct world *w, uint32_t server, const struct map_view *view, bool local);
	void (*on_event)(struct world *w, uint32_t server, const struct map_event *event);
	void *context;
};

struct world *world_create(uint32_t servers, uint32_t records_max, uint64_t seed);
void world_destroy(struct world *w);
/* Starts, or starts anew, empty, under the next epoch. `first`: ready at once. */
void world_start(struct world *w, uint32_t server, bool first);
void world_stop(struct world *w, uint32_t server);
/* The server goes on under its next epoch, its map kept. */
void world_renew(struct world *w, uint32_t server);
/* What viewer holds subject for, in its present life; and tells the map. */
void world_know(struct world *w, uint32_t viewer, uint32_t subject, enum map_peer_state state);
void world_know_all(struct world *w); /* all that run, of all that run */
/* Timers of one server, and what it then sends goes on its way. */
void world_tick(struct world *w, uint32_t server);
/* One packet arrives. It is out of the list afterwards. */
void world_deliver(struct world *w, uint32_t packet);
void world_drop_all(struct world *w);
/* Time passes, all packets arrive in order. */
void world_run(struct world *w, uint64_t for_ns);
/* `server` tells `to` that the hashes are equal, as a probe does. */
void world_probe(struct world *w, uint32_t server, uint32_t to);
void world_probe_all(struct world *w);

int world_put(struct world *w, uint32_t server, const char *key, const char *value);
int world_del(struct world *w, uint32_t server, const char *key);
bool world_holds(struct world *w, uint32_t server, const char *key, const char *value);
bool world_absent(struct world *w, uint32_t server, const char *key); /* or deleted */
/* All that run are ready, with equal vectors and contents. */
bool world_is_equal(struct world *w);
