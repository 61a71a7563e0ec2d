/* What the files of the simulator share. */
#pragma once

#include "sim.h"
#include "swim/path.h"

struct packet {
	struct packet *next; /* free, or in an inbox */
	uint32_t from, to;
	uint16_t len;
	uint8_t bytes[WIRE_JUMBO_MAX];
};

enum event_kind { EVENT_PACKET, EVENT_TIMER, EVENT_START, EVENT_STARVE };

struct event {
	uint64_t at_ns;
	uint64_t order; /* breaks ties: the run is a function of the seed */
	enum event_kind kind;
	uint32_t server;
	struct packet *packet;
};

struct server {
	struct sim *sim; /* for its map's calls */
	bool up, paused, blocked, starved;
	uint32_t group;
	uint32_t identity; /* whose id it has */
	struct swim *swim;
	struct map *map;
	struct paths *paths; /* NULL: small packets alone */
	uint16_t carries;    /* its link; 0: packets of any length */
	uint64_t instance, counter, members_version;
	uint64_t swim_ns, map_ns; /* deadlines, in its own time */
	uint64_t timer_ns;        /* earliest timer event that is queued, in true time */
	uint64_t link_free_ns;    /* when its link has sent what was given to it */
	uint64_t starve_run_ns, starve_period_ns;
	uint64_t starve_turn_ns; /* next; what was queued for another time is void */
	int32_t clock_ppm;
	uint64_t clock_offset_ns, clock_base_ns;
	struct packet *inbox_first, *inbox_last;
	uint32_t inbox_count;
};

struct sim {
	struct sim_config config;
	struct sim_network network;
	struct sw_random random;
	struct sim_observer observer;
	uint64_t now_ns, order, events_done, packets;
	bool stopped;
	struct server *servers;
	uint8_t *cuts; /* of each group a square of booleans */
	struct event *heap;
	uint32_t heap_len, heap_cap;
	struct packet *free_packets;
};

/* queue.c */
void queue_push(struct sim *sim, uint64_t at_ns, enum event_kind kind, uint32_t server,
	struct packet *packet);
bool queue_pop(struct sim *sim, uint64_t until_ns, struct event *event);
struct packet *packet_take(struct sim *sim);
void packet_give(struct sim *sim, struct packet *packet);

/* network.c */
void network_send(struct sim *sim, uint32_t from, const struct sw_endpoint *to,
	const uint8_t *bytes, uint16_t len, bool membership);
struct sw_endpoint network_endpoint(const struct sim *sim, uint32_t server);

/* server.c */
uint64_t server_now(const struct sim *sim, const struct server *s);
/* Puts header, prelude and tag around the messages and sends the packet. */
void server_send(struct sim *sim, uint32_t server, uint8_t *packet, const struct sw_writer *w,
	uint64_t to_id, const struct sw_endpoint *to, bool membership);
struct sw_writer server_messages(const struct sim *sim, uint8_t *packet);
void server_receive(struct sim *sim, struct packet *packet);
void server_timer(struct sim *sim, uint32_t server);
void server_wake(struct sim *sim, uint32_t server);
void server_stop(struct sim *sim, uint32_t server);

/* path.c: what lane_path.c of the appliance does. */
void path_input(struct sim *sim, uint32_t server, const struct wire_header *h,
	const struct sw_endpoint *from, const struct wire_message *m);
void path_send(struct sim *sim, uint32_t server);
