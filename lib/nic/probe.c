#include "nic/probe.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <rte_ethdev.h>

#include "nic/driver.h"
#include "nic/interface.h"
#include "nic/port.h"
#include "nic/steer.h"
#include "nic/takeover.h"
#include "nic/xdp.h"

__attribute__((format(printf, 3, 4))) static void append(
	char *to, size_t cap, const char *format, ...)
{
	va_list args;
	size_t len = strlen(to);
	va_start(args, format);
	(void)vsnprintf(to + len, cap - len, format, args);
	va_end(args);
}

#define APPEND(member, ...) append(member, sizeof(member), __VA_ARGS__)

static int read_number(const char *interface, const char *file, int otherwise)
{
	char path[PATH_MAX];
	int value = otherwise;
	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/%s", interface, file);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return otherwise;
	if (fscanf(f, "%d", &value) != 1)
		value = otherwise;
	(void)fclose(f);
	return value;
}

/* Does the driver take rules that send a flow to a queue? */
static bool has_ntuple(int fd, const char *interface)
{
	struct ethtool_rxnfc count = {.cmd = ETHTOOL_GRXCLSRLCNT};
	struct ifreq ifr = {.ifr_data = (char *)&count};
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", interface);
	return ioctl(fd, SIOCETHTOOL, &ifr) == 0;
}

static void query_driver(int fd, const char *interface, struct nic_offer *o)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {.ifr_data = (char *)&info};
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", interface);
	if (ioctl(fd, SIOCETHTOOL, &ifr) == 0)
		(void)snprintf(o->driver, sizeof(o->driver), "%.31s", info.driver);
}

static bool probe_interface(int fd, const char *name, const char *drivers_dir, struct nic_offer *o)
{
	struct interface interface;
	struct sw_endpoint any = {.port = 0};
	struct nic_driver *driver;
	char error[NIC_ERROR_MAX], from[NIC_ERROR_MAX];
	if (interface_query(name, &any, false, &interface, error) < 0)
		return false; /* no Ethernet */
	*o = (struct nic_offer){
		.queues = interface.queues, .mtu = interface.mtu, .up = interface.up};
	(void)snprintf(o->name, sizeof(o->name), "%s", name);
	query_driver(fd, name, o);
	o->numa_node = read_number(name, "device/numa_node", -1);
	o->default_route = takeover_has_default_route("/proc/self/net", name);
	o->interrupts = true;
	APPEND(o->steering, "%s", "software");
	APPEND(o->kinds, "%s", "af_packet");
	int rc = xdp_permitted(error);
	if (rc == 0) {
		(void)snprintf(o->kinds, sizeof(o->kinds), "af_xdp af_packet");
		(void)snprintf(o->steering, sizeof(o->steering), "xdp%s software",
			has_ntuple(fd, name) ? " ntuple" : "");
	} else {
		APPEND(o->refused, "xdp (%s)", strerror(-rc));
	}
	(void)snprintf(o->keeps, sizeof(o->keeps), "%s",
		nic_keeps_name(rc == 0 ? NIC_KEEPS_THE_REST : NIC_KEEPS_EVERYTHING));
	if (nic_driver_find_kernel(drivers_dir, o->driver, &driver, from, error) == 0) {
		(void)snprintf(o->family, sizeof(o->family), "%.31s", driver->family);
		(void)snprintf(o->take, sizeof(o->take), "%s", driver->take);
		nic_driver_free(driver);
	}
	return true;
}

uint32_t nic_probe_interfaces(const char *drivers_dir, struct nic_offer *list, uint32_t cap)
{
	uint32_t count = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Of this network namespace, whatever /sys shows. */
	struct if_nameindex *names = fd < 0 ? NULL : if_nameindex();
	for (uint32_t i = 0; names != NULL && names[i].if_index != 0; i++)
		if (count < cap)
			count += probe_interface(fd, names[i].if_name, drivers_dir, &list[count]);
	if (names != NULL)
		if_freenameindex(names);
	if (fd >= 0)
		(void)close(fd);
	return count;
}

static void probe_offloads(const struct rte_eth_dev_info *dev, struct nic_offer *o)
{
	if (dev->rx_offload_capa & RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
		APPEND(o->offloads, "rx-sum ");
	if (dev->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)
		APPEND(o->offloads, "tx-ip-sum ");
	if (dev->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
		APPEND(o->offloads, "tx-udp-sum ");
	if (o->offloads[0] != '\0')
		o->offloads[strlen(o->offloads) - 1] = '\0';
}

/* Each way of the driver file, tried on the device itself. */
static void probe_ways(uint16_t port_id, const struct rte_eth_dev_info *dev,
	const struct nic_driver *driver, uint16_t queues, struct nic_offer *o)
{
	for (uint32_t i = 0; i < driver->steering_count; i++) {
		enum nic_steering way = (enum nic_steering)driver->steering[i];
		char why[NIC_ERROR_MAX] = "";
		int rc = 0;
		if (way == NIC_STEER_FLOW_RULES || way == NIC_STEER_ISOLATE)
			rc = steer_validate(port_id, queues, false, why);
		else if (way == NIC_STEER_RSS && dev->flow_type_rss_offloads == 0)
			rc = nic_fail(why, -ENOTSUP, "the device hashes nothing");
		if (rc == 0)
			APPEND(o->steering, "%s%s", o->steering[0] != '\0' ? " " : "",
				nic_steering_name(way));
		else
			APPEND(o->refused, "%s%s (%.60s)", o->refused[0] != '\0' ? ", " : "",
				nic_steering_name(way), why);
	}
}

static bool can_interrupt(uint16_t port_id, uint16_t queues)
{
	struct rte_eth_conf conf = {.intr_conf.rxq = 1};
	return rte_eth_dev_configure(port_id, queues, queues, &conf) == 0;
}

static void probe_device(uint16_t port_id, const char *drivers_dir, struct nic_offer *o)
{
	struct rte_eth_dev_info dev;
	struct rte_eth_conf conf = {.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE};
	struct nic_driver *driver;
	char error[NIC_ERROR_MAX], from[NIC_ERROR_MAX];
	uint16_t mtu = 0;
	*o = (struct nic_offer){.numa_node = rte_eth_dev_socket_id(port_id)};
	(void)rte_eth_dev_get_name_by_port(port_id, o->name);
	int rc = rte_eth_dev_info_get(port_id, &dev);
	if (rc < 0) {
		APPEND(o->refused, "says nothing about itself (%s)", rte_strerror(-rc));
		return;
	}
	(void)snprintf(o->driver, sizeof(o->driver), "%.31s", dev.driver_name);
	o->queues = RTE_MIN(dev.max_rx_queues, dev.max_tx_queues);
	if (rte_eth_dev_get_mtu(port_id, &mtu) == 0)
		o->mtu = mtu;
	o->up = true;
	(void)snprintf(
		o->kinds, sizeof(o->kinds), "%s", strchr(o->name, ':') != NULL ? "pci" : "vdev");
	probe_offloads(&dev, o);
	rc = nic_driver_find(drivers_dir, dev.driver_name, &driver, from, error);
	if (rc < 0) {
		APPEND(o->refused, "%.120s", error);
		return;
	}
	(void)snprintf(o->family, sizeof(o->family), "%.31s", driver->family);
	(void)snprintf(o->keeps, sizeof(o->keeps), "%s",
		nic_keeps_name((enum nic_keeps)driver->kernel_keeps));
	uint16_t queues = o->queues > 1 ? 2 : 1;
	o->interrupts = driver->rx_interrupts && can_interrupt(port_id, queues);
	rc = rte_eth_dev_configure(port_id, queues, queues, &conf);
	if (rc == 0)
		probe_ways(port_id, &dev, driver, queues, o);
	else
		APPEND(o->refused, "%u queues (%s)", queues, rte_strerror(-rc));
	nic_driver_free(driver);
}

uint32_t nic_probe_devices(const char *drivers_dir, struct nic_offer *list, uint32_t cap)
{
	uint32_t count = 0;
	uint64_t port = rte_eth_find_next_owned_by(0, RTE_ETH_DEV_NO_OWNER);
	for (; port < RTE_MAX_ETHPORTS && count < cap;
		port = rte_eth_find_next_owned_by((uint16_t)(port + 1), RTE_ETH_DEV_NO_OWNER))
		probe_device((uint16_t)port, drivers_dir, &list[count++]);
	return count;
}

int nic_release(const char *interface, char *error)
{
	unsigned ifindex = if_nametoindex(interface);
	if (ifindex == 0)
		return nic_fail(error, -errno, "interface %.15s: %s", interface, strerror(errno));
	int lock = xdp_lock(interface, error);
	if (lock < 0)
		return lock;
	int rc = xdp_release(interface, ifindex, error);
	(void)close(lock);
	return rc;
}
