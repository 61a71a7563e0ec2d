/* The Internet checksum (RFC 1071) over frames, for frame.c and frame_build.c. Sums are of 16-bit
 * words as they lie in memory, so their order of bytes is the network's. */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <immintrin.h>
#include <rte_ip.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an odd byte is its word's low one");

/* Both halves' ones' complement sum: the carry of the low half's addition is the end-around one. */
static inline uint16_t frame_fold(uint32_t sum)
{
	return (uint16_t)((sum + (sum >> 16 | sum << 16)) >> 16);
}

static inline uint16_t frame_fold64(uint64_t sum)
{
	return frame_fold((uint32_t)((sum + (sum >> 32 | sum << 32)) >> 32));
}

static inline uint64_t frame_sum_load(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return word;
}

/* Of two sums of 64-bit words. */
static inline uint64_t frame_sum_add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline uint64_t frame_sum_32(const uint8_t *at, uint64_t sum)
{
	unsigned long long s0, s1, s2, s3, s4;
	unsigned char carry = _addcarry_u64(0, sum, frame_sum_load(at), &s0);
	carry = _addcarry_u64(carry, s0, frame_sum_load(at + 8), &s1);
	carry = _addcarry_u64(carry, s1, frame_sum_load(at + 16), &s2);
	carry = _addcarry_u64(carry, s2, frame_sum_load(at + 24), &s3);
	(void)_addcarry_u64(carry, s3, 0, &s4);
	return s4;
}

/* The ones' complement sum of `len` bytes and `start`, folded to 16 bits, not complemented. Eight
 * bytes at a time with the carry behind each (RFC 1071, 2B and 2C): rte_raw_cksum() of DPDK 22.11
 * adds 16 bits at a time, and a lane does this twice for each packet. */
static inline uint16_t frame_sum(const void *bytes, size_t len, uint32_t start)
{
	const uint8_t *at = (const uint8_t *)bytes;
	uint64_t sum = start;
	for (; len >= 32; len -= 32, at += 32)
		sum = frame_sum_32(at, sum);
	for (; len >= 8; len -= 8, at += 8)
		sum = frame_sum_add(sum, frame_sum_load(at));
	uint64_t rest = 0;
	if (len & 4) {
		uint32_t half;
		memcpy(&half, at, sizeof(half));
		rest += half;
		at += sizeof(half);
	}
	if (len & 2) {
		uint16_t quarter;
		memcpy(&quarter, at, sizeof(quarter));
		rest += quarter;
		at += sizeof(quarter);
	}
	if (len & 1)
		rest += *at; /* its word's other byte, behind it, is zero */
	return frame_fold64(frame_sum_add(sum, rest));
}

/* The pseudo headers' sums, but for the length. */
static inline uint32_t frame_pseudo_ipv4(uint32_t from_be, uint32_t to_be, uint8_t protocol)
{
	uint32_t sum = (from_be & 0xffff) + (from_be >> 16) + (to_be & 0xffff) + (to_be >> 16);
	return sum + htons(protocol);
}

static inline uint32_t frame_pseudo_ipv6(
	const uint8_t from[16], const uint8_t to[16], uint8_t protocol)
{
	return (uint32_t)rte_raw_cksum(from, 16) + rte_raw_cksum(to, 16) + htons(protocol);
}
