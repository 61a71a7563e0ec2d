/* A replica as one file: what it holds and what it covers, so that a server can start from it.
 *
 *   block: kind(1) 0(1) length(4) bytes        all integers big-endian
 *
 *   HEAD       "SWIMLMAP" version(4) id(8) epoch(4) cluster_seed(8) wall_ms(8)
 *   VECTOR     entries: id(8) epoch(4) seq(8)         any number of blocks
 *   RECORDS    wire records (wire/wire.h)             any number of blocks
 *   COLLECTED  entries                                any number of blocks
 *   END        floor(8) records(8) XXH3-64 of everything before it(8)
 *
 * in this order. A file is taken whole or not at all: snapshot_open() checks the checksum before
 * anything else is believed, then every block and record.
 *
 * Why a file that is written while the map goes on is right. The invariant is: what the vector
 * covers is held, or something newer is, or a delete of that has been collected, as the collected
 * vector tells. The writer reads the vector first. What it covers then is in the map then. A record
 * that is replaced afterwards is replaced in place, and the scan finds it or its successor, which
 * is newer; it cannot miss both, since a bucket's chain is changed by single links and what is
 * unlinked still points on. A tombstone that is collected afterwards may be missed, but collecting
 * raises the collected vector and the floor before it unlinks, and they are read last. A full-state
 * join removes records before it takes the peer's collected vector over: a file that met one is
 * begun anew (map_joins_reader()). Records that the vector does not cover do no harm: they are
 * merged like any others.
 *
 * Pure; any core inside a read-side section, which may end between two steps.
 */
#pragma once

#include "deltamap/deltamap.h"

enum {
	SNAPSHOT_VERSION = 1,
	SNAPSHOT_STEP_MAX = 1 << 18, /* bytes of a step's buffer */
};

struct snapshot_head {
	uint64_t id;
	uint32_t epoch;
	uint64_t cluster_seed;
	uint64_t wall_ms;
};

struct snapshot_end {
	uint64_t floor;
	uint64_t records;
};

struct snapshot_writer;

/* NULL without memory. */
struct snapshot_writer *snapshot_writer_create(
	const struct map *map, const struct snapshot_head *head);
void snapshot_writer_destroy(struct snapshot_writer *writer);

/* The next bytes of the file: up to `len` in `bytes`, which holds SNAPSHOT_STEP_MAX, and of not
 * more than `buckets` of the table. 1: there is more; 0: that was the last; -EAGAIN: a full-state
 * join came in between, begin anew; -EFBIG: a bucket is larger than a step. */
int snapshot_step(struct snapshot_writer *writer, uint32_t buckets, uint8_t *bytes, size_t *len);

/* What was read from a file. Points into its bytes. */
struct snapshot_reader {
	struct snapshot_head head;
	struct snapshot_end end;
	struct version_vector vector, collected;
	struct sw_reader blocks;  /* behind the head */
	struct sw_reader records; /* of the present block */
};

/* Checks the whole file. False, and *error says what is wrong with it. */
bool snapshot_open(
	struct snapshot_reader *reader, const void *bytes, size_t len, const char **error);
/* The next record. False after the last. */
bool snapshot_next(struct snapshot_reader *reader, struct wire_record *record);

/* All of it into a new map. As map_restore_record_owner(). */
int snapshot_restore_owner(struct snapshot_reader *reader, struct map *map);
