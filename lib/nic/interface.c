#include "nic/interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "nic/port.h"

bool interface_address_is_any(const struct sw_endpoint *e)
{
	static const uint8_t zero[16];
	return memcmp(e->addr, zero, sizeof(zero)) == 0 ||
	       (sw_endpoint_is_ipv4(e) && sw_endpoint_ipv4(e) == 0);
}

static uint32_t query_queues(int fd, struct ifreq *ifr)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	ifr->ifr_data = (char *)&channels;
	if (ioctl(fd, SIOCETHTOOL, ifr) < 0 || channels.combined_count == 0)
		return 1; /* a driver without channels has one queue */
	return channels.combined_count;
}

static int query_link(int fd, const char *name, struct interface *out, char *error)
{
	struct ifreq ifr = {0};
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (ioctl(fd, SIOCGIFINDEX, &ifr) < 0)
		return nic_fail(error, -errno,
			"interface %s: not found in this network namespace; `ip link` lists what "
			"there is",
			name);
	memcpy(out->name, name, strlen(name) + 1);
	out->ifindex = (unsigned)ifr.ifr_ifindex;
	if (ioctl(fd, SIOCGIFMTU, &ifr) < 0)
		return nic_fail(error, -errno, "interface %s: its MTU cannot be read: %s", name,
			strerror(errno));
	out->mtu = (uint32_t)ifr.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return nic_fail(error, -errno, "interface %s: its flags cannot be read: %s", name,
			strerror(errno));
	out->up = (ifr.ifr_flags & IFF_UP) != 0;
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		return nic_fail(error, -errno, "interface %s: its MAC cannot be read: %s", name,
			strerror(errno));
	if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return nic_fail(error, -EOPNOTSUPP,
			"interface %s: is not Ethernet; give an Ethernet, VLAN, bond or veth "
			"interface",
			name);
	memcpy(out->mac, ifr.ifr_hwaddr.sa_data, sizeof(out->mac));
	out->queues = query_queues(fd, &ifr);
	return 0;
}

/* The address in its 16-byte form; false: of neither family. */
static bool take_address(const struct sockaddr *a, struct sw_endpoint *out)
{
	*out = (struct sw_endpoint){.port = 0};
	if (a != NULL && a->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, a, sizeof(in));
		*out = sw_endpoint_from_ipv4(in.sin_addr.s_addr, 0);
		return true;
	}
	if (a == NULL || a->sa_family != AF_INET6)
		return false;
	memcpy(out->addr, (const uint8_t *)a + offsetof(struct sockaddr_in6, sin6_addr), 16);
	return true;
}

static uint8_t count_bits(const struct sockaddr *mask)
{
	struct sw_endpoint e;
	unsigned bits = 0;
	if (!take_address(mask, &e))
		return 0;
	for (unsigned i = mask->sa_family == AF_INET ? 12 : 0; i < 16; i++)
		bits += (unsigned)__builtin_popcount(e.addr[i]);
	return (uint8_t)bits;
}

static void query_address(
	const char *name, const struct sw_endpoint *wanted, bool want_ipv6, struct interface *out)
{
	struct ifaddrs *all;
	struct sw_endpoint e;
	bool any = interface_address_is_any(wanted);
	if (getifaddrs(&all) < 0)
		return; /* reported as an interface without an address */
	for (const struct ifaddrs *a = all; a != NULL && !out->addressed; a = a->ifa_next) {
		if (strcmp(a->ifa_name, name) != 0 || !take_address(a->ifa_addr, &e))
			continue;
		bool link_local = e.addr[0] == 0xfe && (e.addr[1] & 0xc0) == 0x80;
		if (any ? sw_endpoint_is_ipv4(&e) == want_ipv6 || link_local
			: !sw_endpoint_same_addr(&e, wanted))
			continue;
		out->address = e;
		out->prefix_len = count_bits(a->ifa_netmask);
		out->addressed = true;
	}
	freeifaddrs(all);
}

int interface_query(const char *name, const struct sw_endpoint *wanted, bool want_ipv6,
	struct interface *out, char *error)
{
	*out = (struct interface){0};
	if (name[0] == '\0')
		return nic_fail(
			error, -EINVAL, "no interface given; name one of those in `ip link`");
	if (strlen(name) >= IFNAMSIZ || strchr(name, ',') != NULL)
		return nic_fail(error, -ENAMETOOLONG,
			"interface %s: no interface has such a name (%d characters at most, no "
			"comma)",
			name, IFNAMSIZ - 1);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return nic_fail(error, -errno, "interface %s: no socket to ask about it: %s", name,
			strerror(errno));
	int rc = query_link(fd, name, out, error);
	(void)close(fd);
	if (rc == 0)
		query_address(name, wanted, want_ipv6, out);
	return rc;
}
