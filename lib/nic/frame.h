/* Frames: what is in a received one, and the headers of one to be sent. Bytes in, bytes out: no
 * DPDK object, no port, any core.
 *
 * Ethernet II, at most one 802.1Q tag, IPv4 (RFC 791) or IPv6 (RFC 8200) and UDP (RFC 768).
 * Everything is checked here, whatever the device claims to have checked; only the sum over a
 * payload may be left to it. A UDP checksum of zero is accepted over IPv4, as RFC 768 says; so is
 * one that holds exactly the sum of the pseudo header: that is a datagram of this very machine
 * (veth, virtio, loopback) whose sender left the sum to a device that was never there. Neither is
 * weaker than the other: a corrupted payload is found by the seal.
 *
 * IPv6 extension headers are not followed: nobody between servers needs them, and a chain of them
 * is how filters are evaded (RFC 7045). Such packets are dropped and counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "nic/nic.h"

enum {
	FRAME_ETHERNET = 14,
	FRAME_VLAN = 4,
	FRAME_IPV4 = 20,
	FRAME_IPV6 = 40,
	FRAME_UDP = 8,
	FRAME_ARP_LEN = 28,
	FRAME_MIN = 60, /* of Ethernet, without its check sequence */
	FRAME_HEADERS_IPV4 = FRAME_ETHERNET + FRAME_IPV4 + FRAME_UDP,
	FRAME_HEADERS_IPV6 = FRAME_ETHERNET + FRAME_IPV6 + FRAME_UDP,
	FRAME_ND_HOPS = 255, /* RFC 4861, 7.1.1: neighbour discovery never came over a router */
	FRAME_VLAN_ID = 0x0fff,
};

/* Whom this port serves. */
struct frame_self {
	uint8_t addr6[16];     /* IPv6 ports */
	uint32_t addr_be;      /* IPv4 ports */
	uint32_t broadcast_be; /* of the own network; all ones if there is none */
	uint16_t port_be;
	uint16_t vlan; /* frames with this tag alone; 0: untagged ones, and those of VLAN 0 */
	uint8_t mac[6];
	bool ipv6;      /* of the two families, this one */
	bool exclusive; /* frames to another MAC are not ours; ARP, ND and echo are answered */
};

enum frame_kind { FRAME_DATAGRAM, FRAME_ARP, FRAME_ND, FRAME_ECHO, FRAME_DROP };

struct frame {
	enum frame_kind kind;
	enum nic_drop drop; /* FRAME_DROP: why */
	uint16_t l3_offset; /* ARP or IP header */
	uint16_t l3_len;    /* of ARP: 28; of IP: its total length, headers included */
	uint16_t l4_offset; /* UDP or ICMP header */
	uint16_t payload_offset;
	uint16_t payload_len;
	bool ipv6;
	struct sw_endpoint from;
};

/* Looks at `len` contiguous bytes. Never reads outside of them, whatever they are. */
void frame_classify(
	const struct frame_self *self, const uint8_t *bytes, uint32_t len, struct frame *out);

/* The same for a frame whose UDP checksum the device has found right, or whose payload is proven
 * otherwise. */
void frame_classify_summed(
	const struct frame_self *self, const uint8_t *bytes, uint32_t len, struct frame *out);

/* What a datagram's headers say: network order. */
struct frame_route {
	uint8_t to_mac[6];
	uint8_t from_mac[6];
	uint8_t to[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t from[16];
	uint16_t to_port_be;
	uint16_t from_port_be;
	bool ipv6;
	bool tagged;
	uint16_t vlan_tci_be;
	uint8_t dscp; /* RFC 2474, 0 … 63 */
	/* The device finishes these sums: the first stays zero, the second holds the pseudo
	 * header's. */
	bool ipv4_sum_left;
	bool udp_sum_left;
	bool udp_sum_none; /* over IPv4: zero, which says that there is none */
};

/* Where the headers are of a frame that was found to be a datagram whose payload starts there. */
void frame_locate(const uint8_t *bytes, uint16_t payload_offset, struct frame *out);

/* The way back of a received datagram whose headers start at `bytes`. */
void frame_route_back(const uint8_t *bytes, const struct frame *received, struct frame_route *back);

/* Bytes that frame_build() writes before the payload. */
static inline uint16_t frame_headers_len(const struct frame_route *route)
{
	uint16_t len = route->ipv6 ? FRAME_HEADERS_IPV6 : FRAME_HEADERS_IPV4;
	return route->tagged ? (uint16_t)(len + FRAME_VLAN) : len;
}

/* Writes the headers right before `payload` (there must be room), checksums included. */
void frame_build(const struct frame_route *route, uint8_t *payload, uint16_t payload_len);

/* Writes Ethernet header and tag (of `vlan`, 0: none) at `bytes`; their length. */
uint16_t frame_put_ethernet(uint8_t *bytes, const uint8_t to_mac[6], const uint8_t from_mac[6],
	uint16_t vlan, uint16_t ether_type);

/* The checksum of an ICMPv6 message behind its IPv6 header, whose addresses stand already. */
uint16_t frame_icmp6_sum(const uint8_t *ipv6_header, const uint8_t *icmp, uint16_t len);

/* The Ethernet address that an IPv6 multicast address is sent to (RFC 2464, 7), and the group in
 * which an address' owner is asked for (RFC 4291, 2.7.1). */
void frame_multicast_mac(const uint8_t addr[16], uint8_t mac[6]);
void frame_solicited_node(const uint8_t addr[16], uint8_t group[16]);

/* Turns a FRAME_ECHO's request into its reply, in place. */
void frame_echo_reply(uint8_t *bytes, const struct frame *received);
