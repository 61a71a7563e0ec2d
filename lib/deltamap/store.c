#include "deltamap/store.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/random.h"
#include "deltamap/bounds.h"

/* Bytes of a record with its key and value. */
static const uint32_t class_bytes[STORE_CLASSES] = {
	192, 256, 320, 384, 448, 512, 640, 768, 960, 1152, 1344, 1536};

_Static_assert(sizeof(struct record) + MAP_PAYLOAD_MAX <= 1536,
	"the largest class holds the largest record");

int store_init(struct store *s, struct blocks *blocks, uint32_t records_max, uint64_t bytes_max)
{
	memset(s, 0, sizeof(*s));
	uint32_t buckets = BUCKETS_MIN;
	while (buckets / 2 < records_max && buckets < (1u << 30))
		buckets *= 2;
	uint64_t units = bytes_max / STORE_UNIT;
	s->arena_units = units > UINT32_MAX ? UINT32_MAX : (uint32_t)units;
	s->arena_top = 1; /* reference 0 is none */
	s->records_max = records_max;
	s->bucket_mask = buckets - 1;
	s->arena = blocks_take(blocks, (size_t)s->arena_units * STORE_UNIT);
	/* Of the smallest records there are most. */
	s->retired_max = s->arena_units / (class_bytes[0] / STORE_UNIT) + 2;
	s->retired = blocks_take(blocks, s->retired_max * sizeof(s->retired[0]));
	s->buckets = blocks_take_zeroed(blocks, buckets * sizeof(s->buckets[0]));
	return s->arena == NULL || s->retired == NULL || s->buckets == NULL ? -ENOMEM : 0;
}

/* ---- actors ---- */

static uint32_t actor_home(struct actor actor)
{
	return (uint32_t)sw_mix64(sw_mix64(actor.id) + actor.epoch) % ACTOR_SLOTS;
}

uint16_t store_actor_reader(const struct store *s, struct actor actor)
{
	uint32_t at = actor_home(actor);
	for (uint32_t i = 0; i < ACTOR_SLOTS; i++, at = (at + 1) % ACTOR_SLOTS) {
		const struct actor_slot *slot = &s->actors[at];
		uint8_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
		if (state == SLOT_EMPTY)
			return NO_ACTOR;
		if (state == SLOT_USED && actor_equal(slot->actor, actor))
			return (uint16_t)at;
	}
	return NO_ACTOR;
}

static bool is_taken(const struct actor_slot *slot)
{
	uint8_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
	return state != SLOT_EMPTY && state != SLOT_FREE;
}

uint16_t store_actor(struct store *s, struct actor actor, bool add)
{
	/* Records of one actor come in rows. */
	const struct actor_slot *last = &s->actors[s->last_actor];
	if (atomic_load_explicit(&last->state, memory_order_relaxed) == SLOT_USED &&
		actor_equal(last->actor, actor))
		return s->last_actor;
	uint16_t found = store_actor_reader(s, actor);
	if (found != NO_ACTOR)
		s->last_actor = found;
	if (found != NO_ACTOR || !add || s->actor_count == SW_ACTORS_MAX)
		return found;
	uint32_t at = actor_home(actor), tried = 0;
	while (is_taken(&s->actors[at])) {
		if (++tried == ACTOR_SLOTS)
			return NO_ACTOR; /* too many that readers may still look at */
		at = (at + 1) % ACTOR_SLOTS;
	}
	s->actors[at].actor = actor;
	atomic_store_explicit(&s->actors[at].state, SLOT_USED, memory_order_release);
	uint32_t i = s->actor_count++;
	for (; i > 0 && actor_compare(s->actors[s->actor_order[i - 1]].actor, actor) > 0; i--)
		s->actor_order[i] = s->actor_order[i - 1];
	s->actor_order[i] = (uint16_t)at;
	return (uint16_t)at;
}

uint64_t store_seq(const struct store *s, uint16_t slot)
{
	return slot == NO_ACTOR ? 0
				: atomic_load_explicit(&s->actors[slot].seq, memory_order_acquire);
}

/* The only writer is the owner, so load and store need not be one step. */
static void add_hash(_Atomic uint64_t *sum, uint64_t by)
{
	atomic_store_explicit(
		sum, atomic_load_explicit(sum, memory_order_relaxed) + by, memory_order_relaxed);
}

static void add_count(_Atomic uint32_t *sum, int by)
{
	atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + (uint32_t)by,
		memory_order_relaxed);
}

void store_due(struct store *s, uint16_t slot)
{
	s->due[slot / 64] |= 1ULL << (slot % 64);
	s->any_due = true;
}

void store_raise(struct store *s, uint16_t slot, uint64_t seq)
{
	struct actor_slot *a = &s->actors[slot];
	uint64_t old = atomic_load_explicit(&a->seq, memory_order_relaxed);
	seq = vv_seq_join(old, seq);
	if (seq == old)
		return;
	add_hash(&s->vector_hash, vv_entry_hash(a->actor, seq) - vv_entry_hash(a->actor, old));
	atomic_store_explicit(&a->seq, seq, memory_order_release);
	if (a->ahead)
		order_look_ahead(s, a);
	if (a->tomb_oldest != 0 || a->over)
		store_due(s, slot);
}

void store_forget_actor(struct store *s, uint16_t slot)
{
	struct actor_slot *a = &s->actors[slot];
	uint64_t seq = atomic_load_explicit(&a->seq, memory_order_relaxed);
	assert(a->oldest == 0 && a->tomb_oldest == 0);
	add_hash(&s->vector_hash, -vv_entry_hash(a->actor, seq));
	atomic_store_explicit(&a->seq, 0, memory_order_release);
	atomic_store_explicit(&a->state, SLOT_GONE, memory_order_release);
	a->cap = a->unknown_ns = 0;
	atomic_store_explicit(&a->collected, 0, memory_order_relaxed);
	a->over = a->blocked = false;
	s->gone_open++;
	uint32_t i = 0;
	while (s->actor_order[i] != slot)
		i++;
	s->actor_count--;
	memmove(&s->actor_order[i], &s->actor_order[i + 1],
		(s->actor_count - i) * sizeof(s->actor_order[0]));
}

static void move_slots(struct store *s, uint8_t from, uint8_t to)
{
	for (uint32_t i = 0; i < ACTOR_SLOTS; i++)
		if (atomic_load_explicit(&s->actors[i].state, memory_order_relaxed) == from)
			atomic_store_explicit(&s->actors[i].state, to, memory_order_release);
}

/* ---- memory ---- */

static uint8_t class_of(size_t bytes)
{
	uint8_t c = 0;
	while (class_bytes[c] < bytes)
		c++;
	assert(c < STORE_CLASSES);
	return c;
}

/* Free records name each other a dozen at a time, in the memory of one of them: what comes next is
 * known without touching it, and can be fetched ahead. */
struct free_chunk {
	record_ref next; /* a record that holds another chunk */
	uint32_t count;
	record_ref refs[12];
};

_Static_assert(sizeof(struct record) + sizeof(struct free_chunk) <= 192,
	"the smallest record holds a chunk");

static struct free_chunk *chunk_at(const struct store *s, record_ref ref)
{
	return (struct free_chunk *)(void *)store_at(s, ref)->bytes;
}

static record_ref pop_free(struct store *s, uint8_t class)
{
	record_ref head = s->free_lists[class];
	if (head == 0)
		return 0;
	struct free_chunk *chunk = chunk_at(s, head);
	if (chunk->count > 0)
		return chunk->refs[--chunk->count];
	s->free_lists[class] = chunk->next;
	return head;
}

/* The one that pop_free() gives after `ahead` others; 0: there are fewer. */
static record_ref peek_free(const struct store *s, uint8_t class, uint32_t ahead)
{
	record_ref head = s->free_lists[class];
	while (head != 0) {
		const struct free_chunk *chunk = chunk_at(s, head);
		if (ahead < chunk->count)
			return chunk->refs[chunk->count - 1 - ahead];
		if (ahead == chunk->count)
			return head;
		ahead -= chunk->count + 1;
		head = chunk->next;
	}
	return 0;
}

static record_ref take_free(struct store *s, uint8_t class)
{
	for (uint8_t c = class; c < STORE_CLASSES; c++) {
		record_ref ref = pop_free(s, c);
		if (ref != 0)
			return ref;
		/* Fresh memory of the right size before a larger used piece. */
		uint32_t units = class_bytes[class] / STORE_UNIT;
		if (c == class && s->arena_units - s->arena_top >= units) {
			ref = s->arena_top;
			s->arena_top += units;
			store_at(s, ref)->class = class;
			return ref;
		}
	}
	return 0;
}

void store_prefetch_room(const struct store *s, uint32_t ahead, size_t payload_len)
{
	uint8_t class = class_of(sizeof(struct record) + payload_len);
	size_t units = class_bytes[class] / STORE_UNIT, at = peek_free(s, class, ahead);
	if (at == 0 && s->arena_units - s->arena_top >= (ahead + 1) * units)
		at = s->arena_top + ahead * units;
	for (size_t i = 0; at != 0 && i < units; i++)
		__builtin_prefetch(s->arena + (at + i) * STORE_UNIT, 1);
}

record_ref store_alloc(struct store *s, size_t key_len, size_t value_len)
{
	record_ref ref = take_free(s, class_of(sizeof(struct record) + key_len + value_len));
	if (ref == 0)
		return 0;
	struct record *r = store_at(s, ref);
	/* One by one: a memset() of this size becomes `rep stos`, which takes longer than all else
	 * here. */
	r->older = r->newer = r->free_next = r->tomb_older = 0;
	r->actor_slot = 0;
	r->pins = 0;
	r->dead = false;
	r->mark = r->rival = 0;
	r->key_len = (uint8_t)key_len;
	r->value_len = (uint16_t)value_len;
	return ref;
}

void store_release(struct store *s, record_ref ref)
{
	uint8_t class = store_at(s, ref)->class;
	record_ref head = s->free_lists[class];
	struct free_chunk *chunk = head != 0 ? chunk_at(s, head) : NULL;
	if (chunk != NULL && chunk->count < sizeof(chunk->refs) / sizeof(chunk->refs[0])) {
		chunk->refs[chunk->count++] = ref;
		return;
	}
	chunk = chunk_at(s, ref);
	chunk->next = head;
	chunk->count = 0;
	s->free_lists[class] = ref;
}

static uint32_t after(const struct store *s, uint32_t place)
{
	return place + 1 < s->retired_max ? place + 1 : 0;
}

static void retire(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	r->dead = true;
	if (r->pins > 0)
		return; /* the last unpin retires it */
	s->retired[s->retired_head] = ref;
	s->retired_head = after(s, s->retired_head);
	assert(s->retired_head != s->retired_tail); /* one place more than there are records */
}

void store_pin(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	assert(r->pins > 0 || !r->dead); /* else it is on its way to be freed */
	r->pins++;
}

void store_unpin(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	assert(r->pins > 0);
	if (--r->pins == 0 && r->dead)
		retire(s, ref);
}

void store_seal(struct store *s)
{
	assert(s->retired_tail == s->retired_seal);
	s->retired_seal = s->retired_head;
	if (s->gone_open > 0)
		move_slots(s, SLOT_GONE, SLOT_SEALED);
	s->gone_sealed = s->gone_open;
	s->gone_open = 0;
}

bool store_has_retired(const struct store *s)
{
	return s->retired_head != s->retired_seal || s->gone_open > 0;
}

void store_free_sealed(struct store *s)
{
	/* What readers have held up for long is far away by now. */
	uint32_t ahead = s->retired_tail, lead = 0;
	while (s->retired_tail != s->retired_seal) {
		for (; lead < FREE_AHEAD && ahead != s->retired_seal; lead++) {
			__builtin_prefetch(store_at(s, s->retired[ahead]));
			ahead = after(s, ahead);
		}
		store_release(s, s->retired[s->retired_tail]);
		s->retired_tail = after(s, s->retired_tail);
		lead--;
	}
	if (s->gone_sealed > 0)
		move_slots(s, SLOT_SEALED, SLOT_FREE);
	s->gone_sealed = 0;
}

/* ---- the table ---- */

record_ref store_find(const struct store *s, uint64_t key_hash, const void *key, size_t key_len)
{
	return store_find_from(s, store_head(s, key_hash), key, key_len);
}

/* The link that points to ref. */
static _Atomic record_ref *link_to(struct store *s, uint64_t key_hash, record_ref ref)
{
	_Atomic record_ref *link = &s->buckets[key_hash & s->bucket_mask];
	record_ref at;
	while ((at = atomic_load_explicit(link, memory_order_relaxed)) != ref)
		link = &store_at(s, at)->next;
	return link;
}

static uint64_t content_of(const struct record *r)
{
	if (r->flags & WIRE_RECORD_TOMBSTONE)
		return 0;
	uint64_t h = sw_mix64(r->key_hash + r->clock);
	h = sw_mix64(h + r->author.actor.id);
	return sw_mix64(h + ((uint64_t)r->author.actor.epoch << 40) + r->author.seq);
}

static void count(struct store *s, const struct record *r, int by)
{
	add_count(&s->record_count, by);
	if (r->flags & WIRE_RECORD_TOMBSTONE)
		add_count(&s->tombstone_count, by);
	uint64_t content = by > 0 ? content_of(r) : -content_of(r);
	add_hash(&s->content_hash, content);
	s->bucket_sums[r->key_hash % WIRE_BUCKETS_COUNT] += content;
}

void store_publish(struct store *s, record_ref ref, record_ref old)
{
	struct record *r = store_at(s, ref);
	_Atomic record_ref *link = &s->buckets[r->key_hash & s->bucket_mask];
	record_ref next = atomic_load_explicit(link, memory_order_relaxed);
	if (old != 0) {
		link = link_to(s, r->key_hash, old);
		next = atomic_load_explicit(&store_at(s, old)->next, memory_order_relaxed);
	}
	atomic_store_explicit(&r->next, next, memory_order_relaxed);
	atomic_store_explicit(link, ref, memory_order_release);
	order_take_in(s, ref);
	count(s, r, 1);
	if (old != 0) {
		r->mark = store_at(s, old)->mark;
		count(s, store_at(s, old), -1);
		order_take_out(s, old);
		retire(s, old);
	}
}

void store_remove(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	_Atomic record_ref *link = link_to(s, r->key_hash, ref);
	atomic_store_explicit(
		link, atomic_load_explicit(&r->next, memory_order_relaxed), memory_order_release);
	count(s, r, -1);
	order_take_out(s, ref);
	retire(s, ref);
}

void store_clear(struct store *s)
{
	bool empty = atomic_load_explicit(&s->record_count, memory_order_relaxed) == 0;
	assert(!s->gathering); /* who begins anew serves nobody */
	for (uint32_t b = 0; !empty && b <= s->bucket_mask; b++) {
		record_ref ref = atomic_load_explicit(&s->buckets[b], memory_order_relaxed);
		atomic_store_explicit(&s->buckets[b], 0, memory_order_release);
		while (ref != 0) {
			record_ref next =
				atomic_load_explicit(&store_at(s, ref)->next, memory_order_relaxed);
			count(s, store_at(s, ref), -1);
			retire(s, ref);
			ref = next;
		}
	}
	for (uint32_t i = 0; i < s->actor_count; i++) {
		struct actor_slot *a = &s->actors[s->actor_order[i]];
		a->oldest = a->newest = a->tomb_oldest = a->tomb_newest = 0;
		a->cap = 0;
		atomic_store_explicit(&a->collected, 0, memory_order_relaxed);
		a->ahead = a->blocked = false;
		atomic_store_explicit(&a->seq, 0, memory_order_release);
	}
	atomic_store_explicit(&s->ahead_count, 0, memory_order_relaxed);
	atomic_store_explicit(&s->vector_hash, 0, memory_order_relaxed);
}

void store_view(const struct record *r, struct map_view *view)
{
	*view = (struct map_view){
		.key = record_key(r),
		.value = record_value(r),
		.key_len = r->key_len,
		.value_len = r->value_len,
		.tombstone = (r->flags & WIRE_RECORD_TOMBSTONE) != 0,
		.rival = r->rival,
		.key_hash = r->key_hash,
		.clock = r->clock,
		.weight = r->weight,
		.author = r->author,
		.dot = r->dot,
		.written_ms = r->written_ms,
	};
}
