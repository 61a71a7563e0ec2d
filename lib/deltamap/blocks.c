#include "deltamap/blocks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64 };

static void *heap_take(void *context, size_t bytes)
{
	(void)context;
	return aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE);
}

static void heap_give(void *context, void *block, size_t bytes)
{
	(void)context;
	(void)bytes;
	free(block);
}

void blocks_init(struct blocks *b, const struct map_memory *memory)
{
	memset(b, 0, sizeof(*b));
	b->memory = *memory;
	if (memory->take == NULL)
		b->memory = (struct map_memory){heap_take, heap_give, NULL};
}

void *blocks_take(struct blocks *b, size_t bytes)
{
	assert(b->count < BLOCKS_MAX && bytes > 0);
	void *at = b->memory.take(b->memory.context, bytes);
	if (at == NULL)
		return NULL;
	assert((uintptr_t)at % LINE == 0);
	b->taken[b->count].at = at;
	b->taken[b->count++].bytes = bytes;
	return at;
}

void *blocks_take_zeroed(struct blocks *b, size_t bytes)
{
	void *at = blocks_take(b, bytes);
	return at == NULL ? NULL : memset(at, 0, bytes);
}

void blocks_give_all(struct blocks *b)
{
	struct blocks all = *b;
	while (all.count > 0) {
		all.count--;
		all.memory.give(
			all.memory.context, all.taken[all.count].at, all.taken[all.count].bytes);
	}
}

uint64_t blocks_bytes(const struct blocks *b)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < b->count; i++)
		bytes += b->taken[i].bytes;
	return bytes;
}
