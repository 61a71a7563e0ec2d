#include "deltas.h"

#include <assert.h>
#include <string.h>

enum { RECORD_HEAD = WIRE_MESSAGE_HEADER_LEN + 40 };

uint16_t deltas_most(uint16_t value_len)
{
	uint32_t n = WIRE_MESSAGES_MAX / (RECORD_HEAD + DELTAS_KEY_LEN + value_len);
	return (uint16_t)(n < DELTAS_RECORDS_MAX ? n : DELTAS_RECORDS_MAX);
}

/* "bench/ppp/kk": as text, since people may list the map. */
static void put_key(uint8_t key[DELTAS_KEY_LEN], uint32_t peer, uint32_t number)
{
	static const char digits[] = "0123456789abcdef";
	memcpy(key, "bench/", 6);
	for (int i = 0; i < 3; i++)
		key[6 + i] = (uint8_t)digits[peer >> (4 * (2 - i)) & 15];
	key[9] = '/';
	for (int i = 0; i < 2; i++)
		key[10 + i] = (uint8_t)digits[number >> (4 * (1 - i)) & 15];
}

static uint16_t put_body(
	struct deltas *deltas, const struct peer *p, uint32_t peer, uint8_t *packet)
{
	static const uint8_t value[DELTAS_VALUE_MAX];
	uint8_t key[DELTAS_KEY_LEN];
	struct sw_writer w = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_BODY_MAX);
	struct wire_prelude prelude = {.last_seq = deltas->seqs[peer] + deltas->records};
	wire_put_prelude(&w, &prelude);
	for (uint16_t i = 0; i < deltas->records; i++) {
		uint64_t seq = ++deltas->seqs[peer];
		struct dot dot = {p->actor, seq};
		put_key(key, peer, (uint32_t)(seq % DELTAS_KEYS));
		struct wire_record r = {.key_len = DELTAS_KEY_LEN,
			.value_len = deltas->value_len,
			.clock = 1 + seq / DELTAS_KEYS,
			.author = dot,
			.dot = dot,
			.key = key,
			.value = value};
		wire_put_record(&w, &r);
	}
	assert(!w.failed);
	return (uint16_t)(w.at - packet - WIRE_HEADER_LEN);
}

void deltas_fill(struct deltas *deltas, struct identity *identity, struct rte_mbuf **mbufs,
	uint32_t first, uint32_t count)
{
	uint16_t lens[SEAL_BURST];
	for (uint32_t i = 0; i < count; i++) {
		uint32_t peer = (first + i) % identity->count;
		uint8_t *packet = rte_pktmbuf_mtod_offset(mbufs[i], uint8_t *, FRAME_HEADERS_IPV4);
		lens[i] = put_body(deltas, &identity->peers[peer], peer, packet);
	}
	identity_finish(identity, mbufs, first, lens, count);
}
