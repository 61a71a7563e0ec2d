#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "rendezvous/rendezvous.h"

enum { PACKETS_MAX = 1 << 16 };

struct packet {
	uint64_t at_ns;
	uint64_t order; /* breaks ties: the run is a function of the seed */
	uint16_t from, to, len;
	uint8_t bytes[WIRE_PACKET_MAX];
};

struct node {
	bool up, paused;
	struct swim *swim;
	struct map *map;
	uint64_t instance, counter, members_version;
	uint64_t next_ns;
	char value[2048];
};

struct world {
	struct world_config config;
	struct sw_random random;
	uint64_t now_ns;
	uint64_t order;
	uint64_t packets;
	struct node nodes[WORLD_NODES_MAX];
	bool cut[WORLD_NODES_MAX][WORLD_NODES_MAX];
	struct packet **heap;
	uint32_t heap_len;
	struct world_event events[WORLD_EVENTS_MAX];
	uint32_t event_count;
};

uint64_t world_id(uint32_t node)
{
	return 0x1000 + node;
}

static struct sw_endpoint endpoint(uint32_t node)
{
	return sw_endpoint_from_ipv4(htobe32(0x0a000001 + node), 7946);
}

/* ---- the network ---- */

static bool earlier(const struct packet *a, const struct packet *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void heap_push(struct world *w, struct packet *p)
{
	assert(w->heap_len < PACKETS_MAX);
	uint32_t i = w->heap_len++;
	while (i > 0 && earlier(p, w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = p;
}

static struct packet *heap_pop(struct world *w)
{
	struct packet *top = w->heap[0];
	struct packet *last = w->heap[--w->heap_len];
	uint32_t i = 0;
	while (2 * i + 1 < w->heap_len) {
		uint32_t c = 2 * i + 1;
		if (c + 1 < w->heap_len && earlier(w->heap[c + 1], w->heap[c]))
			c++;
		if (!earlier(w->heap[c], last))
			break;
		w->heap[i] = w->heap[c];
		i = c;
	}
	w->heap[i] = last;
	return top;
}

static bool chance(struct world *w, uint32_t permille)
{
	return permille > 0 && sw_random_below(&w->random, 1000) < permille;
}

static void transmit(struct world *w, uint32_t from, const struct sw_endpoint *to, const uint8_t *bytes, size_t len)
{
	uint32_t node = be32toh(sw_endpoint_ipv4(to)) - 0x0a000001;
	w->packets++;
	if (node >= w->config.nodes || w->cut[from][node])
		return;
	int copies = chance(w, w->config.loss_permille) ? 0 : 1 + (int)chance(w, w->config.duplicate_permille);
	for (int i = 0; i < copies; i++) {
		struct packet *p = malloc(sizeof(*p));
		uint64_t spread = w->config.delay_max_ns - w->config.delay_min_ns;
		p->at_ns = w->now_ns + w->config.delay_min_ns + sw_random_below(&w->random, spread + 1);
		p->order = w->order++;
		p->from = (uint16_t)from;
		p->to = (uint16_t)node;
		p->len = (uint16_t)len;
		memcpy(p->bytes, bytes, len);
		heap_push(w, p);
	}
}

/* ---- one server: what the lane and the keeper do ---- */

static struct sw_writer begin(struct world *w, uint32_t i, uint8_t *packet, uint64_t to_id)
{
	struct node *n = &w->nodes[i];
	struct sw_writer body = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_BODY_MAX);
	struct wire_prelude prelude = {to_id, map_last_seq(n->map), map_floor(n->map)};
	wire_put_prelude(&body, &prelude);
	return body;
}

static void finish(struct world *w, uint32_t i, uint8_t *packet, struct sw_writer *body, const struct sw_endpoint *to)
{
	struct node *n = &w->nodes[i];
	struct wire_header h = {
		.body_len = (uint16_t)(body->at - packet - WIRE_HEADER_LEN),
		.cluster = wire_cluster_tag("world"),
		.sender = swim_self(n->swim),
		.instance = n->instance,
		.counter = n->counter++,
	};
	assert(!body->failed);
	transmit(w, i, to, packet, wire_finish_clear(packet, &h));
}

static void flush(struct world *w, uint32_t i)
{
	struct node *n = &w->nodes[i];
	uint8_t packet[WIRE_PACKET_MAX];
	struct sw_endpoint to;
	uint64_t to_id;
	for (;;) {
		struct sw_writer body = begin(w, i, packet, 0);
		if (!swim_output(n->swim, w->now_ns, &body, &to_id, &to) &&
			!map_output_owner(n->map, w->now_ns, &body, &to_id, &to))
			return;
		struct sw_writer prelude = begin(w, i, packet, to_id);
		assert(!prelude.failed);
		finish(w, i, packet, &body, &to);
	}
}

static void follow_membership(struct world *w, uint32_t i)
{
	struct node *n = &w->nodes[i];
	struct swim_event event;
	while (swim_next_event(n->swim, &event)) {
		if (event.kind == SWIM_EVENT_EPOCH)
			map_self_owner(n->map, event.record.actor);
		assert(w->event_count < WORLD_EVENTS_MAX);
		w->events[w->event_count++] = (struct world_event){i, event};
	}
	if (swim_version(n->swim) == n->members_version)
		return;
	n->members_version = swim_version(n->swim);
	struct swim_member members[SW_MEMBERS_MAX];
	struct map_peer peers[SW_MEMBERS_MAX];
	uint32_t count = swim_members(n->swim, members, SW_MEMBERS_MAX), live = 0;
	for (uint32_t k = 0; k < count; k++)
		if (!members[k].self && members[k].record.state <= WIRE_SUSPECT)
			peers[live++] = (struct map_peer){members[k].record.actor, members[k].record.at};
	map_peers_owner(n->map, w->now_ns, peers, live, swim_phase(n->swim) == SWIM_RUNNING);
}

static void step(struct world *w, uint32_t i)
{
	struct node *n = &w->nodes[i];
	swim_tick(n->swim, w->now_ns);
	follow_membership(w, i);
	map_tick_owner(n->map, w->now_ns);
	flush(w, i);
	if (map_has_retired_owner(n->map)) {
		map_seal_owner(n->map);
		map_free_owner(n->map);
	}
	swim_set_map_hashes(n->swim, map_vector_hash(n->map), map_content_hash(n->map));
	n->next_ns = sw_min_u64(swim_deadline(n->swim), map_deadline(n->map));
}

static void receive(struct world *w, const struct packet *p)
{
	struct node *n = &w->nodes[p->to];
	struct wire_header h;
	struct sw_reader body;
	struct wire_prelude prelude;
	struct wire_message m;
	struct sw_endpoint from = endpoint(p->from);
	bool ping = false, for_map = false;
	uint32_t seq = 0;

	if (wire_open_clear(p->bytes, p->len, wire_cluster_tag("world"), &h, &body) != WIRE_OK)
		return;
	wire_get_prelude(&body, &prelude);
	if (prelude.dst_id != 0 && prelude.dst_id != world_id(p->to))
		return;
	struct sw_reader messages = body;
	swim_packet_begin(n->swim, w->now_ns, &h, &from);
	while (wire_next(&body, &m)) {
		for_map |= wire_type_is_map(m.type);
		if (m.type == WIRE_PING) {
			struct wire_message copy = m;
			struct wire_probe probe;
			ping = wire_get_probe(&copy.payload, &probe);
			seq = probe.seq;
		}
		swim_input(n->swim, w->now_ns, &h, &from, &m);
	}
	if (for_map)
		map_input_owner(n->map, w->now_ns, &h, &prelude, &from, &messages);
	else if (prelude.last_seq > map_seq_reader(n->map, h.sender))
		map_hint_owner(n->map, w->now_ns, h.sender.id);
	if (ping) {
		uint8_t packet[WIRE_PACKET_MAX];
		struct sw_writer answer = begin(w, p->to, packet, h.sender.id);
		swim_answer(n->swim, w->now_ns, h.sender.id, seq, &answer);
		finish(w, p->to, packet, &answer, &from);
	}
	step(w, p->to);
}

/* ---- the world ---- */

void world_start(struct world *w, uint32_t i, uint32_t epoch)
{
	struct node *n = &w->nodes[i];
	uint64_t resend_ns = 4 * w->config.delay_max_ns + SW_NS_PER_MS;
	struct swim_config sc = {
		.features = swim_features_all,
		.id = world_id(i),
		.epoch = epoch,
		.instance = sw_random_u64(&w->random),
		.weight = SW_WEIGHT_DEFAULT,
		.at = endpoint(i),
		.seeds = {endpoint(0), endpoint(1)},
		.seed_count = 2,
		.profile = w->config.profile,
		.random_seed = sw_random_u64(&w->random),
	};
	snprintf(sc.name, sizeof(sc.name), "node-%u", i);
	struct map_config mc = {
		.self = {sc.id, epoch},
		.cluster_seed = rendezvous_cluster_seed("world"),
		.records_max = w->config.records_max,
		.bytes_max = (uint64_t)w->config.records_max * 2048,
		.pull_interval_ns = 2 * w->config.profile.probe_interval_ns,
		.push_flush_ns = 50 * SW_NS_PER_US,
		.hole_delay_ns = w->config.delay_max_ns + SW_NS_PER_MS,
		.resend_ns = resend_ns,
		.session_timeout_ns = 20 * resend_ns,
		.first_after_ns = w->config.profile.join_wait_ns,
		.packets_per_s_max = 100000,
		.random_seed = sw_random_u64(&w->random),
	};
	n->swim = swim_create(&sc, w->now_ns);
	n->map = map_create(&mc, w->now_ns);
	n->instance = sc.instance;
	n->counter = 1;
	n->members_version = 0;
	n->up = true;
	n->paused = false;
	n->next_ns = w->now_ns;
}

void world_crash(struct world *w, uint32_t i)
{
	struct node *n = &w->nodes[i];
	swim_destroy(n->swim);
	map_destroy(n->map);
	*n = (struct node){.up = false};
}

struct world *world_create(const struct world_config *config)
{
	struct world *w = calloc(1, sizeof(*w));
	w->config = *config;
	w->random = sw_random_seed(config->seed);
	w->now_ns = SW_NS_PER_S;
	w->heap = malloc(PACKETS_MAX * sizeof(w->heap[0]));
	for (uint32_t i = 0; i < config->nodes; i++)
		world_start(w, i, 1);
	return w;
}

void world_destroy(struct world *w)
{
	for (uint32_t i = 0; i < w->config.nodes; i++)
		if (w->nodes[i].up)
			world_crash(w, i);
	while (w->heap_len > 0)
		free(heap_pop(w));
	free(w->heap);
	free(w);
}

static struct node *earliest(struct world *w, uint32_t *index)
{
	struct node *best = NULL;
	for (uint32_t i = 0; i < w->config.nodes; i++) {
		struct node *n = &w->nodes[i];
		if (n->up && !n->paused && (best == NULL || n->next_ns < best->next_ns)) {
			best = n;
			*index = i;
		}
	}
	return best;
}

void world_run(struct world *w, uint64_t for_ns)
{
	uint64_t end_ns = w->now_ns + for_ns;
	for (;;) {
		uint32_t i = 0;
		struct node *n = earliest(w, &i);
		uint64_t node_ns = n != NULL ? n->next_ns : SW_NEVER_NS;
		uint64_t packet_ns = w->heap_len > 0 ? w->heap[0]->at_ns : SW_NEVER_NS;
		if (sw_min_u64(node_ns, packet_ns) > end_ns)
			break;
		if (node_ns < packet_ns) {
			w->now_ns = sw_max_u64(w->now_ns, node_ns);
			step(w, i);
			/* A deadline that is not in the future would stop the clock. */
			n->next_ns = sw_max_u64(n->next_ns, w->now_ns + 1);
			continue;
		}
		w->now_ns = sw_max_u64(w->now_ns, packet_ns);
		struct packet *p = heap_pop(w);
		if (w->nodes[p->to].up && w->nodes[p->to].paused) {
			p->at_ns = end_ns + 1; /* waits in its queue */
			p->order = w->order++;
			heap_push(w, p);
			continue;
		}
		if (w->nodes[p->to].up)
			receive(w, p);
		free(p);
	}
	w->now_ns = end_ns;
}

void world_pause(struct world *w, uint32_t i, bool on)
{
	w->nodes[i].paused = on;
}

void world_cut(struct world *w, uint32_t from, uint32_t to, bool on)
{
	w->cut[from][to] = on;
}

void world_split(struct world *w, uint32_t side)
{
	for (uint32_t i = 0; i < w->config.nodes; i++)
		for (uint32_t j = 0; j < w->config.nodes; j++)
			w->cut[i][j] = (i < side) != (j < side);
}

void world_heal(struct world *w)
{
	memset(w->cut, 0, sizeof(w->cut));
}

void world_loss(struct world *w, uint32_t permille)
{
	w->config.loss_permille = permille;
}

uint64_t world_now(const struct world *w)
{
	return w->now_ns;
}

struct sw_random *world_random(struct world *w)
{
	return &w->random;
}

struct swim *world_swim(struct world *w, uint32_t i)
{
	return w->nodes[i].swim;
}

struct map *world_map(struct world *w, uint32_t i)
{
	return w->nodes[i].map;
}

uint64_t world_packets(const struct world *w)
{
	return w->packets;
}

int world_state(struct world *w, uint32_t viewer, uint32_t node)
{
	struct swim_member members[SW_MEMBERS_MAX];
	uint32_t n = swim_members(w->nodes[viewer].swim, members, SW_MEMBERS_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (members[i].record.actor.id == world_id(node))
			return members[i].record.state;
	return -1;
}

bool world_members_agree(struct world *w)
{
	const struct swim *first = NULL;
	for (uint32_t i = 0; i < w->config.nodes; i++) {
		if (!w->nodes[i].up)
			continue;
		for (uint32_t j = 0; j < w->config.nodes; j++)
			if (w->nodes[j].up && world_state(w, i, j) != WIRE_ALIVE)
				return false;
		if (first != NULL && swim_table_digest(first) != swim_table_digest(w->nodes[i].swim))
			return false;
		first = w->nodes[i].swim;
	}
	return true;
}

bool world_maps_agree(struct world *w)
{
	const struct map *first = NULL;
	for (uint32_t i = 0; i < w->config.nodes; i++) {
		const struct map *m = w->nodes[i].map;
		if (!w->nodes[i].up)
			continue;
		if (!map_ready(m))
			return false;
		if (first != NULL && (map_content_hash(first) != map_content_hash(m) ||
					     map_vector_hash(first) != map_vector_hash(m) ||
					     map_record_count(first) != map_record_count(m)))
			return false;
		first = m;
	}
	return true;
}

uint32_t world_events(struct world *w, const struct world_event **events)
{
	*events = w->events;
	return w->event_count;
}

void world_forget_events(struct world *w)
{
	w->event_count = 0;
}

int world_put(struct world *w, uint32_t i, const char *key, const char *value)
{
	struct dot dot;
	int rc = map_put_owner(w->nodes[i].map, w->now_ns, w->now_ns / SW_NS_PER_MS, key, strlen(key), value,
		strlen(value), &dot);
	w->nodes[i].next_ns = w->now_ns;
	return rc;
}

int world_del(struct world *w, uint32_t i, const char *key)
{
	struct dot dot;
	int rc = map_del_owner(w->nodes[i].map, w->now_ns, w->now_ns / SW_NS_PER_MS, key, strlen(key), &dot);
	w->nodes[i].next_ns = w->now_ns;
	return rc;
}

const char *world_get(struct world *w, uint32_t i, const char *key)
{
	struct map_view view;
	struct node *n = &w->nodes[i];
	if (!map_get_reader(n->map, key, strlen(key), &view) || view.tombstone)
		return NULL;
	memcpy(n->value, view.value, view.value_len);
	n->value[view.value_len] = '\0';
	return n->value;
}
