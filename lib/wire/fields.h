/* Fields that several messages share, and the start of a message. Private to lib/wire. */
#pragma once

#include "wire/wire.h"

enum {
	WIRE_ACTOR_LEN = 12,
	WIRE_DOT_LEN = 20,
	WIRE_ENDPOINT_LEN = 18,
	WIRE_SESSION_DATA_LEN = 22,
};

_Static_assert(WIRE_DOT_LEN == WIRE_ACTOR_LEN + 8, "a dot is an actor and a seq");
_Static_assert(
	(int)WIRE_VECTOR_ENTRY_LEN == (int)WIRE_DOT_LEN, "a vector entry is laid out as a dot");

/* Writes the message header if the whole message fits, so that the fields behind it cannot fail.
 * If it does not: false, w->failed, nothing written. */
static inline bool wire_begin(struct sw_writer *w, enum wire_type type, size_t payload_len)
{
	if (payload_len > UINT16_MAX || sw_writer_left(w) < WIRE_MESSAGE_HEADER_LEN + payload_len) {
		w->failed = true;
		return false;
	}
	sw_put_u8(w, (uint8_t)type);
	sw_put_u8(w, 0);
	sw_put_u16(w, (uint16_t)payload_len);
	return true;
}

static inline void wire_put_actor(struct sw_writer *w, struct actor a)
{
	sw_put_u64(w, a.id);
	sw_put_u32(w, a.epoch);
}

static inline struct actor wire_get_actor(struct sw_reader *r)
{
	struct actor a;
	a.id = sw_get_u64(r);
	a.epoch = sw_get_u32(r);
	return a;
}

static inline void wire_put_dot(struct sw_writer *w, struct dot d)
{
	wire_put_actor(w, d.actor);
	sw_put_u64(w, d.seq);
}

static inline struct dot wire_get_dot(struct sw_reader *r)
{
	struct dot d;
	d.actor = wire_get_actor(r);
	d.seq = sw_get_u64(r);
	return d;
}

/* Id 0 stands for "nobody" and "anybody" and is never a server's; epochs count from 1. */
/* The largest one is no server's: in vectors it is the entry of the horizon (docs/wire.md). */
#define WIRE_SERVER_ID_MAX (UINT64_MAX - 1)

static inline bool wire_server_id_is_valid(uint64_t id)
{
	return id != 0 && id <= WIRE_SERVER_ID_MAX;
}

static inline bool wire_actor_is_valid(struct actor a)
{
	return wire_server_id_is_valid(a.id) && a.epoch != 0;
}

static inline bool wire_dot_is_valid(struct dot d)
{
	return wire_actor_is_valid(d.actor) && d.seq != 0 && d.seq <= SEQ_MAX;
}

/* An entry of a vector: a dot, whose seq may be the cap of a closed epoch. */
static inline bool wire_entry_is_valid(const struct vv_entry *entry)
{
	return entry->actor.id != 0 && entry->actor.epoch != 0 && vv_reach(entry->seq) != 0;
}

static inline void wire_put_endpoint(struct sw_writer *w, const struct sw_endpoint *e)
{
	sw_put_bytes(w, e->addr, sizeof(e->addr));
	sw_put_u16(w, e->port);
}

static inline void wire_get_endpoint(struct sw_reader *r, struct sw_endpoint *e)
{
	const uint8_t *addr = sw_get_bytes(r, sizeof(e->addr));
	if (addr)
		memcpy(e->addr, addr, sizeof(e->addr));
	e->port = sw_get_u16(r);
}
