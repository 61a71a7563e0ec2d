#include "replica.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pages.h"
#include "wire/wire.h"

enum {
	BURST = 32, /* as the keeper of the appliance */
	TURNS_MAX = 100000,
};

/* The budget is empty at time 0. */
#define NOW SW_NS_PER_S

static const struct sw_endpoint nowhere = {.port = 1};

static void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static struct map *make_map(uint32_t records, uint32_t spare)
{
	struct map_config c = {
		.self = {1, 1},
		.cluster_seed = 5,
		.records_max = records,
		.bytes_max = ((uint64_t)records + spare) * 256 + 4096,
		.pull_interval_ns = 1000000 * SW_NS_PER_S,
		.hole_delay_ns = 1000000 * SW_NS_PER_S,
		.resend_ns = SW_NS_PER_S,
		.session_timeout_ns = SW_NS_PER_S,
		.packets_per_s_max = 1000000000,
		.random_seed = 1,
		.memory = pages_for_map,
	};
	struct map_peer peer = {.actor = {WRITER_ID, 1}, .at = nowhere};
	struct map *map = map_create(&c, NOW);
	if (map == NULL)
		die("no memory for a map");
	map_peers_owner(map, NOW, NULL, 0, true);
	map_tick_owner(map, NOW);
	map_peers_owner(map, NOW, &peer, 1, true);
	if (!map_ready(map))
		die("the map is not ready");
	return map;
}

void replica_create(struct replica *r, uint32_t records, uint32_t spare)
{
	size_t size = rte_rcu_qsbr_get_memsize(REPLICA_READERS_MAX);
	*r = (struct replica){
		.map = make_map(records, spare), .rcu = aligned_alloc(64, (size + 63) / 64 * 64)};
	if (r->rcu == NULL || rte_rcu_qsbr_init(r->rcu, REPLICA_READERS_MAX) != 0)
		die("no memory for RCU");
}

void replica_destroy(struct replica *r)
{
	map_destroy(r->map);
	free(r->rcu);
}

/* As keeper.c of the appliance. */
static void reclaim(struct replica *r)
{
	if (r->waiting) {
		if (rte_rcu_qsbr_check(r->rcu, r->token, false) != 1)
			return;
		map_free_owner(r->map);
		r->waiting = false;
	}
	if (map_has_retired_owner(r->map)) {
		map_seal_owner(r->map);
		r->token = rte_rcu_qsbr_start(r->rcu);
		r->waiting = true;
	}
}

struct group {
	uint32_t count;
	struct wire_header headers[MAP_AHEAD_PACKETS];
	struct wire_prelude preludes[MAP_AHEAD_PACKETS];
	struct sw_reader bodies[MAP_AHEAD_PACKETS];
};

/* The packets after those that are opened next. */
static void fetch_group(const struct stream *stream, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count && i < MAP_AHEAD_PACKETS; i++)
		stream_fetch(stream, first + i);
}

static void open_group(struct map *map, const struct stream *stream, uint32_t first, uint32_t count,
	struct group *g)
{
	g->count = count < MAP_AHEAD_PACKETS ? count : MAP_AHEAD_PACKETS;
	for (uint32_t i = 0; i < g->count; i++) {
		if (wire_read_header(stream_packet(stream, first + i), stream->lens[first + i],
			    CLUSTER, &g->headers[i], &g->bodies[i]) != WIRE_OK)
			die("a packet of the stream is damaged");
		wire_get_prelude(&g->bodies[i], &g->preludes[i]);
	}
	map_ahead_owner(map, g->bodies, g->count);
}

/* As the keeper of the appliance: while a group of packets is merged, the next one's memory comes.
 */
static void merge_burst(struct replica *r, const struct stream *stream, uint32_t first, uint32_t n)
{
	struct group groups[2];
	uint32_t at = 0;
	open_group(r->map, stream, first, n, &groups[0]);
	for (int i = 0; i < MAP_AHEAD_STEPS; i++)
		map_ahead_step_owner(r->map);
	for (uint32_t turn = 0; at < n; turn++) {
		struct group *g = &groups[turn % 2], *next = &groups[(turn + 1) % 2];
		at += g->count;
		open_group(r->map, stream, first + at, n - at, next);
		fetch_group(stream, first + at + next->count, n - at - next->count);
		for (uint32_t i = 0; i < g->count; i++) {
			map_input_owner(r->map, NOW, &g->headers[i], &g->preludes[i], &nowhere,
				&g->bodies[i]);
			map_ahead_step_owner(r->map);
		}
	}
}

void replica_merge(struct replica *r, const struct stream *stream, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i += BURST) {
		merge_burst(r, stream, first + i, count - i < BURST ? count - i : BURST);
		map_tick_owner(r->map, NOW);
		reclaim(r);
	}
}

void replica_add_peer(struct replica *r, uint64_t id)
{
	struct map_peer peers[] = {
		{.actor = {WRITER_ID, 1}, .at = nowhere}, {.actor = {id, 1}, .at = nowhere}};
	map_peers_owner(r->map, NOW, peers, 2, true);
}

void replica_input(struct replica *r, uint64_t from_id, const uint8_t *messages, size_t len)
{
	struct wire_header h = {.sender = {from_id, 1}, .instance = from_id};
	struct wire_prelude prelude = {0};
	struct sw_reader body = sw_reader_init(messages, len);
	map_input_owner(r->map, NOW, &h, &prelude, &nowhere, &body);
}

static uint32_t output(struct replica *r, uint64_t to_id)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_endpoint to;
	uint32_t packets = 0;
	for (;;) {
		struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
		uint64_t id;
		if (!map_output_owner(r->map, NOW, &w, &id, &to))
			return packets;
		packets += id == to_id;
	}
}

/* A session is gathered in several turns. */
uint32_t replica_output(struct replica *r, uint64_t to_id)
{
	uint32_t packets = 0;
	for (uint32_t turn = 0; turn < TURNS_MAX && packets == 0; turn++) {
		packets = output(r, to_id);
		map_tick_owner(r->map, NOW);
	}
	return packets;
}
