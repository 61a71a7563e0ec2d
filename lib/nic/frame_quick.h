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

#include <immintrin.h>

#include "nic/frame.h"
#include "nic/frame_sum.h"

enum { FRAME_HOPS = 64, FRAME_QUICK_TAIL = FRAME_HEADERS_IPV4 - 16 };

/* What stands in the 42 bytes of such headers, as three words of 16 bytes: at 0, at 16, and at
 * FRAME_QUICK_TAIL, which is where the IP addresses begin. */
struct frame_quick {
	__m128i want[3];
	__m128i mask[3]; /* all zero with any `want`: no frame is of the shape */
};

static inline __m128i frame_quick_word(const void *at)
{
	return _mm_loadu_si128((const __m128i *)at);
}

/* For whom. A port of IPv6 or of a VLAN has no such frames. */
static inline struct frame_quick frame_quick_for(const struct frame_self *self)
{
	struct frame_quick q = {.want = {_mm_set1_epi8(-1)}};
	/* No sender is a group; the receiver is this port or, where the kernel has the interface,
	 * anybody alone. Untagged IPv4 without options. */
	uint8_t want[3][16] = {{[12] = 0x08, [14] = 0x45}, {[7] = IPPROTO_UDP}};
	/* No fragment; reserved bit and "do not fragment" are as they like. */
	uint8_t mask[3][16] = {{[0] = 1, [6] = 1, [12] = 0xff, [13] = 0xff, [14] = 0xff},
		{[4] = 0x3f, [5] = 0xff, [7] = 0xff}};
	if (self->ipv6 || self->vlan != 0 || (self->mac[0] & 1) != 0)
		return q;
	if (self->exclusive) {
		memcpy(want[0], self->mac, sizeof(self->mac));
		memset(mask[0], 0xff, sizeof(self->mac));
	}
	memcpy(want[2] + 4, &self->addr_be, sizeof(self->addr_be));
	memset(mask[2] + 4, 0xff, sizeof(self->addr_be));
	memcpy(want[2] + 10, &self->port_be, sizeof(self->port_be));
	memset(mask[2] + 10, 0xff, sizeof(self->port_be));
	memcpy(q.want, want, sizeof(want));
	memcpy(q.mask, mask, sizeof(mask));
	return q;
}

/* ::ffff:a.b.c.d in one store of 16 bytes: it is read as such a moment later, and a load of what
 * several stores have just written waits for all of them. */
static inline void frame_put_mapped(uint8_t addr[16], uint32_t addr_be)
{
	__m128i mapped = _mm_setr_epi32(0, 0, (int)0xffff0000u, (int)addr_be);
	_mm_storeu_si128((__m128i *)addr, mapped);
}

/* A sender that no reply could or should reach: it would go to many, to nobody, or to ourselves. */
static inline bool frame_sender_is_absurd(const struct frame_self *self, uint32_t from_be)
{
	/* By the first byte: this network, loopback, groups. */
	static const bool nets[256] = {[0] = true, [127] = true, [224 ... 239] = true};
	return nets[(uint8_t)from_be] || from_be == UINT32_MAX || from_be == self->addr_be ||
	       from_be == self->broadcast_be;
}

/* Not in a loop: compilers leave it one, and its words in memory. */
static inline __m128i frame_quick_differs(
	const struct frame_quick *q, int word, const uint8_t *bytes)
{
	return _mm_xor_si128(_mm_and_si128(frame_quick_word(bytes), q->mask[word]), q->want[word]);
}

/* True: frame_classify_summed() would find this datagram. False says nothing. `out` but for its
 * mbuf. `len` as an mbuf has it: the full decoder refuses what is longer. */
static inline bool frame_quick_classify_summed(const struct frame_self *self,
	const struct frame_quick *q, uint8_t *bytes, uint16_t len, struct nic_datagram *out)
{
	uint64_t ip[2];
	uint32_t from, to;
	uint16_t l3_len, from_port, udp_len;
	if (len < FRAME_HEADERS_IPV4)
		return false;
	__m128i wrong = _mm_or_si128(frame_quick_differs(q, 0, bytes),
		_mm_or_si128(frame_quick_differs(q, 1, bytes + 16),
			frame_quick_differs(q, 2, bytes + FRAME_QUICK_TAIL)));
	if (!_mm_testz_si128(wrong, wrong))
		return false;
	memcpy(ip, bytes + FRAME_ETHERNET, sizeof(ip));
	memcpy(&l3_len, bytes + 16, sizeof(l3_len));
	memcpy(&from, bytes + FRAME_QUICK_TAIL, sizeof(from));
	memcpy(&to, bytes + 30, sizeof(to));
	memcpy(&from_port, bytes + 34, sizeof(from_port));
	memcpy(&udp_len, bytes + 38, sizeof(udp_len));
	l3_len = be16toh(l3_len);
	udp_len = be16toh(udp_len);
	/* Ones' complement zero; the words are never all of them zero. */
	if (frame_sum_add(frame_sum_add(ip[0], ip[1]), to) % 0xffff != 0 || from_port == 0 ||
		frame_sender_is_absurd(self, from))
		return false;
	/* Nothing behind the datagram but padding, and not less than its headers. */
	if (l3_len != FRAME_IPV4 + udp_len ||
		(uint32_t)udp_len - FRAME_UDP > (uint32_t)len - FRAME_HEADERS_IPV4)
		return false;
	out->payload = bytes + FRAME_HEADERS_IPV4;
	out->payload_len = (uint16_t)(udp_len - FRAME_UDP);
	out->payload_offset = FRAME_HEADERS_IPV4;
	frame_put_mapped(out->from.addr, from);
	out->from.port = be16toh(from_port);
	return true;
}

/* Of such a datagram, which frame_classify() would find only if this is right, or zero: there is
 * none. */
static inline bool frame_quick_udp_sum_is_right(const struct nic_datagram *d)
{
	const uint8_t *bytes = d->payload - FRAME_HEADERS_IPV4;
	uint16_t udp_len = (uint16_t)(FRAME_UDP + d->payload_len), sum;
	memcpy(&sum, d->payload - sizeof(sum), sizeof(sum));
	/* The addresses of the pseudo header stand right before the UDP header. */
	return sum == 0 || frame_sum(bytes + FRAME_QUICK_TAIL, 8u + udp_len,
				   (uint32_t)htobe16(IPPROTO_UDP) + htobe16(udp_len)) == 0xffff;
}

/* The same in one, `summed` or not. */
static inline bool frame_quick_classify(const struct frame_self *self, const struct frame_quick *q,
	uint8_t *bytes, uint16_t len, bool summed, struct nic_datagram *out)
{
	return frame_quick_classify_summed(self, q, bytes, len, out) &&
	       (summed || frame_quick_udp_sum_is_right(out));
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

/* What all answers of a port have in common, in words as they lie in memory. */
struct frame_quick_answer {
	__m128i service; /* the last of the first 16 bytes: DSCP */
	uint64_t middle; /* length 0, id 0, do not fragment, hops, protocol */
	uint64_t sum;    /* of the IP header without length and addresses */
	enum frame_quick_sum udp;
	bool ipv4_sum_left;
};

static inline struct frame_quick_answer frame_quick_answer_for(
	uint8_t dscp, bool ipv4_sum_left, enum frame_quick_sum udp)
{
	struct frame_quick_answer a = {.udp = udp, .ipv4_sum_left = ipv4_sum_left};
	uint64_t version = 0x45 | (uint64_t)dscp << 10;
	uint64_t hops = FRAME_HOPS | (uint64_t)IPPROTO_UDP << 8;
	a.service = _mm_insert_epi8(_mm_setzero_si128(), dscp << 2, 15);
	a.middle = (uint64_t)htobe16(0x4000) << 32 | hops << 48;
	a.sum = version + htobe16(0x4000) + hops;
	return a;
}

static inline uint16_t frame_quick_udp_sum(const struct frame_quick_answer *a, const uint8_t *bytes,
	uint64_t addresses, uint32_t ports, uint16_t payload_len)
{
	uint16_t udp_len_be = htobe16((uint16_t)(FRAME_UDP + payload_len));
	uint16_t sum = frame_fold64(
		frame_sum_add(addresses, (uint64_t)htobe16(IPPROTO_UDP) + udp_len_be)); /* pseudo */
	if (a->udp == FRAME_QUICK_SUM_LEFT)
		return sum;
	sum = (uint16_t)~frame_sum(bytes + FRAME_HEADERS_IPV4, payload_len,
		sum + (ports & 0xffff) + (ports >> 16) + udp_len_be);
	return sum == 0 ? 0xffff : sum; /* zero would say: none */
}

/* Turns the headers of a datagram of the shape round for a new payload behind them: the way of
 * frame_route_back() and frame_build() in one, in place. */
static inline void frame_quick_turn(
	uint8_t *bytes, uint16_t payload_len, const struct frame_quick_answer *a)
{
	/* Who receives and who sends: Ethernet addresses; IP addresses and ports. */
	const __m128i turn_first =
		_mm_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, -1);
	const __m128i turn_tail =
		_mm_setr_epi8(4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, -1, -1, -1, -1);
	uint16_t udp_len = (uint16_t)(FRAME_UDP + payload_len), udp_sum = 0, ip_sum = 0;
	uint16_t l3_len_be = htobe16((uint16_t)(FRAME_IPV4 + udp_len));
	uint64_t addresses;
	uint32_t ports;
	memcpy(&addresses, bytes + FRAME_QUICK_TAIL, sizeof(addresses));
	if (!a->ipv4_sum_left)
		ip_sum = (uint16_t)~frame_fold64(frame_sum_add(addresses, a->sum + l3_len_be));
	if (a->udp != FRAME_QUICK_SUM_NONE) {
		memcpy(&ports, bytes + 34, sizeof(ports));
		udp_sum = frame_quick_udp_sum(a, bytes, addresses, ports, payload_len);
	}
	__m128i first = _mm_shuffle_epi8(frame_quick_word(bytes), turn_first);
	first = _mm_or_si128(first, a->service);
	__m128i tail = _mm_shuffle_epi8(frame_quick_word(bytes + FRAME_QUICK_TAIL), turn_tail);
	tail = _mm_insert_epi32(tail, (int)(htobe16(udp_len) | (uint32_t)udp_sum << 16), 3);
	uint64_t middle = a->middle | l3_len_be;
	_mm_storeu_si128((__m128i *)bytes, first);
	memcpy(bytes + 16, &middle, sizeof(middle));
	memcpy(bytes + 24, &ip_sum, sizeof(ip_sum));
	_mm_storeu_si128((__m128i *)(bytes + FRAME_QUICK_TAIL), tail);
}
