#include "nic/nd.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "nic/port.h"

enum { SOLICIT = 135, ADVERTISE = 136, OPTION_SOURCE = 1, OPTION_TARGET = 2 };
enum { SOLICITED = 0x40, OVERRIDE = 0x20 }; /* an advertisement's flags */

struct nd_message {
	uint8_t type, code;
	uint16_t sum_be;
	uint8_t flags, unused[3];
	uint8_t target[16];
};

struct nd_option {
	uint8_t type, len; /* in units of 8 bytes */
	uint8_t mac[6];
};

_Static_assert(sizeof(struct nd_message) == ND_MESSAGE, "RFC 4861, 4.3 and 4.4");
_Static_assert(sizeof(struct nd_option) == ND_OPTION, "RFC 4861, 4.6.1, over Ethernet");

static const uint8_t nobody[16];
static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

/* The link-layer address that an option of this type tells. False: none, or options that are
 * broken. */
static bool find_mac(const uint8_t *options, uint32_t len, uint8_t type, uint8_t mac[6])
{
	bool found = false;
	while (len >= ND_OPTION) {
		uint32_t size = options[1] * 8u;
		if (size == 0 || size > len)
			return false;
		if (options[0] == type && size == ND_OPTION) {
			memcpy(mac, options + 2, 6);
			found = true;
		}
		options += size;
		len -= size;
	}
	return found;
}

/* A whole message at the start of `bytes`; its length. */
static uint16_t write_message(const struct nic_port *port, uint8_t *bytes, const uint8_t to_mac[6],
	const uint8_t to[16], struct nd_message message, uint8_t option_type)
{
	struct nd_option option = {.type = option_type, .len = 1};
	struct rte_ipv6_hdr ip = {
		.vtc_flow = htobe32(6u << 28),
		.payload_len = htobe16(ND_MESSAGE + ND_OPTION),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = FRAME_ND_HOPS,
	};
	uint8_t icmp[ND_MESSAGE + ND_OPTION];
	memcpy(ip.src_addr, port->self.addr6, sizeof(ip.src_addr));
	memcpy(ip.dst_addr, to, sizeof(ip.dst_addr));
	memcpy(option.mac, port->self.mac, sizeof(option.mac));
	memcpy(icmp, &message, sizeof(message));
	memcpy(icmp + sizeof(message), &option, sizeof(option));
	message.sum_be = frame_icmp6_sum((const uint8_t *)&ip, icmp, sizeof(icmp));
	memcpy(icmp, &message, sizeof(message));

	uint16_t at = frame_put_ethernet(
		bytes, to_mac, port->self.mac, port->self.vlan, RTE_ETHER_TYPE_IPV6);
	memcpy(bytes + at, &ip, sizeof(ip));
	memcpy(bytes + at + sizeof(ip), icmp, sizeof(icmp));
	return (uint16_t)(at + sizeof(ip) + sizeof(icmp));
}

static uint16_t write_advertisement(
	const struct nic_port *port, uint8_t *bytes, const uint8_t to_mac[6], const uint8_t to[16])
{
	struct nd_message message = {.type = ADVERTISE, .flags = OVERRIDE};
	memcpy(message.target, port->self.addr6, sizeof(message.target));
	if (to[0] != 0xff)
		message.flags |= SOLICITED;
	return write_message(port, bytes, to_mac, to, message, OPTION_TARGET);
}

bool nd_input(
	struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf, const struct frame *received)
{
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint32_t l4_len = received->l3_len - FRAME_IPV6;
	const uint8_t *options = bytes + received->l4_offset + ND_MESSAGE;
	struct nd_message message;
	uint8_t mac[6], to[16];
	if (l4_len < sizeof(message))
		return false;
	memcpy(&message, bytes + received->l4_offset, sizeof(message));
	if (message.target[0] == 0xff)
		return false;
	if (message.type == ADVERTISE) {
		if (find_mac(options, l4_len - ND_MESSAGE, OPTION_TARGET, mac) &&
			memcmp(message.target, port->self.addr6, sizeof(message.target)) != 0)
			resolve_learn(port, queue, message.target, mac);
		return false;
	}
	bool from_nobody = memcmp(received->from.addr, nobody, sizeof(nobody)) == 0;
	if (!from_nobody && find_mac(options, l4_len - ND_MESSAGE, OPTION_SOURCE, mac))
		resolve_learn(port, queue, received->from.addr, mac);
	else
		memcpy(mac, bytes + 6, sizeof(mac));
	if (memcmp(message.target, port->self.addr6, sizeof(message.target)) != 0 ||
		(mac[0] & 1) != 0)
		return false;
	memcpy(to, from_nobody ? all_nodes : received->from.addr, sizeof(to));
	if (from_nobody)
		frame_multicast_mac(all_nodes, mac);
	/* Shorter than any room of ours: NIC_DATA_ROOM. */
	mbuf->data_len = write_advertisement(port, bytes, mac, to);
	mbuf->pkt_len = mbuf->data_len;
	return true;
}

static struct rte_mbuf *new_frame(struct nic_port *port, uint8_t **bytes)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pool);
	if (mbuf != NULL)
		*bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	return mbuf;
}

static bool send_frame(struct nic_port *port, struct rte_mbuf *mbuf, uint16_t len)
{
	mbuf->data_len = len;
	mbuf->pkt_len = len;
	nic_queue_frame(port, 0, mbuf);
	return true;
}

bool nd_ask(struct nic_port *port, const uint8_t target[16])
{
	struct nd_message message = {.type = SOLICIT};
	uint8_t *bytes, group[16], mac[6];
	struct rte_mbuf *mbuf = new_frame(port, &bytes);
	if (mbuf == NULL)
		return false;
	frame_solicited_node(target, group);
	frame_multicast_mac(group, mac);
	memcpy(message.target, target, sizeof(message.target));
	return send_frame(
		port, mbuf, write_message(port, bytes, mac, group, message, OPTION_SOURCE));
}

bool nd_announce(struct nic_port *port)
{
	uint8_t *bytes, mac[6];
	struct rte_mbuf *mbuf = new_frame(port, &bytes);
	if (mbuf == NULL)
		return false;
	frame_multicast_mac(all_nodes, mac);
	return send_frame(port, mbuf, write_advertisement(port, bytes, mac, all_nodes));
}
