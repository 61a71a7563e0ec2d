/* What is said: each message once, known by its number. */
#include <stdlib.h>

#include "internal.h"

enum { INDEX_SIZE = 4 * SAID_MAX };

static struct said sayings[SAID_MAX];
static uint32_t said_count;
static uint16_t said_index[INDEX_SIZE]; /* by hash: number + 1 */

uint32_t cluster_said_count(void)
{
	return said_count;
}

uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	for (; len >= 8; at += 8, len -= 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		h = sw_mix64(h + word + 0x9e3779b97f4a7c15ULL);
	}
	uint64_t word = 0;
	memcpy(&word, at, len);
	return sw_mix64(h + word + len);
}

static void say(struct state *s, const struct said *said)
{
	uint32_t slot = (uint32_t)hash_bytes(0, said, sizeof(*said)) % INDEX_SIZE;
	while (said_index[slot] != 0 &&
		memcmp(&sayings[said_index[slot] - 1], said, sizeof(*said)) != 0)
		slot = (slot + 1) % INDEX_SIZE;
	if (said_index[slot] == 0) {
		if (said_count == SAID_MAX)
			abort(); /* a larger bound is needed */
		sayings[said_count++] = *said;
		said_index[slot] = (uint16_t)said_count;
	}
	uint32_t at = said_index[slot] - 1u;
	s->said[at / 64] |= 1ULL << (at % 64);
}

bool is_said(const struct state *s, uint32_t at)
{
	return s->said[at / 64] >> (at % 64) & 1;
}

/* All messages of a body that the server wrote. */
static void say_body(
	struct state *s, uint32_t from, const uint8_t *bytes, const struct sw_writer *w)
{
	struct sw_reader body = sw_reader_init(bytes, (size_t)(w->at - bytes));
	const struct wire_member *self = &cluster_machine(from)->members[SELF].record;
	struct wire_message m;
	bool table = false;
	while (wire_next(&body, &m)) {
		struct said said = {.from = (uint8_t)from,
			.from_epoch = (uint8_t)self->actor.epoch,
			.from_instance = (uint8_t)self->instance};
		struct wire_member record;
		table |= m.type == WIRE_TABLE;
		if (m.type != WIRE_MEMBER && m.type != WIRE_JOIN)
			continue;
		if (!wire_get_member(&m.payload, &record))
			abort();
		said.kind = m.type == WIRE_JOIN ? SAID_JOIN : table ? SAID_TABLE : SAID_GOSSIP;
		said.rec = rec_of(&record);
		say(s, &said);
	}
}

/* JOIN_ACK goes to one asker. */
static void say_join_ack(
	struct state *s, uint32_t from, uint32_t asker, const struct wire_join_ack *ack)
{
	const struct wire_member *self = &cluster_machine(from)->members[SELF].record;
	struct said said = {.kind = SAID_JOIN_ACK,
		.from = (uint8_t)from,
		.from_epoch = (uint8_t)self->actor.epoch,
		.from_instance = (uint8_t)self->instance,
		.asker_instance = (uint8_t)ack->asker_instance};
	said.rec = (struct rec){.server = (uint8_t)asker,
		.epoch = (uint8_t)ack->epoch_seen,
		.instance = (uint8_t)ack->instance_seen};
	say(s, &said);
}

void say_output(struct state *s, uint32_t from)
{
	struct swim *w = cluster_machine(from);
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_endpoint to;
	uint64_t to_id;
	struct sw_writer out = sw_writer_init(bytes, sizeof(bytes));
	while (swim_output(w, NOW_NS, &out, &to_id, &to)) {
		struct sw_reader body = sw_reader_init(bytes, (size_t)(out.at - bytes));
		struct wire_message m;
		struct wire_join_ack ack;
		for (uint32_t i = 0; i < SERVERS; i++) {
			struct sw_endpoint at = cluster_endpoint(i);
			struct sw_reader copy = body;
			while (sw_endpoint_equal(&at, &to) && wire_next(&copy, &m))
				if (m.type == WIRE_JOIN_ACK && wire_get_join_ack(&m.payload, &ack))
					say_join_ack(s, from, i, &ack);
		}
		say_body(s, from, bytes, &out);
		out = sw_writer_init(bytes, sizeof(bytes));
	}
}

/* What its probes, its answers and its table pages say to anybody who asks now. */
void say_answers(struct state *s, uint32_t from)
{
	struct swim *w = cluster_machine(from);
	uint8_t bytes[WIRE_MESSAGES_MAX];
	for (uint32_t i = 0; i < SERVERS; i++) {
		if (i == from)
			continue;
		struct sw_endpoint to = cluster_endpoint(i);
		struct sw_writer out = sw_writer_init(bytes, sizeof(bytes));
		swim_answer(w, NOW_NS, cluster_id(i), 1, &out);
		say_body(s, from, bytes, &out);
		struct wire_ping_req request = {1, cluster_id(i), to};
		probe_request(w, NOW_NS, cluster_id((i + 1) % SERVERS), &to, &request);
		if (w->phase == SWIM_RUNNING)
			table_send(w, cluster_id(i), &to);
	}
	say_output(s, from);
}

void deliver(uint32_t to, const struct said *said)
{
	struct swim *w = cluster_machine(to);
	struct wire_header h = {.sender = {cluster_id(said->from), said->from_epoch},
		.instance = said->from_instance};
	struct sw_endpoint from = cluster_endpoint(said->from);
	struct wire_member record = rec_member(&said->rec);
	struct wire_join_ack ack = {said->rec.epoch, said->rec.instance, said->asker_instance};
	struct wire_table table = {0, 1};
	struct wire_message m;
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer out = sw_writer_init(bytes, sizeof(bytes));
	if (said->kind == SAID_TABLE)
		wire_put_table(&out, &table);
	if (said->kind == SAID_JOIN_ACK)
		wire_put_join_ack(&out, &ack);
	else
		wire_put_member(&out, said->kind == SAID_JOIN ? WIRE_JOIN : WIRE_MEMBER, &record);
	struct sw_reader body = sw_reader_init(bytes, (size_t)(out.at - bytes));
	swim_packet_begin(w, NOW_NS, &h, &from);
	while (wire_next(&body, &m))
		swim_input(w, NOW_NS, &h, &from, &m);
}

const struct said *said_at(uint16_t what)
{
	return &sayings[what];
}

void said_clear(void)
{
	said_count = 0;
	memset(sayings, 0, sizeof(sayings));
	memset(said_index, 0, sizeof(said_index));
}
