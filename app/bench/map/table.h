/* What the map is measured against: a bare rte_hash with lock-free readers
 * (RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF) over the same keys, which keeps a pointer for each and
 * neither copies a value nor knows of stamps, packets or reclamation. */
#pragma once

#include <rte_hash.h>

#include "stream.h"

/* Room for twice as many: cuckoo insertion fails from about nine tenths on. */
struct rte_hash *table_create(uint32_t records);
/* Inserts (or overwrites) the keys of packets [first, first + count), in their order. */
void table_insert(
	struct rte_hash *table, const struct stream *stream, uint32_t first, uint32_t count);
