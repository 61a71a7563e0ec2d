/* The lane's side of a port, on two virtual ports of DPDK's ring driver whose wires the test holds:
 * what one sends the test takes out of its ring, looks at, and puts into the other's. */
#include "sw_test.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "base/random.h"
#include "nic/nic.h"
#include "nic_bytes.h"

enum { ARGS_MAX = 8, POLLS_MAX = 1000 };

static struct rte_mempool *pool;
static struct nic_port *ports[2];
static uint16_t wires[2];

/* The second one's payloads carry a checksum of their own. */
static struct nic_config config_of(int n)
{
	struct nic_config config = {
		.kind = NIC_VDEV, .queues = 1, .prefix_len = 24, .summed = n == 1};
	snprintf(config.interface, sizeof(config.interface), "net_ring%d", n);
	(void)sw_endpoint_parse(n == 0 ? "10.7.0.1:7946" : "10.7.0.2:40000", 0, &config.address);
	(void)sw_endpoint_parse("10.7.0.254", 1, &config.gateway);
	memcpy(config.mac, n == 0 ? bytes_own_mac : bytes_peer_mac, 6);
	return config;
}

static void start_eal(void)
{
	static char args[2][ARGS_MAX][NIC_ERROR_MAX];
	static char first[8][32] = {"nic_port_test", "--no-huge", "--no-telemetry", "--no-shconf",
		"-m", "64", "--log-level=4", "--lcores=0@0"};
	char *argv[8 + 2 * ARGS_MAX];
	char error[NIC_ERROR_MAX];
	int argc = 0;
	for (int i = 0; i < 8; i++)
		argv[argc++] = first[i];
	for (int n = 0; n < 2; n++) {
		struct nic_config config = config_of(n);
		int count = nic_eal_arguments(&config, args[n], ARGS_MAX, error);
		/* The first port has said what is said once a process. */
		for (int i = 0; i < count; i++)
			if (n == 0 || strncmp(args[n][i], "--vdev", 6) == 0)
				argv[argc++] = args[n][i];
	}
	if (rte_eal_init(argc, argv) < 0)
		abort();
}

static char run_folder[] = "/tmp/nic_port_test.XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void remove_run_folder(void)
{
	(void)nftw(run_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void stop(void)
{
	for (int n = 0; n < 2; n++)
		nic_port_destroy(ports[n]);
	rte_mempool_free(pool);
}

/* True when both ports run; they are made once and stay for all tests. */
static bool ready(void)
{
	char error[NIC_ERROR_MAX] = "";
	if (pool != NULL)
		return true;
	/* As an ordinary user, too: EAL wants a folder that it can write. */
	if (mkdtemp(run_folder) == NULL || setenv("RUNTIME_DIRECTORY", run_folder, 1) != 0 ||
		atexit(remove_run_folder) != 0 || atexit(stop) != 0)
		abort();
	start_eal();
	for (int n = 0; n < 2; n++) {
		struct nic_config config = config_of(n);
		if (pool == NULL)
			pool = nic_pool_create(&config, "test", 8191, 0, error);
		if (pool == NULL || nic_port_create(&config, pool, &ports[n], error) < 0 ||
			nic_port_start(ports[n], error) < 0 ||
			rte_eth_dev_get_port_by_name(config.interface, &wires[n]) < 0) {
			SW_FAIL("%s", error);
			return false;
		}
	}
	return true;
}

static void inject(int n, const struct bytes *b)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	memcpy(rte_pktmbuf_append(mbuf, (uint16_t)b->len), b->at, b->len);
	if (rte_eth_tx_burst(wires[n], 0, &mbuf, 1) != 1)
		abort();
}

/* The next frame that port n has sent; false if there is none. */
static bool take(int n, struct bytes *b)
{
	struct rte_mbuf *mbuf;
	if (rte_eth_rx_burst(wires[n], 0, &mbuf, 1) == 0)
		return false;
	b->len = mbuf->data_len;
	memcpy(b->at, rte_pktmbuf_mtod(mbuf, uint8_t *), b->len);
	rte_pktmbuf_free(mbuf);
	return true;
}

/* Empties port n's ring, its announcements included. */
static void quiet(int n)
{
	struct bytes b;
	struct nic_datagram in[NIC_BURST];
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 50;
	while (rte_rdtsc() < until) {
		uint16_t count = nic_rx(ports[n], 0, in);
		for (uint16_t i = 0; i < count; i++)
			rte_pktmbuf_free(in[i].mbuf);
	}
	while (take(n, &b))
		;
}

static bool is_arp_request(const struct bytes *b, const uint8_t target_ip[4])
{
	return b->len >= 42 && bytes_get16(b->at + 12) == 0x0806 && bytes_get16(b->at + 20) == 1 &&
	       memcmp(b->at + 38, target_ip, 4) == 0;
}

/* Polls port n until it has sent an ARP request for this address. */
static bool wait_for_arp(int n, const uint8_t target_ip[4], struct bytes *b)
{
	struct nic_datagram in[NIC_BURST];
	uint64_t until = rte_rdtsc() + 2 * rte_get_tsc_hz();
	while (rte_rdtsc() < until) {
		/* The ring is the port's own: take before it polls, or it would hear itself. */
		while (take(n, b))
			if (is_arp_request(b, target_ip))
				return true;
		(void)nic_rx(ports[n], 0, in);
	}
	return false;
}

static void send_text(int n, const char *text, const char *to)
{
	struct sw_endpoint e;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	(void)sw_endpoint_parse(to, 0, &e);
	memcpy(rte_pktmbuf_append(mbuf, (uint16_t)strlen(text)), text, strlen(text));
	nic_send(ports[n], 0, mbuf, &e);
	nic_flush(ports[n], 0);
}

SW_TEST(nic_port, says_what_it_is)
{
	struct nic_info info;
	char text[SW_ENDPOINT_TEXT_MAX];
	SW_ASSERT_TRUE(ready());
	nic_port_info(ports[0], &info);
	SW_EXPECT_TRUE(info.exclusive);
	SW_EXPECT_STR(info.name, "net_ring0");
	SW_EXPECT_STR(sw_endpoint_format(&info.address, text), "10.7.0.1:7946");
	SW_EXPECT_MEM(info.mac, bytes_own_mac, 6);
	SW_EXPECT_EQ(info.mtu, 1500);
}

SW_TEST(nic_port, arp_request_is_answered)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	struct bytes asked = bytes_arp(1, bytes_own_ip), answer;
	struct nic_datagram in[NIC_BURST];
	uint64_t before = nic_port_stats(ports[0], 0)->rx_answered;
	inject(0, &asked);
	SW_EXPECT_EQ(nic_rx(ports[0], 0, in), 0);
	SW_ASSERT_TRUE(take(0, &answer));
	SW_EXPECT_EQ(answer.len, 60u);
	SW_EXPECT_MEM(answer.at, bytes_peer_mac, 6);
	SW_EXPECT_MEM(answer.at + 6, bytes_own_mac, 6);
	SW_EXPECT_EQ(bytes_get16(answer.at + 20), 2);
	SW_EXPECT_MEM(answer.at + 22, bytes_own_mac, 6);
	SW_EXPECT_MEM(answer.at + 28, bytes_own_ip, 4);
	SW_EXPECT_MEM(answer.at + 32, bytes_peer_mac, 6);
	SW_EXPECT_MEM(answer.at + 38, bytes_peer_ip, 4);
	SW_EXPECT_EQ(nic_port_stats(ports[0], 0)->rx_answered, before + 1);
}

SW_TEST(nic_port, arp_for_others_is_not_answered)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	struct bytes asked = bytes_arp(1, (const uint8_t[]){10, 7, 0, 77}), answer;
	struct nic_datagram in[NIC_BURST];
	inject(0, &asked);
	SW_EXPECT_EQ(nic_rx(ports[0], 0, in), 0);
	SW_EXPECT_FALSE(take(0, &answer));
}

SW_TEST(nic_port, echo_request_is_answered)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	struct bytes asked = bytes_echo_request(56), answer;
	struct nic_datagram in[NIC_BURST];
	inject(0, &asked);
	SW_EXPECT_EQ(nic_rx(ports[0], 0, in), 0);
	SW_ASSERT_TRUE(take(0, &answer));
	SW_EXPECT_EQ(answer.at[BYTES_UDP], 0);
	SW_EXPECT_EQ(answer.len, asked.len);
	SW_EXPECT_MEM(answer.at + BYTES_IP + 16, bytes_peer_ip, 4);
}

SW_TEST(nic_port, drops_are_counted_by_reason)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	const struct nic_stats *s = nic_port_stats(ports[0], 0);
	struct nic_stats before = *s;
	struct nic_datagram in[NIC_BURST];
	struct bytes cut = bytes_datagram(10), strange = bytes_datagram(10);
	cut.len -= 3;
	bytes_put16(strange.at + BYTES_UDP + 2, 9);
	bytes_seal(strange.at + BYTES_IP);
	inject(0, &cut);
	inject(0, &strange);
	SW_EXPECT_EQ(nic_rx(ports[0], 0, in), 0);
	SW_EXPECT_EQ(s->rx_frames, before.rx_frames + 2);
	SW_EXPECT_EQ(s->rx_drops[NIC_DROP_SHORT], before.rx_drops[NIC_DROP_SHORT] + 1);
	SW_EXPECT_EQ(s->rx_drops[NIC_DROP_NOT_MINE], before.rx_drops[NIC_DROP_NOT_MINE] + 1);
}

SW_TEST(nic_port, udp_sum_counts_unless_payloads_have_their_own)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	quiet(1);
	const struct nic_stats *s = nic_port_stats(ports[0], 0);
	uint64_t before = s->rx_drops[NIC_DROP_CHECKSUM];
	struct bytes b = bytes_datagram(30), answer;
	struct nic_datagram in[NIC_BURST];
	b.at[BYTES_UDP + 7] ^= 1;
	inject(0, &b);
	SW_EXPECT_EQ(nic_rx(ports[0], 0, in), 0);
	SW_EXPECT_EQ(s->rx_drops[NIC_DROP_CHECKSUM], before + 1);

	memcpy(b.at, bytes_peer_mac, 6);
	memcpy(b.at + 6, bytes_own_mac, 6);
	memcpy(b.at + BYTES_IP + 12, bytes_own_ip, 4);
	memcpy(b.at + BYTES_IP + 16, bytes_peer_ip, 4);
	bytes_put16(b.at + BYTES_UDP, BYTES_PORT);
	bytes_put16(b.at + BYTES_UDP + 2, BYTES_PEER_PORT);
	bytes_seal(b.at + BYTES_IP);
	b.at[BYTES_UDP + 7] ^= 1;
	inject(1, &b);
	SW_ASSERT_EQ(nic_rx(ports[1], 0, in), 1);
	nic_reply(ports[1], 0, in[0].mbuf, in[0].payload_offset, in[0].payload_len);
	nic_flush(ports[1], 0);
	SW_ASSERT_TRUE(take(1, &answer));
	SW_EXPECT_EQ(bytes_get16(answer.at + BYTES_UDP + 6), 0);
	SW_EXPECT_EQ(bytes_get16(answer.at + BYTES_IP + 10), bytes_ip_sum(answer.at + BYTES_IP));
}

SW_TEST(nic_port, frame_in_several_mbufs_is_dropped_and_counted)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	const struct nic_stats *s = nic_port_stats(ports[0], 0);
	uint64_t before = s->rx_drops[NIC_DROP_SEGMENTS];
	struct nic_datagram in[NIC_BURST];
	struct bytes b = bytes_datagram(400);
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool), *tail = rte_pktmbuf_alloc(pool);
	memcpy(rte_pktmbuf_append(head, 200), b.at, 200);
	memcpy(rte_pktmbuf_append(tail, (uint16_t)(b.len - 200)), b.at + 200, b.len - 200);
	SW_ASSERT_EQ(rte_pktmbuf_chain(head, tail), 0);
	SW_ASSERT_EQ(rte_eth_tx_burst(wires[0], 0, &head, 1), 1);
	SW_EXPECT_EQ(nic_rx(ports[0], 0, in), 0);
	SW_EXPECT_EQ(s->rx_drops[NIC_DROP_SEGMENTS], before + 1);
}

SW_TEST(nic_port, reply_goes_back_tagged_and_without_options)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	struct bytes b = bytes_tagged(30), answer;
	struct nic_datagram in[NIC_BURST];
	/* four bytes of IP options behind the tag */
	memmove(b.at + BYTES_UDP + 8, b.at + BYTES_UDP + 4, b.len - BYTES_UDP - 4);
	memset(b.at + BYTES_UDP + 4, 1, 4);
	b.len += 4;
	b.at[BYTES_IP + 4] = 0x46;
	bytes_put16(b.at + BYTES_IP + 6, 24 + 8 + 30);
	bytes_seal(b.at + BYTES_IP + 4);
	inject(0, &b);
	SW_ASSERT_EQ(nic_rx(ports[0], 0, in), 1);
	SW_ASSERT_EQ(in[0].payload_len, 30);
	SW_EXPECT_EQ(in[0].payload[29], 29);
	memcpy(in[0].payload, "a longer answer than the question was", 37);
	nic_reply(ports[0], 0, in[0].mbuf, in[0].payload_offset, 37);
	nic_flush(ports[0], 0);
	SW_ASSERT_TRUE(take(0, &answer));
	SW_EXPECT_EQ(answer.len, 14u + 4 + 20 + 8 + 37);
	SW_EXPECT_EQ(bytes_get16(answer.at + 14), 0x6000);
	SW_EXPECT_EQ(answer.at[BYTES_IP + 4], 0x45);
	SW_EXPECT_EQ(
		bytes_get16(answer.at + BYTES_IP + 4 + 10), bytes_ip_sum(answer.at + BYTES_IP + 4));
	SW_EXPECT_EQ(bytes_get16(answer.at + BYTES_UDP + 4 + 6),
		bytes_udp_sum(answer.at + BYTES_IP + 4));
	SW_EXPECT_MEM(answer.at + BYTES_PAYLOAD + 4, "a longer answer than the question was", 37);
}

SW_TEST(nic_port, stranger_s_arp_is_not_learned)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	const struct nic_stats *s = nic_port_stats(ports[0], 0);
	struct bytes asked = bytes_arp(1, bytes_own_ip), answer;
	struct nic_datagram in[NIC_BURST];
	memcpy(asked.at + 28, (const uint8_t[]){10, 7, 0, 99}, 4);
	inject(0, &asked);
	(void)nic_rx(ports[0], 0, in);
	SW_EXPECT_TRUE(take(0, &answer));
	uint64_t before = s->tx_no_neighbour;
	send_text(0, "x", "10.7.0.99:1");
	SW_EXPECT_EQ(s->tx_no_neighbour, before + 1);
}

SW_TEST(nic_port, unknown_next_hop_is_asked_for_then_used)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	quiet(1);
	const struct nic_stats *s = nic_port_stats(ports[0], 0);
	uint64_t before = s->tx_no_neighbour;
	struct nic_datagram in[NIC_BURST];
	struct bytes b;
	char text[SW_ENDPOINT_TEXT_MAX];
	send_text(0, "too early", "10.7.0.2:40000");
	SW_EXPECT_EQ(s->tx_no_neighbour, before + 1);
	SW_ASSERT_TRUE(wait_for_arp(0, bytes_peer_ip, &b));
	inject(1, &b);
	SW_EXPECT_EQ(nic_rx(ports[1], 0, in), 0); /* answers */
	SW_ASSERT_TRUE(take(1, &b));
	inject(0, &b);
	SW_EXPECT_EQ(nic_rx(ports[0], 0, in), 0); /* learns */

	send_text(0, "hello", "10.7.0.2:40000");
	SW_EXPECT_EQ(s->tx_no_neighbour, before + 1);
	SW_ASSERT_TRUE(take(0, &b));
	inject(1, &b);
	SW_ASSERT_EQ(nic_rx(ports[1], 0, in), 1);
	SW_EXPECT_STR(sw_endpoint_format(&in[0].from, text), "10.7.0.1:7946");
	SW_ASSERT_EQ(in[0].payload_len, 5);
	SW_EXPECT_MEM(in[0].payload, "hello", 5);

	memcpy(in[0].payload, "fine", 4);
	nic_reply(ports[1], 0, in[0].mbuf, in[0].payload_offset, 4);
	nic_flush(ports[1], 0);
	SW_ASSERT_TRUE(take(1, &b));
	inject(0, &b);
	SW_ASSERT_EQ(nic_rx(ports[0], 0, in), 1);
	SW_EXPECT_MEM(in[0].payload, "fine", 4);
	rte_pktmbuf_free(in[0].mbuf);
}

SW_TEST(nic_port, peers_of_other_networks_are_reached_over_the_gateway)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	struct nic_datagram in[NIC_BURST];
	struct sw_endpoint far;
	struct bytes b, answer = bytes_arp(2, bytes_own_ip);
	static const uint8_t gateway_ip[4] = {10, 7, 0, 254};
	(void)sw_endpoint_parse("192.168.9.9:5", 0, &far);
	SW_EXPECT_EQ(nic_want_peer(ports[0], &far), 0);
	SW_ASSERT_TRUE(wait_for_arp(0, gateway_ip, &b));
	memcpy(answer.at, bytes_own_mac, 6);
	memcpy(answer.at + 28, gateway_ip, 4);
	answer.at[27] = 0xfe;
	inject(0, &answer);
	(void)nic_rx(ports[0], 0, in);
	send_text(0, "far", "192.168.9.9:5");
	SW_ASSERT_TRUE(take(0, &b));
	SW_EXPECT_EQ(b.at[5], 0xfe);
	SW_EXPECT_MEM(b.at + BYTES_IP + 16, ((const uint8_t[]){192, 168, 9, 9}), 4);
}

SW_TEST(nic_port, full_transmit_ring_is_a_counted_drop)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	const struct nic_stats *s = nic_port_stats(ports[0], 0);
	struct nic_stats before = *s;
	struct bytes b = bytes_datagram(10);
	struct nic_datagram in[NIC_BURST];
	unsigned free_before = rte_mempool_avail_count(pool);
	inject(0, &b);
	SW_ASSERT_EQ(nic_rx(ports[0], 0, in), 1);
	struct rte_mbuf *filler[2048];
	SW_ASSERT_EQ(rte_pktmbuf_alloc_bulk(pool, filler, 2048), 0);
	uint16_t filled = 0, sent;
	while ((sent = rte_eth_tx_burst(wires[0], 0, filler + filled, (uint16_t)(2048 - filled))) >
		0)
		filled = (uint16_t)(filled + sent);
	nic_reply(ports[0], 0, in[0].mbuf, in[0].payload_offset, 10);
	nic_flush(ports[0], 0);
	/* At least: nic may have had a question of its own to send. */
	SW_EXPECT_GE(s->tx_full, before.tx_full + 1);
	SW_EXPECT_EQ(s->tx_frames, before.tx_frames);
	rte_pktmbuf_free_bulk(filler + filled, (unsigned)(2048 - filled));
	while (take(0, &b))
		;
	SW_EXPECT_EQ(rte_mempool_avail_count(pool), free_before); /* nothing leaks */
}

SW_TEST(nic_port, any_garbage_leaves_the_port_working_and_the_pool_full)
{
	SW_ASSERT_TRUE(ready());
	quiet(0);
	struct sw_random r = sw_random_seed(sw_test_env_u64("SW_SEED", 5));
	struct nic_datagram in[NIC_BURST];
	unsigned free_before = rte_mempool_avail_count(pool);
	uint64_t datagrams = 0;
	for (int run = 0; run < 20000; run++) {
		struct bytes b = run % 2 == 0 ? bytes_datagram(40) : bytes_arp(1, bytes_own_ip);
		for (uint64_t flips = sw_random_below(&r, 4); flips > 0; flips--)
			b.at[sw_random_below(&r, b.len)] ^= (uint8_t)(1 << sw_random_below(&r, 8));
		b.len = 1 + (uint32_t)sw_random_below(&r, b.len);
		inject(0, &b);
		uint16_t count = nic_rx(ports[0], 0, in);
		datagrams += count;
		for (uint16_t i = 0; i < count; i++)
			nic_reply(ports[0], 0, in[i].mbuf, in[i].payload_offset, in[i].payload_len);
		nic_flush(ports[0], 0);
		while (take(0, &b))
			;
	}
	sw_test_note("datagrams among them: %lu", datagrams);
	SW_EXPECT_EQ(rte_mempool_avail_count(pool), free_before);
}

struct refusal_row {
	const char *name;
	struct nic_config config;
	const char *says;
};

#define ADDRESS(a, b, c, d, p)                                                                     \
	{                                                                                          \
		.addr = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, .port = p          \
	}

static const struct refusal_row refusal_rows[] = {
	{"no_lanes", {.kind = NIC_VDEV, .interface = "net_null0"}, "lanes"},
	{"no_port", {.kind = NIC_VDEV, .interface = "net_null0", .queues = 1}, "UDP port"},
	{"no_address",
		{.kind = NIC_VDEV, .interface = "net_null0", .queues = 1, .address = {.port = 5}},
		"no address of its own"},
	{"no_prefix",
		{.kind = NIC_VDEV,
			.interface = "net_null0",
			.queues = 1,
			.address = ADDRESS(10, 0, 0, 1, 5)},
		"prefix length 0"},
	{"vlan_beyond_its_range",
		{.kind = NIC_VDEV,
			.interface = "net_null0",
			.queues = 1,
			.prefix_len = 24,
			.vlan = 4095,
			.address = ADDRESS(10, 0, 0, 1, 5)},
		"VLAN 4095"},
	{"gateway_of_the_other_family",
		{.kind = NIC_VDEV,
			.interface = "net_null0",
			.queues = 1,
			.prefix_len = 64,
			.gateway = ADDRESS(10, 0, 0, 1, 5),
			.address = {.addr = {0x20, 0x01}, .port = 5}},
		"not IPv6 as the address is"},
	{"no_interface",
		{.kind = NIC_AF_PACKET,
			.interface = "nosuch0",
			.queues = 1,
			.address = {.port = 5}},
		"interface nosuch0: not found"},
	{"interface_name_too_long",
		{.kind = NIC_AF_XDP,
			.interface = "sixteen-letters-",
			.queues = 1,
			.address = {.port = 5}},
		"15 characters"},
	{"interface_is_not_ethernet",
		{.kind = NIC_AF_PACKET, .interface = "lo", .queues = 1, .address = {.port = 5}},
		"not Ethernet"},
	{"memif_without_a_socket",
		{.kind = NIC_MEMIF,
			.queues = 1,
			.prefix_len = 24,
			.address = ADDRESS(10, 0, 0, 1, 5)},
		"socket path"},
	{"pci_without_an_address",
		{.kind = NIC_PCI,
			.queues = 1,
			.prefix_len = 24,
			.address = ADDRESS(10, 0, 0, 1, 5)},
		"no PCI address"},
};

SW_TEST_TABLE(nic_arguments, refused_with_a_reason, const struct refusal_row *row, refusal_rows)
{
	char args[ARGS_MAX][NIC_ERROR_MAX];
	char error[NIC_ERROR_MAX];
	SW_EXPECT_LT(nic_eal_arguments(&row->config, args, ARGS_MAX, error), 0);
	if (strstr(error, row->says) == NULL)
		SW_FAIL("\"%s\" does not say \"%s\"", error, row->says);
}

SW_TEST(nic_arguments, pci_alone_gets_the_bus)
{
	struct nic_config pci = {.kind = NIC_PCI,
		.interface = "0000:01:00.0",
		.queues = 1,
		.prefix_len = 24,
		.address = ADDRESS(10, 0, 0, 1, 5)};
	struct nic_config vdev = pci;
	char args[ARGS_MAX][NIC_ERROR_MAX];
	char error[NIC_ERROR_MAX];
	SW_ASSERT_EQ(nic_eal_arguments(&pci, args, ARGS_MAX, error), 1);
	SW_EXPECT_STR(args[0], "--allow=0000:01:00.0");
	vdev.kind = NIC_VDEV;
	snprintf(vdev.interface, sizeof(vdev.interface), "net_null0,size=64");
	SW_ASSERT_EQ(nic_eal_arguments(&vdev, args, ARGS_MAX, error), 3);
	SW_EXPECT_STR(args[0], "--no-pci");
	SW_EXPECT_STR(args[2], "--vdev=net_null0,size=64");
}
