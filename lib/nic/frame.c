#include "nic/frame.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "nic/frame_quick.h"
#include "nic/frame_sum.h"

_Static_assert(sizeof(struct rte_ether_hdr) == FRAME_ETHERNET, "Ethernet header");
_Static_assert(sizeof(struct rte_vlan_hdr) == FRAME_VLAN, "802.1Q tag");
_Static_assert(sizeof(struct rte_ipv4_hdr) == FRAME_IPV4, "IPv4 header");
_Static_assert(sizeof(struct rte_ipv6_hdr) == FRAME_IPV6, "IPv6 header");
_Static_assert(sizeof(struct rte_udp_hdr) == FRAME_UDP, "UDP header");

enum {
	IPV4_FRAGMENTED = 0x3fff,
	ICMP6_ECHO_REQUEST = 128,
	ICMP6_SOLICIT = 135,
	ICMP6_ADVERTISE = 136
};

static bool mac_is_multicast(const uint8_t *mac)
{
	return (mac[0] & 1) != 0;
}

static bool addr_is_multicast(const struct frame_self *self, uint32_t addr_be)
{
	return (addr_be & htobe32(0xf0000000)) == htobe32(0xe0000000) || addr_be == UINT32_MAX ||
	       addr_be == self->broadcast_be;
}

/* Nor one whose frame came from many. */
static bool sender_is_absurd(
	const struct frame_self *self, const uint8_t *from_mac, uint32_t from_be)
{
	return mac_is_multicast(from_mac) || frame_sender_is_absurd(self, from_be);
}

static void drop(struct frame *out, enum nic_drop why)
{
	out->kind = FRAME_DROP;
	out->drop = why;
}

/* `pseudo`: the pseudo header's sum but for the length, which the UDP header tells. */
static void classify_udp(const struct frame_self *self, const uint8_t *bytes, uint16_t l4_len,
	uint32_t pseudo, bool summed, struct frame *out)
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
	if (udp.dgram_cksum == 0 && out->ipv6)
		return drop(out, NIC_DROP_CHECKSUM); /* RFC 8200, 8.1 */
	if (udp.dgram_cksum != 0 && !summed) {
		uint16_t whole = frame_fold(pseudo + htobe16(udp_len));
		if (frame_sum(bytes + out->l4_offset, udp_len, whole) != 0xffff &&
			udp.dgram_cksum != whole)
			return drop(out, NIC_DROP_CHECKSUM);
	}
	out->kind = FRAME_DATAGRAM;
	out->payload_offset = (uint16_t)(out->l4_offset + sizeof(udp));
	out->payload_len = (uint16_t)(udp_len - sizeof(udp));
	out->from.port = be16toh(udp.src_port);
}

static void classify_icmp(const uint8_t *bytes, uint16_t l4_len, struct frame *out)
{
	struct rte_icmp_hdr icmp;
	if (l4_len < sizeof(icmp))
		return drop(out, NIC_DROP_SHORT);
	memcpy(&icmp, bytes + out->l4_offset, sizeof(icmp));
	if (icmp.icmp_type != RTE_IP_ICMP_ECHO_REQUEST || icmp.icmp_code != 0)
		return drop(out, NIC_DROP_NOT_UDP);
	if (frame_sum(bytes + out->l4_offset, l4_len, 0) != 0xffff)
		return drop(out, NIC_DROP_CHECKSUM);
	out->kind = FRAME_ECHO;
}

static void classify_ipv4(const struct frame_self *self, const uint8_t *bytes, uint32_t len,
	const uint8_t *from_mac, bool summed, struct frame *out)
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
	if (frame_sum(bytes + out->l3_offset, header_len, 0) != 0xffff)
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
	frame_put_mapped(out->from.addr, ip.src_addr);
	if (ip.next_proto_id == IPPROTO_UDP)
		classify_udp(self, bytes, l4_len,
			frame_pseudo_ipv4(ip.src_addr, ip.dst_addr, IPPROTO_UDP), summed, out);
	else if (ip.next_proto_id == IPPROTO_ICMP && self->exclusive && header_len == sizeof(ip))
		classify_icmp(bytes, l4_len, out);
	else
		drop(out, NIC_DROP_NOT_UDP);
}

/* ::, ::1, many, ourselves, or an IPv4 address in disguise. */
static bool sender6_is_absurd(
	const struct frame_self *self, const uint8_t *from_mac, const uint8_t from[16])
{
	static const uint8_t nobody[15], mapped[12] = {[10] = 0xff, [11] = 0xff};
	return mac_is_multicast(from_mac) || from[0] == 0xff ||
	       memcmp(from, self->addr6, sizeof(self->addr6)) == 0 ||
	       (memcmp(from, nobody, sizeof(nobody)) == 0 && from[15] <= 1) ||
	       memcmp(from, mapped, sizeof(mapped)) == 0;
}

static void classify_icmp6(const struct frame_self *self, const uint8_t *bytes, uint16_t l4_len,
	const struct rte_ipv6_hdr *ip, struct frame *out)
{
	const uint8_t *icmp = bytes + out->l4_offset;
	if (l4_len < sizeof(struct rte_icmp_hdr))
		return drop(out, NIC_DROP_SHORT);
	bool nd = icmp[0] == ICMP6_SOLICIT || icmp[0] == ICMP6_ADVERTISE;
	if ((!nd && icmp[0] != ICMP6_ECHO_REQUEST) || icmp[1] != 0)
		return drop(out, NIC_DROP_NOT_UDP);
	if (frame_sum(icmp, l4_len,
		    frame_fold(frame_pseudo_ipv6(ip->src_addr, ip->dst_addr, IPPROTO_ICMPV6) +
			       htobe16(l4_len))) != 0xffff)
		return drop(out, NIC_DROP_CHECKSUM);
	if (nd && ip->hop_limits != FRAME_ND_HOPS)
		return drop(out, NIC_DROP_SENDER);
	if (!nd && memcmp(ip->dst_addr, self->addr6, sizeof(self->addr6)) != 0)
		return drop(out, NIC_DROP_MULTICAST);
	out->kind = nd ? FRAME_ND : FRAME_ECHO;
}

static bool is_group_of_ours(const struct frame_self *self, const uint8_t to[16])
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	uint8_t group[16];
	frame_solicited_node(self->addr6, group);
	return memcmp(to, group, sizeof(group)) == 0 ||
	       memcmp(to, all_nodes, sizeof(all_nodes)) == 0;
}

static void classify_ipv6(const struct frame_self *self, const uint8_t *bytes, uint32_t len,
	const uint8_t *from_mac, bool summed, struct frame *out)
{
	static const uint8_t nobody[16];
	struct rte_ipv6_hdr ip;
	if (len < out->l3_offset + sizeof(ip))
		return drop(out, NIC_DROP_SHORT);
	memcpy(&ip, bytes + out->l3_offset, sizeof(ip));
	if (be32toh(ip.vtc_flow) >> 28 != 6)
		return drop(out, NIC_DROP_NOT_IP);
	uint16_t l4_len = be16toh(ip.payload_len);
	if (out->l3_offset + sizeof(ip) + l4_len > len)
		return drop(out, NIC_DROP_SHORT);
	out->ipv6 = true;
	out->l3_len = (uint16_t)(sizeof(ip) + l4_len);
	out->l4_offset = (uint16_t)(out->l3_offset + sizeof(ip));
	bool mine = memcmp(ip.dst_addr, self->addr6, sizeof(self->addr6)) == 0;
	bool icmp = ip.proto == IPPROTO_ICMPV6 && self->exclusive;
	if (!mine && !(icmp && is_group_of_ours(self, ip.dst_addr)))
		return drop(out, ip.dst_addr[0] == 0xff ? NIC_DROP_MULTICAST : NIC_DROP_NOT_MINE);
	if (ip.proto == IPPROTO_FRAGMENT)
		return drop(out, NIC_DROP_FRAGMENT);
	/* Who looks whether an address is taken has none yet. */
	bool nobodys = icmp && memcmp(ip.src_addr, nobody, sizeof(nobody)) == 0;
	if (!nobodys && sender6_is_absurd(self, from_mac, ip.src_addr))
		return drop(out, NIC_DROP_SENDER);
	memcpy(out->from.addr, ip.src_addr, sizeof(out->from.addr));
	if (icmp)
		classify_icmp6(self, bytes, l4_len, &ip, out);
	else if (ip.proto == IPPROTO_UDP)
		classify_udp(self, bytes, l4_len,
			frame_pseudo_ipv6(ip.src_addr, ip.dst_addr, IPPROTO_UDP), summed, out);
	else
		drop(out, NIC_DROP_NOT_UDP);
}

/* Behind the tag, if there is one. */
static void classify_network(const struct frame_self *self, const uint8_t *bytes, uint32_t len,
	uint16_t type, bool summed, struct frame *out)
{
	const uint8_t *to_mac = bytes, *from_mac = bytes + 6;
	if (type == htobe16(RTE_ETHER_TYPE_ARP) && self->exclusive && !self->ipv6) {
		if (len < (uint32_t)out->l3_offset + FRAME_ARP_LEN)
			return drop(out, NIC_DROP_SHORT);
		out->l3_len = FRAME_ARP_LEN;
		out->kind = FRAME_ARP;
		return;
	}
	if (type != htobe16(self->ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4))
		return drop(out, NIC_DROP_NOT_IP);
	bool asks = self->ipv6 && self->exclusive && to_mac[0] == 0x33 && to_mac[1] == 0x33;
	if (mac_is_multicast(to_mac) && !asks)
		return drop(out, NIC_DROP_MULTICAST);
	if (self->exclusive && !asks && memcmp(to_mac, self->mac, sizeof(self->mac)) != 0)
		return drop(out, NIC_DROP_NOT_MINE);
	if (self->ipv6)
		classify_ipv6(self, bytes, len, from_mac, summed, out);
	else
		classify_ipv4(self, bytes, len, from_mac, summed, out);
}

static void classify(const struct frame_self *self, const uint8_t *bytes, uint32_t len, bool summed,
	struct frame *out)
{
	struct rte_vlan_hdr tag = {0};
	uint16_t type;
	*out = (struct frame){.kind = FRAME_DROP};
	/* Offsets are 16 bits wide, and so is an mbuf's data; more than that never arrives in one
	 * piece. */
	if (len < FRAME_ETHERNET || len > UINT16_MAX)
		return drop(out, NIC_DROP_SHORT);
	memcpy(&type, bytes + FRAME_ETHERNET - sizeof(type), sizeof(type));
	out->l3_offset = FRAME_ETHERNET;
	if (type == htobe16(RTE_ETHER_TYPE_VLAN)) {
		if (len < FRAME_ETHERNET + sizeof(tag))
			return drop(out, NIC_DROP_SHORT);
		memcpy(&tag, bytes + FRAME_ETHERNET, sizeof(tag));
		type = tag.eth_proto;
		out->l3_offset = FRAME_ETHERNET + sizeof(tag);
	}
	if ((be16toh(tag.vlan_tci) & FRAME_VLAN_ID) != self->vlan)
		return drop(out, NIC_DROP_NOT_MINE);
	classify_network(self, bytes, len, type, summed, out);
}

void frame_classify(
	const struct frame_self *self, const uint8_t *bytes, uint32_t len, struct frame *out)
{
	classify(self, bytes, len, false, out);
}

void frame_classify_summed(
	const struct frame_self *self, const uint8_t *bytes, uint32_t len, struct frame *out)
{
	classify(self, bytes, len, true, out);
}
