/* What lanes read and the owner writes. Private to lib/seal. */
#pragma once

#include <stdatomic.h>

#include <rte_rcu_qsbr.h>

#include "base/random.h"
#include "seal/device.h"
#include "seal/window.h"

enum {
	LIFE_BUCKETS = 4 * SEAL_LIVES_MAX,
	LIFE_PROBES = 8, /* buckets that a lane looks at, always all of them */
	NO_SLOT = 0xff,
};

_Static_assert((LIFE_BUCKETS & (LIFE_BUCKETS - 1)) == 0, "buckets are masked");

/* Retired: lanes find it no longer. Waiting: for the grace period after which its sessions, which
 * a lane may have in hand until then, are freed. */
enum life_state { LIFE_FREE, LIFE_HELD, LIFE_RETIRED, LIFE_WAITING };

/* Of another server: one line, which is what opening a packet reads. */
struct life {
	struct actor actor; /* owner: rw, lanes: ro while it is in a bucket */
	uint64_t instance;
	_Atomic(void *) sessions[SEAL_KEYS_MAX]; /* owner: rw, lanes: ro */
	_Atomic uint8_t last_key;                /* lanes: rw, anyone: ro */
	uint8_t state;                           /* owner */
	bool member;                             /* owner: keeps its place */
	uint32_t used;                           /* owner: when it was learned */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct life) == 64, "a life is one line");

struct seal_sender {
	struct actor actor;
	uint64_t instance;
	uint8_t header[WIRE_HEADER_LEN]; /* of its packets, with key, lane and counter zero */
	_Atomic(void *) sessions[SEAL_KEYS_MAX]; /* owner: rw, lanes: ro */
	uint8_t state;                           /* owner */
};

struct lane_counter {
	uint64_t next; /* its lane's alone */
} __attribute__((aligned(64)));

struct seal {
	struct device device;
	uint32_t cluster;
	uint16_t lanes;
	uint16_t senders_max;
	struct rte_rcu_qsbr *rcu;

	/* keys by slot; owner: rw, lanes: ro */
	_Atomic uint8_t slot_of_id[256];
	_Atomic uint32_t send;               /* slot << 8 | id: read as one */
	struct seal_key keys[SEAL_KEYS_MAX]; /* owner; id 0: free */

	_Atomic uint32_t buckets[LIFE_BUCKETS]; /* fingerprint << 16 | (life + 1); 0: empty */
	struct life *lives;                     /* SEAL_LIVES_MAX */
	struct window *windows;        /* SEAL_LIVES_MAX for each of a sender's lanes; lanes: rw */
	struct seal_sender *senders;   /* senders_max */
	struct lane_counter *counters; /* of each lane */

	/* owner */
	uint32_t clock; /* counts what was learned: who came first goes first */
	_Atomic uint32_t life_count;
	uint8_t leaving_slots; /* bit i: slot i is to be freed after the next grace period */
	uint8_t waiting_slots; /* after this one */
	bool in_grace;
	uint64_t token;
};

/* The instance is random: one multiplication (Knuth, vol. 3, 6.4) spreads what an attacker may
 * choose. */
static inline uint64_t life_hash(struct actor actor, uint64_t instance)
{
	uint64_t hash = (instance ^ (actor.id + actor.epoch)) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static inline struct life *life_find(const struct seal *seal, struct actor actor, uint64_t instance)
{
	uint64_t hash = life_hash(actor, instance);
	uint32_t print = (uint32_t)(hash >> 48);
	for (uint32_t i = 0; i < LIFE_PROBES; i++) {
		uint32_t word = atomic_load_explicit(
			&seal->buckets[(hash + i) & (LIFE_BUCKETS - 1)], memory_order_acquire);
		if (word == 0 || word >> 16 != print)
			continue;
		struct life *l = &seal->lives[(word & 0xffff) - 1];
		if (l->instance == instance && actor_equal(l->actor, actor))
			return l;
	}
	return NULL;
}

/* The windows of one lane lie side by side: most senders use one. */
static inline struct window *life_window(
	const struct seal *seal, const struct life *life, uint8_t lane)
{
	return &seal->windows[lane * SEAL_LIVES_MAX + (life - seal->lives)];
}

/* lives.c */
struct life *life_create(struct seal *seal, struct actor actor, uint64_t instance, int *error);
void life_retire(struct seal *seal, struct life *life);

/* seal.c */
void *seal_session(const struct seal *seal, uint32_t slot, struct actor actor, uint64_t instance,
	bool encrypt);
void seal_free_session(const struct seal *seal, _Atomic(void *) *session);
bool seal_slot_is_held(const struct seal *seal, uint32_t slot);
