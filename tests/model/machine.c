/* A machine from a state, and back. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

enum { MS = 1000000 };

const struct swim_profile cluster_profile = {
	.probe_interval_ns = 10 * MS,
	.probe_timeout_ns = 4 * MS,
	.suspicion_min_ns = 15 * MS,
	.suspicion_max_ns = 40 * MS,
	.table_sync_interval_ns = 20 * MS,
	.join_interval_ns = 10 * MS,
	.join_wait_ns = 40 * MS,
	.rejoin_interval_ns = 30 * MS,
	.reap_after_ns = 3600 * SW_NS_PER_S,
	.forget_after_ns = 72 * 3600 * SW_NS_PER_S,
	.indirect_probes = 3,
	.gossip_factor = 3,
	.packets_per_s_max = 1000000,
};

static struct swim *machines[SERVERS];

static struct swim_config config_of(uint32_t server)
{
	struct swim_config c = {
		.id = cluster_id(server),
		.epoch = 1,
		.instance = FIRST_INSTANCE,
		.weight = SW_WEIGHT_DEFAULT,
		.at = cluster_endpoint(server),
		.profile = cluster_profile,
		.features = swim_features_all,
		.random_seed = server,
	};
	c.name[0] = (char)('a' + server);
	for (uint32_t i = 0; i < SERVERS; i++)
		c.seeds[c.seed_count++] = cluster_endpoint(i);
	return c;
}

void cluster_init(void)
{
	for (uint32_t i = 0; i < SERVERS; i++) {
		struct swim_config c = config_of(i);
		machines[i] = swim_create(&c, 0);
		if (machines[i] == NULL)
			abort();
	}
}

void cluster_fini(void)
{
	for (uint32_t i = 0; i < SERVERS; i++)
		swim_destroy(machines[i]);
}

struct swim *cluster_machine(uint32_t server)
{
	return machines[server];
}

struct sw_endpoint cluster_endpoint(uint32_t server)
{
	return sw_endpoint_from_ipv4(htobe32(0x0a000001u + server), 7946);
}

uint64_t cluster_id(uint32_t server)
{
	return 0x1000 + server;
}

uint32_t cluster_server_of(uint64_t id)
{
	return (uint32_t)(id - 0x1000);
}

/* Not the library's: the checks must not believe what they check. */
int rec_compare(const struct rec *a, const struct rec *b)
{
	const uint8_t x[] = {a->epoch, a->state == WIRE_FORGOTTEN, a->instance,
		a->state == WIRE_LEFT, a->incarnation, a->state};
	const uint8_t y[] = {b->epoch, b->state == WIRE_FORGOTTEN, b->instance,
		b->state == WIRE_LEFT, b->incarnation, b->state};
	return memcmp(x, y, sizeof(x));
}

struct rec rec_of(const struct wire_member *m)
{
	assert(m->actor.epoch < 256 && m->instance < 256 && m->incarnation < 256);
	return (struct rec){(uint8_t)cluster_server_of(m->actor.id), (uint8_t)m->actor.epoch,
		(uint8_t)m->instance, (uint8_t)m->incarnation, m->state,
		(uint8_t)(m->accuser_id == 0 ? 0 : cluster_server_of(m->accuser_id) + 1)};
}

struct wire_member rec_member(const struct rec *r)
{
	struct wire_member m = {
		.actor = {cluster_id(r->server), r->epoch},
		.instance = r->instance,
		.incarnation = r->incarnation,
		.state = r->state,
		.weight = SW_WEIGHT_DEFAULT,
		.at = cluster_endpoint(r->server),
		.accuser_id = r->accuser == 0 ? 0 : cluster_id(r->accuser - 1u),
	};
	m.name[0] = (char)('a' + r->server);
	return m;
}

static void load_view(struct swim *w, const struct view *v, uint64_t now_ns)
{
	if (v->grave > 0)
		w->graves[w->grave_count++] = (struct grave){cluster_id(v->rec.server), v->grave};
	if (!v->used)
		return;
	struct member *m = &w->members[w->member_count++];
	*m = (struct member){
		.used = true, .record = rec_member(&v->rec), .since_ns = now_ns, .why = ""};
	w->homes[table_home(m->record.actor.id)] = (uint16_t)w->member_count;
	w->live_count += swim_is_live(m);
	w->digest += table_record_hash(&m->record);
	if (v->rec.state != WIRE_SUSPECT)
		return;
	w->suspect_count++;
	m->suspected_ns = now_ns;
	m->verdict_ns = now_ns + w->profile.suspicion_max_ns;
	if (m->record.state == WIRE_SUSPECT)
		w->next_verdict_ns = sw_min_u64(w->next_verdict_ns, m->verdict_ns);
	for (uint32_t i = 0; i < SERVERS; i++)
		if (v->accusers >> i & 1)
			m->accusers[m->accuser_count++] = cluster_id(i);
}

static void load_timers(struct swim *w, uint64_t now_ns)
{
	w->next_join_ns = now_ns;
	w->join_done_ns =
		now_ns + (w->join_acks > 0 ? w->profile.join_interval_ns : w->profile.join_wait_ns);
	w->next_probe_ns = now_ns;
	w->next_rejoin_ns = now_ns + w->profile.rejoin_interval_ns;
	w->next_sync_ns = w->next_meet_ns = w->next_join_ask_ns = 0;
	w->next_reap_ns = now_ns + SW_NS_PER_S;
	w->last_tick_ns = w->clock_ns = w->out_since_ns = now_ns;
	w->budget_ns = 0;
}

void cluster_load(const struct state *s, uint32_t server, uint64_t now_ns)
{
	struct swim *w = machines[server];
	const struct node *n = &s->nodes[server];
	w->phase = (enum swim_phase)n->phase;
	w->random = sw_random_seed(server);
	w->next_seq = 1000 * (server + 1);
	w->config.instance = n->views[server].rec.instance;
	w->member_count = w->live_count = w->suspect_count = w->gossip_count = w->grave_count = 0;
	w->digest = 0;
	w->next_verdict_ns = SW_NEVER_NS;
	w->health = 0;
	w->order_len = w->order_at = 0;
	w->probe = (struct probe){.active = false};
	memset(w->relays, 0, sizeof(w->relays));
	w->relay_count = 0;
	w->out_head = w->out_tail = w->job_head = w->job_tail = w->event_head = w->event_tail = 0;
	w->join_acks = n->answered;
	w->remembered = n->remembered;
	w->seeds_answered = 0;
	w->rejoin_at = 0;
	w->rejoin_left_out = false;
	w->table_page = false;
	memset(w->members, 0, SERVERS * sizeof(w->members[0]));
	load_view(w, &n->views[server], now_ns);
	for (uint32_t i = 0; i < SERVERS; i++)
		if (i != server)
			load_view(w, &n->views[i], now_ns);
	load_timers(w, now_ns);
}
