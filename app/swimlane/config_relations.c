#include "config_relations.h"

#include <stdio.h>

#include "base/clock.h"
#include "config_text.h"
#include "swim/swim.h"

struct relations {
	const struct config_file *file;
	const struct config *config;
	const struct config_lines *lines;
	struct config_mistakes *mistakes;
};

static bool given(const struct relations *r, const char *path)
{
	return config_line(r->lines, path) != 0;
}

#define TELL(r, path, ...)                                                                         \
	mistakes_add((r)->mistakes, config_line((r)->lines, path), path, __VA_ARGS__)

/* The key must not be there; the mistake names the kinds of port that take it. */
static void refuse(const struct relations *r, const char *path, const char *kinds)
{
	if (given(r, path))
		TELL(r, path, "is only for %s; remove it or change port.kind", kinds);
}

static void require(const struct relations *r, const char *path, const char *why)
{
	if (!given(r, path))
		mistakes_add(
			r->mistakes, config_line(r->lines, "port"), path, "is missing; %s", why);
}

static void check_port_interface(const struct relations *r)
{
	const struct config_file_port *port = &r->file->port;
	const char *wrong = NULL;

	if (port->kind == NIC_MEMIF) {
		if (given(r, "port.interface"))
			TELL(r, "port.interface",
				"is not for memif; remove it, port.memif.socket names the link");
		return;
	}
	require(r, "port.interface",
		port->kind == NIC_PCI
			? "give the device's PCI address, e.g. interface: 0000:3b:00.0"
		: port->kind == NIC_VDEV ? "give the device's arguments, e.g. interface: net_ring0"
					 : "give the kernel interface, e.g. interface: eth0");
	if (port->interface == NULL)
		return;
	if (port->kind == NIC_AF_XDP || port->kind == NIC_AF_PACKET)
		wrong = config_check_interface(port->interface);
	else if (port->kind == NIC_PCI)
		wrong = config_check_pci(port->interface);
	if (wrong != NULL)
		TELL(r, "port.interface", "'%.63s' %s", port->interface, wrong);
}

/* In the clear only if somebody said so, in so many words. */
static void check_sealing(const struct relations *r)
{
	if (r->file->insecure && given(r, "seal"))
		TELL(r, "insecure",
			"is true although there is a keyring; remove it (packets are sealed), or "
			"remove seal (packets are in the clear)");
	else if (!r->file->insecure && !given(r, "seal"))
		mistakes_add(r->mistakes, r->lines->root, "seal",
			"is missing; make a key with swimlanectl key new /etc/swimlane/keyring and "
			"give seal: {keyring: /etc/swimlane/keyring}, or, if whoever can send to "
			"the UDP port may forge members and records, say insecure: true");
}

static void check_ring(const struct relations *r, const char *path, uint32_t descriptors)
{
	if (given(r, path) && (descriptors & (descriptors - 1)) != 0)
		TELL(r, path, "%u is not a power of two; give 64, 128, ... 32768", descriptors);
}

static void check_port_keys(const struct relations *r)
{
	const struct config_file_port *port = &r->file->port;
	bool shared = port->kind == NIC_AF_XDP || port->kind == NIC_AF_PACKET;

	if (shared) {
		refuse(r, "port.prefix_len", "memif, pci and vdev (the kernel knows the network)");
		refuse(r, "port.gateway", "memif, pci and vdev (the kernel knows the routes)");
		refuse(r, "port.vlan", "memif, pci and vdev (give the VLAN's own interface)");
	} else {
		require(r, "port.address", "the kernel has no address for this port, give it here");
	}
	if (port->kind != NIC_AF_XDP) {
		refuse(r, "port.xdp_program", "af_xdp");
		refuse(r, "port.first_queue", "af_xdp");
	}
	if (port->kind != NIC_MEMIF)
		refuse(r, "port.memif", "memif");
	else
		require(r, "port.memif", "give the link's socket and role");
	if (port->kind != NIC_MEMIF && port->kind != NIC_VDEV)
		refuse(r, "port.mac", "memif and vdev (the device has its own)");
	check_ring(r, "port.rx_descriptors", port->rx_descriptors);
	check_ring(r, "port.tx_descriptors", port->tx_descriptors);
}

static bool same_network(const struct sw_endpoint *a, const struct sw_endpoint *b, uint32_t bits)
{
	for (uint32_t i = 0; i < bits; i++) {
		uint8_t mask = (uint8_t)(0x80 >> (i % 8));
		if (((a->addr[i / 8] ^ b->addr[i / 8]) & mask) != 0)
			return false;
	}
	return true;
}

static void check_gateway(
	const struct relations *r, const struct sw_endpoint *own, const struct sw_endpoint *gateway)
{
	bool v4 = sw_endpoint_is_ipv4(own);
	uint32_t prefix = given(r, "port.prefix_len") ? r->file->port.prefix_len : (v4 ? 24 : 64);
	if (sw_endpoint_same_addr(own, gateway))
		TELL(r, "port.gateway", "'%s' is port.address itself; give the router's address",
			r->file->port.gateway);
	else if (!same_network(own, gateway, prefix + (v4 ? 96 : 0)))
		TELL(r, "port.gateway",
			"'%s' is not in the network of port.address/%u; "
			"give a router of that network, or correct prefix_len",
			r->file->port.gateway, prefix);
}

static void check_family(const struct relations *r, const char *path, uint32_t line,
	const char *text, const struct sw_endpoint *address, const struct sw_endpoint *first,
	const char *first_path)
{
	bool v4 = sw_endpoint_is_ipv4(address);
	if (v4 == sw_endpoint_is_ipv4(first))
		return;
	mistakes_add(r->mistakes, line, path, "'%.63s' is %s and %s is %s; use one address family",
		text, v4 ? "IPv4" : "IPv6", first_path, v4 ? "IPv6" : "IPv4");
}

static void check_addresses(const struct relations *r)
{
	const struct config_file *file = r->file;
	const struct config_file_port *port = &file->port;
	struct sw_endpoint own, gateway, seed, first = {.port = 0};
	const char *first_path = NULL;

	/* Each of them was parsed before: no failure here. */
	if (port->address != NULL && sw_endpoint_parse(port->address, 1, &own) == 0) {
		first = own;
		first_path = "port.address";
		if (sw_endpoint_is_ipv4(&own) && port->prefix_len > 32)
			TELL(r, "port.prefix_len",
				"%u is out of range; an IPv4 prefix has 1 to 32 bits",
				port->prefix_len);
		else if (port->gateway != NULL &&
			 sw_endpoint_parse(port->gateway, 1, &gateway) == 0 &&
			 sw_endpoint_is_ipv4(&own) == sw_endpoint_is_ipv4(&gateway))
			check_gateway(r, &own, &gateway);
	}
	if (first_path != NULL && port->gateway != NULL &&
		sw_endpoint_parse(port->gateway, 1, &gateway) == 0)
		check_family(r, "port.gateway", config_line(r->lines, "port.gateway"),
			port->gateway, &gateway, &first, first_path);
	for (uint32_t i = 0; i < file->seeds_count; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "seeds[%u]", i);
		if (sw_endpoint_parse(file->seeds[i], 1, &seed) < 0)
			continue;
		if (first_path == NULL) {
			first = seed;
			first_path = "seeds[0]";
		}
		check_family(
			r, path, r->lines->seeds[i], file->seeds[i], &seed, &first, first_path);
	}
}

static void check_cores(const struct relations *r)
{
	static const char *const together[] = {"cores.lanes", "cores.keeper", "cores.control"};
	const char *there = NULL;
	for (int i = 0; i < 3; i++) {
		if (there == NULL && given(r, together[i]))
			there = together[i];
	}
	for (int i = 0; i < 3 && there != NULL; i++) {
		if (!given(r, together[i]))
			mistakes_add(r->mistakes, config_line(r->lines, "cores"), together[i],
				"is missing although %s is given; give lanes, keeper and control, "
				"or "
				"none of them",
				there);
	}
}

/* The key to complain of: the one that the file gives, else its partner. */
static const char *given_one(const struct relations *r, const char *path, const char *partner)
{
	return given(r, path) ? path : partner;
}

static double ms(uint64_t ns)
{
	return (double)ns / SW_NS_PER_MS;
}

/* Values that stand in no line are the profile's, and right by themselves. */
static void check_membership(const struct relations *r)
{
	const char *interval = "membership.probe_interval_ms";
	const char *timeout = "membership.probe_timeout_ms";
	const char *suspicion = "membership.suspicion_ms";
	const char *profile = config_profile_name(r->config->profile);
	struct swim_profile times;

	config_membership_times(r->config, &times);
	if (times.probe_timeout_ns * 2 > times.probe_interval_ns)
		TELL(r, given_one(r, timeout, interval),
			"the probe timeout (%g ms) is more than half of the interval (%g ms), with "
			"profile %s; indirect probes need the other half, set both",
			ms(times.probe_timeout_ns), ms(times.probe_interval_ns), profile);
	if (times.suspicion_max_ns < times.probe_interval_ns)
		TELL(r, given_one(r, suspicion, interval),
			"suspicion (%g ms) is shorter than the probe interval (%g ms), with "
			"profile "
			"%s; the accused needs that time to refute, set both",
			ms(times.suspicion_max_ns), ms(times.probe_interval_ns), profile);
}

/* A role that oversleeps its own probe timeout would accuse the healthy. */
static void check_idle(
	const struct relations *r, const char *path, const struct config_idle_policy *idle)
{
	struct swim_profile times;
	config_membership_times(r->config, &times);
	if (idle->policy == IDLE_SLEEP &&
		2 * SW_NS_PER_US * idle->ceiling_us > times.probe_timeout_ns)
		TELL(r, given_one(r, path, "membership.probe_timeout_ms"),
			"a sleep of %u us is more than half of the probe timeout (%g ms); answers "
			"would wait too long, give a ceiling_us of at most %g",
			idle->ceiling_us, ms(times.probe_timeout_ns),
			ms(times.probe_timeout_ns) * 500);
}

static void check_persist(const struct relations *r)
{
	if (r->config->map_persist && r->config->state_dir[0] == '\0')
		TELL(r, "map.persist",
			"there is no folder to keep the map in; give state_dir: a folder of this "
			"server's own");
}

static void check_http(const struct relations *r)
{
	const char *listen = r->file->control.http.listen;
	if (listen != NULL && listen[0] != '/' && !given(r, "control.http.token_file"))
		TELL(r, "control.http.listen",
			"%s is reached over the network, and without a token whoever can reach it "
			"commands this server; set control.http.token_file, or listen on the path "
			"of a "
			"UNIX socket",
			listen);
}

void config_check_relations(const struct config_file *file, const struct config *config,
	const struct config_lines *lines, struct config_mistakes *mistakes)
{
	struct relations r = {file, config, lines, mistakes};
	check_sealing(&r);
	check_port_interface(&r);
	check_port_keys(&r);
	check_addresses(&r);
	check_cores(&r);
	check_membership(&r);
	check_http(&r);
	check_idle(&r, "cores.lane_idle.ceiling_us", &config->lane_idle);
	check_idle(&r, "cores.keeper_idle.ceiling_us", &config->keeper_idle);
	check_persist(&r);
}
