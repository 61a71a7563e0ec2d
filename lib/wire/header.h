/* The header in words of eight bytes, inline: for those who read or write one for every packet of a
 * burst. What is written is hashed, sealed and copied a moment later, and a load of what several
 * smaller stores have just written waits for all of them. Pure; any core.
 */
#pragma once

#include <assert.h>

#include "wire/wire.h"

/* As wire_put_header(). */
static inline void wire_store_header(uint8_t *packet, const struct wire_header *h)
{
	assert(h->body_len >= WIRE_PRELUDE_LEN && h->body_len <= WIRE_BODY_JUMBO_MAX);
	assert(wire_header_is_valid(h));
	sw_store_u64(packet, (uint64_t)WIRE_MAGIC << 48 | (uint64_t)WIRE_VERSION << 40 |
				     (uint64_t)h->key_id << 32 | (uint64_t)h->lane << 24 |
				     h->body_len);
	sw_store_u64(packet + 8, (uint64_t)h->cluster << 32 | h->sender.id >> 32);
	sw_store_u64(packet + 16, h->sender.id << 32 | h->sender.epoch);
	sw_store_u64(packet + 24, h->instance);
	sw_store_u64(packet + 32, h->counter);
}

/* The header of a packet of the same sender under any key, of any lane: `like` is one of its that
 * wire_store_header() wrote with key and lane zero. */
static inline void wire_store_header_as(uint8_t *packet, const uint8_t *like, uint8_t key_id,
	uint8_t lane, uint16_t body_len, uint64_t counter)
{
	uint64_t first = (uint64_t)key_id << 32 | (uint64_t)lane << 24 | body_len;
	assert(body_len >= WIRE_PRELUDE_LEN && body_len <= WIRE_BODY_JUMBO_MAX);
	sw_store_u64(packet, (sw_load_u64(like) & ~UINT64_C(0xffff)) | first);
	memcpy(packet + 8, like + 8, 24);
	sw_store_u64(packet + 32, counter);
}

/* The same, under the key and of the lane that `like` was written with. */
static inline void wire_store_header_like(
	uint8_t *packet, const uint8_t *like, uint16_t body_len, uint64_t counter)
{
	wire_store_header_as(packet, like, 0, 0, body_len, counter);
}

/* Cheapest first: what is not ours costs a few comparisons. `first` gets the header's first word.
 */
static inline enum wire_error wire_check_header(
	const uint8_t *packet, size_t len, uint32_t cluster, uint64_t *first)
{
	if (len < WIRE_HEADER_LEN + WIRE_TAG_LEN)
		return WIRE_ERR_SHORT;
	*first = sw_load_u64(packet);
	if (*first >> 40 != ((uint64_t)WIRE_MAGIC << 8 | WIRE_VERSION))
		return *first >> 48 != WIRE_MAGIC ? WIRE_ERR_MAGIC : WIRE_ERR_VERSION;
	if (sw_load_u32(packet + 8) != cluster)
		return WIRE_ERR_CLUSTER;
	uint16_t body_len = (uint16_t)*first;
	if (len != WIRE_HEADER_LEN + (size_t)body_len + WIRE_TAG_LEN ||
		body_len < WIRE_PRELUDE_LEN || body_len > WIRE_BODY_JUMBO_MAX)
		return WIRE_ERR_LENGTH;
	return WIRE_OK;
}

static inline uint8_t wire_first_key(uint64_t first)
{
	return (uint8_t)(first >> 32);
}

/* Of one that wire_check_header() found to be of this cluster. Byte 5, the flags of later versions,
 * is not looked at. */
static inline void wire_load_header(
	const uint8_t *packet, uint64_t first, uint32_t cluster, struct wire_header *h)
{
	h->key_id = wire_first_key(first);
	h->lane = (uint8_t)(first >> 24);
	h->body_len = (uint16_t)first;
	h->cluster = cluster;
	h->sender = (struct actor){sw_load_u64(packet + 12), sw_load_u32(packet + 20)};
	h->instance = sw_load_u64(packet + 24);
	h->counter = sw_load_u64(packet + 32);
}
