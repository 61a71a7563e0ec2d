#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prefetch.h"
#include "base/random.h"
#include "pages.h"

void key_write(uint8_t key[KEY_LEN], uint32_t number)
{
	char text[KEY_LEN + 1];
	(void)snprintf(text, sizeof(text), "health/%09u", number % 1000000000);
	memcpy(key, text, KEY_LEN);
}

static uint32_t *shuffled(uint32_t n, uint64_t seed)
{
	struct sw_random random = sw_random_seed(seed);
	uint32_t *order = pages_or_die(n * sizeof(order[0]));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = (uint32_t)sw_random_below(&random, i + 1);
		order[i] = order[k];
		order[k] = i;
	}
	return order;
}

static void finish(
	struct stream *s, uint8_t *packet, const struct sw_writer *messages, uint64_t seq)
{
	struct sw_writer w = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_PRELUDE_LEN);
	struct wire_prelude prelude = {.last_seq = seq};
	struct wire_header header = {
		.body_len = (uint16_t)(messages->at - packet - WIRE_HEADER_LEN),
		.cluster = CLUSTER,
		.sender = {WRITER_ID, 1},
		.instance = 7,
		.counter = seq,
	};
	wire_put_prelude(&w, &prelude);
	s->lens[s->packets++] = (uint16_t)wire_finish_clear(packet, &header);
}

void stream_make(
	struct stream *s, uint32_t records, uint64_t clock, uint64_t first_seq, uint64_t seed)
{
	uint8_t key[KEY_LEN], value[VALUE_LEN];
	struct wire_record r = {.key_len = KEY_LEN,
		.value_len = VALUE_LEN,
		.clock = clock,
		.author = {{WRITER_ID, 1}, first_seq},
		.written_ms = 1700000000000,
		.key = key,
		.value = value};
	r.dot = r.author;
	uint32_t a_packet = WIRE_MESSAGES_MAX / (uint32_t)wire_record_len(&r);
	uint32_t packets = (records + a_packet - 1) / a_packet;
	uint32_t *order = shuffled(records, seed);
	*s = (struct stream){.records = records, .record_len = (uint32_t)wire_record_len(&r)};
	s->bytes = pages_or_die((uint64_t)packets * PACKET_STRIDE);
	s->lens = pages_or_die(packets * sizeof(s->lens[0]));
	for (uint32_t i = 0; i < records;) {
		uint8_t *packet = s->bytes + (uint64_t)s->packets * PACKET_STRIDE;
		struct sw_writer w = sw_writer_init(
			packet + WIRE_HEADER_LEN + WIRE_PRELUDE_LEN, WIRE_MESSAGES_MAX);
		for (uint32_t n = 0; n < a_packet && i < records; n++, i++) {
			key_write(key, order[i]);
			memset(value, (int)(order[i] + clock), sizeof(value));
			r.author.seq = r.dot.seq = first_seq + i;
			wire_put_record(&w, &r);
		}
		finish(s, packet, &w, first_seq + i - 1);
	}
	pages_free(order, records * sizeof(order[0]));
}

void stream_fetch(const struct stream *s, uint32_t packet)
{
	for (uint32_t at = 0; at < s->lens[packet]; at += 64)
		sw_prefetch(stream_packet(s, packet) + at);
}

void stream_free(struct stream *s)
{
	uint32_t packets = s->packets;
	pages_free(s->bytes, (uint64_t)packets * PACKET_STRIDE);
	pages_free(s->lens, packets * sizeof(s->lens[0]));
	*s = (struct stream){0};
}
