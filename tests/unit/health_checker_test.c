#include "health_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

SW_TEST(checker, verdict_falls_and_rises_with_the_origin)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/status");
	origin.interval_ms = origin.timeout_ms = 100;
	expect_verdict(world, &origin, HEALTH_UP, "");
	world->status = 500;
	SW_ASSERT_TRUE(run(world, 2, 3000));
	SW_EXPECT_EQ(world->told[1].verdict.state, HEALTH_DOWN);
	SW_EXPECT_EQ(world->told[1].verdict.checks, 4);
	SW_EXPECT_GT(world->told[1].verdict.since_ms, world->told[0].verdict.since_ms);
	world->status = 200;
	SW_ASSERT_TRUE(run(world, 3, 3000));
	SW_EXPECT_EQ(world->told[2].verdict.state, HEALTH_UP);
	SW_EXPECT_EQ(world->told[2].verdict.checks, 6);
	SW_EXPECT_EQ(world->requests, 6);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.origins, 1);
	SW_EXPECT_EQ(stats.checks, 6);
	SW_EXPECT_EQ(stats.failures, 3);
	SW_EXPECT_EQ(stats.unjudged, 0);
	world_destroy(world);
}

SW_TEST(checker, takeover_continues_from_the_last_verdict)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/status");
	origin.interval_ms = origin.timeout_ms = 100;
	struct health_verdict last = {.state = HEALTH_UP, .since_ms = 77, .checks = 1000};
	world->status = 500;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, &last), 0);
	SW_ASSERT_TRUE(run(world, 2, 3000));
	/* One failure is no fall; but that the checks go on here is told. */
	SW_EXPECT_FALSE(world->told[0].changed);
	SW_EXPECT_EQ(world->told[0].verdict.state, HEALTH_UP);
	SW_EXPECT_EQ(world->told[0].verdict.since_ms, 77);
	SW_EXPECT_EQ(world->told[0].verdict.checks, 1001);
	SW_EXPECT_STR(world->told[0].verdict.error, "status 500, expected 2xx or 3xx");
	SW_EXPECT_TRUE(world->told[1].changed);
	SW_EXPECT_EQ(world->told[1].verdict.state, HEALTH_DOWN);
	SW_EXPECT_EQ(world->told[1].verdict.checks, 1003);
	world_destroy(world);
}

SW_TEST(checker, unchanged_verdict_is_told_again_after_the_refresh)
{
	struct world *world = world_create((struct health_config){.refresh_ms = 300});
	struct health_origin origin = origin_of(world, "web", "/");
	origin.interval_ms = origin.timeout_ms = 100;
	expect_verdict(world, &origin, HEALTH_UP, "");
	uint64_t start_ms = clock_ms(CLOCK_MONOTONIC);
	SW_ASSERT_TRUE(run(world, 2, 3000));
	SW_EXPECT_GE(clock_ms(CLOCK_MONOTONIC) - start_ms, 290);
	SW_EXPECT_FALSE(world->told[1].changed);
	SW_EXPECT_EQ(world->told[1].verdict.since_ms, world->told[0].verdict.since_ms);
	SW_EXPECT_GE(world->told[1].verdict.checks, 3);
	world_destroy(world);
}

SW_TEST(checker, checks_keep_their_interval_with_jitter)
{
	struct world *world = world_create((struct health_config){.refresh_ms = 1, .seed = 3});
	struct health_origin origin = origin_of(world, "web", "/");
	origin.interval_ms = origin.timeout_ms = 100;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_ASSERT_TRUE(run(world, 2, 3000));
	uint64_t start_ms = clock_ms(CLOCK_MONOTONIC);
	uint64_t last_ms = start_ms, gap_max_ms = 0, gap_min_ms = UINT64_MAX;
	for (uint32_t i = 3; i <= 22; i++) {
		SW_ASSERT_TRUE(run(world, i, 3000));
		uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
		gap_max_ms = now_ms - last_ms > gap_max_ms ? now_ms - last_ms : gap_max_ms;
		gap_min_ms = now_ms - last_ms < gap_min_ms ? now_ms - last_ms : gap_min_ms;
		last_ms = now_ms;
	}
	SW_EXPECT_GE(last_ms - start_ms, 20 * 90);
	SW_EXPECT_GT(gap_max_ms, gap_min_ms);
	sw_test_note("20 checks at 100 ms took %lu ms, gaps %lu to %lu ms", last_ms - start_ms,
		gap_min_ms, gap_max_ms);
	world_destroy(world);
}

SW_TEST(checker, removal_ends_a_check_under_way_untold)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/hang");
	origin.timeout_ms = 200;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	while (world->waiting == 0)
		run(world, 1, 10);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.in_flight, 1);
	SW_EXPECT_TRUE(health_checker_remove(world->checker, "web"));
	SW_EXPECT_FALSE(health_checker_remove(world->checker, "web"));
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.in_flight, 0);
	SW_EXPECT_EQ(stats.origins, 0);
	SW_EXPECT_FALSE(run(world, 1, 400));
	SW_EXPECT_EQ(world->requests, 1);
	world_destroy(world);
}

SW_TEST(checker, origins_may_be_removed_from_the_callback)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin web = origin_of(world, "web", "/");
	struct health_origin other = origin_of(world, "other", "/hang");
	web.interval_ms = web.timeout_ms = 100;
	world->remove_when_told = "web";
	SW_EXPECT_EQ(health_checker_put(world->checker, &web, NULL), 0);
	SW_ASSERT_TRUE(run(world, 1, 2000));
	SW_EXPECT_FALSE(run(world, 2, 300));
	SW_EXPECT_EQ(world->requests, 1);
	SW_EXPECT_EQ(health_checker_put(world->checker, &other, NULL), 0);
	while (world->waiting == 0)
		run(world, 2, 10);
	world->remove_when_told = "other";
	SW_EXPECT_EQ(health_checker_put(world->checker, &web, NULL), 0);
	SW_ASSERT_TRUE(run(world, 2, 2000));
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.origins, 1);
	SW_EXPECT_EQ(stats.in_flight, 0);
	world_destroy(world);
}

SW_TEST(checker, new_definition_is_checked_at_once_and_keeps_the_verdict)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/hang");
	origin.interval_ms = origin.timeout_ms = 60000;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	while (world->waiting == 0)
		run(world, 1, 10);
	strcpy(origin.path, "/");
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.in_flight, 0); /* the old one is cancelled */
	SW_ASSERT_TRUE(run(world, 1, 2000));
	SW_EXPECT_EQ(world->told[0].verdict.state, HEALTH_UP);
	SW_EXPECT_EQ(world->told[0].verdict.checks, 1);
	/* The same again is no reason to check. */
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_EXPECT_FALSE(run(world, 2, 100));
	SW_EXPECT_EQ(world->requests, 2);
	origin.expect_status[0] = (struct health_status_range){204, 204};
	origin.expect_status_count = 1;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_ASSERT_TRUE(run(world, 2, 2000));
	SW_EXPECT_FALSE(world->told[1].changed);
	SW_EXPECT_EQ(world->told[1].verdict.state, HEALTH_UP);
	SW_EXPECT_STR(world->told[1].verdict.error, "status 200, expected 204");
	SW_EXPECT_EQ(world->told[1].verdict.checks, 2);
	world_destroy(world);
}

static void put_many(struct world *world, uint32_t count, const char *path, uint32_t timeout_ms)
{
	for (uint32_t i = 0; i < count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "origin-%u", i);
		struct health_origin origin = origin_of(world, name, path);
		origin.interval_ms = 60000;
		origin.timeout_ms = timeout_ms;
		SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	}
}

SW_TEST(checker, concurrency_stays_under_its_cap)
{
	struct world *world = world_create((struct health_config){.concurrent_max = 3});
	put_many(world, 9, "/hang", 100);
	uint64_t in_flight_max = 0;
	struct health_stats stats;
	for (uint32_t told = 1; told <= 9; told++) {
		SW_ASSERT_TRUE(run(world, told, 3000));
		health_checker_stats(world->checker, &stats);
		in_flight_max = stats.in_flight > in_flight_max ? stats.in_flight : in_flight_max;
	}
	SW_EXPECT_LE(in_flight_max, 3);
	SW_EXPECT_EQ(world->requests, 9);
	SW_EXPECT_EQ(stats.deferred, 6);
	SW_EXPECT_EQ(stats.checks, 9);
	world_destroy(world);
}

SW_TEST(checker, rate_stays_under_its_cap)
{
	struct world *world = world_create((struct health_config){.checks_per_s_max = 50});
	put_many(world, 200, "/", 1000);
	uint64_t start_ms = clock_ms(CLOCK_MONOTONIC);
	run(world, 200, 1000);
	uint64_t told = world->told_count, took_ms = clock_ms(CLOCK_MONOTONIC) - start_ms;
	/* 50 a second, and what may be made up for: 100 ms. */
	SW_EXPECT_LE(told, 50 * took_ms / 1000 + 7);
	SW_EXPECT_GE(told, 20);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_GE(stats.deferred, told - 7);
	SW_EXPECT_EQ(stats.origins, 200);
	world_destroy(world);
}

SW_TEST(checker, ten_thousand_origins_are_checked)
{
	enum { ORIGINS = 10000 };
	struct world *world = world_create((struct health_config){.checks_per_s_max = 2000});
	put_many(world, ORIGINS, "/", 1000);
	struct health_stats stats = {0};
	uint64_t start_ms = clock_ms(CLOCK_MONOTONIC);
	clock_t cpu = clock();
	run(world, TOLD_MAX + 1, 2000);
	health_checker_stats(world->checker, &stats);
	uint64_t took_ms = clock_ms(CLOCK_MONOTONIC) - start_ms;
	double cpu_us = 1e6 * (double)(clock() - cpu) / CLOCKS_PER_SEC;
	SW_EXPECT_EQ(stats.origins, ORIGINS);
	SW_EXPECT_EQ(stats.failures, 0);
	SW_EXPECT_GT(stats.checks, 100);
	SW_EXPECT_LE(stats.checks, 2000 * took_ms / 1000 + 201);
	sw_test_note("%lu checks in %lu ms, %.0f us of CPU each, the server's share included",
		stats.checks, took_ms, cpu_us / (double)stats.checks);
	world_destroy(world);
}

SW_TEST(checker, check_without_a_free_descriptor_is_not_judged)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/");
	origin.interval_ms = origin.timeout_ms = 100;
	struct rlimit before, none_free;
	int lowest_free = dup(0);
	close(lowest_free);
	SW_ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	none_free = before;
	none_free.rlim_cur = (rlim_t)lowest_free;
	SW_ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_free), 0);
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_EXPECT_FALSE(run(world, 1, 250));
	SW_ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_GE(stats.unjudged, 2);
	SW_EXPECT_EQ(stats.checks, 0);
	SW_ASSERT_TRUE(run(world, 1, 2000));
	SW_EXPECT_EQ(world->told[0].verdict.state, HEALTH_UP);
	SW_EXPECT_EQ(world->told[0].verdict.checks, 1);
	world_destroy(world);
}

SW_TEST(checker, callback_is_required)
{
	struct event_base *base = event_base_new();
	struct health_checker *checker = NULL;
	SW_EXPECT_EQ(health_checker_create(base, &(struct health_config){0}, &checker), -EINVAL);
	SW_EXPECT_TRUE(checker == NULL);
	event_base_free(base);
}

SW_TEST(checker, pace_is_faster_while_the_verdict_may_change)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/status");
	struct health_verdict up = {.state = HEALTH_UP};
	origin.interval_ms = 60000;
	origin.fast_interval_ms = 100;
	origin.fall = 5;
	world->status = 500;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, &up), 0);
	SW_ASSERT_TRUE(run(world, 2, 3000));
	SW_EXPECT_EQ(world->told[1].verdict.state, HEALTH_DOWN);
	SW_EXPECT_EQ(world->requests, 5);
	SW_EXPECT_FALSE(run(world, 3, 400)); /* settled: at the interval again */
	SW_EXPECT_EQ(world->requests, 5);
	world_destroy(world);
}

SW_TEST(checker, origin_in_maintenance_is_told_and_not_checked)
{
	struct world *world = world_create((struct health_config){.refresh_ms = 250});
	struct health_origin origin = origin_of(world, "web", "/");
	origin.interval_ms = origin.timeout_ms = 100;
	expect_verdict(world, &origin, HEALTH_UP, "");
	strcpy(origin.maintenance, "new disks");
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_ASSERT_TRUE(run(world, 2, 2000));
	uint32_t requests = world->requests;
	SW_EXPECT_TRUE(world->told[1].changed);
	SW_EXPECT_EQ(world->told[1].verdict.state, HEALTH_MAINTENANCE);
	SW_EXPECT_STR(world->told[1].verdict.error, "new disks");
	SW_ASSERT_TRUE(run(world, 3, 2000)); /* so that nobody takes it for stale */
	SW_EXPECT_FALSE(world->told[2].changed);
	SW_EXPECT_EQ(world->requests, requests);
	origin.maintenance[0] = '\0';
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_ASSERT_TRUE(run(world, 4, 2000));
	SW_EXPECT_EQ(world->told[3].verdict.state, HEALTH_UP);
	SW_EXPECT_GT(world->requests, requests);
	world_destroy(world);
}
