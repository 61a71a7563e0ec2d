#include "wire/fields.h"

#include <assert.h>
#include <string.h>

enum {
	PROBE_LEN = 4 + 3 * 8,
	NACK_LEN = 4,
	PING_REQ_LEN = 4 + 8 + WIRE_ENDPOINT_LEN,
	SIZE_PROBE_LEN = 4 + 2,
	SIZE_ACK_LEN = 4 + 2 + 2,
	PADDING = 0,
};

void wire_put_probe(struct sw_writer *w, enum wire_type type, const struct wire_probe *m)
{
	assert(type == WIRE_PING || type == WIRE_ACK);
	if (!wire_begin(w, type, PROBE_LEN))
		return;
	sw_put_u32(w, m->seq);
	sw_put_u64(w, m->table_digest);
	sw_put_u64(w, m->vector_hash);
	sw_put_u64(w, m->content_hash);
}

bool wire_get_probe(struct sw_reader *r, struct wire_probe *m)
{
	m->seq = sw_get_u32(r);
	m->table_digest = sw_get_u64(r);
	m->vector_hash = sw_get_u64(r);
	m->content_hash = sw_get_u64(r);
	return !r->failed;
}

void wire_put_nack(struct sw_writer *w, uint32_t seq)
{
	if (wire_begin(w, WIRE_NACK, NACK_LEN))
		sw_put_u32(w, seq);
}

bool wire_get_nack(struct sw_reader *r, uint32_t *seq)
{
	*seq = sw_get_u32(r);
	return !r->failed;
}

static bool ping_req_is_valid(const struct wire_ping_req *m)
{
	return wire_server_id_is_valid(m->target_id) && m->target.port != 0;
}

void wire_put_ping_req(struct sw_writer *w, const struct wire_ping_req *m)
{
	assert(ping_req_is_valid(m));
	if (!wire_begin(w, WIRE_PING_REQ, PING_REQ_LEN))
		return;
	sw_put_u32(w, m->seq);
	sw_put_u64(w, m->target_id);
	wire_put_endpoint(w, &m->target);
}

bool wire_get_ping_req(struct sw_reader *r, struct wire_ping_req *m)
{
	m->seq = sw_get_u32(r);
	m->target_id = sw_get_u64(r);
	wire_get_endpoint(r, &m->target);
	return !r->failed && ping_req_is_valid(m);
}

void wire_put_size_probe(struct sw_writer *w, const struct wire_size_probe *m)
{
	assert(m->size_max >= WIRE_PACKET_MAX);
	if (!wire_begin(w, WIRE_SIZE_PROBE, SIZE_PROBE_LEN))
		return;
	sw_put_u32(w, m->seq);
	sw_put_u16(w, m->size_max);
}

bool wire_get_size_probe(struct sw_reader *r, struct wire_size_probe *m)
{
	m->seq = sw_get_u32(r);
	m->size_max = sw_get_u16(r);
	return !r->failed && m->size_max >= WIRE_PACKET_MAX;
}

void wire_put_size_ack(struct sw_writer *w, const struct wire_size_ack *m)
{
	assert(m->size_max >= WIRE_PACKET_MAX);
	if (!wire_begin(w, WIRE_SIZE_ACK, SIZE_ACK_LEN))
		return;
	sw_put_u32(w, m->seq);
	sw_put_u16(w, m->size);
	sw_put_u16(w, m->size_max);
}

bool wire_get_size_ack(struct sw_reader *r, struct wire_size_ack *m)
{
	m->seq = sw_get_u32(r);
	m->size = sw_get_u16(r);
	m->size_max = sw_get_u16(r);
	return !r->failed && m->size_max >= WIRE_PACKET_MAX;
}

void wire_put_padding(struct sw_writer *w, size_t len)
{
	assert(len >= WIRE_MESSAGE_HEADER_LEN && len <= WIRE_BODY_JUMBO_MAX);
	if (!wire_begin(w, (enum wire_type)PADDING, (uint16_t)(len - WIRE_MESSAGE_HEADER_LEN)))
		return;
	memset(w->at, 0, len - WIRE_MESSAGE_HEADER_LEN);
	w->at += len - WIRE_MESSAGE_HEADER_LEN;
}
