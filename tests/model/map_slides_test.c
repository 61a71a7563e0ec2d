/* Why a rule "of concurrent writes rendezvous chooses" alone does not converge, and the stamps do.
 *
 * w(A) > w(B) > w(C); c1 overwrites a1 knowingly; b1 is concurrent with both. Whoever compares two
 * records at a time by that rule, and forgets the loser, ends with any of the three, depending on
 * what came first, under one and the same vector: a1 beats b1, b1 beats c1, but c1 follows a1. */
#include <stdio.h>
#include <string.h>

#include "deltamap/deltamap.h"
#include "rendezvous/rendezvous.h"
#include "sw_test.h"

enum { A, B, C, WRITERS, ORDERS = 6 };

static const uint64_t NOW_NS = 1000000000;
static const char key_names[] = "abcdefghijklmnopqrstuvwxyz";
static const int orders[ORDERS][WRITERS] = {
	{A, B, C}, {A, C, B}, {B, A, C}, {B, C, A}, {C, A, B}, {C, B, A}};

/* One push, as it goes over the wire. */
struct push {
	struct actor from;
	size_t len;
	uint8_t bytes[WIRE_MESSAGES_MAX];
};

static uint64_t weight(const char *key, int writer)
{
	return rendezvous_weight(
		rendezvous_key_hash(7, key, 1), rendezvous_server_hash((uint64_t)writer + 1));
}

static const char *key_of_falling_weights(void)
{
	for (const char *key = key_names; *key != '\0'; key++)
		if (weight(key, A) > weight(key, B) && weight(key, B) > weight(key, C))
			return key;
	return NULL;
}

static struct map *replica(uint64_t id)
{
	struct map_config config = {
		.self = {id, 1},
		.cluster_seed = 7,
		.records_max = 16,
		.bytes_max = 65536,
		.pull_interval_ns = 1000 * NOW_NS,
		.resend_ns = NOW_NS,
		.session_timeout_ns = NOW_NS,
		.packets_per_s_max = 1000000000,
		.random_seed = id,
	};
	struct map *map = map_create(&config, NOW_NS);
	struct map_peer peer = {.actor = {99, 1}};
	map_peers_owner(map, NOW_NS, NULL, 0, true);
	map_tick_owner(map, NOW_NS); /* alone: the first */
	map_peers_owner(map, NOW_NS, &peer, 1, true);
	return map;
}

static struct push put(struct map *map, uint64_t id, const char *key, const char *value)
{
	struct push push = {.from = {id, 1}};
	struct sw_writer w = sw_writer_init(push.bytes, sizeof(push.bytes));
	struct sw_endpoint to;
	struct dot dot;
	uint64_t to_id;
	SW_EXPECT_EQ(map_put_owner(map, NOW_NS, 0, key, 1, value, strlen(value), &dot), 0);
	map_tick_owner(map, NOW_NS);
	SW_EXPECT_TRUE(map_output_owner(map, NOW_NS, &w, &to_id, &to));
	push.len = (size_t)(w.at - push.bytes);
	return push;
}

static void hear(struct map *map, const struct push *push)
{
	struct wire_header header = {.sender = push->from, .instance = 1};
	struct wire_prelude prelude = {0};
	struct sw_endpoint from = {0};
	struct sw_reader messages = sw_reader_init(push->bytes, push->len);
	map_input_owner(map, NOW_NS, &header, &prelude, &from, &messages);
}

/* The writes: c1 knows a1, b1 knows nothing. */
static void write_all(const char *key, struct push pushes[WRITERS])
{
	struct map *a = replica(1), *b = replica(2), *c = replica(3);
	pushes[A] = put(a, 1, key, "a1");
	pushes[B] = put(b, 2, key, "b1");
	hear(c, &pushes[A]);
	pushes[C] = put(c, 3, key, "c1");
	map_destroy(a);
	map_destroy(b);
	map_destroy(c);
}

SW_TEST(map_slides, stamps_end_the_same_in_every_order)
{
	const char *key = key_of_falling_weights();
	struct push pushes[WRITERS];
	uint64_t vector = 0, content = 0;
	SW_ASSERT_TRUE(key != NULL);
	write_all(key, pushes);
	for (int o = 0; o < ORDERS; o++) {
		struct map *map = replica(10);
		struct map_view view;
		for (int i = 0; i < WRITERS; i++)
			hear(map, &pushes[orders[o][i]]);
		SW_ASSERT_TRUE(map_get_reader(map, key, 1, &view));
		SW_EXPECT_EQ(view.value_len, 2);
		SW_EXPECT_MEM(view.value, "c1", 2);
		vector = o == 0 ? map_vector_hash(map) : vector;
		content = o == 0 ? map_content_hash(map) : content;
		SW_EXPECT_EQ(map_vector_hash(map), vector);
		SW_EXPECT_EQ(map_content_hash(map), content);
		map_destroy(map);
	}
}

/* ---- the rule on its own ---- */

struct naive {
	int writer;       /* WRITERS: nothing yet */
	unsigned covered; /* the vector, a bit for each write */
};

static bool knew(int later, int earlier)
{
	return later == C && earlier == A;
}

static void naive_merge(struct naive *n, const char *key, int writer)
{
	bool takes = n->writer == WRITERS || knew(writer, n->writer) ||
		     (!knew(n->writer, writer) && weight(key, writer) > weight(key, n->writer));
	n->covered |= 1u << writer;
	if (takes)
		n->writer = writer;
}

SW_TEST(map_slides, rendezvous_alone_ends_differently_under_one_vector)
{
	const char *key = key_of_falling_weights();
	unsigned ends = 0;
	SW_ASSERT_TRUE(key != NULL);
	for (int o = 0; o < ORDERS; o++) {
		struct naive n = {.writer = WRITERS};
		for (int i = 0; i < WRITERS; i++)
			naive_merge(&n, key, orders[o][i]);
		SW_EXPECT_EQ(n.covered, 7u);
		ends |= 1u << n.writer;
	}
	SW_EXPECT_EQ(ends, (1u << A | 1u << B | 1u << C));
}
