#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "nic/frame.h"
#include "nic_bytes.h"

static struct frame_self self_of(bool exclusive)
{
	struct frame_self self = {.exclusive = exclusive};
	memcpy(&self.addr_be, bytes_own_ip, 4);
	memcpy(&self.broadcast_be, (const uint8_t[]){10, 7, 0, 255}, 4);
	memcpy(self.mac, bytes_own_mac, 6);
	bytes_put16((uint8_t *)&self.port_be, BYTES_PORT);
	return self;
}

/* An exact copy on the heap, so that a sanitizer sees the first byte read behind its end. */
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

SW_TEST(nic_frame, datagram_for_us_is_found)
{
	struct bytes b = bytes_datagram(33);
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct frame f = classify(&b, exclusive == 1);
		char text[SW_ENDPOINT_TEXT_MAX];
		SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
		SW_EXPECT_EQ(f.payload_offset, BYTES_PAYLOAD);
		SW_EXPECT_EQ(f.payload_len, 33);
		SW_EXPECT_STR(sw_endpoint_format(&f.from, text), "10.7.0.2:40000");
	}
}

SW_TEST(nic_frame, ethernet_padding_is_not_payload)
{
	struct bytes b = bytes_datagram(1);
	b.at[BYTES_PAYLOAD + 1] = 0xee; /* rubbish, not even zeros */
	b.len = 60;
	struct frame f = classify(&b, true);
	SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
	SW_EXPECT_EQ(f.payload_len, 1);
}

SW_TEST(nic_frame, empty_datagram_is_a_datagram)
{
	struct bytes b = bytes_datagram(0);
	struct frame f = classify(&b, true);
	SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
	SW_EXPECT_EQ(f.payload_len, 0);
}

SW_TEST(nic_frame, vlan_tag_moves_the_offsets)
{
	struct bytes b = bytes_tagged(20);
	struct frame f = classify(&b, true);
	SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
	SW_EXPECT_EQ(f.payload_offset, BYTES_PAYLOAD + 4);
	SW_EXPECT_EQ(f.payload_len, 20);
}

SW_TEST(nic_frame, frames_of_another_vlan_are_not_ours)
{
	static const struct {
		uint16_t own, tci;
		bool ours;
	} rows[] = {{0, 0x6000, true}, {0, 0x0005, false}, {5, 0x6005, true}, {5, 0x0005, true},
		{5, 0x6006, false}, {5, 0x6000, false}};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame_self self = self_of(true);
		struct bytes tagged = bytes_tagged(20), plain = bytes_datagram(20);
		struct frame f;
		self.vlan = rows[i].own;
		bytes_put16(tagged.at + 14, rows[i].tci);
		frame_classify(&self, tagged.at, tagged.len, &f);
		SW_EXPECT_EQ(f.kind, rows[i].ours ? FRAME_DATAGRAM : FRAME_DROP);
		frame_classify(&self, plain.at, plain.len, &f);
		SW_EXPECT_EQ(f.kind, self.vlan == 0 ? FRAME_DATAGRAM : FRAME_DROP);
	}
}

/* The device has looked at the payload; the headers are looked at all the same. */
SW_TEST(nic_frame, device_s_word_counts_for_the_payload_alone)
{
	struct frame_self self = self_of(true);
	struct bytes b = bytes_datagram(20);
	struct frame f;
	b.at[BYTES_PAYLOAD] ^= 1;
	frame_classify_summed(&self, b.at, b.len, &f);
	SW_EXPECT_EQ(f.kind, FRAME_DATAGRAM);
	b.at[BYTES_IP + 10] ^= 1;
	frame_classify_summed(&self, b.at, b.len, &f);
	SW_EXPECT_EQ(f.kind, FRAME_DROP);
}

SW_TEST(nic_frame, dscp_and_sums_left_to_the_device_are_as_it_wants_them)
{
	struct bytes b = bytes_datagram(60);
	struct frame f = classify(&b, true);
	struct frame_route back;
	frame_route_back(b.at, &f, &back);
	back.dscp = 46;
	back.ipv4_sum_left = true;
	back.udp_sum_left = true;
	frame_build(&back, b.at + BYTES_PAYLOAD, 60);
	SW_EXPECT_EQ(b.at[BYTES_IP + 1], 46 << 2);
	SW_EXPECT_EQ(bytes_get16(b.at + BYTES_IP + 10), 0);
	SW_EXPECT_EQ(bytes_get16(b.at + BYTES_UDP + 6),
		bytes_sum(b.at + BYTES_IP + 12, 8, 17u + 8 + 60));
}

SW_TEST(nic_frame, ip_options_are_skipped)
{
	struct bytes b = bytes_datagram(20);
	memmove(b.at + BYTES_UDP + 8, b.at + BYTES_UDP, b.len - BYTES_UDP);
	memset(b.at + BYTES_UDP, 1, 8); /* no operation */
	b.len += 8;
	b.at[BYTES_IP] = 0x47;
	bytes_put16(b.at + BYTES_IP + 2, 20 + 8 + 8 + 20);
	bytes_seal(b.at + BYTES_IP);
	struct frame f = classify(&b, true);
	SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
	SW_EXPECT_EQ(f.payload_offset, BYTES_PAYLOAD + 8);
	SW_EXPECT_EQ(f.payload_len, 20);
}

SW_TEST(nic_frame, udp_checksum_zero_means_none)
{
	struct bytes b = bytes_datagram(20);
	bytes_put16(b.at + BYTES_UDP + 6, 0);
	SW_EXPECT_EQ(classify(&b, true).kind, FRAME_DATAGRAM);
}

SW_TEST(nic_frame, unfinished_checksum_of_this_machine_is_accepted)
{
	struct bytes b = bytes_datagram(20);
	uint16_t pseudo = bytes_sum(b.at + BYTES_IP + 12, 8, 17 + 28);
	bytes_put16(b.at + BYTES_UDP + 6, pseudo);
	SW_EXPECT_EQ(classify(&b, true).kind, FRAME_DATAGRAM);
	bytes_put16(b.at + BYTES_UDP + 6, (uint16_t)(pseudo + 1));
	SW_EXPECT_EQ(classify(&b, true).kind, FRAME_DROP);
}

struct bad_row {
	const char *name;
	void (*spoil)(struct bytes *b);
	enum nic_drop why;
};

static void spoil_ethernet(struct bytes *b)
{
	b->len = 13;
}
static void spoil_ip_cut(struct bytes *b)
{
	b->len = BYTES_IP + 19;
}
static void spoil_payload_cut(struct bytes *b)
{
	b->len--;
}
static void spoil_tag_cut(struct bytes *b)
{
	bytes_put16(b->at + 12, 0x8100);
	b->len = 17;
}
static void spoil_ihl(struct bytes *b)
{
	b->at[BYTES_IP] = 0x44;
}
static void spoil_total_len(struct bytes *b)
{
	bytes_put16(b->at + BYTES_IP + 2, 19);
}
static void spoil_ihl_beyond_total(struct bytes *b)
{
	b->at[BYTES_IP] = 0x4f;
	bytes_put16(b->at + BYTES_IP + 2, 56);
}
static void spoil_udp_missing(struct bytes *b)
{
	bytes_put16(b->at + BYTES_IP + 2, 27);
	bytes_put16(b->at + BYTES_IP + 10, bytes_ip_sum(b->at + BYTES_IP));
}
static void spoil_udp_len_small(struct bytes *b)
{
	bytes_put16(b->at + BYTES_UDP + 4, 7);
}
static void spoil_udp_len_large(struct bytes *b)
{
	bytes_put16(b->at + BYTES_UDP + 4, 29);
}
static void spoil_type_ipv6(struct bytes *b)
{
	bytes_put16(b->at + 12, 0x86dd);
}
static void spoil_two_tags(struct bytes *b)
{
	*b = bytes_tagged(20);
	bytes_put16(b->at + 16, 0x8100);
}
static void spoil_version(struct bytes *b)
{
	b->at[BYTES_IP] = 0x65;
}
static void spoil_protocol(struct bytes *b)
{
	b->at[BYTES_IP + 9] = 6;
	bytes_put16(b->at + BYTES_IP + 10, bytes_ip_sum(b->at + BYTES_IP));
}
static void spoil_first_fragment(struct bytes *b)
{
	bytes_put16(b->at + BYTES_IP + 6, 0x2000);
	bytes_put16(b->at + BYTES_IP + 10, bytes_ip_sum(b->at + BYTES_IP));
}
static void spoil_last_fragment(struct bytes *b)
{
	bytes_put16(b->at + BYTES_IP + 6, 185);
	bytes_put16(b->at + BYTES_IP + 10, bytes_ip_sum(b->at + BYTES_IP));
}
static void spoil_mac(struct bytes *b)
{
	b->at[5] ^= 1;
}
static void spoil_address(struct bytes *b)
{
	b->at[BYTES_IP + 19] = 9;
	bytes_seal(b->at + BYTES_IP);
}
static void spoil_port(struct bytes *b)
{
	bytes_put16(b->at + BYTES_UDP + 2, BYTES_PORT + 1);
	bytes_seal(b->at + BYTES_IP);
}
static void spoil_ip_sum(struct bytes *b)
{
	b->at[BYTES_IP + 10] ^= 1;
}
static void spoil_udp_sum(struct bytes *b)
{
	b->at[BYTES_UDP + 6] ^= 1;
}
static void spoil_payload(struct bytes *b)
{
	b->at[b->len - 1] ^= 0x80;
}
static void spoil_mac_broadcast(struct bytes *b)
{
	memset(b->at, 0xff, 6);
}
static void spoil_address_broadcast(struct bytes *b)
{
	b->at[BYTES_IP + 19] = 255;
	bytes_seal(b->at + BYTES_IP);
}
static void spoil_address_multicast(struct bytes *b)
{
	b->at[BYTES_IP + 16] = 0xe0;
	bytes_seal(b->at + BYTES_IP);
}
static void from(struct bytes *b, uint8_t a0, uint8_t a1, uint8_t a2, uint8_t a3)
{
	memcpy(b->at + BYTES_IP + 12, (const uint8_t[]){a0, a1, a2, a3}, 4);
	bytes_seal(b->at + BYTES_IP);
}
static void spoil_from_zero(struct bytes *b)
{
	from(b, 0, 0, 0, 0);
}
static void spoil_from_loopback(struct bytes *b)
{
	from(b, 127, 0, 0, 1);
}
static void spoil_from_broadcast(struct bytes *b)
{
	from(b, 10, 7, 0, 255);
}
static void spoil_from_everyone(struct bytes *b)
{
	from(b, 255, 255, 255, 255);
}
static void spoil_from_multicast(struct bytes *b)
{
	from(b, 239, 1, 1, 1);
}
static void spoil_from_self(struct bytes *b)
{
	from(b, 10, 7, 0, 1);
}
static void spoil_from_port(struct bytes *b)
{
	bytes_put16(b->at + BYTES_UDP, 0);
	bytes_seal(b->at + BYTES_IP);
}
static void spoil_from_mac(struct bytes *b)
{
	b->at[6] |= 1;
}

static const struct bad_row bad_rows[] = {
	{"ethernet_header_cut", spoil_ethernet, NIC_DROP_SHORT},
	{"ip_header_cut", spoil_ip_cut, NIC_DROP_SHORT},
	{"payload_cut", spoil_payload_cut, NIC_DROP_SHORT},
	{"tag_cut", spoil_tag_cut, NIC_DROP_SHORT},
	{"ip_header_length_below_20", spoil_ihl, NIC_DROP_SHORT},
	{"total_length_below_header", spoil_total_len, NIC_DROP_SHORT},
	{"header_length_beyond_total", spoil_ihl_beyond_total, NIC_DROP_SHORT},
	{"udp_header_missing", spoil_udp_missing, NIC_DROP_SHORT},
	{"udp_length_below_8", spoil_udp_len_small, NIC_DROP_SHORT},
	{"udp_length_beyond_ip", spoil_udp_len_large, NIC_DROP_SHORT},
	{"ipv6", spoil_type_ipv6, NIC_DROP_NOT_IP},
	{"two_tags", spoil_two_tags, NIC_DROP_NOT_IP},
	{"ip_version_6_in_ipv4", spoil_version, NIC_DROP_NOT_IP},
	{"tcp", spoil_protocol, NIC_DROP_NOT_UDP},
	{"first_fragment", spoil_first_fragment, NIC_DROP_FRAGMENT},
	{"last_fragment", spoil_last_fragment, NIC_DROP_FRAGMENT},
	{"another_mac", spoil_mac, NIC_DROP_NOT_MINE},
	{"another_address", spoil_address, NIC_DROP_NOT_MINE},
	{"another_port", spoil_port, NIC_DROP_NOT_MINE},
	{"ip_checksum", spoil_ip_sum, NIC_DROP_CHECKSUM},
	{"udp_checksum", spoil_udp_sum, NIC_DROP_CHECKSUM},
	{"payload_bit", spoil_payload, NIC_DROP_CHECKSUM},
	{"to_broadcast_mac", spoil_mac_broadcast, NIC_DROP_MULTICAST},
	{"to_broadcast_address", spoil_address_broadcast, NIC_DROP_MULTICAST},
	{"to_multicast_address", spoil_address_multicast, NIC_DROP_MULTICAST},
	{"from_zero", spoil_from_zero, NIC_DROP_SENDER},
	{"from_loopback", spoil_from_loopback, NIC_DROP_SENDER},
	{"from_network_broadcast", spoil_from_broadcast, NIC_DROP_SENDER},
	{"from_everyone", spoil_from_everyone, NIC_DROP_SENDER},
	{"from_multicast", spoil_from_multicast, NIC_DROP_SENDER},
	{"from_ourselves", spoil_from_self, NIC_DROP_SENDER},
	{"from_port_zero", spoil_from_port, NIC_DROP_SENDER},
	{"from_multicast_mac", spoil_from_mac, NIC_DROP_SENDER},
};

SW_TEST_TABLE(nic_bad_frame, is_dropped_for_its_reason, const struct bad_row *row, bad_rows)
{
	struct bytes b = bytes_datagram(20);
	row->spoil(&b);
	struct frame f = classify(&b, true);
	SW_ASSERT_EQ(f.kind, FRAME_DROP);
	SW_EXPECT_STR(nic_drop_name(f.drop), nic_drop_name(row->why));
}

SW_TEST(nic_frame, shared_port_leaves_arp_and_echo_to_the_kernel)
{
	struct bytes arp = bytes_arp(1, bytes_own_ip);
	struct bytes echo = bytes_echo_request(32);
	SW_EXPECT_EQ(classify(&arp, true).kind, FRAME_ARP);
	SW_EXPECT_EQ(classify(&arp, false).drop, NIC_DROP_NOT_IP);
	SW_EXPECT_EQ(classify(&echo, true).kind, FRAME_ECHO);
	SW_EXPECT_EQ(classify(&echo, false).drop, NIC_DROP_NOT_UDP);
}

SW_TEST(nic_frame, echo_with_a_wrong_checksum_is_not_answered)
{
	struct bytes echo = bytes_echo_request(32);
	echo.at[BYTES_UDP + 12] ^= 1;
	SW_EXPECT_EQ(classify(&echo, true).drop, NIC_DROP_CHECKSUM);
}

SW_TEST(nic_frame, echo_reply_is_a_correct_mirror)
{
	struct bytes b = bytes_echo_request(33);
	struct bytes asked = b;
	struct frame f = classify(&b, true);
	SW_ASSERT_EQ(f.kind, FRAME_ECHO);
	frame_echo_reply(b.at, &f);
	SW_EXPECT_MEM(b.at, bytes_peer_mac, 6);
	SW_EXPECT_MEM(b.at + 6, bytes_own_mac, 6);
	SW_EXPECT_MEM(b.at + BYTES_IP + 12, bytes_own_ip, 4);
	SW_EXPECT_MEM(b.at + BYTES_IP + 16, bytes_peer_ip, 4);
	SW_EXPECT_EQ(bytes_get16(b.at + BYTES_IP + 10), bytes_ip_sum(b.at + BYTES_IP));
	SW_EXPECT_EQ(b.at[BYTES_UDP], 0);
	SW_EXPECT_EQ(bytes_sum(b.at + BYTES_UDP, 8 + 33, 0), 0xffff);
	SW_EXPECT_MEM(b.at + BYTES_UDP + 4, asked.at + BYTES_UDP + 4, 4 + 33);
}

static void expect_back(const struct bytes *sent, uint16_t shift, uint16_t payload_len)
{
	const uint8_t *ip = sent->at + BYTES_IP + shift;
	SW_EXPECT_MEM(sent->at, bytes_peer_mac, 6);
	SW_EXPECT_MEM(sent->at + 6, bytes_own_mac, 6);
	SW_EXPECT_MEM(ip + 12, bytes_own_ip, 4);
	SW_EXPECT_MEM(ip + 16, bytes_peer_ip, 4);
	SW_EXPECT_EQ(bytes_get16(ip + 2), 28 + payload_len);
	SW_EXPECT_EQ(bytes_get16(ip + 6), 0x4000);
	SW_EXPECT_EQ(bytes_get16(ip + 20), BYTES_PORT);
	SW_EXPECT_EQ(bytes_get16(ip + 22), BYTES_PEER_PORT);
	SW_EXPECT_EQ(bytes_get16(ip + 24), 8 + payload_len);
	SW_EXPECT_EQ(bytes_get16(ip + 10), bytes_ip_sum(ip));
	SW_EXPECT_EQ(bytes_get16(ip + 26), bytes_udp_sum(ip));
}

SW_TEST(nic_frame, way_back_swaps_everything_and_checksums_are_right)
{
	struct sw_random r = sw_random_seed(7);
	for (uint16_t len = 0; len <= 1472; len = (uint16_t)(len + 23)) {
		struct bytes b = len % 2 == 0 ? bytes_datagram(60) : bytes_tagged(60);
		uint16_t shift = len % 2 == 0 ? 0 : 4;
		struct frame f, located;
		struct frame_route back;
		f = classify(&b, true);
		SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
		frame_locate(b.at, f.payload_offset, &located);
		frame_route_back(b.at, &located, &back);
		for (uint16_t i = 0; i < len; i++)
			b.at[f.payload_offset + i] = (uint8_t)sw_random_u64(&r);
		frame_build(&back, b.at + f.payload_offset, len);
		expect_back(&b, shift, len);
		if (shift != 0) {
			SW_EXPECT_EQ(bytes_get16(b.at + 12), 0x8100);
			SW_EXPECT_EQ(bytes_get16(b.at + 14), 0x6000);
		}
	}
}

SW_TEST(nic_frame, udp_checksum_that_sums_to_zero_is_sent_as_ones)
{
	struct bytes b = bytes_datagram(2);
	struct frame f = classify(&b, true);
	struct frame_route back;
	int zeros = 0;
	frame_route_back(b.at, &f, &back);
	for (uint32_t v = 0; v < 65536; v++) {
		bytes_put16(b.at + BYTES_PAYLOAD, (uint16_t)v);
		frame_build(&back, b.at + BYTES_PAYLOAD, 2);
		uint16_t sum = bytes_get16(b.at + BYTES_UDP + 6);
		zeros += sum == 0xffff;
		if (sum == 0 || sum != bytes_udp_sum(b.at + BYTES_IP))
			SW_FAIL("payload %u: checksum %u", v, sum);
	}
	SW_EXPECT_GE(zeros, 1); /* the case was there */
}

SW_TEST(nic_frame, garbage_is_never_read_beyond_its_end)
{
	uint64_t seed = sw_test_env_u64("SW_SEED", 20240611);
	uint64_t runs = sw_test_env_u64("SW_RUNS", 100000);
	struct sw_random r = sw_random_seed(seed);
	uint64_t seen[FRAME_DROP + 1] = {0};
	sw_test_note("seed %lu runs %lu", seed, runs);
	for (uint64_t run = 0; run < runs; run++) {
		struct bytes b;
		switch (sw_random_below(&r, 5)) {
		case 0: b = bytes_datagram((uint16_t)sw_random_below(&r, 100)); break;
		case 1: b = bytes_tagged((uint16_t)sw_random_below(&r, 100)); break;
		case 2: b = bytes_echo_request((uint16_t)sw_random_below(&r, 100)); break;
		case 3: b = bytes_arp(1, bytes_own_ip); break;
		default:
			b.len = (uint32_t)sw_random_below(&r, 200);
			for (uint32_t i = 0; i < b.len; i++)
				b.at[i] = (uint8_t)sw_random_u64(&r);
		}
		for (uint64_t flips = sw_random_below(&r, 4); flips > 0 && b.len > 0; flips--)
			b.at[sw_random_below(&r, b.len)] ^= (uint8_t)(1 << sw_random_below(&r, 8));
		if (sw_random_below(&r, 3) == 0)
			b.len = (uint32_t)sw_random_below(&r, b.len + 1u);
		struct frame f = classify(&b, sw_random_below(&r, 2) == 0);
		seen[f.kind]++;
		if (f.kind == FRAME_DATAGRAM && f.payload_offset + f.payload_len > b.len)
			SW_FAIL("seed %lu run %lu: payload beyond the frame", seed, run);
	}
	for (int kind = 0; kind <= FRAME_DROP; kind++)
		if (kind != FRAME_ND)                 /* of IPv6 ports: nic_frame6_test.c */
			SW_EXPECT_GT(seen[kind], 0u); /* each way through was taken */
}
