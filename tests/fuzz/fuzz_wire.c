/* Any bytes as a packet: header, prelude and every message. What is taken is written again, read
 * again and compared; so decoders and encoders agree on what is in range, and what an encoder
 * asserts holds of whatever a decoder lets through. Seeds: tests/fuzz/wire-corpus. */
#include <stdlib.h>

#include "../unit/wire_any.h"
#include "wire/fields.h"

enum { CLUSTER = 0x4391ba71 }; /* of the vectors: "fleet-7" */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): must also hold in a build without assertions. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

/* A message that was taken, written and read again. Appends what was written to the new body. */
static void check_message(const struct any_message *m, struct sw_writer *body)
{
	static struct any_message again;
	static uint8_t first[WIRE_MESSAGE_HEADER_LEN + UINT16_MAX];
	static uint8_t second[sizeof(first)];
	struct sw_writer w = sw_writer_init(first, sizeof(first));
	any_put(&w, m);
	must(!w.failed);
	size_t len = (size_t)(w.at - first);

	struct sw_reader r = sw_reader_init(first, len);
	struct wire_message raw;
	must(wire_next(&r, &raw) && raw.type == m->type && raw.flags == 0);
	must(sw_reader_left(&r) == 0);
	must(any_get(raw.type, &raw.payload, &again) && any_equal(m, &again));
	must(sw_reader_left(&raw.payload) == 0 || m->type == WIRE_TABLE_REQ);

	w = sw_writer_init(second, sizeof(second));
	any_put(&w, &again);
	must(!w.failed && (size_t)(w.at - second) == len && memcmp(first, second, len) == 0);

	uint8_t *before = body->at;
	bool fits = sw_writer_left(body) >= len;
	any_put(body, m);
	must(body->failed == !fits && body->at == before + (fits ? len : 0));
	body->failed = false;
}

/* The body that was written anew, sent and opened. */
static void check_packet(uint8_t *packet, const struct sw_writer *body, struct wire_header h)
{
	h.body_len = (uint16_t)(body->at - (packet + WIRE_HEADER_LEN));
	size_t len = wire_finish_clear(packet, &h);
	struct wire_header got;
	struct sw_reader r;
	must(wire_open_clear(packet, len, CLUSTER, &got, &r) == WIRE_OK);
	must(got.lane == h.lane && actor_equal(got.sender, h.sender));
	must(got.instance == h.instance && got.counter == h.counter);
	must(r.at == packet + WIRE_HEADER_LEN && sw_reader_left(&r) == h.body_len);
}

static void check_body(struct sw_reader *body, const struct wire_header *h)
{
	static struct any_message m;
	static uint8_t packet[WIRE_JUMBO_MAX];
	struct wire_prelude prelude;
	struct wire_message raw;
	wire_get_prelude(body, &prelude);
	if (body->failed)
		return;
	struct sw_writer w = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_BODY_JUMBO_MAX);
	wire_put_prelude(&w, &prelude);
	while (wire_next(body, &raw)) {
		bool taken = any_get(raw.type, &raw.payload, &m);
		must(!taken || any_type_is_known(raw.type));
		if (taken)
			check_message(&m, &w);
	}
	check_packet(packet, &w, *h);
}

/* Makes a packet of any bytes that are long enough: few inputs would guess a checksum. */
static void check_repaired(const uint8_t *data, size_t size)
{
	if (size < WIRE_HEADER_LEN + WIRE_PRELUDE_LEN + WIRE_TAG_LEN || size > WIRE_JUMBO_MAX)
		return;
	uint8_t *copy = malloc(size);
	must(copy != NULL);
	memcpy(copy, data, size);
	struct sw_reader r = sw_reader_init(copy, WIRE_HEADER_LEN);
	struct wire_header h = {.cluster = CLUSTER};
	(void)sw_get_u32(&r);
	h.lane = sw_get_u8(&r) % SW_LANES_MAX;
	(void)sw_get_bytes(&r, 7);
	h.sender.id = sw_get_u64(&r) % WIRE_SERVER_ID_MAX + 1;
	h.sender.epoch = sw_get_u32(&r) | 1;
	h.instance = sw_get_u64(&r);
	h.counter = sw_get_u64(&r);
	h.body_len = (uint16_t)(size - WIRE_HEADER_LEN - WIRE_TAG_LEN);
	must(wire_finish_clear(copy, &h) == size);

	struct wire_header got;
	struct sw_reader body;
	must(wire_open_clear(copy, size, CLUSTER, &got, &body) == WIRE_OK);
	check_body(&body, &got);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_header h;
	struct sw_reader body;
	enum wire_error e = wire_open_clear(data, size, CLUSTER, &h, &body);
	must(e >= WIRE_OK && e < WIRE_ERR_COUNT);
	if (e == WIRE_OK)
		check_body(&body, &h);
	check_repaired(data, size);
	return 0;
}
