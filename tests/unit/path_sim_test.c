#include <stdio.h>
#include <string.h>

#include "sim_events.h"
#include "sw_test.h"
#include "swim/path.h"

/* Whole servers on links of different widths: paths are found, and nothing is lost for it. */

enum { SERVERS = 8, WIDE = 8952 };

static struct sim_events events;

static struct sim *joined(uint64_t seed, uint32_t loss_ppm)
{
	struct sim_config c = {
		.servers = SERVERS,
		.seed = seed,
		.profile = swim_profile_lan,
		.features = swim_features_all,
		.network = {.delay_min_ns = 20 * SW_NS_PER_US,
			.delay_spread_ns = 80 * SW_NS_PER_US,
			.loss_ppm = loss_ppm},
		.records_max = 4000,
		.packet_max = WIDE,
	};
	struct sim *w = sim_create(&c);
	sim_carries(w, SERVERS - 1, WIRE_PACKET_MAX);
	for (uint32_t i = 0; i < SERVERS; i++)
		sim_start(w, i, 0);
	for (int i = 0; i < 100 && !(sim_members_agree(w, 0) && sim_maps_agree(w, 0)); i++)
		sim_run(w, 100 * SW_NS_PER_MS);
	sim_run(w, 10 * SW_NS_PER_S);
	sim_events_watch(w, &events);
	return w;
}

static void write_some(struct sim *w, const char *prefix)
{
	for (uint32_t n = 0; n < 400; n++) {
		char key[32], value[200];
		(void)snprintf(key, sizeof(key), "%s/%u", prefix, n);
		memset(value, 'v', sizeof(value) - 1);
		value[sizeof(value) - 1] = '\0';
		SW_EXPECT_EQ(sim_put(w, n % SERVERS, key, value), 0);
	}
}

static void expect_agreement(struct sim *w, uint64_t within_ns)
{
	bool agree = false;
	for (uint64_t t = 0; t < within_ns && !agree; t += 10 * SW_NS_PER_MS) {
		sim_run(w, 10 * SW_NS_PER_MS);
		agree = sim_maps_agree(w, 0) && sim_members_agree(w, 0);
	}
	SW_EXPECT_TRUE(agree);
	SW_EXPECT_EQ(sim_events_count(&events, SWIM_EVENT_DEAD, 0), 0u);
}

SW_TEST(path_sim, each_pair_finds_what_its_links_carry)
{
	struct sim *w = joined(1, 0);
	for (uint32_t i = 0; i < SERVERS; i++)
		for (uint32_t j = 0; j < SERVERS; j++)
			if (i != j)
				SW_EXPECT_EQ(sim_packet_max(w, i, j),
					i == SERVERS - 1 || j == SERVERS - 1 ? WIRE_PACKET_MAX
									     : WIDE);
	write_some(w, "a");
	expect_agreement(w, 5 * SW_NS_PER_S);
	sim_destroy(w);
}

SW_TEST(path_sim, link_that_grows_narrow_under_writes_and_loss_costs_no_record_and_no_member)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct sim *w = joined(seed, 10000);
		sim_carries(w, 2, WIRE_PACKET_MAX);
		write_some(w, "b");
		expect_agreement(w, 20 * SW_NS_PER_S);
		sim_run(w, 2 * (PATH_CONFIRM_NS + PATH_LOST_MAX * PATH_TIMEOUT_NS));
		SW_EXPECT_EQ(sim_packet_max(w, 0, 2), WIRE_PACKET_MAX);
		sim_carries(w, 2, 0);
		sim_run(w, 2 * PATH_RETRY_NS);
		SW_EXPECT_GT(sim_packet_max(w, 0, 2), WIRE_PACKET_MAX);
		sim_destroy(w);
	}
}

SW_TEST(path_sim, newcomer_behind_either_link_gets_everything)
{
	struct sim *w = joined(3, 1000);
	write_some(w, "c");
	expect_agreement(w, 5 * SW_NS_PER_S);
	for (uint32_t i = SERVERS - 2; i < SERVERS; i++) {
		sim_crash(w, i);
		sim_run(w, SW_NS_PER_MS);
		sim_start(w, i, 0);
		sim_run(w, 100 * SW_NS_PER_MS);
		sim_events_watch(w, &events);
		expect_agreement(w, 10 * SW_NS_PER_S);
		SW_EXPECT_TRUE(sim_get(w, i, "c/399") != NULL);
	}
	sim_destroy(w);
}
