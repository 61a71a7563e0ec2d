/* Actors, dots and version vectors.
 *
 * An actor is one life of a server: (id, epoch). It numbers its writes 1, 2, 3, …; (actor, seq) is
 * a dot. A version vector says for each actor up to which seq its holder has everything, or
 * something newer (Parker et al., Detection of Mutual Inconsistency in Distributed Systems, 1983;
 * dots after Preguiça et al., Dotted Version Vectors, 2010).
 *
 * An epoch that is over is closed at a cap: VV_CLOSED | cap. Such an entry stands above every open
 * one, covers every dot of its actor (what lies beyond the cap has been given another dot), and of
 * two caps the smaller wins, so that join is still associative, commutative and idempotent.
 *
 * A vector is kept sorted by (id, epoch) and holds SW_ACTORS_MAX actors at most; seq 0 is never
 * stored. Pure; one owner each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/random.h"

struct actor {
	uint64_t id;
	uint32_t epoch;
};

struct dot {
	struct actor actor;
	uint64_t seq; /* 1 … SEQ_MAX */
};

#define SEQ_MAX   (UINT64_MAX >> 1)
#define VV_CLOSED (SEQ_MAX + 1) /* in an entry of a vector: the rest of its seq is the cap */

struct vv_entry {
	struct actor actor;
	uint64_t seq; /* as it is: 1 … SEQ_MAX, or VV_CLOSED | 1 … SEQ_MAX */
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

static inline bool vv_is_closed(uint64_t seq)
{
	return (seq & VV_CLOSED) != 0;
}

/* How far an entry reaches by what was written: the cap if it is closed. */
static inline uint64_t vv_reach(uint64_t seq)
{
	return seq & SEQ_MAX;
}

/* The join of two entries of one actor; 0 is none. */
static inline uint64_t vv_seq_join(uint64_t a, uint64_t b)
{
	if (vv_is_closed(a) && vv_is_closed(b))
		return a < b ? a : b;
	return a > b ? a : b;
}

void vv_clear(struct version_vector *vv);
void vv_copy(struct version_vector *to, const struct version_vector *from);

/* The entry of an actor as it is, 0 if none. */
uint64_t vv_get(const struct version_vector *vv, struct actor actor);

/* Joins one entry with seq. 0, or -ENOSPC for a new actor in a full vector. */
int vv_raise(struct version_vector *vv, struct actor actor, uint64_t seq);

/* Pointwise join into `vv`. 0, or -ENOSPC if an actor did not fit (the others are joined). */
int vv_join(struct version_vector *vv, const struct version_vector *other);

/* Does vv cover the dot? A closed epoch's dots are all covered. */
bool vv_covers(const struct version_vector *vv, struct dot dot);

/* Does a reach as far as b for every actor? Whether an epoch is closed does not count. */
bool vv_dominates(const struct version_vector *a, const struct version_vector *b);

/* Of a, seen from b: VV_BEFORE if b covers more. */
enum vv_order vv_compare(const struct version_vector *a, const struct version_vector *b);

/* Equal vectors have equal hashes; the empty vector has 0. Does not depend on order of insertion.
 */
uint64_t vv_hash(const struct version_vector *vv);

/* The share of one entry in vv_hash(), which is their sum: for vectors kept up to date in place. In
 * two steps, of which the first is the same for all entries of an actor. */
static inline uint64_t vv_actor_hash(struct actor actor)
{
	return sw_mix64(sw_mix64(actor.id) + actor.epoch);
}

static inline uint64_t vv_seq_hash(uint64_t actor_hash, uint64_t seq)
{
	return seq == 0 ? 0 : sw_mix64(actor_hash + seq);
}
