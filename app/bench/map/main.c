/* swimlane-bench-map: what the map's keeper and readers can do on this machine. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "delta.h"
#include "merge.h"
#include "pages.h"
#include "read.h"

struct options {
	uint64_t seed;
	uint32_t records, rounds;
	uint32_t keeper_cpu, reader_cpu;
	bool quick, json;
};

static int usage(FILE *to)
{
	fputs("swimlane-bench-map [options] merge | read | delta ...\n"
	      "  --quick         fewer rounds\n"
	      "  --records N     keys of merge and read (default 1000000)\n"
	      "  --rounds N      of each measurement\n"
	      "  --keeper-cpu N  (default 0)\n"
	      "  --reader-cpu N  (default 1)\n"
	      "  --seed N        order of the keys (default 1)\n"
	      "  --json          the last line is one JSON object\n",
		to);
	return to == stderr ? 2 : 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	enum { QUICK = 256, RECORDS, ROUNDS, KEEPER, READER, SEED, JSON, HELP };
	static const struct option options[] = {{"quick", no_argument, NULL, QUICK},
		{"records", required_argument, NULL, RECORDS},
		{"rounds", required_argument, NULL, ROUNDS},
		{"keeper-cpu", required_argument, NULL, KEEPER},
		{"reader-cpu", required_argument, NULL, READER},
		{"seed", required_argument, NULL, SEED}, {"json", no_argument, NULL, JSON},
		{"help", no_argument, NULL, HELP}, {NULL, 0, NULL, 0}};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case QUICK: o->quick = true; break;
		case RECORDS: o->records = (uint32_t)strtoul(optarg, NULL, 0); break;
		case ROUNDS: o->rounds = (uint32_t)strtoul(optarg, NULL, 0); break;
		case KEEPER: o->keeper_cpu = (uint32_t)strtoul(optarg, NULL, 0); break;
		case READER: o->reader_cpu = (uint32_t)strtoul(optarg, NULL, 0); break;
		case SEED: o->seed = strtoull(optarg, NULL, 0); break;
		case JSON: o->json = true; break;
		case HELP: return usage(stdout);
		default: return usage(stderr);
		}
	}
	return optind < argc ? -1 : usage(stderr);
}

static bool start_eal(void)
{
	char *args[] = {"bench", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"1024", "--lcores", "0@0", "--log-level", "*:error", NULL};
	if (rte_eal_init((int)(sizeof(args) / sizeof(args[0])) - 1, args) < 0) {
		fprintf(stderr, "DPDK did not start: %s\n", rte_strerror(rte_errno));
		return false;
	}
	pages_enlarge_eal();
	return true;
}

static double min_of(double a, double b)
{
	return a < b ? a : b;
}

static void run_merge(const struct options *o, uint32_t rounds)
{
	struct merge_result r;
	merge_run(&r, o->records, rounds, o->seed);
	merge_print(&r);
	if (o->json)
		printf("{\"merge_mrec_s\": %.3f, \"merge_vs_rte_hash\": %.3f}\n",
			min_of(samples_quantile(&r.fresh, 0.5),
				samples_quantile(&r.overwrite, 0.5)),
			min_of(samples_quantile(&r.fresh_ratio, 0.5),
				samples_quantile(&r.overwrite_ratio, 0.5)));
}

static void run_read(const struct options *o, uint32_t rounds)
{
	struct read_result r;
	read_run(&r, o->records, rounds, o->quick ? 500000000 : 1000000000, o->keeper_cpu,
		o->reader_cpu, o->seed);
	read_print(&r);
	if (o->json)
		printf("{\"read_mops_s\": %.3f, \"read_vs_rte_hash\": %.3f, "
		       "\"read_p99_busy_vs_idle\": %.3f}\n",
			samples_quantile(&r.map_busy.rate, 0.5), samples_quantile(&r.ratio, 0.5),
			samples_quantile(&r.p99_ratio, 0.5));
}

static void run_delta(const struct options *o, uint32_t rounds)
{
	struct delta_result r;
	delta_run(&r, 30 * rounds, o->seed);
	delta_print(&r);
	if (o->json)
		printf("{\"delta_cost_1m_vs_10k\": %.3f, \"delta_1000_us\": %.1f}\n",
			samples_quantile(&r.ratio, 0.5),
			samples_quantile(&r.us[DELTA_SIZES - 1], 0.5));
}

int main(int argc, char **argv)
{
	struct options o = {.seed = 1, .records = 1000000, .reader_cpu = 1};
	int done = parse(argc, argv, &o);
	if (done >= 0)
		return done;
	if (!start_eal())
		return 1;
	uint32_t rounds = o.rounds > 0 ? o.rounds : o.quick ? 3 : 9;
	for (int i = optind; i < argc; i++) {
		if (strcmp(argv[i], "merge") == 0)
			run_merge(&o, rounds);
		else if (strcmp(argv[i], "read") == 0)
			run_read(&o, rounds);
		else if (strcmp(argv[i], "delta") == 0)
			run_delta(&o, rounds);
		else
			return usage(stderr);
	}
	return 0;
}
