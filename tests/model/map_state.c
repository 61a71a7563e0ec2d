/* What matters of a replica, as a number. Times, counters, memory's layout and what a reader sees
 * only are left out; what decides what it will do is in. (map_explore.c checks that by following
 * states that are held for equal.) */
#include <string.h>

#include "deltamap/internal.h"
#include "map_internal.h"

static uint64_t mix(uint64_t h, uint64_t x)
{
	return sw_mix64(h + x + 0x9e3779b97f4a7c15ULL);
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

static uint64_t hash_record(const struct record *r)
{
	uint64_t h = mix(r->key_hash, r->flags);
	h = mix_dot(mix(h, r->clock), r->author);
	h = mix_dot(h, r->dot);
	h = mix_dot(h, r->previous);
	return mix(h, r->written_ms);
}

static uint64_t hash_pulling(const struct map *m)
{
	const struct pulling *p = &m->pulling;
	if (!p->open)
		return 0;
	uint64_t h = mix_actor(1, p->peer);
	h = mix(h, (uint64_t)p->first << 1 | p->begun);
	h = mix(h, p->nonce);
	if (!p->begun)
		return h;
	h = mix(mix(h, p->snapshot), p->packets);
	h = mix(mix(mix(h, p->base), p->asked), p->got_count);
	for (uint32_t i = 0; i < m->got_words && i * 64 < p->packets; i++)
		h = mix(h, p->got[i]);
	return mix_vector(h, &p->vector);
}

static uint64_t hash_serving(const struct map *m, const struct serving *sv, uint64_t now_ns)
{
	uint64_t h = mix(mix_actor(2, sv->asker), sv->nonce);
	h = mix(mix(h, sv->snapshot), sv->packets);
	h = mix(h, now_ns - sv->last_ns >= m->config.resend_ns / 2);
	for (uint32_t i = 0; i < sv->ref_count; i++)
		h = mix(h, hash_record(store_at(&m->store, sv->refs[i])));
	for (uint32_t i = 0; i <= sv->data_packets; i++)
		h = mix(h, sv->starts[i]);
	return mix_vector(h, &sv->vector);
}

static uint64_t hash_map(const struct map *m, uint64_t now_ns)
{
	struct version_vector vv;
	uint64_t records = 0, sessions = 0, h = mix_actor(3, m->self);
	for (uint32_t b = 0; b <= m->store.bucket_mask; b++)
		for (record_ref ref = m->store.buckets[b]; ref != 0;
			ref = store_at(&m->store, ref)->next)
			records += hash_record(store_at(&m->store, ref));
	for (int i = 0; i < MAP_SESSIONS_MAX; i++)
		if (m->serving[i].open)
			sessions += hash_serving(m, &m->serving[i], now_ns);
	map_vector_owner(m, &vv);
	h = mix_vector(mix(mix(h, records), sessions), &vv);
	h = mix(mix(h, hash_pulling(m)), m->next_snapshot);
	return mix(mix(h, map_floor(m)), (uint64_t)map_ready(m));
}

uint64_t world_hash_replica(const struct world *w, uint32_t a)
{
	const struct node *n = &w->nodes[a];
	if (!n->up)
		return mix(0, w->epochs[a]);
	uint64_t h = mix(mix(a, n->epoch), (uint64_t)n->life << 32 | n->pulls);
	for (uint32_t i = 0; i < w->replicas; i++)
		h = mix(h, (uint64_t)n->sees[i] << 1 | n->forgotten[i]);
	return mix(h, hash_map(world_map(a), n->now_ns));
}

uint64_t world_hash_rest(const struct world *w)
{
	uint64_t h = 4, sum = 0;
	for (uint32_t i = 0; i < w->replicas; i++) {
		h = mix(h, (uint64_t)w->epochs[i] << 8 | w->writes[i]);
		for (uint32_t n = 0; n < w->writes[i]; n++)
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
		uint64_t e = mix(x->key, (uint64_t)x->life << 16 | (uint64_t)x->by << 8 | x->origin);
		sum += mix_dot(mix(e, x->clock), x->author);
	}
	return mix(h, sum);
}
