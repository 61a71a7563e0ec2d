/* Packets in the clear, inline: for those who take or send them in bursts, since a call costs a
 * third of a probe's checksum. Functions that use these are flattened (__attribute__((flatten))):
 * the library's own are not inlined otherwise. Pure; any core.
 */
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "wire/header.h"
#include "wire/ping.h"

/* The whole tag in the clear is a checksum and this many zero bytes. */
enum { WIRE_CHECKSUM_LEN = 8, WIRE_CHECKSUM_PADDING = WIRE_TAG_LEN - WIRE_CHECKSUM_LEN };

uint64_t wire_checksum_any(const uint8_t *packet, size_t len);

/* With a length that the compiler knows, nothing is left of the library's choice between lengths.
 */
static inline uint64_t wire_checksum(const uint8_t *packet, size_t len)
{
	if (len != WIRE_HEADER_LEN + WIRE_SOLE_PING_LEN)
		return wire_checksum_any(packet, len);
	return XXH3_64bits(packet, WIRE_HEADER_LEN + WIRE_SOLE_PING_LEN);
}

/* Behind a header and a body that are whole. */
static inline size_t wire_put_checksum(uint8_t *packet, uint16_t body_len)
{
	size_t sealed_len = WIRE_HEADER_LEN + (size_t)body_len;
	sw_store_u64(packet + sealed_len, wire_checksum(packet, sealed_len));
	memset(packet + sealed_len + WIRE_CHECKSUM_LEN, 0, WIRE_CHECKSUM_PADDING);
	return sealed_len + WIRE_TAG_LEN;
}

/* As wire_finish_clear() for a packet of the same sender and lane: `like` is a header in the clear
 * that wire_store_header() wrote. */
static inline size_t wire_finish_clear_like(
	uint8_t *packet, const uint8_t *like, uint16_t body_len, uint64_t counter)
{
	wire_store_header_like(packet, like, body_len, counter);
	return wire_put_checksum(packet, body_len);
}

/* Of one that wire_check_header() has passed: is it in the clear, and its checksum right? */
static inline enum wire_error wire_check_clear(const uint8_t *packet, uint64_t first)
{
	size_t sealed_len = WIRE_HEADER_LEN + (size_t)(uint16_t)first;
	uint64_t checksum = sw_load_u64(packet + sealed_len);
	uint64_t padding = sw_load_u64(packet + sealed_len + WIRE_CHECKSUM_LEN);
	if (wire_first_key(first) != WIRE_KEY_CLEAR)
		return WIRE_ERR_KEY;
	if (padding != 0 || checksum != wire_checksum(packet, sealed_len))
		return WIRE_ERR_CHECKSUM;
	return WIRE_OK;
}

/* As wire_open_clear(). */
static inline enum wire_error wire_open_clear_header(
	const uint8_t *packet, size_t len, uint32_t cluster, struct wire_header *h)
{
	uint64_t first;
	enum wire_error e = wire_check_header(packet, len, cluster, &first);
	if (e == WIRE_OK)
		e = wire_check_clear(packet, first);
	if (e != WIRE_OK)
		return e;
	struct wire_header found;
	wire_load_header(packet, first, cluster, &found);
	if (!wire_header_is_valid(&found))
		return WIRE_ERR_BODY;
	*h = found;
	return WIRE_OK;
}
