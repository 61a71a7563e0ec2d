#include "nic/neighbour.h"

#include <assert.h>
#include <errno.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the MAC is the word's first six bytes");
_Static_assert((NEIGHBOUR_SLOTS & (NEIGHBOUR_SLOTS - 1)) == 0, "slots wrap by a mask");
_Static_assert(sizeof(struct neighbour) == 32, "an entry never straddles a cache line");

uint64_t neighbour_word(enum neighbour_state state, const uint8_t mac[6])
{
	uint64_t word = 0;
	if (mac != NULL)
		memcpy(&word, mac, 6);
	return word | (uint64_t)state << 48;
}

int neighbour_find(const struct neighbours *table, const uint8_t addr[16])
{
	uint32_t slot = neighbour_home(addr);
	for (uint32_t i = 0; i < NEIGHBOUR_SLOTS; i++) {
		const struct neighbour *n = &table->slots[slot];
		if (atomic_load_explicit(&n->word, memory_order_acquire) == 0)
			return -ENOENT;
		if (memcmp(n->addr, addr, sizeof(n->addr)) == 0)
			return (int)slot;
		slot = (slot + 1) & (NEIGHBOUR_SLOTS - 1);
	}
	return -ENOENT;
}

int neighbour_claim_owner(struct neighbours *table, const uint8_t addr[16])
{
	int found = neighbour_find(table, addr);
	if (found >= 0)
		return found;
	if (table->count == NEIGHBOURS_MAX)
		return -ENOSPC;
	uint32_t slot = neighbour_home(addr);
	while (atomic_load_explicit(&table->slots[slot].word, memory_order_relaxed) != 0)
		slot = (slot + 1) & (NEIGHBOUR_SLOTS - 1);
	memcpy(table->slots[slot].addr, addr, sizeof(table->slots[slot].addr));
	table->count++;
	neighbour_set_owner(table, (int)slot, NEIGHBOUR_UNKNOWN, NULL);
	return (int)slot;
}

void neighbour_set_owner(
	struct neighbours *table, int slot, enum neighbour_state state, const uint8_t mac[6])
{
	assert(slot >= 0 && slot < NEIGHBOUR_SLOTS);
	assert(state != NEIGHBOUR_FREE);
	assert(state == NEIGHBOUR_UNKNOWN || mac != NULL);
	atomic_store_explicit(
		&table->slots[slot].word, neighbour_word(state, mac), memory_order_release);
}
