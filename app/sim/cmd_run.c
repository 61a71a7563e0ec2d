#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "names.h"
#include "options.h"
#include "report.h"

struct options {
	uint64_t servers, group_size, zones, seed, for_ns, records, start_spread_ns;
	struct sim_network network;
	const char *profile, *features, *script, *plot;
	bool json, quiet, settle, trace, unchecked;
};

static double real_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock exists */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool bad(const char *what)
{
	(void)fprintf(stderr, "swimlane-sim: %s\n", what);
	return false;
}

static bool make_config(const struct options *o, struct sim_config *c)
{
	char wrong[64];
	uint64_t size = o->group_size > 0 ? o->group_size : o->servers;
	*c = (struct sim_config){.servers = (uint32_t)o->servers,
		.group_size = (uint32_t)size,
		.zones = (uint32_t)o->zones,
		.seed = o->seed,
		.network = o->network,
		.records_max = (uint32_t)o->records,
		.start_spread_ns = o->start_spread_ns};
	if (o->servers < 1 || o->servers > SIM_SERVERS_MAX || size < 1 || size > SIM_GROUP_MAX ||
		o->servers % size != 0) {
		(void)fprintf(stderr,
			"swimlane-sim: --servers is 1 to %d, in whole groups (--group-size) of at "
			"most %d\n",
			SIM_SERVERS_MAX, SIM_GROUP_MAX);
		return false;
	}
	if (o->zones > size || o->records > 10000000)
		return bad("--zones is at most the size of a group, --records at most 10000000");
	if (!name_profile(o->profile, &c->profile))
		return bad("--profile is metal, lan, virtual or paper");
	if (!name_features(o->features, &c->features, wrong)) {
		(void)fprintf(stderr, "swimlane-sim: --features: there is no '%s'; known: %s\n",
			wrong, name_features_known());
		return false;
	}
	return true;
}

static bool read_script(const struct options *o, struct script *script)
{
	char error[SCRIPT_ERROR_MAX];
	if (o->script == NULL)
		return true;
	FILE *f = strcmp(o->script, "-") == 0 ? stdin : fopen(o->script, "r");
	if (f == NULL) {
		(void)fprintf(stderr, "swimlane-sim: %s: %s\n", o->script, strerror(errno));
		return false;
	}
	bool ok =
		script_read(f, o->script, (uint32_t)o->servers, (uint32_t)o->zones, script, error);
	if (f != stdin)
		(void)fclose(f);
	if (!ok)
		(void)fprintf(stderr, "swimlane-sim: %s\n", error);
	return ok;
}

static void progress(
	const struct options *o, const struct scene *s, uint64_t done_ns, double took_s)
{
	(void)fprintf(stderr,
		"\r%.1f of %.1f s, %.1f times faster than real time, %" PRIu64 " events   ",
		(double)done_ns / 1e9, (double)o->for_ns / 1e9, (double)done_ns / 1e9 / took_s,
		sim_events(s->sim));
}

/* In slices, so that there is something to sample and to show. */
static bool play(const struct options *o, struct scene *s, struct report *report)
{
	uint64_t slice_ns = sw_max_u64(o->for_ns / 400, 1), done_ns = 0;
	double began_s = real_s(), told_s = began_s;
	bool ok = true, tty = !o->quiet && isatty(STDERR_FILENO);
	report_sample(report);
	while (ok && done_ns < o->for_ns) {
		uint64_t step_ns = sw_min_u64(slice_ns, o->for_ns - done_ns);
		ok = scene_run(s, step_ns);
		done_ns += step_ns;
		report_sample(report);
		double now_s = real_s();
		if (tty && now_s - told_s > 0.5) {
			progress(o, s, done_ns, now_s - began_s);
			told_s = now_s;
		}
	}
	if (tty && told_s > began_s)
		(void)fputc('\n', stderr);
	if (ok && o->settle) {
		uint64_t nobody[SCRIPT_SET_MAX / 64] = {0};
		ok = scene_settle(s, nobody);
		report_sample(report);
	}
	return ok;
}

static int run(
	const struct options *o, const struct sim_config *config, const struct script *script)
{
	static struct report report;
	struct scene *s = scene_create(config, script);
	report_begin(&report, s);
	s->trace.file = o->trace ? stderr : NULL;
	s->unchecked = o->unchecked;
	double began_s = real_s();
	bool ok = play(o, s, &report);
	double took_s = real_s() - began_s;
	if (!ok) {
		trace_tell(&s->trace, s->violation.servers, 25, stderr);
		(void)fprintf(stderr, "swimlane-sim: seed %" PRIu64 ": %s\n", config->seed,
			s->violation.text);
	}
	if (o->json)
		report_json(&report, took_s, stdout);
	else
		report_table(&report, took_s, stdout);
	if (ok && o->settle && !o->json)
		(void)printf("%-36s %.3f s after everything was whole and all had started\n",
			"tables were equal and right", (double)s->members_ns / 1e9);
	if (o->plot != NULL)
		(void)report_plot(&report, o->plot); /* it said why; the run is as good without */
	scene_destroy(s);
	return ok ? 0 : 1;
}

int cmd_run(int argc, char **argv)
{
	struct options o = {.servers = 8,
		.seed = 1,
		.for_ns = 10 * SW_NS_PER_S,
		.profile = "metal",
		.features = "all",
		.network = {.delay_min_ns = 50 * SW_NS_PER_US, .queue_ns = 10 * SW_NS_PER_MS}};
	const struct option_row rows[] = {
		{"servers", OPTION_U64, &o.servers, "how many (8)"},
		{"group-size", OPTION_U64, &o.group_size, "servers of one cluster (all)"},
		{"zones", OPTION_U64, &o.zones, "of each cluster, servers in turn (none)"},
		{"profile", OPTION_TEXT, &o.profile, "metal, lan, virtual or paper (metal)"},
		{"features", OPTION_TEXT, &o.features,
			"all, plain, or names; with - to take away: all,-buddy (all)"},
		{"for", OPTION_DURATION, &o.for_ns, "virtual time (10s)"},
		{"seed", OPTION_U64, &o.seed, "one seed, one run (1)"},
		{"start-spread", OPTION_DURATION, &o.start_spread_ns,
			"servers start within this time (0)"},
		{"records", OPTION_U64, &o.records, "room of each map; 0: membership alone (0)"},
		{"loss", OPTION_SHARE, &o.network.loss_ppm, "of packets (0)"},
		{"duplicate", OPTION_SHARE, &o.network.duplicate_ppm,
			"packets that come twice (0)"},
		{"reorder", OPTION_SHARE, &o.network.reorder_ppm,
			"packets that take up to ten times as long (0)"},
		{"corrupt", OPTION_SHARE, &o.network.corrupt_ppm,
			"packets with one bit flipped (0)"},
		{"delay", OPTION_DURATION, &o.network.delay_min_ns, "of every packet (50us)"},
		{"spread", OPTION_DURATION, &o.network.delay_spread_ns, "up to this much more (0)"},
		{"bandwidth", OPTION_BITS, &o.network.bits_per_s,
			"of each server's link: 10G; 0: no limit (0)"},
		{"queue", OPTION_DURATION, &o.network.queue_ns,
			"longest wait for that link; more is lost (10ms)"},
		{"script", OPTION_TEXT, &o.script, "file of faults; - is standard input"},
		{"settle", OPTION_FLAG, &o.settle, "then make all whole and wait until all agree"},
		{"trace", OPTION_FLAG, &o.trace, "every membership event, to standard error"},
		{"unchecked", OPTION_FLAG, &o.unchecked, "no invariants"},
		{"plot", OPTION_TEXT, &o.plot, "a PNG of the run, by gnuplot"},
		{"json", OPTION_FLAG, &o.json, "one JSON object"},
		{"quiet", OPTION_FLAG, &o.quiet, "no progress"},
		{NULL, OPTION_FLAG, NULL, NULL},
	};
	struct sim_config config;
	struct script script = {0};
	bool help;
	if (!options_read(rows, argc, argv, &help)) {
		if (help)
			options_print(rows);
		return help ? 0 : 2;
	}
	int code = make_config(&o, &config) && read_script(&o, &script) ? run(&o, &config, &script)
									: 2;
	script_fini(&script);
	return code;
}
