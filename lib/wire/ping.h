/* A body that is one PING and nothing else, and its answer, one ACK and nothing else: what servers
 * say to each other while nothing happens. As wire_get_prelude(), wire_next() and wire_get_probe()
 * read it and wire_put_prelude() and wire_put_probe() write it, in one pass over fixed places; a
 * body of any other shape is for them. Pure; any core.
 */
#pragma once

#include "wire/wire.h"

enum {
	WIRE_PING_LEN = 4 + 3 * 8,
	WIRE_SOLE_PING_LEN = WIRE_PRELUDE_LEN + WIRE_MESSAGE_HEADER_LEN + WIRE_PING_LEN,
};

static inline uint32_t wire_sole_ping_seq(const uint8_t *body)
{
	return sw_load_u32(body + WIRE_PRELUDE_LEN + WIRE_MESSAGE_HEADER_LEN);
}

static inline uint64_t wire_sole_ping_digest(const uint8_t *body)
{
	return sw_load_u64(body + WIRE_PRELUDE_LEN + 8);
}

/* False: of another shape, or something in it is out of range; nothing is written then. */
static inline bool wire_get_sole_ping(
	const uint8_t *body, size_t len, struct wire_prelude *prelude, struct wire_probe *ping)
{
	const uint8_t *message = body + WIRE_PRELUDE_LEN;
	if (len != WIRE_SOLE_PING_LEN)
		return false;
	uint64_t head = sw_load_u64(message), last_seq = sw_load_u64(body + 8);
	/* Type, flags (ignored), length; then the probe's seq. */
	if ((head & UINT64_C(0xff00ffff00000000)) !=
			((uint64_t)WIRE_PING << 56 | (uint64_t)WIRE_PING_LEN << 32) ||
		last_seq > SEQ_MAX)
		return false;
	prelude->dst_id = sw_load_u64(body);
	prelude->last_seq = last_seq;
	prelude->floor = sw_load_u64(body + 16);
	ping->seq = (uint32_t)head;
	ping->table_digest = sw_load_u64(message + 8);
	ping->vector_hash = sw_load_u64(message + 16);
	ping->content_hash = sw_load_u64(message + 24);
	return true;
}

/* WIRE_SOLE_PING_LEN bytes. */
static inline void wire_put_sole_ack(
	uint8_t *body, const struct wire_prelude *prelude, const struct wire_probe *ack)
{
	uint8_t *message = body + WIRE_PRELUDE_LEN;
	sw_store_u64(body, prelude->dst_id);
	sw_store_u64(body + 8, prelude->last_seq);
	sw_store_u64(body + 16, prelude->floor);
	sw_store_u64(message, (uint64_t)WIRE_ACK << 56 | (uint64_t)WIRE_PING_LEN << 32 | ack->seq);
	sw_store_u64(message + 8, ack->table_digest);
	sw_store_u64(message + 16, ack->vector_hash);
	sw_store_u64(message + 24, ack->content_hash);
}

/* The same for another asker: `like` is one that wire_put_sole_ack() wrote. */
static inline void wire_put_sole_ack_like(
	uint8_t *body, const uint8_t like[WIRE_SOLE_PING_LEN], uint64_t dst_id, uint32_t seq)
{
	uint32_t seq_be = htobe32(seq);
	memcpy(body, like, WIRE_SOLE_PING_LEN);
	sw_store_u64(body, dst_id);
	memcpy(body + WIRE_PRELUDE_LEN + WIRE_MESSAGE_HEADER_LEN, &seq_be, sizeof(seq_be));
}
