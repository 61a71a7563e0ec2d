/* swimlane-experiments: the published figures of SWIM and Lifeguard, and swimlane's own, in virtual
 * time. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "handover.h"
#include "lifeguard.h"
#include "swim_paper.h"
#include "writes.h"

struct options {
	uint64_t seed;
	uint32_t runs; /* 0: as the plan says */
	bool quick, json, paused, trace, tty;
};

struct progress {
	const char *what;
	uint32_t done, of;
	bool shown;
};

static struct lifeguard_result lifeguard_results[LIFEGUARD_CONFIGURATIONS];
static struct crash_result crash_results[CRASH_CASES];
static struct swim_paper_result swim_result;
static struct writes_result writes_results[2]; /* direct, epidemic */
static double sim_speed;
static struct handover_result handover_result;

static void advance(void *context)
{
	struct progress *p = context;
	p->done++;
	if (p->shown)
		fprintf(stderr, "\r%s: %u of %u \033[K", p->what, p->done, p->of);
}

static void finish(const struct progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\033[K");
}

static int usage(FILE *to)
{
	fputs("swimlane-experiments swim | lifeguard | crash | handover | origins | all | writes "
	      "[options]\n"
	      "  swim         load, first detection, dissemination, round robin (Das et al. 2002)\n"
	      "  lifeguard    false positives and detection under anomalies (Dadgar et al. 2017, "
	      "V)\n"
	      "  crash        from a crash to known by all, for each profile\n"
	      "  handover     how long an origin goes unchecked when its owner goes\n"
	      "  all          all of these\n"
	      "  origins      handover of 50,000 origins on 64 servers (a minute, 1 GB)\n"
	      "  writes       the map: from a write to readable on all, and what is sent for it\n"
	      "  --quick      fewer of everything\n"
	      "  --seed N     the run is a function of it (default 1)\n"
	      "  --runs N     crash: crashes of each row; lifeguard: passes through the plan\n"
	      "  --pause      lifeguard: servers are paused altogether, timers too\n"
	      "  --trace      lifeguard: what is said of servers without anomaly, on standard "
	      "error\n"
	      "  --json       the last line is one JSON object\n",
		to);
	return to == stderr ? 2 : 0;
}

static void run_swim(const struct options *o)
{
	struct swim_paper_plan plan = {
		.seed = o->seed,
		.load_periods = o->quick ? 50 : 1000,
		.crashes = o->runs > 0 ? o->runs
			   : o->quick  ? 100
				       : 2000,
		.crash_servers = o->quick ? 32 : 64,
		.changes = o->quick ? 3 : 50,
	};
	struct progress p = {"swim", 0, SWIM_PAPER_SIZES + (plan.crashes + 63) / 64, o->tty};
	swim_paper_run(&plan, &swim_result, advance, &p);
	finish(&p);
	printf("SWIM (Das et al. 2002): plain SWIM, lan profile, 50 us links, seed %llu\n\n",
		(unsigned long long)o->seed);
	swim_paper_print(&swim_result);
	printf("\n");
}

static void run_lifeguard(const struct options *o)
{
	struct lifeguard_plan plan = o->quick ? lifeguard_quick : lifeguard_full;
	plan.seed = o->seed;
	plan.runs = o->runs > 0 ? o->runs : plan.runs;
	plan.anomaly = o->paused ? LIFEGUARD_PAUSED : LIFEGUARD_BLOCKED;
	plan.trace = o->trace;
	uint32_t processes = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	struct progress p = {
		"lifeguard", 0, LIFEGUARD_CONFIGURATIONS * lifeguard_run_count(&plan), o->tty};
	if (!lifeguard_run_all(&plan, o->trace ? 1 : processes, lifeguard_results, advance, &p)) {
		fprintf(stderr, "lifeguard: a process failed\n");
		exit(1);
	}
	finish(&p);
	printf("Lifeguard (Dadgar et al. 2017, V): %u servers, %s, %u runs of each row, seed "
	       "%llu\n\n",
		LIFEGUARD_SERVERS, o->paused ? "pauses" : "packets blocked",
		lifeguard_run_count(&plan), (unsigned long long)o->seed);
	lifeguard_print(lifeguard_results);
	printf("\n");
}

static void run_crash(const struct options *o)
{
	uint32_t crashes = o->runs > 0 ? o->runs : o->quick ? 200 : 1000;
	struct progress p = {"crash", 0, CRASH_CASES * ((crashes + 63) / 64), o->tty};
	printf("crash to known by all: all features, seed %llu\n\n", (unsigned long long)o->seed);
	for (uint32_t i = 0; i < CRASH_CASES; i++) {
		/* Quick: one row has the full number, the others show the shape. */
		uint32_t some = o->quick && o->runs == 0 && i != CRASH_METAL_64 ? 20 : crashes;
		crash_run(&crash_cases[i], some, o->seed + i, &crash_results[i], advance, &p);
		finish(&p);
		crash_print(&crash_cases[i], &crash_results[i], i == 0);
	}
	sim_speed = crash_sim_speed(o->quick ? 4 : 60, o->seed);
	printf("\n64 complete servers, metal, quiet: %.1f virtual seconds for each second of one "
	       "core\n\n",
		sim_speed);
}

static void run_writes(const struct options *o)
{
	static const enum map_push how[] = {MAP_PUSH_DIRECT, MAP_PUSH_EPIDEMIC};
	for (int i = 0; i < 2; i++) {
		struct writes_plan plan = {.seed = o->seed,
			.servers = 64,
			.push = how[i],
			.idle_writes = o->quick ? 300 : 3000,
			.loaded_per_s = 10000,
			.loaded_s = o->quick ? 0.5 : 5};
		writes_run(&plan, &writes_results[i]);
		writes_print(&plan, &writes_results[i], i == 0);
	}
	printf("\n");
}

static void run_handover(const struct options *o, const struct handover_plan *which)
{
	struct handover_plan plan = *which;
	plan.seed = o->seed;
	plan.events = o->runs > 0 ? o->runs : o->quick && plan.events > 3 ? 3 : plan.events;
	struct progress p = {"handover, virtual seconds", 0, handover_virtual_s(&plan), o->tty};
	handover_run(&plan, &handover_result, advance, &p);
	finish(&p);
	printf("handover of origins: lan profile, 50 us links, seed %llu\n\n",
		(unsigned long long)o->seed);
	handover_print(&plan, &handover_result);
	printf("\n");
}

static void json_handover(void)
{
	struct handover_result *r = &handover_result;
	printf(", \"unchecked_bound_ms\": %.0f", r->bound_ms);
	for (enum handover_scene s = 0; s < HANDOVER_SCENES; s++)
		printf(", \"unchecked_ms_max_%s\": %.0f, \"checked_at_once_max_%s\": %u, "
		       "\"late_pct_%s\": %.3f, \"first_wait_ms_max_%s\": %.0f",
			handover_scene_name(s), samples_quantile(&r->scenes[s].gap_ms, 1),
			handover_scene_name(s), r->scenes[s].at_once_max, handover_scene_name(s),
			handover_late_pct(&r->scenes[s]), handover_scene_name(s),
			r->scenes[s].first_wait_ms);
	printf(", \"steady_not_by_one\": %u", r->scenes[HANDOVER_STEADY].not_by_one_max);
}

static void json_swim(void)
{
	double load = 0, most = 0, flat = 0;
	for (int i = 0; i < SWIM_PAPER_SIZES; i++) {
		load += swim_result.load[i] / SWIM_PAPER_SIZES;
		most = fmax(most, swim_result.load[i]);
		flat = fmax(flat, swim_result.spread_mean[i] / log2(swim_result.servers[i]));
	}
	printf(", \"messages_per_member_period\": %.4f, \"messages_per_member_period_max\": %.4f",
		load, most);
	printf(", \"first_detection_periods\": %.4f, \"first_suspicion_periods\": %.4f",
		samples_mean(&swim_result.detection_periods),
		samples_mean(&swim_result.suspicion_periods));
	printf(", \"dissemination_periods_per_log2_n_max\": %.4f", flat);
}

static void json_lifeguard(void)
{
	struct lifeguard_result *swim = &lifeguard_results[LIFEGUARD_SWIM],
				*ours = &lifeguard_results[LIFEGUARD_OURS];
	double median = samples_quantile(&swim->first_s, 0.5);
	printf(", \"fp_share_all\": %.6f, \"fp_share_healthy\": %.6f",
		lifeguard_share(ours->fp_all, swim->fp_all),
		lifeguard_share(ours->fp_healthy, swim->fp_healthy));
	printf(", \"fp_swim_all\": %llu, \"fp_swim_healthy\": %llu",
		(unsigned long long)swim->fp_all, (unsigned long long)swim->fp_healthy);
	printf(", \"detection_median_vs_swim\": %.4f",
		median > 0 ? samples_quantile(&ours->first_s, 0.5) / median : -1);
	median = samples_quantile(&swim->all_s, 0.5);
	printf(", \"dissemination_median_vs_swim\": %.4f",
		median > 0 ? samples_quantile(&ours->all_s, 0.5) / median : -1);
	printf(", \"packets_vs_swim\": %.4f, \"bytes_vs_swim\": %.4f",
		lifeguard_share(ours->packets, swim->packets),
		lifeguard_share(ours->bytes, swim->bytes));
}

static void json_crash(void)
{
	uint32_t wrong = 0, unknown = 0;
	for (int i = 0; i < CRASH_CASES; i++) {
		struct crash_result *r = &crash_results[i];
		wrong += r->false_positives;
		unknown += r->unknown;
		printf(", \"crash_known_p99_ms_%u_%s\": %.3f", crash_cases[i].servers,
			crash_cases[i].profile_name, samples_quantile(&r->all_ms, 0.99));
	}
	printf(", \"crash_false_positives\": %u, \"crash_unknown\": %u, \"sim_speed_64_metal\": "
	       "%.2f",
		wrong, unknown, sim_speed);
}

static void json_writes(void)
{
	struct writes_result *direct = &writes_results[0], *epidemic = &writes_results[1];
	printf(", \"write_all_p99_ms_idle\": %.4f, \"write_all_p99_ms_loaded\": %.4f",
		samples_quantile(&direct->idle_ms, 0.99),
		samples_quantile(&direct->loaded_ms, 0.99));
	printf(", \"bytes_a_write_direct\": %.0f", direct->loaded_bytes);
	printf(", \"write_all_p99_ms_idle_epidemic\": %.4f, "
	       "\"write_all_p99_ms_loaded_epidemic\": %.4f",
		samples_quantile(&epidemic->idle_ms, 0.99),
		samples_quantile(&epidemic->loaded_ms, 0.99));
	printf(", \"bytes_a_write_epidemic\": %.0f, \"writes_unread\": %u", epidemic->loaded_bytes,
		direct->unread + epidemic->unread);
}

static int parse(int argc, char **argv, struct options *o)
{
	enum { SEED = 256, RUNS, QUICK, JSON, PAUSE, TRACE, HELP };
	static const struct option options[] = {{"seed", required_argument, NULL, SEED},
		{"runs", required_argument, NULL, RUNS}, {"quick", no_argument, NULL, QUICK},
		{"json", no_argument, NULL, JSON}, {"pause", no_argument, NULL, PAUSE},
		{"trace", no_argument, NULL, TRACE}, {"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0}};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case SEED: o->seed = strtoull(optarg, NULL, 0); break;
		case RUNS: o->runs = (uint32_t)strtoul(optarg, NULL, 0); break;
		case QUICK: o->quick = true; break;
		case JSON: o->json = true; break;
		case PAUSE: o->paused = true; break;
		case TRACE: o->trace = true; break;
		case HELP: return usage(stdout);
		default: return usage(stderr);
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct options o = {.seed = 1, .tty = isatty(STDERR_FILENO)};
	int done = parse(argc, argv, &o);
	if (done >= 0)
		return done;
	const char *what = optind + 1 == argc ? argv[optind] : "";
	bool all = strcmp(what, "all") == 0;
	bool swim = all || strcmp(what, "swim") == 0,
	     lifeguard = all || strcmp(what, "lifeguard") == 0;
	bool crash = all || strcmp(what, "crash") == 0;
	bool handover = all || strcmp(what, "handover") == 0;
	bool writes = strcmp(what, "writes") == 0, origins = strcmp(what, "origins") == 0;
	if (!swim && !lifeguard && !crash && !handover && !writes && !origins)
		return usage(stderr);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (swim)
		run_swim(&o);
	if (lifeguard)
		run_lifeguard(&o);
	if (crash)
		run_crash(&o);
	if (writes)
		run_writes(&o);
	if (handover)
		run_handover(&o, &handover_plan_64);
	if (origins)
		run_handover(&o, &handover_plan_50k);
	if (o.json) {
		printf("{\"seed\": %llu, \"quick\": %s", (unsigned long long)o.seed,
			o.quick ? "true" : "false");
		if (swim)
			json_swim();
		if (lifeguard)
			json_lifeguard();
		if (crash)
			json_crash();
		if (writes)
			json_writes();
		if (handover || origins)
			json_handover();
		printf("}\n");
	}
	return 0;
}
