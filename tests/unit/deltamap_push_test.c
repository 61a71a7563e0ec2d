#include "sw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "deltamap/deltamap.h"

/* Who is sent what at once, and who has to wait for whom. */

enum { PEERS = 63 };

static struct map_config config(enum map_push push, uint32_t packets_per_s)
{
	return (struct map_config){
		.self = {1, 1},
		.cluster_seed = 5,
		.records_max = 20000,
		.bytes_max = 32 << 20,
		.pull_interval_ns = 1000000 * SW_NS_PER_S,
		.resend_ns = 5 * SW_NS_PER_MS,
		.session_timeout_ns = 100 * SW_NS_PER_MS,
		.packets_per_s_max = packets_per_s,
		.push = push,
		.random_seed = 1,
	};
}

static struct map *with_peers(const struct map_config *c)
{
	struct map *m = map_create(c, SW_NS_PER_S);
	struct map_peer peers[PEERS];
	for (uint32_t i = 0; i < PEERS; i++)
		peers[i] =
			(struct map_peer){.actor = {i + 2, 1}, .at = {.port = (uint16_t)(i + 2)}};
	map_peers_owner(m, SW_NS_PER_S, NULL, 0, true);
	map_tick_owner(m, SW_NS_PER_S);
	map_peers_owner(m, SW_NS_PER_S, peers, PEERS, true);
	return m;
}

static void put(struct map *m, uint64_t now_ns, const char *key, size_t len)
{
	static uint8_t value[1200];
	struct dot dot;
	SW_ASSERT_EQ(map_put_owner(m, now_ns, 0, key, strlen(key), value, len, &dot), 0);
}

struct sent {
	uint32_t packets, relays, records, sessions;
	bool to[PEERS + 2];
};

static struct sent send_all(struct map *m, uint64_t now_ns)
{
	struct sent s = {0};
	uint8_t bytes[WIRE_MESSAGES_MAX];
	uint64_t to_id;
	struct sw_endpoint to;
	struct wire_message message;
	map_tick_owner(m, now_ns);
	for (;;) {
		struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
		if (!map_output_owner(m, now_ns, &w, &to_id, &to))
			return s;
		struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
		bool session = false;
		s.packets++;
		while (wire_next(&r, &message)) {
			session |= message.type == WIRE_SESSION_DATA;
			s.relays += message.type == WIRE_RELAY;
			s.records += message.type == WIRE_RECORD && !session;
		}
		s.sessions += session;
		s.to[to_id] |= !session;
	}
}

static uint32_t reached(const struct sent *s)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < PEERS + 2; i++)
		n += s->to[i];
	return n;
}

SW_TEST(deltamap_push, direct_goes_to_everybody_and_epidemic_to_a_few)
{
	struct map_config direct = config(MAP_PUSH_DIRECT, 100000000),
			  epidemic = config(MAP_PUSH_EPIDEMIC, 100000000);
	struct map *d = with_peers(&direct), *e = with_peers(&epidemic);
	put(d, SW_NS_PER_S, "k", 100);
	put(e, SW_NS_PER_S, "k", 100);
	struct sent a = send_all(d, SW_NS_PER_S), b = send_all(e, SW_NS_PER_S);
	SW_EXPECT_EQ(reached(&a), (uint32_t)PEERS);
	SW_EXPECT_EQ(a.relays, 0u);
	SW_EXPECT_EQ(reached(&b), 4u);
	SW_EXPECT_EQ(b.relays, 4u);
	map_destroy(d);
	map_destroy(e);
}

SW_TEST(deltamap_push, beyond_the_budget_it_becomes_an_epidemic)
{
	/* 20,000 packets/s: 100 packets in half of the depth, one direct push and no second. */
	struct map_config c = config(MAP_PUSH_BY_BUDGET, 20000);
	struct map *m = with_peers(&c);
	for (int i = 0; i < 4; i++) {
		char key[8];
		snprintf(key, sizeof(key), "k%d", i);
		put(m, SW_NS_PER_S, key, 1100); /* one fills a packet */
	}
	struct sent s = send_all(m, SW_NS_PER_S);
	SW_EXPECT_EQ(s.packets, PEERS + 3 * 4u);
	SW_EXPECT_EQ(s.relays, 3 * 4u);
	map_destroy(m);
}

static void relayed(struct map *m, uint8_t hops, uint64_t seq, const char *key)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_record r = {.key_len = (uint8_t)strlen(key),
		.value_len = 1,
		.clock = 1,
		.author = {{5, 1}, seq},
		.dot = {{5, 1}, seq},
		.key = (const uint8_t *)key,
		.value = (const uint8_t *)"v"};
	wire_put_relay(&w, hops);
	wire_put_record(&w, &r);
	struct wire_header h = {.sender = {5, 1}};
	struct wire_prelude prelude = {.last_seq = 0};
	struct sw_endpoint from = {.port = 5};
	struct sw_reader reader = sw_reader_init(bytes, (size_t)(w.at - bytes));
	map_input_owner(m, SW_NS_PER_S, &h, &prelude, &from, &reader);
}

SW_TEST(deltamap_push, what_is_news_is_passed_on_as_often_as_it_says_and_never_twice)
{
	struct map_config c = config(MAP_PUSH_BY_BUDGET, 100000000);
	struct map *m = with_peers(&c);
	relayed(m, 2, 1, "a");
	struct sent s = send_all(m, SW_NS_PER_S);
	SW_EXPECT_EQ(reached(&s), 4u);
	SW_EXPECT_EQ(s.relays, 4u);
	relayed(m, 2, 1, "a"); /* again: known */
	SW_EXPECT_EQ(send_all(m, SW_NS_PER_S).packets, 0u);
	relayed(m, 1, 2, "b"); /* the last hop */
	SW_EXPECT_EQ(send_all(m, SW_NS_PER_S).packets, 0u);
	relayed(m, 0, 3, "c");
	SW_EXPECT_EQ(send_all(m, SW_NS_PER_S).packets, 0u);
	SW_EXPECT_EQ(map_counters(m)->relayed, 1u);
	map_destroy(m);
}

/* A newcomer asks for everything; a write made meanwhile does not wait for that. */
SW_TEST(deltamap_push, a_newcomers_session_does_not_hold_up_the_others_writes)
{
	struct map_config c = config(MAP_PUSH_DIRECT, 20000);
	struct map *m = with_peers(&c);
	uint64_t now_ns = 2 * SW_NS_PER_S;
	for (int i = 0; i < 60; i++) {
		char key[8];
		snprintf(key, sizeof(key), "k%d", i);
		put(m, now_ns, key, 1100);
	}
	for (int i = 0; i < 2000; i++, now_ns += SW_NS_PER_MS)
		(void)send_all(m, now_ns);
	uint8_t bytes[256];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_version_req req = {.nonce = 9, .first_session = true, .parts = 1};
	wire_put_version_req(&w, &req);
	wire_put_vector(&w, NULL, 0);
	struct wire_header h = {.sender = {7, 1}};
	struct wire_prelude prelude = {.last_seq = 0};
	struct sw_endpoint from = {.port = 7};
	struct sw_reader reader = sw_reader_init(bytes, (size_t)(w.at - bytes));
	map_input_owner(m, now_ns, &h, &prelude, &from, &reader);
	struct sent s = send_all(m, now_ns);
	SW_EXPECT_GT(s.sessions, 50u);
	/* The session has taken what it may; the write still goes to all, in this very moment. */
	put(m, now_ns, "mine", 100);
	s = send_all(m, now_ns);
	SW_EXPECT_EQ(reached(&s), (uint32_t)PEERS);
	map_destroy(m);
}
