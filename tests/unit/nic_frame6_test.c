#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "nic/frame.h"
#include "nic_bytes6.h"

static struct frame_self self_of(bool exclusive)
{
	struct frame_self self = {.exclusive = exclusive, .ipv6 = true};
	memcpy(self.addr6, bytes6_own, 16);
	memcpy(self.mac, bytes_own_mac, 6);
	bytes_put16((uint8_t *)&self.port_be, BYTES_PORT);
	return self;
}

static struct frame classify(const struct bytes *b, bool exclusive)
{
	struct frame_self self = self_of(exclusive);
	struct frame frame;
	uint8_t *exact = malloc(b->len + 1u);
	memcpy(exact + 1, b->at, b->len); /* odd: nothing may rely on alignment */
	frame_classify(&self, exact + 1, b->len, &frame);
	free(exact);
	return frame;
}

SW_TEST(nic_frame6, datagram_for_us_is_found)
{
	struct bytes b = bytes6_datagram(33);
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct frame f = classify(&b, exclusive == 1);
		char text[SW_ENDPOINT_TEXT_MAX];
		SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
		SW_EXPECT_EQ(f.payload_offset, BYTES6_PAYLOAD);
		SW_EXPECT_EQ(f.payload_len, 33);
		SW_EXPECT_STR(sw_endpoint_format(&f.from, text), "[2001:db8::7:2]:40000");
	}
}

SW_TEST(nic_frame6, the_other_family_is_not_served)
{
	struct bytes b = bytes_datagram(33);
	struct frame f = classify(&b, true);
	SW_EXPECT_EQ(f.kind, FRAME_DROP);
	SW_EXPECT_EQ(f.drop, NIC_DROP_NOT_IP);
}

SW_TEST(nic_frame6, unfinished_checksum_is_taken_and_none_is_not)
{
	struct bytes b = bytes6_datagram(20);
	uint8_t *ip = b.at + BYTES_IP;
	bytes_put16(b.at + BYTES6_L4 + 6, bytes_sum(ip + 8, 32, 17u + 28));
	SW_EXPECT_EQ(classify(&b, false).kind, FRAME_DATAGRAM);
	bytes_put16(b.at + BYTES6_L4 + 6, 0);
	SW_EXPECT_EQ(classify(&b, false).drop, NIC_DROP_CHECKSUM);
}

struct spoiled_row {
	const char *name;
	uint32_t at;
	uint8_t flip;
	bool sealed; /* with a checksum that is right again */
	enum nic_drop drop;
};

static const struct spoiled_row spoiled_rows[] = {
	{"version", BYTES_IP, 0x20, true, NIC_DROP_NOT_IP},
	{"payload_length_beyond_the_frame", BYTES_IP + 4, 0x01, false, NIC_DROP_SHORT},
	{"udp_length_beyond_ip", BYTES6_L4 + 4, 0x01, false, NIC_DROP_SHORT},
	{"udp_checksum", BYTES6_L4 + 6, 0x01, false, NIC_DROP_CHECKSUM},
	{"payload", BYTES6_PAYLOAD + 3, 0x01, false, NIC_DROP_CHECKSUM},
	{"another_port", BYTES6_L4 + 3, 0x01, true, NIC_DROP_NOT_MINE},
	{"another_address", BYTES_IP + 39, 0x04, true, NIC_DROP_NOT_MINE},
	{"another_mac", 5, 0x04, true, NIC_DROP_NOT_MINE},
	{"multicast_address", BYTES_IP + 24, 0xff ^ 0x20, true, NIC_DROP_MULTICAST},
	{"multicast_sender", BYTES_IP + 8, 0xff ^ 0x20, true, NIC_DROP_SENDER},
	{"our_own_sender", BYTES_IP + 23, 3, true, NIC_DROP_SENDER},
	{"multicast_sender_mac", 6, 0x01, true, NIC_DROP_SENDER},
	{"fragment", BYTES_IP + 6, 17 ^ 44, false, NIC_DROP_FRAGMENT},
	{"hop_by_hop_options", BYTES_IP + 6, 17, false, NIC_DROP_NOT_UDP},
	{"tcp", BYTES_IP + 6, 17 ^ 6, false, NIC_DROP_NOT_UDP},
};

SW_TEST_TABLE(nic_frame6, spoiled_datagram_is_dropped, const struct spoiled_row *row, spoiled_rows)
{
	struct bytes b = bytes6_datagram(40);
	b.at[row->at] ^= row->flip;
	if (row->sealed)
		bytes6_seal(b.at + BYTES_IP);
	struct frame f = classify(&b, true);
	SW_EXPECT_EQ(f.kind, FRAME_DROP);
	SW_EXPECT_EQ(f.drop, row->drop);
}

SW_TEST(nic_frame6, every_cut_is_short)
{
	struct bytes whole = bytes6_datagram(40);
	for (uint32_t len = 0; len < whole.len; len++) {
		struct bytes cut = whole;
		cut.len = len;
		SW_EXPECT_EQ(classify(&cut, true).drop, NIC_DROP_SHORT);
	}
}

SW_TEST(nic_frame6, discovery_and_echo_are_ours_where_there_is_no_kernel)
{
	struct bytes asked = bytes6_solicitation(bytes6_own),
		     told = bytes6_advertisement(bytes6_peer);
	struct bytes echo = bytes6_echo_request(30);
	SW_EXPECT_EQ(classify(&asked, true).kind, FRAME_ND);
	SW_EXPECT_EQ(classify(&told, true).kind, FRAME_ND);
	SW_EXPECT_EQ(classify(&echo, true).kind, FRAME_ECHO);
	SW_EXPECT_EQ(classify(&asked, false).kind, FRAME_DROP);
	SW_EXPECT_EQ(classify(&told, false).kind, FRAME_DROP);
	SW_EXPECT_EQ(classify(&echo, false).kind, FRAME_DROP);
}

/* RFC 4861, 7.1.1: a router would have taken one off. */
SW_TEST(nic_frame6, discovery_from_behind_a_router_is_dropped)
{
	struct bytes b = bytes6_solicitation(bytes6_own);
	b.at[BYTES_IP + 7] = 254;
	SW_EXPECT_EQ(classify(&b, true).kind, FRAME_DROP);
}

SW_TEST(nic_frame6, echo_reply_swaps_addresses_and_keeps_data)
{
	struct bytes b = bytes6_echo_request(30);
	struct frame f = classify(&b, true);
	SW_ASSERT_EQ(f.kind, FRAME_ECHO);
	frame_echo_reply(b.at, &f);
	SW_EXPECT_MEM(b.at, bytes_peer_mac, 6);
	SW_EXPECT_MEM(b.at + BYTES_IP + 8, bytes6_own, 16);
	SW_EXPECT_MEM(b.at + BYTES_IP + 24, bytes6_peer, 16);
	SW_EXPECT_EQ(b.at[BYTES6_L4], 129);
	SW_EXPECT_EQ(b.at[BYTES6_L4 + 8 + 29], (uint8_t)(5 * 29));
	SW_EXPECT_EQ(bytes_get16(b.at + BYTES6_L4 + 2), bytes6_sum(b.at + BYTES_IP));
}

SW_TEST(nic_frame6, way_back_swaps_everything_and_checksums_are_right)
{
	struct sw_random r = sw_random_seed(7);
	for (uint16_t len = 0; len <= 1452; len = (uint16_t)(len + 33)) {
		struct bytes b = bytes6_datagram(60);
		struct frame f = classify(&b, true), located;
		struct frame_route back;
		SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
		frame_locate(b.at, f.payload_offset, &located);
		frame_route_back(b.at, &located, &back);
		back.dscp = 46;
		for (uint16_t i = 0; i < len; i++)
			b.at[f.payload_offset + i] = (uint8_t)sw_random_u64(&r);
		frame_build(&back, b.at + f.payload_offset, len);
		const uint8_t *ip = b.at + BYTES_IP;
		SW_EXPECT_MEM(b.at, bytes_peer_mac, 6);
		SW_EXPECT_MEM(b.at + 6, bytes_own_mac, 6);
		SW_EXPECT_MEM(ip + 8, bytes6_own, 16);
		SW_EXPECT_MEM(ip + 24, bytes6_peer, 16);
		SW_EXPECT_EQ(bytes_get16(ip), 0x6000 | 46 << 6);
		SW_EXPECT_EQ(bytes_get16(ip + 4), 8 + len);
		SW_EXPECT_EQ(bytes_get16(ip + 40), BYTES_PORT);
		SW_EXPECT_EQ(bytes_get16(ip + 42), BYTES_PEER_PORT);
		SW_EXPECT_EQ(bytes_get16(ip + 46), bytes6_sum(ip));
	}
}

SW_TEST(nic_frame6, garbage_is_never_read_beyond_its_end)
{
	uint64_t seed = sw_test_env_u64("SW_SEED", 20240612);
	uint64_t runs = sw_test_env_u64("SW_RUNS", 100000);
	struct sw_random r = sw_random_seed(seed);
	uint64_t seen[FRAME_DROP + 1] = {0};
	sw_test_note("seed %lu runs %lu", seed, runs);
	for (uint64_t run = 0; run < runs; run++) {
		struct bytes b;
		switch (sw_random_below(&r, 4)) {
		case 0: b = bytes6_datagram((uint16_t)sw_random_below(&r, 100)); break;
		case 1: b = bytes6_echo_request((uint16_t)sw_random_below(&r, 100)); break;
		case 2: b = bytes6_solicitation(bytes6_own); break;
		default: b = bytes6_advertisement(bytes6_peer);
		}
		for (uint64_t flips = sw_random_below(&r, 4); flips > 0; flips--)
			b.at[sw_random_below(&r, b.len)] ^= (uint8_t)(1 << sw_random_below(&r, 8));
		if (sw_random_below(&r, 3) == 0)
			b.len = (uint32_t)sw_random_below(&r, b.len + 1u);
		struct frame f = classify(&b, sw_random_below(&r, 2) == 0);
		seen[f.kind]++;
		if (f.kind == FRAME_DATAGRAM && f.payload_offset + f.payload_len > b.len)
			SW_FAIL("seed %lu run %lu: payload beyond the frame", seed, run);
	}
	for (int kind = 0; kind <= FRAME_DROP; kind++)
		if (kind != FRAME_ARP)
			SW_EXPECT_GT(seen[kind], 0u); /* each way through was taken */
}
