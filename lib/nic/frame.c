#include "nic/frame.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_udp.h>

_Static_assert(sizeof(struct rte_ether_hdr) == FRAME_ETHERNET, "Ethernet header");
_Static_assert(sizeof(struct rte_vlan_hdr) == FRAME_VLAN, "802.1Q tag");
_Static_assert(sizeof(struct rte_ipv4_hdr) == FRAME_IPV4, "IPv4 header");
_Static_assert(sizeof(struct rte_udp_hdr) == FRAME_UDP, "UDP header");

enum { IPV4_FRAGMENTED = 0x3fff, TTL = 64 };

/* The ones' complement sum of `len` bytes and `start`, folded to 16 bits, not complemented. */
static uint16_t sum16(const void *bytes, size_t len, uint32_t start)
{
	uint32_t sum = start + rte_raw_cksum(bytes, len);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t sum_pseudo(uint32_t from_be, uint32_t to_be, uint8_t protocol, uint16_t len)
{
	struct {
		uint32_t from_be, to_be;
		uint8_t zero, protocol;
		uint16_t len_be;
	} pseudo = {from_be, to_be, 0, protocol, htobe16(len)};
	return sum16(&pseudo, sizeof(pseudo), 0);
}

static bool mac_is_multicast(const uint8_t *mac)
{
	return (mac[0] & 1) != 0;
}

static bool addr_is_multicast(const struct frame_self *self, uint32_t addr_be)
{
	return (addr_be & htobe32(0xf0000000)) == htobe32(0xe0000000) || addr_be == UINT32_MAX ||
	       addr_be == self->broadcast_be;
}

/* A sender that no reply could or should reach: a reply would go to many, to nobody, or to
 * ourselves. */
static bool sender_is_absurd(
	const struct frame_self *self, const uint8_t *from_mac, uint32_t from_be)
{
	return mac_is_multicast(from_mac) || (from_be & htobe32(0xff000000)) == 0 ||
	       from_be == self->addr_be || addr_is_multicast(self, from_be) ||
	       (from_be & htobe32(0xff000000)) == htobe32(0x7f000000);
}

static void drop(struct frame *out, enum nic_drop why)
{
	out->kind = FRAME_DROP;
	out->drop = why;
}

static void classify_udp(const uint8_t *bytes, const struct rte_ipv4_hdr *ip, uint16_t l4_len,
	const struct frame_self *self, struct frame *out)
{
	struct rte_udp_hdr udp;
	if (l4_len < sizeof(udp))
		return drop(out, NIC_DROP_SHORT);
	memcpy(&udp, bytes + out->l4_offset, sizeof(udp));
	if (udp.dst_port != self->port_be)
		return drop(out, NIC_DROP_NOT_MINE);
	uint16_t udp_len = be16toh(udp.dgram_len);
	if (udp_len < sizeof(udp) || udp_len > l4_len)
		return drop(out, NIC_DROP_SHORT);
	if (udp.src_port == 0)
		return drop(out, NIC_DROP_SENDER);
	if (udp.dgram_cksum != 0) {
		uint16_t pseudo = sum_pseudo(ip->src_addr, ip->dst_addr, IPPROTO_UDP, udp_len);
		if (sum16(bytes + out->l4_offset, udp_len, pseudo) != 0xffff &&
			udp.dgram_cksum != pseudo)
			return drop(out, NIC_DROP_CHECKSUM);
	}
	out->kind = FRAME_DATAGRAM;
	out->payload_offset = (uint16_t)(out->l4_offset + sizeof(udp));
	out->payload_len = (uint16_t)(udp_len - sizeof(udp));
	out->from = sw_endpoint_from_ipv4(ip->src_addr, be16toh(udp.src_port));
}

static void classify_icmp(const uint8_t *bytes, uint16_t l4_len, struct frame *out)
{
	struct rte_icmp_hdr icmp;
	if (l4_len < sizeof(icmp))
		return drop(out, NIC_DROP_SHORT);
	memcpy(&icmp, bytes + out->l4_offset, sizeof(icmp));
	if (icmp.icmp_type != RTE_IP_ICMP_ECHO_REQUEST || icmp.icmp_code != 0)
		return drop(out, NIC_DROP_NOT_UDP);
	if (sum16(bytes + out->l4_offset, l4_len, 0) != 0xffff)
		return drop(out, NIC_DROP_CHECKSUM);
	out->kind = FRAME_ECHO;
}

static void classify_ipv4(const struct frame_self *self, const uint8_t *bytes, uint32_t len,
	const uint8_t *from_mac, struct frame *out)
{
	struct rte_ipv4_hdr ip;
	if (len < out->l3_offset + sizeof(ip))
		return drop(out, NIC_DROP_SHORT);
	memcpy(&ip, bytes + out->l3_offset, sizeof(ip));
	uint16_t header_len = (uint16_t)((ip.version_ihl & 0x0f) * 4);
	out->l3_len = be16toh(ip.total_length);
	if (ip.version_ihl >> 4 != 4)
		return drop(out, NIC_DROP_NOT_IP);
	/* What follows the total length is Ethernet padding. */
	if (header_len < sizeof(ip) || out->l3_len < header_len ||
		(uint32_t)out->l3_offset + out->l3_len > len)
		return drop(out, NIC_DROP_SHORT);
	if (sum16(bytes + out->l3_offset, header_len, 0) != 0xffff)
		return drop(out, NIC_DROP_CHECKSUM);
	if (ip.dst_addr != self->addr_be)
		return drop(out, addr_is_multicast(self, ip.dst_addr) ? NIC_DROP_MULTICAST
								      : NIC_DROP_NOT_MINE);
	if ((ip.fragment_offset & htobe16(IPV4_FRAGMENTED)) != 0)
		return drop(out, NIC_DROP_FRAGMENT);
	if (sender_is_absurd(self, from_mac, ip.src_addr))
		return drop(out, NIC_DROP_SENDER);
	out->l4_offset = (uint16_t)(out->l3_offset + header_len);
	uint16_t l4_len = (uint16_t)(out->l3_len - header_len);
	if (ip.next_proto_id == IPPROTO_UDP)
		classify_udp(bytes, &ip, l4_len, self, out);
	else if (ip.next_proto_id == IPPROTO_ICMP && self->exclusive && header_len == sizeof(ip))
		classify_icmp(bytes, l4_len, out);
	else
		drop(out, NIC_DROP_NOT_UDP);
}

void frame_classify(
	const struct frame_self *self, const uint8_t *bytes, uint32_t len, struct frame *out)
{
	struct rte_ether_hdr eth;
	*out = (struct frame){.kind = FRAME_DROP};
	/* Offsets are 16 bits wide, and so is an mbuf's data; more than that never arrives in one
	 * piece. */
	if (len < sizeof(eth) || len > UINT16_MAX)
		return drop(out, NIC_DROP_SHORT);
	memcpy(&eth, bytes, sizeof(eth));
	out->l3_offset = sizeof(eth);
	uint16_t type = eth.ether_type;
	if (type == htobe16(RTE_ETHER_TYPE_VLAN)) {
		struct rte_vlan_hdr tag;
		if (len < sizeof(eth) + sizeof(tag))
			return drop(out, NIC_DROP_SHORT);
		memcpy(&tag, bytes + sizeof(eth), sizeof(tag));
		type = tag.eth_proto;
		out->l3_offset += (uint16_t)sizeof(tag);
	}
	const uint8_t *to_mac = eth.dst_addr.addr_bytes;
	if (type == htobe16(RTE_ETHER_TYPE_ARP) && self->exclusive) {
		if (len < (uint32_t)out->l3_offset + FRAME_ARP_LEN)
			return drop(out, NIC_DROP_SHORT);
		out->l3_len = FRAME_ARP_LEN;
		out->kind = FRAME_ARP;
		return;
	}
	if (type != htobe16(RTE_ETHER_TYPE_IPV4))
		return drop(out, NIC_DROP_NOT_IP);
	if (mac_is_multicast(to_mac))
		return drop(out, NIC_DROP_MULTICAST);
	if (self->exclusive && memcmp(to_mac, self->mac, sizeof(self->mac)) != 0)
		return drop(out, NIC_DROP_NOT_MINE);
	classify_ipv4(self, bytes, len, eth.src_addr.addr_bytes, out);
}

void frame_locate(const uint8_t *bytes, uint16_t payload_offset, struct frame *out)
{
	uint16_t type;
	memcpy(&type, bytes + FRAME_ETHERNET - sizeof(type), sizeof(type));
	bool tagged = type == htobe16(RTE_ETHER_TYPE_VLAN);
	*out = (struct frame){
		.kind = FRAME_DATAGRAM,
		.l3_offset = tagged ? FRAME_ETHERNET + FRAME_VLAN : FRAME_ETHERNET,
		.l4_offset = (uint16_t)(payload_offset - FRAME_UDP),
		.payload_offset = payload_offset,
	};
}

void frame_route_back(const uint8_t *bytes, const struct frame *received, struct frame_route *back)
{
	assert(received->kind == FRAME_DATAGRAM);
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)bytes;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	memcpy(&ip, bytes + received->l3_offset, sizeof(ip));
	memcpy(&udp, bytes + received->l4_offset, sizeof(udp));
	*back = (struct frame_route){
		.to_be = ip.src_addr,
		.from_be = ip.dst_addr,
		.to_port_be = udp.src_port,
		.from_port_be = udp.dst_port,
		.tagged = received->l3_offset > FRAME_ETHERNET,
	};
	memcpy(back->to_mac, &eth->src_addr, sizeof(back->to_mac));
	memcpy(back->from_mac, &eth->dst_addr, sizeof(back->from_mac));
	if (back->tagged)
		memcpy(&back->vlan_tci_be, bytes + FRAME_ETHERNET, sizeof(back->vlan_tci_be));
}

void frame_build(const struct frame_route *route, uint8_t *payload, uint16_t payload_len)
{
	uint16_t udp_len = (uint16_t)(FRAME_UDP + payload_len);
	struct rte_udp_hdr udp = {
		.src_port = route->from_port_be,
		.dst_port = route->to_port_be,
		.dgram_len = htobe16(udp_len),
	};
	uint32_t sum = sum_pseudo(route->from_be, route->to_be, IPPROTO_UDP, udp_len);
	sum = sum16(&udp, sizeof(udp), sum);
	uint16_t udp_sum = (uint16_t)~sum16(payload, payload_len, sum);
	udp.dgram_cksum = udp_sum == 0 ? 0xffff : udp_sum; /* zero would say: none */

	/* RFC 6864: with "don't fragment" set the identification says nothing and may be zero. */
	struct rte_ipv4_hdr ip = {
		.version_ihl = 0x45,
		.total_length = htobe16((uint16_t)(FRAME_IPV4 + udp_len)),
		.fragment_offset = htobe16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = route->from_be,
		.dst_addr = route->to_be,
	};
	ip.hdr_checksum = (uint16_t)~sum16(&ip, sizeof(ip), 0);

	uint8_t *at = payload - frame_headers_len(route);
	memcpy(at, route->to_mac, 6);
	memcpy(at + 6, route->from_mac, 6);
	at += 12;
	if (route->tagged) {
		uint16_t type = htobe16(RTE_ETHER_TYPE_VLAN);
		memcpy(at, &type, sizeof(type));
		memcpy(at + 2, &route->vlan_tci_be, sizeof(route->vlan_tci_be));
		at += FRAME_VLAN;
	}
	uint16_t type = htobe16(RTE_ETHER_TYPE_IPV4);
	memcpy(at, &type, sizeof(type));
	memcpy(at + 2, &ip, sizeof(ip));
	memcpy(at + 2 + sizeof(ip), &udp, sizeof(udp));
	assert(at + 2 + sizeof(ip) + sizeof(udp) == payload);
}

void frame_echo_reply(uint8_t *bytes, const struct frame *received)
{
	assert(received->kind == FRAME_ECHO);
	uint8_t mac[6];
	memcpy(mac, bytes, 6);
	memcpy(bytes, bytes + 6, 6);
	memcpy(bytes + 6, mac, 6);

	struct rte_ipv4_hdr ip;
	memcpy(&ip, bytes + received->l3_offset, sizeof(ip));
	uint32_t to = ip.src_addr;
	ip.src_addr = ip.dst_addr;
	ip.dst_addr = to;
	ip.time_to_live = TTL;
	ip.hdr_checksum = 0;
	ip.hdr_checksum = (uint16_t)~sum16(&ip, sizeof(ip), 0);
	memcpy(bytes + received->l3_offset, &ip, sizeof(ip));

	struct rte_icmp_hdr icmp;
	uint16_t icmp_len = (uint16_t)(received->l3_len - FRAME_IPV4);
	memcpy(&icmp, bytes + received->l4_offset, sizeof(icmp));
	icmp.icmp_type = RTE_IP_ICMP_ECHO_REPLY;
	icmp.icmp_cksum = 0;
	memcpy(bytes + received->l4_offset, &icmp, sizeof(icmp));
	icmp.icmp_cksum = (uint16_t)~sum16(bytes + received->l4_offset, icmp_len, 0);
	memcpy(bytes + received->l4_offset, &icmp, sizeof(icmp));
}
