/* An actor's records in order of seq: what a delta walks, and what a snapshot is taken from. */
#include "deltamap/store.h"

void order_look_ahead(struct store *s, struct actor_slot *a)
{
	const struct record *newest = store_at(s, a->newest);
	bool ahead = newest != NULL &&
		     newest->dot.seq > atomic_load_explicit(&a->seq, memory_order_relaxed);
	if (ahead == a->ahead)
		return;
	a->ahead = ahead;
	if (a->over)
		store_due(s, (uint16_t)(a - s->actors));
	uint32_t n = atomic_load_explicit(&s->ahead_count, memory_order_relaxed);
	atomic_store_explicit(&s->ahead_count, ahead ? n + 1 : n - 1, memory_order_relaxed);
}

static void insert(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	struct actor_slot *a = &s->actors[r->actor_slot];
	record_ref below = a->newest;
	/* Nearly always at the end: writes and sessions come in order of seq. */
	while (below != 0 && store_at(s, below)->dot.seq > r->dot.seq)
		below = store_at(s, below)->older;
	r->older = below;
	r->newer = below != 0 ? store_at(s, below)->newer : a->oldest;
	if (r->older != 0)
		store_at(s, r->older)->newer = ref;
	else
		a->oldest = ref;
	if (r->newer != 0)
		store_at(s, r->newer)->older = ref;
	else
		a->newest = ref;
}

static void unlink_record(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	struct actor_slot *a = &s->actors[r->actor_slot];
	if (r->older != 0)
		store_at(s, r->older)->newer = r->newer;
	else
		a->oldest = r->newer;
	if (r->newer != 0)
		store_at(s, r->newer)->older = r->older;
	else
		a->newest = r->older;
}

/* A record that is not retired has no use for free_next: a tombstone keeps its newer one there. */
static void tomb_insert(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	struct actor_slot *a = &s->actors[r->actor_slot];
	record_ref below = a->tomb_newest;
	while (below != 0 && store_at(s, below)->dot.seq > r->dot.seq)
		below = store_at(s, below)->tomb_older;
	r->tomb_older = below;
	r->free_next = below != 0 ? store_at(s, below)->free_next : a->tomb_oldest;
	*(below != 0 ? &store_at(s, below)->free_next : &a->tomb_oldest) = ref;
	*(r->free_next != 0 ? &store_at(s, r->free_next)->tomb_older : &a->tomb_newest) = ref;
	store_due(s, r->actor_slot);
}

static void tomb_remove(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	struct actor_slot *a = &s->actors[r->actor_slot];
	*(r->tomb_older != 0 ? &store_at(s, r->tomb_older)->free_next : &a->tomb_oldest) =
		r->free_next;
	*(r->free_next != 0 ? &store_at(s, r->free_next)->tomb_older : &a->tomb_newest) =
		r->tomb_older;
}

void order_take_in(struct store *s, record_ref ref)
{
	struct actor_slot *a = &s->actors[store_at(s, ref)->actor_slot];
	insert(s, ref);
	if (store_at(s, ref)->flags & WIRE_RECORD_TOMBSTONE)
		tomb_insert(s, ref);
	order_look_ahead(s, a);
}

static void take_from(struct store *s, record_ref ref)
{
	struct actor_slot *a = &s->actors[store_at(s, ref)->actor_slot];
	unlink_record(s, ref);
	if (a->ahead)
		order_look_ahead(s, a);
}

static bool is_pending(const struct actor_slot *a, const struct record *r)
{
	return r->dot.seq <= a->pending_upto && r->dot.seq > a->pending_above;
}

void order_take_out(struct store *s, record_ref ref)
{
	const struct record *r = store_at(s, ref);
	if (r->flags & WIRE_RECORD_TOMBSTONE)
		tomb_remove(s, ref);
	if (s->gathering && is_pending(&s->actors[r->actor_slot], r))
		store_pin(s, ref); /* stays until it is its turn */
	else
		take_from(s, ref);
}

/* ---- a snapshot ---- */

void order_gather_begin(struct store *s, const struct version_vector *above)
{
	s->gathering = true;
	s->gather_slot = 0;
	for (uint32_t i = 0; i < s->actor_count; i++) {
		struct actor_slot *a = &s->actors[s->actor_order[i]];
		if (a->newest == 0)
			continue;
		a->pending_above = above != NULL ? vv_get(above, a->actor) : 0;
		a->pending_upto = store_at(s, a->newest)->dot.seq;
		a->pending = a->pending_upto > a->pending_above ? a->newest : 0;
	}
}

/* The one after it. What is below the asker's vector may go at any time: it is no place to wait. */
static void go_on_from(struct store *s, struct actor_slot *a, const struct record *r)
{
	const struct record *older = store_at(s, r->older);
	bool more = older != NULL && older->dot.seq > a->pending_above;
	a->pending = more ? r->older : 0;
	a->pending_upto = more ? older->dot.seq : 0;
	if (more)
		__builtin_prefetch(store_at(s, older->older));
}

record_ref order_gather_next(struct store *s)
{
	while (s->gather_slot < ACTOR_SLOTS && s->actors[s->gather_slot].pending == 0)
		s->gather_slot++;
	if (s->gather_slot == ACTOR_SLOTS) {
		s->gathering = false;
		return 0;
	}
	struct actor_slot *a = &s->actors[s->gather_slot];
	record_ref ref = a->pending;
	go_on_from(s, a, store_at(s, ref));
	if (!store_at(s, ref)->dead) {
		store_pin(s, ref);
		return ref;
	}
	take_from(s, ref); /* pinned when it was replaced */
	if (a->over)
		store_due(s, s->gather_slot);
	return ref;
}
