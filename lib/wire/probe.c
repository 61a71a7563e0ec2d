#include "wire/fields.h"

#include <assert.h>

enum {
	PROBE_LEN = 4 + 3 * 8,
	NACK_LEN = 4,
	PING_REQ_LEN = 4 + 8 + WIRE_ENDPOINT_LEN,
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
