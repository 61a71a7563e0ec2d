#include "delta.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "replica.h"

enum { ASKER_ID = 3 };

static const uint32_t sizes[DELTA_SIZES] = {10000, 100000, 1000000};

/* The newest records are overwrites, so that they lie anywhere in the table. */
static void make(struct replica *r, uint32_t records, uint64_t seed)
{
	struct stream all, newest;
	stream_make(&all, records, 1, 1, seed);
	stream_make(&newest, DELTA_RECORDS, 2, records + 1, seed + 1);
	replica_create(r, records, DELTA_RECORDS);
	replica_merge(r, &all, 0, all.packets);
	replica_merge(r, &newest, 0, newest.packets);
	replica_add_peer(r, ASKER_ID);
	stream_free(&all);
	stream_free(&newest);
}

static size_t request(uint8_t *bytes, size_t cap, uint64_t nonce, uint64_t seq)
{
	struct sw_writer w = sw_writer_init(bytes, cap);
	struct wire_version_req req = {.nonce = nonce, .parts = 1};
	struct vv_entry entry = {{WRITER_ID, 1}, seq};
	wire_put_version_req(&w, &req);
	wire_put_vector(&w, &entry, 1);
	return (size_t)(w.at - bytes);
}

static size_t done(uint8_t *bytes, size_t cap, uint64_t nonce)
{
	struct sw_writer w = sw_writer_init(bytes, cap);
	wire_put_session_done(&w, nonce);
	return (size_t)(w.at - bytes);
}

static uint32_t one_delta(struct replica *r, uint32_t records, uint64_t nonce, double *us)
{
	uint8_t ask[256], end[64];
	size_t ask_len = request(ask, sizeof(ask), nonce, records);
	size_t end_len = done(end, sizeof(end), nonce);
	uint64_t from_ns = clock_thread_ns();
	replica_input(r, ASKER_ID, ask, ask_len);
	uint32_t packets = replica_output(r, ASKER_ID);
	*us = (double)(clock_thread_ns() - from_ns) / 1e3;
	replica_input(r, ASKER_ID, end, end_len);
	return packets;
}

/* The three in turn. */
void delta_run(struct delta_result *result, uint32_t rounds, uint64_t seed)
{
	struct replica replicas[DELTA_SIZES];
	*result = (struct delta_result){.packets = 0};
	for (int i = 0; i < DELTA_SIZES; i++) {
		result->records[i] = sizes[i];
		make(&replicas[i], sizes[i], seed);
	}
	for (uint32_t round = 0; round < rounds; round++) {
		double us[DELTA_SIZES];
		for (int i = 0; i < DELTA_SIZES; i++) {
			uint32_t packets = one_delta(&replicas[i], sizes[i], round + 1, &us[i]);
			if (result->packets == 0)
				result->packets = packets;
			if (packets != result->packets || packets * 8 < DELTA_RECORDS) {
				fprintf(stderr, "a delta of %u packets\n", packets);
				exit(1);
			}
			samples_add(&result->us[i], us[i]);
		}
		samples_add(&result->ratio, us[DELTA_SIZES - 1] / us[0]);
	}
	for (int i = 0; i < DELTA_SIZES; i++)
		replica_destroy(&replicas[i]);
}

void delta_print(struct delta_result *r)
{
	printf("delta of the newest %u records, request to last packet (%u packets); medians of "
	       "%u\n",
		DELTA_RECORDS, r->packets, r->ratio.count);
	for (int i = 0; i < DELTA_SIZES; i++)
		printf("  of %9u records %10.1f us\n", r->records[i],
			samples_quantile(&r->us[i], 0.5));
	printf("  the largest map's / the smallest's: %.2f\n\n", samples_quantile(&r->ratio, 0.5));
}
