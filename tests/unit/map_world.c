#include "map_world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Pages that are not touched cost nothing: thousands of maps are made. */
static void *pages_take(void *context, size_t bytes)
{
	(void)context;
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at == MAP_FAILED ? NULL : at;
}

static void pages_give(void *context, void *block, size_t bytes)
{
	(void)context;
	munmap(block, bytes);
}

struct hook {
	struct world *world;
	uint32_t server;
};

static struct hook hooks[WORLD_SERVERS];

static void on_collect(void *context, const struct map_view *tombstone)
{
	struct hook *h = context;
	if (h->world->on_collect != NULL)
		h->world->on_collect(h->world, h->server, tombstone);
}

static void on_change(void *context, const struct map_view *view, bool local)
{
	struct hook *h = context;
	if (h->world->on_change != NULL)
		h->world->on_change(h->world, h->server, view, local);
}

static void on_event(void *context, const struct map_event *event)
{
	struct hook *h = context;
	if (h->world->on_event != NULL)
		h->world->on_event(h->world, h->server, event);
}

struct world *world_create(uint32_t servers, uint32_t records_max, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	assert(w != NULL && servers <= WORLD_SERVERS);
	w->packets = calloc(WORLD_PACKETS_MAX, sizeof(w->packets[0]));
	assert(w->packets != NULL);
	w->servers = servers;
	w->records_max = records_max;
	w->now_ns = SW_NS_PER_S;
	w->random = sw_random_seed(seed);
	return w;
}

void world_destroy(struct world *w)
{
	for (uint32_t i = 0; i < w->servers; i++)
		world_stop(w, i);
	free(w->packets);
	free(w);
}

static void tell_members(struct world *w, uint32_t viewer)
{
	struct map_peer peers[WORLD_SERVERS];
	uint32_t n = 0;
	if (w->maps[viewer] == NULL)
		return;
	for (uint32_t k = 0; k < w->servers; k++)
		if (k != viewer && w->known[viewer][k].actor.epoch != 0)
			peers[n++] = (struct map_peer){.actor = w->known[viewer][k].actor,
				.at = {.port = (uint16_t)(k + 1)},
				.state = w->known[viewer][k].state};
	map_peers_owner(w->maps[viewer], w->now_ns, peers, n, true);
}

void world_start(struct world *w, uint32_t server, bool first)
{
	world_stop(w, server);
	w->actors[server] = (struct actor){server + 1, ++w->epochs[server]};
	hooks[server] = (struct hook){w, server};
	struct map_config c = {
		.self = w->actors[server],
		.cluster_seed = 5,
		.records_max = w->records_max,
		.bytes_max = (uint64_t)w->records_max * 4096 + 65536,
		.pull_interval_ns = w->pulls ? 20 * SW_NS_PER_MS : 1000000 * SW_NS_PER_S,
		.hole_delay_ns = w->pulls ? SW_NS_PER_MS : 1000000 * SW_NS_PER_S,
		.resend_ns = 5 * SW_NS_PER_MS,
		.session_timeout_ns = 60 * SW_NS_PER_MS,
		.first_after_ns = first ? 0 : 1000000 * SW_NS_PER_S,
		.actors_high = w->actors_high,
		.packets_per_s_max = 1000000000,
		.random_seed = sw_random_u64(&w->random),
		.on_collect = on_collect,
		.on_change = on_change,
		.on_event = on_event,
		.context = &hooks[server],
		.memory = {pages_take, pages_give, NULL},
	};
	w->maps[server] = map_create(&c, w->now_ns);
	assert(w->maps[server] != NULL);
	if (first) {
		map_peers_owner(w->maps[server], w->now_ns, NULL, 0, true);
		map_tick_owner(w->maps[server], w->now_ns);
		assert(map_ready(w->maps[server]));
	}
	memset(w->known[server], 0, sizeof(w->known[server]));
	tell_members(w, server);
}

void world_stop(struct world *w, uint32_t server)
{
	map_destroy(w->maps[server]);
	w->maps[server] = NULL;
}

void world_renew(struct world *w, uint32_t server)
{
	w->actors[server].epoch = ++w->epochs[server];
	map_self_owner(w->maps[server], w->actors[server]);
	tell_members(w, server);
}

void world_know(struct world *w, uint32_t viewer, uint32_t subject, enum map_peer_state state)
{
	w->known[viewer][subject] = (struct world_known){w->actors[subject], state};
	tell_members(w, viewer);
}

void world_know_all(struct world *w)
{
	for (uint32_t i = 0; i < w->servers; i++)
		for (uint32_t k = 0; k < w->servers; k++)
			if (i != k && w->maps[i] != NULL && w->maps[k] != NULL)
				world_know(w, i, k, MAP_PEER_LIVE);
}

static void post(struct world *w, const struct world_packet *p)
{
	if (w->packet_count == WORLD_PACKETS_MAX) {
		w->lost_packets++;
		return;
	}
	w->packets[w->packet_count++] = *p;
}

void world_tick(struct world *w, uint32_t server)
{
	struct map *m = w->maps[server];
	struct world_packet p = {.from = w->actors[server]};
	uint64_t to_id;
	struct sw_endpoint to;
	if (m == NULL)
		return;
	if (map_closed_epoch(m) == w->actors[server].epoch)
		world_renew(w, server);
	map_tick_owner(m, w->now_ns);
	for (int i = 0; i < 4096; i++) {
		struct sw_writer writer = sw_writer_init(p.bytes, sizeof(p.bytes));
		if (!map_output_owner(m, w->now_ns, &writer, &to_id, &to))
			break;
		p.len = (uint16_t)(writer.at - p.bytes);
		p.to = (uint32_t)to_id - 1;
		p.last_seq = map_last_seq(m);
		p.floor = map_floor(m);
		if (sw_random_below(&w->random, 100) < w->loss_percent)
			continue;
		post(w, &p);
		if (sw_random_below(&w->random, 100) < w->duplicate_percent)
			post(w, &p);
	}
	if (map_has_retired_owner(m)) {
		map_seal_owner(m);
		map_free_owner(m);
	}
}

void world_deliver(struct world *w, uint32_t packet)
{
	struct world_packet p = w->packets[packet];
	w->packet_count--;
	memmove(&w->packets[packet], &w->packets[packet + 1],
		(w->packet_count - packet) * sizeof(p));
	struct map *m = w->maps[p.to];
	if (m == NULL || w->cut[p.from.id - 1][p.to])
		return;
	struct wire_header h = {.sender = p.from, .instance = p.from.id};
	struct wire_prelude prelude = {.last_seq = p.last_seq, .floor = p.floor};
	struct sw_endpoint from = {.port = (uint16_t)p.from.id};
	struct sw_reader r = sw_reader_init(p.bytes, p.len);
	map_input_owner(m, w->now_ns, &h, &prelude, &from, &r);
}

void world_drop_all(struct world *w)
{
	w->packet_count = 0;
}

void world_run(struct world *w, uint64_t for_ns)
{
	for (uint64_t end_ns = w->now_ns + for_ns; w->now_ns < end_ns; w->now_ns += SW_NS_PER_MS) {
		for (uint32_t i = 0; i < w->servers; i++)
			world_tick(w, i);
		for (int n = 0; w->packet_count > 0 && n < 4096; n++) {
			uint32_t to = w->packets[0].to;
			world_deliver(w, 0);
			world_tick(w, to);
		}
	}
}

void world_probe(struct world *w, uint32_t server, uint32_t to)
{
	if (w->maps[server] == NULL || w->maps[to] == NULL || w->cut[server][to])
		return;
	map_probe(w->maps[to], w->actors[server], map_vector_hash(w->maps[server]),
		map_settled_hash(w->maps[server]));
}

void world_probe_all(struct world *w)
{
	for (uint32_t i = 0; i < w->servers; i++)
		for (uint32_t k = 0; k < w->servers; k++)
			if (i != k)
				world_probe(w, i, k);
}

int world_put(struct world *w, uint32_t server, const char *key, const char *value)
{
	struct dot dot;
	return map_put_owner(
		w->maps[server], w->now_ns, 0, key, strlen(key), value, strlen(value), &dot);
}

int world_del(struct world *w, uint32_t server, const char *key)
{
	struct dot dot;
	return map_del_owner(w->maps[server], w->now_ns, 0, key, strlen(key), &dot);
}

bool world_holds(struct world *w, uint32_t server, const char *key, const char *value)
{
	struct map_view v;
	return map_get_reader(w->maps[server], key, strlen(key), &v) && !v.tombstone &&
	       v.value_len == strlen(value) && memcmp(v.value, value, v.value_len) == 0;
}

bool world_absent(struct world *w, uint32_t server, const char *key)
{
	struct map_view v;
	return !map_get_reader(w->maps[server], key, strlen(key), &v) || v.tombstone;
}

bool world_is_equal(struct world *w)
{
	const struct map *one = NULL;
	for (uint32_t i = 0; i < w->servers; i++) {
		const struct map *m = w->maps[i];
		if (m == NULL)
			continue;
		if (!map_ready(m))
			return false;
		if (one != NULL && (map_content_hash(one) != map_content_hash(m) ||
					   map_vector_hash(one) != map_vector_hash(m)))
			return false;
		one = m;
	}
	return one != NULL;
}
