#include "sw_test.h"
#include "sim.h"

#include <errno.h>
#include <stdio.h>

/* Packets that are well-formed and mean harm: in the clear anybody can send them. A server may be
 * misled by them, but must neither stop nor break its own rules. */

static const struct sw_endpoint stranger = {.port = 9};

static struct swim *lone_swim(uint32_t epoch, bool joining)
{
	struct swim_config c = {
		.id = 1,
		.epoch = epoch,
		.instance = 11,
		.name = "one",
		.weight = SW_WEIGHT_DEFAULT,
		.at = sw_endpoint_from_ipv4(htobe32(0x0a000001), 7946),
		.seeds = {sw_endpoint_from_ipv4(htobe32(0x0a000002), 7946)},
		.seed_count = joining ? 1 : 0,
		.profile = swim_profile_lan,
		.random_seed = 1,
	};
	struct swim *s = swim_create(&c, SW_NS_PER_S);
	swim_tick(s, SW_NS_PER_S);
	return s;
}

/* Everything it has to say is encoded: the encoder asserts that it is in range. */
static uint32_t speak(struct swim *s, uint64_t now_ns)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_endpoint to;
	uint64_t to_id;
	uint32_t n = 0;
	for (;; n++) {
		struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
		if (!swim_output(s, now_ns, &w, &to_id, &to))
			return n;
	}
}

static void hear(struct swim *s, uint64_t now_ns, struct actor sender, uint64_t instance,
	const uint8_t *bytes, const uint8_t *end)
{
	struct wire_header h = {.sender = sender, .instance = instance};
	struct sw_reader r = sw_reader_init(bytes, (size_t)(end - bytes));
	struct wire_message m;
	swim_packet_begin(s, now_ns, &h, &stranger);
	while (wire_next(&r, &m))
		swim_input(s, now_ns, &h, &stranger, &m);
}

static void hear_member(struct swim *s, const struct wire_member *record)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	wire_put_member(&w, WIRE_MEMBER, record);
	hear(s, SW_NS_PER_S, (struct actor){7, 1}, 77, bytes, w.at);
}

static struct wire_member about_self(
	uint32_t epoch, uint64_t instance, uint32_t incarnation, uint8_t state)
{
	return (struct wire_member){.actor = {1, epoch},
		.instance = instance,
		.incarnation = incarnation,
		.state = state,
		.weight = SW_WEIGHT_DEFAULT,
		.name = "one",
		.at = sw_endpoint_from_ipv4(htobe32(0x0a000001), 7946)};
}

SW_TEST(hostile, a_claim_of_the_largest_epoch_leaves_a_server_under_its_own)
{
	struct swim *s = lone_swim(5, false);
	SW_ASSERT_EQ(swim_phase(s), SWIM_RUNNING);
	struct wire_member claim = about_self(UINT32_MAX, 99, 0, WIRE_DEAD);
	hear_member(s, &claim);
	SW_EXPECT_EQ(swim_self(s).epoch, 5u);
	(void)speak(s, SW_NS_PER_S);
	swim_destroy(s);
}

SW_TEST(hostile, the_largest_incarnation_of_the_largest_epoch_is_not_refuted_by_starting_over)
{
	struct swim *s = lone_swim(UINT32_MAX, false);
	struct wire_member claim = about_self(UINT32_MAX, 11, UINT32_MAX, WIRE_SUSPECT);
	hear_member(s, &claim);
	SW_EXPECT_EQ(swim_self(s).epoch, UINT32_MAX);
	(void)speak(s, SW_NS_PER_S);
	swim_destroy(s);
}

SW_TEST(hostile, a_joining_server_does_not_count_past_the_largest_epoch)
{
	struct swim *s = lone_swim(5, true);
	SW_ASSERT_EQ(swim_phase(s), SWIM_JOINING);
	uint8_t bytes[64];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_join_ack ack = {
		.epoch_seen = UINT32_MAX, .instance_seen = 3, .asker_instance = 11};
	wire_put_join_ack(&w, &ack);
	hear(s, SW_NS_PER_S, (struct actor){7, 1}, 77, bytes, w.at);
	SW_EXPECT_EQ(swim_self(s).epoch, 5u);
	SW_EXPECT_GT(speak(s, SW_NS_PER_S), 0u);
	swim_destroy(s);
}

SW_TEST(hostile, drain_after_the_largest_incarnation_still_rises_in_the_lattice)
{
	struct swim *s = lone_swim(5, false);
	struct swim_member before, after;
	struct wire_member claim = about_self(5, 11, UINT32_MAX - 1, WIRE_SUSPECT);
	hear_member(s, &claim);
	(void)swim_members(s, &before, 1);
	SW_ASSERT_EQ(before.record.incarnation, UINT32_MAX);
	swim_drain(s, SW_NS_PER_S, true);
	(void)swim_members(s, &after, 1);
	SW_EXPECT_GT(swim_record_compare(&after.record, &before.record), 0);
	SW_EXPECT_TRUE(after.record.flags & WIRE_MEMBER_DRAIN);
	swim_destroy(s);
}

static struct map *lone_map(void)
{
	struct map_config c = {
		.self = {1, 1},
		.cluster_seed = 5,
		.records_max = 4096,
		.bytes_max = 4 << 20,
		.pull_interval_ns = SW_NS_PER_S,
		.hole_delay_ns = SW_NS_PER_MS,
		.resend_ns = SW_NS_PER_MS,
		.session_timeout_ns = SW_NS_PER_S,
		.packets_per_s_max = 1000,
		.random_seed = 1,
	};
	struct map *m = map_create(&c, SW_NS_PER_S);
	map_peers_owner(m, SW_NS_PER_S, NULL, 0, true);
	map_tick_owner(m, SW_NS_PER_S);
	return m;
}

static void push(struct map *m, struct actor author, uint32_t key)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_header h = {.sender = author, .instance = 1};
	struct wire_prelude prelude = {0};
	struct wire_record record = {.key_len = sizeof(key),
		.clock = 1,
		.author = {author, 1},
		.dot = {author, 1},
		.key = (const uint8_t *)&key,
		.value = (const uint8_t *)""};
	wire_put_record(&w, &record);
	struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
	map_input_owner(m, SW_NS_PER_S, &h, &prelude, &stranger, &r);
}

SW_TEST(hostile, a_new_epoch_under_a_full_vector_refuses_writes_and_goes_on)
{
	struct map *m = lone_map();
	struct dot dot;
	SW_ASSERT_TRUE(map_ready(m));
	for (uint32_t i = 0; i < SW_ACTORS_MAX + 10; i++)
		push(m, (struct actor){100 + i, 1}, i);
	SW_EXPECT_GT(map_counters(m)->refused_actors, 0u);
	SW_EXPECT_EQ(map_put_owner(m, SW_NS_PER_S, 0, "k", 1, "v", 1, &dot), 0);
	map_self_owner(m, (struct actor){1, 2});
	SW_EXPECT_EQ(map_put_owner(m, SW_NS_PER_S, 0, "k", 1, "w", 1, &dot), -ENOSPC);
	SW_EXPECT_EQ(map_seq_reader(m, (struct actor){1, 1}), 1u);
	map_destroy(m);
}

SW_TEST(hostile, a_stranger_gets_no_session_sent_anywhere)
{
	struct map *m = lone_map();
	uint8_t bytes[WIRE_MESSAGES_MAX] = {0};
	struct dot dot;
	uint64_t now_ns = 2 * SW_NS_PER_S, to_id;
	struct sw_endpoint to;
	uint32_t packets = 0;
	for (int i = 0; i < 100; i++)
		SW_ASSERT_EQ(map_put_owner(m, now_ns, 0, &i, sizeof(i), bytes, 1000, &dot), 0);
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_version_req request = {.nonce = 1, .part = 0, .parts = 1};
	struct wire_header h = {.sender = {7, 1}, .instance = 1};
	struct wire_prelude prelude = {0};
	wire_put_version_req(&w, &request);
	wire_put_vector(&w, NULL, 0);
	struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
	map_input_owner(m, now_ns, &h, &prelude, &stranger, &r);
	for (int ms = 0; ms < 500; ms++, now_ns += SW_NS_PER_MS) {
		map_tick_owner(m, now_ns);
		w = sw_writer_init(bytes, sizeof(bytes));
		packets += map_output_owner(m, now_ns, &w, &to_id, &to);
	}
	/* A refusal, not 100 packets of records to whatever address the request claimed to come
	 * from. */
	SW_EXPECT_EQ(packets, 1u);
	SW_EXPECT_EQ(map_counters(m)->sessions_refused, 1u);
	map_destroy(m);
}

SW_TEST(hostile, what_a_stranger_claims_to_have_written_hastens_no_pull)
{
	struct map *m = lone_map();
	struct map_peer peer = {{9, 1}, stranger};
	uint64_t now_ns = SW_NS_PER_S;
	map_peers_owner(m, now_ns, &peer, 1, true);
	/* The interval is a second: the first pull is due after half of it at the least. */
	for (int ms = 0; ms < 400; ms++, now_ns += SW_NS_PER_MS) {
		map_hint_owner(m, now_ns, 7);
		map_tick_owner(m, now_ns);
	}
	SW_EXPECT_EQ(map_counters(m)->pulls, 0u);
	map_hint_owner(m, now_ns, 9);
	map_tick_owner(m, now_ns + 2 * SW_NS_PER_MS);
	SW_EXPECT_EQ(map_counters(m)->pulls, 1u);
	map_destroy(m);
}
