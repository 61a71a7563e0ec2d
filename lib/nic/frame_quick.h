/* The shape that nearly every frame has, in one pass: untagged, IPv4 without options, UDP, whole,
 * for this port and intact. frame_classify() and frame_build() stay the truth: what is not exactly
 * of this shape, or has anything wrong with it, is left to them, and what is of it is found and
 * turned round as they would (tests/unit/nic_quick_test.c holds both against each other). Bytes in,
 * bytes out, as frame.h; for the lane.
 */
#pragma once

#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include "nic/frame.h"
#include "nic/frame_sum.h"

enum { FRAME_HOPS = 64 };

/* The first 16 bytes of such a frame: Ethernet header, version and length of the IP header. */
struct frame_quick {
	uint64_t want[2];
	uint64_t mask[2]; /* all zero with any `want`: no frame is of the shape */
};

/* For whom. A port of IPv6 or of a VLAN has no such frames. */
static inline struct frame_quick frame_quick_for(const struct frame_self *self)
{
	struct frame_quick q = {.want = {UINT64_MAX, UINT64_MAX}};
	/* No sender is a group; the receiver is this port or, where the kernel has the interface,
	 * anybody alone. */
	uint8_t want[16] = {[12] = 0x08, [14] = 0x45};
	uint8_t mask[16] = {[0] = 1, [6] = 1, [12] = 0xff, [13] = 0xff, [14] = 0xff};
	if (self->ipv6 || self->vlan != 0 || (self->mac[0] & 1) != 0)
		return q;
	if (self->exclusive) {
		memcpy(want, self->mac, sizeof(self->mac));
		memset(mask, 0xff, sizeof(self->mac));
	}
	memcpy(q.want, want, sizeof(want));
	memcpy(q.mask, mask, sizeof(mask));
	return q;
}

/* ::ffff:a.b.c.d in one store of 16 bytes: it is read as such a moment later, and a load of what
 * several stores have just written waits for all of them. */
static inline void frame_put_mapped(uint8_t addr[16], uint32_t addr_be)
{
	typedef uint64_t pair __attribute__((vector_size(16)));
	pair mapped = {0, htole64((uint64_t)le32toh(addr_be) << 32 | 0xffff0000u)};
	memcpy(addr, &mapped, sizeof(mapped));
}

/* A sender that no reply could or should reach: it would go to many, to nobody, or to ourselves. */
static inline bool frame_sender_is_absurd(const struct frame_self *self, uint32_t from_be)
{
	/* By the first byte: this network (0), loopback (127), groups (224 … 239). */
	static const uint32_t nets[8] = {[0] = 1, [3] = 1u << 31, [7] = 0xffff};
	uint8_t net = (uint8_t)from_be;
	return (nets[net >> 5] >> (net & 31) & 1) != 0 || from_be == UINT32_MAX ||
	       from_be == self->addr_be || from_be == self->broadcast_be;
}

/* True: frame_classify() (frame_classify_summed() with `summed`) would find this datagram. False
 * says nothing. `out` but for its mbuf. */
static inline bool frame_quick_classify(const struct frame_self *self, const struct frame_quick *q,
	uint8_t *bytes, uint32_t len, bool summed, struct nic_datagram *out)
{
	uint64_t first[2], ip[2], udp; /* ports, length, sum */
	uint32_t to;
	if (len < FRAME_HEADERS_IPV4)
		return false;
	memcpy(first, bytes, sizeof(first));
	if ((((first[0] & q->mask[0]) ^ q->want[0]) | ((first[1] & q->mask[1]) ^ q->want[1])) != 0)
		return false;
	memcpy(ip, bytes + FRAME_ETHERNET, sizeof(ip));
	memcpy(&to, bytes + FRAME_ETHERNET + sizeof(ip), sizeof(to));
	memcpy(&udp, bytes + FRAME_ETHERNET + FRAME_IPV4, sizeof(udp));
	uint32_t from = (uint32_t)(ip[1] >> 32);
	/* Receiver, port, no fragment, protocol: the bits that are not as they must be. */
	uint64_t wrong = (to ^ self->addr_be) | (uint32_t)((uint16_t)(udp >> 16) ^ self->port_be) |
			 (ip[0] >> 48 & htobe16(0x3fff)) | ((ip[1] >> 8 & 0xff) ^ IPPROTO_UDP);
	if (wrong != 0 || (uint16_t)udp == 0 ||
		frame_fold64(frame_sum_add(frame_sum_add(ip[0], ip[1]), to)) != 0xffff ||
		frame_sender_is_absurd(self, from))
		return false;
	uint32_t l3_len = be16toh((uint16_t)(ip[0] >> 16)),
		 udp_len = be16toh((uint16_t)(udp >> 32));
	if (FRAME_ETHERNET + l3_len > len || FRAME_IPV4 + udp_len > l3_len || udp_len < FRAME_UDP)
		return false;
	/* The addresses of the pseudo header stand right before the UDP header. */
	if (!summed && udp >> 48 != 0 &&
		frame_sum(bytes + FRAME_ETHERNET + 12, 8 + udp_len,
			(uint32_t)htobe16(IPPROTO_UDP) + (uint16_t)(udp >> 32)) != 0xffff)
		return false;
	out->payload = bytes + FRAME_HEADERS_IPV4;
	out->payload_len = (uint16_t)(udp_len - FRAME_UDP);
	out->payload_offset = FRAME_HEADERS_IPV4;
	frame_put_mapped(out->from.addr, from);
	out->from.port = be16toh((uint16_t)udp);
	return true;
}

/* Whether a received datagram's headers are of the shape. */
static inline bool frame_quick_is(const uint8_t *bytes, uint16_t payload_offset)
{
	uint16_t type;
	memcpy(&type, bytes + FRAME_ETHERNET - sizeof(type), sizeof(type));
	return payload_offset == FRAME_HEADERS_IPV4 && type == htobe16(0x0800);
}

/* The UDP checksum of an answer: as frame_route's udp_sum_left and udp_sum_none. */
enum frame_quick_sum { FRAME_QUICK_SUM, FRAME_QUICK_SUM_LEFT, FRAME_QUICK_SUM_NONE };

/* Turns the headers of a datagram of the shape round for a new payload behind them: the way of
 * frame_route_back() and frame_build() in one, in place. */
static inline void frame_quick_turn(uint8_t *bytes, uint16_t payload_len, uint8_t dscp,
	bool ipv4_sum_left, enum frame_quick_sum udp)
{
	uint64_t macs;
	uint32_t macs_end, from, to, ports;
	uint16_t udp_len = (uint16_t)(FRAME_UDP + payload_len), udp_len_be = htobe16(udp_len);
	memcpy(&macs, bytes, sizeof(macs));
	memcpy(&macs_end, bytes + 8, sizeof(macs_end));
	memcpy(&from, bytes + 26, sizeof(from));
	memcpy(&to, bytes + 30, sizeof(to));
	memcpy(&ports, bytes + 34, sizeof(ports));
	uint64_t own = macs & UINT64_C(0xffffffffffff),
		 peer = macs >> 48 | (uint64_t)macs_end << 16;
	macs = peer | own << 48;
	macs_end = (uint32_t)(own >> 16);
	memcpy(bytes, &macs, sizeof(macs));
	memcpy(bytes + 8, &macs_end, sizeof(macs_end));

	/* In words as they lie in memory: version, service, length | id 0, do not fragment | hops,
	 * protocol, sum | from | to. */
	uint32_t lengths = 0x45u | (uint32_t)dscp << 10 |
			   (uint32_t)htobe16((uint16_t)(FRAME_IPV4 + udp_len)) << 16;
	uint32_t fragment = (uint32_t)htobe16(0x4000) << 16;
	uint32_t hops = FRAME_HOPS | (uint32_t)IPPROTO_UDP << 8;
	uint64_t sum = (uint64_t)lengths + fragment + hops + from + to;
	if (!ipv4_sum_left)
		hops |= (uint32_t)(uint16_t)~frame_fold64(sum) << 16;
	uint64_t word = lengths | (uint64_t)fragment << 32;
	memcpy(bytes + 14, &word, sizeof(word));
	word = hops | (uint64_t)to << 32;
	memcpy(bytes + 22, &word, sizeof(word));
	memcpy(bytes + 30, &from, sizeof(from));

	ports = ports >> 16 | ports << 16;
	uint16_t udp_sum = 0;
	if (udp != FRAME_QUICK_SUM_NONE)
		udp_sum = frame_fold64(
			(uint64_t)from + to + htobe16(IPPROTO_UDP) + udp_len_be); /* pseudo */
	if (udp == FRAME_QUICK_SUM) {
		udp_sum = (uint16_t)~frame_sum(bytes + FRAME_HEADERS_IPV4, payload_len,
			udp_sum + (ports & 0xffff) + (ports >> 16) + udp_len_be);
		udp_sum = udp_sum == 0 ? 0xffff : udp_sum; /* zero would say: none */
	}
	word = ports | (uint64_t)udp_len_be << 32 | (uint64_t)udp_sum << 48;
	memcpy(bytes + 34, &word, sizeof(word));
}
