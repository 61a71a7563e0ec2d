/* Draws a random message of a type. Each number is now and then the smallest or largest of its
 * range. */
#pragma once

#include "wire_any.h"

static inline uint64_t draw_between(struct sw_random *random, uint64_t low, uint64_t high)
{
	switch (sw_random_below(random, 8)) {
	case 0: return low;
	case 1: return high;
	default: break;
	}
	uint64_t span = high - low;
	return low +
	       (span == UINT64_MAX ? sw_random_u64(random) : sw_random_below(random, span + 1));
}

static inline uint64_t draw_u64(struct sw_random *random)
{
	return draw_between(random, 0, UINT64_MAX);
}

static inline uint32_t draw_u32(struct sw_random *random)
{
	return (uint32_t)draw_between(random, 0, UINT32_MAX);
}

static inline uint8_t draw_u8(struct sw_random *random)
{
	return (uint8_t)draw_between(random, 0, UINT8_MAX);
}

static inline struct dot draw_dot(struct sw_random *random)
{
	struct dot dot;
	dot.actor.id = draw_between(random, 1, UINT64_MAX - 1);
	dot.actor.epoch = (uint32_t)draw_between(random, 1, UINT32_MAX);
	dot.seq = draw_between(random, 1, SEQ_MAX);
	return dot;
}

static inline void draw_endpoint(struct sw_random *random, struct sw_endpoint *e)
{
	for (unsigned i = 0; i < sizeof(e->addr); i++)
		e->addr[i] = draw_u8(random);
	e->port = (uint16_t)draw_between(random, 1, UINT16_MAX);
}

/* Any bytes but control characters: encodings are not the decoder's matter. */
static inline void draw_text(struct sw_random *random, char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = (char)draw_between(random, 0x20, 0xff);
		text[i] = c == 0x7f ? '~' : c;
	}
}

static inline void draw_member(struct sw_random *random, struct wire_member *m)
{
	m->actor = draw_dot(random).actor;
	m->instance = draw_u64(random);
	m->incarnation = draw_u32(random);
	m->state = (uint8_t)draw_between(random, WIRE_ALIVE, WIRE_FORGOTTEN);
	m->flags = draw_u8(random);
	m->weight = (uint16_t)draw_between(random, 1, SW_WEIGHT_MAX);
	draw_endpoint(random, &m->at);
	m->accuser_id = draw_u64(random);
	draw_text(random, m->name, draw_between(random, 1, SW_NAME_MAX));
	draw_text(random, m->zone, draw_between(random, 0, SW_ZONE_MAX));
}

static inline void draw_record(struct sw_random *random, struct any_message *any)
{
	struct wire_record *m = &any->record;
	m->flags = (uint8_t)sw_random_below(random, 8);
	m->clock = draw_between(random, 1, UINT64_MAX);
	m->author = draw_dot(random);
	m->dot = (m->flags & WIRE_RECORD_ADOPTED) ? draw_dot(random) : m->author;
	if (m->flags & WIRE_RECORD_PREVIOUS)
		m->previous = draw_dot(random);
	m->written_ms = draw_u64(random);
	m->key_len = (uint8_t)draw_between(random, 1, SW_KEY_MAX);
	if ((m->flags & WIRE_RECORD_TOMBSTONE) == 0)
		m->value_len =
			(uint16_t)draw_between(random, 0, WIRE_RECORD_PAYLOAD_MAX - m->key_len);
	for (unsigned i = 0; i < m->key_len; i++)
		any->key[i] = draw_u8(random);
	for (unsigned i = 0; i < m->value_len; i++)
		any->value[i] = draw_u8(random);
	m->key = any->key;
	m->value = any->value;
}

static inline void draw_vector(struct sw_random *random, struct any_message *m)
{
	m->vector.count = (uint32_t)draw_between(random, 0, ANY_VECTOR_MAX);
	for (uint32_t i = 0; i < m->vector.count; i++) {
		struct dot dot = draw_dot(random);
		uint64_t closed = sw_random_below(random, 4) == 0 ? VV_CLOSED : 0;
		m->vector.entries[i] = (struct vv_entry){dot.actor, dot.seq | closed};
	}
}

static inline void draw_session(struct sw_random *random, struct any_message *m)
{
	uint64_t nonce = draw_u64(random);
	if (m->type == WIRE_SESSION_DATA) {
		m->session_data.nonce = nonce;
		m->session_data.snapshot = draw_u32(random);
		m->session_data.packets = (uint32_t)draw_between(random, 1, UINT32_MAX);
		m->session_data.heads = (uint16_t)draw_between(random, 1,
			m->session_data.packets < UINT16_MAX ? m->session_data.packets
							     : UINT16_MAX);
		m->session_data.index =
			(uint32_t)draw_between(random, 0, m->session_data.packets - 1);
	} else if (m->type == WIRE_SESSION_GET) {
		m->session_get.nonce = nonce;
		m->session_get.snapshot = draw_u32(random);
		m->session_get.first =
			(uint32_t)draw_between(random, 0, UINT32_MAX - WIRE_SESSION_WINDOW);
		m->session_get.wanted[0] = draw_u64(random);
		m->session_get.wanted[1] = draw_u64(random);
	} else if (m->type == WIRE_SESSION_DONE) {
		m->session_done = nonce;
	} else {
		m->session_refuse.nonce = nonce;
		m->session_refuse.reason = (uint8_t)draw_between(random, 1, UINT8_MAX);
	}
}

static inline void draw_probe(struct sw_random *random, struct wire_probe *m)
{
	m->seq = draw_u32(random);
	m->table_digest = draw_u64(random);
	m->vector_hash = draw_u64(random);
	m->content_hash = draw_u64(random);
}

/* No longer than WIRE_MESSAGES_MAX: any message fits into an empty packet. */
static inline void draw_any(struct sw_random *random, enum wire_type type, struct any_message *m)
{
	memset(m, 0, sizeof(*m));
	m->type = type;
	switch (type) {
	case WIRE_PING:
	case WIRE_ACK: draw_probe(random, &m->probe); break;
	case WIRE_NACK: m->nack = draw_u32(random); break;
	case WIRE_PING_REQ:
		m->ping_req.seq = draw_u32(random);
		m->ping_req.target_id = draw_between(random, 1, UINT64_MAX - 1);
		draw_endpoint(random, &m->ping_req.target);
		break;
	case WIRE_MEMBER:
	case WIRE_JOIN: draw_member(random, &m->member); break;
	case WIRE_JOIN_ACK:
		m->join_ack.epoch_seen = draw_u32(random);
		m->join_ack.instance_seen = draw_u64(random);
		m->join_ack.asker_instance = draw_u64(random);
		break;
	case WIRE_TABLE_REQ: break;
	case WIRE_TABLE:
		m->table.pages = (uint8_t)draw_between(random, 1, UINT8_MAX);
		m->table.page = (uint8_t)draw_between(random, 0, m->table.pages - 1u);
		break;
	case WIRE_RECORD: draw_record(random, m); break;
	case WIRE_VERSION_REQ:
		m->version_req.nonce = draw_u64(random);
		m->version_req.first_session = sw_random_below(random, 2) == 1;
		m->version_req.reconcile = sw_random_below(random, 2) == 1;
		m->version_req.report = sw_random_below(random, 2) == 1;
		m->version_req.repair = sw_random_below(random, 2) == 1;
		m->version_req.parts = (uint8_t)draw_between(random, 1, UINT8_MAX);
		m->version_req.part = (uint8_t)draw_between(random, 0, m->version_req.parts - 1u);
		break;
	case WIRE_VECTOR:
	case WIRE_COLLECTED: draw_vector(random, m); break;
	case WIRE_RELAY: m->relay_hops = draw_u8(random); break;
	case WIRE_BUCKETS:
		for (unsigned i = 0; i < WIRE_BUCKETS_COUNT; i++)
			m->buckets[i] = draw_u64(random);
		break;
	case WIRE_SIZE_PROBE:
		m->size_probe.seq = draw_u32(random);
		m->size_probe.size_max =
			(uint16_t)draw_between(random, WIRE_PACKET_MAX, UINT16_MAX);
		break;
	case WIRE_SIZE_ACK:
		m->size_ack.seq = draw_u32(random);
		m->size_ack.size = (uint16_t)draw_between(random, 0, UINT16_MAX);
		m->size_ack.size_max = (uint16_t)draw_between(random, WIRE_PACKET_MAX, UINT16_MAX);
		break;
	case WIRE_SESSION_DATA:
	case WIRE_SESSION_GET:
	case WIRE_SESSION_DONE:
	case WIRE_SESSION_REFUSE: draw_session(random, m); break;
	}
}
