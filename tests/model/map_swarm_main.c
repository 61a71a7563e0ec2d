/* map_swarm --runs N --seed S: random scripts of the map's world, one after the other; prints how
 * many were played and what they reached. Exit 1: one broke something (its seed is printed, and
 * --shrink leaves out what it does not need), or with --require-marks: a branch was never taken. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "map_swarm.h"

struct mark {
	const char *name;
	size_t at;
};

#define MARK(name, counter)                                                                        \
	{                                                                                          \
		name, offsetof(struct map_counters, counter)                                       \
	}

/* Branches that a swarm must reach. */
static const struct mark marks[] = {
	MARK("rival writes", rivals),
	MARK("pushes over a gap", gaps),
	MARK("pushes refused at the floor", refused_floor),
	MARK("packets of epochs that are over", refused_fenced),
	MARK("session packets sent again", session_packets_again),
	MARK("sessions refused", sessions_refused),
	MARK("sessions given up", pulls_failed),
	MARK("tombstones collected", collected),
	MARK("told to reconcile", reconcile_told),
	MARK("reconciled", reconciles),
	MARK("dropped in reconciling", reconcile_dropped),
	MARK("absent and covered, not taken", absent_covered),
	MARK("written anew above the floor", lifted),
	MARK("peers not merged from", stale),
	MARK("epochs closed", closed),
	MARK("records adopted", adopted),
	MARK("markers", markers),
	MARK("own epoch closed", own_closed),
};

enum { MARKS = sizeof(marks) / sizeof(marks[0]), FAILURES_TOLD_MAX = 5, BROKEN_KINDS = 32 };

static struct {
	const char *what;
	uint64_t times, first;
} kinds[BROKEN_KINDS];

struct options {
	uint64_t runs, seed;
	bool shrink, marks, print, schedule;
};

static double now_s(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t); /* cannot fail: both clocks exist */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(const struct options *o, uint64_t seed, struct map_script *script,
	const struct map_result *result)
{
	printf("seed %" PRIu64 ": %s\n", seed, result->broken);
	if (o->shrink) {
		map_script_shrink(script);
		map_script_print(script);
	}
}

static void sort_in(const char *what, uint64_t seed)
{
	for (int k = 0; k < BROKEN_KINDS; k++) {
		if (kinds[k].what == NULL) {
			kinds[k].what = what;
			kinds[k].first = seed;
		}
		if (kinds[k].what == what) {
			kinds[k].times++;
			return;
		}
	}
}

static int run(const struct options *o)
{
	static struct map_script script;
	static struct map_result result;
	uint64_t failed = 0, corners[CORNERS] = {0}, reached[MARKS] = {0};
	int rc = 0;
	double began_s = now_s(CLOCK_MONOTONIC), cpu_began_s = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t i = 0; i < o->runs; i++) {
		map_swarm_play(o->seed + i, &script, &result);
		for (int c = 0; c < CORNERS; c++)
			corners[c] += result.corner == world_corners[c];
		for (int m = 0; m < MARKS; m++)
			reached[m] += *(const uint64_t *)((const char *)&result.counters +
							  marks[m].at) > 0;
		if (o->schedule)
			map_script_write(&script);
		if (o->print)
			map_script_print(&script);
		if (result.broken != NULL)
			sort_in(result.broken, o->seed + i);
		if (result.broken != NULL && failed++ < FAILURES_TOLD_MAX)
			tell(o, o->seed + i, &script, &result);
	}
	double took_s = now_s(CLOCK_MONOTONIC) - began_s,
	       cpu_s = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_began_s;
	for (int k = 0; k < BROKEN_KINDS && kinds[k].what != NULL; k++)
		printf("  %" PRIu64 " times, first by seed %" PRIu64 ": %s\n", kinds[k].times,
			kinds[k].first, kinds[k].what);
	printf("%" PRIu64 " scripts from seed %" PRIu64
	       " in %.1f s, %.1f s of a core (%.0f/s of a core), %" PRIu64 " broken\n",
		o->runs, o->seed, took_s, cpu_s, (double)o->runs / cpu_s, failed);
	for (int c = 0; c < CORNERS; c++)
		printf("  known: %s: %" PRIu64 "\n", world_corners[c], corners[c]);
	for (int m = 0; m < MARKS; m++) {
		printf("  %-36s %" PRIu64 "\n", marks[m].name, reached[m]);
		rc |= o->marks && reached[m] == 0;
	}
	return failed > 0 || rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = {.runs = 1000, .seed = 1};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
			o.runs = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			o.seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--shrink") == 0)
			o.shrink = true;
		else if (strcmp(argv[i], "--schedule") == 0)
			o.schedule = true;
		else if (strcmp(argv[i], "--print") == 0)
			o.print = true;
		else if (strcmp(argv[i], "--require-marks") == 0)
			o.marks = true;
		else {
			fprintf(stderr,
				"map_swarm [--runs N] [--seed S] [--shrink] [--print] [--schedule] "
				"[--require-marks]\n");
			return 2;
		}
	}
	return run(&o);
}
