#include "sw_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "deltamap/deltamap.h"

enum { KEYS = 500 };

static struct map *filled(void)
{
	struct map_config c = {
		.self = {1, 1},
		.cluster_seed = 5,
		.records_max = 1000,
		.bytes_max = 1 << 20,
		.pull_interval_ns = SW_NS_PER_S,
		.resend_ns = SW_NS_PER_S,
		.session_timeout_ns = SW_NS_PER_S,
		.packets_per_s_max = 1000,
		.random_seed = 1,
	};
	struct map *m = map_create(&c, SW_NS_PER_S);
	struct dot dot;
	map_peers_owner(m, SW_NS_PER_S, NULL, 0, true);
	map_tick_owner(m, SW_NS_PER_S);
	for (uint32_t i = 0; i < KEYS; i++) {
		char key[16];
		int len = snprintf(key, sizeof(key), "k%u", i);
		SW_EXPECT_EQ(
			map_put_owner(m, SW_NS_PER_S, 0, key, (size_t)len, &i, sizeof(i), &dot), 0);
	}
	return m;
}

/* Keys that are there, that are deleted and that never were, in bulks of every size. */
SW_TEST(map_read, a_bulk_finds_what_single_reads_find)
{
	struct map *m = filled();
	struct dot dot;
	char names[MAP_BULK_MAX][16];
	struct map_key keys[MAP_BULK_MAX];
	SW_EXPECT_EQ(map_del_owner(m, SW_NS_PER_S, 0, "k7", 2, &dot), 0);
	for (uint32_t count = 0; count <= MAP_BULK_MAX; count++) {
		struct map_found found[MAP_BULK_MAX];
		for (uint32_t i = 0; i < count; i++) {
			uint32_t n = i % 3 == 2 ? KEYS + i : i * 7;
			int len = snprintf(names[i], sizeof(names[i]), "k%u", n);
			keys[i] = (struct map_key){names[i], (size_t)len};
		}
		memset(found, 0xff, sizeof(found));
		uint64_t hits = map_get_bulk_reader(m, keys, count, found);
		SW_EXPECT_TRUE(count == MAP_BULK_MAX || hits >> count == 0);
		for (uint32_t i = 0; i < count; i++) {
			struct map_view one, other;
			bool there = map_get_reader(m, keys[i].bytes, keys[i].len, &one);
			SW_ASSERT_EQ((uint32_t)(hits >> i & 1), (uint32_t)there);
			if (!there)
				continue;
			map_view_reader(m, found[i].record, &other);
			SW_EXPECT_EQ(map_stamp_compare(&one, &other), 0);
			SW_EXPECT_TRUE(found[i].value == one.value && other.key == one.key);
			SW_EXPECT_EQ(found[i].value_len, one.value_len);
			SW_EXPECT_EQ(found[i].tombstone, one.tombstone);
			SW_EXPECT_EQ(one.tombstone, strcmp(names[i], "k7") == 0);
		}
	}
	map_destroy(m);
}

/* Fetching ahead is for speed alone: it reads junk, cut messages and keys that are absent, and
 * changes nothing. */
SW_TEST(map_read, fetching_ahead_changes_nothing)
{
	struct map *m = filled();
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	for (uint32_t i = 0; i < 20; i++) {
		char key[16];
		int len = snprintf(key, sizeof(key), "k%u", i * 50);
		struct wire_record r = {.key_len = (uint8_t)len,
			.clock = 9,
			.author = {{2, 1}, i + 1},
			.dot = {{2, 1}, i + 1},
			.key = (const uint8_t *)key};
		wire_put_record(&w, &r);
	}
	size_t len = (size_t)(w.at - bytes);
	uint64_t content = map_content_hash(m), vector = map_vector_hash(m);
	for (size_t cut = 0; cut <= len; cut++) {
		struct sw_reader packets[MAP_AHEAD_PACKETS];
		for (int i = 0; i < MAP_AHEAD_PACKETS; i++)
			packets[i] = sw_reader_init(bytes, i == 0 ? cut : len);
		map_ahead_owner(m, packets, MAP_AHEAD_PACKETS);
		for (int i = 0; i <= MAP_AHEAD_STEPS; i++)
			map_ahead_step_owner(m);
	}
	SW_EXPECT_EQ(map_content_hash(m), content);
	SW_EXPECT_EQ(map_vector_hash(m), vector);
	SW_EXPECT_EQ(map_record_count(m), (uint32_t)KEYS);
	map_destroy(m);
}
