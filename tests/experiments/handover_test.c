/* No origin goes unchecked for longer than the bound, whatever happens to its owner. The seed
 * decides everything: a failure is one for good, and SW_SEED=N tries another run. */
#include "base/clock.h"
#include "handover.h"
#include "sw_test.h"

static struct handover_plan small_plan(void)
{
	struct handover_plan plan = handover_plan_64;
	plan.servers = 16;
	plan.origins = 128;
	plan.events = 6;
	plan.seed = sw_test_env_u64("SW_SEED", 1);
	return plan;
}

struct profile_row {
	const char *name;
	const struct swim_profile *profile;
};

static const struct profile_row profile_rows[] = {
	{"lan", &swim_profile_lan}, {"virtual", &swim_profile_virtual}};

SW_TEST_TABLE(handover, no_origin_is_unchecked_for_longer_than_the_bound,
	const struct profile_row *row, profile_rows)
{
	struct handover_plan plan = small_plan();
	struct handover_result r;
	plan.profile = row->profile;
	handover_run(&plan, &r, NULL, NULL);
	SW_ASSERT_FALSE(r.failed);
	double interval_ms = (double)plan.interval_ns / SW_NS_PER_MS;
	for (enum handover_scene s = 0; s < HANDOVER_SCENES; s++) {
		struct handover_scene_result *scene = &r.scenes[s];
		double longest = samples_quantile(&scene->gap_ms, 1);
		SW_EXPECT_EQ(scene->gap_ms.count, plan.events);
		SW_EXPECT_LE(longest, r.bound_ms);
		SW_EXPECT_GE(longest, interval_ms * 0.9); /* it is measured at all */
		/* As many as ranks are kept, of each of the views that there are: a heal brings two
		 * together, and each has heard for a moment that the other's are dead. */
		uint32_t views = s == HANDOVER_PARTITION ? 2 : 1;
		SW_EXPECT_LE(scene->at_once_max, views * SW_OWNER_RANKS);
		SW_EXPECT_LT(scene->beside, scene->checks / 5);
		SW_EXPECT_LE(scene->late * 100, scene->checks);
		sw_test_note("%s: %.0f ms at most, bound %.0f; %u servers at once at most",
			handover_scene_name(s), longest, r.bound_ms, scene->at_once_max);
	}
	/* A drain is planned: it costs nothing but the jitter's rest. */
	SW_EXPECT_LE(samples_quantile(&r.scenes[HANDOVER_DRAIN].gap_ms, 1), interval_ms + 5);
	SW_EXPECT_GT(r.scenes[HANDOVER_CRASH].beside, 0u);
	SW_EXPECT_GT(r.scenes[HANDOVER_PARTITION].beside, 0u);
	/* Nothing happens: one server an origin, and nobody beside it. */
	SW_EXPECT_EQ(r.scenes[HANDOVER_STEADY].not_by_one_max, 0u);
	SW_EXPECT_EQ(r.scenes[HANDOVER_STEADY].at_once_max, 1u);
	SW_EXPECT_EQ(r.scenes[HANDOVER_STEADY].beside, 0u);
	SW_EXPECT_LE(samples_quantile(&r.scenes[HANDOVER_STEADY].gap_ms, 1), interval_ms + 1);
	/* A crash makes others check what it owned: that the figures above can differ. */
	SW_EXPECT_GT(r.scenes[HANDOVER_CRASH].not_by_one_max, 0u);
	handover_free(&r);
}

SW_TEST(handover, standing_in_for_a_suspect_shortens_the_gap)
{
	struct handover_plan plan = small_plan();
	struct handover_result with, without;
	plan.profile = &swim_profile_virtual;
	plan.interval_ns = SW_NS_PER_S / 2;
	handover_run(&plan, &with, NULL, NULL);
	plan.no_stand_in = true;
	handover_run(&plan, &without, NULL, NULL);
	double longest = samples_quantile(&with.scenes[HANDOVER_CRASH].gap_ms, 1);
	double waited = samples_quantile(&without.scenes[HANDOVER_CRASH].gap_ms, 1);
	/* At the least the shortest suspicion is gained. */
	SW_EXPECT_LT(longest + (double)plan.profile->suspicion_min_ns / SW_NS_PER_MS / 2, waited);
	sw_test_note("a crash: %.0f ms, without standing in %.0f ms", longest, waited);
	handover_free(&with);
	handover_free(&without);
}
