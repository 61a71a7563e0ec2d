/* One PING and nothing else, heard and answered at once, against the same packet message by
 * message: two machines of one history must stay the same, and say the same. */
#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "swim/internal.h"
#include "wire/ping.h"
#include "wire_draw.h"

enum { RUNS = 20, STEPS = 3000, OTHERS = 12, BODY = WIRE_MESSAGES_MAX };

struct pair {
	struct swim *full, *quick;
	uint64_t now_ns;
	struct sw_random random;
	unsigned alike, news;
};

static struct sw_endpoint at(uint64_t id)
{
	return sw_endpoint_from_ipv4(htobe32(0x0a000000 + (uint32_t)id), 7946);
}

static bool pair_create(struct pair *p, uint64_t seed)
{
	struct swim_config c = {.id = 1,
		.epoch = 1,
		.instance = 77,
		.name = "here",
		.weight = 100,
		.at = at(1),
		.seeds = {at(2)},
		.seed_count = 1,
		.profile = swim_profile_lan,
		.features = swim_features_all,
		.random_seed = seed};
	*p = (struct pair){.now_ns = SW_NS_PER_S, .random = sw_random_seed(seed)};
	p->full = swim_create(&c, p->now_ns);
	p->quick = swim_create(&c, p->now_ns);
	return p->full != NULL && p->quick != NULL;
}

static void pair_destroy(struct pair *p)
{
	swim_destroy(p->full);
	swim_destroy(p->quick);
}

static struct wire_header header_of(struct pair *p)
{
	uint64_t id = 1 + sw_random_below(&p->random, OTHERS + 3);
	return (struct wire_header){
		.sender = {id, 1 + (uint32_t)sw_random_below(&p->random, 2)}, .instance = id * 3};
}

static void both_hear(struct pair *p, const struct wire_header *h, const struct sw_endpoint *from,
	uint8_t *message, size_t len)
{
	struct swim *machines[2] = {p->full, p->quick};
	for (int i = 0; i < 2; i++) {
		struct sw_reader r = sw_reader_init(message, len);
		struct wire_message m;
		swim_packet_begin(machines[i], p->now_ns, h, from);
		while (wire_next(&r, &m))
			swim_input(machines[i], p->now_ns, h, from, &m);
	}
}

/* News of a member, of any state. */
static void tell(struct pair *p)
{
	uint8_t bytes[300];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_header h = header_of(p);
	struct sw_endpoint from = at(h.sender.id);
	uint64_t id = 2 + sw_random_below(&p->random, OTHERS);
	struct wire_member m = {.actor = {id, 1},
		.instance = id * 3,
		.incarnation = (uint32_t)sw_random_below(&p->random, 4),
		.state = (uint8_t)(sw_random_below(&p->random, 3) == 0
					   ? sw_random_below(&p->random, 4)
					   : WIRE_ALIVE),
		.weight = 100,
		.at = at(id),
		.accuser_id = 3,
		.name = "other"};
	wire_put_member(&w, WIRE_MEMBER, &m);
	both_hear(p, &h, &from, bytes, (size_t)(w.at - bytes));
}

static void ping(struct pair *p)
{
	uint8_t bytes[64], full[WIRE_SOLE_PING_LEN + BODY], quick[WIRE_SOLE_PING_LEN];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_header h = header_of(p);
	struct sw_endpoint from = at(h.sender.id);
	struct wire_probe probe = {.seq = draw_u32(&p->random),
				  .table_digest = sw_random_below(&p->random, 2) == 0
							  ? swim_table_digest(p->full)
							  : draw_u64(&p->random)},
			  ack;
	struct wire_message m;
	wire_put_probe(&w, WIRE_PING, &probe);
	struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
	swim_packet_begin(p->full, p->now_ns, &h, &from);
	while (wire_next(&r, &m))
		swim_input(p->full, p->now_ns, &h, &from, &m);
	bool before = swim_answers_alike(p->quick, &ack);
	swim_ping(p->quick, p->now_ns, h.sender, h.instance, &from, probe.table_digest);
	/* Answers that were prepared before it still hold. */
	SW_ASSERT_EQ(swim_answers_alike(p->quick, &ack), before);

	struct wire_prelude prelude = {h.sender.id, 5, 6};
	struct sw_writer answer = sw_writer_init(full, sizeof(full));
	wire_put_prelude(&answer, &prelude);
	answer.end = answer.at + BODY;
	swim_answer(p->full, p->now_ns, h.sender.id, probe.seq, &answer);
	if (before) {
		ack.seq = probe.seq;
		wire_put_sole_ack(quick, &prelude, &ack);
		SW_ASSERT_EQ((size_t)(answer.at - full), sizeof(quick));
		SW_ASSERT_EQ(memcmp(full, quick, sizeof(quick)), 0);
		p->alike++;
		return;
	}
	p->news += (size_t)(answer.at - full) > sizeof(quick);
	struct sw_writer same = sw_writer_init(full, sizeof(full));
	swim_answer(p->quick, p->now_ns, h.sender.id, probe.seq, &same);
}

static void expect_same_output(struct pair *p)
{
	uint8_t full[BODY], quick[BODY];
	struct sw_writer f = sw_writer_init(full, sizeof(full)),
			 q = sw_writer_init(quick, sizeof(quick));
	struct sw_endpoint to_full, to_quick;
	uint64_t id_full, id_quick;
	bool any = swim_output(p->full, p->now_ns, &f, &id_full, &to_full);
	SW_ASSERT_EQ(swim_output(p->quick, p->now_ns, &q, &id_quick, &to_quick), any);
	if (!any)
		return;
	SW_ASSERT_EQ(id_full, id_quick);
	SW_ASSERT_TRUE(sw_endpoint_equal(&to_full, &to_quick));
	SW_ASSERT_EQ(f.at - full, q.at - quick);
	SW_ASSERT_EQ(memcmp(full, quick, (size_t)(f.at - full)), 0);
}

SW_TEST(swim_ping, is_heard_and_answered_as_message_by_message)
{
	unsigned alike = 0, news = 0;
	for (uint64_t seed = 0; seed < RUNS; seed++) {
		struct pair p;
		SW_ASSERT_TRUE(pair_create(&p, seed));
		for (unsigned i = 0; i < STEPS; i++) {
			uint64_t what = sw_random_below(&p.random, 40);
			p.now_ns += sw_random_below(&p.random, SW_NS_PER_MS);
			if (what == 0)
				tell(&p);
			else
				ping(&p);
			swim_tick(p.full, p.now_ns);
			swim_tick(p.quick, p.now_ns);
			expect_same_output(&p);
			SW_ASSERT_EQ(swim_version(p.full), swim_version(p.quick));
			SW_ASSERT_EQ(swim_table_digest(p.full), swim_table_digest(p.quick));
			SW_ASSERT_EQ(swim_has_output(p.full), swim_has_output(p.quick));
		}
		SW_EXPECT_EQ(memcmp(swim_counters(p.full), swim_counters(p.quick),
				     sizeof(struct swim_counters)),
			0);
		for (uint32_t i = 0; i < SW_MEMBERS_MAX; i++)
			SW_ASSERT_EQ(p.full->members[i].heard_ns, p.quick->members[i].heard_ns);
		alike += p.alike;
		news += p.news;
		pair_destroy(&p);
	}
	sw_test_note("%u answers alike, %u with news", alike, news);
	SW_EXPECT_GT(alike, 1000u);
	SW_EXPECT_GT(news, 1000u);
}
