/* The header in words of eight bytes, inline: for those who write one for every packet of a burst.
 * Such words are hashed, sealed and copied a moment later, and a load of what several smaller
 * stores have just written waits for all of them. Pure; any core.
 */
#pragma once

#include "wire/wire.h"

/* WIRE_HEADER_LEN bytes, of a header that is known to be in range. */
static inline void wire_store_header(uint8_t *packet, const struct wire_header *h)
{
	sw_store_u64(packet, (uint64_t)WIRE_MAGIC << 48 | (uint64_t)WIRE_VERSION << 40 |
				     (uint64_t)h->key_id << 32 | (uint64_t)h->lane << 24 |
				     h->body_len);
	sw_store_u64(packet + 8, (uint64_t)h->cluster << 32 | h->sender.id >> 32);
	sw_store_u64(packet + 16, h->sender.id << 32 | h->sender.epoch);
	sw_store_u64(packet + 24, h->instance);
	sw_store_u64(packet + 32, h->counter);
}
