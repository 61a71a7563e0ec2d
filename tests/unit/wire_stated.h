/* The values that a section of a vector states, and a message made of them. What is missing or no
 * value fails the test. */
#pragma once

#include "sw_test.h"
#include "wire_vector_file.h"

static inline const char *text_of(const struct vector_section *s, const char *name)
{
	const char *text = vector_text(s, name, 0);
	if (text == NULL)
		SW_FAIL("%s has no field %s", s->type, name);
	return text ? text : "";
}

static inline uint64_t number_of(const struct vector_section *s, const char *name)
{
	const char *text = text_of(s, name);
	char *end;
	uint64_t value = strtoull(text, &end, 0);
	if (*text == '\0' || *end != '\0')
		SW_FAIL("%s: %s is no number: %s", s->type, name, text);
	return value;
}

static inline struct dot dot_of(const struct vector_section *s, const char *name, unsigned i)
{
	struct dot dot = {0};
	unsigned long long id = 0, seq = 0;
	const char *text = vector_text(s, name, i);
	if (text == NULL || sscanf(text, "%llx %u %llu", &id, &dot.actor.epoch, &seq) != 3)
		SW_FAIL("%s: %s is no dot", s->type, name);
	dot.actor.id = id;
	dot.seq = seq;
	return dot;
}

static inline struct sw_endpoint endpoint_of(const struct vector_section *s, const char *name)
{
	struct sw_endpoint e = {0};
	if (sw_endpoint_parse(text_of(s, name), 0, &e) != 0)
		SW_FAIL("%s: %s is no endpoint", s->type, name);
	return e;
}

static inline unsigned bytes_of(
	const struct vector_section *s, const char *name, uint8_t *bytes, size_t cap)
{
	int n = vector_hex(text_of(s, name), bytes, cap);
	if (n < 0)
		SW_FAIL("%s: %s is no hexadecimal", s->type, name);
	return n < 0 ? 0 : (unsigned)n;
}

static inline void member_of(const struct vector_section *s, struct wire_member *m)
{
	m->actor.id = number_of(s, "id");
	m->actor.epoch = (uint32_t)number_of(s, "epoch");
	m->instance = number_of(s, "instance");
	m->incarnation = (uint32_t)number_of(s, "incarnation");
	m->state = (uint8_t)number_of(s, "state");
	m->flags = (uint8_t)number_of(s, "member_flags");
	m->weight = (uint16_t)number_of(s, "weight");
	m->at = endpoint_of(s, "at");
	m->accuser_id = number_of(s, "accuser_id");
	snprintf(m->name, sizeof(m->name), "%s", text_of(s, "name"));
	snprintf(m->zone, sizeof(m->zone), "%s", text_of(s, "zone"));
}

static inline void record_of(const struct vector_section *s, struct any_message *any)
{
	struct wire_record *m = &any->record;
	m->flags = number_of(s, "tombstone") ? WIRE_RECORD_TOMBSTONE : 0;
	m->flags |= number_of(s, "adopted") ? WIRE_RECORD_ADOPTED : 0;
	m->clock = number_of(s, "clock");
	m->author = dot_of(s, "author", 0);
	m->dot = dot_of(s, "dot", 0);
	if (vector_text(s, "previous", 0)) {
		m->flags |= WIRE_RECORD_PREVIOUS;
		m->previous = dot_of(s, "previous", 0);
	}
	m->written_ms = number_of(s, "written_ms");
	m->key_len = (uint8_t)bytes_of(s, "key_hex", any->key, sizeof(any->key));
	m->value_len = (uint16_t)bytes_of(s, "value_hex", any->value, sizeof(any->value));
	m->key = any->key;
	m->value = any->value;
}

static inline void session_of(const struct vector_section *s, struct any_message *m)
{
	uint64_t nonce = number_of(s, "nonce");
	if (m->type == WIRE_VERSION_REQ) {
		m->version_req.nonce = nonce;
		uint64_t flags = number_of(s, "flags");
		m->version_req.first_session = (flags & 1) != 0;
		m->version_req.reconcile = (flags & 2) != 0;
		m->version_req.report = (flags & 4) != 0;
		m->version_req.repair = (flags & 8) != 0;
		m->version_req.part = (uint8_t)number_of(s, "part");
		m->version_req.parts = (uint8_t)number_of(s, "parts");
	} else if (m->type == WIRE_SESSION_DATA) {
		m->session_data.nonce = nonce;
		m->session_data.snapshot = (uint32_t)number_of(s, "snapshot");
		m->session_data.index = (uint32_t)number_of(s, "index");
		m->session_data.packets = (uint32_t)number_of(s, "packets");
		m->session_data.heads = (uint16_t)number_of(s, "heads");
	} else if (m->type == WIRE_SESSION_GET) {
		m->session_get.nonce = nonce;
		m->session_get.snapshot = (uint32_t)number_of(s, "snapshot");
		m->session_get.first = (uint32_t)number_of(s, "first");
		m->session_get.wanted[0] = number_of(s, "wanted_0");
		m->session_get.wanted[1] = number_of(s, "wanted_1");
	} else if (m->type == WIRE_SESSION_DONE) {
		m->session_done = nonce;
	} else {
		m->session_refuse.nonce = nonce;
		m->session_refuse.reason = (uint8_t)number_of(s, "reason");
	}
}

static inline void vector_of(const struct vector_section *s, struct any_message *m)
{
	while (m->vector.count < ANY_VECTOR_MAX && vector_text(s, "entry", m->vector.count)) {
		struct dot dot = dot_of(s, "entry", m->vector.count);
		m->vector.entries[m->vector.count++] = (struct vv_entry){dot.actor, dot.seq};
	}
	SW_EXPECT_EQ(m->vector.count, s->count);
}

static inline enum wire_type type_of(const char *name)
{
	static const char *const names[ANY_TYPES] = {"PING", "ACK", "NACK", "PING_REQ", "MEMBER",
		"JOIN", "JOIN_ACK", "TABLE_REQ", "TABLE", "RECORD", "VERSION_REQ", "VECTOR",
		"SESSION_DATA", "SESSION_GET", "SESSION_DONE", "SESSION_REFUSE", "COLLECTED",
		"RELAY", "BUCKETS", "SIZE_PROBE", "SIZE_ACK"};
	for (unsigned i = 0; i < ANY_TYPES; i++)
		if (strcmp(names[i], name) == 0)
			return any_types[i];
	return (enum wire_type)0;
}

static inline void message_of(const struct vector_section *s, struct any_message *m)
{
	memset(m, 0, sizeof(*m));
	m->type = type_of(s->type);
	switch (m->type) {
	case WIRE_PING:
	case WIRE_ACK:
		m->probe.seq = (uint32_t)number_of(s, "seq");
		m->probe.table_digest = number_of(s, "table_digest");
		m->probe.vector_hash = number_of(s, "vector_hash");
		m->probe.content_hash = number_of(s, "content_hash");
		break;
	case WIRE_NACK: m->nack = (uint32_t)number_of(s, "seq"); break;
	case WIRE_PING_REQ:
		m->ping_req.seq = (uint32_t)number_of(s, "seq");
		m->ping_req.target_id = number_of(s, "target_id");
		m->ping_req.target = endpoint_of(s, "target");
		break;
	case WIRE_MEMBER:
	case WIRE_JOIN: member_of(s, &m->member); break;
	case WIRE_JOIN_ACK:
		m->join_ack.epoch_seen = (uint32_t)number_of(s, "epoch_seen");
		m->join_ack.instance_seen = number_of(s, "instance_seen");
		m->join_ack.asker_instance = number_of(s, "asker_instance");
		break;
	case WIRE_TABLE_REQ: break;
	case WIRE_TABLE:
		m->table.page = (uint8_t)number_of(s, "page");
		m->table.pages = (uint8_t)number_of(s, "pages");
		break;
	case WIRE_RECORD: record_of(s, m); break;
	case WIRE_VECTOR:
	case WIRE_COLLECTED: vector_of(s, m); break;
	case WIRE_RELAY: m->relay_hops = (uint8_t)number_of(s, "hops"); break;
	case WIRE_BUCKETS:
		for (unsigned i = 0; i < WIRE_BUCKETS_COUNT; i++)
			m->buckets[i] = strtoull(vector_text(s, "sum", i), NULL, 0);
		break;
	case WIRE_SIZE_PROBE:
		m->size_probe.seq = (uint32_t)number_of(s, "seq");
		m->size_probe.size_max = (uint16_t)number_of(s, "size_max");
		break;
	case WIRE_SIZE_ACK:
		m->size_ack.seq = (uint32_t)number_of(s, "seq");
		m->size_ack.size = (uint16_t)number_of(s, "size");
		m->size_ack.size_max = (uint16_t)number_of(s, "size_max");
		break;
	case WIRE_VERSION_REQ:
	case WIRE_SESSION_DATA:
	case WIRE_SESSION_GET:
	case WIRE_SESSION_DONE:
	case WIRE_SESSION_REFUSE: session_of(s, m); break;
	}
}
