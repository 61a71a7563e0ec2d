/* What has to be right before EAL starts, and what EAL has to be told. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "nic/interface.h"
#include "nic/device.h"
#include "nic/port.h"
#include "nic/qdisc.h"
#include "nic/takeover.h"
#include "nic/xdp.h"
#include "nic/xdp_steering.h"

int nic_fail(char *error, int error_code, const char *format, ...)
{
	va_list args;
	assert(error_code < 0);
	va_start(args, format);
	(void)vsnprintf(error, NIC_ERROR_MAX, format, args);
	va_end(args);
	return error_code;
}

struct arguments {
	char (*list)[NIC_ERROR_MAX];
	int cap;
	int count;
	char *error;
};

__attribute__((format(printf, 2, 3))) static int add(
	struct arguments *args, const char *format, ...)
{
	va_list values;
	if (args->count == args->cap)
		return nic_fail(
			args->error, -ENOSPC, "EAL arguments: more than %d are needed", args->cap);
	va_start(values, format);
	int len = vsnprintf(args->list[args->count], NIC_ERROR_MAX, format, values);
	va_end(values);
	if (len < 0 || len >= NIC_ERROR_MAX)
		return nic_fail(args->error, -E2BIG, "EAL arguments: one is longer than %d bytes",
			NIC_ERROR_MAX - 1);
	args->count++;
	return 0;
}

static int check_common(const struct nic_config *config, char *error)
{
	bool any = interface_address_is_any(&config->address);
	if (config->queues == 0 || config->queues > SW_LANES_MAX)
		return nic_fail(error, -EINVAL, "port: %u lanes; 1 to %d are possible",
			config->queues, SW_LANES_MAX);
	if (config->mtu != 0 && (config->mtu < NIC_MTU || config->mtu > NIC_MTU_MAX))
		return nic_fail(error, -EINVAL, "port: an MTU of %u; %d to %d are possible",
			config->mtu, NIC_MTU, NIC_MTU_MAX);
	if (config->address.port == 0)
		return nic_fail(error, -EINVAL,
			"port: no UDP port given; add one to the address, as in 10.0.0.1:7946");
	if (nic_kind_is_shared(config->kind))
		return 0;
	if (any)
		return nic_fail(error, -EINVAL,
			"port: a port without a kernel has no address of its own; configure one");
	bool ipv4 = sw_endpoint_is_ipv4(&config->address);
	uint8_t longest = ipv4 ? 32 : 128;
	if (config->prefix_len == 0 || config->prefix_len > longest)
		return nic_fail(error, -EINVAL, "port: prefix length %u; 1 to %u are possible",
			config->prefix_len, longest);
	if (!interface_address_is_any(&config->gateway) &&
		sw_endpoint_is_ipv4(&config->gateway) != ipv4)
		return nic_fail(error, -EAFNOSUPPORT,
			"port: the gateway is not IPv%c as the address is", ipv4 ? '4' : '6');
	if (config->vlan > NIC_VLAN_MAX)
		return nic_fail(error, -EINVAL, "port: VLAN %u; 1 to %d are possible, 0 is none",
			config->vlan, NIC_VLAN_MAX);
	return 0;
}

int device_check_interface(
	const struct nic_config *config, struct interface *interface, char *error)
{
	const char *name = config->interface;
	char text[SW_ENDPOINT_TEXT_MAX];
	int rc = interface_query(name, &config->address, config->want_ipv6, interface, error);
	if (rc < 0)
		return rc;
	if (!interface->up)
		return nic_fail(error, -ENETDOWN,
			"interface %s: is down; bring it up with `ip link set dev %s up`", name,
			name);
	if (interface->mtu < device_mtu(config))
		return nic_fail(error, -EMSGSIZE,
			"interface %s: its MTU of %u is below %u; `ip link set dev %s mtu %u`",
			name, interface->mtu, device_mtu(config), name, device_mtu(config));
	if (config->kind == NIC_AF_PACKET && device_mtu(config) > NIC_MTU &&
		qdisc_is_none(interface->ifindex))
		return nic_fail(error, -ENOBUFS,
			"interface %s: has no queue in the kernel, so that one large packet that "
			"its other end does not take would block it; `tc qdisc replace dev %s root "
			"pfifo`",
			name, name);
	if (!interface->addressed && interface_address_is_any(&config->address))
		return nic_fail(error, -EADDRNOTAVAIL,
			"interface %s: has no %s address; `ip address add ADDRESS/PREFIX dev %s`",
			name, config->want_ipv6 ? "IPv6" : "IPv4", name);
	if (!interface->addressed)
		return nic_fail(error, -EADDRNOTAVAIL,
			"interface %s: does not have the configured address %s; `ip address show "
			"dev "
			"%s` lists those that it has",
			name, sw_endpoint_format_addr(&config->address, text), name);
	if (config->kind == NIC_AF_XDP &&
		(uint32_t)config->first_queue + config->queues > interface->queues)
		return nic_fail(error, -ERANGE,
			"interface %s: lanes on queues %u to %u, but it has %u; use fewer lanes, "
			"or "
			"`ethtool -L %s combined %u`",
			name, config->first_queue, config->first_queue + config->queues - 1u,
			interface->queues, name, config->first_queue + config->queues);
	return 0;
}

static int add_af_xdp(
	const struct nic_config *config, const struct interface *interface, struct arguments *args)
{
	char path[64];
	struct sw_endpoint self = interface->address;
	self.port = config->address.port;
	if ((uint32_t)config->first_queue + config->queues > XDP_STEERING_QUEUES)
		return nic_fail(args->error, -ERANGE,
			"interface %s: queues above %d are not served", config->interface,
			XDP_STEERING_QUEUES - 1);
	int rc = xdp_permitted(args->error);
	if (rc == 0)
		rc = xdp_program_open(config, &self, path, args->error);
	if (rc == 0)
		rc = add(args,
			"--vdev=" DEVICE_AF_XDP
			",iface=%s,start_queue=%u,queue_count=%u,xdp_prog=%s",
			config->interface, config->first_queue, config->queues, path);
	return rc;
}

static int check_af_packet_permitted(char *error)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		(void)close(fd);
		return 0;
	}
	int rc = -errno;
	return nic_fail(error, rc,
		"AF_PACKET: no packet socket (%s); run as root, with CAP_NET_RAW and "
		"CAP_NET_ADMIN, or in "
		"a user and network namespace of your own (unshare -Urn)",
		strerror(-rc));
}

static int add_af_packet(const struct nic_config *config, struct arguments *args)
{
	int rc = check_af_packet_permitted(args->error);
	if (rc < 0)
		return rc;
	/* Single pages: they can always be had, and an appliance stays small: 2 MiB a lane. */
	return add(args,
		"--vdev=" DEVICE_AF_PACKET
		",iface=%s,qpairs=%u,blocksz=%u,framesz=%u,framecnt=%u,qdisc_bypass=%u",
		config->interface, config->queues, device_af_packet_block(config),
		device_af_packet_frame(config), device_af_packet_frames(config),
		device_mtu(config) > NIC_MTU ? 0u : 1u);
}

/* A server that crashed leaves its socket's name behind; one that lives answers. */
static int clear_memif_socket(const char *path, char *error)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct stat st;
	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return nic_fail(
			error, -EEXIST, "memif: %s exists and is no socket; move it away", path);
	memcpy(name.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return nic_fail(error, -errno, "memif: no socket: %s", strerror(errno));
	int rc = connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
	(void)close(fd);
	if (rc == 0 || rc == -EAGAIN)
		return nic_fail(error, -EADDRINUSE, "memif: another server listens on %s", path);
	if (rc == -ECONNREFUSED && unlink(path) < 0)
		return nic_fail(error, -errno, "memif: the old socket %s cannot be removed: %s",
			path, strerror(errno));
	return 0;
}

static int add_memif(const struct nic_config *config, struct arguments *args)
{
	uint8_t mac[6];
	const char *path = config->memif_socket;
	int rc = 0;
	if (path[0] == '\0' || strchr(path, ',') != NULL)
		return nic_fail(args->error, -EINVAL,
			"memif: \"%s\" is no usable socket path; give one without commas", path);
	if (config->memif_server)
		rc = clear_memif_socket(path, args->error);
	else if (access(path, F_OK) < 0)
		(void)0; /* the server may come later: see nic_port_start() */
	if (rc < 0)
		return rc;
	device_own_mac(config, mac);
	return add(args,
		"--vdev=" DEVICE_MEMIF
		",role=%s,id=%u,socket=%s,socket-abstract=no,rsize=%u,bsize=%u,"
		"mac=%02x:%02x:%02x:%02x:%02x:%02x",
		config->memif_server ? "server" : "client", config->memif_id, path,
		device_memif_ring_log2(config), device_memif_buffer(config), mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
}

int nic_eal_arguments(
	const struct nic_config *config, char (*list)[NIC_ERROR_MAX], int cap, char *error)
{
	struct arguments args = {.list = list, .cap = cap, .error = error};
	struct interface interface;
	error[0] = '\0';
	int rc = check_common(config, error);
	if (rc == 0 && nic_kind_is_shared(config->kind))
		rc = device_check_interface(config, &interface, error);
	if (rc == 0)
		rc = takeover_check(config, false, error);
	/* Virtual ports never see a physical address; the mbufs may lie anywhere. */
	if (rc == 0 && config->kind != NIC_PCI)
		rc = add(&args, "--no-pci");
	if (rc == 0 && config->kind != NIC_PCI)
		rc = add(&args, "--iova-mode=va");
	if (rc < 0)
		return rc;
	switch (config->kind) {
	case NIC_AF_XDP: rc = add_af_xdp(config, &interface, &args); break;
	case NIC_AF_PACKET: rc = add_af_packet(config, &args); break;
	case NIC_MEMIF: rc = add_memif(config, &args); break;
	case NIC_PCI:
	case NIC_VDEV:
		if (config->interface[0] == '\0')
			return nic_fail(error, -EINVAL, "port: no %s given",
				config->kind == NIC_PCI ? "PCI address, as in 0000:01:00.0"
							: "virtual device, as in net_tap0");
		rc = add(&args, config->kind == NIC_PCI ? "--allow=%s" : "--vdev=%s",
			config->interface);
		break;
	}
	return rc < 0 ? rc : args.count;
}
