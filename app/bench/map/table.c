#include "table.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_hash_crc.h>
#include <rte_lcore.h>

enum { FETCH_AHEAD = 8 }; /* packets */

struct rte_hash *table_create(uint32_t records)
{
	static uint32_t number;
	char name[RTE_HASH_NAMESIZE];
	(void)snprintf(name, sizeof(name), "table%u", number++);
	struct rte_hash_parameters p = {
		.name = name,
		.entries = 2 * records,
		.key_len = KEY_LEN,
		.hash_func = rte_hash_crc,
		.socket_id = (int)rte_socket_id(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct rte_hash *table = rte_hash_create(&p);
	if (table == NULL) {
		fprintf(stderr, "no memory for an rte_hash of %u\n", records);
		exit(1);
	}
	return table;
}

/* The key of each record is where the packet has it: decoding a whole record is the map's work. */
void table_insert(
	struct rte_hash *table, const struct stream *stream, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		const uint8_t *at = stream_packet(stream, i) + WIRE_HEADER_LEN + WIRE_PRELUDE_LEN;
		const uint8_t *end = stream_packet(stream, i) + stream->lens[i] - WIRE_TAG_LEN;
		if (i + FETCH_AHEAD < first + count)
			stream_fetch(stream, i + FETCH_AHEAD);
		for (; at < end; at += stream->record_len) {
			const uint8_t *key = at + stream->record_len - VALUE_LEN - KEY_LEN;
			if (rte_hash_add_key_data(table, key, (void *)(uintptr_t)at) != 0) {
				fprintf(stderr, "rte_hash is full\n");
				exit(1);
			}
		}
	}
}
