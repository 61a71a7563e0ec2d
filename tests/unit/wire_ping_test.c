/* A body that is one PING, in one pass, against the decoders that take any body apart. */
#include "sw_test.h"

#include "wire/ping.h"
#include "wire_draw.h"

enum { ROUNDS = 200000 };

/* What the general decoders find: true if it is one PING that they take, and nothing else. */
static bool take_apart(
	const uint8_t *body, size_t len, struct wire_prelude *prelude, struct wire_probe *ping)
{
	struct sw_reader r = sw_reader_init(body, len);
	struct wire_message m, more;
	wire_get_prelude(&r, prelude);
	return !r.failed && wire_next(&r, &m) && m.type == WIRE_PING &&
	       sw_reader_left(&m.payload) == WIRE_PING_LEN && wire_get_probe(&m.payload, ping) &&
	       !wire_next(&r, &more) && !r.failed;
}

SW_TEST(wire_ping, is_found_exactly_where_the_decoders_find_it)
{
	struct sw_random random = sw_random_seed(1);
	unsigned found = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t body[WIRE_SOLE_PING_LEN + 8] = {0};
		struct sw_writer w = sw_writer_init(body, sizeof(body));
		struct wire_prelude prelude = {draw_u64(&random), draw_between(&random, 0, SEQ_MAX),
					    draw_u64(&random)},
				    quick_prelude, full_prelude;
		struct wire_probe probe, quick = {0}, full = {0};
		draw_probe(&random, &probe);
		wire_put_prelude(&w, &prelude);
		wire_put_probe(&w, sw_random_below(&random, 8) == 0 ? WIRE_ACK : WIRE_PING, &probe);
		if (sw_random_below(&random, 8) == 0)
			w.at += sw_random_below(&random, 9);
		size_t len = (size_t)(w.at - body);
		for (uint64_t n = sw_random_below(&random, 3); n > 0; n--)
			body[sw_random_below(&random, 32)] = (uint8_t)sw_random_u64(&random);
		bool is = wire_get_sole_ping(body, len, &quick_prelude, &quick);
		SW_ASSERT_EQ(is, take_apart(body, len, &full_prelude, &full));
		found += is;
		if (!is)
			continue;
		SW_ASSERT_EQ(quick_prelude.dst_id, full_prelude.dst_id);
		SW_ASSERT_EQ(quick_prelude.last_seq, full_prelude.last_seq);
		SW_ASSERT_EQ(quick_prelude.floor, full_prelude.floor);
		SW_ASSERT_EQ(quick.seq, full.seq);
		SW_ASSERT_EQ(quick.table_digest, full.table_digest);
		SW_ASSERT_EQ(quick.vector_hash, full.vector_hash);
		SW_ASSERT_EQ(quick.content_hash, full.content_hash);
	}
	SW_EXPECT_GT(found, ROUNDS / 4u);
	SW_EXPECT_LT(found, ROUNDS * 9u / 10);
}

SW_TEST(wire_ping, ack_is_written_as_the_encoders_write_it)
{
	struct sw_random random = sw_random_seed(2);
	for (unsigned i = 0; i < ROUNDS / 10; i++) {
		uint8_t quick[WIRE_SOLE_PING_LEN], full[WIRE_SOLE_PING_LEN];
		struct sw_writer w = sw_writer_init(full, sizeof(full));
		struct wire_prelude prelude = {
			draw_u64(&random), draw_between(&random, 0, SEQ_MAX), draw_u64(&random)};
		struct wire_probe probe;
		draw_probe(&random, &probe);
		wire_put_prelude(&w, &prelude);
		wire_put_probe(&w, WIRE_ACK, &probe);
		SW_ASSERT_TRUE(!w.failed && w.at == w.end);
		wire_put_sole_ack(quick, &prelude, &probe);
		SW_ASSERT_EQ(memcmp(quick, full, sizeof(full)), 0);

		/* Of another one's. */
		uint8_t like[WIRE_SOLE_PING_LEN], again[WIRE_SOLE_PING_LEN];
		uint64_t dst_id = prelude.dst_id;
		uint32_t seq = probe.seq;
		prelude.dst_id = draw_u64(&random);
		probe.seq = (uint32_t)draw_u64(&random);
		wire_put_sole_ack(like, &prelude, &probe);
		wire_put_sole_ack_like(again, like, dst_id, seq);
		SW_ASSERT_EQ(memcmp(again, full, sizeof(full)), 0);
		SW_ASSERT_EQ(wire_sole_ping_seq(full), seq);
		SW_ASSERT_EQ(wire_sole_ping_digest(full), probe.table_digest);
	}
}
