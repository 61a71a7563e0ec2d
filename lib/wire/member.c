#include "wire/fields.h"

#include <assert.h>
#include <string.h>

enum {
	MEMBER_FIXED_LEN = WIRE_ACTOR_LEN + 8 + 4 + 1 + 1 + 2 + WIRE_ENDPOINT_LEN + 8 + 1 + 1,
	JOIN_ACK_LEN = 4 + 8 + 8,
	TABLE_LEN = 1 + 1,
};

enum {
	MEMBER_LEN_MAX = (int)WIRE_MESSAGE_HEADER_LEN + MEMBER_FIXED_LEN + (int)SW_NAME_MAX +
			 (int)SW_ZONE_MAX
};

_Static_assert(MEMBER_LEN_MAX <= (int)WIRE_MESSAGES_MAX, "any member fits into a packet");

/* Names are shown on terminals and in logs: nothing in them may move a cursor or end a line. */
static bool text_is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

static bool member_is_valid(const struct wire_member *m, size_t name_len, size_t zone_len)
{
	return wire_actor_is_valid(m->actor) && m->at.port != 0 && m->state <= WIRE_FORGOTTEN &&
	       m->weight != 0 && m->weight <= SW_WEIGHT_MAX && name_len != 0 &&
	       name_len <= SW_NAME_MAX && zone_len <= SW_ZONE_MAX &&
	       text_is_printable(m->name, name_len) && text_is_printable(m->zone, zone_len);
}

size_t wire_member_len(const struct wire_member *m)
{
	return WIRE_MESSAGE_HEADER_LEN + MEMBER_FIXED_LEN + strnlen(m->name, sizeof(m->name)) +
	       strnlen(m->zone, sizeof(m->zone));
}

void wire_put_member(struct sw_writer *w, enum wire_type type, const struct wire_member *m)
{
	assert(type == WIRE_MEMBER || type == WIRE_JOIN);
	size_t name_len = strnlen(m->name, sizeof(m->name));
	size_t zone_len = strnlen(m->zone, sizeof(m->zone));
	assert(member_is_valid(m, name_len, zone_len));
	if (!wire_begin(w, type, MEMBER_FIXED_LEN + name_len + zone_len))
		return;
	wire_put_actor(w, m->actor);
	sw_put_u64(w, m->instance);
	sw_put_u32(w, m->incarnation);
	sw_put_u8(w, m->state);
	sw_put_u8(w, m->flags);
	sw_put_u16(w, m->weight);
	wire_put_endpoint(w, &m->at);
	sw_put_u64(w, m->accuser_id);
	sw_put_u8(w, (uint8_t)name_len);
	sw_put_u8(w, (uint8_t)zone_len);
	sw_put_bytes(w, m->name, name_len);
	sw_put_bytes(w, m->zone, zone_len);
}

bool wire_get_member(struct sw_reader *r, struct wire_member *m)
{
	memset(m, 0, sizeof(*m));
	m->actor = wire_get_actor(r);
	m->instance = sw_get_u64(r);
	m->incarnation = sw_get_u32(r);
	m->state = sw_get_u8(r);
	m->flags = sw_get_u8(r);
	m->weight = sw_get_u16(r);
	wire_get_endpoint(r, &m->at);
	m->accuser_id = sw_get_u64(r);
	size_t name_len = sw_get_u8(r);
	size_t zone_len = sw_get_u8(r);
	const uint8_t *name = sw_get_bytes(r, name_len);
	const uint8_t *zone = sw_get_bytes(r, zone_len);
	if (r->failed || name_len > SW_NAME_MAX || zone_len > SW_ZONE_MAX)
		return false;
	memcpy(m->name, name, name_len);
	memcpy(m->zone, zone, zone_len);
	return member_is_valid(m, name_len, zone_len);
}

void wire_put_join_ack(struct sw_writer *w, const struct wire_join_ack *m)
{
	if (!wire_begin(w, WIRE_JOIN_ACK, JOIN_ACK_LEN))
		return;
	sw_put_u32(w, m->epoch_seen);
	sw_put_u64(w, m->instance_seen);
	sw_put_u64(w, m->asker_instance);
}

bool wire_get_join_ack(struct sw_reader *r, struct wire_join_ack *m)
{
	m->epoch_seen = sw_get_u32(r);
	m->instance_seen = sw_get_u64(r);
	m->asker_instance = sw_get_u64(r);
	return !r->failed;
}

void wire_put_table_req(struct sw_writer *w)
{
	wire_begin(w, WIRE_TABLE_REQ, 0);
}

void wire_put_table(struct sw_writer *w, const struct wire_table *m)
{
	assert(m->page < m->pages);
	if (!wire_begin(w, WIRE_TABLE, TABLE_LEN))
		return;
	sw_put_u8(w, m->page);
	sw_put_u8(w, m->pages);
}

bool wire_get_table(struct sw_reader *r, struct wire_table *m)
{
	m->page = sw_get_u8(r);
	m->pages = sw_get_u8(r);
	return !r->failed && m->page < m->pages;
}
