#include "sw_test.h"

#include <endian.h>
#include <string.h>

#include "base/random.h"
#include "nic/frame_quick.h"

/* The quick way against the full one, which is the truth. */

enum { ROUNDS = 200000, PAYLOAD_MAX = 300, FRAME_MAX = FRAME_HEADERS_IPV4 + PAYLOAD_MAX };

struct bytes {
	uint8_t at[FRAME_MAX];
	uint16_t len;
	uint16_t payload_len;
};

static struct frame_self self_of(bool exclusive)
{
	return (struct frame_self){.addr_be = htobe32(0x0a000001),
		.broadcast_be = htobe32(0x0a0000ff),
		.port_be = htobe16(7946),
		.mac = {2, 0, 0, 0, 0, 1},
		.exclusive = exclusive};
}

static struct frame_route route_to(const struct frame_self *self, struct sw_random *random)
{
	struct frame_route r = {.from_port_be = (uint16_t)(sw_random_u64(random) | 1),
		.to_port_be = self->port_be,
		.to = {[10] = 0xff, [11] = 0xff},
		.from = {[10] = 0xff, [11] = 0xff, [12] = 10, [14] = 3, [15] = 9},
		.from_mac = {2, 0, 0, 0, 0, 7},
		.dscp = (uint8_t)sw_random_below(random, 64)};
	memcpy(r.to_mac, self->mac, sizeof(r.to_mac));
	memcpy(r.to + 12, &self->addr_be, sizeof(self->addr_be));
	return r;
}

static struct bytes ordinary(const struct frame_self *self, struct sw_random *random)
{
	struct bytes b = {.payload_len = (uint16_t)sw_random_below(random, PAYLOAD_MAX + 1)};
	struct frame_route route = route_to(self, random);
	uint8_t *payload = b.at + FRAME_HEADERS_IPV4;
	for (uint16_t i = 0; i < b.payload_len; i++)
		payload[i] = (uint8_t)sw_random_u64(random);
	frame_build(&route, payload, b.payload_len);
	b.len = (uint16_t)(FRAME_HEADERS_IPV4 + b.payload_len);
	return b;
}

static void mend_ip_sum(uint8_t *frame)
{
	uint16_t sum = 0;
	memcpy(frame + 24, &sum, sizeof(sum));
	sum = (uint16_t)~frame_sum(frame + FRAME_ETHERNET, FRAME_IPV4, 0);
	memcpy(frame + 24, &sum, sizeof(sum));
}

/* A few bytes, mostly of headers, become others, often ones that mean something. */
static void damage(struct bytes *b, struct sw_random *random)
{
	static const uint8_t telling[] = {0, 1, 8, 10, 17, 0x40, 0x45, 0x46, 0x7f, 0xe0, 0xff};
	uint64_t changes = sw_random_below(random, 4);
	for (uint64_t i = 0; i < changes; i++) {
		uint64_t at = sw_random_below(
			random, sw_random_below(random, 8) == 0 ? b->len : FRAME_HEADERS_IPV4);
		b->at[at] = sw_random_below(random, 2) == 0
				    ? telling[sw_random_below(random, sizeof(telling))]
				    : (uint8_t)sw_random_u64(random);
	}
	if (sw_random_below(random, 2) == 0)
		mend_ip_sum(b->at);
	if (sw_random_below(random, 2) == 0)
		memset(b->at + 40, 0, 2); /* no UDP sum */
	if (sw_random_below(random, 8) == 0)
		b->len = (uint16_t)sw_random_below(random, b->len + 1u);
}

struct quick_row {
	const char *name;
	bool exclusive, summed;
};

static const struct quick_row quick_rows[] = {{"port of its own", true, false},
	{"port beside the kernel", false, false}, {"summed by the device", true, true}};

SW_TEST_TABLE(
	nic_quick, finds_what_the_full_way_finds_at_a, const struct quick_row *row, quick_rows)
{
	struct sw_random random = sw_random_seed(1);
	struct frame_self self = self_of(row->exclusive);
	struct frame_quick quick = frame_quick_for(&self);
	unsigned found = 0, left = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct bytes b = ordinary(&self, &random);
		struct frame f;
		struct nic_datagram d = {.payload = NULL};
		if (i % 4 != 0)
			damage(&b, &random);
		bool ordinary_one =
			frame_quick_classify(&self, &quick, b.at, b.len, row->summed, &d);
		(row->summed ? frame_classify_summed : frame_classify)(&self, b.at, b.len, &f);
		if (i % 4 == 0)
			SW_ASSERT_TRUE(ordinary_one);
		found += ordinary_one;
		left += !ordinary_one && f.kind == FRAME_DATAGRAM;
		if (!ordinary_one)
			continue;
		SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
		SW_ASSERT_TRUE(d.payload == b.at + f.payload_offset);
		SW_ASSERT_EQ(d.payload_offset, f.payload_offset);
		SW_ASSERT_EQ(d.payload_len, f.payload_len);
		SW_ASSERT_TRUE(sw_endpoint_equal(&d.from, &f.from));
	}
	SW_EXPECT_GT(found, ROUNDS / 3u);
	/* Options and sums that a device was to finish are for the full way. */
	SW_EXPECT_LT(left, ROUNDS / 20u);
}

SW_TEST(nic_quick, leaves_every_frame_of_another_kind_of_port_to_the_full_way)
{
	struct sw_random random = sw_random_seed(2);
	struct frame_self self = self_of(true), six = self, tagged = self;
	struct nic_datagram d;
	six.ipv6 = true;
	tagged.vlan = 20;
	struct frame_quick quick_six = frame_quick_for(&six),
			   quick_tagged = frame_quick_for(&tagged);
	struct bytes b = ordinary(&self, &random);
	SW_EXPECT_FALSE(frame_quick_classify(&six, &quick_six, b.at, b.len, false, &d));
	SW_EXPECT_FALSE(frame_quick_classify(&tagged, &quick_tagged, b.at, b.len, false, &d));
}

SW_TEST(nic_quick, turns_headers_round_as_the_full_way_builds_them)
{
	struct sw_random random = sw_random_seed(3);
	struct frame_self self = self_of(true);
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		struct bytes b = ordinary(&self, &random), full;
		uint16_t answer_len = (uint16_t)sw_random_below(&random, PAYLOAD_MAX + 1);
		for (uint16_t j = 0; j < answer_len; j++)
			b.at[FRAME_HEADERS_IPV4 + j] = (uint8_t)sw_random_u64(&random);
		full = b;
		struct frame f;
		struct frame_route back;
		SW_ASSERT_TRUE(frame_quick_is(b.at, FRAME_HEADERS_IPV4));
		frame_locate(full.at, FRAME_HEADERS_IPV4, &f);
		frame_route_back(full.at, &f, &back);
		back.dscp = (uint8_t)sw_random_below(&random, 64);
		back.ipv4_sum_left = sw_random_below(&random, 2) != 0;
		enum frame_quick_sum udp = (enum frame_quick_sum)sw_random_below(&random, 3);
		back.udp_sum_left = udp == FRAME_QUICK_SUM_LEFT;
		back.udp_sum_none = udp == FRAME_QUICK_SUM_NONE;
		frame_build(&back, full.at + FRAME_HEADERS_IPV4, answer_len);
		struct frame_quick_answer answer =
			frame_quick_answer_for(back.dscp, back.ipv4_sum_left, udp);
		frame_quick_turn(b.at, answer_len, &answer);
		SW_ASSERT_EQ(memcmp(b.at, full.at, FRAME_HEADERS_IPV4 + (size_t)answer_len), 0);
	}
}

SW_TEST(nic_quick, sum_is_the_one_of_16_bit_words)
{
	struct sw_random random = sw_random_seed(4);
	uint8_t bytes[PAYLOAD_MAX];
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		uint32_t start = (uint32_t)sw_random_u64(&random) & 0xfffff, expected = start;
		size_t len = sw_random_below(&random, PAYLOAD_MAX + 1),
		       at = sw_random_below(&random, 8);
		bool ones = sw_random_below(&random, 4) == 0; /* carries everywhere */
		for (size_t j = 0; j < PAYLOAD_MAX; j++)
			bytes[j] = ones ? 0xff : (uint8_t)sw_random_u64(&random);
		len = len > PAYLOAD_MAX - at ? PAYLOAD_MAX - at : len;
		for (size_t j = 0; j < len; j++)
			expected += (uint32_t)bytes[at + j] << (j % 2 * 8);
		while (expected >> 16 != 0)
			expected = (expected & 0xffff) + (expected >> 16);
		SW_ASSERT_EQ(frame_sum(bytes + at, len, start), expected);
	}
}
