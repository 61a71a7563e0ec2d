#include "wire/fields.h"

#include <assert.h>

enum {
	RECORD_FIXED_LEN = 1 + 1 + 2 + 8 + WIRE_DOT_LEN + 8,
	RECORD_HEAD_MAX = (int)WIRE_MESSAGE_HEADER_LEN + RECORD_FIXED_LEN + 2 * WIRE_DOT_LEN,
	SESSION_ROOM = (int)WIRE_MESSAGES_MAX - WIRE_MESSAGE_HEADER_LEN - WIRE_SESSION_DATA_LEN,
	RECORD_FLAGS_KNOWN = WIRE_RECORD_TOMBSTONE | WIRE_RECORD_ADOPTED | WIRE_RECORD_PREVIOUS,
};

_Static_assert(RECORD_HEAD_MAX + (int)WIRE_RECORD_PAYLOAD_MAX <= SESSION_ROOM,
	"whoever takes a record can pass it on, adopted too");

/* A flag may add fields in front of the key: what an unknown one adds cannot be skipped. */
static bool record_is_valid(const struct wire_record *m)
{
	if ((m->flags & ~RECORD_FLAGS_KNOWN) != 0 || m->key_len == 0 || m->clock == 0)
		return false;
	if (m->key_len + m->value_len > WIRE_RECORD_PAYLOAD_MAX)
		return false;
	if ((m->flags & WIRE_RECORD_TOMBSTONE) && m->value_len != 0)
		return false;
	if ((m->flags & WIRE_RECORD_PREVIOUS) && !wire_dot_is_valid(m->previous))
		return false;
	return wire_dot_is_valid(m->author) && wire_dot_is_valid(m->dot);
}

static size_t payload_len(const struct wire_record *m)
{
	size_t len = RECORD_FIXED_LEN + m->key_len + m->value_len;
	if (m->flags & WIRE_RECORD_ADOPTED)
		len += WIRE_DOT_LEN;
	if (m->flags & WIRE_RECORD_PREVIOUS)
		len += WIRE_DOT_LEN;
	return len;
}

size_t wire_record_len(const struct wire_record *m)
{
	return WIRE_MESSAGE_HEADER_LEN + payload_len(m);
}

void wire_put_record(struct sw_writer *w, const struct wire_record *m)
{
	assert(record_is_valid(m));
	assert((m->flags & WIRE_RECORD_ADOPTED) || dot_equal(m->dot, m->author));
	if (!wire_begin(w, WIRE_RECORD, payload_len(m)))
		return;
	sw_put_u8(w, m->flags);
	sw_put_u8(w, m->key_len);
	sw_put_u16(w, m->value_len);
	sw_put_u64(w, m->clock);
	wire_put_dot(w, m->author);
	sw_put_u64(w, m->written_ms);
	if (m->flags & WIRE_RECORD_ADOPTED)
		wire_put_dot(w, m->dot);
	if (m->flags & WIRE_RECORD_PREVIOUS)
		wire_put_dot(w, m->previous);
	sw_put_bytes(w, m->key, m->key_len);
	sw_put_bytes(w, m->value, m->value_len);
}

static void load_dot(const uint8_t *p, struct dot *d)
{
	d->actor.id = sw_load_u64(p);
	d->actor.epoch = sw_load_u32(p + 8);
	d->seq = sw_load_u64(p + 12);
}

bool wire_get_record(struct sw_reader *r, struct wire_record *m)
{
	/* One check of the length for all that every record has: this is the keeper's inner loop.
	 */
	const uint8_t *fixed = sw_get_bytes(r, RECORD_FIXED_LEN);
	if (fixed == NULL)
		return false;
	m->flags = fixed[0];
	m->key_len = fixed[1];
	m->value_len = (uint16_t)(fixed[2] << 8 | fixed[3]);
	m->clock = sw_load_u64(fixed + 4);
	load_dot(fixed + 12, &m->author);
	m->written_ms = sw_load_u64(fixed + 32);
	if (m->flags & WIRE_RECORD_ADOPTED)
		m->dot = wire_get_dot(r);
	else
		load_dot(fixed + 12, &m->dot); /* a copy of m->author would wait for its stores */
	m->previous = (m->flags & WIRE_RECORD_PREVIOUS) ? wire_get_dot(r) : (struct dot){0};
	m->key = sw_get_bytes(r, m->key_len);
	m->value = sw_get_bytes(r, m->value_len);
	return !r->failed && record_is_valid(m);
}
