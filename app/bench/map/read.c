#include "read.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "base/random.h"
#include "clock.h"
#include "pages.h"
#include "replica.h"
#include "table.h"

enum {
	OVERWRITES = 4,    /* streams of the busy phase */
	SPARE = 262144,    /* versions that wait for the reader */
	BULKS_A_TURN = 64, /* map and rte_hash in turn, each for so many */
	BUCKETS = 1 << 14, /* of the latencies: BUCKET_CYCLES each, the last one takes the rest */
	BUCKET_CYCLES = 16,
	READER = 0,
};

/* The latencies of one phase and side. */
struct histogram {
	uint64_t counts[BUCKETS];
	uint64_t bulks, busy_ns;
};

enum phase { PHASE_IDLE, PHASE_BUSY, PHASE_STOP };

struct bench {
	struct replica replica;
	struct rte_hash *table;
	uint8_t (*keys)[KEY_LEN]; /* in the order of reading */
	uint32_t records, at;
	uint32_t cpu;
	_Atomic int phase;
	_Atomic bool failed;
	struct histogram map[PHASE_STOP], table_side[PHASE_STOP];
};

static bool pin(uint32_t cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

static void note(struct histogram *h, uint64_t cycles)
{
	uint64_t bucket = cycles / BUCKET_CYCLES;
	h->counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	h->bulks++;
}

static uint8_t (*next_keys(struct bench *b))[KEY_LEN]
{
	if (b->at + READ_BULK > b->records)
		b->at = 0;
	uint8_t(*keys)[KEY_LEN] = b->keys + b->at;
	b->at += READ_BULK;
	return keys;
}

/* Each bulk is one read-side section. The values' first bytes are not read: rte_hash has none. */
static void read_map(struct bench *b, struct histogram *h)
{
	for (int turn = 0; turn < BULKS_A_TURN; turn++) {
		uint8_t(*keys)[KEY_LEN] = next_keys(b);
		struct map_key bulk[READ_BULK];
		struct map_found found[READ_BULK];
		uint64_t from = rte_rdtsc();
		for (uint32_t i = 0; i < READ_BULK; i++)
			bulk[i] = (struct map_key){keys[i], KEY_LEN};
		uint64_t hits = map_get_bulk_reader(b->replica.map, bulk, READ_BULK, found);
		note(h, rte_rdtsc() - from);
		if (hits != UINT32_MAX)
			atomic_store_explicit(&b->failed, true, memory_order_relaxed);
		rte_rcu_qsbr_quiescent(b->replica.rcu, READER);
	}
}

static void read_table(struct bench *b, struct histogram *h)
{
	for (int turn = 0; turn < BULKS_A_TURN; turn++) {
		uint8_t(*keys)[KEY_LEN] = next_keys(b);
		const void *bulk[READ_BULK];
		void *data[READ_BULK];
		uint64_t hits = 0;
		uint64_t from = rte_rdtsc();
		for (uint32_t i = 0; i < READ_BULK; i++)
			bulk[i] = keys[i];
		(void)rte_hash_lookup_bulk_data(b->table, bulk, READ_BULK, &hits, data);
		note(h, rte_rdtsc() - from);
		if (hits != UINT32_MAX)
			atomic_store_explicit(&b->failed, true, memory_order_relaxed);
		rte_rcu_qsbr_quiescent(b->replica.rcu, READER);
	}
}

static void *read_until_stop(void *arg)
{
	struct bench *b = arg;
	if (!pin(b->cpu))
		atomic_store(&b->failed, true);
	rte_rcu_qsbr_thread_online(b->replica.rcu, READER);
	for (int phase; (phase = atomic_load(&b->phase)) != PHASE_STOP;) {
		uint64_t from_ns = clock_thread_ns();
		read_map(b, &b->map[phase]);
		uint64_t to_ns = clock_thread_ns();
		b->map[phase].busy_ns += to_ns - from_ns;
		read_table(b, &b->table_side[phase]);
		b->table_side[phase].busy_ns += clock_thread_ns() - to_ns;
	}
	rte_rcu_qsbr_thread_offline(b->replica.rcu, READER);
	return NULL;
}

static double rate_of(const struct histogram *h)
{
	return h->busy_ns > 0 ? (double)h->bulks * READ_BULK * 1e3 / (double)h->busy_ns : 0;
}

static double p99_of(const struct histogram *h)
{
	uint64_t below = 0;
	uint32_t i = 0;
	while (i < BUCKETS - 1 && (below += h->counts[i]) * 100 < h->bulks * 99)
		i++;
	return (i + 1) * (double)BUCKET_CYCLES * 1e9 / (double)rte_get_tsc_hz();
}

static void add(struct read_side *side, const struct histogram *h)
{
	samples_add(&side->rate, rate_of(h));
	samples_add(&side->p99_ns, p99_of(h));
}

static void rest(uint64_t ns)
{
	struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	(void)nanosleep(&t, NULL); /* nobody interrupts */
}

static void one_round(struct read_result *result, struct bench *b, const struct stream *streams,
	uint64_t slice_ns)
{
	pthread_t thread;
	replica_create(&b->replica, b->records, SPARE);
	b->table = table_create(b->records);
	replica_merge(&b->replica, &streams[0], 0, streams[0].packets);
	table_insert(b->table, &streams[0], 0, streams[0].packets);
	if (rte_rcu_qsbr_thread_register(b->replica.rcu, READER) != 0)
		b->failed = true;
	for (int i = 0; i < PHASE_STOP; i++) {
		b->map[i] = (struct histogram){.bulks = 0};
		b->table_side[i] = (struct histogram){.bulks = 0};
	}
	atomic_store(&b->phase, PHASE_IDLE);
	if (pthread_create(&thread, NULL, read_until_stop, b) != 0) {
		result->failed = true;
		return;
	}
	rest(slice_ns);
	atomic_store(&b->phase, PHASE_BUSY);
	uint64_t from_ns = clock_thread_ns(), merged = 0;
	for (int i = 1; i <= OVERWRITES; i++) {
		replica_merge(&b->replica, &streams[i], 0, streams[i].packets);
		merged += streams[i].records;
	}
	uint64_t to_ns = clock_thread_ns();
	atomic_store(&b->phase, PHASE_STOP);
	result->failed |= pthread_join(thread, NULL) != 0 ||
			  map_counters(b->replica.map)->merged != merged + b->records;
	samples_add(&result->merged, (double)merged * 1e3 / (double)(to_ns - from_ns));
	add(&result->map_idle, &b->map[PHASE_IDLE]);
	add(&result->map_busy, &b->map[PHASE_BUSY]);
	add(&result->table_idle, &b->table_side[PHASE_IDLE]);
	add(&result->table_busy, &b->table_side[PHASE_BUSY]);
	samples_add(
		&result->ratio, rate_of(&b->map[PHASE_BUSY]) / rate_of(&b->table_side[PHASE_IDLE]));
	samples_add(&result->p99_ratio, p99_of(&b->map[PHASE_BUSY]) / p99_of(&b->map[PHASE_IDLE]));
	rte_hash_free(b->table);
	replica_destroy(&b->replica);
}

void read_run(struct read_result *result, uint32_t records, uint32_t rounds, uint64_t slice_ns,
	uint32_t keeper_cpu, uint32_t reader_cpu, uint64_t seed)
{
	struct stream streams[1 + OVERWRITES];
	struct bench *b = pages_or_die(sizeof(*b));
	struct sw_random random = sw_random_seed(seed);
	*result = (struct read_result){.records = records, .failed = !pin(keeper_cpu)};
	for (uint32_t i = 0; i <= OVERWRITES; i++)
		stream_make(&streams[i], records, i + 1, (uint64_t)i * records + 1, seed + i);
	b->records = records;
	b->cpu = reader_cpu;
	b->keys = pages_or_die((size_t)records * KEY_LEN);
	for (uint32_t i = 0; i < records; i++)
		key_write(b->keys[i], (uint32_t)sw_random_below(&random, records));
	for (uint32_t i = 0; i < rounds; i++)
		one_round(result, b, streams, slice_ns);
	result->failed |= b->failed;
	for (uint32_t i = 0; i <= OVERWRITES; i++)
		stream_free(&streams[i]);
	pages_free(b->keys, (size_t)records * KEY_LEN);
	pages_free(b, sizeof(*b));
}

static void row(const char *name, struct read_side *side)
{
	printf("  %-34s %12.1f %14.2f\n", name, samples_quantile(&side->rate, 0.5),
		samples_quantile(&side->p99_ns, 0.5) / 1e3);
}

void read_print(struct read_result *r)
{
	printf("reads on another core, %u keys, bulks of %u; medians of %u rounds%s\n", r->records,
		READ_BULK, r->ratio.count, r->failed ? "; FAILED" : "");
	printf("  %-34s %12s %14s\n", "", "million/s", "p99, us/bulk");
	row("map, keeper at rest", &r->map_idle);
	row("map, keeper merges", &r->map_busy);
	row("bare rte_hash, keeper at rest", &r->table_idle);
	row("bare rte_hash, keeper merges", &r->table_busy);
	printf("  the keeper merged %.2f million records/s meanwhile\n\n",
		samples_quantile(&r->merged, 0.5));
}
