/* Frames: what is in a received one, and the headers of one to be sent. Bytes in, bytes out: no
 * DPDK object, no port, any core.
 *
 * Ethernet II, at most one 802.1Q tag, IPv4 (RFC 791) and UDP (RFC 768). Everything is checked
 * here, whatever the device claims to have checked. A UDP checksum of zero is accepted, as RFC 768
 * says; so is one that holds exactly the sum of the pseudo header: that is a datagram of this very
 * machine (veth, virtio, loopback) whose sender left the sum to a device that was never there.
 * Neither is weaker than the other: a corrupted payload is found by the seal.
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
	FRAME_UDP = 8,
	FRAME_ARP_LEN = 28,
	FRAME_MIN = 60, /* of Ethernet, without its check sequence */
	FRAME_HEADERS_IPV4 = FRAME_ETHERNET + FRAME_IPV4 + FRAME_UDP,
};

/* Whom this port serves. */
struct frame_self {
	uint32_t addr_be;
	uint32_t broadcast_be; /* of the own network; all ones if there is none */
	uint16_t port_be;
	uint8_t mac[6];
	bool exclusive; /* frames to another MAC are not ours, and ARP and echo are answered */
};

enum frame_kind { FRAME_DATAGRAM, FRAME_ARP, FRAME_ECHO, FRAME_DROP };

struct frame {
	enum frame_kind kind;
	enum nic_drop drop; /* FRAME_DROP: why */
	uint16_t l3_offset; /* ARP or IPv4 header */
	uint16_t l3_len;    /* of ARP: 28; of IPv4: its total length */
	uint16_t l4_offset; /* UDP or ICMP header */
	uint16_t payload_offset;
	uint16_t payload_len;
	struct sw_endpoint from;
};

/* Looks at `len` contiguous bytes. Never reads outside of them, whatever they are. */
void frame_classify(
	const struct frame_self *self, const uint8_t *bytes, uint32_t len, struct frame *out);

/* What a datagram's headers say: network order. */
struct frame_route {
	uint8_t to_mac[6];
	uint8_t from_mac[6];
	uint32_t to_be;
	uint32_t from_be;
	uint16_t to_port_be;
	uint16_t from_port_be;
	bool tagged;
	uint16_t vlan_tci_be;
};

/* Where the headers are of a frame that was found to be a datagram whose payload starts there. */
void frame_locate(const uint8_t *bytes, uint16_t payload_offset, struct frame *out);

/* The way back of a received datagram whose headers start at `bytes`. */
void frame_route_back(const uint8_t *bytes, const struct frame *received, struct frame_route *back);

/* Bytes that frame_build() writes before the payload. */
static inline uint16_t frame_headers_len(const struct frame_route *route)
{
	return route->tagged ? FRAME_HEADERS_IPV4 + FRAME_VLAN : FRAME_HEADERS_IPV4;
}

/* Writes the headers right before `payload` (there must be room), checksums included. */
void frame_build(const struct frame_route *route, uint8_t *payload, uint16_t payload_len);

/* Turns a FRAME_ECHO's request into its reply, in place. */
void frame_echo_reply(uint8_t *bytes, const struct frame *received);
