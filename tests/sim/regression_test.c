#include <inttypes.h>
#include <string.h>

#include "sw_test.h"
#include "swarm.h"

/* Scripts that once broke something, shrunk. Each failed before the fix that its name tells of. */
struct found {
	const char *name;
	uint32_t servers, zones, records, packets_per_s;
	bool metal;
	uint64_t seed, delay_us, spread_us, start_spread_ns, forget_ms, reap_ms, for_us;
	uint64_t part, revive;
	const char *script;
};

static const struct found finds[] = {
	{"a_suspicion_that_began_after_a_pause_is_not_put_off_by_it", 3, 1, 73, 10000, false,
		656710137061117580ULL, 124, 50, 153288557, 0, 0, 15768528, 1 | 1 << 2, 1 | 1 << 1,
		"at 1190167us pause 0\n"
		"at 6595039us crash 2\n"},
	{"islands_that_forgot_each_other_meet_again", 12, 2, 122, 20000, true,
		13266850224688386440ULL, 166, 0, 0, 150, 100, 3619949, 1 << 5 | 1 << 7 | 1 << 10, 1,
		"at 1532906us crash 0\n"
		"at 1538573us crash 1\n"
		"at 1540955us crash 2\n"
		"at 1921178us split 0,2,6,8\n"},
	{"a_larger_incarnation_does_not_undo_forgotten", 10, 3, 0, 301, true,
		17715951301464191333ULL, 201, 500, 0, 250, 500, 1637803, 1 << 5 | 1 << 6 | 1 << 7,
		1 << 1 | 1 << 2 | 1 << 5 | 1 << 8,
		"at 30785us cut 2 5\n"
		"at 44365us loss 38%\n"
		"at 109312us starve 9 3157796ns/14266385ns\n"
		"at 201226us corrupt 18%\n"
		"at 227762us loss 0%\n"
		"at 258465us block 0\n"},
	{"a_server_that_stood_down_spreads_no_old_news", 11, 1, 49, 10000, false,
		79725665082260549ULL, 202, 0, 0, 0, 0, 7487794,
		1 << 2 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 8,
		1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 10,
		"at 2650970us crash 3\n"
		"at 5044861us twin 2 0\n"
		"at 5483761us crash 4\n"},
	{"those_whose_packets_always_come_first_do_not_keep_a_server_from_the_table_of_another", 11,
		2, 0, 10000, false, 19526479439933999ULL, 255, 500, 0, 0, 0, 21127927,
		1 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 10,
		1 | 1 << 1 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10,
		"at 7613633us zone 0\n"
		"at 10813682us restart-all\n"
		"at 11518099us starve 5 5722137ns/200534242ns\n"
		"at 13151024us pause 1\n"},
	{"two_of_one_id_that_nobody_else_knows_are_not_expected_to_meet", 11, 3, 0, 10000, false,
		5210639292896046095ULL, 287, 500, 0, 0, 0, 2384834, 1 | 1 << 4 | 1 << 8 | 1 << 9,
		1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 9,
		"at 329320us twin 7 9\n"
		"at 936571us crash 8\n"
		"at 2106644us crash 0\n"
		"at 2236204us twin 9 4\n"
		"at 2284834us zone 0\n"},
};

SW_TEST_TABLE(regression, script, const struct found *f, finds)
{
	char error[SCRIPT_ERROR_MAX] = "";
	struct swarm_plan plan = {
		.config = {.servers = f->servers,
			.zones = f->zones,
			.seed = f->seed,
			.profile = f->metal ? swim_profile_metal : swim_profile_lan,
			.features = swim_features_all,
			.network = {.delay_min_ns = f->delay_us * SW_NS_PER_US,
				.delay_spread_ns = f->spread_us * SW_NS_PER_US},
			.records_max = f->records,
			.start_spread_ns = f->start_spread_ns},
		.for_ns = f->for_us * SW_NS_PER_US,
		.part = {f->part},
		.revive = {f->revive},
	};
	plan.config.profile.packets_per_s_max = f->packets_per_s;
	if (f->forget_ms > 0) {
		plan.config.profile.forget_after_ns = f->forget_ms * SW_NS_PER_MS;
		plan.config.profile.reap_after_ns = f->reap_ms * SW_NS_PER_MS;
	}
	FILE *file = fmemopen((void *)f->script, strlen(f->script), "r");
	bool read = script_read(file, f->name, f->servers, f->zones, &plan.script, error);
	(void)fclose(file);
	if (!read)
		SW_FAIL("%s", error);
	struct swarm_result result;
	swarm_play(&plan, NULL, stdout, &result);
	if (result.failed)
		SW_FAIL("%s", result.text);
	swarm_plan_fini(&plan);
}
