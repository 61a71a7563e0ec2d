/* Notes to the neighbour table's writer: "find this address", or "this address has this MAC".
 *
 * A bounded ring, one producer and one consumer: each lane has one, and control has one. Full: the
 * note is lost, and the next datagram to that address writes it again.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { ASKS_MAX = 512 }; /* a power of two; above SW_MEMBERS_MAX + SW_SEEDS_MAX */

struct ask {
	uint8_t addr[16];
	uint8_t mac[6];
	bool learned; /* the MAC counts */
};

struct asks {
	_Alignas(64) _Atomic uint32_t head; /* producer: rw, consumer: ro */
	_Alignas(64) _Atomic uint32_t tail; /* consumer: rw, producer: ro */
	_Alignas(64) struct ask ring[ASKS_MAX];
};

static inline bool ask_put_spsc(struct asks *asks, const struct ask *ask)
{
	uint32_t head = atomic_load_explicit(&asks->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&asks->tail, memory_order_acquire);
	if (head - tail == ASKS_MAX)
		return false;
	asks->ring[head % ASKS_MAX] = *ask;
	atomic_store_explicit(&asks->head, head + 1, memory_order_release);
	return true;
}

static inline bool ask_get_spsc(struct asks *asks, struct ask *ask)
{
	uint32_t tail = atomic_load_explicit(&asks->tail, memory_order_relaxed);
	if (tail == atomic_load_explicit(&asks->head, memory_order_acquire))
		return false;
	*ask = asks->ring[tail % ASKS_MAX];
	atomic_store_explicit(&asks->tail, tail + 1, memory_order_release);
	return true;
}
