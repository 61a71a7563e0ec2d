/* Actors, dots and version vectors.
 *
 * An actor is one life of a server: (id, epoch). It numbers its writes 1, 2, 3, …; (actor, seq) is
 * a dot. A version vector says for each actor up to which seq its holder has everything, or
 * something newer (Parker et al., Detection of Mutual Inconsistency in Distributed Systems, 1983;
 * dots after Preguiça et al., Dotted Version Vectors, 2010).
 *
 * A vector is kept sorted by (id, epoch) and holds SW_ACTORS_MAX actors at most; seq 0 is never
 * stored. Bit 63 of a seq is kept free for closed epochs (see docs/wire.md). Pure; one owner each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct actor {
	uint64_t id;
	uint32_t epoch;
};

struct dot {
	struct actor actor;
	uint64_t seq; /* 1 … SEQ_MAX */
};

#define SEQ_MAX (UINT64_MAX >> 1)

struct vv_entry {
	struct actor actor;
	uint64_t seq;
};

struct version_vector {
	uint32_t count;
	struct vv_entry entries[SW_ACTORS_MAX];
};

enum vv_order { VV_EQUAL, VV_BEFORE, VV_AFTER, VV_CONCURRENT };

static inline int actor_compare(struct actor a, struct actor b)
{
	if (a.id != b.id)
		return a.id < b.id ? -1 : 1;
	if (a.epoch != b.epoch)
		return a.epoch < b.epoch ? -1 : 1;
	return 0;
}

static inline bool actor_equal(struct actor a, struct actor b)
{
	return a.id == b.id && a.epoch == b.epoch;
}

static inline bool dot_equal(struct dot a, struct dot b)
{
	return actor_equal(a.actor, b.actor) && a.seq == b.seq;
}

void vv_clear(struct version_vector *vv);
void vv_copy(struct version_vector *to, const struct version_vector *from);

/* The seq held of an actor, 0 if none. */
uint64_t vv_get(const struct version_vector *vv, struct actor actor);

/* Raises one entry to seq (never lowers it). 0, or -ENOSPC for a new actor in a full vector. */
int vv_raise(struct version_vector *vv, struct actor actor, uint64_t seq);

/* Pointwise maximum into `vv`. 0, or -ENOSPC if an actor did not fit (the others are joined). */
int vv_join(struct version_vector *vv, const struct version_vector *other);

/* Does vv cover the dot? */
bool vv_covers(const struct version_vector *vv, struct dot dot);

/* Does a cover everything that b covers? */
bool vv_dominates(const struct version_vector *a, const struct version_vector *b);

/* Of a, seen from b: VV_BEFORE if b covers more. */
enum vv_order vv_compare(const struct version_vector *a, const struct version_vector *b);

/* Equal vectors have equal hashes; the empty vector has 0. Does not depend on order of insertion.
 */
uint64_t vv_hash(const struct version_vector *vv);

/* The share of one entry in vv_hash(), which is their sum: for vectors kept up to date in place. */
uint64_t vv_entry_hash(struct actor actor, uint64_t seq);
