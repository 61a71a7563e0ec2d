/* A message of any type, so that one test can treat them all: draw, put, get, compare. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "wire/wire.h"

enum {
	ANY_VECTOR_MAX = (WIRE_MESSAGES_MAX - WIRE_MESSAGE_HEADER_LEN) / WIRE_VECTOR_ENTRY_LEN,
	ANY_TYPES = 21,
};

static const enum wire_type any_types[ANY_TYPES] = {
	WIRE_PING,
	WIRE_ACK,
	WIRE_NACK,
	WIRE_PING_REQ,
	WIRE_MEMBER,
	WIRE_JOIN,
	WIRE_JOIN_ACK,
	WIRE_TABLE_REQ,
	WIRE_TABLE,
	WIRE_RECORD,
	WIRE_VERSION_REQ,
	WIRE_VECTOR,
	WIRE_SESSION_DATA,
	WIRE_SESSION_GET,
	WIRE_SESSION_DONE,
	WIRE_SESSION_REFUSE,
	WIRE_COLLECTED,
	WIRE_RELAY,
	WIRE_BUCKETS,
	WIRE_SIZE_PROBE,
	WIRE_SIZE_ACK,
};

struct any_message {
	enum wire_type type;
	union {
		struct wire_probe probe;
		uint32_t nack;
		struct wire_ping_req ping_req;
		struct wire_member member;
		struct wire_join_ack join_ack;
		struct wire_table table;
		struct wire_record record;
		struct wire_version_req version_req;
		struct {
			uint32_t count;
			struct vv_entry entries[ANY_VECTOR_MAX];
		} vector;
		struct wire_session_data session_data;
		struct wire_session_get session_get;
		uint64_t session_done;
		struct wire_session_refuse session_refuse;
		uint8_t relay_hops;
		struct wire_size_probe size_probe;
		struct wire_size_ack size_ack;
		uint64_t buckets[WIRE_BUCKETS_COUNT];
	};
	uint8_t key[SW_KEY_MAX]; /* what a drawn record points at */
	uint8_t value[WIRE_MESSAGES_MAX];
};

static inline void any_put(struct sw_writer *w, const struct any_message *m)
{
	switch (m->type) {
	case WIRE_PING:
	case WIRE_ACK: wire_put_probe(w, m->type, &m->probe); break;
	case WIRE_NACK: wire_put_nack(w, m->nack); break;
	case WIRE_PING_REQ: wire_put_ping_req(w, &m->ping_req); break;
	case WIRE_MEMBER:
	case WIRE_JOIN: wire_put_member(w, m->type, &m->member); break;
	case WIRE_JOIN_ACK: wire_put_join_ack(w, &m->join_ack); break;
	case WIRE_TABLE_REQ: wire_put_table_req(w); break;
	case WIRE_TABLE: wire_put_table(w, &m->table); break;
	case WIRE_RECORD: wire_put_record(w, &m->record); break;
	case WIRE_VERSION_REQ: wire_put_version_req(w, &m->version_req); break;
	case WIRE_VECTOR: wire_put_vector(w, m->vector.entries, m->vector.count); break;
	case WIRE_SESSION_DATA: wire_put_session_data(w, &m->session_data); break;
	case WIRE_SESSION_GET: wire_put_session_get(w, &m->session_get); break;
	case WIRE_SESSION_DONE: wire_put_session_done(w, m->session_done); break;
	case WIRE_SESSION_REFUSE: wire_put_session_refuse(w, &m->session_refuse); break;
	case WIRE_COLLECTED: wire_put_collected(w, m->vector.entries, m->vector.count); break;
	case WIRE_RELAY: wire_put_relay(w, m->relay_hops); break;
	case WIRE_BUCKETS: wire_put_buckets(w, m->buckets); break;
	case WIRE_SIZE_PROBE: wire_put_size_probe(w, &m->size_probe); break;
	case WIRE_SIZE_ACK: wire_put_size_ack(w, &m->size_ack); break;
	}
}

static inline bool any_get_vector(struct sw_reader *r, struct any_message *m)
{
	struct vv_entry entry;
	m->vector.count = 0;
	while (wire_next_vector_entry(r, &entry)) {
		if (m->vector.count == ANY_VECTOR_MAX)
			return false;
		m->vector.entries[m->vector.count++] = entry;
	}
	return !r->failed;
}

static inline bool any_get(uint8_t type, struct sw_reader *r, struct any_message *m)
{
	m->type = (enum wire_type)type;
	switch (m->type) {
	case WIRE_PING:
	case WIRE_ACK: return wire_get_probe(r, &m->probe);
	case WIRE_NACK: return wire_get_nack(r, &m->nack);
	case WIRE_PING_REQ: return wire_get_ping_req(r, &m->ping_req);
	case WIRE_MEMBER:
	case WIRE_JOIN: return wire_get_member(r, &m->member);
	case WIRE_JOIN_ACK: return wire_get_join_ack(r, &m->join_ack);
	case WIRE_TABLE_REQ: return true;
	case WIRE_TABLE: return wire_get_table(r, &m->table);
	case WIRE_RECORD: return wire_get_record(r, &m->record);
	case WIRE_VERSION_REQ: return wire_get_version_req(r, &m->version_req);
	case WIRE_VECTOR:
	case WIRE_COLLECTED: return any_get_vector(r, m);
	case WIRE_RELAY: return wire_get_relay(r, &m->relay_hops);
	case WIRE_BUCKETS: return wire_get_buckets(r, m->buckets);
	case WIRE_SIZE_PROBE: return wire_get_size_probe(r, &m->size_probe);
	case WIRE_SIZE_ACK: return wire_get_size_ack(r, &m->size_ack);
	case WIRE_SESSION_DATA: return wire_get_session_data(r, &m->session_data);
	case WIRE_SESSION_GET: return wire_get_session_get(r, &m->session_get);
	case WIRE_SESSION_DONE: return wire_get_session_done(r, &m->session_done);
	case WIRE_SESSION_REFUSE: return wire_get_session_refuse(r, &m->session_refuse);
	}
	return false;
}

static inline bool any_type_is_known(uint8_t type)
{
	for (unsigned i = 0; i < ANY_TYPES; i++)
		if (any_types[i] == type)
			return true;
	return false;
}

static inline bool any_member_equal(const struct wire_member *a, const struct wire_member *b)
{
	return actor_equal(a->actor, b->actor) && a->instance == b->instance &&
	       a->incarnation == b->incarnation && a->state == b->state && a->flags == b->flags &&
	       a->weight == b->weight && sw_endpoint_equal(&a->at, &b->at) &&
	       a->accuser_id == b->accuser_id && memcmp(a->name, b->name, sizeof(a->name)) == 0 &&
	       memcmp(a->zone, b->zone, sizeof(a->zone)) == 0;
}

static inline bool any_record_equal(const struct wire_record *a, const struct wire_record *b)
{
	return a->flags == b->flags && a->key_len == b->key_len && a->value_len == b->value_len &&
	       a->clock == b->clock && dot_equal(a->author, b->author) &&
	       dot_equal(a->dot, b->dot) && dot_equal(a->previous, b->previous) &&
	       a->written_ms == b->written_ms && memcmp(a->key, b->key, a->key_len) == 0 &&
	       (a->value_len == 0 || memcmp(a->value, b->value, a->value_len) == 0);
}

static inline bool any_vector_equal(const struct any_message *a, const struct any_message *b)
{
	if (a->vector.count != b->vector.count)
		return false;
	for (uint32_t i = 0; i < a->vector.count; i++)
		if (!actor_equal(a->vector.entries[i].actor, b->vector.entries[i].actor) ||
			a->vector.entries[i].seq != b->vector.entries[i].seq)
			return false;
	return true;
}

static inline bool any_probe_equal(const struct wire_probe *a, const struct wire_probe *b)
{
	return a->seq == b->seq && a->table_digest == b->table_digest &&
	       a->vector_hash == b->vector_hash && a->content_hash == b->content_hash;
}

static inline bool any_session_equal(const struct any_message *a, const struct any_message *b)
{
	if (a->type == WIRE_SESSION_DATA)
		return a->session_data.nonce == b->session_data.nonce &&
		       a->session_data.snapshot == b->session_data.snapshot &&
		       a->session_data.index == b->session_data.index &&
		       a->session_data.packets == b->session_data.packets &&
		       a->session_data.heads == b->session_data.heads;
	if (a->type == WIRE_SESSION_GET)
		return a->session_get.nonce == b->session_get.nonce &&
		       a->session_get.snapshot == b->session_get.snapshot &&
		       a->session_get.first == b->session_get.first &&
		       a->session_get.wanted[0] == b->session_get.wanted[0] &&
		       a->session_get.wanted[1] == b->session_get.wanted[1];
	if (a->type == WIRE_SESSION_DONE)
		return a->session_done == b->session_done;
	return a->session_refuse.nonce == b->session_refuse.nonce &&
	       a->session_refuse.reason == b->session_refuse.reason;
}

static inline bool any_equal(const struct any_message *a, const struct any_message *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case WIRE_PING:
	case WIRE_ACK: return any_probe_equal(&a->probe, &b->probe);
	case WIRE_NACK: return a->nack == b->nack;
	case WIRE_PING_REQ:
		return a->ping_req.seq == b->ping_req.seq &&
		       a->ping_req.target_id == b->ping_req.target_id &&
		       sw_endpoint_equal(&a->ping_req.target, &b->ping_req.target);
	case WIRE_MEMBER:
	case WIRE_JOIN: return any_member_equal(&a->member, &b->member);
	case WIRE_JOIN_ACK:
		return a->join_ack.epoch_seen == b->join_ack.epoch_seen &&
		       a->join_ack.instance_seen == b->join_ack.instance_seen &&
		       a->join_ack.asker_instance == b->join_ack.asker_instance;
	case WIRE_TABLE_REQ: return true;
	case WIRE_TABLE: return a->table.page == b->table.page && a->table.pages == b->table.pages;
	case WIRE_RECORD: return any_record_equal(&a->record, &b->record);
	case WIRE_VERSION_REQ:
		return a->version_req.nonce == b->version_req.nonce &&
		       a->version_req.first_session == b->version_req.first_session &&
		       a->version_req.reconcile == b->version_req.reconcile &&
		       a->version_req.report == b->version_req.report &&
		       a->version_req.repair == b->version_req.repair &&
		       a->version_req.part == b->version_req.part &&
		       a->version_req.parts == b->version_req.parts;
	case WIRE_VECTOR:
	case WIRE_COLLECTED: return any_vector_equal(a, b);
	case WIRE_RELAY: return a->relay_hops == b->relay_hops;
	case WIRE_BUCKETS: return memcmp(a->buckets, b->buckets, sizeof(a->buckets)) == 0;
	case WIRE_SIZE_PROBE:
		return a->size_probe.seq == b->size_probe.seq &&
		       a->size_probe.size_max == b->size_probe.size_max;
	case WIRE_SIZE_ACK:
		return a->size_ack.seq == b->size_ack.seq && a->size_ack.size == b->size_ack.size &&
		       a->size_ack.size_max == b->size_ack.size_max;
	case WIRE_SESSION_DATA:
	case WIRE_SESSION_GET:
	case WIRE_SESSION_DONE:
	case WIRE_SESSION_REFUSE: return any_session_equal(a, b);
	}
	return false;
}
