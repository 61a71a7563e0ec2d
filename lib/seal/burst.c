/* What lanes do: no allocation, lock, system call or key derivation from here on. */
#include <assert.h>

#include <rte_common.h>

#include "seal/internal.h"
#include "seal/nonce.h"
#include "wire/header.h"

static uint32_t slot_of(const struct seal *seal, uint8_t id)
{
	return atomic_load_explicit(&seal->slot_of_id[id], memory_order_acquire);
}

/* Cheapest first, so that junk ends before anything is deciphered. True: on to the device. */
static inline bool prepare_opening(const struct seal *seal, struct seal_packet *p)
{
	uint32_t slot = slot_of(seal, p->h.key_id);
	if (slot == NO_SLOT) {
		p->result = SEAL_KEY;
		return false;
	}
	if (!wire_header_is_valid(&p->h) || p->h.counter == 0 || p->h.counter > SEAL_COUNTER_MAX) {
		p->result = SEAL_RANGE;
		return false;
	}
	struct life *life = life_find(seal, p->h.sender, p->h.instance);
	p->session = life == NULL
			     ? NULL
			     : atomic_load_explicit(&life->sessions[slot], memory_order_acquire);
	if (p->session == NULL) {
		p->result = SEAL_SENDER;
		return false;
	}
	struct window *window = life_window(seal, life, p->h.lane);
	if (!window_may_accept(window, p->h.counter)) {
		p->result = SEAL_REPLAY;
		return false;
	}
	p->life = life;
	p->window = window;
	return true;
}

static inline void accept(struct seal_packet *p, bool alone)
{
	struct life *life = p->life;
	struct window *window = p->window;
	if (p->result != SEAL_OK)
		return;
	if (alone ? !window_accept_alone(window, p->h.counter)
		  : !window_accept(window, p->h.counter)) {
		p->result = SEAL_REPLAY;
		return;
	}
	/* Written when it changes only: the line is shared between lanes. */
	if (atomic_load_explicit(&life->last_key, memory_order_relaxed) != p->h.key_id)
		atomic_store_explicit(&life->last_key, p->h.key_id, memory_order_relaxed);
}

void seal_open_lane(struct seal *seal, uint16_t lane, struct seal_packet *packets, uint32_t count)
{
	struct seal_packet *list[SEAL_BURST];
	device_nonce nonces[SEAL_BURST];
	uint32_t n = 0;
	bool alone = seal->lanes == 1;
	assert(lane < seal->lanes && count <= SEAL_BURST);
	for (uint32_t i = 0; i < count; i++) {
		if (!prepare_opening(seal, &packets[i]))
			continue;
		seal_nonce(nonces[n], packets[i].h.lane, packets[i].h.counter);
		list[n++] = &packets[i];
	}
	if (n == 0)
		return;
	device_run(&seal->device, lane, list, nonces, n);
	for (uint32_t i = 0; i < n; i++)
		accept(list[i], alone);
}

/* Nothing that depends on the sender is looked up or put together here: a source of traffic speaks
 * as another one in each packet. */
static inline void prepare_sealing(const struct seal *seal, struct seal_packet *p, uint32_t send,
	uint8_t lane, uint64_t counter)
{
	const struct seal_sender *s = p->sender;
	uint16_t body_len = p->h.body_len;
	p->session = atomic_load_explicit(&s->sessions[send >> 8], memory_order_acquire);
	assert(p->session != NULL); /* every sender has one of the sending key */
	p->h = (struct wire_header){.key_id = (uint8_t)send,
		.lane = lane,
		.body_len = body_len,
		.cluster = seal->cluster,
		.sender = s->actor,
		.instance = s->instance,
		.counter = counter};
	wire_store_header_as(p->bytes, s->header, (uint8_t)send, lane, body_len, counter);
}

void seal_seal_lane(struct seal *seal, uint16_t lane, struct seal_packet *packets, uint32_t count)
{
	struct seal_packet *list[SEAL_BURST];
	device_nonce nonces[SEAL_BURST];
	uint64_t counter = seal->counters[lane].next;
	uint32_t send = atomic_load_explicit(&seal->send, memory_order_acquire), n = 0;
	assert(lane < seal->lanes && count <= SEAL_BURST);
	for (uint32_t i = 0; i < count; i++) {
		if (counter > SEAL_COUNTER_MAX) {
			packets[i].result = SEAL_EXHAUSTED;
			continue;
		}
		prepare_sealing(seal, &packets[i], send, (uint8_t)lane, counter);
		seal_nonce(nonces[n], (uint8_t)lane, counter++);
		list[n++] = &packets[i];
	}
	seal->counters[lane].next = counter;
	if (n > 0)
		device_run(&seal->device, lane, list, nonces, n);
}
