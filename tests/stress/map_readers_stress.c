/* Readers of the map on threads of their own beside its owner at full speed.
 *
 * A value says which key it is of and which version, and ends with a checksum of both and of its
 * length, so that any mixture of two writes, and any memory given out again too early, is seen.
 * SW_SECONDS: how long.
 */
#include "sw_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "deltamap/deltamap.h"
#include "quiescent.h"

enum {
	RECORDS_MAX = 4096,
	KEYS = RECORDS_MAX + 512, /* more than there is room for: full is reached */
	KEY_LEN = 8,
	VALUE_MAX = 600,
	BATCH = 64,  /* reads between quiescent states */
	BUCKETS = 2, /* of one scan */
	KEEP = 8,    /* views that a reader looks at again before it lets go */
};

#define T0 SW_NS_PER_S

struct stress {
	struct map *map;
	struct quiescent quiescent;
	uint64_t end_ns;
	atomic_bool stop;
	uint64_t version;
	uint64_t now_ns;     /* of the map */
	uint64_t merged_seq; /* of server 2 */
	/* the owner's sums */
	uint64_t puts, deletes, merges, full, grace_periods, to_full, to_empty, cycles;
	uint64_t token;
	bool waiting;
};

struct reader {
	struct stress *stress;
	uint32_t number;
	pthread_t thread;
	uint64_t found, in_bulk, tombstones, absent, scanned, wrong;
};

static uint64_t clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock always exists */
	return (uint64_t)t.tv_sec * SW_NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t sum_of(uint64_t key, uint64_t version, uint64_t len)
{
	return sw_mix64(sw_mix64(key + 1) ^ sw_mix64(version) ^ len);
}

/* key, version, filling, checksum; len: 24 … VALUE_MAX. */
static void value_write(uint8_t *value, size_t len, uint64_t key, uint64_t version)
{
	uint64_t sum = sum_of(key, version, len);
	memcpy(value, &key, 8);
	memcpy(value + 8, &version, 8);
	memset(value + 16, (int)(version & 0xff), len - 24);
	memcpy(value + len - 8, &sum, 8);
}

static bool is_whole(const struct map_view *v)
{
	uint64_t key, of, version, sum;
	if (v->key_len != KEY_LEN)
		return false;
	memcpy(&key, v->key, 8);
	if (v->tombstone)
		return v->value_len == 0 && key < KEYS;
	if (v->value_len < 24 || v->value_len > VALUE_MAX)
		return false;
	memcpy(&of, v->value, 8);
	memcpy(&version, v->value + 8, 8);
	memcpy(&sum, v->value + v->value_len - 8, 8);
	for (size_t i = 16; i < v->value_len - 8u; i++)
		if (v->value[i] != (uint8_t)version)
			return false;
	return of == key && key < KEYS && v->written_ms == version &&
	       sum == sum_of(key, version, v->value_len);
}

static void visit(void *context, const struct map_view *view)
{
	struct reader *r = context;
	r->scanned++;
	r->wrong += !is_whole(view);
}

static void read_bulk(struct reader *r, struct sw_random *random)
{
	uint64_t numbers[MAP_BULK_MAX];
	struct map_key keys[MAP_BULK_MAX];
	struct map_found found[MAP_BULK_MAX];
	for (uint32_t i = 0; i < MAP_BULK_MAX; i++) {
		numbers[i] = sw_random_below(random, KEYS);
		keys[i] = (struct map_key){&numbers[i], KEY_LEN};
	}
	uint64_t hits = map_get_bulk_reader(r->stress->map, keys, MAP_BULK_MAX, found);
	for (uint32_t i = 0; i < MAP_BULK_MAX; i++) {
		struct map_view v;
		if (!(hits >> i & 1))
			continue;
		map_view_reader(r->stress->map, found[i].record, &v);
		r->in_bulk++;
		r->wrong += !is_whole(&v) || memcmp(v.key, &numbers[i], KEY_LEN) != 0 ||
			    v.value != found[i].value || v.value_len != found[i].value_len;
	}
}

/* One read-side section: what it got stays whole until its end. */
static void read_section(struct reader *r, struct sw_random *random, uint32_t *cursor)
{
	struct map_view kept[KEEP];
	uint32_t kept_count = 0;
	for (int i = 0; i < BATCH; i++) {
		struct map_view v;
		uint64_t key = sw_random_below(random, KEYS);
		if (!map_get_reader(r->stress->map, &key, KEY_LEN, &v)) {
			r->absent++;
			continue;
		}
		r->found += !v.tombstone;
		r->tombstones += v.tombstone;
		r->wrong += !is_whole(&v) || memcmp(v.key, &key, KEY_LEN) != 0;
		if (kept_count < KEEP)
			kept[kept_count++] = v;
	}
	if (!map_scan_reader(r->stress->map, cursor, BUCKETS, visit, r))
		*cursor = 0;
	read_bulk(r, random);
	for (uint32_t i = 0; i < kept_count; i++)
		r->wrong += !is_whole(&kept[i]);
}

static void *read_until_stop(void *arg)
{
	struct reader *r = arg;
	struct sw_random random = sw_random_seed(100 + r->number);
	uint32_t cursor = 0;
	uint64_t last_seq = 0;
	while (!atomic_load_explicit(&r->stress->stop, memory_order_relaxed)) {
		read_section(r, &random, &cursor);
		uint64_t seq = map_seq_reader(r->stress->map, (struct actor){1, 1});
		r->wrong += seq < last_seq; /* a vector never goes back */
		last_seq = seq;
		quiescent_announce_reader(&r->stress->quiescent, r->number);
	}
	return NULL;
}

static struct map *map_make(uint64_t id)
{
	struct map_config c = {
		.self = {id, 1},
		.cluster_seed = 5,
		.records_max = RECORDS_MAX,
		/* Less than all records at their largest, and than what waits for readers besides:
		 * memory runs out too. */
		.bytes_max = (uint64_t)RECORDS_MAX * 1000,
		.pull_interval_ns = 1000000 * SW_NS_PER_S,
		.push_flush_ns = 0,
		.hole_delay_ns = 1000000 * SW_NS_PER_S,
		.resend_ns = SW_NS_PER_S,
		.session_timeout_ns = SW_NS_PER_S,
		.packets_per_s_max = 1000000000,
		.random_seed = id,
	};
	struct map *map = map_create(&c, T0);
	map_peers_owner(map, T0, NULL, 0, true);
	map_tick_owner(map, T0); /* the first of its datacenter: ready at once */
	SW_EXPECT_TRUE(map_ready(map));
	return map;
}

/* Never waits for readers, as the keeper. */
static void reclaim(struct stress *s)
{
	if (s->waiting) {
		if (!quiescent_check_owner(&s->quiescent, s->token))
			return;
		map_free_owner(s->map);
		s->waiting = false;
		s->grace_periods++;
	}
	if (map_has_retired_owner(s->map)) {
		map_seal_owner(s->map);
		s->token = quiescent_start_owner(&s->quiescent);
		s->waiting = true;
	}
}

static bool note_result(struct stress *s, int rc, uint64_t *sum)
{
	if (rc == 0)
		++*sum;
	else if (rc == -ENOSPC)
		s->full++;
	else
		SW_EXPECT_EQ(rc, -ENOENT);
	return rc == 0;
}

static void put(struct stress *s, uint64_t key, size_t len)
{
	uint8_t value[VALUE_MAX];
	struct dot dot;
	s->version++;
	value_write(value, len, key, s->version);
	(void)note_result(s, map_put_owner(s->map, T0, s->version, &key, KEY_LEN, value, len, &dot),
		&s->puts);
}

/* A record of server 2 that is newer than ours, as a push brings it. */
static void merge(struct stress *s, uint64_t key, size_t len, bool tombstone, uint64_t seq)
{
	uint8_t value[VALUE_MAX], bytes[WIRE_MESSAGES_MAX];
	struct map_view held;
	bool known = map_get_reader(s->map, &key, KEY_LEN, &held);
	s->version++;
	value_write(value, len, key, s->version);
	struct wire_record record = {
		.flags = tombstone ? WIRE_RECORD_TOMBSTONE : 0,
		.key_len = KEY_LEN,
		.value_len = (uint16_t)(tombstone ? 0 : len),
		.clock = (known ? held.clock : map_floor(s->map)) + 1,
		.author = {{2, 1}, seq},
		.dot = {{2, 1}, seq},
		.written_ms = s->version,
		.key = (const uint8_t *)&key,
		.value = value,
	};
	struct wire_header h = {.sender = {2, 1}, .instance = 2};
	struct wire_prelude p = {.last_seq = 0};
	static const struct sw_endpoint from = {.port = 1};
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	wire_put_record(&w, &record);
	SW_EXPECT_FALSE(w.failed);
	struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
	map_input_owner(s->map, T0, &h, &p, &from, &r);
	s->merges++;
	/* Refused, it comes again under its number, as in a session: else the vector would stay. */
	if (map_seq_reader(s->map, (struct actor){2, 1}) == seq)
		s->merged_seq = seq;
}

static void mix(struct stress *s, struct sw_random *random)
{
	struct dot dot;
	for (int i = 0; i < 1000; i++) {
		uint64_t key = sw_random_below(random, KEYS);
		size_t len = 24 + sw_random_below(random, VALUE_MAX - 24);
		switch (sw_random_below(random, 8)) {
		case 0:
			(void)note_result(
				s, map_del_owner(s->map, T0, 0, &key, KEY_LEN, &dot), &s->deletes);
			break;
		case 1:
		case 2: merge(s, key, len, false, s->merged_seq + 1); break;
		case 3: merge(s, key, len, true, s->merged_seq + 1); break;
		default: put(s, key, len); break;
		}
		reclaim(s);
	}
}

/* Full of records: memory that waits for readers comes free while it goes on. */
static void grow_to_full(struct stress *s, struct sw_random *random)
{
	uint64_t at_most_ns = clock_ns() + 5 * SW_NS_PER_S;
	do {
		for (uint64_t key = 0; key < KEYS; key++) {
			put(s, key, 24 + sw_random_below(random, 64));
			reclaim(s);
		}
	} while (map_record_count(s->map) < RECORDS_MAX && clock_ns() < at_most_ns);
	if (map_record_count(s->map) == RECORDS_MAX)
		s->to_full++;
}

/* All is deleted, and the tombstones are collected: nobody else is waited for. */
static void shrink_to_empty(struct stress *s)
{
	struct dot dot;
	for (uint32_t tries = 0;
		map_record_count(s->map) > 0 && clock_ns() < s->end_ns + SW_NS_PER_S; tries++) {
		for (uint64_t key = 0; key < KEYS && tries % 16 == 0; key++)
			(void)note_result(
				s, map_del_owner(s->map, T0, 0, &key, KEY_LEN, &dot), &s->deletes);
		s->now_ns += SW_NS_PER_MS;
		map_tick_owner(s->map, s->now_ns);
		reclaim(s);
	}
	if (map_record_count(s->map) == 0)
		s->to_empty++;
}

static void run_owner(struct stress *s)
{
	struct sw_random random = sw_random_seed(1);
	s->now_ns = T0;
	do {
		uint64_t mix_end_ns = clock_ns() + SW_NS_PER_S / 3;
		grow_to_full(s, &random);
		while (clock_ns() < mix_end_ns)
			mix(s, &random);
		shrink_to_empty(s);
		s->cycles++;
	} while (clock_ns() < s->end_ns);
}

SW_TEST(map_readers, see_only_what_was_written_whole)
{
	uint64_t seconds = sw_test_env_u64("SW_SECONDS", 3);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct stress *s = aligned_alloc(64, (sizeof(*s) + 63) / 64 * 64);
	memset(s, 0, sizeof(*s));
	struct reader *readers = calloc(READERS_MAX, sizeof(*readers));
	s->map = map_make(1);
	s->quiescent.reader_count = cpus < 1             ? 1
				    : cpus > READERS_MAX ? READERS_MAX
							 : (uint32_t)cpus;
	s->end_ns = clock_ns() + seconds * SW_NS_PER_S;
	for (uint32_t i = 0; i < s->quiescent.reader_count; i++) {
		readers[i] = (struct reader){.stress = s, .number = i};
		SW_ASSERT_EQ(
			pthread_create(&readers[i].thread, NULL, read_until_stop, &readers[i]), 0);
	}
	run_owner(s);
	atomic_store(&s->stop, true);
	struct reader sum = {.stress = s};
	for (uint32_t i = 0; i < s->quiescent.reader_count; i++) {
		SW_EXPECT_EQ(pthread_join(readers[i].thread, NULL), 0);
		sum.found += readers[i].found;
		sum.in_bulk += readers[i].in_bulk;
		sum.tombstones += readers[i].tombstones;
		sum.absent += readers[i].absent;
		sum.scanned += readers[i].scanned;
		sum.wrong += readers[i].wrong;
	}
	SW_EXPECT_EQ(sum.wrong, 0u);
	/* Each growth reached full, each shrinking empty. */
	SW_EXPECT_EQ(s->to_full, s->cycles);
	SW_EXPECT_EQ(s->to_empty, s->cycles);
	SW_EXPECT_GT(map_counters(s->map)->collected, 0u);
	/* Each of them was really met. */
	SW_EXPECT_GT(sum.found, 0u);
	SW_EXPECT_GT(sum.in_bulk, 0u);
	SW_EXPECT_GT(sum.tombstones, 0u);
	SW_EXPECT_GT(sum.absent, 0u);
	SW_EXPECT_GT(sum.scanned, 0u);
	SW_EXPECT_GT(s->puts, 0u);
	SW_EXPECT_GT(s->deletes, 0u);
	SW_EXPECT_GT(map_counters(s->map)->merged, 0u);
	SW_EXPECT_GT(s->full, 0u);
	SW_EXPECT_GT(s->grace_periods, 0u);
	sw_test_note("%u readers: %lu gets, %lu scanned; owner: %lu puts, %lu deletes, %lu merged, "
		     "%lu refused, %lu "
		     "grace periods, %lu times to full and to empty, %lu collected",
		s->quiescent.reader_count, sum.found + sum.tombstones + sum.absent, sum.scanned,
		s->puts, s->deletes, map_counters(s->map)->merged, s->full, s->grace_periods,
		s->cycles, map_counters(s->map)->collected);
	map_destroy(s->map);
	free(readers);
	free(s);
}
