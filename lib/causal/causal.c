#include "causal/causal.h"

#include <errno.h>
#include <string.h>

#include "base/random.h"

void vv_clear(struct version_vector *vv)
{
	vv->count = 0;
}

void vv_copy(struct version_vector *to, const struct version_vector *from)
{
	to->count = from->count;
	memcpy(to->entries, from->entries, from->count * sizeof(from->entries[0]));
}

/* The first index whose actor is not below the one asked for. */
static uint32_t lower_bound(const struct version_vector *vv, struct actor actor)
{
	uint32_t lo = 0, hi = vv->count;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (actor_compare(vv->entries[mid].actor, actor) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_at(const struct version_vector *vv, uint32_t i, struct actor actor)
{
	return i < vv->count && actor_equal(vv->entries[i].actor, actor);
}

uint64_t vv_get(const struct version_vector *vv, struct actor actor)
{
	uint32_t i = lower_bound(vv, actor);
	return is_at(vv, i, actor) ? vv->entries[i].seq : 0;
}

int vv_raise(struct version_vector *vv, struct actor actor, uint64_t seq)
{
	if (seq == 0)
		return 0;
	uint32_t i = lower_bound(vv, actor);
	if (is_at(vv, i, actor)) {
		vv->entries[i].seq = vv_seq_join(vv->entries[i].seq, seq);
		return 0;
	}
	if (vv->count == SW_ACTORS_MAX)
		return -ENOSPC;
	memmove(&vv->entries[i + 1], &vv->entries[i], (vv->count - i) * sizeof(vv->entries[0]));
	vv->entries[i] = (struct vv_entry){actor, seq};
	vv->count++;
	return 0;
}

int vv_join(struct version_vector *vv, const struct version_vector *other)
{
	int result = 0;
	for (uint32_t i = 0; i < other->count; i++) {
		int rc = vv_raise(vv, other->entries[i].actor, other->entries[i].seq);
		if (rc < 0)
			result = rc;
	}
	return result;
}

bool vv_covers(const struct version_vector *vv, struct dot dot)
{
	return vv_get(vv, dot.actor) >= dot.seq;
}

bool vv_dominates(const struct version_vector *a, const struct version_vector *b)
{
	uint32_t i = 0;
	for (uint32_t j = 0; j < b->count; j++) {
		while (i < a->count && actor_compare(a->entries[i].actor, b->entries[j].actor) < 0)
			i++;
		if (!is_at(a, i, b->entries[j].actor) ||
			vv_reach(a->entries[i].seq) < vv_reach(b->entries[j].seq))
			return false;
	}
	return true;
}

enum vv_order vv_compare(const struct version_vector *a, const struct version_vector *b)
{
	bool a_covers = vv_dominates(a, b);
	bool b_covers = vv_dominates(b, a);
	if (a_covers)
		return b_covers ? VV_EQUAL : VV_AFTER;
	return b_covers ? VV_BEFORE : VV_CONCURRENT;
}

uint64_t vv_hash(const struct version_vector *vv)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < vv->count; i++)
		sum += vv_seq_hash(vv_actor_hash(vv->entries[i].actor), vv->entries[i].seq);
	return sum;
}
