#include "health/due.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int due_heap_reserve(struct due_heap *heap, uint32_t count)
{
	if (count <= heap->capacity)
		return 0;
	uint32_t capacity = heap->capacity ? heap->capacity : 64;
	while (capacity < count)
		capacity *= 2;
	struct due **places = realloc(heap->places, ((size_t)capacity + 1) * sizeof(places[0]));
	if (!places)
		return -ENOMEM;
	heap->places = places;
	heap->capacity = capacity;
	return 0;
}

void due_heap_fini(struct due_heap *heap)
{
	free(heap->places);
	*heap = (struct due_heap){0};
}

static void set(struct due_heap *heap, uint32_t place, struct due *due)
{
	heap->places[place] = due;
	due->place = place;
}

static void move_up(struct due_heap *heap, uint32_t place)
{
	struct due *due = heap->places[place];
	while (place > 1 && due->at_ns < heap->places[place / 2]->at_ns) {
		set(heap, place, heap->places[place / 2]);
		place /= 2;
	}
	set(heap, place, due);
}

static void move_down(struct due_heap *heap, uint32_t place)
{
	struct due *due = heap->places[place];
	for (;;) {
		uint32_t child = 2 * place;
		if (child > heap->count)
			break;
		if (child < heap->count &&
			heap->places[child + 1]->at_ns < heap->places[child]->at_ns)
			child++;
		if (heap->places[child]->at_ns >= due->at_ns)
			break;
		set(heap, place, heap->places[child]);
		place = child;
	}
	set(heap, place, due);
}

void due_heap_add(struct due_heap *heap, struct due *due, uint64_t at_ns)
{
	due_heap_remove(heap, due);
	assert(heap->count < heap->capacity);
	due->at_ns = at_ns;
	heap->places[++heap->count] = due;
	move_up(heap, heap->count);
}

void due_heap_remove(struct due_heap *heap, struct due *due)
{
	uint32_t place = due->place;
	if (place == 0)
		return;
	assert(heap->places[place] == due);
	struct due *last = heap->places[heap->count--];
	due->place = 0;
	if (last == due)
		return;
	set(heap, place, last);
	move_up(heap, place);
	move_down(heap, last->place);
}

struct due *due_heap_first(const struct due_heap *heap)
{
	return heap->count ? heap->places[1] : NULL;
}
