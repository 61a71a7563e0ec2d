#include "nic/port.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>
#include <netinet/in.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "nic/device.h"
#include "nic/netlink.h"
#include "nic/steer.h"
#include "nic/takeover.h"
#include "nic/xdp.h"

enum { MEMIF_TRY_MS = 500, MEMIF_LOOK_MS = 10, MEMIF_TRIES = 60 };

const char *nic_drop_name(enum nic_drop d)
{
	static const char *const names[NIC_DROP_COUNT] = {
		[NIC_DROP_SHORT] = "short",
		[NIC_DROP_NOT_IP] = "not_ip",
		[NIC_DROP_NOT_UDP] = "not_udp",
		[NIC_DROP_FRAGMENT] = "fragment",
		[NIC_DROP_NOT_MINE] = "not_mine",
		[NIC_DROP_CHECKSUM] = "checksum",
		[NIC_DROP_MULTICAST] = "multicast",
		[NIC_DROP_SENDER] = "sender",
		[NIC_DROP_SEGMENTS] = "segments",
	};
	return (unsigned)d < NIC_DROP_COUNT ? names[d] : "?";
}

socklen_t nic_sockaddr(const struct sw_endpoint *e, unsigned ifindex, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (sw_endpoint_is_ipv4(e)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htobe16(e->port);
		in->sin_addr.s_addr = sw_endpoint_ipv4(e);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htobe16(e->port);
	memcpy(&in6->sin6_addr, e->addr, sizeof(in6->sin6_addr));
	if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
		in6->sin6_scope_id = ifindex;
	return sizeof(*in6);
}

/* A socket that holds our UDP port and throws everything away: else the kernel would answer its
 * copies of our datagrams, and those that miss our queues, with "port unreachable". */
static int silent_open(const struct nic_port *port, char *error)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog filter = {.len = 1, .filter = nothing};
	struct sockaddr_storage self;
	socklen_t self_len = nic_sockaddr(&port->info.address, port->ifindex, &self);
	char text[SW_ENDPOINT_TEXT_MAX];
	int fd = socket(self.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0 &&
		bind(fd, (const struct sockaddr *)&self, self_len) == 0)
		return fd;
	int rc = -errno;
	if (fd >= 0)
		(void)close(fd);
	if (rc == -EADDRINUSE)
		return nic_fail(error, rc,
			"UDP port %s is in use by another program (or another swimlane); `ss "
			"-ulpn` "
			"shows which",
			sw_endpoint_format(&port->info.address, text));
	return nic_fail(error, rc, "UDP port %s cannot be held: %s",
		sw_endpoint_format(&port->info.address, text), strerror(-rc));
}

static void set_own_mac(struct nic_port *port, const uint8_t mac[6])
{
	memcpy(port->self.mac, mac, 6);
	memcpy(port->info.mac, mac, 6);
	atomic_store_explicit(
		&port->own_mac, neighbour_word(NEIGHBOUR_KNOWN, mac), memory_order_relaxed);
}

static void set_address(
	struct nic_port *port, const struct sw_endpoint *address, uint8_t prefix_len)
{
	port->info.address = *address;
	port->info.address.port = port->config.address.port;
	port->info.prefix_len = prefix_len;
	port->self.port_be = htobe16(port->config.address.port);
	port->self.ipv6 = !sw_endpoint_is_ipv4(address);
	uint8_t mask[16] = {0};
	unsigned bits = port->self.ipv6 ? prefix_len : 96u + prefix_len;
	for (unsigned i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> (i % 8));
	memcpy(port->mask, mask, sizeof(port->mask));
	if (port->self.ipv6) {
		memcpy(port->self.addr6, address->addr, sizeof(port->self.addr6));
		return;
	}
	uint32_t mask_be;
	memcpy(&mask_be, mask + 12, sizeof(mask_be));
	port->self.addr_be = sw_endpoint_ipv4(address);
	/* RFC 3021: a /31 has no broadcast address, nor has a single host. */
	port->self.broadcast_be =
		prefix_len < 31 ? (port->self.addr_be & mask_be) | ~mask_be : UINT32_MAX;
}

static int find_device(struct nic_port *port, char *error)
{
	char name[64];
	device_name(&port->config, name);
	if (rte_eth_dev_get_port_by_name(name, &port->port_id) == 0)
		return 0;
	if (port->config.kind == NIC_PCI)
		return nic_fail(error, -ENODEV,
			"PCI device %s: DPDK does not drive it; bind it with `dpdk-devbind.py -b "
			"vfio-pci "
			"%s` (mlx5: leave it with its kernel driver), and look at EAL's messages",
			name, name);
	return nic_fail(error, -ENODEV,
		"device %s: EAL did not make it; its arguments come from nic_eal_arguments(), and "
		"its "
		"messages say why",
		name);
}

static uint16_t descriptors(
	uint16_t wanted, uint16_t preferred, const struct rte_eth_desc_lim *limits)
{
	/* Never more than nic_mbufs_needed() counted on. */
	bool fits = preferred != 0 && preferred < DEVICE_DESCRIPTORS;
	uint16_t n = wanted != 0 ? wanted : fits ? preferred : DEVICE_DESCRIPTORS;
	if (limits->nb_max != 0 && n > limits->nb_max)
		n = limits->nb_max;
	if (n < limits->nb_min)
		n = limits->nb_min;
	if (limits->nb_align > 1)
		n = (uint16_t)(n / limits->nb_align * limits->nb_align);
	return n;
}

static uint16_t or_else(uint16_t wanted, uint16_t otherwise)
{
	return wanted != 0 ? wanted : otherwise;
}

/* What the driver file asks for and the device has. */
static void choose_offloads(
	struct nic_port *port, const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf)
{
	const struct nic_driver *driver = port->driver;
	uint64_t rx = 0, tx = 0;
	if (driver->rx_offloads & NIC_OFFLOAD_IPV4_CHECKSUM)
		rx |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (driver->rx_offloads & NIC_OFFLOAD_UDP_CHECKSUM)
		rx |= RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	if (driver->tx_offloads & NIC_OFFLOAD_IPV4_CHECKSUM)
		tx |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	if (driver->tx_offloads & NIC_OFFLOAD_UDP_CHECKSUM)
		tx |= RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	rx &= dev->rx_offload_capa;
	tx &= dev->tx_offload_capa;
	conf->rxmode.offloads = rx;
	conf->txmode.offloads = tx;
	port->ipv4_sum_left = (tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
	port->udp_sum_left = (tx & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
	port->tx_prepare = (driver->quirks & NIC_QUIRK_TX_PREPARE) != 0 && tx != 0;
	(void)snprintf(port->info.offloads, sizeof(port->info.offloads),
		"receive %s%s, send %s%s%s", rx & RTE_ETH_RX_OFFLOAD_UDP_CKSUM ? "UDP sum" : "none",
		rx & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM ? " and IPv4 sum" : "",
		port->udp_sum_left ? "UDP sum" : "", port->ipv4_sum_left ? " IPv4 sum" : "",
		tx == 0 ? "none" : "");
}

/* Those of kernel interfaces and of memif say that they take 1,500 and mean nothing by it: the size
 * of their rings' frames decides, and they were told it when EAL started. */
static uint16_t driver_mtu(const struct nic_port *port, const struct rte_eth_dev_info *dev)
{
	uint16_t mtu = device_mtu(&port->config);
	bool told = nic_kind_is_shared(port->config.kind) || port->config.kind == NIC_MEMIF;
	return told || dev->max_mtu < mtu ? NIC_MTU : mtu;
}

static int set_up_queues(struct nic_port *port, const struct rte_eth_dev_info *dev, char *error)
{
	const struct nic_config *config = &port->config;
	uint16_t rx = descriptors(or_else(config->rx_descriptors, port->driver->rx_descriptors),
		dev->default_rxportconf.ring_size, &dev->rx_desc_lim);
	uint16_t tx = descriptors(or_else(config->tx_descriptors, port->driver->tx_descriptors),
		dev->default_txportconf.ring_size, &dev->tx_desc_lim);
	/* The driver is asked to keep to our MTU; one that cannot be told has it already. */
	struct rte_eth_conf conf = {.rxmode.mtu = driver_mtu(port, dev)};
	enum nic_steering way = steer_choose(port, dev, &conf);
	choose_offloads(port, dev, &conf);
	port->interrupts = config->interrupts && port->driver->rx_interrupts &&
			   !nic_kind_is_shared(config->kind);
	conf.intr_conf.rxq = port->interrupts;
	int rc = rte_eth_dev_configure(port->port_id, config->queues, config->queues, &conf);
	if (rc < 0)
		return nic_fail(error, rc, "device %s: refuses %u queues: %s", port->info.name,
			config->queues, rte_strerror(-rc));
	port->configured = true;
	(void)rte_eth_dev_adjust_nb_rx_tx_desc(
		port->port_id, &rx, &tx); /* the set-up below checks */
	unsigned socket = port->info.numa_node < 0 ? 0 : (unsigned)port->info.numa_node;
	for (uint16_t q = 0; q < config->queues; q++) {
		rc = rte_eth_rx_queue_setup(port->port_id, q, rx, socket, NULL, port->pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(port->port_id, q, tx, socket, NULL);
		if (rc < 0)
			return nic_fail(error, rc,
				"device %s: queue %u cannot be set up with %u and %u descriptors: "
				"%s; "
				"DPDK's messages say more",
				port->info.name, q, rx, tx, rte_strerror(-rc));
	}
	/* Drivers that made their rings when EAL started were told then. */
	if (config->kind == NIC_AF_PACKET)
		rx = tx = (uint16_t)device_af_packet_frames(config);
	else if (config->kind == NIC_MEMIF)
		rx = tx = (uint16_t)(1u << device_memif_ring_log2(config));
	port->info.rx_descriptors = rx;
	port->info.tx_descriptors = tx;
	port->way = (int)way;
	return 0;
}

/* The driver registers one piece of memory of `populated_size` objects: all mbufs must lie in it.
 */
static int check_pool(const struct nic_port *port, char *error)
{
	const struct rte_mempool *pool = port->pool;
	uint16_t room = device_data_room(&port->config);
	if (rte_pktmbuf_data_room_size(port->pool) < RTE_PKTMBUF_HEADROOM + room)
		return nic_fail(error, -EINVAL,
			"pool %s: its mbufs are smaller than %u bytes; use "
			"nic_pool_create()",
			pool->name, room);
	if (port->config.kind != NIC_AF_XDP)
		return 0;
	const struct rte_mempool_memhdr *first = STAILQ_FIRST(&pool->mem_list);
	size_t object = pool->header_size + pool->elt_size + pool->trailer_size;
	uintptr_t start = (uintptr_t)first->addr & ~(uintptr_t)4095;
	uintptr_t end = (uintptr_t)first->addr + pool->populated_size * object;
	const struct rte_mempool_objhdr *h;
	STAILQ_FOREACH (h, &pool->elt_list, next) {
		uintptr_t at = (uintptr_t)(h + 1) - pool->header_size;
		if (at < start || at + object > end)
			return nic_fail(error, -EINVAL,
				"pool %s: its mbufs do not lie side by side, as AF_XDP needs them; "
				"use "
				"nic_pool_create(), and more memory in one piece",
				pool->name);
	}
	return 0;
}

/* What the driver file allows, and where the device itself says less, that. */
static int check_mtu(const struct nic_port *port, const struct rte_eth_dev_info *dev, char *error)
{
	uint16_t mtu = device_mtu(&port->config), most = port->driver->mtu_max;
	if (mtu > most)
		return nic_fail(error, -EMSGSIZE,
			"device %s: an MTU of %u, but driver %s takes at most %u (mtu_max of %s); "
			"lower port.mtu",
			port->info.name, mtu, port->info.driver, most, port->info.driver_file);
	bool bound = port->config.kind == NIC_PCI;
	if (bound && dev->max_mtu != 0 && mtu > dev->max_mtu)
		return nic_fail(error, -EMSGSIZE,
			"device %s: an MTU of %u, but the device takes at most %u; lower port.mtu",
			port->info.name, mtu, dev->max_mtu);
	return 0;
}

static int check_device(struct nic_port *port, struct rte_eth_dev_info *dev, char *error)
{
	int rc = rte_eth_dev_info_get(port->port_id, dev);
	if (rc < 0)
		return nic_fail(error, rc, "device %s: says nothing about itself: %s",
			port->info.name, rte_strerror(-rc));
	if (port->config.queues > dev->max_rx_queues || port->config.queues > dev->max_tx_queues)
		return nic_fail(error, -ERANGE,
			"device %s: %u lanes, but it has %u receive and %u transmit queues; use "
			"fewer "
			"lanes",
			port->info.name, port->config.queues, dev->max_rx_queues,
			dev->max_tx_queues);
	(void)snprintf(port->info.driver, sizeof(port->info.driver), "%s", dev->driver_name);
	port->asks_for_link = strcmp(dev->driver_name, "net_memif") == 0;
	port->info.numa_node = rte_eth_dev_socket_id(port->port_id);
	char from[NIC_ERROR_MAX];
	rc = nic_driver_find(
		port->config.drivers_dir, dev->driver_name, &port->driver, from, error);
	if (rc < 0)
		return rc;
	(void)snprintf(port->info.driver_file, sizeof(port->info.driver_file), "%.120s", from);
	port->info.capabilities = port->driver->capabilities;
	return check_mtu(port, dev, error);
}

static int create_shared(struct nic_port *port, struct interface *interface, char *error)
{
	const struct nic_config *config = &port->config;
	int rc = device_check_interface(config, interface, error);
	if (rc < 0)
		return rc;
	port->ifindex = interface->ifindex;
	set_address(port, &interface->address, interface->prefix_len);
	set_own_mac(port, interface->mac);
	port->silent_fd = silent_open(port, error);
	if (port->silent_fd < 0)
		return port->silent_fd;
	rc = netlink_create(port, &port->netlink, error);
	if (rc < 0 || config->kind != NIC_AF_XDP)
		return rc;
	port->lock_fd = xdp_lock(config->interface, error);
	if (port->lock_fd < 0)
		return port->lock_fd;
	return xdp_clear(config->interface, port->ifindex, error);
}

static void create_exclusive(struct nic_port *port)
{
	const struct nic_config *config = &port->config;
	struct rte_ether_addr mac;
	static const uint8_t zero[6];
	bool configured = memcmp(config->mac, zero, sizeof(zero)) != 0;
	port->self.exclusive = true;
	set_address(port, &config->address, config->prefix_len);
	port->has_gateway = !interface_address_is_any(&config->gateway);
	port->self.vlan = config->vlan;
	if (rte_eth_macaddr_get(port->port_id, &mac) < 0 || rte_is_zero_ether_addr(&mac) ||
		(configured && config->kind != NIC_PCI))
		device_own_mac(config, mac.addr_bytes);
	/* A device without a MAC filter takes what we say. */
	if (configured && config->kind == NIC_VDEV)
		(void)rte_eth_dev_default_mac_addr_set(port->port_id, &mac);
	set_own_mac(port, mac.addr_bytes);
}

/* A PCI port beside the kernel has the kernel's interface, addresses and neighbours. */
static int isolate(struct nic_port *port, char *error)
{
	char interface[16];
	port->isolated = steer_isolate(port, interface);
	if (!port->isolated)
		return takeover_check(&port->config, true, error);
	(void)snprintf(port->config.interface, sizeof(port->config.interface), "%s", interface);
	port->info.exclusive = false;
	return 0;
}

int nic_port_create(const struct nic_config *config, struct rte_mempool *pool,
	struct nic_port **out, char *error)
{
	struct rte_eth_dev_info dev;
	struct nic_port *port = rte_zmalloc("nic_port", sizeof(*port), RTE_CACHE_LINE_SIZE);
	*out = NULL;
	error[0] = '\0';
	if (port == NULL)
		return nic_fail(error, -ENOMEM, "port: no memory for %zu bytes", sizeof(*port));
	port->config = *config;
	port->pool = pool;
	port->silent_fd = -1;
	port->lock_fd = -1;
	port->tsc_hz = rte_get_tsc_hz();
	port->info.exclusive = !nic_kind_is_shared(config->kind);
	port->info.queues = config->queues;
	port->info.mtu = device_mtu(config);
	device_name(config, port->info.name);

	int rc = find_device(port, error);
	if (rc == 0)
		rc = check_device(port, &dev, error);
	if (rc == 0)
		rc = check_pool(port, error);
	if (rc == 0 && !nic_kind_is_shared(config->kind))
		rc = isolate(port, error);
	if (rc == 0 && (nic_kind_is_shared(config->kind) || port->isolated))
		rc = create_shared(port, &port->interface, error);
	else if (rc == 0)
		create_exclusive(port);
	if (rc == 0)
		rc = set_up_queues(port, &dev, error);
	xdp_program_close();
	if (rc < 0) {
		nic_port_destroy(port);
		return rc;
	}
	if (config->kind == NIC_AF_XDP) {
		port->info.zero_copy = xdp_is_zero_copy();
		port->xdp_id = xdp_attached(port->ifindex);
	}
	port->quick = frame_quick_for(&port->self);
	port->summed = config->proven || (config->summed && !port->self.ipv6);
	port->quick_answer = frame_quick_answer_for(config->dscp, port->ipv4_sum_left,
		port->udp_sum_left ? FRAME_QUICK_SUM_LEFT
		: port->summed     ? FRAME_QUICK_SUM_NONE
				   : FRAME_QUICK_SUM);
	*out = port;
	return 0;
}

/* An owned IPv6 port is asked for its MAC in a group (RFC 4861): the device must let that through.
 */
static void join_groups(const struct nic_port *port)
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	struct rte_ether_addr groups[2];
	uint8_t group[16];
	if (!port->self.exclusive || !port->self.ipv6)
		return;
	frame_solicited_node(port->self.addr6, group);
	frame_multicast_mac(group, groups[0].addr_bytes);
	frame_multicast_mac(all_nodes, groups[1].addr_bytes);
	if ((port->driver->quirks & NIC_QUIRK_ALL_MULTICAST) == 0 &&
		rte_eth_dev_set_mc_addr_list(port->port_id, groups, 2) == 0)
		return;
	/* A device that knows neither has no filter at all. */
	(void)rte_eth_allmulticast_enable(port->port_id);
}

static bool link_comes_up(uint16_t port_id)
{
	struct rte_eth_link link;
	for (int i = 0; i < MEMIF_TRY_MS; i += MEMIF_LOOK_MS) {
		if (rte_eth_link_get_nowait(port_id, &link) == 0 &&
			link.link_status == RTE_ETH_LINK_UP)
			return true;
		rte_delay_us_sleep(MEMIF_LOOK_MS * 1000);
	}
	return false;
}

/* A memif client asks once, and that fails if the server is not there yet, or has its socket but
 * has not started: the driver does not try again. */
static int start_device(const struct nic_port *port)
{
	bool asks = port->config.kind == NIC_MEMIF && !port->config.memif_server;
	if (!asks)
		return rte_eth_dev_start(port->port_id);
	for (int i = 0; i < MEMIF_TRIES; i++) {
		if (rte_eth_dev_start(port->port_id) < 0)
			rte_delay_us_sleep(MEMIF_TRY_MS * 1000);
		else if (link_comes_up(port->port_id))
			return 0;
		else
			(void)rte_eth_dev_stop(port->port_id); /* the next start tells */
	}
	return -ENOTCONN;
}

int nic_port_start(struct nic_port *port, char *error)
{
	error[0] = '\0';
	int rc = start_device(port);
	if (rc < 0)
		return nic_fail(error, rc,
			"device %s: does not start: %s; DPDK's messages say more", port->info.name,
			rte_strerror(-rc));
	port->started = true;
	join_groups(port);
	rc = steer_apply(port, error);
	device_describe_steering(&port->config, &port->interface, (enum nic_steering)port->way,
		port->tried, port->info.steering);
	return rc;
}

void nic_port_stop(struct nic_port *port)
{
	if (!port->started)
		return;
	port->started = false;
	if (port->config.kind == NIC_AF_XDP)
		xdp_detach(port->ifindex, port->xdp_id);
	steer_release(port);
	(void)rte_eth_dev_stop(port->port_id); /* closed next: nothing is left to mend here */
}

void nic_port_destroy(struct nic_port *port)
{
	if (port == NULL)
		return;
	nic_port_stop(port);
	for (uint16_t q = 0; q < port->config.queues; q++)
		rte_pktmbuf_free_bulk(port->queues[q].tx, port->queues[q].tx_count);
	if (port->configured)
		(void)rte_eth_dev_close(port->port_id);
	if (port->lock_fd >= 0)
		xdp_detach(port->ifindex, port->xdp_id);
	netlink_destroy(port->netlink);
	if (port->lock_fd >= 0)
		(void)close(port->lock_fd);
	if (port->silent_fd >= 0)
		(void)close(port->silent_fd);
	nic_driver_free(port->driver);
	rte_free(port);
}

void nic_port_info(const struct nic_port *port, struct nic_info *info)
{
	*info = port->info;
}

const struct nic_stats *nic_port_stats(const struct nic_port *port, uint16_t queue)
{
	assert(queue < port->config.queues);
	return &port->queues[queue].stats;
}

void nic_control_tick(struct nic_port *port, uint64_t now_ns)
{
	struct ask ask;
	if (port->netlink == NULL)
		return;
	for (uint16_t q = 0; q < port->config.queues; q++) {
		for (int i = 0; i < ASKS_MAX && ask_get_spsc(&port->queues[q].asks, &ask); i++)
			(void)netlink_want(port->netlink, ask.addr); /* full: counted by the lane */
	}
	netlink_tick(port->netlink, now_ns);
}

int nic_want_peer(struct nic_port *port, const struct sw_endpoint *peer)
{
	struct ask ask = {.learned = false};
	const struct sw_endpoint *hop = peer;
	if (sw_endpoint_is_ipv4(peer) == port->self.ipv6)
		return -EAFNOSUPPORT;
	if (port->netlink != NULL)
		return netlink_want(port->netlink, peer->addr);
	if (!nic_is_on_link(port, peer)) {
		if (!port->has_gateway)
			return -ENETUNREACH;
		hop = &port->config.gateway;
	}
	memcpy(ask.addr, hop->addr, sizeof(ask.addr));
	return ask_put_spsc(&port->asks_control, &ask) ? 0 : -ENOSPC;
}
