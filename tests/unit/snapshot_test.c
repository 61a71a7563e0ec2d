#include "sw_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "deltamap/snapshot.h"

/* The map's copy: what is written is what is read, whatever the map does meanwhile, and a damaged
 * file is refused. */

enum { FILE_MAX = 8 << 20 };

#define T0 SW_NS_PER_S

static uint8_t file[FILE_MAX];
static size_t file_len;

static struct map *map_of(uint64_t id, uint32_t epoch, uint32_t records_max)
{
	struct map_config c = {
		.self = {id, epoch},
		.cluster_seed = 5,
		.records_max = records_max,
		.bytes_max = (uint64_t)records_max * 1536 + 65536,
		.pull_interval_ns = 1000000 * SW_NS_PER_S,
		.resend_ns = SW_NS_PER_S,
		.session_timeout_ns = SW_NS_PER_S,
		.packets_per_s_max = 1000000000,
		.random_seed = id,
	};
	return map_create(&c, T0);
}

static struct map *first_of(uint64_t id, uint32_t epoch, uint32_t records_max)
{
	struct map *m = map_of(id, epoch, records_max);
	map_peers_owner(m, T0, NULL, 0, true);
	map_tick_owner(m, T0);
	SW_EXPECT_TRUE(map_ready(m));
	return m;
}

static void put(struct map *m, const char *key, const char *value)
{
	struct dot dot;
	SW_EXPECT_EQ(map_put_owner(m, T0, 7, key, strlen(key), value, strlen(value), &dot), 0);
}

static const struct snapshot_head head = {
	.id = 1, .epoch = 3, .cluster_seed = 5, .wall_ms = 1234567};

/* Between two steps `meanwhile` does what it likes with the map. */
static int write_file(struct map *m, uint32_t buckets, void (*meanwhile)(struct map *m))
{
	struct snapshot_writer *w = snapshot_writer_create(m, &head);
	int rc = 1;
	file_len = 0;
	while (rc == 1 && file_len + SNAPSHOT_STEP_MAX <= FILE_MAX) {
		size_t len;
		rc = snapshot_step(w, buckets, file + file_len, &len);
		file_len += len;
		if (meanwhile != NULL)
			meanwhile(m);
	}
	snapshot_writer_destroy(w);
	return rc;
}

static int restore(struct map *m, const char **error)
{
	static struct snapshot_reader r;
	return snapshot_open(&r, file, file_len, error) ? snapshot_restore_owner(&r, m) : -EBADMSG;
}

static void fill(struct map *m, uint32_t keys)
{
	char key[32], value[64];
	struct dot dot;
	for (uint32_t i = 0; i < keys; i++) {
		snprintf(key, sizeof(key), "key-%u", i);
		snprintf(value, sizeof(value), "value of %u", i);
		put(m, key, value);
		if (i % 7 == 0)
			put(m, key, "again");
		if (i % 11 == 0)
			SW_EXPECT_EQ(map_del_owner(m, T0, 8, key, strlen(key), &dot), 0);
	}
}

SW_TEST(snapshot, a_map_is_read_as_it_was_written_and_goes_on_under_a_new_epoch)
{
	struct map *m = first_of(1, 3, 2000), *n = map_of(1, 4, 2000);
	struct map_view a, b;
	struct dot dot;
	const char *error;
	fill(m, 1000);
	SW_ASSERT_EQ(write_file(m, 64, NULL), 0);
	SW_ASSERT_EQ(restore(n, &error), 0);
	SW_EXPECT_TRUE(map_ready(n));
	SW_EXPECT_EQ(map_record_count(n), map_record_count(m));
	SW_EXPECT_EQ(map_tombstone_count(n), map_tombstone_count(m));
	SW_EXPECT_EQ(map_content_hash(n), map_content_hash(m));
	SW_EXPECT_EQ(map_vector_hash(n), map_vector_hash(m));
	SW_EXPECT_EQ(map_floor(n), map_floor(m));
	SW_ASSERT_TRUE(map_get_reader(m, "key-5", 5, &a) && map_get_reader(n, "key-5", 5, &b));
	SW_EXPECT_EQ(map_stamp_compare(&a, &b), 0);
	SW_EXPECT_EQ(b.written_ms, 7u);
	SW_EXPECT_EQ(map_put_owner(n, T0, 0, "key-5", 5, "new", 3, &dot), 0);
	SW_EXPECT_EQ(dot.actor.epoch, 4u);
	SW_EXPECT_EQ(dot.seq, 1u); /* no dot is used twice */
	SW_ASSERT_TRUE(map_get_reader(n, "key-5", 5, &b));
	SW_EXPECT_GT(map_stamp_compare(&b, &a), 0);
	map_destroy(m);
	map_destroy(n);
}

SW_TEST(snapshot, an_empty_map_round_trips)
{
	struct map *m = first_of(1, 3, 1000), *n = map_of(1, 4, 1000);
	const char *error;
	SW_ASSERT_EQ(write_file(m, 64, NULL), 0);
	SW_EXPECT_EQ(restore(n, &error), 0);
	SW_EXPECT_EQ(map_record_count(n), 0u);
	SW_EXPECT_TRUE(map_ready(n));
	map_destroy(m);
	map_destroy(n);
}

/* ---- beside a writer ---- */

enum { KEYS = 300 };

static struct sw_random random_of_test;
static struct {
	struct dot dot;
	uint32_t key;
	uint64_t clock;
} writes[200000];
static uint32_t write_count;

static void busy(struct map *m)
{
	char key[32];
	struct map_view v;
	struct dot dot;
	for (int i = 0; i < 20 && write_count < 200000; i++) {
		uint32_t k = (uint32_t)sw_random_below(&random_of_test, KEYS);
		snprintf(key, sizeof(key), "key-%u", k);
		bool del = sw_random_below(&random_of_test, 3) == 0;
		int rc = del ? map_del_owner(m, T0, 0, key, strlen(key), &dot)
			     : map_put_owner(m, T0, 0, key, strlen(key), "x", 1, &dot);
		if (rc < 0)
			continue;
		writes[write_count].dot = dot;
		writes[write_count].key = k;
		SW_ASSERT_TRUE(map_get_reader(m, key, strlen(key), &v));
		writes[write_count++].clock = v.clock;
	}
	/* Alone, so deletes are collected at once. */
	map_tick_owner(m, T0 + write_count * SW_NS_PER_MS);
	if (map_has_retired_owner(m)) {
		map_seal_owner(m);
		map_free_owner(m);
	}
}

/* The invariant, of the file: what its vector covers is held, or something newer is, or a delete as
 * new was collected. */
SW_TEST(snapshot, a_copy_that_is_written_beside_writes_and_collection_keeps_the_invariant)
{
	uint64_t first = sw_test_env_u64("SW_SEED", 1), runs = sw_test_env_u64("SW_RUNS", 60);
	uint64_t collected = 0, gone = 0;
	for (uint64_t seed = first; seed < first + runs; seed++) {
		struct map *m = first_of(1, 3, 2000), *n = map_of(1, 4, 2000);
		const char *error;
		random_of_test = sw_random_seed(seed);
		write_count = 0;
		for (int i = 0; i < 10; i++)
			busy(m);
		SW_ASSERT_EQ(write_file(m, 16, busy), 0);
		SW_ASSERT_EQ(restore(n, &error), 0);
		for (uint32_t i = 0; i < write_count; i++) {
			char key[32];
			struct map_view v;
			snprintf(key, sizeof(key), "key-%u", writes[i].key);
			if (map_seq_reader(n, writes[i].dot.actor) < writes[i].dot.seq)
				continue;
			if (map_get_reader(n, key, strlen(key), &v) && v.clock >= writes[i].clock)
				continue;
			gone++;
			if (map_floor(n) < writes[i].clock) /* or a delete as new was collected */
				SW_FAIL("seed %llu: %s covered and not there",
					(unsigned long long)seed, key);
		}
		collected += map_counters(m)->collected;
		map_destroy(m);
		map_destroy(n);
	}
	sw_test_note("%llu tombstones collected, %llu covered writes gone with them",
		(unsigned long long)collected, (unsigned long long)gone);
	SW_EXPECT_GT(collected, 0u);
	SW_EXPECT_GT(gone, 0u);
}

/* ---- damage ---- */

SW_TEST(snapshot, a_file_that_is_cut_off_anywhere_is_refused)
{
	struct map *m = first_of(1, 3, 1000);
	static struct snapshot_reader r;
	const char *error;
	fill(m, 30);
	SW_ASSERT_EQ(write_file(m, 64, NULL), 0);
	for (size_t len = 0; len < file_len; len++) {
		uint8_t *copy = malloc(len + 1); /* its end is its end, for the sanitizer */
		memcpy(copy, file, len);
		error = NULL;
		SW_EXPECT_FALSE(snapshot_open(&r, copy, len, &error));
		SW_EXPECT_TRUE(error != NULL);
		free(copy);
	}
	map_destroy(m);
}

SW_TEST(snapshot, every_damaged_byte_is_noticed)
{
	struct map *m = first_of(1, 3, 1000);
	static struct snapshot_reader r;
	const char *error;
	fill(m, 30);
	SW_ASSERT_EQ(write_file(m, 64, NULL), 0);
	for (size_t at = 0; at < file_len; at++)
		for (int bit = 0; bit < 8; bit++) {
			file[at] ^= (uint8_t)(1 << bit);
			SW_EXPECT_FALSE(snapshot_open(&r, file, file_len, &error));
			file[at] ^= (uint8_t)(1 << bit);
		}
	SW_EXPECT_TRUE(snapshot_open(&r, file, file_len, &error));
	sw_test_note("%zu bytes", file_len);
	map_destroy(m);
}

SW_TEST(snapshot, a_copy_that_does_not_fit_leaves_the_map_empty)
{
	struct map *m = first_of(1, 3, 2000), *n = map_of(1, 4, 100);
	const char *error;
	fill(m, 1000);
	SW_ASSERT_EQ(write_file(m, 64, NULL), 0);
	SW_EXPECT_EQ(restore(n, &error), -ENOSPC);
	map_restore_none_owner(n);
	SW_EXPECT_EQ(map_record_count(n), 0u);
	SW_EXPECT_EQ(map_vector_hash(n), 0u);
	SW_EXPECT_FALSE(map_ready(n));
	map_destroy(m);
	map_destroy(n);
}
