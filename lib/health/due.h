/* What is due next: a binary min-heap of moments, embedded in what is scheduled. One owner. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct due {
	uint64_t at_ns;
	uint32_t place; /* in the heap, from 1; 0: not in it */
};

struct due_heap {
	struct due **places; /* from 1 */
	uint32_t count;
	uint32_t capacity;
};

/* Makes room for `count` entries, so that due_heap_add() cannot fail. 0 or -ENOMEM. */
int due_heap_reserve(struct due_heap *heap, uint32_t count);
void due_heap_fini(struct due_heap *heap);
/* Schedules it, or moves it if it is scheduled. */
void due_heap_add(struct due_heap *heap, struct due *due, uint64_t at_ns);
void due_heap_remove(struct due_heap *heap, struct due *due);
/* The earliest, or NULL. */
struct due *due_heap_first(const struct due_heap *heap);
