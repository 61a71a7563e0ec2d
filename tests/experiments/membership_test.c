/* The quick forms of the reproductions, bounded by theory. The seed decides everything: a failure
 * is one for good, and SW_SEED=N tries another run. */
#include <math.h>

#include "base/clock.h"
#include "crash.h"
#include "lifeguard.h"
#include "sw_test.h"
#include "swim_paper.h"

static uint64_t seed(void)
{
	return sw_test_env_u64("SW_SEED", 1);
}

static struct swim_paper_result swim_paper(uint32_t crashes)
{
	struct swim_paper_plan plan = {.seed = seed(),
		.load_periods = 50,
		.crashes = crashes,
		.crash_servers = 32,
		.changes = 3};
	struct swim_paper_result result;
	swim_paper_run(&plan, &result, NULL, NULL);
	SW_EXPECT_EQ(result.failed, 0u);
	SW_EXPECT_EQ(result.untold, 0u);
	return result;
}

/* One PING and one ACK a member and period. A period that the end cuts off may lack one of them. */
SW_TEST(swim_paper, load_is_two_packets_a_member_and_period_at_any_size)
{
	struct swim_paper_result r = swim_paper(0);
	for (int i = 0; i < SWIM_PAPER_SIZES; i++) {
		SW_EXPECT_GE(r.load[i], 2.0 - 2.0 / 50);
		SW_EXPECT_LE(r.load[i], 2.0 + 2.0 / 50);
	}
	swim_paper_free(&r);
}

/* Geometric with p = 1 - 1/e: mean 1.58, standard deviation 0.96. Three standard errors of 200
 * crashes. */
SW_TEST(swim_paper, first_detection_takes_the_expected_number_of_periods)
{
	struct swim_paper_result r = swim_paper(200);
	double expected = 1 / (1 - exp(-1)), error = sqrt(exp(-1)) / (1 - exp(-1)) / sqrt(200);
	double mean = samples_mean(&r.detection_periods);
	sw_test_note("mean %.3f periods, expected %.3f +- %.3f", mean, expected, error);
	SW_EXPECT_EQ(r.detection_periods.count, 200u);
	SW_EXPECT_GE(mean, expected - 3 * error);
	SW_EXPECT_LE(mean, expected + 3 * error);
	SW_EXPECT_LE(samples_quantile(&r.suspicion_periods, 1), 2 * 32.0 - 1 + 1);
	swim_paper_free(&r);
}

/* Everybody once before anybody twice: n - 1 targets, so never fewer periods than that for the
 * longest gap, and at most last-but-first of two rounds. */
SW_TEST(swim_paper, nobody_waits_longer_than_two_rounds_for_a_probe)
{
	for (uint32_t n = 2; n <= 128; n *= 2) {
		uint32_t gap = round_robin_gap(n, 50 * n, seed());
		SW_EXPECT_GE(gap, n - 1);
		SW_EXPECT_LE(gap, 2 * n - 1);
	}
}

/* In each period everybody sends what it knows to one other and its answer to one more: those who
 * know at least double until half know, and the rest takes no longer. */
SW_TEST(swim_paper, dissemination_takes_logarithmic_time)
{
	struct swim_paper_result r = swim_paper(0);
	for (int i = 0; i < SWIM_PAPER_SIZES; i++)
		SW_EXPECT_LE(r.spread_max[i], 2 * log2(r.servers[i]));
	/* From 8 to 128 servers log n grows 2.33 times, n 16 times. */
	SW_EXPECT_LE(r.spread_mean[SWIM_PAPER_SIZES - 1], 4 * r.spread_mean[0]);
	SW_EXPECT_GT(r.spread_mean[SWIM_PAPER_SIZES - 1], r.spread_mean[0]);
	swim_paper_free(&r);
}

/* Nobody can be sure before a probe was not answered and the shortest suspicion is over. The upper
 * bound is what swimlane promises. */
SW_TEST(crash, all_64_know_of_a_crash_within_100_ms_on_metal)
{
	const struct crash_case *metal = &crash_cases[CRASH_METAL_64];
	struct crash_result r;
	SW_ASSERT_EQ(metal->servers, 64u);
	crash_run(metal, 200, seed(), &r, NULL, NULL);
	SW_EXPECT_FALSE(r.failed);
	SW_EXPECT_EQ(r.unknown, 0u);
	SW_EXPECT_EQ(r.false_positives, 0u);
	SW_EXPECT_EQ(r.all_ms.count, 200u);
	sw_test_note("median %.1f ms, 99 %% %.1f ms", samples_quantile(&r.all_ms, 0.5),
		samples_quantile(&r.all_ms, 0.99));
	double least_ms =
		(double)(metal->profile->probe_timeout_ns + metal->profile->suspicion_min_ns) /
		SW_NS_PER_MS;
	SW_EXPECT_GE(samples_quantile(&r.all_ms, 0), least_ms);
	SW_EXPECT_LE(samples_quantile(&r.all_ms, 0.99), 100.0);
	crash_free(&r);
}

/* The longest suspicion after the longest wait for a probe: beyond that nothing explains a delay.
 */
SW_TEST_TABLE(crash, every_profile_keeps_its_bound, const struct crash_case *c, crash_cases)
{
	struct crash_result r;
	crash_run(c, 5, seed(), &r, NULL, NULL);
	SW_EXPECT_FALSE(r.failed);
	SW_EXPECT_EQ(r.unknown, 0u);
	SW_EXPECT_EQ(r.false_positives, 0u);
	uint64_t bound_ns =
		(2 * c->servers - 1) * c->profile->probe_interval_ns + c->profile->suspicion_max_ns;
	SW_EXPECT_LE(samples_quantile(&r.all_ms, 1), (double)bound_ns / SW_NS_PER_MS);
	crash_free(&r);
}

static const uint32_t harsh_c[] = {24}, harsh_d[] = {2048, 16384}, harsh_i[] = {1};

static struct lifeguard_plan harsh(void)
{
	return (struct lifeguard_plan){.c = harsh_c,
		.c_count = 1,
		.d_ms = harsh_d,
		.d_count = 2,
		.i_ms = harsh_i,
		.i_count = 1,
		.threshold_c = harsh_c,
		.threshold_c_count = 1,
		.threshold_runs = 1,
		.runs = 1,
		.seed = seed()};
}

/* Shares below a hundredth need a hundred false positives of plain SWIM to mean anything;
 * Lifeguard's own share in the paper is 1.53 %, and a tenth leaves room for a single burst. */
SW_TEST(lifeguard, false_positives_under_anomalies_are_a_small_share_of_plain_swims)
{
	struct lifeguard_plan plan = harsh();
	struct lifeguard_result swim, lifeguard, ours;
	lifeguard_run(&plan, LIFEGUARD_SWIM, &swim, NULL, NULL);
	lifeguard_run(&plan, LIFEGUARD_OURS - 1, &lifeguard, NULL, NULL);
	lifeguard_run(&plan, LIFEGUARD_OURS, &ours, NULL, NULL);
	sw_test_note("false positives: SWIM %u, Lifeguard %u, swimlane %u", (unsigned)swim.fp_all,
		(unsigned)lifeguard.fp_all, (unsigned)ours.fp_all);
	SW_EXPECT_EQ(swim.runs_failed + lifeguard.runs_failed + ours.runs_failed, 0u);
	SW_EXPECT_GE(swim.fp_all, 100u);
	SW_EXPECT_LE(lifeguard.fp_all, swim.fp_all / 10);
	SW_EXPECT_LE((double)ours.fp_all, 0.0153 * (double)swim.fp_all);
	SW_EXPECT_LE((double)ours.fp_healthy, 0.0189 * (double)swim.fp_healthy);

	/* 10.53 s of suspicion (5 s * log10(128)) after the first probe in vain, which itself takes
	 * 0.9 s at least; and the first probe comes within e/(e - 1) periods in the mean, the
	 * median is below that. */
	double swim_s = samples_quantile(&swim.first_s, 0.5),
	       ours_s = samples_quantile(&ours.first_s, 0.5);
	sw_test_note("first detection, median: SWIM %.2f s, swimlane %.2f s", swim_s, ours_s);
	SW_EXPECT_EQ(ours.undetected, 0u);
	SW_EXPECT_GE(samples_quantile(&ours.first_s, 0), 10.53);
	SW_EXPECT_LE(ours_s, 10.53 + 1 + 1.58);
	/* 24 detections: the medians' standard error is 0.2 s. */
	SW_EXPECT_LE(ours_s, swim_s + 3 * 0.2);
	lifeguard_result_free(&swim);
	lifeguard_result_free(&lifeguard);
	lifeguard_result_free(&ours);
}

SW_TEST(lifeguard, one_seed_gives_one_result)
{
	struct lifeguard_plan plan = harsh();
	struct lifeguard_result a, b, other;
	plan.d_count = 1;
	plan.threshold_c_count = 0;
	lifeguard_run(&plan, LIFEGUARD_SWIM, &a, NULL, NULL);
	lifeguard_run(&plan, LIFEGUARD_SWIM, &b, NULL, NULL);
	SW_EXPECT_EQ(a.packets, b.packets);
	SW_EXPECT_EQ(a.bytes, b.bytes);
	SW_EXPECT_EQ(a.fp_all, b.fp_all);
	SW_EXPECT_EQ(a.fp_healthy, b.fp_healthy);
	plan.seed++;
	lifeguard_run(&plan, LIFEGUARD_SWIM, &other, NULL, NULL);
	SW_EXPECT_NE(a.packets, other.packets);
	lifeguard_result_free(&a);
	lifeguard_result_free(&b);
	lifeguard_result_free(&other);
}
