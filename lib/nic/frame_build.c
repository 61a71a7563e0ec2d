#include "nic/frame.h"

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "nic/frame_quick.h"
#include "nic/frame_sum.h"

enum { HOPS = FRAME_HOPS, ICMP6_ECHO_REPLY = 129 };

static const uint8_t ipv4_mapped[12] = {[10] = 0xff, [11] = 0xff};

void frame_locate(const uint8_t *bytes, uint16_t payload_offset, struct frame *out)
{
	uint16_t l3_offset = FRAME_ETHERNET, type;
	memcpy(&type, bytes + FRAME_ETHERNET - sizeof(type), sizeof(type));
	if (type == htobe16(RTE_ETHER_TYPE_VLAN)) {
		l3_offset += FRAME_VLAN;
		memcpy(&type, bytes + l3_offset - sizeof(type), sizeof(type));
	}
	*out = (struct frame){
		.kind = FRAME_DATAGRAM,
		.l3_offset = l3_offset,
		.l4_offset = (uint16_t)(payload_offset - FRAME_UDP),
		.payload_offset = payload_offset,
		.ipv6 = type == htobe16(RTE_ETHER_TYPE_IPV6),
	};
}

static void copy_mapped(uint8_t addr[16], uint32_t addr_be)
{
	memcpy(addr, ipv4_mapped, sizeof(ipv4_mapped));
	memcpy(addr + sizeof(ipv4_mapped), &addr_be, sizeof(addr_be));
}

void frame_route_back(const uint8_t *bytes, const struct frame *received, struct frame_route *back)
{
	assert(received->kind == FRAME_DATAGRAM);
	struct rte_udp_hdr udp;
	memcpy(&udp, bytes + received->l4_offset, sizeof(udp));
	*back = (struct frame_route){
		.to_port_be = udp.src_port,
		.from_port_be = udp.dst_port,
		.ipv6 = received->ipv6,
		.tagged = received->l3_offset > FRAME_ETHERNET,
	};
	if (received->ipv6) {
		struct rte_ipv6_hdr ip;
		memcpy(&ip, bytes + received->l3_offset, sizeof(ip));
		memcpy(back->to, ip.src_addr, sizeof(back->to));
		memcpy(back->from, ip.dst_addr, sizeof(back->from));
	} else {
		struct rte_ipv4_hdr ip;
		memcpy(&ip, bytes + received->l3_offset, sizeof(ip));
		copy_mapped(back->to, ip.src_addr);
		copy_mapped(back->from, ip.dst_addr);
	}
	memcpy(back->to_mac, bytes + 6, sizeof(back->to_mac));
	memcpy(back->from_mac, bytes, sizeof(back->from_mac));
	if (back->tagged)
		memcpy(&back->vlan_tci_be, bytes + FRAME_ETHERNET, sizeof(back->vlan_tci_be));
}

static uint16_t put_ethernet(uint8_t *bytes, const uint8_t to_mac[6], const uint8_t from_mac[6],
	bool tagged, uint16_t tci_be, uint16_t ether_type)
{
	uint16_t len = FRAME_ETHERNET, type = htobe16(ether_type);
	memcpy(bytes, to_mac, 6);
	memcpy(bytes + 6, from_mac, 6);
	if (tagged) {
		uint16_t tag_type = htobe16(RTE_ETHER_TYPE_VLAN);
		memcpy(bytes + len - 2, &tag_type, sizeof(tag_type));
		memcpy(bytes + len, &tci_be, sizeof(tci_be));
		len += FRAME_VLAN;
	}
	memcpy(bytes + len - sizeof(type), &type, sizeof(type));
	return len;
}

uint16_t frame_put_ethernet(uint8_t *bytes, const uint8_t to_mac[6], const uint8_t from_mac[6],
	uint16_t vlan, uint16_t ether_type)
{
	return put_ethernet(bytes, to_mac, from_mac, vlan != 0, htobe16(vlan), ether_type);
}

static uint16_t udp_sum(const struct frame_route *route, const struct rte_udp_hdr *udp,
	const uint8_t *payload, uint16_t payload_len, uint32_t pseudo)
{
	uint16_t whole = frame_fold(pseudo + udp->dgram_len);
	if (route->udp_sum_none && !route->ipv6)
		return 0;
	if (route->udp_sum_left)
		return whole;
	uint32_t header = (uint32_t)udp->src_port + udp->dst_port + udp->dgram_len;
	uint16_t sum = (uint16_t)~frame_sum(payload, payload_len, whole + header);
	return sum == 0 ? 0xffff : sum; /* zero would say: none */
}

/* From the fields: adding up what was just written in small pieces would wait for each of them. */
static uint16_t ipv4_sum(const struct rte_ipv4_hdr *ip)
{
	uint32_t sum = (uint32_t)htobe16((uint16_t)(ip->version_ihl << 8 | ip->type_of_service)) +
		       ip->total_length + ip->packet_id + ip->fragment_offset +
		       htobe16((uint16_t)(ip->time_to_live << 8 | ip->next_proto_id));
	sum += (ip->src_addr & 0xffff) + (ip->src_addr >> 16);
	sum += (ip->dst_addr & 0xffff) + (ip->dst_addr >> 16);
	return (uint16_t)~frame_fold(sum);
}

/* In its place, field by field: a copy of a header made elsewhere would wait for the same reason.
 */
static void put_ipv4(struct rte_ipv4_hdr *ip, const struct frame_route *route, uint16_t udp_len)
{
	/* RFC 6864: with "don't fragment" set the identification says nothing and may be zero. */
	ip->version_ihl = 0x45;
	ip->type_of_service = (uint8_t)(route->dscp << 2);
	ip->total_length = htobe16((uint16_t)(FRAME_IPV4 + udp_len));
	ip->packet_id = 0;
	ip->fragment_offset = htobe16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = HOPS;
	ip->next_proto_id = IPPROTO_UDP;
	memcpy(&ip->src_addr, route->from + sizeof(ipv4_mapped), sizeof(ip->src_addr));
	memcpy(&ip->dst_addr, route->to + sizeof(ipv4_mapped), sizeof(ip->dst_addr));
	ip->hdr_checksum = route->ipv4_sum_left ? 0 : ipv4_sum(ip);
}

static struct rte_ipv6_hdr ipv6_header(const struct frame_route *route, uint16_t udp_len)
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow = htobe32(6u << 28 | (uint32_t)route->dscp << 22),
		.payload_len = htobe16(udp_len),
		.proto = IPPROTO_UDP,
		.hop_limits = HOPS,
	};
	memcpy(ip.src_addr, route->from, sizeof(ip.src_addr));
	memcpy(ip.dst_addr, route->to, sizeof(ip.dst_addr));
	return ip;
}

void frame_build(const struct frame_route *route, uint8_t *payload, uint16_t payload_len)
{
	uint16_t udp_len = (uint16_t)(FRAME_UDP + payload_len);
	struct rte_udp_hdr udp = {
		.src_port = route->from_port_be,
		.dst_port = route->to_port_be,
		.dgram_len = htobe16(udp_len),
	};
	uint8_t *at = payload - frame_headers_len(route);
	at += put_ethernet(at, route->to_mac, route->from_mac, route->tagged, route->vlan_tci_be,
		route->ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	if (route->ipv6) {
		struct rte_ipv6_hdr ip = ipv6_header(route, udp_len);
		udp.dgram_cksum = udp_sum(route, &udp, payload, payload_len,
			frame_pseudo_ipv6(ip.src_addr, ip.dst_addr, IPPROTO_UDP));
		memcpy(at, &ip, sizeof(ip));
		at += sizeof(ip);
	} else {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at; /* packed */
		put_ipv4(ip, route, udp_len);
		udp.dgram_cksum = udp_sum(route, &udp, payload, payload_len,
			frame_pseudo_ipv4(ip->src_addr, ip->dst_addr, IPPROTO_UDP));
		at += sizeof(*ip);
	}
	memcpy(at, &udp, sizeof(udp));
	assert(at + sizeof(udp) == payload);
}

uint16_t frame_icmp6_sum(const uint8_t *ipv6_header, const uint8_t *icmp, uint16_t len)
{
	const uint8_t *from = ipv6_header + offsetof(struct rte_ipv6_hdr, src_addr);
	uint32_t pseudo = frame_pseudo_ipv6(from, from + 16, IPPROTO_ICMPV6);
	return (uint16_t)~frame_sum(icmp, len, frame_fold(pseudo + htobe16(len)));
}

void frame_multicast_mac(const uint8_t addr[16], uint8_t mac[6])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, addr + 12, 4);
}

void frame_solicited_node(const uint8_t addr[16], uint8_t group[16])
{
	static const uint8_t prefix[13] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};
	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + sizeof(prefix), addr + sizeof(prefix), 16 - sizeof(prefix));
}

static void echo_reply_ipv4(uint8_t *bytes, const struct frame *received)
{
	struct rte_ipv4_hdr ip;
	memcpy(&ip, bytes + received->l3_offset, sizeof(ip));
	uint32_t to = ip.src_addr;
	ip.src_addr = ip.dst_addr;
	ip.dst_addr = to;
	ip.time_to_live = HOPS;
	ip.hdr_checksum = 0;
	ip.hdr_checksum = (uint16_t)~frame_sum(&ip, sizeof(ip), 0);
	memcpy(bytes + received->l3_offset, &ip, sizeof(ip));

	struct rte_icmp_hdr icmp;
	uint16_t icmp_len = (uint16_t)(received->l3_len - FRAME_IPV4);
	memcpy(&icmp, bytes + received->l4_offset, sizeof(icmp));
	icmp.icmp_type = RTE_IP_ICMP_ECHO_REPLY;
	icmp.icmp_cksum = 0;
	memcpy(bytes + received->l4_offset, &icmp, sizeof(icmp));
	icmp.icmp_cksum = (uint16_t)~frame_sum(bytes + received->l4_offset, icmp_len, 0);
	memcpy(bytes + received->l4_offset, &icmp, sizeof(icmp));
}

static void echo_reply_ipv6(uint8_t *bytes, const struct frame *received)
{
	struct rte_ipv6_hdr ip;
	uint8_t to[16], *icmp = bytes + received->l4_offset;
	uint16_t sum = 0;
	memcpy(&ip, bytes + received->l3_offset, sizeof(ip));
	memcpy(to, ip.src_addr, sizeof(to));
	memcpy(ip.src_addr, ip.dst_addr, sizeof(to));
	memcpy(ip.dst_addr, to, sizeof(to));
	ip.hop_limits = HOPS;
	memcpy(bytes + received->l3_offset, &ip, sizeof(ip));
	icmp[0] = ICMP6_ECHO_REPLY;
	memcpy(icmp + 2, &sum, sizeof(sum));
	sum = frame_icmp6_sum(
		(const uint8_t *)&ip, icmp, (uint16_t)(received->l3_len - FRAME_IPV6));
	memcpy(icmp + 2, &sum, sizeof(sum));
}

void frame_echo_reply(uint8_t *bytes, const struct frame *received)
{
	assert(received->kind == FRAME_ECHO);
	uint8_t mac[6];
	memcpy(mac, bytes, 6);
	memcpy(bytes, bytes + 6, 6);
	memcpy(bytes + 6, mac, 6);
	if (received->ipv6)
		echo_reply_ipv6(bytes, received);
	else
		echo_reply_ipv4(bytes, received);
}
