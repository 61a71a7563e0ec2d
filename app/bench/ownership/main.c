/* bench-ownership: how long the ownership table takes, and how evenly it spreads.
 *
 * Times are the process's own CPU time, the medians of rounds in which the ways to compute take
 * turns, so that what else the machine does falls on all alike.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rendezvous/table.h"

enum { KEYS = 50000, SERVERS = 64, ROUNDS_MAX = 1000 };

struct bench {
	struct sw_random random;
	struct rendezvous_server servers[SERVERS];
	uint64_t key_hashes[KEYS];
	uint32_t entries[KEYS];
};

struct times {
	uint32_t count;
	double ms[ROUNDS_MAX];
};

struct figures {
	struct times rank[SCAN_KINDS], leave[SCAN_KINDS], join[SCAN_KINDS], scan[SCAN_KINDS];
};

/* What is computed must not be left out for want of a reader. */
static volatile uint64_t kept;

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* cannot fail with this clock */
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(struct times *t)
{
	qsort(t->ms, t->count, sizeof(t->ms[0]), by_value);
	return t->count == 0 ? -1 : t->ms[t->count / 2];
}

static void add(struct times *t, double since_ms)
{
	t->ms[t->count++] = now_ms() - since_ms;
}

static void prepare(struct bench *b, uint64_t seed, bool weighted)
{
	b->random = sw_random_seed(seed);
	for (int i = 0; i < SERVERS; i++) {
		uint64_t weight = weighted ? 50 + sw_random_below(&b->random, 351) : 100;
		b->servers[i] = rendezvous_server_make(sw_random_u64(&b->random), (uint16_t)weight);
	}
	for (int i = 0; i < KEYS; i++)
		b->key_hashes[i] = sw_random_u64(&b->random);
}

static struct rendezvous_table *make_table(struct bench *b, enum scan_kind kind)
{
	struct rendezvous_table *table;
	if (rendezvous_table_create(KEYS, NULL, NULL, &table) < 0) {
		fprintf(stderr, "no memory\n");
		exit(1);
	}
	(void)rendezvous_table_use(table, kind); /* there is: the caller asked */
	for (int i = 0; i < KEYS; i++)
		(void)rendezvous_table_register(table, b->key_hashes[i], 0, &b->entries[i]);
	return table;
}

/* All 64 come at once, one leaves, it comes back. */
static void one_round(struct bench *b, enum scan_kind kind, struct figures *f)
{
	struct rendezvous_table *table = make_table(b, kind);
	double from_ms = now_ms();
	(void)rendezvous_table_servers(table, b->servers, SERVERS);
	add(&f->rank[kind], from_ms);
	uint64_t gone = sw_random_below(&b->random, SERVERS);
	struct rendezvous_server leaver = b->servers[gone];
	b->servers[gone] = b->servers[SERVERS - 1];
	b->servers[SERVERS - 1] = leaver;
	from_ms = now_ms();
	(void)rendezvous_table_servers(table, b->servers, SERVERS - 1);
	add(&f->leave[kind], from_ms);
	from_ms = now_ms();
	(void)rendezvous_table_servers(table, b->servers, SERVERS);
	add(&f->join[kind], from_ms);
	rendezvous_table_destroy(table);
}

/* The weights alone. */
static void scan_round(struct bench *b, enum scan_kind kind, struct figures *f)
{
	static uint64_t hashes[SW_MEMBERS_MAX], floors[SW_MEMBERS_MAX], weights[SW_MEMBERS_MAX];
	uint64_t over[SCAN_WORDS];
	scan_function scan = scan_of(kind);
	for (int i = 0; i < SERVERS; i++) {
		hashes[i] = b->servers[i].hash;
		floors[i] = UINT64_MAX / 8 * 7;
	}
	double from_ms = now_ms();
	for (int i = 0; i < KEYS; i++) {
		scan(b->key_hashes[i], hashes, floors, SERVERS, weights, over);
		kept = over[0] + weights[i % SERVERS];
	}
	add(&f->scan[kind], from_ms);
}

/* The most keys of one server over the mean, with equal weights; and by how many standard
 * deviations of the binomial distribution that is more than the mean. */
static double balance(struct bench *b, double *sigmas)
{
	struct rendezvous_table *table = make_table(b, scan_best());
	uint32_t owned[SERVERS] = {0}, most = 0;
	(void)rendezvous_table_servers(table, b->servers, SERVERS);
	for (int i = 0; i < KEYS; i++) {
		struct rendezvous_ranks ranks;
		(void)rendezvous_table_read_reader(table, b->entries[i], &ranks);
		for (int s = 0; s < SERVERS; s++)
			owned[s] += b->servers[s].id == ranks.ids[0];
	}
	for (int s = 0; s < SERVERS; s++)
		most = owned[s] > most ? owned[s] : most;
	double mean = (double)KEYS / SERVERS;
	*sigmas = (most - mean) / sqrt(mean * (1 - 1.0 / SERVERS));
	rendezvous_table_destroy(table);
	return most / mean;
}

static void measure(struct bench *b, uint32_t rounds, struct figures *f)
{
	memset(f, 0, sizeof(*f));
	for (uint32_t i = 0; i < rounds; i++)
		for (enum scan_kind k = 0; k < SCAN_KINDS; k++) {
			if (scan_of(k) == NULL)
				continue;
			one_round(b, k, f);
			scan_round(b, k, f);
		}
}

static void print(const char *what, struct figures *f)
{
	printf("%s\n", what);
	for (enum scan_kind k = 0; k < SCAN_KINDS; k++) {
		if (f->rank[k].count == 0)
			printf("  %-8s not on this machine\n", scan_name(k));
		else
			printf("  %-8s all from nothing %7.3f ms, one leaves %6.3f ms, one joins "
			       "%6.3f ms; weights alone %6.3f ms\n",
				scan_name(k), median(&f->rank[k]), median(&f->leave[k]),
				median(&f->join[k]), median(&f->scan[k]));
	}
}

static int usage(FILE *to)
{
	fputs("bench-ownership [--quick] [--json] [--seed N]\n", to);
	return to == stderr ? 2 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"quick", no_argument, NULL, 'q'},
		{"json", no_argument, NULL, 'j'}, {"seed", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct bench bench;
	static struct figures same, weighted;
	bool quick = false, json = false;
	uint64_t seed = 1;
	double sigmas;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'q': quick = true; break;
		case 'j': json = true; break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'h': return usage(stdout);
		default: return usage(stderr);
		}
	}
	uint32_t rounds = quick ? 51 : 501;
	enum scan_kind best = scan_best();
	printf("%d keys, %d servers, medians of %u rounds, seed %llu\n\n", KEYS, SERVERS, rounds,
		(unsigned long long)seed);
	prepare(&bench, seed, false);
	measure(&bench, rounds, &same);
	double spread = balance(&bench, &sigmas);
	print("all weigh the same", &same);
	prepare(&bench, seed, true);
	measure(&bench, rounds, &weighted);
	print("weights from 50 to 400", &weighted);
	printf("\nmost keys of one server: %.3f of the mean, %.2f standard deviations above it\n",
		spread, sigmas);
	if (json)
		printf("{\"seed\": %llu, \"quick\": %s, \"instructions\": \"%s\", "
		       "\"rerank_50k_ms\": %.4f, \"rank_50k_ms\": %.4f, "
		       "\"rejoin_50k_ms\": %.4f, \"rerank_50k_weighted_ms\": %.4f, "
		       "\"rank_50k_weighted_ms\": %.4f, \"simd_vs_scalar\": %.3f, "
		       "\"simd_vs_scalar_weights_alone\": %.3f, \"balance_max_over_mean\": %.4f, "
		       "\"balance_max_sigmas\": %.3f}\n",
			(unsigned long long)seed, quick ? "true" : "false", scan_name(best),
			median(&same.leave[best]), median(&same.rank[best]),
			median(&same.join[best]), median(&weighted.leave[best]),
			median(&weighted.rank[best]),
			median(&same.rank[SCAN_SCALAR]) / median(&same.rank[best]),
			median(&same.scan[SCAN_SCALAR]) / median(&same.scan[best]), spread, sigmas);
	return 0;
}
