#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "deltamap/deltamap.h"
#include "sw_test.h"

/* Packets as large as each peer's path carries, and what becomes of them when it changes. */

enum { WIDE = 8952, RECORDS = 2000, PEERS = 4 };

#define T0 SW_NS_PER_S

static struct map *map_of(uint64_t id)
{
	struct map_config c = {
		.self = {id, 1},
		.cluster_seed = 5,
		.records_max = 10000,
		.bytes_max = 8 << 20,
		.pull_interval_ns = 10 * SW_NS_PER_MS,
		.resend_ns = 5 * SW_NS_PER_MS,
		.session_timeout_ns = 100 * SW_NS_PER_MS,
		.packets_per_s_max = 100000000,
		.push = MAP_PUSH_DIRECT,
		.random_seed = id,
	};
	return map_create(&c, T0);
}

static void ready_alone(struct map *m)
{
	map_peers_owner(m, T0, NULL, 0, true);
	map_tick_owner(m, T0);
	SW_ASSERT_TRUE(map_ready(m));
}

static void put(struct map *m, uint32_t number)
{
	char key[16];
	uint8_t value[100] = {0};
	struct dot dot;
	(void)snprintf(key, sizeof(key), "k%u", number);
	SW_ASSERT_EQ(map_put_owner(m, T0, 0, key, strlen(key), value, sizeof(value), &dot), 0);
}

struct taken {
	uint32_t packets, records;
	uint64_t last_seq;
	size_t longest;
	bool out_of_order;
};

static void take(struct taken *t, const uint8_t *bytes, size_t len)
{
	struct sw_reader r = sw_reader_init(bytes, len);
	struct wire_message m;
	struct wire_record record;
	t->packets++;
	t->longest = len > t->longest ? len : t->longest;
	while (wire_next(&r, &m)) {
		if (m.type != WIRE_RECORD || !wire_get_record(&m.payload, &record))
			continue;
		t->out_of_order |= record.dot.seq != t->last_seq + 1;
		t->last_seq = record.dot.seq;
		t->records++;
	}
	SW_EXPECT_FALSE(r.failed);
}

SW_TEST(deltamap_jumbo, pushes_ride_together_where_the_path_carries_it_and_alone_where_not)
{
	static const uint16_t carries[PEERS] = {WIDE, 0, 3448, WIDE};
	struct map *m = map_of(1);
	struct map_peer peers[PEERS];
	struct taken taken[PEERS] = {0};
	uint8_t bytes[WIDE];
	struct sw_endpoint to;
	uint64_t id;
	ready_alone(m);
	for (uint32_t i = 0; i < PEERS; i++)
		peers[i] = (struct map_peer){.actor = {10 + i, 1},
			.at = {.port = (uint16_t)(1 + i)},
			.packet_max = carries[i]};
	map_peers_owner(m, T0, peers, PEERS, true);
	for (uint32_t n = 0; n < 300; n++)
		put(m, n);
	map_tick_owner(m, T0 + SW_NS_PER_MS);
	for (;;) {
		struct sw_writer w = sw_writer_init(bytes, WIDE - WIRE_AROUND_MESSAGES);
		if (!map_output_owner(m, T0 + SW_NS_PER_MS, &w, &id, &to))
			break;
		take(&taken[id - 10], bytes, (size_t)(w.at - bytes));
		map_tick_owner(m, T0 + SW_NS_PER_MS);
	}
	for (uint32_t i = 0; i < PEERS; i++) {
		size_t most = carries[i] == 0 ? (size_t)WIRE_PACKET_MAX : carries[i];
		SW_EXPECT_EQ(taken[i].records, 300u); /* each once */
		SW_EXPECT_FALSE(taken[i].out_of_order);
		SW_EXPECT_LE(taken[i].longest, most - WIRE_AROUND_MESSAGES);
	}
	SW_EXPECT_LT(4 * taken[0].packets, taken[1].packets);
	SW_EXPECT_LT(taken[0].packets, taken[2].packets);
	SW_EXPECT_LT(taken[2].packets, taken[1].packets);
	SW_EXPECT_LT(4 * taken[3].packets, taken[1].packets);
	SW_EXPECT_GT(map_counters(m)->pushes_joined, 0u);
	map_destroy(m);
}

/* A full server and a new one, and a path between them that loses what is too long. */
struct pair {
	struct map *maps[2];
	uint64_t now_ns;
	size_t carries; /* bytes of a whole packet */
	uint32_t packets, lost;
	size_t longest;
};

static void know(struct pair *p, uint32_t viewer, uint16_t packet_max)
{
	struct map_peer peer = {.actor = {2 - viewer, 1},
		.at = {.port = (uint16_t)(2 - viewer)},
		.packet_max = packet_max};
	map_peers_owner(p->maps[viewer], p->now_ns, &peer, 1, true);
}

static void deliver(struct pair *p, uint32_t from, uint8_t *bytes, size_t len)
{
	struct map *sender = p->maps[from];
	size_t whole = len + WIRE_AROUND_MESSAGES;
	if (whole > p->carries) {
		p->lost++;
		return;
	}
	p->packets++;
	p->longest = whole > p->longest ? whole : p->longest;
	struct wire_header h = {.sender = {1 + from, 1}};
	struct wire_prelude prelude = {
		.last_seq = map_last_seq(sender), .floor = map_floor(sender)};
	struct sw_endpoint at = {.port = (uint16_t)(1 + from)};
	struct sw_reader r = sw_reader_init(bytes, len);
	map_input_owner(p->maps[1 - from], p->now_ns, &h, &prelude, &at, &r);
}

static void run(struct pair *p, uint32_t steps)
{
	uint8_t bytes[WIDE];
	struct sw_endpoint to;
	uint64_t id;
	for (uint32_t s = 0; s < steps; s++, p->now_ns += SW_NS_PER_MS / 4)
		for (uint32_t i = 0; i < 2; i++) {
			map_tick_owner(p->maps[i], p->now_ns);
			for (int n = 0; n < 8; n++) { /* few at a time: a session takes a while */
				struct sw_writer w =
					sw_writer_init(bytes, WIDE - WIRE_AROUND_MESSAGES);
				if (!map_output_owner(p->maps[i], p->now_ns, &w, &id, &to))
					break;
				deliver(p, i, bytes, (size_t)(w.at - bytes));
			}
		}
}

static struct pair newcomer(uint16_t packet_max)
{
	struct pair p = {.maps = {map_of(1), map_of(2)}, .now_ns = T0, .carries = WIDE};
	ready_alone(p.maps[0]);
	for (uint32_t n = 0; n < RECORDS; n++)
		put(p.maps[0], n);
	know(&p, 0, packet_max);
	know(&p, 1, packet_max);
	return p;
}

static void end(struct pair *p)
{
	map_destroy(p->maps[0]);
	map_destroy(p->maps[1]);
}

static void expect_equal(const struct pair *p)
{
	SW_EXPECT_EQ(map_record_count(p->maps[1]), (uint32_t)RECORDS);
	SW_EXPECT_EQ(map_content_hash(p->maps[0]), map_content_hash(p->maps[1]));
	SW_EXPECT_EQ(map_vector_hash(p->maps[0]), map_vector_hash(p->maps[1]));
}

SW_TEST(deltamap_jumbo, session_is_cut_for_the_path_of_who_asks)
{
	struct pair wide = newcomer(WIDE), narrow = newcomer(0);
	narrow.carries = WIRE_PACKET_MAX;
	run(&wide, 400);
	run(&narrow, 400);
	expect_equal(&wide);
	expect_equal(&narrow);
	SW_EXPECT_EQ(wide.lost + narrow.lost, 0u);
	SW_EXPECT_GT(wide.longest, (size_t)WIDE - 200);
	SW_EXPECT_LT(4 * map_counters(wide.maps[0])->session_packets,
		map_counters(narrow.maps[0])->session_packets);
	end(&wide);
	end(&narrow);
}

SW_TEST(deltamap_jumbo, session_whose_path_grows_narrow_begins_anew)
{
	struct pair p = newcomer(WIDE);
	for (int i = 0; i < 100 && map_counters(p.maps[0])->session_packets < 4; i++)
		run(&p, 1);
	SW_EXPECT_LT(map_record_count(p.maps[1]), (uint32_t)RECORDS);
	p.carries = WIRE_PACKET_MAX;
	run(&p, 40); /* 10 ms, in which nobody knows */
	SW_EXPECT_GT(p.lost, 0u);
	know(&p, 0, 0);
	know(&p, 1, 0);
	uint32_t lost = p.lost;
	run(&p, 800);
	SW_EXPECT_EQ(p.lost, lost);
	expect_equal(&p);
	end(&p);
}

SW_TEST(deltamap_jumbo, session_whose_path_grows_wide_goes_on_in_larger_packets)
{
	struct pair p = newcomer(0);
	for (int i = 0; i < 100 && map_counters(p.maps[0])->sessions == 0; i++)
		run(&p, 1);
	know(&p, 0, WIDE);
	run(&p, 400);
	SW_EXPECT_EQ(map_counters(p.maps[0])->sessions_expired, 0u);
	SW_EXPECT_EQ(map_counters(p.maps[1])->pulls_failed, 0u);
	SW_EXPECT_GT(p.longest, (size_t)WIRE_PACKET_MAX);
	expect_equal(&p);
	end(&p);
}
