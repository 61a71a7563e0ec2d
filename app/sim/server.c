/* One server: what lanes and keeper of the appliance do, in virtual time. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "rendezvous/rendezvous.h"

enum {
	INBOX_MAX = 4096, /* packets that wait for a server that does not run; more are lost */
	BLOCKED_POLL_NS = 100000,
};

uint64_t sim_id(uint32_t server)
{
	return 0x1000 + server;
}

/* Its own clock, which may run fast or slow and starts anywhere. */
uint64_t server_now(const struct sim *sim, const struct server *s)
{
	int64_t since_ns = (int64_t)(sim->now_ns - s->clock_base_ns);
	return s->clock_offset_ns + (uint64_t)(since_ns + since_ns / 1000000 * s->clock_ppm);
}

/* The true time at which its clock shows own_ns, never too early. */
static uint64_t true_time(const struct sim *sim, const struct server *s, uint64_t own_ns)
{
	uint64_t now_ns = server_now(sim, s);
	if (own_ns <= now_ns)
		return sim->now_ns;
	uint64_t wait_ns = own_ns - now_ns;
	if (s->clock_ppm != 0)
		wait_ns = (uint64_t)((double)wait_ns * 1e6 / (1e6 + s->clock_ppm)) + 2000;
	return sim->now_ns + wait_ns;
}

static uint32_t cluster_tag(const struct server *s)
{
	return 0x51000000u + s->group;
}

static void put_prelude(struct server *s, uint8_t *packet, uint64_t to_id)
{
	struct sw_writer w = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_PRELUDE_LEN);
	struct wire_prelude prelude = {.dst_id = to_id};
	if (s->map != NULL) {
		prelude.last_seq = map_last_seq(s->map);
		prelude.floor = map_floor(s->map);
	}
	wire_put_prelude(&w, &prelude);
	assert(!w.failed);
}

struct sw_writer server_messages(const struct sim *sim, uint8_t *packet)
{
	size_t most = sim->config.packet_max != 0 ? sim->config.packet_max : WIRE_PACKET_MAX;
	return sw_writer_init(
		packet + WIRE_HEADER_LEN + WIRE_PRELUDE_LEN, most - WIRE_AROUND_MESSAGES);
}

void server_send(struct sim *sim, uint32_t i, uint8_t *packet, const struct sw_writer *w,
	uint64_t to_id, const struct sw_endpoint *to, bool membership)
{
	struct server *s = &sim->servers[i];
	struct wire_header h = {
		.body_len = (uint16_t)(w->at - packet - WIRE_HEADER_LEN),
		.cluster = cluster_tag(s),
		.sender = swim_self(s->swim),
		.instance = s->instance,
		.counter = s->counter++,
	};
	assert(!w->failed);
	put_prelude(s, packet, to_id);
	network_send(sim, i, to, packet, (uint16_t)wire_finish_clear(packet, &h), membership);
}

static void flush(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	uint64_t now_ns = server_now(sim, s), to_id;
	uint8_t packet[WIRE_JUMBO_MAX];
	struct sw_endpoint to;
	for (;;) {
		struct sw_writer w = server_messages(sim, packet);
		if (swim_has_output(s->swim) && swim_output(s->swim, now_ns, &w, &to_id, &to))
			server_send(sim, i, packet, &w, to_id, &to, true);
		else if (s->map != NULL && map_output_owner(s->map, now_ns, &w, &to_id, &to))
			server_send(sim, i, packet, &w, to_id, &to, false);
		else
			return;
	}
}

static enum map_peer_state peer_state(uint8_t state)
{
	if (state <= WIRE_SUSPECT)
		return MAP_PEER_LIVE;
	return state == WIRE_DEAD ? MAP_PEER_DEAD : MAP_PEER_OVER;
}

static void on_collect(void *context, const struct map_view *tombstone)
{
	struct server *s = context;
	struct sim *sim = s->sim;
	if (sim->observer.on_collect != NULL)
		sim->observer.on_collect(
			sim->observer.context, sim, (uint32_t)(s - sim->servers), tombstone);
}

static void on_map_event(void *context, const struct map_event *event)
{
	struct server *s = context;
	struct sim *sim = s->sim;
	if (sim->observer.on_map_event != NULL)
		sim->observer.on_map_event(
			sim->observer.context, sim, (uint32_t)(s - sim->servers), event);
}

static void follow_members(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	struct swim_event event;
	while (swim_next_event(s->swim, &event)) {
		if (event.kind == SWIM_EVENT_EPOCH && s->map != NULL)
			map_self_owner(s->map, event.record.actor);
		if (sim->observer.on_event != NULL)
			sim->observer.on_event(sim->observer.context, sim, i, &event);
	}
	uint64_t version = swim_version(s->swim) + (s->paths != NULL ? paths_version(s->paths) : 0);
	if ((s->map == NULL && s->paths == NULL) || version == s->members_version)
		return;
	s->members_version = version;
	static struct swim_member members[SW_MEMBERS_MAX];
	struct map_peer peers[SW_MEMBERS_MAX];
	uint32_t count = swim_members(s->swim, members, SW_MEMBERS_MAX), others = 0;
	for (uint32_t k = 0; k < count; k++)
		if (!members[k].self)
			peers[others++] = (struct map_peer){members[k].record.actor,
				members[k].record.at, peer_state(members[k].record.state),
				s->paths == NULL
					? (uint16_t)0
					: paths_packet_max(s->paths, members[k].record.actor.id)};
	if (s->paths != NULL)
		paths_members(s->paths, server_now(sim, s), members, count);
	if (s->map != NULL)
		map_peers_owner(s->map, server_now(sim, s), peers, others,
			swim_phase(s->swim) == SWIM_RUNNING);
}

/* Queues a timer for the next deadline, unless an earlier one is queued already. */
static void schedule(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	s->swim_ns = swim_deadline(s->swim);
	if (s->paths != NULL && swim_phase(s->swim) == SWIM_RUNNING)
		s->swim_ns = sw_min_u64(s->swim_ns, paths_deadline(s->paths));
	s->map_ns = s->map != NULL ? map_deadline(s->map) : SW_NEVER_NS;
	uint64_t own_ns = sw_min_u64(s->swim_ns, s->map_ns);
	if (own_ns == SW_NEVER_NS)
		return;
	/* What a blocked server has to send does not leave it: the deadline for that stays in the
	 * past. */
	uint64_t at_ns = sw_max_u64(
		true_time(sim, s, own_ns), sim->now_ns + (s->blocked ? BLOCKED_POLL_NS : 1));
	if (at_ns >= s->timer_ns && s->timer_ns > sim->now_ns)
		return;
	s->timer_ns = at_ns;
	queue_push(sim, at_ns, EVENT_TIMER, i, NULL);
}

static void settle(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	follow_members(sim, i);
	if (s->map != NULL && map_closed_epoch(s->map) == swim_self(s->swim).epoch) {
		swim_renew(s->swim, server_now(sim, s), map_closed_epoch(s->map));
		follow_members(sim, i);
	}
	if (!s->blocked) {
		path_send(sim, i);
		flush(sim, i);
	}
	if (s->map != NULL) {
		if (map_has_retired_owner(s->map)) {
			map_seal_owner(s->map);
			map_free_owner(s->map);
		}
		swim_set_map_hashes(s->swim, map_vector_hash(s->map), map_settled_hash(s->map));
	}
	schedule(sim, i);
}

static void tick(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	uint64_t now_ns = server_now(sim, s);
	swim_tick(s->swim, now_ns);
	follow_members(sim, i);
	if (s->map != NULL)
		map_tick_owner(s->map, now_ns);
	settle(sim, i);
}

static bool runs(const struct server *s)
{
	return s->up && !s->paused && !s->starved;
}

void server_timer(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	if (s->timer_ns <= sim->now_ns)
		s->timer_ns = 0;
	if (!runs(s))
		return; /* server_wake() sees to it */
	uint64_t now_ns = server_now(sim, s);
	if (now_ns >= s->swim_ns || now_ns >= s->map_ns)
		tick(sim, i);
	else
		schedule(sim, i);
}

static bool open_packet(struct server *s, const struct packet *p, struct wire_header *h,
	struct wire_prelude *prelude, struct sw_reader *body)
{
	if (wire_open_clear(p->bytes, p->len, cluster_tag(s), h, body) != WIRE_OK)
		return false;
	wire_get_prelude(body, prelude);
	if (body->failed || (prelude->dst_id != 0 && prelude->dst_id != swim_self(s->swim).id))
		return false;
	return !(h->sender.id == swim_self(s->swim).id && h->instance == s->instance);
}

static void handle(struct sim *sim, const struct packet *p)
{
	struct server *s = &sim->servers[p->to];
	struct wire_header h;
	struct wire_prelude prelude;
	struct sw_reader body;
	struct wire_message m;
	struct wire_probe probe = {.seq = 0};
	uint32_t ping_seq = 0;
	struct sw_endpoint from = network_endpoint(sim, p->from);
	uint64_t now_ns = server_now(sim, s);
	bool ping = false, for_map = false;
	if (!open_packet(s, p, &h, &prelude, &body))
		return;
	struct sw_reader messages = body;
	swim_packet_begin(s->swim, now_ns, &h, &from);
	while (wire_next(&body, &m)) {
		for_map |= wire_type_is_map(m.type);
		if (m.type == WIRE_PING) {
			struct sw_reader copy = m.payload;
			ping = wire_get_probe(&copy, &probe);
			ping_seq = probe.seq;
		}
		if (s->map != NULL && (m.type == WIRE_PING || m.type == WIRE_ACK)) {
			struct sw_reader copy = m.payload;
			if (wire_get_probe(&copy, &probe))
				map_probe(s->map, h.sender, probe.vector_hash, probe.content_hash);
		}
		path_input(sim, p->to, &h, &from, &m);
		swim_input(s->swim, now_ns, &h, &from, &m);
	}
	if (s->map != NULL && for_map)
		map_input_owner(s->map, now_ns, &h, &prelude, &from, &messages);
	else if (s->map != NULL && prelude.last_seq > map_seq_reader(s->map, h.sender))
		map_hint_owner(s->map, now_ns, h.sender.id);
	if (ping && swim_phase(s->swim) <= SWIM_RUNNING) { /* who left or stood down is no member */
		uint8_t packet[WIRE_JUMBO_MAX];
		struct sw_writer w = server_messages(sim, packet);
		swim_answer(s->swim, now_ns, h.sender.id, ping_seq, &w);
		server_send(sim, p->to, packet, &w, h.sender.id, &from, true);
	}
}

static void wait_in_inbox(struct sim *sim, struct server *s, struct packet *p)
{
	if (s->inbox_count == INBOX_MAX) {
		packet_give(sim, p);
		return;
	}
	p->next = NULL;
	if (s->inbox_last != NULL)
		s->inbox_last->next = p;
	else
		s->inbox_first = p;
	s->inbox_last = p;
	s->inbox_count++;
}

void server_receive(struct sim *sim, struct packet *p)
{
	struct server *s = &sim->servers[p->to];
	if (s->up && (!runs(s) || s->blocked)) {
		wait_in_inbox(sim, s, p);
		return;
	}
	if (s->up) {
		handle(sim, p);
		if (server_now(sim, s) >= s->swim_ns || server_now(sim, s) >= s->map_ns)
			tick(sim, p->to);
		else
			settle(sim, p->to);
	}
	packet_give(sim, p);
}

/* It runs again: first what waited for it, as a lane takes its queue before its timers. */
void server_wake(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	if (!runs(s) || s->blocked)
		return;
	struct packet *p = s->inbox_first;
	s->inbox_first = s->inbox_last = NULL;
	s->inbox_count = 0;
	while (p != NULL) {
		struct packet *next = p->next;
		handle(sim, p);
		packet_give(sim, p);
		p = next;
	}
	tick(sim, i);
}

void server_stop(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	while (s->inbox_first != NULL) {
		struct packet *next = s->inbox_first->next;
		packet_give(sim, s->inbox_first);
		s->inbox_first = next;
	}
	s->inbox_last = NULL;
	s->inbox_count = 0;
	if (s->swim != NULL)
		swim_destroy(s->swim);
	map_destroy(s->map);
	paths_destroy(s->paths);
	s->paths = NULL;
	s->swim = NULL;
	s->map = NULL;
	s->up = s->paused = s->blocked = s->starved = false;
	s->starve_period_ns = s->starve_turn_ns = 0;
	s->timer_ns = 0;
	s->identity = i;
}

static struct map *make_map(struct sim *sim, struct server *s, const struct swim_config *sc,
	uint64_t seed, uint64_t now_ns)
{
	uint64_t resend_ns =
		4 * (sim->network.delay_min_ns + sim->network.delay_spread_ns) + SW_NS_PER_MS;
	struct map_config mc = {
		.self = {sc->id, sc->epoch},
		.cluster_seed = 5,
		.records_max = sim->config.records_max,
		.bytes_max = (uint64_t)sim->config.records_max * 1536 + 65536,
		.pull_interval_ns = 4 * sc->profile.probe_interval_ns,
		.push_flush_ns = 50 * SW_NS_PER_US,
		.hole_delay_ns = sim->network.delay_spread_ns + SW_NS_PER_MS,
		.resend_ns = resend_ns,
		.session_timeout_ns = 20 * resend_ns,
		.first_after_ns = sc->profile.join_wait_ns,
		.packets_per_s_max = 100000,
		.push = sim->config.push,
		.random_seed = seed,
		.on_collect = on_collect,
		.on_event = on_map_event,
		.context = s,
	};
	s->sim = sim;
	return map_create(&mc, now_ns);
}

void sim_start(struct sim *sim, uint32_t i, uint32_t epoch)
{
	struct server *s = &sim->servers[i];
	uint32_t first = sim_group_first(sim, i);
	if (s->up)
		return;
	if (epoch == 0)
		epoch = (uint32_t)(sim->now_ns / SW_NS_PER_MS);
	struct swim_config sc = {
		.features = sim->config.features,
		.id = sim_id(s->identity),
		.epoch = epoch,
		.instance = sw_random_u64(&sim->random) | 1,
		.weight = SW_WEIGHT_DEFAULT,
		.at = network_endpoint(sim, i),
		.profile = sim->config.profile,
		.random_seed = sw_random_u64(&sim->random),
	};
	for (uint32_t k = 0; k < SIM_SEEDS && k < sim->config.group_size; k++)
		sc.seeds[sc.seed_count++] = network_endpoint(sim, first + k);
	(void)snprintf(sc.name, sizeof(sc.name), "s%u", s->identity);
	if (sim->config.zones > 0)
		(void)snprintf(sc.zone, sizeof(sc.zone), "z%u", (i - first) % sim->config.zones);
	uint64_t now_ns = server_now(sim, s);
	s->swim = swim_create(&sc, now_ns);
	s->map = sim->config.records_max > 0
			 ? make_map(sim, s, &sc, sw_random_u64(&sim->random), now_ns)
			 : NULL;
	assert(s->swim != NULL && (s->map != NULL || sim->config.records_max == 0));
	if (sim->config.packet_max > WIRE_PACKET_MAX) {
		s->paths = paths_create(sim->config.packet_max, sc.instance);
		assert(s->paths != NULL);
	}
	s->instance = sc.instance;
	s->counter = 1;
	s->members_version = 0;
	s->up = true;
	s->timer_ns = 0;
	schedule(sim, i);
}

void sim_start_twin(struct sim *sim, uint32_t i, uint32_t of)
{
	if (sim->servers[i].up)
		return;
	sim->servers[i].identity = of;
	sim_start(sim, i, 0);
}
