/* The Internet checksum (RFC 1071) over frames, for frame.c and frame_build.c. Sums are of 16-bit
 * words as they lie in memory, so their order of bytes is the network's. */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_ip.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an odd byte is its word's low one");

static inline uint16_t frame_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline uint16_t frame_fold64(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	return frame_fold((uint32_t)sum);
}

/* The ones' complement sum of `len` bytes and `start`, folded to 16 bits, not complemented. Sixteen
 * bytes at a time, in 64-bit lanes that cannot overflow (RFC 1071, 2B and 2C): rte_raw_cksum() of
 * DPDK 22.11 adds 16 bits at a time, and a lane does this twice for each packet. */
static inline uint16_t frame_sum(const void *bytes, size_t len, uint32_t start)
{
	typedef uint64_t pair __attribute__((vector_size(16)));
	const uint8_t *at = (const uint8_t *)bytes;
	const pair low_half = {UINT32_MAX, UINT32_MAX};
	pair even = {start, 0}, odd = {0, 0}, words;
	for (; len >= sizeof(words); len -= sizeof(words), at += sizeof(words)) {
		memcpy(&words, at, sizeof(words));
		even += words & low_half;
		odd += words >> 32;
	}
	even += odd;
	uint64_t sum = even[0] + even[1];
	if (len & 8) {
		uint64_t word;
		memcpy(&word, at, sizeof(word));
		sum += (word & UINT32_MAX) + (word >> 32);
		at += sizeof(word);
	}
	if (len & 4) {
		uint32_t word;
		memcpy(&word, at, sizeof(word));
		sum += word;
		at += sizeof(word);
	}
	if (len & 2) {
		uint16_t word;
		memcpy(&word, at, sizeof(word));
		sum += word;
		at += sizeof(word);
	}
	if (len & 1)
		sum += *at; /* the word's other byte, behind it, is zero */
	return frame_fold64(sum);
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
