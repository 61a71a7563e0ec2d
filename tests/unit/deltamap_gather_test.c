#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "deltamap/deltamap.h"

/* A session is gathered in many turns, between which the map goes on: it is nevertheless the map of
 * one moment, and no turn does more than a bounded piece. */

enum { KEYS = 5000, ASKER = 7, TURNS_MAX = 1000 };

#define T0 SW_NS_PER_S

static struct map *make(uint32_t records_max)
{
	struct map_config c = {
		.self = {1, 1},
		.cluster_seed = 5,
		.records_max = records_max,
		.bytes_max = (uint64_t)records_max * 1024,
		.pull_interval_ns = 1000000 * SW_NS_PER_S,
		.resend_ns = 5 * SW_NS_PER_MS,
		.session_timeout_ns = 100 * SW_NS_PER_MS,
		.packets_per_s_max = 1000000000,
		.random_seed = 1,
	};
	struct map_peer peers[] = {{.actor = {ASKER, 1}, .at = {.port = 7}},
		{.actor = {ASKER + 1, 1}, .at = {.port = 8}}};
	struct map *m = map_create(&c, T0);
	map_peers_owner(m, T0, NULL, 0, true);
	map_tick_owner(m, T0);
	map_peers_owner(m, T0, peers, 2, true);
	return m;
}

static void put(struct map *m, uint32_t key, uint32_t value)
{
	struct dot dot;
	SW_ASSERT_EQ(map_put_owner(m, T0, 0, &key, sizeof(key), &value, sizeof(value), &dot), 0);
}

static void discard_pushes(struct map *m)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct sw_endpoint to;
	uint64_t id;
	map_tick_owner(m, T0 + SW_NS_PER_MS);
	while (map_output_owner(m, T0 + SW_NS_PER_MS, &w, &id, &to))
		w = sw_writer_init(bytes, sizeof(bytes));
}

static void input(struct map *m, uint64_t from, uint64_t now_ns, const struct sw_writer *w,
	const uint8_t *bytes)
{
	struct wire_header header = {.sender = {from, 1}};
	struct wire_prelude prelude = {0};
	struct sw_endpoint nowhere = {.port = 7};
	struct sw_reader body = sw_reader_init(bytes, (size_t)(w->at - bytes));
	map_input_owner(m, now_ns, &header, &prelude, &nowhere, &body);
}

static void ask(struct map *m, uint64_t from, uint64_t nonce, uint64_t seq)
{
	uint8_t bytes[256];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_version_req req = {.nonce = nonce, .parts = 1};
	struct vv_entry entry = {{1, 1}, seq};
	wire_put_version_req(&w, &req);
	wire_put_vector(&w, &entry, seq > 0);
	input(m, from, T0, &w, bytes);
}

static void end_session(struct map *m, uint64_t nonce)
{
	uint8_t bytes[64];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	wire_put_session_done(&w, nonce);
	input(m, ASKER, T0, &w, bytes);
}

struct answer {
	uint32_t packets, of, records, out_of_order;
	uint64_t vector_seq;
	uint32_t values[KEYS + 1]; /* 0: not sent */
};

static void take_packet(struct answer *a, const uint8_t *bytes, size_t len, uint64_t nonce)
{
	struct sw_reader messages = sw_reader_init(bytes, len);
	struct wire_message m;
	struct wire_record r;
	struct wire_session_data data = {0};
	struct vv_entry entry;
	uint64_t last_seq = 0;
	while (wire_next(&messages, &m)) {
		if (m.type == WIRE_SESSION_DATA && wire_get_session_data(&m.payload, &data)) {
			if (data.nonce != nonce)
				return;
			a->packets++;
			a->of = data.packets;
		} else if (m.type == WIRE_VECTOR) {
			while (wire_next_vector_entry(&m.payload, &entry))
				if (entry.actor.id == 1)
					a->vector_seq = entry.seq;
		} else if (m.type == WIRE_RECORD && data.packets > 0 &&
			   wire_get_record(&m.payload, &r)) {
			uint32_t key, value;
			memcpy(&key, r.key, sizeof(key));
			memcpy(&value, r.value, sizeof(value));
			a->out_of_order += r.dot.seq < last_seq;
			last_seq = r.dot.seq;
			a->values[key] = value;
			a->records++;
		}
	}
}

/* Asks for every packet, a window at a time, until all have come. */
static void receive(struct map *m, struct answer *a, uint64_t nonce)
{
	uint8_t bytes[WIRE_MESSAGES_MAX], get_bytes[256];
	struct sw_endpoint to;
	uint64_t id;
	uint32_t first = WIRE_SESSION_WINDOW, snapshot = 0;
	for (int turn = 0; turn < TURNS_MAX && (a->of == 0 || a->packets < a->of); turn++) {
		struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
		while (map_output_owner(m, T0 + SW_NS_PER_MS, &w, &id, &to)) {
			struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
			struct wire_message msg;
			struct wire_session_data data;
			if (id == ASKER && wire_next(&r, &msg) && msg.type == WIRE_SESSION_DATA &&
				wire_get_session_data(&msg.payload, &data))
				snapshot = data.snapshot;
			if (id == ASKER)
				take_packet(a, bytes, (size_t)(w.at - bytes), nonce);
			w = sw_writer_init(bytes, sizeof(bytes));
		}
		map_tick_owner(m, T0 + SW_NS_PER_MS);
		if (a->packets < first || a->packets == a->of)
			continue;
		struct wire_session_get get = {
			.nonce = nonce, .snapshot = snapshot, .first = first};
		memset(get.wanted, 0xff, sizeof(get.wanted));
		struct sw_writer g = sw_writer_init(get_bytes, sizeof(get_bytes));
		wire_put_session_get(&g, &get);
		input(m, ASKER, T0 + SW_NS_PER_MS, &g, get_bytes);
		first += WIRE_SESSION_WINDOW;
	}
}

static struct map *filled(void)
{
	struct map *m = make(2 * KEYS);
	for (uint32_t key = 1; key <= KEYS; key++) {
		put(m, key, key);
		discard_pushes(m);
	}
	return m;
}

/* Overwrites, deletes and new keys between any two turns. */
SW_TEST(map_gather, a_session_is_the_map_of_the_moment_it_was_asked_for)
{
	struct map *m = filled();
	struct answer *a = calloc(1, sizeof(*a));
	struct sw_random random = sw_random_seed(1);
	ask(m, ASKER, 99, 1000);
	uint32_t turns = 0;
	while (map_deadline(m) == 0 && turns < TURNS_MAX) {
		for (int i = 0; i < 300; i++) {
			struct dot dot;
			uint32_t key = 1 + (uint32_t)sw_random_below(&random, KEYS);
			if (i % 3 == 0)
				(void)map_del_owner(m, T0, 0, &key, sizeof(key), &dot);
			else
				put(m, key, key + 1000000);
		}
		put(m, KEYS + 1 + turns, 1);
		map_tick_owner(m, T0 + SW_NS_PER_MS);
		turns++;
	}
	SW_EXPECT_GT(turns, 5u);
	receive(m, a, 99);
	SW_EXPECT_EQ(a->packets, a->of);
	SW_EXPECT_EQ(a->vector_seq, (uint64_t)KEYS);
	SW_EXPECT_EQ(a->records, (uint32_t)KEYS - 1000);
	SW_EXPECT_EQ(a->out_of_order, 0u);
	for (uint32_t key = 1; key <= KEYS; key++)
		SW_ASSERT_EQ(a->values[key], key > 1000 ? key : 0);
	free(a);
	map_destroy(m);
}

static void free_retired(struct map *m)
{
	while (map_has_retired_owner(m)) {
		map_seal_owner(m);
		map_free_owner(m);
	}
}

/* How many other keys fit tells what is still held. */
static uint32_t fill_up(struct map *m)
{
	uint32_t n = 0;
	static const uint8_t large[1000];
	for (struct dot dot;; n++) {
		uint32_t key = 1000000 + n;
		if (map_put_owner(m, T0, 0, &key, sizeof(key), large, sizeof(large), &dot) != 0)
			return n;
		discard_pushes(m);
	}
}

/* Cut off in the middle, and replaced in the middle: nothing stays pinned. */
SW_TEST(map_gather, what_a_session_held_is_free_after_it)
{
	struct map *m = filled(), *other = filled();
	for (uint64_t nonce = 1; nonce <= 20; nonce++) {
		ask(m, ASKER, nonce, 0);
		for (uint32_t turn = 0; turn < nonce % 13; turn++) {
			for (uint32_t key = 1; key <= KEYS; key += 3) {
				put(m, key, 5);
				discard_pushes(m);
			}
			map_tick_owner(m, T0 + SW_NS_PER_MS);
			free_retired(m);
		}
		if (nonce % 2 == 0)
			end_session(m, nonce);
	}
	end_session(m, 19);
	for (int turn = 0; turn < TURNS_MAX && map_deadline(m) == 0; turn++)
		map_tick_owner(m, T0 + SW_NS_PER_MS);
	SW_EXPECT_GT(map_deadline(m), (uint64_t)0);
	free_retired(m);
	SW_EXPECT_EQ(map_record_count(m), map_record_count(other));
	SW_EXPECT_EQ(fill_up(m), fill_up(other));
	map_destroy(m);
	map_destroy(other);
}

/* The second asker waits for its turn, and gets what is there then. */
SW_TEST(map_gather, sessions_wait_for_one_another)
{
	struct map *m = filled();
	struct answer *a = calloc(1, sizeof(*a));
	ask(m, ASKER + 1, 1, 0);
	ask(m, ASKER, 2, 0);
	put(m, 1, 77);
	receive(m, a, 2);
	SW_EXPECT_EQ(a->packets, a->of);
	SW_EXPECT_EQ(a->records, (uint32_t)KEYS);
	SW_EXPECT_EQ(a->values[1], 77u);
	SW_EXPECT_EQ(a->vector_seq, (uint64_t)KEYS + 1);
	SW_EXPECT_EQ(map_counters(m)->sessions, (uint64_t)2);
	free(a);
	map_destroy(m);
}

/* Its delta would not hold the tombstone, and its vector would say that it did. */
SW_TEST(map_gather, who_waited_while_what_it_has_not_seen_was_collected_gets_no_delta)
{
	struct map *m = filled();
	struct answer *a = calloc(1, sizeof(*a));
	const uint32_t key = 1;
	struct dot dot;
	SW_ASSERT_EQ(map_del_owner(m, T0, 0, &key, sizeof(key), &dot), 0);
	discard_pushes(m);
	ask(m, ASKER + 1, 1, 0);
	ask(m, ASKER, 2, KEYS);
	struct map_peer over[] = {{.actor = {ASKER, 1}, .state = MAP_PEER_OVER},
		{.actor = {ASKER + 1, 1}, .state = MAP_PEER_OVER}};
	map_peers_owner(m, T0, over, 2, true); /* forgotten: nobody is waited for */
	map_tick_owner(m, T0 + 3 * SW_NS_PER_MS);
	receive(m, a, 2);
	SW_EXPECT_EQ(map_tombstone_count(m), 0u);
	SW_EXPECT_EQ(a->packets, 0u);
	SW_EXPECT_EQ(map_counters(m)->sessions_expired, (uint64_t)1);
	free(a);
	map_destroy(m);
}
