#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seal/choose.h"
#include "seal/internal.h"

bool seal_slot_is_held(const struct seal *seal, uint32_t slot)
{
	uint8_t id = seal->keys[slot].id;
	return id != 0 && !((seal->leaving_slots | seal->waiting_slots) >> slot & 1);
}

void *seal_session(
	const struct seal *seal, uint32_t slot, struct actor actor, uint64_t instance, bool encrypt)
{
	uint8_t key[SEAL_PACKET_KEY_LEN];
	void *session = NULL;
	if (seal_derive(&seal->keys[slot], seal->cluster, actor, instance, key) == 0)
		session = device_session(&seal->device, key, encrypt);
	explicit_bzero(key, sizeof(key));
	return session;
}

void seal_free_session(const struct seal *seal, _Atomic(void *) *session)
{
	void *old = atomic_exchange_explicit(session, NULL, memory_order_acq_rel);
	if (old != NULL)
		device_session_free(&seal->device, old);
}

/* ---- grace periods ---- */

/* All sessions of who is gone, and of others those under keys that are gone. */
static void free_sessions(const struct seal *seal, _Atomic(void *) *sessions, uint8_t *state)
{
	for (uint32_t slot = 0; slot < SEAL_KEYS_MAX; slot++)
		if (*state == LIFE_WAITING || (seal->waiting_slots >> slot & 1) != 0)
			seal_free_session(seal, &sessions[slot]);
	if (*state == LIFE_WAITING)
		*state = LIFE_FREE;
}

static void free_waiting(struct seal *seal)
{
	for (uint32_t i = 0; i < SEAL_LIVES_MAX; i++)
		free_sessions(seal, seal->lives[i].sessions, &seal->lives[i].state);
	for (uint32_t i = 0; i < seal->senders_max; i++)
		free_sessions(seal, seal->senders[i].sessions, &seal->senders[i].state);
	for (uint32_t slot = 0; slot < SEAL_KEYS_MAX; slot++)
		if ((seal->waiting_slots >> slot & 1) != 0)
			explicit_bzero(&seal->keys[slot], sizeof(seal->keys[slot]));
	seal->waiting_slots = 0;
	seal->in_grace = false;
}

static bool let_wait(uint8_t *state)
{
	if (*state != LIFE_RETIRED)
		return false;
	*state = LIFE_WAITING;
	return true;
}

/* Everything that was retired so far waits together. */
static bool begin_grace(struct seal *seal)
{
	bool any = seal->leaving_slots != 0;
	seal->waiting_slots = seal->leaving_slots;
	seal->leaving_slots = 0;
	for (uint32_t i = 0; i < SEAL_LIVES_MAX; i++)
		any |= let_wait(&seal->lives[i].state);
	for (uint32_t i = 0; i < seal->senders_max; i++)
		any |= let_wait(&seal->senders[i].state);
	return any;
}

void seal_tick_owner(struct seal *seal)
{
	if (seal->in_grace) {
		if (seal->rcu != NULL && rte_rcu_qsbr_check(seal->rcu, seal->token, false) != 1)
			return;
		free_waiting(seal);
	}
	if (!begin_grace(seal))
		return;
	seal->in_grace = true;
	if (seal->rcu != NULL)
		seal->token = rte_rcu_qsbr_start(seal->rcu);
	else
		free_waiting(seal);
}

/* ---- senders ---- */

struct seal_sender *seal_sender_create_owner(
	struct seal *seal, struct actor sender, uint64_t instance)
{
	struct seal_sender *s = NULL;
	for (uint32_t i = 0; i < seal->senders_max && s == NULL; i++)
		if (seal->senders[i].state == LIFE_FREE)
			s = &seal->senders[i];
	if (s == NULL)
		return NULL;
	struct wire_header h = {.body_len = WIRE_PRELUDE_LEN,
		.cluster = seal->cluster,
		.sender = sender,
		.instance = instance};
	s->actor = sender;
	s->instance = instance;
	wire_put_header(s->header, &h);
	for (uint32_t slot = 0; slot < SEAL_KEYS_MAX; slot++) {
		void *session = NULL;
		if (seal_slot_is_held(seal, slot)) {
			session = seal_session(seal, slot, sender, instance, true);
			if (session == NULL) {
				for (uint32_t i = 0; i < slot; i++)
					seal_free_session(seal, &s->sessions[i]);
				return NULL;
			}
		}
		atomic_store_explicit(&s->sessions[slot], session, memory_order_release);
	}
	s->state = LIFE_HELD;
	return s;
}

void seal_sender_retire_owner(struct seal_sender *s)
{
	assert(s->state == LIFE_HELD);
	s->state = LIFE_RETIRED;
}

struct actor seal_sender_actor(const struct seal_sender *s)
{
	return s->actor;
}

uint8_t seal_send_id(const struct seal *seal)
{
	return (uint8_t)(atomic_load_explicit(&seal->send, memory_order_relaxed) & 0xff);
}

/* ---- creation ---- */

static void publish_key(struct seal *seal, uint32_t slot, const struct seal_key *key)
{
	seal->keys[slot] = *key;
	atomic_store_explicit(&seal->slot_of_id[key->id], (uint8_t)slot, memory_order_release);
}

static int take_memory(struct seal *seal)
{
	seal->lives = aligned_alloc(64, SEAL_LIVES_MAX * sizeof(seal->lives[0]));
	seal->counters = aligned_alloc(64, seal->lanes * sizeof(seal->counters[0]));
	seal->senders = calloc(seal->senders_max, sizeof(seal->senders[0]));
	size_t windows = (size_t)SW_LANES_MAX * SEAL_LIVES_MAX * sizeof(seal->windows[0]);
	seal->windows = aligned_alloc(64, windows);
	if (seal->lives == NULL || seal->windows == NULL || seal->counters == NULL ||
		seal->senders == NULL)
		return -ENOMEM;
	/* Written, so that no lane is the first to touch a page. */
	memset(seal->lives, 0, SEAL_LIVES_MAX * sizeof(seal->lives[0]));
	memset(seal->windows, 0, windows);
	return 0;
}

int seal_create(const struct seal_config *config, const struct seal_keyring *ring,
	struct seal **result, char *choice, char *error)
{
	assert(config->lanes > 0 && config->lanes <= SW_LANES_MAX);
	assert(config->senders_max > 0 && config->senders_max <= SEAL_SENDERS_MAX);
	struct seal *seal = calloc(1, sizeof(*seal));
	int rc = -ENOMEM;
	if (seal == NULL) {
		(void)snprintf(error, SEAL_ERROR_MAX, "no memory for sealing");
		return rc;
	}
	seal->cluster = config->cluster;
	seal->lanes = config->lanes;
	seal->senders_max = config->senders_max;
	seal->rcu = config->rcu;
	uint32_t sessions = (SEAL_LIVES_MAX + seal->senders_max) * SEAL_KEYS_MAX;
	rc = take_memory(seal);
	if (rc < 0)
		(void)snprintf(error, SEAL_ERROR_MAX, "no memory for sealing");
	else
		rc = choose_device(config, sessions, &seal->device, choice, error);
	if (rc < 0) {
		seal_destroy(seal);
		return rc;
	}
	for (uint16_t i = 0; i < seal->lanes; i++)
		seal->counters[i].next = config->first_counter == 0 ? 1 : config->first_counter;
	memset(seal->slot_of_id, NO_SLOT, sizeof(seal->slot_of_id));
	for (uint32_t i = 0; i < ring->count; i++) {
		publish_key(seal, i, &ring->keys[i]);
		if (ring->keys[i].id == ring->send_id)
			atomic_store(&seal->send, i << 8 | ring->send_id);
	}
	*result = seal;
	return 0;
}

void seal_destroy(struct seal *seal)
{
	if (seal == NULL)
		return;
	seal->rcu = NULL; /* nobody runs any more */
	for (uint32_t i = 0; seal->device.name != NULL && i < SEAL_LIVES_MAX; i++)
		if (seal->lives[i].state == LIFE_HELD)
			life_retire(seal, &seal->lives[i]);
	for (uint32_t i = 0; seal->device.name != NULL && i < seal->senders_max; i++)
		if (seal->senders[i].state == LIFE_HELD)
			seal_sender_retire_owner(&seal->senders[i]);
	if (seal->device.name != NULL) {
		seal_tick_owner(seal);
		seal_tick_owner(seal);
	}
	device_close(&seal->device);
	free(seal->senders);
	free(seal->counters);
	free(seal->windows);
	free(seal->lives);
	explicit_bzero(seal->keys, sizeof(seal->keys));
	free(seal);
}
