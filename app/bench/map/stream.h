/* Records as they come from the network: encoded packets of one writer's pushes, made beforehand,
 * so that what is timed is the receiver alone.
 *
 * Key i is 16 bytes, its value VALUE_LEN bytes. One owner.
 */
#pragma once

#include <stdint.h>

#include "wire/wire.h"

enum {
	KEY_LEN = 16,
	VALUE_LEN = 100,
	WRITER_ID = 2,
	CLUSTER = 0x51000001,
	PACKET_STRIDE = (WIRE_PACKET_MAX + 63) / 64 * 64,
};

struct stream {
	uint8_t *bytes; /* of packet i: at i * PACKET_STRIDE */
	uint16_t *lens;
	uint32_t packets;
	uint32_t record_len; /* each with its message header; the value at its end, the key before
				it */
	uint32_t records;
};

void key_write(uint8_t key[KEY_LEN], uint32_t number);

/* Keys 0 … records - 1 in an order drawn from the seed, each under this clock, and under the
 * writer's seqs from first_seq on. */
void stream_make(
	struct stream *stream, uint32_t records, uint64_t clock, uint64_t first_seq, uint64_t seed);
void stream_free(struct stream *stream);

/* Brings a packet to the caches, as whoever takes bursts from a ring does. */
void stream_fetch(const struct stream *stream, uint32_t packet);

static inline const uint8_t *stream_packet(const struct stream *stream, uint32_t i)
{
	return stream->bytes + (uint64_t)i * PACKET_STRIDE;
}
