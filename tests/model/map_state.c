/* What matters of a replica, as a number. Times, counters, memory's layout and what a reader sees
 * only are left out; what decides what it will do is in. (map_explore.c checks that by following
 * states that are held for equal.) */
#include <string.h>

#include "deltamap/internal.h"
#include "map_internal.h"

static uint64_t mix(uint64_t h, uint64_t x)
{
	return sw_mix64(h * 0xd6e8feb86659fd93ULL + x + 0x9e3779b97f4a7c15ULL);
}

static uint64_t mix_actor(uint64_t h, struct actor a)
{
	return mix(h, a.id << 32 | a.epoch);
}

static uint64_t mix_dot(uint64_t h, struct dot d)
{
	return mix(mix_actor(h, d.actor), d.seq);
}

static uint64_t mix_vector(uint64_t h, const struct version_vector *vv)
{
	for (uint32_t i = 0; i < vv->count; i++)
		h = mix(mix_actor(h, vv->entries[i].actor), vv->entries[i].seq);
	return mix(h, vv->count);
}

static uint64_t hash_record(const struct map *m, const struct record *r)
{
	uint64_t h = mix(map_key_hash(m, record_key(r), r->key_len), r->flags);
	h = mix_dot(mix(h, r->clock), record_author(r));
	h = mix_dot(h, record_dot(r));
	h = mix_dot(h, r->flags & WIRE_RECORD_PREVIOUS ? *record_previous(r) : (struct dot){0});
	return mix(h, *record_written_ms(r));
}

static uint64_t mix_bytes(uint64_t h, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * 0x100000001b3ULL;
	return mix(h, len);
}

static uint64_t hash_pulling(const struct map *m)
{
	const struct pulling *p = &m->pulling;
	if (!p->open)
		return 0;
	uint64_t h = mix_actor(1, p->peer);
	h = mix(h, (uint64_t)p->kind << 2 | (uint64_t)p->joining << 1 | p->begun);
	h = mix(h, p->nonce);
	if (!p->begun)
		return h;
	h = mix(mix(h, p->snapshot), (uint64_t)p->packets << 32 | p->heads);
	h = mix(mix(mix(h, p->base), p->asked), (uint64_t)p->got_count << 32 | p->heads_in);
	for (uint32_t i = 0; i < m->got_words && i * 64 < p->packets; i++)
		h = mix(h, p->got[i]);
	for (uint32_t i = 0; i < EARLY_MAX && p->heads_in < p->heads; i++)
		h = mix_bytes(h, p->early[i].bytes, p->early[i].len);
	return mix_vector(mix_vector(h, &p->vector), &p->collected);
}

static uint64_t hash_serving(const struct map *m, const struct serving *sv, uint64_t now_ns)
{
	uint64_t h = mix(mix_actor(2, sv->asker), sv->nonce);
	h = mix(mix(h, sv->snapshot), (uint64_t)sv->packets << 32 | sv->heads);
	h = mix(h, now_ns - sv->last_ns >= m->config.resend_ns / 2);
	for (uint32_t i = 0; i < sv->ref_count; i++)
		h = mix(h, hash_record(m, store_at(&m->store, sv->refs[i])));
	for (uint32_t i = 0; i < sv->data_packets; i++)
		h = mix(h, sv->starts[i]);
	h = mix(h, (uint64_t)sv->waiting << 1 | (m->gathering == sv));
	return mix_vector(mix_vector(h, &sv->vector), &sv->collected);
}

/* An actor: the vector's entry, what is known of its end, and what all have reported of it. */
static uint64_t hash_slot(const struct map *m, uint16_t slot)
{
	const struct actor_slot *a = &m->store.actors[slot];
	uint64_t h = mix_actor(5, a->actor), reported = 0;
	bool due = m->store.due[slot / 64] >> (slot % 64) & 1;
	h = mix(mix(mix(h, a->seq), a->cap), a->collected);
	h = mix(h, (uint64_t)a->over << 3 | a->ahead << 2 | a->blocked << 1 | due);
	for (uint32_t i = 0; i < MAP_REPORTS_MAX; i++)
		if (m->rows[i].id != 0 && m->rows[i].seqs[slot] != 0)
			reported +=
				mix(mix(m->rows[i].id, m->rows[i].epoch), m->rows[i].seqs[slot]);
	/* What the snapshot under way has yet to take: the dead too. */
	for (record_ref ref = m->store.gathering ? a->pending : 0; ref != 0;
		ref = order_older(&m->store, ref))
		h = mix(h, hash_record(m, store_at(&m->store, ref)));
	return mix(h, reported);
}

static uint64_t hash_map(const struct map *m, uint64_t now_ns)
{
	uint64_t records = 0, sessions = 0, h = mix_actor(3, m->self);
	for (uint32_t b = 0; b <= m->store.index.mask; b++) {
		struct index_walk walk = index_walk(&m->store.index, b);
		for (record_ref ref; (ref = index_next(&m->store.arena, &walk)) != 0;) {
			const struct record *r = store_at(&m->store, ref);
			bool marked = m->pulling.open && m->pulling.kind == PULL_RECONCILE &&
				      r->mark == m->mark;
			records += mix(hash_record(m, r), marked);
		}
	}
	for (int i = 0; i < MAP_SESSIONS_MAX; i++)
		if (m->serving[i].open)
			sessions += hash_serving(m, &m->serving[i], now_ns);
		else if (!gather_is_free(m, &m->serving[i])) /* has yet to give back */
			sessions += mix(
				mix(m->serving[i].ref_count, 11), m->gathering == &m->serving[i]);
	for (uint32_t i = 0; i < m->store.actor_count; i++)
		h = mix(h, hash_slot(m, m->store.actor_order[i]));
	h = mix(mix(h, records), sessions);
	h = mix(mix(h, hash_pulling(m)), m->next_snapshot);
	h = mix(mix(mix(h, m->horizon_looks), m->horizon_marker),
		(uint64_t)m->store.any_due << 1 | m->store.any_blocked);
	return mix(mix(h, map_floor(m)), (uint64_t)map_ready(m));
}

uint64_t world_hash_replica(const struct world *w, uint32_t a)
{
	const struct node *n = &w->nodes[a];
	uint64_t h = mix(mix(a, n->epoch), (uint64_t)n->life << 32 | n->pulls);
	h = mix(h, (uint64_t)n->last_epoch << 8 | n->writes);
	if (!n->up)
		return h;
	for (uint32_t i = 0; i < w->replicas; i++)
		h = mix(h, (uint64_t)n->sees[i] << 1 | n->forgotten[i]);
	return mix(h, hash_map(world_map(a), n->now_ns));
}

uint64_t world_hash_rest(const struct world *w)
{
	uint64_t h = 4, sum = 0;
	for (uint32_t i = 0; i < w->replicas; i++) {
		h = mix(h, w->parted[i]);
		for (uint32_t n = 0; n < w->nodes[i].writes; n++)
			h = mix(h, w->replaced[i * WRITES_EACH_MAX + n]);
	}
	for (uint32_t i = 0; i < w->history_count; i++) {
		const struct written *x = &w->history[i];
		uint64_t e = mix(x->key, (uint64_t)x->tombstone << 8 | x->origin);
		e = mix_dot(mix(e, x->clock), x->author);
		sum += mix_dot(e, x->dot);
	}
	for (uint32_t i = 0; i < w->collected_count; i++) {
		const struct collected *x = &w->collected[i];
		uint64_t e =
			mix(x->key, (uint64_t)x->life << 16 | (uint64_t)x->by << 8 | x->origin);
		sum += mix_dot(mix(mix(e, x->clock), x->unseen), x->author);
	}
	return mix(h, sum);
}
