#include "sim_events.h"
#include "sw_test.h"

static struct sim_events events;

static struct sim_config quiet(uint32_t servers, uint64_t seed)
{
	return (struct sim_config){
		.servers = servers,
		.seed = seed,
		.profile = swim_profile_lan,
		.features = swim_features_all,
		.network = {.delay_min_ns = 20 * SW_NS_PER_US,
			.delay_spread_ns = 80 * SW_NS_PER_US},
		.records_max = 1000,
	};
}

static struct sim *joined(const struct sim_config *config)
{
	struct sim *w = sim_create(config);
	for (int i = 0; i < 50; i++) {
		sim_run(w, 100 * SW_NS_PER_MS);
		if (sim_members_agree(w, 0) && sim_maps_agree(w, 0))
			break;
	}
	sim_events_watch(w, &events);
	return w;
}

static uint32_t count_events(enum swim_event_kind kind, uint64_t about)
{
	return sim_events_count(&events, kind, about);
}

SW_TEST(swim, servers_find_each_other_through_seeds)
{
	for (uint32_t n = 1; n <= 33; n += 8) {
		struct sim_config c = quiet(n, n);
		struct sim *w = sim_create(&c);
		sim_run(w, 3 * SW_NS_PER_S);
		SW_EXPECT_TRUE(sim_members_agree(w, 0));
		SW_EXPECT_EQ(count_events(SWIM_EVENT_DEAD, 0), 0u);
		SW_EXPECT_EQ(count_events(SWIM_EVENT_SUSPECT, 0), 0u);
		sim_destroy(w);
	}
}

SW_TEST(swim, nobody_is_suspected_on_a_quiet_network_and_it_costs_few_packets)
{
	struct sim_config c = quiet(16, 3);
	struct sim *w = joined(&c);
	uint64_t packets = sim_packets(w);
	sim_run(w, 20 * SW_NS_PER_S);
	uint64_t periods = 20 * SW_NS_PER_S / c.profile.probe_interval_ns * 16;
	double each = (double)(sim_packets(w) - packets) / (double)periods;
	sw_test_note("%.2f packets a member and period, pulls included", each);
	SW_EXPECT_EQ(count_events(SWIM_EVENT_SUSPECT, 0), 0u);
	/* PING and ACK: 2.0; the map's pull every fourth period adds VERSION, DATA, DONE: 0.75. */
	SW_EXPECT_GE(each, 2.0);
	SW_EXPECT_LE(each, 2.9);
	sim_destroy(w);
}

SW_TEST(swim, crash_is_known_to_all_within_a_second_and_nobody_else_is_declared_dead)
{
	uint64_t worst = 0;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct sim_config c = quiet(5 + (uint32_t)(seed % 3) * 10, seed);
		struct sim *w = joined(&c);
		uint64_t at = sim_now(w);
		sim_crash(w, 2);
		sim_run(w, SW_NS_PER_S);
		for (uint32_t i = 0; i < events.count; i++) {
			const struct swim_event *e = &events.of[i].event;
			if (e->kind != SWIM_EVENT_DEAD)
				continue;
			SW_EXPECT_EQ(e->record.actor.id, sim_id(2));
			worst = sw_max_u64(worst, e->at_ns - at);
		}
		SW_EXPECT_EQ(count_events(SWIM_EVENT_DEAD, sim_id(2)), c.servers - 1);
		SW_EXPECT_TRUE(sim_members_agree(w, 0));
		sim_destroy(w);
	}
	sw_test_note("known to all after %.0f ms at worst", (double)worst / 1e6);
}

SW_TEST(swim, loss_of_a_fifth_kills_nobody_for_good_and_tables_agree_after_it)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct sim_config c = quiet(8, seed);
		struct sim *w = joined(&c);
		sim_network(w)->loss_ppm = 200000;
		sim_run(w, 20 * SW_NS_PER_S);
		sim_network(w)->loss_ppm = 0;
		sim_run(w, 3 * SW_NS_PER_S);
		SW_EXPECT_TRUE(sim_members_agree(w, 0));
		sim_destroy(w);
	}
}

SW_TEST(swim, a_paused_server_is_declared_dead_comes_back_by_itself_and_accuses_nobody)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct sim_config c = quiet(5, seed);
		struct sim *w = joined(&c);
		sim_pause(w, 3, true);
		sim_run(w, 5 * SW_NS_PER_S);
		for (uint32_t i = 0; i < 5; i++)
			if (i != 3)
				SW_EXPECT_EQ(sim_state(w, i, 3), WIRE_DEAD);
		sim_pause(w, 3, false);
		sim_run(w, 3 * SW_NS_PER_S);
		SW_EXPECT_TRUE(sim_members_agree(w, 0));
		SW_EXPECT_TRUE(sim_maps_agree(w, 0));
		for (uint32_t i = 0; i < 5; i++)
			if (i != 3)
				SW_EXPECT_EQ(count_events(SWIM_EVENT_DEAD, sim_id(i)), 0u);
		sim_destroy(w);
	}
}

SW_TEST(swim, two_islands_find_each_other_again_after_a_long_cut)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct sim_config c = quiet(5 + (uint32_t)seed, seed);
		struct sim *w = joined(&c);
		sim_split_below(w, 2);
		sim_run(w, 30 * SW_NS_PER_S);
		SW_EXPECT_EQ(sim_state(w, 0, 4), WIRE_DEAD);
		SW_EXPECT_EQ(sim_state(w, 4, 0), WIRE_DEAD);
		sim_events_watch(w, &events);
		sim_heal(w);
		sim_run(w, 4 * SW_NS_PER_S);
		SW_EXPECT_TRUE(sim_members_agree(w, 0));
		/* Each side's own members stay alive in its eyes: old verdicts are questions, not
		 * news. */
		SW_EXPECT_EQ(count_events(SWIM_EVENT_DEAD, 0), 0u);
		sim_destroy(w);
	}
}

SW_TEST(swim, a_one_way_cut_to_one_other_server_harms_nobody)
{
	struct sim_config c = quiet(6, 5);
	struct sim *w = joined(&c);
	sim_cut(w, 1, 2, true);
	sim_run(w, 20 * SW_NS_PER_S);
	SW_EXPECT_EQ(count_events(SWIM_EVENT_DEAD, 0), 0u);
	SW_EXPECT_GT(swim_counters(sim_swim(w, 1))->probes_indirect, 0u);
	sim_destroy(w);
}

SW_TEST(swim, a_restart_without_memory_takes_a_larger_epoch_and_is_alive_at_once)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct sim_config c = quiet(5, seed);
		struct sim *w = joined(&c);
		uint32_t epoch = swim_self(sim_swim(w, 4)).epoch;
		sim_crash(w, 4);
		sim_run(w, (seed % 2) * 3 * SW_NS_PER_S); /* at once, or after its death is known */
		sim_start(w, 4, 1);
		sim_run(w, 3 * SW_NS_PER_S);
		SW_EXPECT_TRUE(sim_members_agree(w, 0));
		SW_EXPECT_EQ(swim_self(sim_swim(w, 4)).epoch, epoch + 1);
		SW_EXPECT_TRUE(sim_maps_agree(w, 0));
		sim_destroy(w);
	}
}

SW_TEST(swim, leave_is_told_to_all_at_once_and_is_not_a_death)
{
	struct sim_config c = quiet(7, 9);
	struct sim *w = joined(&c);
	sim_leave(w, 6);
	sim_run(w, 100 * SW_NS_PER_MS);
	for (uint32_t i = 0; i < 6; i++)
		SW_EXPECT_EQ(sim_state(w, i, 6), WIRE_LEFT);
	sim_run(w, 2 * SW_NS_PER_S);
	SW_EXPECT_EQ(count_events(SWIM_EVENT_DEAD, 0), 0u);
	SW_EXPECT_EQ(swim_phase(sim_swim(w, 6)), SWIM_LEFT);
	sim_destroy(w);
}

SW_TEST(swim, drain_reaches_all_and_ends)
{
	struct sim_config c = quiet(5, 10);
	struct sim *w = joined(&c);
	for (int on = 1; on >= 0; on--) {
		sim_drain(w, 1, on);
		sim_run(w, 200 * SW_NS_PER_MS);
		for (uint32_t i = 0; i < 5; i++) {
			struct swim_member members[SW_MEMBERS_MAX];
			uint32_t n = swim_members(sim_swim(w, i), members, SW_MEMBERS_MAX);
			for (uint32_t k = 0; k < n; k++)
				SW_EXPECT_EQ(members[k].record.flags,
					members[k].record.actor.id == sim_id(1) && on
						? WIRE_MEMBER_DRAIN
						: 0);
		}
	}
	sim_destroy(w);
}

SW_TEST(swim, changed_weight_reaches_all_and_outlives_a_suspicion)
{
	struct sim_config c = quiet(5, 10);
	struct sim *w = joined(&c);
	static const uint16_t weights[] = {250, 50};
	for (int turn = 0; turn < 2; turn++) {
		uint16_t weight = weights[turn];
		uint32_t before = count_events(SWIM_EVENT_CHANGED, 0);
		swim_set_weight(sim_swim(w, 1), sim_now(w), weight);
		swim_set_weight(sim_swim(w, 1), sim_now(w), weight); /* says nothing new */
		sim_run(w, 200 * SW_NS_PER_MS);
		SW_EXPECT_GT(count_events(SWIM_EVENT_CHANGED, 0), before);
		for (uint32_t i = 0; i < 5; i++) {
			struct swim_member members[SW_MEMBERS_MAX];
			uint32_t n = swim_members(sim_swim(w, i), members, SW_MEMBERS_MAX);
			for (uint32_t k = 0; k < n; k++)
				SW_EXPECT_EQ(members[k].record.weight,
					members[k].record.actor.id == sim_id(1)
						? weight
						: SW_WEIGHT_DEFAULT);
		}
		/* Somebody takes it for suspect; its refutation carries the weight. */
		sim_pause(w, 1, true);
		sim_run(w, c.profile.suspicion_min_ns / 2);
		sim_pause(w, 1, false);
		sim_run(w, 2 * SW_NS_PER_S);
		struct swim_member self;
		(void)swim_members(sim_swim(w, 1), &self, 1);
		SW_EXPECT_EQ(self.record.weight, weight);
		SW_EXPECT_EQ(sim_state(w, 0, 1), WIRE_ALIVE);
	}
	sim_destroy(w);
}

SW_TEST(swim, of_two_live_servers_with_one_id_one_stands_down)
{
	struct sim_config c = quiet(5, 11);
	struct sim *w = joined(&c);
	uint32_t newer = swim_self(sim_swim(w, 2)).epoch + 9;
	struct wire_header h = {.sender = {sim_id(2), newer}, .instance = 77};
	struct wire_member twin = {.actor = {sim_id(2), newer},
		.instance = 77,
		.weight = 100,
		.name = "node-2",
		.at = sw_endpoint_from_ipv4(htobe32(0x0a0000ff), 7946)};
	struct sw_endpoint from = twin.at;
	uint8_t bytes[256];
	struct sw_writer writer = sw_writer_init(bytes, sizeof(bytes));
	wire_put_member(&writer, WIRE_MEMBER, &twin);
	struct sw_reader reader = sw_reader_init(bytes, (size_t)(writer.at - bytes));
	struct wire_message m;
	SW_ASSERT_TRUE(wire_next(&reader, &m));
	swim_packet_begin(sim_swim(w, 2), sim_now(w), &h, &from);
	swim_input(sim_swim(w, 2), sim_now(w), &h, &from, &m);
	SW_EXPECT_EQ(swim_phase(sim_swim(w, 2)), SWIM_STOOD_DOWN);
	struct swim_event event;
	bool told = false;
	while (swim_next_event(sim_swim(w, 2), &event))
		told |= event.kind == SWIM_EVENT_STOOD_DOWN;
	SW_EXPECT_TRUE(told);
	sim_destroy(w);
}

SW_TEST(swim, records_are_a_total_order_and_merging_them_in_any_order_ends_the_same)
{
	struct sw_random r = sw_random_seed(21);
	for (int round = 0; round < 20000; round++) {
		struct wire_member a[3];
		for (int i = 0; i < 3; i++)
			a[i] = (struct wire_member){
				.actor = {1, (uint32_t)sw_random_below(&r, 2)},
				.instance = sw_random_below(&r, 2),
				.incarnation = (uint32_t)sw_random_below(&r, 2),
				.state = (uint8_t)sw_random_below(&r, 4),
			};
		SW_ASSERT_EQ(swim_record_compare(&a[0], &a[1]), -swim_record_compare(&a[1], &a[0]));
		if (swim_record_compare(&a[0], &a[1]) <= 0 &&
			swim_record_compare(&a[1], &a[2]) <= 0)
			SW_ASSERT_TRUE(swim_record_compare(&a[0], &a[2]) <= 0);
	}
}

SW_TEST(swim, the_same_seed_gives_the_same_run)
{
	uint64_t packets[2];
	for (int i = 0; i < 2; i++) {
		struct sim_config c = quiet(9, 77);
		c.network.loss_ppm = 100000;
		c.network.duplicate_ppm = 100000;
		struct sim *w = sim_create(&c);
		sim_run(w, 10 * SW_NS_PER_S);
		packets[i] = sim_packets(w);
		sim_destroy(w);
	}
	SW_EXPECT_EQ(packets[0], packets[1]);
}

/* Its requests for help wait while the one that they are about comes back under a new epoch: they
 * are dropped, and the prober must not wait for them to leave. */
SW_TEST(swim, a_server_whose_requests_for_help_became_stale_goes_on_probing)
{
	struct sim_config c = quiet(4, 5);
	struct sim *w = joined(&c);
	for (uint64_t ms = 20; ms < 140; ms += 3) {
		sim_crash(w, 1);
		sim_run(w, ms * SW_NS_PER_MS);
		sim_block(w, 0, true);
		sim_start(w, 1, 0);
		sim_run(w, 300 * SW_NS_PER_MS);
		sim_block(w, 0, false);
		sim_run(w, 200 * SW_NS_PER_MS);
		uint64_t probes = swim_counters(sim_swim(w, 0))->probes;
		sim_run(w, 2 * SW_NS_PER_S);
		SW_ASSERT_GT(swim_counters(sim_swim(w, 0))->probes, probes);
	}
	sim_destroy(w);
}
