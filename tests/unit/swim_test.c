#include "sw_test.h"
#include "world.h"

static struct world_config quiet(uint32_t nodes, uint64_t seed)
{
	return (struct world_config){
		.nodes = nodes,
		.seed = seed,
		.profile = swim_profile_lan,
		.delay_min_ns = 20 * SW_NS_PER_US,
		.delay_max_ns = 100 * SW_NS_PER_US,
		.records_max = 1000,
	};
}

static struct world *joined(const struct world_config *config)
{
	struct world *w = world_create(config);
	for (int i = 0; i < 50 && !(world_members_agree(w) && world_maps_agree(w)); i++)
		world_run(w, 100 * SW_NS_PER_MS);
	world_forget_events(w);
	return w;
}

static uint32_t count_events(struct world *w, enum swim_event_kind kind, uint64_t about)
{
	const struct world_event *events;
	uint32_t n = world_events(w, &events), found = 0;
	for (uint32_t i = 0; i < n; i++)
		found += events[i].event.kind == kind && (about == 0 || events[i].event.record.actor.id == about);
	return found;
}

SW_TEST(swim, servers_find_each_other_through_seeds)
{
	for (uint32_t n = 1; n <= 33; n += 8) {
		struct world_config c = quiet(n, n);
		struct world *w = world_create(&c);
		world_run(w, 3 * SW_NS_PER_S);
		SW_EXPECT_TRUE(world_members_agree(w));
		SW_EXPECT_EQ(count_events(w, SWIM_EVENT_DEAD, 0), 0u);
		SW_EXPECT_EQ(count_events(w, SWIM_EVENT_SUSPECT, 0), 0u);
		world_destroy(w);
	}
}

SW_TEST(swim, nobody_is_suspected_on_a_quiet_network_and_it_costs_few_packets)
{
	struct world_config c = quiet(16, 3);
	struct world *w = joined(&c);
	uint64_t packets = world_packets(w);
	world_run(w, 20 * SW_NS_PER_S);
	uint64_t periods = 20 * SW_NS_PER_S / c.profile.probe_interval_ns * 16;
	double each = (double)(world_packets(w) - packets) / (double)periods;
	sw_test_note("%.2f packets a member and period, pulls included", each);
	SW_EXPECT_EQ(count_events(w, SWIM_EVENT_SUSPECT, 0), 0u);
	/* PING and ACK: 2.0; the map's pull every second period adds VERSION, DATA, DONE: 1.5. */
	SW_EXPECT_GE(each, 2.0);
	SW_EXPECT_LE(each, 3.7);
	world_destroy(w);
}

SW_TEST(swim, crash_is_known_to_all_within_a_second_and_nobody_else_is_declared_dead)
{
	uint64_t worst = 0;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct world_config c = quiet(5 + (uint32_t)(seed % 3) * 10, seed);
		struct world *w = joined(&c);
		uint64_t at = world_now(w);
		world_crash(w, 2);
		world_run(w, SW_NS_PER_S);
		const struct world_event *events;
		uint32_t n = world_events(w, &events);
		for (uint32_t i = 0; i < n; i++)
			if (events[i].event.kind == SWIM_EVENT_DEAD) {
				SW_EXPECT_EQ(events[i].event.record.actor.id, world_id(2));
				worst = sw_max_u64(worst, events[i].event.at_ns - at);
			}
		SW_EXPECT_EQ(count_events(w, SWIM_EVENT_DEAD, world_id(2)), c.nodes - 1);
		SW_EXPECT_TRUE(world_members_agree(w));
		world_destroy(w);
	}
	sw_test_note("known to all after %.0f ms at worst", (double)worst / 1e6);
}

SW_TEST(swim, loss_of_a_fifth_kills_nobody_for_good_and_tables_agree_after_it)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct world_config c = quiet(8, seed);
		struct world *w = joined(&c);
		world_loss(w, 200);
		world_run(w, 20 * SW_NS_PER_S);
		world_loss(w, 0);
		world_run(w, 3 * SW_NS_PER_S);
		SW_EXPECT_TRUE(world_members_agree(w));
		world_destroy(w);
	}
}

SW_TEST(swim, a_paused_server_is_declared_dead_comes_back_by_itself_and_accuses_nobody)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct world_config c = quiet(5, seed);
		struct world *w = joined(&c);
		world_pause(w, 3, true);
		world_run(w, 5 * SW_NS_PER_S);
		for (uint32_t i = 0; i < 5; i++)
			if (i != 3)
				SW_EXPECT_EQ(world_state(w, i, 3), WIRE_DEAD);
		world_pause(w, 3, false);
		world_run(w, 3 * SW_NS_PER_S);
		SW_EXPECT_TRUE(world_members_agree(w));
		SW_EXPECT_TRUE(world_maps_agree(w));
		for (uint32_t i = 0; i < 5; i++)
			if (i != 3)
				SW_EXPECT_EQ(count_events(w, SWIM_EVENT_DEAD, world_id(i)), 0u);
		world_destroy(w);
	}
}

SW_TEST(swim, two_islands_find_each_other_again_after_a_long_cut)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct world_config c = quiet(5 + (uint32_t)seed, seed);
		struct world *w = joined(&c);
		world_split(w, 2);
		world_run(w, 30 * SW_NS_PER_S);
		SW_EXPECT_EQ(world_state(w, 0, 4), WIRE_DEAD);
		SW_EXPECT_EQ(world_state(w, 4, 0), WIRE_DEAD);
		world_forget_events(w);
		world_heal(w);
		world_run(w, 4 * SW_NS_PER_S);
		SW_EXPECT_TRUE(world_members_agree(w));
		/* Each side's own members stay alive in its eyes: old verdicts are questions, not news. */
		SW_EXPECT_EQ(count_events(w, SWIM_EVENT_DEAD, 0), 0u);
		world_destroy(w);
	}
}

SW_TEST(swim, a_one_way_cut_to_one_other_server_harms_nobody)
{
	struct world_config c = quiet(6, 5);
	struct world *w = joined(&c);
	world_cut(w, 1, 2, true);
	world_run(w, 20 * SW_NS_PER_S);
	SW_EXPECT_EQ(count_events(w, SWIM_EVENT_DEAD, 0), 0u);
	SW_EXPECT_GT(swim_counters(world_swim(w, 1))->probes_indirect, 0u);
	world_destroy(w);
}

SW_TEST(swim, a_restart_without_memory_takes_a_larger_epoch_and_is_alive_at_once)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct world_config c = quiet(5, seed);
		struct world *w = joined(&c);
		world_crash(w, 4);
		world_run(w, (seed % 2) * 3 * SW_NS_PER_S); /* at once, or after its death is known */
		world_start(w, 4, 1);
		world_run(w, 3 * SW_NS_PER_S);
		SW_EXPECT_TRUE(world_members_agree(w));
		SW_EXPECT_EQ(swim_self(world_swim(w, 4)).epoch, 2u);
		SW_EXPECT_TRUE(world_maps_agree(w));
		world_destroy(w);
	}
}

SW_TEST(swim, leave_is_told_to_all_at_once_and_is_not_a_death)
{
	struct world_config c = quiet(7, 9);
	struct world *w = joined(&c);
	swim_leave(world_swim(w, 6), world_now(w));
	world_run(w, 100 * SW_NS_PER_MS);
	for (uint32_t i = 0; i < 6; i++)
		SW_EXPECT_EQ(world_state(w, i, 6), WIRE_LEFT);
	world_run(w, 2 * SW_NS_PER_S);
	SW_EXPECT_EQ(count_events(w, SWIM_EVENT_DEAD, 0), 0u);
	SW_EXPECT_EQ(swim_phase(world_swim(w, 6)), SWIM_LEFT);
	world_destroy(w);
}

SW_TEST(swim, drain_reaches_all_and_ends)
{
	struct world_config c = quiet(5, 10);
	struct world *w = joined(&c);
	for (int on = 1; on >= 0; on--) {
		swim_drain(world_swim(w, 1), world_now(w), on);
		world_run(w, 200 * SW_NS_PER_MS);
		for (uint32_t i = 0; i < 5; i++) {
			struct swim_member members[SW_MEMBERS_MAX];
			uint32_t n = swim_members(world_swim(w, i), members, SW_MEMBERS_MAX);
			for (uint32_t k = 0; k < n; k++)
				SW_EXPECT_EQ(members[k].record.flags,
					members[k].record.actor.id == world_id(1) && on ? WIRE_MEMBER_DRAIN : 0);
		}
	}
	world_destroy(w);
}

SW_TEST(swim, of_two_live_servers_with_one_id_one_stands_down)
{
	struct world_config c = quiet(5, 11);
	struct world *w = joined(&c);
	struct wire_header h = {.sender = {world_id(2), 9}, .instance = 77};
	struct wire_member twin = {.actor = {world_id(2), 9}, .instance = 77, .weight = 100, .name = "node-2",
		.at = sw_endpoint_from_ipv4(htobe32(0x0a0000ff), 7946)};
	struct sw_endpoint from = twin.at;
	uint8_t bytes[256];
	struct sw_writer writer = sw_writer_init(bytes, sizeof(bytes));
	wire_put_member(&writer, WIRE_MEMBER, &twin);
	struct sw_reader reader = sw_reader_init(bytes, (size_t)(writer.at - bytes));
	struct wire_message m;
	SW_ASSERT_TRUE(wire_next(&reader, &m));
	swim_packet_begin(world_swim(w, 2), world_now(w), &h, &from);
	swim_input(world_swim(w, 2), world_now(w), &h, &from, &m);
	SW_EXPECT_EQ(swim_phase(world_swim(w, 2)), SWIM_STOOD_DOWN);
	struct swim_event event;
	bool told = false;
	while (swim_next_event(world_swim(w, 2), &event))
		told |= event.kind == SWIM_EVENT_STOOD_DOWN;
	SW_EXPECT_TRUE(told);
	world_destroy(w);
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
		if (swim_record_compare(&a[0], &a[1]) <= 0 && swim_record_compare(&a[1], &a[2]) <= 0)
			SW_ASSERT_TRUE(swim_record_compare(&a[0], &a[2]) <= 0);
	}
}

SW_TEST(swim, the_same_seed_gives_the_same_run)
{
	uint64_t packets[2];
	for (int i = 0; i < 2; i++) {
		struct world_config c = quiet(9, 77);
		c.loss_permille = 100;
		c.duplicate_permille = 100;
		struct world *w = world_create(&c);
		world_run(w, 10 * SW_NS_PER_S);
		packets[i] = world_packets(w);
		world_destroy(w);
	}
	SW_EXPECT_EQ(packets[0], packets[1]);
}
