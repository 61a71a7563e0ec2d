/* Neighbour discovery's messages on a port that is nothing but its tables: no device, no EAL. */
#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "base/random.h"
#include "nic/nd.h"
#include "nic/port.h"
#include "nic_bytes6.h"

static struct nic_port *port_create(void)
{
	struct nic_port *port = aligned_alloc(64, (sizeof(*port) + 63) / 64 * 64);
	memset(port, 0, sizeof(*port));
	port->self = (struct frame_self){.exclusive = true, .ipv6 = true};
	memcpy(port->self.addr6, bytes6_own, 16);
	memcpy(port->self.mac, bytes_own_mac, 6);
	bytes_put16((uint8_t *)&port->self.port_be, BYTES_PORT);
	port->tsc_hz = 1000000000;
	return port;
}

/* Puts the frame through both steps; true: `b` has become a reply. */
static bool input(struct nic_port *port, struct bytes *b)
{
	struct rte_mbuf m = {.buf_addr = b->at,
		.buf_len = BYTES_MAX,
		.data_len = (uint16_t)b->len,
		.nb_segs = 1};
	struct frame f;
	frame_classify(&port->self, b->at, b->len, &f);
	if (f.kind != FRAME_ND || !nd_input(port, 0, &m, &f))
		return false;
	b->len = m.data_len;
	return true;
}

static void expect_advertisement(const struct bytes *b, const uint8_t *to, uint8_t flags)
{
	const uint8_t *ip = b->at + BYTES_IP, *icmp = b->at + BYTES6_L4;
	SW_EXPECT_EQ(b->len, 14u + 40 + 32);
	SW_EXPECT_MEM(b->at + 6, bytes_own_mac, 6);
	SW_EXPECT_MEM(ip + 8, bytes6_own, 16);
	SW_EXPECT_MEM(ip + 24, to, 16);
	SW_EXPECT_EQ(ip[7], 255);
	SW_EXPECT_EQ(icmp[0], 136);
	SW_EXPECT_EQ(icmp[4], flags);
	SW_EXPECT_MEM(icmp + 8, bytes6_own, 16);
	SW_EXPECT_EQ(icmp[24], 2);
	SW_EXPECT_MEM(icmp + 26, bytes_own_mac, 6);
	SW_EXPECT_EQ(bytes_get16(icmp + 2), bytes6_sum(ip));
}

SW_TEST(nic_nd, solicitation_for_us_is_answered)
{
	struct nic_port *port = port_create();
	struct bytes b = bytes6_solicitation(bytes6_own);
	SW_ASSERT_TRUE(input(port, &b));
	SW_EXPECT_MEM(b.at, bytes_peer_mac, 6);
	expect_advertisement(&b, bytes6_peer, 0x60);
	free(port);
}

/* RFC 4861, 7.2.4: who has no address yet hears it as all do. */
SW_TEST(nic_nd, duplicate_address_detection_is_answered_to_everybody)
{
	static const uint8_t everybody[16] = {0xff, 0x02, [15] = 1};
	struct nic_port *port = port_create();
	struct bytes b = bytes6_solicitation(bytes6_own);
	memset(b.at + BYTES_IP + 8, 0, 16);
	bytes_put16(b.at + BYTES_IP + 4, 24);
	b.len -= 8;
	bytes6_seal(b.at + BYTES_IP);
	SW_ASSERT_TRUE(input(port, &b));
	SW_EXPECT_MEM(b.at, ((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
	expect_advertisement(&b, everybody, 0x20);
	free(port);
}

SW_TEST(nic_nd, solicitation_for_others_is_not_answered)
{
	struct nic_port *port = port_create();
	struct bytes b = bytes6_solicitation(bytes6_peer);
	SW_EXPECT_FALSE(input(port, &b));
	free(port);
}

SW_TEST(nic_nd, only_wanted_neighbours_are_learned)
{
	struct nic_port *port = port_create();
	struct bytes told = bytes6_advertisement(bytes6_peer);
	uint8_t mac[6];
	SW_EXPECT_FALSE(input(port, &told));
	SW_EXPECT_FALSE(neighbour_mac(&port->neighbours, bytes6_peer, mac));
	SW_EXPECT_GE(neighbour_claim_owner(&port->neighbours, bytes6_peer), 0);
	told = bytes6_advertisement(bytes6_peer);
	SW_EXPECT_FALSE(input(port, &told));
	SW_ASSERT_TRUE(neighbour_mac(&port->neighbours, bytes6_peer, mac));
	SW_EXPECT_MEM(mac, bytes_peer_mac, 6);
	free(port);
}

SW_TEST(nic_nd, any_option_list_is_survived)
{
	struct sw_random r = sw_random_seed(sw_test_env_u64("SW_SEED", 9));
	struct nic_port *port = port_create();
	uint64_t answered = 0;
	SW_EXPECT_GE(neighbour_claim_owner(&port->neighbours, bytes6_peer), 0);
	for (int run = 0; run < 50000; run++) {
		struct bytes b = run % 2 == 0 ? bytes6_solicitation(bytes6_own)
					      : bytes6_advertisement(bytes6_peer);
		uint16_t options = (uint16_t)sw_random_below(&r, 80);
		for (uint16_t i = 0; i < options; i++)
			b.at[BYTES6_L4 + 24 + i] = (uint8_t)sw_random_below(&r, 5);
		bytes_put16(b.at + BYTES_IP + 4, (uint16_t)(24 + options));
		b.len = BYTES6_L4 + 24u + options;
		bytes6_seal(b.at + BYTES_IP);
		answered += input(port, &b);
	}
	SW_EXPECT_GT(answered, 0u);
	free(port);
}
