/* Which counters of one lane of one life have been seen. Private to lib/seal.
 *
 * A ring of words, each 48 bits of block number and 16 of bitmap; counter c belongs to block c / 16
 * and its word is that block modulo the ring (the block ring of RFC 6479, each block with its
 * number, so that there is no separate edge to keep in step). Counters are 1 … SEAL_COUNTER_MAX. A
 * word that holds a newer block tells that the counter is too old. One compare-and-swap accepts:
 * any number of lanes may share a window, and of two that accept the same counter at once one
 * loses.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "seal/seal.h"

enum { WINDOW_BLOCK = 16, WINDOW_WORDS = 64 };

_Static_assert(SEAL_WINDOW == (WINDOW_WORDS - 1) * WINDOW_BLOCK,
	"the newest block may hold one counter only");

/* As long as an odd number of cache lines: senders of like age use like words, and at a distance of
 * a power of two these would all be after the same few places of the cache. */
struct window {
	_Atomic uint64_t words[WINDOW_WORDS];
	uint64_t apart[8];
};

_Static_assert(sizeof(struct window) / 64 % 2 == 1, "windows are apart");

static inline bool window_admits(uint64_t word, uint64_t counter)
{
	uint64_t block = counter / WINDOW_BLOCK, held = word >> WINDOW_BLOCK;
	return block > held || (block == held && (word >> (counter % WINDOW_BLOCK) & 1) == 0);
}

/* Cheap, before anything is deciphered: false if it is a replay for certain. */
static inline bool window_may_accept(const struct window *w, uint64_t counter)
{
	uint64_t block = counter / WINDOW_BLOCK;
	return window_admits(
		atomic_load_explicit(&w->words[block % WINDOW_WORDS], memory_order_relaxed),
		counter);
}

/* Only of an authentic packet: true once for each counter. */
static inline bool window_accept(struct window *w, uint64_t counter)
{
	uint64_t block = counter / WINDOW_BLOCK;
	_Atomic uint64_t *word = &w->words[block % WINDOW_WORDS];
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed), next;
	do {
		if (!window_admits(seen, counter))
			return false;
		uint64_t kept = seen >> WINDOW_BLOCK == block ? seen : block << WINDOW_BLOCK;
		next = kept | UINT64_C(1) << (counter % WINDOW_BLOCK);
	} while (!atomic_compare_exchange_weak_explicit(
		word, &seen, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* The same where one lane alone writes: without the lock that it would hold for nobody. */
static inline bool window_accept_alone(struct window *w, uint64_t counter)
{
	uint64_t block = counter / WINDOW_BLOCK;
	_Atomic uint64_t *word = &w->words[block % WINDOW_WORDS];
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
	if (!window_admits(seen, counter))
		return false;
	uint64_t kept = seen >> WINDOW_BLOCK == block ? seen : block << WINDOW_BLOCK;
	atomic_store_explicit(
		word, kept | UINT64_C(1) << (counter % WINDOW_BLOCK), memory_order_relaxed);
	return true;
}
