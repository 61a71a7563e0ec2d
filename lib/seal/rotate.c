/* From one keyring to the next, while lanes run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "seal/internal.h"

static bool has_id(const struct seal_keyring *ring, uint8_t id)
{
	return seal_keyring_find(ring, id) != NULL;
}

static uint32_t slot_of(const struct seal *seal, uint8_t id)
{
	return atomic_load_explicit(&seal->slot_of_id[id], memory_order_relaxed);
}

/* Slots of keys that are gone are free after a grace period only. */
static int check(const struct seal *seal, const struct seal_keyring *ring, char *error)
{
	uint32_t news = 0, free_slots = 0;
	for (uint32_t i = 0; i < ring->count; i++) {
		const struct seal_key *key = &ring->keys[i];
		uint32_t slot = slot_of(seal, key->id);
		if (slot == NO_SLOT) {
			news++;
		} else if (memcmp(seal->keys[slot].bytes, key->bytes, sizeof(key->bytes)) != 0) {
			(void)snprintf(error, SEAL_ERROR_MAX,
				"key %u is another key than before; a new key needs a new id",
				key->id);
			return -EINVAL;
		}
	}
	for (uint32_t slot = 0; slot < SEAL_KEYS_MAX; slot++)
		free_slots += seal->keys[slot].id == 0;
	if (news > free_slots) {
		(void)snprintf(error, SEAL_ERROR_MAX,
			"no room for %u new key%s beside those in use: remove old keys in a step "
			"of "
			"its own, or try again in a moment",
			news, news == 1 ? "" : "s");
		return -EBUSY;
	}
	return 0;
}

/* Nobody opens with it from now on; whoever is about to keeps its sessions for a grace period. */
static void take_back(struct seal *seal, uint32_t slot)
{
	atomic_store_explicit(
		&seal->slot_of_id[seal->keys[slot].id], NO_SLOT, memory_order_release);
	seal->leaving_slots |= (uint8_t)(1 << slot);
}

/* Sessions of every life first, then the id: who finds the key finds the session. */
static int bring_in(struct seal *seal, const struct seal_key *key, uint32_t slot)
{
	seal->keys[slot] = *key;
	for (uint32_t i = 0; i < SEAL_LIVES_MAX; i++) {
		struct life *l = &seal->lives[i];
		if (l->state != LIFE_HELD)
			continue;
		void *session = seal_session(seal, slot, l->actor, l->instance, false);
		if (session == NULL)
			return -ENOMEM;
		atomic_store_explicit(&l->sessions[slot], session, memory_order_release);
	}
	for (uint32_t i = 0; i < seal->senders_max; i++) {
		struct seal_sender *s = &seal->senders[i];
		if (s->state != LIFE_HELD)
			continue;
		void *session = seal_session(seal, slot, s->actor, s->instance, true);
		if (session == NULL)
			return -ENOMEM;
		atomic_store_explicit(&s->sessions[slot], session, memory_order_release);
	}
	atomic_store_explicit(&seal->slot_of_id[key->id], (uint8_t)slot, memory_order_release);
	return 0;
}

static uint32_t free_slot(const struct seal *seal)
{
	uint32_t slot = 0;
	while (seal->keys[slot].id != 0) /* check() has counted: there is one */
		slot++;
	return slot;
}

static int bring_in_all(struct seal *seal, const struct seal_keyring *ring, char *error)
{
	uint8_t brought[SEAL_KEYS_MAX];
	uint32_t count = 0;
	for (uint32_t i = 0; i < ring->count; i++) {
		const struct seal_key *key = &ring->keys[i];
		if (slot_of(seal, key->id) != NO_SLOT)
			continue;
		uint32_t slot = free_slot(seal);
		brought[count++] = (uint8_t)slot;
		int rc = bring_in(seal, key, slot);
		if (rc == 0)
			continue;
		while (count > 0)
			take_back(seal, brought[--count]);
		(void)snprintf(
			error, SEAL_ERROR_MAX, "no memory for sessions; raise memory.megabytes");
		return rc;
	}
	return 0;
}

int seal_keys_owner(struct seal *seal, const struct seal_keyring *ring, char *error)
{
	int rc = check(seal, ring, error);
	if (rc == 0)
		rc = bring_in_all(seal, ring, error);
	if (rc < 0)
		return rc;
	atomic_store_explicit(&seal->send, slot_of(seal, ring->send_id) << 8 | ring->send_id,
		memory_order_release);
	for (uint32_t slot = 0; slot < SEAL_KEYS_MAX; slot++) {
		if (seal_slot_is_held(seal, slot) && !has_id(ring, seal->keys[slot].id))
			take_back(seal, slot);
	}
	seal_tick_owner(seal);
	return 0;
}
