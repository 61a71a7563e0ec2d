/* The memory of one map: every block of it is taken here, in map_create(), and given back together.
 * Not for other libraries.
 */
#pragma once

#include "deltamap/deltamap.h"

enum { BLOCKS_MAX = 64 };

struct blocks {
	struct map_memory memory;
	uint32_t count;
	struct {
		void *at;
		size_t bytes;
	} taken[BLOCKS_MAX];
};

void blocks_init(struct blocks *blocks, const struct map_memory *memory);
/* Aligned to cache lines; NULL if there is none. */
void *blocks_take(struct blocks *blocks, size_t bytes);
void *blocks_take_zeroed(struct blocks *blocks, size_t bytes);
/* In the order opposite to that of taking. `blocks` may itself lie in one of them. */
void blocks_give_all(struct blocks *blocks);
uint64_t blocks_bytes(const struct blocks *blocks);
