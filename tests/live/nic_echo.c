/* The smallest user of lib/nic: one lane that sends each datagram back, for tests/live/nic_smoke.
 *
 *   nic_echo KIND INTERFACE ADDRESS:PORT [option ...]
 *     KIND       af_xdp, af_packet, memif-server, memif-client, pci or vdev
 *     INTERFACE  as in struct nic_config; for memif the socket's path
 *   options: --no-huge, --huge, --prefix N, --gateway ADDRESS, --queues N, --memory MIB,
 *     --ping ADDRESS:PORT (send a datagram there each millisecond and count what comes back),
 *     --seconds N, --xdp-program PATH, --vlan N, --dscp N, --take-over, --drivers-dir PATH,
 * --want-ipv6
 *
 * Prints "ready …" when it polls, and its counters at the end (SIGTERM, SIGINT or the time given).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "base/clock.h"
#include "nic/nic.h"

enum { ARGS_MAX = 24, PING_LEN = 64 };

struct options {
	struct nic_config config;
	struct sw_endpoint ping;
	bool pings;
	bool huge;
	unsigned memory_mib;
	unsigned seconds;
};

static volatile sig_atomic_t stopping;

static void on_signal(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock always exists */
	return (uint64_t)t.tv_sec * SW_NS_PER_S + (uint64_t)t.tv_nsec;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "nic_echo: %s: %s\n", what, why);
	return 1;
}

static int parse_kind(const char *text, const char *where, struct nic_config *config)
{
	static const struct {
		const char *name;
		enum nic_kind kind;
	} kinds[] = {{"af_xdp", NIC_AF_XDP}, {"af_packet", NIC_AF_PACKET},
		{"memif-server", NIC_MEMIF}, {"memif-client", NIC_MEMIF}, {"pci", NIC_PCI},
		{"vdev", NIC_VDEV}};
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(text, kinds[i].name) != 0)
			continue;
		config->kind = kinds[i].kind;
		config->memif_server = strcmp(text, "memif-server") == 0;
		if (config->kind == NIC_MEMIF)
			snprintf(config->memif_socket, sizeof(config->memif_socket), "%s", where);
		else
			snprintf(config->interface, sizeof(config->interface), "%s", where);
		return 0;
	}
	return -EINVAL;
}

static int parse_option(const char *name, const char *value, struct options *o)
{
	if (strcmp(name, "--prefix") == 0)
		o->config.prefix_len = (uint8_t)atoi(value);
	else if (strcmp(name, "--queues") == 0)
		o->config.queues = (uint16_t)atoi(value);
	else if (strcmp(name, "--memory") == 0)
		o->memory_mib = (unsigned)atoi(value);
	else if (strcmp(name, "--seconds") == 0)
		o->seconds = (unsigned)atoi(value);
	else if (strcmp(name, "--xdp-program") == 0)
		snprintf(o->config.xdp_program, sizeof(o->config.xdp_program), "%s", value);
	else if (strcmp(name, "--vlan") == 0)
		o->config.vlan = (uint16_t)atoi(value);
	else if (strcmp(name, "--dscp") == 0)
		o->config.dscp = (uint8_t)atoi(value);
	else if (strcmp(name, "--drivers-dir") == 0)
		snprintf(o->config.drivers_dir, sizeof(o->config.drivers_dir), "%s", value);
	else if (strcmp(name, "--gateway") == 0)
		return sw_endpoint_parse(value, 1, &o->config.gateway);
	else if (strcmp(name, "--ping") == 0) {
		o->pings = true;
		return sw_endpoint_parse(value, 0, &o->ping);
	} else
		return -EINVAL;
	return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	*o = (struct options){.config = {.queues = 1, .prefix_len = 24}, .memory_mib = 64};
	if (argc < 4 || parse_kind(argv[1], argv[2], &o->config) < 0 ||
		sw_endpoint_parse(argv[3], 0, &o->config.address) < 0)
		return -EINVAL;
	for (int i = 4; i < argc; i++) {
		if (strcmp(argv[i], "--huge") == 0 || strcmp(argv[i], "--no-huge") == 0)
			o->huge = strcmp(argv[i], "--huge") == 0;
		else if (strcmp(argv[i], "--take-over") == 0)
			o->config.take_over = true;
		else if (strcmp(argv[i], "--want-ipv6") == 0)
			o->config.want_ipv6 = true;
		else if (i + 1 == argc || parse_option(argv[i], argv[i + 1], o) < 0)
			return -EINVAL;
		else
			i++;
	}
	return 0;
}

static int start_eal(const struct options *o)
{
	static char from_nic[ARGS_MAX][NIC_ERROR_MAX];
	static char memory[16], prefix[64], lcores[32];
	char *args[ARGS_MAX + 12];
	char error[NIC_ERROR_MAX];
	int n = 0;
	int extra = nic_eal_arguments(&o->config, from_nic, ARGS_MAX, error);
	if (extra < 0)
		return fail("arguments", error);
	snprintf(memory, sizeof(memory), "%u", o->memory_mib);
	snprintf(prefix, sizeof(prefix), "--file-prefix=nic_echo_%ld", (long)now_ns());
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	snprintf(lcores, sizeof(lcores), cpus > 1 ? "--lcores=0@(0-%ld)" : "--lcores=0@%ld",
		cpus - 1);
	args[n++] = "nic_echo";
	args[n++] = "--no-telemetry";
	args[n++] = lcores;
	args[n++] = "--log-level=4";
	args[n++] = "-m";
	args[n++] = memory;
	args[n++] = o->huge ? prefix : "--no-huge";
	args[n++] = o->huge ? "--huge-unlink=always" : "--no-shconf";
	for (int i = 0; i < extra; i++)
		args[n++] = from_nic[i];
	return rte_eal_init(n, args) < 0 ? fail("EAL", rte_strerror(rte_errno)) : 0;
}

static void send_ping(struct nic_port *port, struct rte_mempool *pool, const struct sw_endpoint *to,
	uint64_t number)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	if (mbuf == NULL)
		return;
	uint8_t *payload = (uint8_t *)rte_pktmbuf_append(mbuf, PING_LEN);
	if (payload == NULL) {
		rte_pktmbuf_free(mbuf);
		return;
	}
	memset(payload, 0, PING_LEN);
	memcpy(payload, &number, sizeof(number));
	nic_send(port, 0, mbuf, to);
	nic_flush(port, 0);
}

static void run(struct nic_port *port, struct rte_mempool *pool, const struct options *o)
{
	uint64_t start_ns = now_ns(), tick_ns = 0, ping_ns = 0, sent = 0, back = 0;
	uint64_t end_ns = o->seconds == 0 ? SW_NEVER_NS : start_ns + o->seconds * SW_NS_PER_S;
	for (uint64_t now = start_ns; !stopping && now < end_ns; now = now_ns()) {
		struct nic_datagram in[NIC_BURST];
		for (uint16_t q = 0; q < o->config.queues; q++) {
			uint16_t count = nic_rx(port, q, in);
			for (uint16_t i = 0; i < count; i++) {
				if (o->pings) {
					back++;
					rte_pktmbuf_free(in[i].mbuf);
				} else {
					nic_reply(port, q, in[i].mbuf, in[i].payload_offset,
						in[i].payload_len);
				}
			}
			nic_flush(port, q);
		}
		if (now >= tick_ns) {
			nic_control_tick(port, now);
			tick_ns = now + 100 * SW_NS_PER_MS;
		}
		if (o->pings && now >= ping_ns) {
			send_ping(port, pool, &o->ping, sent++);
			ping_ns = now + SW_NS_PER_MS;
		}
	}
	if (o->pings)
		printf("pings sent %lu back %lu\n", sent, back);
}

static void print_stats(const struct nic_port *port, const struct options *o)
{
	for (uint16_t q = 0; q < o->config.queues; q++) {
		const struct nic_stats *s = nic_port_stats(port, q);
		printf("queue %u rx_frames %lu rx_datagrams %lu rx_answered %lu tx_frames %lu "
		       "tx_full %lu "
		       "tx_no_neighbour %lu",
			q, s->rx_frames, s->rx_datagrams, s->rx_answered, s->tx_frames, s->tx_full,
			s->tx_no_neighbour);
		for (int d = 0; d < NIC_DROP_COUNT; d++)
			printf(" %s %lu", nic_drop_name((enum nic_drop)d), s->rx_drops[d]);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	struct options o;
	struct nic_port *port;
	struct nic_info info;
	char error[NIC_ERROR_MAX];
	char text[SW_ENDPOINT_TEXT_MAX];
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (parse(argc, argv, &o) < 0)
		return fail("usage", "nic_echo KIND INTERFACE ADDRESS:PORT [option ...]");
	if (start_eal(&o) != 0)
		return 1;
	uint32_t mbufs = nic_mbufs_needed(&o.config) + 1024;
	struct rte_mempool *pool = nic_pool_create(&o.config, "echo", mbufs, 0, error);
	if (pool == NULL)
		return fail("pool", error);
	if (nic_port_create(&o.config, pool, &port, error) < 0)
		return fail("create", error);
	if (nic_port_start(port, error) < 0)
		return fail("start", error);
	if (o.pings && nic_want_peer(port, &o.ping) < 0)
		return fail("peer", "no way to it");
	nic_port_info(port, &info);
	printf("ready %s driver %s (%s) mbufs %u rx %u tx %u mtu %u zero_copy %d offloads %s "
	       "steering: "
	       "%s\n",
		sw_endpoint_format(&info.address, text), info.driver, info.driver_file, mbufs,
		info.rx_descriptors, info.tx_descriptors, info.mtu, info.zero_copy, info.offloads,
		info.steering);
	run(port, pool, &o);
	nic_port_stop(port);
	print_stats(port, &o);
	nic_port_destroy(port);
	(void)rte_eal_cleanup(); /* the process ends */
	return 0;
}
