#include "map_world.h"
#include "sw_test.h"

#include <stdio.h>
#include <string.h>

/* Epochs that are over: closed, adopted beyond the cap, and out of the vector in the end. */

static struct version_vector vv;

static uint64_t entry(struct world *w, uint32_t server, struct actor actor)
{
	map_vector_owner(w->maps[server], &vv);
	return vv_get(&vv, actor);
}

static struct world *three(void)
{
	struct world *w = world_create(3, 2000, 1);
	w->pulls = true;
	for (uint32_t i = 0; i < 3; i++)
		world_start(w, i, true);
	world_know_all(w);
	return w;
}

static void settle(struct world *w, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 20) {
		world_run(w, 20 * SW_NS_PER_MS);
		world_probe_all(w);
	}
	world_run(w, 5 * SW_NS_PER_MS);
}

/* It starts again, and all hear of it. */
static void restart(struct world *w, uint32_t server)
{
	world_start(w, server, false);
	world_know_all(w);
}

SW_TEST(deltamap_epochs, an_epoch_that_is_over_is_closed_when_all_report_the_same_for_it)
{
	struct world *w = three();
	struct actor old = w->actors[2];
	SW_EXPECT_EQ(world_put(w, 2, "k", "v"), 0);
	settle(w, 100);
	SW_EXPECT_EQ(entry(w, 0, old), 1u);
	restart(w, 2);
	settle(w, 400);
	for (uint32_t i = 0; i < 3; i++) {
		SW_EXPECT_EQ(entry(w, i, old), VV_CLOSED | 1);
		SW_EXPECT_TRUE(world_holds(w, i, "k", "v"));
	}
	SW_EXPECT_TRUE(world_is_equal(w));
	world_destroy(w);
}

SW_TEST(deltamap_epochs, it_stays_open_while_somebody_who_is_waited_for_has_not_reported_it)
{
	struct world *w = three();
	struct actor old = w->actors[2];
	world_put(w, 2, "k", "v");
	settle(w, 100);
	/* 1 is cut off and dead to the others, but not forgotten. */
	for (uint32_t i = 0; i < 3; i++)
		w->cut[1][i] = w->cut[i][1] = true;
	world_start(w, 2, false);
	world_know(w, 0, 2, MAP_PEER_LIVE);
	world_know(w, 2, 0, MAP_PEER_LIVE);
	world_put(w, 0, "more", "v");
	world_know(w, 0, 1, MAP_PEER_DEAD);
	world_know(w, 2, 1, MAP_PEER_DEAD);
	settle(w, 400);
	/* 1 had reported it to 0 before it was cut off, to the new life of 2 it never has. */
	SW_EXPECT_EQ(entry(w, 2, old), vv_is_closed(entry(w, 0, old)) ? VV_CLOSED | 1 : 1u);
	world_know(w, 2, 1, MAP_PEER_OVER);
	world_know(w, 0, 1, MAP_PEER_OVER);
	settle(w, 400);
	SW_EXPECT_EQ(entry(w, 0, old), VV_CLOSED | 1);
	SW_EXPECT_EQ(entry(w, 2, old), VV_CLOSED | 1);
	world_destroy(w);
}

SW_TEST(deltamap_epochs, what_is_held_ahead_of_the_vector_of_a_dead_epoch_is_adopted)
{
	struct world *w = three();
	struct actor old = w->actors[2];
	world_put(w, 2, "first", "1");
	world_tick(w, 2);
	world_drop_all(w); /* seq 1 is lost to all */
	world_put(w, 2, "second", "2");
	world_tick(w, 2);
	for (uint32_t i = 0; i < w->packet_count; i++)
		if (w->packets[i].to == 0) {
			world_deliver(w, i); /* seq 2 reaches 0 alone */
			break;
		}
	world_drop_all(w);
	world_stop(w, 2);
	world_know(w, 0, 2, MAP_PEER_OVER);
	world_know(w, 1, 2, MAP_PEER_OVER);
	settle(w, 300);
	SW_EXPECT_EQ(map_counters(w->maps[0])->adopted, 1u);
	SW_EXPECT_TRUE(world_holds(w, 1, "second", "2"));
	SW_EXPECT_TRUE(world_is_equal(w));
	SW_EXPECT_EQ(entry(w, 0, old), 0u);
	SW_EXPECT_TRUE(map_settled_hash(w->maps[0]) != 0);
	world_destroy(w);
}

SW_TEST(deltamap_epochs, a_server_whose_epoch_was_closed_goes_on_under_a_new_one_and_loses_nothing)
{
	struct world *w = three();
	struct actor old = w->actors[2];
	world_put(w, 2, "k", "v");
	settle(w, 100);
	for (uint32_t i = 0; i < 2; i++) {
		w->cut[2][i] = w->cut[i][2] = true;
		world_know(w, i, 2, MAP_PEER_OVER);
	}
	world_put(w, 2, "alone", "x"); /* seq 2, which the others will never see under this dot */
	settle(w, 300);
	SW_EXPECT_EQ(entry(w, 0, old), VV_CLOSED | 1);
	memset(w->cut, 0, sizeof(w->cut));
	world_know(w, 0, 2, MAP_PEER_LIVE);
	world_know(w, 1, 2, MAP_PEER_LIVE);
	settle(w, 100);
	SW_EXPECT_GT(w->actors[2].epoch, old.epoch);
	world_know(w, 0, 2, MAP_PEER_LIVE);
	world_know(w, 1, 2, MAP_PEER_LIVE);
	settle(w, 300);
	for (uint32_t i = 0; i < 3; i++) {
		SW_EXPECT_TRUE(world_holds(w, i, "alone", "x"));
		SW_EXPECT_EQ(entry(w, i, old), VV_CLOSED | 1);
	}
	SW_EXPECT_EQ(world_put(w, 2, "after", "y"), 0);
	settle(w, 100);
	SW_EXPECT_TRUE(world_holds(w, 0, "after", "y"));
	SW_EXPECT_TRUE(world_is_equal(w));
	world_destroy(w);
}

/* A fleet that restarts for years: the vector never fills, nothing is lost, deletes stay. */
SW_TEST(deltamap_epochs, the_oldest_closed_epochs_leave_the_vector_when_it_has_many)
{
	struct world *w = three();
	uint32_t most = 0;
	char key[16], value[16];
	world_put(w, 2, "the first", "v");
	for (uint32_t life = 0; life < 1400; life++) {
		settle(w, 120);
		SW_ASSERT_TRUE(map_ready(w->maps[2]));
		snprintf(key, sizeof(key), "k%u", life % 40);
		snprintf(value, sizeof(value), "%u", life);
		SW_ASSERT_EQ(world_put(w, 2, key, value), 0);
		if (life % 3 == 0) {
			snprintf(key, sizeof(key), "k%u", (life + 7) % 40);
			world_del(w, 2, key);
		}
		settle(w, 60);
		for (uint32_t i = 0; i < 3; i++) {
			map_vector_owner(w->maps[i], &vv);
			most = vv.count > most ? vv.count : most;
		}
		restart(w, 2);
	}
	settle(w, 2000);
	sw_test_note("%u entries at most; %llu left it", most,
		(unsigned long long)map_counters(w->maps[0])->dropped_actors);
	SW_EXPECT_LT(most, 900u);
	SW_EXPECT_GT(map_counters(w->maps[0])->dropped_actors, 400u);
	SW_EXPECT_TRUE(world_is_equal(w));
	SW_EXPECT_EQ(map_counters(w->maps[0])->refused_actors, 0u);
	SW_EXPECT_EQ(map_tombstone_count(w->maps[0]), 0u);
	for (uint32_t i = 0; i < 3; i++)
		SW_EXPECT_TRUE(world_holds(w, i, "the first", "v"));
	world_destroy(w);
}
