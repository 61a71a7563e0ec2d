#include "sw_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_mempool.h>

#include "appliance_world.h"
#include "ticks.h"

/* The appliance on its own cores, and a second server at the other end of its wire: the same
 * machines driven by the test's thread. One story, because EAL starts once a process. */

enum { PEER_ID = 2, SECONDS_MAX = 15 };

#define PEER_ADDRESS "10.0.0.2"

struct peer {
	struct appliance_world *world;
	struct nic_port *port;
	struct swim *swim;
	struct map *map;
	uint64_t counter;
	uint64_t members_version;
};

static struct peer peer_create(struct appliance_world *w)
{
	struct peer p = {
		.world = w, .port = appliance_world_peer_port(w, PEER_ADDRESS), .counter = 1};
	struct nic_info info;
	nic_port_info(p.port, &info);
	struct swim_config sc = {.id = PEER_ID,
		.epoch = 1,
		.instance = 4711,
		.name = "peer",
		.weight = SW_WEIGHT_DEFAULT,
		.at = info.address,
		.seeds = {w->app.at},
		.seed_count = 1,
		.profile = swim_profile_lan,
		.features = swim_features_all,
		.random_seed = 2};
	struct map_config mc = {.self = {PEER_ID, 1},
		.cluster_seed = w->app.cluster_seed,
		.records_max = 1000,
		.bytes_max = 8 << 20,
		.pull_interval_ns = 100 * SW_NS_PER_MS,
		.push_flush_ns = 0,
		.hole_delay_ns = 10 * SW_NS_PER_MS,
		.resend_ns = 50 * SW_NS_PER_MS,
		.session_timeout_ns = SW_NS_PER_S,
		.first_after_ns = SECONDS_MAX * SW_NS_PER_S, /* it must start from the appliance */
		.packets_per_s_max = 100000,
		.random_seed = 3};
	p.swim = swim_create(&sc, ticks_now_ns());
	p.map = map_create(&mc, ticks_now_ns());
	SW_EXPECT_EQ(nic_want_peer(p.port, &w->app.at), 0);
	return p;
}

static void peer_destroy(struct peer *p)
{
	nic_port_stop(p->port);
	nic_port_destroy(p->port);
	swim_destroy(p->swim);
	map_destroy(p->map);
}

static void peer_receive(struct peer *p, uint64_t now_ns, struct nic_datagram *d)
{
	struct wire_header h;
	struct wire_prelude prelude;
	struct wire_message m;
	struct sw_reader body;
	SW_ASSERT_EQ(
		wire_open_clear(d->payload, d->payload_len, p->world->app.cluster_tag, &h, &body),
		WIRE_OK);
	wire_get_prelude(&body, &prelude);
	struct sw_reader messages = body;
	bool map = false, ping = false;
	struct wire_probe probe = {.seq = 0};
	swim_packet_begin(p->swim, now_ns, &h, &d->from);
	while (wire_next(&body, &m)) {
		map |= wire_type_is_map(m.type);
		if (m.type == WIRE_PING) {
			struct sw_reader payload = m.payload;
			ping = wire_get_probe(&payload, &probe);
		}
		swim_input(p->swim, now_ns, &h, &d->from, &m);
	}
	if (map)
		map_input_owner(p->map, now_ns, &h, &prelude, &d->from, &messages);
	if (!ping)
		return;
	struct rte_mbuf *answer = rte_pktmbuf_alloc(p->world->app.pool);
	SW_ASSERT_TRUE(answer != NULL);
	uint8_t *packet = rte_pktmbuf_mtod(answer, uint8_t *);
	struct sw_writer w = lane_body(packet);
	swim_answer(p->swim, now_ns, h.sender.id, probe.seq, &w);
	struct sw_writer start = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_PRELUDE_LEN);
	struct wire_prelude mine = {h.sender.id, map_last_seq(p->map), map_floor(p->map)};
	wire_put_prelude(&start, &mine);
	struct wire_header out = {.cluster = p->world->app.cluster_tag,
		.body_len = (uint16_t)(w.at - packet - WIRE_HEADER_LEN),
		.sender = swim_self(p->swim),
		.instance = 4711,
		.counter = p->counter++};
	answer->data_len = (uint16_t)wire_finish_clear(packet, &out);
	answer->pkt_len = answer->data_len;
	nic_send(p->port, 0, answer, &d->from);
}

/* The next packet of either machine. */
static bool peer_send(struct peer *p, uint64_t now_ns)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->world->app.pool);
	if (m == NULL)
		return false;
	uint8_t *packet = rte_pktmbuf_mtod(m, uint8_t *);
	struct sw_writer w = lane_body(packet);
	struct sw_endpoint to;
	uint64_t to_id;
	if (!swim_output(p->swim, now_ns, &w, &to_id, &to) &&
		!map_output_owner(p->map, now_ns, &w, &to_id, &to)) {
		rte_pktmbuf_free(m);
		return false;
	}
	struct sw_writer start = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_PRELUDE_LEN);
	struct wire_prelude prelude = {to_id, map_last_seq(p->map), map_floor(p->map)};
	wire_put_prelude(&start, &prelude);
	struct wire_header h = {.cluster = p->world->app.cluster_tag,
		.body_len = (uint16_t)(w.at - packet - WIRE_HEADER_LEN),
		.sender = swim_self(p->swim),
		.instance = 4711,
		.counter = p->counter++};
	m->data_len = (uint16_t)wire_finish_clear(packet, &h);
	m->pkt_len = m->data_len;
	nic_send(p->port, 0, m, &to);
	return true;
}

static void peer_follow_members(struct peer *p, uint64_t now_ns)
{
	struct swim_member members[4];
	struct map_peer peers[4];
	uint32_t n = 0, count = swim_members(p->swim, members, 4);
	if (swim_version(p->swim) == p->members_version)
		return;
	p->members_version = swim_version(p->swim);
	map_self_owner(p->map, swim_self(p->swim));
	for (uint32_t i = 0; i < count; i++)
		if (!members[i].self && members[i].record.state <= WIRE_SUSPECT)
			peers[n++] =
				(struct map_peer){members[i].record.actor, members[i].record.at};
	map_peers_owner(p->map, now_ns, peers, n, swim_phase(p->swim) == SWIM_RUNNING);
}

static void peer_turn(struct peer *p)
{
	uint64_t now_ns = ticks_now_ns();
	struct nic_datagram burst[NIC_BURST];
	struct swim_event event;
	for (uint16_t q = 0; q < WORLD_LANES; q++) {
		uint16_t n = nic_rx(p->port, q, burst);
		for (uint16_t i = 0; i < n; i++) {
			peer_receive(p, now_ns, &burst[i]);
			rte_pktmbuf_free(burst[i].mbuf);
		}
	}
	peer_follow_members(p, now_ns);
	swim_set_map_hashes(p->swim, map_vector_hash(p->map), map_content_hash(p->map));
	swim_tick(p->swim, now_ns);
	map_tick_owner(p->map, now_ns);
	for (int i = 0; i < 64 && peer_send(p, now_ns); i++)
		continue;
	for (uint16_t q = 0; q < WORLD_LANES; q++)
		nic_flush(p->port, q);
	while (swim_next_event(p->swim, &event))
		continue;
	if (map_has_retired_owner(p->map)) { /* nobody else reads */
		map_seal_owner(p->map);
		map_free_owner(p->map);
	}
	struct timespec nap = {0, 20000};
	(void)nanosleep(&nap, NULL); /* the appliance's cores may have to run on this very CPU */
}

static bool run_until(struct peer *p, bool (*done)(struct peer *p))
{
	uint64_t end_ns = ticks_now_ns() + SECONDS_MAX * SW_NS_PER_S;
	while (ticks_now_ns() < end_ns) {
		peer_turn(p);
		if (done(p))
			return true;
	}
	return false;
}

/* Control's reading of the appliance's map and members. */
static bool appliance_holds(struct appliance *app, const char *key, const char *value)
{
	struct map_view v;
	rte_rcu_qsbr_thread_online(app->rcu, app->control_thread);
	bool found = map_get_reader(app->map, key, strlen(key), &v) && !v.tombstone &&
		     v.value_len == strlen(value) && memcmp(v.value, value, v.value_len) == 0;
	rte_rcu_qsbr_thread_offline(app->rcu, app->control_thread);
	return found;
}

static bool peer_holds(struct peer *p, const char *key, const char *value)
{
	struct map_view v;
	return map_get_reader(p->map, key, strlen(key), &v) && !v.tombstone &&
	       v.value_len == strlen(value) && memcmp(v.value, value, v.value_len) == 0;
}

static int member_state(struct appliance *app, uint64_t id)
{
	rte_rcu_qsbr_thread_online(app->rcu, app->control_thread);
	const struct swim_member *m = view_find(view_get_reader(app->board), id);
	int state = m == NULL ? -1 : m->record.state;
	rte_rcu_qsbr_thread_offline(app->rcu, app->control_thread);
	return state;
}

/* Alone, it is the first of its datacenter; of two that start together the smaller id would be. */
static bool becomes_ready_alone(struct appliance *app)
{
	struct timespec nap = {0, 1000000};
	uint64_t end_ns = ticks_now_ns() + SECONDS_MAX * SW_NS_PER_S;
	while (!map_ready(app->map) && ticks_now_ns() < end_ns)
		(void)nanosleep(&nap, NULL);
	return map_ready(app->map);
}

static bool both_are_members(struct peer *p)
{
	struct swim_member members[4];
	return member_state(&p->world->app, PEER_ID) == WIRE_ALIVE &&
	       swim_members(p->swim, members, 4) == 2 && members[1].record.state == WIRE_ALIVE &&
	       map_ready(p->map);
}

static bool write_is_here(struct peer *p)
{
	return peer_holds(p, "origin/a", "from the appliance");
}

static bool write_is_there(struct peer *p)
{
	return appliance_holds(&p->world->app, "origin/b", "from the peer");
}

static bool both_own_alike(struct peer *p)
{
	struct rendezvous_server servers[2] = {
		rendezvous_server_make(p->world->config.id, SW_WEIGHT_DEFAULT),
		rendezvous_server_make(PEER_ID, SW_WEIGHT_DEFAULT)};
	const char *const keys[] = {"origin/a", "origin/b"};
	for (int k = 0; k < 2; k++) {
		uint64_t hash =
			rendezvous_key_hash(p->world->app.cluster_seed, keys[k], strlen(keys[k]));
		struct rendezvous_ranks ranks;
		uint32_t order[2];
		(void)rendezvous_rank(hash, servers, 2, order, 2);
		if (!ownership_read_reader(p->world->app.keeper.ownership, hash, &ranks) ||
			ranks.count != 2 || ranks.ids[0] != servers[order[0]].id)
			return false;
	}
	return true;
}

static bool appliance_has_left(struct peer *p)
{
	struct swim_member members[4];
	return atomic_load(&p->world->app.left) && swim_members(p->swim, members, 4) == 2 &&
	       members[1].record.state == WIRE_LEFT;
}

static int command(
	struct peer *p, enum keeper_command_kind kind, const char *key, const char *value)
{
	struct appliance *app = &p->world->app;
	struct keeper_command *c = &app->command_pool[0], *done = NULL;
	c->kind = kind;
	c->key_len = (uint16_t)strlen(key);
	c->value_len = (uint16_t)strlen(value);
	memcpy(c->key, key, c->key_len);
	memcpy(c->value, value, c->value_len);
	c->result = 1;
	SW_EXPECT_EQ(rte_ring_sp_enqueue(app->commands, c), 0);
	uint64_t end_ns = ticks_now_ns() + SECONDS_MAX * SW_NS_PER_S;
	while (rte_ring_sc_dequeue(app->commands_done, (void **)&done) != 0 &&
		ticks_now_ns() < end_ns)
		peer_turn(p);
	SW_EXPECT_TRUE(done == c);
	return c->result;
}

static uint32_t changes_told(struct appliance *app)
{
	struct map_change *change;
	uint32_t n = 0;
	while (rte_ring_sc_dequeue(app->changes, (void **)&change) == 0) {
		n++;
		SW_EXPECT_EQ(rte_ring_sp_enqueue(app->changes_free, change), 0);
	}
	return n;
}

SW_TEST(appliance, two_servers_join_replicate_agree_on_owners_and_part)
{
	struct appliance_world *w = appliance_world();
	char error[CONFIG_ERROR_MAX] = "";
	struct dot dot;
	struct lane_command leave = {.kind = LANE_LEAVE};
	SW_ASSERT_TRUE(w != NULL);
	SW_ASSERT_EQ(appliance_launch(&w->app, error), 0);
	SW_EXPECT_TRUE(becomes_ready_alone(&w->app));
	struct peer p = peer_create(w);
	SW_EXPECT_TRUE(run_until(&p, both_are_members));

	SW_EXPECT_EQ(command(&p, KEEPER_PUT, "origin/a", "from the appliance"), 0);
	SW_EXPECT_EQ(command(&p, KEEPER_PUT_IF_ABSENT, "origin/a", "again"), -EEXIST);
	SW_EXPECT_EQ(command(&p, KEEPER_DEL, "origin/none", ""), -ENOENT);
	SW_EXPECT_TRUE(run_until(&p, write_is_here));
	SW_EXPECT_EQ(
		map_put_owner(p.map, ticks_now_ns(), 0, "origin/b", 8, "from the peer", 13, &dot),
		0);
	SW_EXPECT_TRUE(run_until(&p, write_is_there));
	SW_EXPECT_TRUE(run_until(&p, both_own_alike));
	SW_EXPECT_EQ(ownership_keys(w->app.keeper.ownership), 2u);
	SW_EXPECT_EQ(changes_told(&w->app), 2u);
	SW_EXPECT_EQ(map_content_hash(p.map), map_content_hash(w->app.map));

	SW_EXPECT_EQ(rte_ring_sp_enqueue_elem(w->app.lane_commands, &leave, sizeof(leave)), 0);
	SW_EXPECT_TRUE(run_until(&p, appliance_has_left));
	appliance_stop(&w->app);
	for (unsigned i = 0; i < WIRE_ERR_COUNT; i++)
		SW_EXPECT_EQ(w->app.lanes[0].counters.drops[DROP_WIRE + i], 0u);
	peer_destroy(&p);
	appliance_world_expect_no_leak(w);
}
