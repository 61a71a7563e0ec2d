#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "appliance.h"
#include "rendezvous/eligible.h"

#define PREFIX "origin/"

enum {
	PREFIX_LEN = sizeof(PREFIX) - 1,
	NO_ENTRY = UINT32_MAX,
	SERVERS_TRIES_MAX = 1000,
	BOARDS = 4
};

/* A key that the table ranks, found by its hash: two keys of one hash have one owner anyway. */
struct slot {
	_Atomic uint64_t key_hash; /* keeper: rw, control: ro; 0: never used */
	_Atomic uint32_t entry;    /* in the table; NO_ENTRY: not registered now */
	uint32_t keys;             /* live keys of this hash; keeper only */
};

/* The servers that own keys, for control: whole, or read again. One of a few, of which the writer
 * takes the one that was current longest ago: so a reader does not wait for a writer that its CPU
 * was taken from. */
struct owners_board {
	_Atomic uint32_t turn; /* odd while it is written */
	_Atomic uint32_t count;
	_Atomic uint64_t ids[SW_MEMBERS_MAX];
	_Atomic uint64_t weights_zones[SW_MEMBERS_MAX]; /* weight << 32 | zone */
};

struct ownership {
	const struct appliance *app;
	struct rendezvous_table *table;
	struct slot *slots;
	uint32_t mask;
	_Atomic uint64_t keys;
	struct eligible eligible;
	struct owners_board boards[BOARDS]; /* keeper: rw, control: ro; likewise: */
	_Atomic uint32_t board;             /* the current one */
};

bool ownership_is_registered_prefix(const void *key, size_t key_len)
{
	return key_len > PREFIX_LEN && memcmp(key, PREFIX, PREFIX_LEN) == 0;
}

int ownership_create(const struct appliance *app, struct ownership **out)
{
	struct ownership *o = calloc(1, sizeof(*o));
	uint32_t keys_max = app->config->map_records_max;
	uint32_t slots = 1024;
	while (slots < 2 * keys_max)
		slots *= 2;
	if (o == NULL)
		return -ENOMEM;
	o->app = app;
	o->mask = slots - 1;
	o->slots = calloc(slots, sizeof(o->slots[0]));
	int rc = o->slots == NULL ? -ENOMEM
				  : rendezvous_table_create(keys_max, NULL, NULL, &o->table);
	if (rc < 0) {
		ownership_destroy(o);
		return rc;
	}
	eligible_init(&o->eligible, app->config->ownership_stable_us * SW_NS_PER_US);
	if (app->config->ownership_zone_aware)
		rendezvous_table_zone_aware(o->table);
	*out = o;
	return 0;
}

void ownership_destroy(struct ownership *o)
{
	if (o == NULL)
		return;
	rendezvous_table_destroy(o->table);
	free(o->slots);
	free(o);
}

static struct slot *find_slot(const struct ownership *o, uint64_t key_hash)
{
	for (uint32_t i = 0; i <= o->mask; i++) {
		struct slot *s = &o->slots[(key_hash + i) & o->mask];
		uint64_t h = atomic_load_explicit(&s->key_hash, memory_order_acquire);
		if (h == key_hash)
			return s;
		if (h == 0)
			return NULL;
	}
	return NULL;
}

/* The key's own slot; or the first on its way that no live key uses. There are twice as many slots
 * as the map can hold records, so there is one. */
static struct slot *take_slot(struct ownership *o, uint64_t key_hash)
{
	struct slot *s = find_slot(o, key_hash);
	for (uint32_t i = 0; s == NULL && i <= o->mask; i++) {
		struct slot *at = &o->slots[(key_hash + i) & o->mask];
		if (at->keys > 0)
			continue;
		atomic_store_explicit(&at->entry, NO_ENTRY, memory_order_release);
		atomic_store_explicit(&at->key_hash, key_hash, memory_order_release);
		s = at;
	}
	return s;
}

/* Unused slots in front of an empty one are empty too: no key's way leads past them. Else every key
 * that ever was would lengthen the search for one that is not there. */
static void empty_slots(struct ownership *o, const struct slot *last)
{
	uint32_t at = (uint32_t)(last - o->slots);
	if (atomic_load_explicit(&o->slots[(at + 1) & o->mask].key_hash, memory_order_relaxed) != 0)
		return;
	for (uint32_t i = 0; i <= o->mask; i++, at--) {
		struct slot *s = &o->slots[at & o->mask];
		if (s->keys > 0 || atomic_load_explicit(&s->key_hash, memory_order_relaxed) == 0)
			return;
		atomic_store_explicit(&s->key_hash, 0, memory_order_release);
	}
}

/* A record of a registered key entered the map. */
void ownership_key(struct ownership *o, const struct map_view *view)
{
	struct slot *s =
		view->tombstone ? find_slot(o, view->key_hash) : take_slot(o, view->key_hash);
	uint32_t entry;
	if (s == NULL)
		return;
	uint32_t now = atomic_load_explicit(&s->entry, memory_order_relaxed);
	if (!view->tombstone && now == NO_ENTRY) {
		if (rendezvous_table_register(o->table, view->key_hash, 0, &entry) < 0)
			return; /* as large as the map: cannot happen before the map is full */
		atomic_store_explicit(&s->entry, entry, memory_order_release);
		s->keys = 1;
		atomic_fetch_add_explicit(&o->keys, 1, memory_order_relaxed);
	} else if (view->tombstone && now != NO_ENTRY) {
		atomic_store_explicit(&s->entry, NO_ENTRY, memory_order_release);
		s->keys = 0;
		rendezvous_table_unregister(o->table, now);
		empty_slots(o, s);
		atomic_fetch_sub_explicit(&o->keys, 1, memory_order_relaxed);
	}
}

static void publish_servers(struct ownership *o)
{
	const struct eligible *e = &o->eligible;
	uint32_t next = (atomic_load_explicit(&o->board, memory_order_relaxed) + 1) % BOARDS;
	struct owners_board *board = &o->boards[next];
	uint32_t turn = atomic_load_explicit(&board->turn, memory_order_relaxed);
	atomic_store_explicit(&board->turn, turn + 1, memory_order_relaxed);
	/* Release, each: who sees one of them sees the odd turn too. */
	atomic_store_explicit(&board->count, e->count, memory_order_release);
	for (uint32_t i = 0; i < e->count; i++) {
		const struct rendezvous_server *s = &e->servers[i];
		atomic_store_explicit(&board->ids[i], s->id, memory_order_release);
		atomic_store_explicit(&board->weights_zones[i], (uint64_t)s->weight << 32 | s->zone,
			memory_order_release);
	}
	atomic_store_explicit(&board->turn, turn + 2, memory_order_release);
	atomic_store_explicit(&o->board, next, memory_order_release);
}

static bool read_servers(
	const struct owners_board *board, struct rendezvous_server *servers, uint32_t *count)
{
	uint32_t turn = atomic_load_explicit(&board->turn, memory_order_acquire);
	*count = atomic_load_explicit(&board->count, memory_order_acquire);
	for (uint32_t i = 0; i < *count; i++) {
		uint64_t id = atomic_load_explicit(&board->ids[i], memory_order_acquire);
		uint64_t rest =
			atomic_load_explicit(&board->weights_zones[i], memory_order_acquire);
		servers[i] = rendezvous_server_make(id, (uint16_t)(rest >> 32));
		servers[i].zone = (uint32_t)rest;
	}
	return turn % 2 == 0 && atomic_load_explicit(&board->turn, memory_order_relaxed) == turn;
}

uint32_t ownership_servers_reader(
	const struct ownership *o, struct rendezvous_server servers[SW_MEMBERS_MAX])
{
	uint32_t count = 0;
	for (int i = 0; i < SERVERS_TRIES_MAX; i++) {
		uint32_t at = atomic_load_explicit(&o->board, memory_order_acquire);
		if (read_servers(&o->boards[at], servers, &count))
			return count;
	}
	return 0; /* the members changed thousands of times meanwhile */
}

uint64_t ownership_members(struct ownership *o, uint64_t now_ns, const struct members_view *view)
{
	struct eligible *e = &o->eligible;
	eligible_begin(e, now_ns, view->remembered);
	for (uint32_t i = 0; i < view->count && view->phase == SWIM_RUNNING; i++)
		eligible_add(e, &view->members[i].record, view->members[i].self);
	/* The arguments are in range: weights were checked by the decoder, ids differ in a view. */
	(void)rendezvous_table_servers(o->table, e->servers, e->count);
	publish_servers(o);
	return e->next_ns;
}

uint64_t ownership_first(const struct ownership *o, uint64_t key_hash)
{
	const struct eligible *e = &o->eligible;
	uint32_t first;
	return rendezvous_rank(key_hash, e->servers, e->count, &first, 1) == 1
		       ? e->servers[first].id
		       : 0;
}

bool ownership_read_reader(
	const struct ownership *o, uint64_t key_hash, struct rendezvous_ranks *ranks)
{
	const struct slot *s = find_slot(o, key_hash);
	uint32_t entry =
		s == NULL ? NO_ENTRY : atomic_load_explicit(&s->entry, memory_order_acquire);
	if (entry == NO_ENTRY || !rendezvous_table_read_reader(o->table, entry, ranks))
		return false;
	/* Neither the slot nor the entry was given to another key in between. */
	return atomic_load_explicit(&s->entry, memory_order_acquire) == entry &&
	       atomic_load_explicit(&s->key_hash, memory_order_acquire) == key_hash;
}

uint64_t ownership_keys(const struct ownership *o)
{
	return atomic_load_explicit(&o->keys, memory_order_relaxed);
}
