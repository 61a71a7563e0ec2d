#include "map_world.h"
#include "sw_test.h"

#include <stdio.h>
#include <string.h>

/* What is known of the others' vectors, and what it is good for: collection, and the alarm. */

static struct world *three(bool pulls)
{
	struct world *w = world_create(3, 200, 1);
	w->pulls = pulls;
	for (uint32_t i = 0; i < 3; i++)
		world_start(w, i, true);
	world_know_all(w);
	return w;
}

/* Up to which seq of `of` is `member` known to `server` to hold everything? -1: not a member. */
static int64_t reported(struct world *w, uint32_t server, uint32_t member, struct actor of)
{
	struct map_report report;
	for (uint32_t row = 0; row < MAP_REPORTS_MAX; row++)
		if (map_report_reader(w->maps[server], row, &report) &&
			report.actor.id == w->actors[member].id)
			return (int64_t)map_reported_reader(w->maps[server], row, report.actor, of);
	return -1;
}

static void settle(struct world *w, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 20) {
		world_run(w, 20 * SW_NS_PER_MS);
		world_probe_all(w);
	}
	world_run(w, 5 * SW_NS_PER_MS);
}

SW_TEST(deltamap_reports, equal_hashes_in_a_probe_say_that_a_peer_holds_all_that_is_held_here)
{
	struct world *w = three(false);
	world_put(w, 0, "k", "v");
	world_run(w, SW_NS_PER_MS);
	SW_EXPECT_EQ(reported(w, 0, 1, w->actors[0]), 0);
	world_probe(w, 1, 0);
	world_run(w, SW_NS_PER_MS);
	SW_EXPECT_EQ(reported(w, 0, 1, w->actors[0]), 1);
	SW_EXPECT_EQ(reported(w, 0, 2, w->actors[0]), 0);
	/* One who lacks something is not taken for one who has it. */
	w->cut[0][2] = true;
	world_put(w, 0, "k", "w");
	world_run(w, SW_NS_PER_MS);
	world_probe_all(w);
	world_run(w, SW_NS_PER_MS);
	SW_EXPECT_EQ(reported(w, 0, 1, w->actors[0]), 2);
	SW_EXPECT_EQ(reported(w, 0, 2, w->actors[0]), 0);
	world_destroy(w);
}

SW_TEST(deltamap_reports, servers_whose_vectors_never_agree_tell_them_anyway)
{
	struct world *w = three(true);
	for (int i = 0; i < 100; i++) { /* something is always under way; no probe ever agrees */
		world_put(w, 0, "k", "v");
		world_run(w, 10 * SW_NS_PER_MS);
	}
	SW_EXPECT_GT(reported(w, 0, 1, w->actors[0]), 80);
	SW_EXPECT_GT(reported(w, 0, 2, w->actors[0]), 80);
	world_destroy(w);
}

SW_TEST(deltamap_reports, a_members_next_life_has_reported_nothing)
{
	struct world *w = three(true);
	world_put(w, 0, "k", "v");
	settle(w, 100);
	SW_EXPECT_EQ(reported(w, 0, 1, w->actors[0]), 1);
	w->actors[1].epoch++;
	world_know(w, 0, 1, MAP_PEER_LIVE);
	SW_EXPECT_EQ(reported(w, 0, 1, w->actors[0]), 0);
	world_know(w, 0, 1, MAP_PEER_OVER);
	SW_EXPECT_EQ(reported(w, 0, 1, w->actors[0]), -1);
	world_destroy(w);
}

SW_TEST(deltamap_reports, a_tombstone_is_collected_when_all_have_reported_it_and_not_before)
{
	struct world *w = three(false);
	world_put(w, 0, "k", "v");
	world_run(w, SW_NS_PER_MS);
	world_del(w, 0, "k");
	world_run(w, 2 * SW_NS_PER_MS);
	SW_EXPECT_EQ(map_tombstone_count(w->maps[0]), 1u);
	world_probe(w, 1, 0);
	world_run(w, 2 * SW_NS_PER_MS);
	SW_EXPECT_EQ(map_tombstone_count(w->maps[0]), 1u);
	world_probe(w, 2, 0);
	world_run(w, 2 * SW_NS_PER_MS);
	SW_EXPECT_EQ(map_tombstone_count(w->maps[0]), 0u);
	SW_EXPECT_EQ(map_record_count(w->maps[0]), 0u);
	SW_EXPECT_EQ(map_floor(w->maps[0]), 2u);
	SW_EXPECT_EQ(map_tombstone_count(w->maps[1]), 1u); /* which has heard of nobody */
	/* A birth stands above what was collected. */
	struct map_view v;
	world_put(w, 0, "k", "again");
	SW_ASSERT_TRUE(map_get_reader(w->maps[0], "k", 1, &v));
	SW_EXPECT_EQ(v.clock, 3u);
	world_destroy(w);
}

SW_TEST(deltamap_reports, a_dead_server_is_waited_for_and_a_forgotten_one_is_not)
{
	struct world *w = three(true);
	world_put(w, 0, "k", "v");
	settle(w, 100);
	world_stop(w, 2);
	world_know(w, 0, 2, MAP_PEER_DEAD);
	world_know(w, 1, 2, MAP_PEER_DEAD);
	world_del(w, 0, "k");
	settle(w, 1000);
	SW_EXPECT_EQ(map_tombstone_count(w->maps[0]), 1u);
	SW_EXPECT_EQ(map_tombstone_count(w->maps[1]), 1u);
	world_know(w, 0, 2, MAP_PEER_OVER);
	world_know(w, 1, 2, MAP_PEER_OVER);
	settle(w, 100);
	SW_EXPECT_EQ(map_record_count(w->maps[0]), 0u);
	SW_EXPECT_EQ(map_record_count(w->maps[1]), 0u);
	world_destroy(w);
}

SW_TEST(deltamap_reports, ten_thousand_tombstones_are_collected_a_few_at_a_time)
{
	struct world *w = world_create(2, 20000, 1);
	char key[16];
	w->pulls = true;
	world_start(w, 0, true);
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		SW_ASSERT_EQ(world_put(w, 0, key, "v"), 0);
	}
	/* Alone: each is stable at once. */
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		SW_ASSERT_EQ(world_del(w, 0, key), 0);
	}
	uint64_t most = 0;
	for (int ms = 0; ms < 200 && map_tombstone_count(w->maps[0]) > 0; ms++) {
		uint64_t before = map_counters(w->maps[0])->collected;
		w->now_ns += SW_NS_PER_MS;
		world_tick(w, 0);
		uint64_t n = map_counters(w->maps[0])->collected - before;
		most = n > most ? n : most;
	}
	SW_EXPECT_EQ(map_tombstone_count(w->maps[0]), 0u);
	SW_EXPECT_LE(most, 256u);
	world_destroy(w);
}

static uint32_t alarms, repairs;

static void on_event(struct world *w, uint32_t server, const struct map_event *event)
{
	(void)w;
	(void)server;
	alarms += event->kind == MAP_EVENT_ALARM;
	repairs += event->kind == MAP_EVENT_REPAIRED;
}

static void forge(
	struct world *w, uint32_t server, const char *key, const char *value, uint64_t seq)
{
	uint8_t bytes[256];
	struct sw_writer writer = sw_writer_init(bytes, sizeof(bytes));
	struct wire_record r = {.key_len = (uint8_t)strlen(key),
		.value_len = (uint16_t)strlen(value),
		.clock = 7,
		.author = {w->actors[2], seq},
		.dot = {w->actors[2], seq},
		.key = (const uint8_t *)key,
		.value = (const uint8_t *)value};
	wire_put_record(&writer, &r);
	struct wire_header h = {.sender = w->actors[2]};
	struct wire_prelude prelude = {.last_seq = 0};
	struct sw_endpoint from = {.port = 3};
	struct sw_reader reader = sw_reader_init(bytes, (size_t)(writer.at - bytes));
	map_input_owner(w->maps[server], w->now_ns, &h, &prelude, &from, &reader);
}

/* Two records under one dot, which no server that keeps the rules writes. */
SW_TEST(deltamap_reports, equal_vectors_with_unequal_content_are_an_alarm_and_are_repaired)
{
	struct world *w = three(false);
	w->on_event = on_event;
	alarms = repairs = 0;
	for (int i = 0; i < 150; i++) {
		char key[16];
		snprintf(key, sizeof(key), "k%d", i);
		world_put(w, 0, key, "v");
	}
	settle(w, 200);
	SW_ASSERT_TRUE(world_is_equal(w));
	SW_EXPECT_EQ(alarms, 0u);
	world_stop(w, 2);
	forge(w, 0, "odd", "one", 1);
	forge(w, 1, "even", "two", 1);
	SW_EXPECT_EQ(map_vector_hash(w->maps[0]), map_vector_hash(w->maps[1]));
	SW_EXPECT_TRUE(map_content_hash(w->maps[0]) != map_content_hash(w->maps[1]));
	settle(w, 400);
	SW_EXPECT_GT(alarms, 0u);
	SW_EXPECT_GT(repairs, 0u);
	SW_EXPECT_TRUE(world_holds(w, 0, "even", "two"));
	SW_EXPECT_TRUE(world_holds(w, 1, "odd", "one"));
	SW_EXPECT_EQ(map_content_hash(w->maps[0]), map_content_hash(w->maps[1]));
	/* Only what lies in the parts that differ was sent. */
	SW_EXPECT_LT(map_counters(w->maps[0])->merged + map_counters(w->maps[0])->older, 30u);
	world_destroy(w);
}
