#include <assert.h>
#include <errno.h>
#include <string.h>

#include "seal/internal.h"

static uint32_t bucket_word(uint64_t hash, uint32_t life)
{
	return (uint32_t)(hash >> 48) << 16 | (life + 1);
}

static struct life *free_life(struct seal *seal)
{
	for (uint32_t i = 0; i < SEAL_LIVES_MAX; i++)
		if (seal->lives[i].state == LIFE_FREE)
			return &seal->lives[i];
	return NULL;
}

/* Who is no member and has been known for longest. Its place is free after a grace period. */
static void make_room(struct seal *seal)
{
	struct life *oldest = NULL;
	for (uint32_t i = 0; i < SEAL_LIVES_MAX; i++) {
		struct life *l = &seal->lives[i];
		if (l->state == LIFE_HELD && !l->member &&
			(oldest == NULL || l->used < oldest->used))
			oldest = l;
	}
	if (oldest != NULL)
		life_retire(seal, oldest);
}

static _Atomic uint32_t *free_bucket(struct seal *seal, uint64_t hash)
{
	for (uint32_t i = 0; i < LIFE_PROBES; i++) {
		_Atomic uint32_t *b = &seal->buckets[(hash + i) & (LIFE_BUCKETS - 1)];
		if (atomic_load_explicit(b, memory_order_relaxed) == 0)
			return b;
	}
	return NULL;
}

static int give_sessions(struct seal *seal, struct life *l)
{
	for (uint32_t slot = 0; slot < SEAL_KEYS_MAX; slot++) {
		if (!seal_slot_is_held(seal, slot))
			continue;
		void *session = seal_session(seal, slot, l->actor, l->instance, false);
		if (session == NULL)
			return -ENOMEM;
		atomic_store_explicit(&l->sessions[slot], session, memory_order_relaxed);
	}
	return 0;
}

struct life *life_create(struct seal *seal, struct actor actor, uint64_t instance, int *error)
{
	uint64_t hash = life_hash(actor, instance);
	_Atomic uint32_t *bucket = free_bucket(seal, hash);
	struct life *l = free_life(seal);
	*error = 0;
	if (l == NULL || bucket == NULL) {
		make_room(seal);
		seal_tick_owner(seal); /* at once if no lane runs */
		l = free_life(seal);
		bucket = free_bucket(seal, hash);
		if (l == NULL || bucket == NULL) {
			*error = -ENOSPC;
			return NULL;
		}
	}
	l->actor = actor;
	l->instance = instance;
	l->member = false;
	l->used = ++seal->clock;
	atomic_store_explicit(&l->last_key, 0, memory_order_relaxed);
	for (uint8_t lane = 0; lane < SW_LANES_MAX; lane++) /* nobody can find it yet */
		memset(life_window(seal, l, lane), 0, sizeof(struct window));
	*error = give_sessions(seal, l);
	if (*error < 0) {
		for (uint32_t slot = 0; slot < SEAL_KEYS_MAX; slot++)
			seal_free_session(seal, &l->sessions[slot]);
		return NULL;
	}
	l->state = LIFE_HELD;
	atomic_fetch_add_explicit(&seal->life_count, 1, memory_order_relaxed);
	atomic_store_explicit(
		bucket, bucket_word(hash, (uint32_t)(l - seal->lives)), memory_order_release);
	return l;
}

void life_retire(struct seal *seal, struct life *l)
{
	uint64_t hash = life_hash(l->actor, l->instance);
	uint32_t word = bucket_word(hash, (uint32_t)(l - seal->lives));
	assert(l->state == LIFE_HELD);
	for (uint32_t i = 0; i < LIFE_PROBES; i++) {
		_Atomic uint32_t *b = &seal->buckets[(hash + i) & (LIFE_BUCKETS - 1)];
		if (atomic_load_explicit(b, memory_order_relaxed) == word)
			atomic_store_explicit(b, 0, memory_order_release);
	}
	l->state = LIFE_RETIRED;
	atomic_fetch_sub_explicit(&seal->life_count, 1, memory_order_relaxed);
}

bool seal_knows(const struct seal *seal, struct actor sender, uint64_t instance)
{
	return life_find(seal, sender, instance) != NULL;
}

int seal_life_owner(struct seal *seal, struct actor sender, uint64_t instance)
{
	int error;
	if (life_find(seal, sender, instance) != NULL)
		return 0;
	(void)life_create(seal, sender, instance, &error);
	return error;
}

static uint32_t slot_of(const struct seal *seal, uint8_t key_id)
{
	return atomic_load_explicit(&seal->slot_of_id[key_id], memory_order_acquire);
}

int seal_admit_owner(struct seal *seal, const uint8_t *packet, const struct wire_header *h)
{
	uint8_t key[SEAL_PACKET_KEY_LEN];
	uint32_t slot = slot_of(seal, h->key_id);
	if (slot == NO_SLOT || h->key_id == WIRE_KEY_CLEAR)
		return -ENOKEY;
	if (life_find(seal, h->sender, h->instance) != NULL)
		return 0;
	if (seal_derive(&seal->keys[slot], seal->cluster, h->sender, h->instance, key) < 0)
		return -ENOMEM;
	bool authentic = seal_check(key, packet, h, NULL);
	explicit_bzero(key, sizeof(key));
	return authentic ? seal_life_owner(seal, h->sender, h->instance) : -EBADMSG;
}

static bool is_listed(const struct life *l, const struct actor *members, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (actor_equal(l->actor, members[i]))
			return true;
	return false;
}

void seal_members_owner(struct seal *seal, const struct actor *members, uint32_t count)
{
	for (uint32_t i = 0; i < SEAL_LIVES_MAX; i++)
		if (seal->lives[i].state == LIFE_HELD)
			seal->lives[i].member = is_listed(&seal->lives[i], members, count);
}

uint8_t seal_life_key(const struct seal *seal, struct actor sender, uint64_t instance)
{
	const struct life *l = life_find(seal, sender, instance);
	return l == NULL ? 0 : atomic_load_explicit(&l->last_key, memory_order_relaxed);
}

uint32_t seal_lives(const struct seal *seal)
{
	return atomic_load_explicit(&seal->life_count, memory_order_relaxed);
}
