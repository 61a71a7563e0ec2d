#include "deltamap/arena.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const uint32_t class_bytes[STORE_CLASSES] = {
	STORE_SMALLEST, 192, 256, 320, 384, 448, 512, 640, 768, 960, 1152, 1344, 1536};

_Static_assert(RECORD_MAX <= 1536, "the largest class holds the largest record");

/* Free records name each other a dozen at a time, in the memory of one of them: what comes next is
 * known without touching it, and can be fetched ahead. */
struct free_chunk {
	record_ref next; /* a record that holds another chunk */
	uint32_t count;
	record_ref refs[12];
};

_Static_assert(sizeof(struct record) + sizeof(struct free_chunk) <= STORE_SMALLEST,
	"the smallest record holds a chunk");

/* The sums below do not overflow. */
#define UNITS_MAX (UINT32_MAX - 64)

int arena_init(struct arena *a, struct blocks *blocks, uint64_t bytes_max)
{
	uint64_t units = bytes_max / STORE_UNIT;
	*a = (struct arena){.units = units > UNITS_MAX ? UNITS_MAX : (uint32_t)units};
	a->top = 2; /* reference 0 is none; an even start keeps records of two lines in one pair */
	for (uint32_t n = 0, class = 0; n < sizeof(a->class_of); n++) {
		while (class < STORE_CLASSES - 1 && class_bytes[class] < n * STORE_UNIT)
			class ++;
		a->class_of[n] = (uint8_t) class;
	}
	a->bytes = blocks_take(blocks, (size_t)a->units * STORE_UNIT);
	a->retired_max = arena_records_max(a) + 2;
	a->retired = blocks_take(blocks, a->retired_max * sizeof(a->retired[0]));
	return a->bytes == NULL || a->retired == NULL ? -ENOMEM : 0;
}

uint32_t arena_records_max(const struct arena *a)
{
	return a->units / (STORE_SMALLEST / STORE_UNIT);
}

static uint8_t class_of(const struct arena *a, size_t bytes)
{
	assert(bytes <= RECORD_MAX);
	return a->class_of[(bytes + STORE_UNIT - 1) / STORE_UNIT];
}

static struct free_chunk *chunk_at(const struct arena *a, record_ref ref)
{
	return (struct free_chunk *)(void *)arena_at(a, ref)->bytes;
}

static record_ref pop_free(struct arena *a, uint8_t class)
{
	record_ref head = a->free_lists[class];
	if (head == 0)
		return 0;
	struct free_chunk *chunk = chunk_at(a, head);
	if (chunk->count > 0)
		return chunk->refs[--chunk->count];
	a->free_lists[class] = chunk->next;
	return head;
}

static record_ref take_free(struct arena *a, uint8_t class)
{
	for (uint8_t c = class; c < STORE_CLASSES; c++) {
		record_ref ref = pop_free(a, c);
		if (ref != 0)
			return ref;
		/* Fresh memory of the right size before a larger used piece. */
		uint32_t units = class_bytes[class] / STORE_UNIT;
		if (c == class && a->top + units <= a->units) {
			ref = a->top;
			a->top += units;
			arena_at(a, ref)->class = class;
			return ref;
		}
	}
	return 0;
}

static void begin_look(const struct arena *a, struct arena_look *look, uint8_t class)
{
	look->class = class;
	look->begun = true;
	look->chunk = a->free_lists[class];
	look->count = look->chunk != 0 ? chunk_at(a, look->chunk)->count : 0;
	look->top = a->top;
}

/* As pop_free(), and then fresh memory. 0: there is no more. */
static record_ref look_on(const struct arena *a, struct arena_look *look)
{
	record_ref ref = look->chunk;
	if (ref != 0 && look->count > 0)
		return chunk_at(a, ref)->refs[--look->count];
	if (ref != 0) {
		look->chunk = chunk_at(a, ref)->next;
		look->count = look->chunk != 0 ? chunk_at(a, look->chunk)->count : 0;
		return ref;
	}
	uint32_t units = class_bytes[look->class] / STORE_UNIT;
	if (look->top + units > a->units)
		return 0;
	look->top += units;
	return look->top - units;
}

void arena_prefetch(const struct arena *a, struct arena_look *look, size_t bytes)
{
	uint8_t class = class_of(a, bytes);
	if (!look->begun || look->class != class) {
		begin_look(a, look, class);
		for (uint32_t i = 0; i < look->skip; i++)
			(void)look_on(a, look);
	}
	look->skip++;
	record_ref ref = look_on(a, look);
	uint32_t units = class_bytes[class] / STORE_UNIT;
	for (uint32_t i = 0; ref != 0 && i < units; i++)
		sw_prefetch(a->bytes + ((uint64_t)ref + i) * STORE_UNIT);
}

record_ref arena_take(struct arena *a, size_t bytes)
{
	record_ref ref = take_free(a, class_of(a, bytes));
	if (ref == 0)
		return 0;
	struct record *r = arena_at(a, ref);
	r->place = 0;
	r->actor_slot = r->pins = 0;
	r->dead = r->rival = false;
	r->mark = 0;
	return ref;
}

void arena_give(struct arena *a, record_ref ref)
{
	uint8_t class = arena_at(a, ref)->class;
	record_ref head = a->free_lists[class];
	struct free_chunk *chunk = head != 0 ? chunk_at(a, head) : NULL;
	if (chunk != NULL && chunk->count < sizeof(chunk->refs) / sizeof(chunk->refs[0])) {
		chunk->refs[chunk->count++] = ref;
		return;
	}
	chunk = chunk_at(a, ref);
	chunk->next = head;
	chunk->count = 0;
	a->free_lists[class] = ref;
}

static uint32_t after(const struct arena *a, uint32_t place)
{
	return place + 1 < a->retired_max ? place + 1 : 0;
}

void arena_retire(struct arena *a, record_ref ref)
{
	a->retired[a->retired_head] = ref;
	a->retired_head = after(a, a->retired_head);
	assert(a->retired_head != a->retired_tail); /* one place more than there are records */
}

void arena_seal(struct arena *a)
{
	assert(a->retired_tail == a->retired_seal);
	a->retired_seal = a->retired_head;
}

bool arena_has_retired(const struct arena *a)
{
	return a->retired_head != a->retired_seal;
}

void arena_free_sealed(struct arena *a)
{
	/* What readers have held up for long is far away by now. */
	uint32_t ahead = a->retired_tail, lead = 0;
	while (a->retired_tail != a->retired_seal) {
		for (; lead < FREE_AHEAD && ahead != a->retired_seal; lead++) {
			__builtin_prefetch(arena_at(a, a->retired[ahead]));
			ahead = after(a, ahead);
		}
		arena_give(a, a->retired[a->retired_tail]);
		a->retired_tail = after(a, a->retired_tail);
		lead--;
	}
}
