#include "map_world.h"
#include "sw_test.h"

#include <stdio.h>
#include <string.h>

/* Servers that forgot each other and collected meanwhile, and meet again. */

static uint32_t lifted_events, reconciled_events;

static void on_event(struct world *w, uint32_t server, const struct map_event *event)
{
	(void)w;
	(void)server;
	lifted_events += event->kind == MAP_EVENT_LIFTED;
	reconciled_events += event->kind == MAP_EVENT_RECONCILED;
}

static void settle(struct world *w, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 20) {
		world_run(w, 20 * SW_NS_PER_MS);
		world_probe_all(w);
	}
	world_run(w, 5 * SW_NS_PER_MS);
}

static void part(struct world *w, uint32_t below, bool apart)
{
	for (uint32_t i = 0; i < w->servers; i++)
		for (uint32_t k = 0; k < w->servers; k++)
			if ((i < below) != (k < below)) {
				w->cut[i][k] = apart;
				world_know(w, i, k, apart ? MAP_PEER_OVER : MAP_PEER_LIVE);
			}
}

/* Four servers with "old" and "kept" everywhere, then two islands of two. */
static struct world *two_islands(void)
{
	struct world *w = world_create(4, 200, 1);
	w->pulls = true;
	w->on_event = on_event;
	lifted_events = reconciled_events = 0;
	for (uint32_t i = 0; i < 4; i++)
		world_start(w, i, true);
	world_know_all(w);
	world_put(w, 0, "old", "1");
	world_put(w, 3, "kept", "1");
	settle(w, 200);
	part(w, 2, true);
	return w;
}

static void meet(struct world *w)
{
	part(w, 2, false);
	/* Whose epoch was closed meanwhile goes on under another, and all hear of that. */
	for (int i = 0; i < 10; i++) {
		settle(w, 60);
		world_know_all(w);
	}
	settle(w, 400);
	SW_EXPECT_TRUE(world_is_equal(w));
}

static uint64_t sum_dropped(struct world *w)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < w->servers; i++)
		n += map_counters(w->maps[i])->reconcile_dropped;
	return n;
}

SW_TEST(deltamap_islands, what_one_island_deleted_and_collected_stays_deleted)
{
	struct world *w = two_islands();
	world_del(w, 1, "old");
	settle(w, 300);
	SW_EXPECT_EQ(map_record_count(w->maps[0]), 1u); /* collected */
	SW_EXPECT_TRUE(world_holds(w, 2, "old", "1"));
	meet(w);
	for (uint32_t i = 0; i < 4; i++) {
		SW_EXPECT_TRUE(world_absent(w, i, "old"));
		SW_EXPECT_TRUE(world_holds(w, i, "kept", "1"));
	}
	SW_EXPECT_GT(reconciled_events, 0u);
	SW_EXPECT_GT(sum_dropped(w), 0u);
	world_destroy(w);
}

SW_TEST(deltamap_islands, what_was_written_below_the_others_floor_is_kept_and_stands_above_it)
{
	struct world *w = two_islands();
	/* One island's floor rises to 5. */
	for (int i = 0; i < 4; i++)
		world_put(w, 0, "busy", "x");
	world_del(w, 0, "busy");
	settle(w, 300);
	SW_EXPECT_EQ(map_floor(w->maps[0]), 5u);
	/* The other one writes a key, at clock 1. */
	world_put(w, 2, "new", "n");
	settle(w, 100);
	meet(w);
	for (uint32_t i = 0; i < 4; i++) {
		struct map_view v;
		SW_EXPECT_TRUE(world_holds(w, i, "new", "n"));
		SW_ASSERT_TRUE(map_get_reader(w->maps[i], "new", 3, &v));
		SW_EXPECT_GT(v.clock, 5u);
	}
	SW_EXPECT_GT(lifted_events, 0u);
	world_destroy(w);
}

SW_TEST(deltamap_islands, a_key_that_one_island_deleted_and_the_other_overwrote_keeps_the_overwrite)
{
	struct world *w = two_islands();
	world_del(w, 1, "old");
	world_put(w, 2, "old", "2");
	world_put(w, 3, "old", "3");
	settle(w, 300);
	meet(w);
	for (uint32_t i = 1; i < 4; i++) {
		struct map_view a, b;
		bool has_a = map_get_reader(w->maps[0], "old", 3, &a),
		     has_b = map_get_reader(w->maps[i], "old", 3, &b);
		SW_ASSERT_TRUE(has_a && has_b);
		SW_EXPECT_FALSE(a.tombstone);
		SW_EXPECT_EQ(map_stamp_compare(&a, &b), 0);
	}
	world_destroy(w);
}

SW_TEST(deltamap_islands, both_deleted_and_wrote_and_both_join)
{
	struct world *w = two_islands();
	world_del(w, 0, "old");
	world_del(w, 2, "kept");
	world_put(w, 0, "left", "l");
	world_put(w, 2, "right", "r");
	settle(w, 300);
	meet(w);
	for (uint32_t i = 0; i < 4; i++) {
		SW_EXPECT_TRUE(world_absent(w, i, "old"));
		SW_EXPECT_TRUE(world_absent(w, i, "kept"));
		SW_EXPECT_TRUE(world_holds(w, i, "left", "l"));
		SW_EXPECT_TRUE(world_holds(w, i, "right", "r"));
	}
	world_destroy(w);
}

SW_TEST(deltamap_islands, who_missed_a_collection_gets_no_delta_and_none_is_taken_from_it)
{
	struct world *w = two_islands();
	world_del(w, 0, "old");
	settle(w, 300);
	w->pulls = false;
	part(w, 2, false);
	settle(w, 300);
	uint64_t told = 0, reconciles = 0;
	for (uint32_t i = 0; i < 4; i++) {
		told += map_counters(w->maps[i])->reconcile_told;
		reconciles += map_counters(w->maps[i])->reconciles;
	}
	SW_EXPECT_GT(told, 0u);
	SW_EXPECT_GT(reconciles, 0u);
	world_destroy(w);
}

SW_TEST(deltamap_islands, a_partition_in_which_nobody_is_forgotten_collects_nothing)
{
	struct world *w = world_create(4, 200, 1);
	w->pulls = true;
	for (uint32_t i = 0; i < 4; i++)
		world_start(w, i, true);
	world_know_all(w);
	world_put(w, 0, "old", "1");
	settle(w, 200);
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t k = 0; k < 4; k++)
			if ((i < 2) != (k < 2)) {
				w->cut[i][k] = true;
				world_know(w, i, k, MAP_PEER_DEAD);
			}
	world_del(w, 0, "old");
	settle(w, 1000);
	SW_EXPECT_EQ(map_tombstone_count(w->maps[0]), 1u);
	memset(w->cut, 0, sizeof(w->cut));
	world_know_all(w);
	settle(w, 400);
	for (uint32_t i = 0; i < 4; i++) {
		SW_EXPECT_EQ(map_record_count(w->maps[i]), 0u);
		SW_EXPECT_EQ(map_counters(w->maps[i])->reconciles, 0u);
	}
	world_destroy(w);
}
