#include "wire/fields.h"

#include <assert.h>

enum {
	VERSION_REQ_LEN = 8 + 1 + 1 + 1,
	SESSION_GET_LEN = 8 + 4 + 4 + WIRE_SESSION_WINDOW / 8,
	SESSION_DONE_LEN = 8,
	SESSION_REFUSE_LEN = 8 + 1,
	WANTED_WORDS = WIRE_SESSION_WINDOW / 64,
	VERSION_REQ_FIRST_SESSION = 1,
	VERSION_REQ_RECONCILE = 2,
	VERSION_REQ_REPORT = 4,
	VERSION_REQ_REPAIR = 8,
	RELAY_LEN = 1,
};

_Static_assert(WIRE_SESSION_WINDOW % 64 == 0, "the window is whole words");

void wire_put_version_req(struct sw_writer *w, const struct wire_version_req *m)
{
	assert(m->part < m->parts);
	if (!wire_begin(w, WIRE_VERSION_REQ, VERSION_REQ_LEN))
		return;
	sw_put_u64(w, m->nonce);
	sw_put_u8(w, (uint8_t)((m->first_session ? VERSION_REQ_FIRST_SESSION : 0) |
			       (m->reconcile ? VERSION_REQ_RECONCILE : 0) |
			       (m->report ? VERSION_REQ_REPORT : 0) |
			       (m->repair ? VERSION_REQ_REPAIR : 0)));
	sw_put_u8(w, m->part);
	sw_put_u8(w, m->parts);
}

bool wire_get_version_req(struct sw_reader *r, struct wire_version_req *m)
{
	m->nonce = sw_get_u64(r);
	uint8_t flags = sw_get_u8(r);
	m->first_session = (flags & VERSION_REQ_FIRST_SESSION) != 0;
	m->reconcile = (flags & VERSION_REQ_RECONCILE) != 0;
	m->report = (flags & VERSION_REQ_REPORT) != 0;
	m->repair = (flags & VERSION_REQ_REPAIR) != 0;
	m->part = sw_get_u8(r);
	m->parts = sw_get_u8(r);
	return !r->failed && m->part < m->parts;
}

void wire_put_session_data(struct sw_writer *w, const struct wire_session_data *m)
{
	assert(m->index < m->packets && m->heads > 0 && m->heads <= m->packets);
	if (!wire_begin(w, WIRE_SESSION_DATA, WIRE_SESSION_DATA_LEN))
		return;
	sw_put_u64(w, m->nonce);
	sw_put_u32(w, m->snapshot);
	sw_put_u32(w, m->index);
	sw_put_u32(w, m->packets);
	sw_put_u16(w, m->heads);
}

bool wire_get_session_data(struct sw_reader *r, struct wire_session_data *m)
{
	m->nonce = sw_get_u64(r);
	m->snapshot = sw_get_u32(r);
	m->index = sw_get_u32(r);
	m->packets = sw_get_u32(r);
	m->heads = sw_get_u16(r);
	return !r->failed && m->index < m->packets && m->heads > 0 && m->heads <= m->packets;
}

/* So that first + i is a 32-bit number for every i of the window. */
static bool session_get_is_valid(const struct wire_session_get *m)
{
	return m->first <= UINT32_MAX - WIRE_SESSION_WINDOW;
}

void wire_put_session_get(struct sw_writer *w, const struct wire_session_get *m)
{
	assert(session_get_is_valid(m));
	if (!wire_begin(w, WIRE_SESSION_GET, SESSION_GET_LEN))
		return;
	sw_put_u64(w, m->nonce);
	sw_put_u32(w, m->snapshot);
	sw_put_u32(w, m->first);
	for (unsigned i = 0; i < WANTED_WORDS; i++)
		sw_put_u64(w, m->wanted[i]);
}

bool wire_get_session_get(struct sw_reader *r, struct wire_session_get *m)
{
	m->nonce = sw_get_u64(r);
	m->snapshot = sw_get_u32(r);
	m->first = sw_get_u32(r);
	for (unsigned i = 0; i < WANTED_WORDS; i++)
		m->wanted[i] = sw_get_u64(r);
	return !r->failed && session_get_is_valid(m);
}

void wire_put_session_done(struct sw_writer *w, uint64_t nonce)
{
	if (wire_begin(w, WIRE_SESSION_DONE, SESSION_DONE_LEN))
		sw_put_u64(w, nonce);
}

bool wire_get_session_done(struct sw_reader *r, uint64_t *nonce)
{
	*nonce = sw_get_u64(r);
	return !r->failed;
}

void wire_put_session_refuse(struct sw_writer *w, const struct wire_session_refuse *m)
{
	assert(m->reason != 0);
	if (!wire_begin(w, WIRE_SESSION_REFUSE, SESSION_REFUSE_LEN))
		return;
	sw_put_u64(w, m->nonce);
	sw_put_u8(w, m->reason);
}

bool wire_get_session_refuse(struct sw_reader *r, struct wire_session_refuse *m)
{
	m->nonce = sw_get_u64(r);
	m->reason = sw_get_u8(r);
	return !r->failed && m->reason != 0;
}

void wire_put_relay(struct sw_writer *w, uint8_t hops)
{
	if (wire_begin(w, WIRE_RELAY, RELAY_LEN))
		sw_put_u8(w, hops);
}

bool wire_get_relay(struct sw_reader *r, uint8_t *hops)
{
	*hops = sw_get_u8(r);
	return !r->failed;
}

void wire_put_buckets(struct sw_writer *w, const uint64_t sums[WIRE_BUCKETS_COUNT])
{
	if (!wire_begin(w, WIRE_BUCKETS, WIRE_BUCKETS_COUNT * sizeof(sums[0])))
		return;
	for (unsigned i = 0; i < WIRE_BUCKETS_COUNT; i++)
		sw_put_u64(w, sums[i]);
}

bool wire_get_buckets(struct sw_reader *r, uint64_t sums[WIRE_BUCKETS_COUNT])
{
	for (unsigned i = 0; i < WIRE_BUCKETS_COUNT; i++)
		sums[i] = sw_get_u64(r);
	return !r->failed;
}
