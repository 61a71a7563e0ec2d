#include "seen.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static struct seen_slot *find(const struct seen *seen, uint64_t key)
{
	uint64_t at = key & (seen->slots_size - 1);
	while (seen->slots[at].key != 0 && seen->slots[at].key != key)
		at = (at + 1) & (seen->slots_size - 1);
	return &seen->slots[at];
}

static int grow_slots(struct seen *seen)
{
	struct seen larger = *seen;
	larger.slots_size = seen->slots_size == 0 ? 1 << 14 : seen->slots_size * 2;
	larger.slots = calloc(larger.slots_size, sizeof(larger.slots[0]));
	if (larger.slots == NULL)
		return -ENOMEM;
	for (uint64_t i = 0; i < seen->slots_size; i++)
		if (seen->slots[i].key != 0)
			*find(&larger, seen->slots[i].key) = seen->slots[i];
	free(seen->slots);
	*seen = larger;
	return 0;
}

static int grow_entries(struct seen *seen)
{
	uint64_t cap = seen->entries_cap == 0 ? 1 << 12 : seen->entries_cap * 2;
	struct seen_entry *larger = realloc(seen->entries, cap * sizeof(larger[0]));
	if (larger == NULL)
		return -ENOMEM;
	seen->entries = larger;
	seen->entries_cap = cap;
	return 0;
}

static bool covers(const struct seen_entry *e, const uint64_t *messages)
{
	for (int i = 0; i < SEEN_WORDS; i++)
		if ((messages[i] & ~e->messages[i]) != 0)
			return false;
	return true;
}

int seen_add(struct seen *seen, uint64_t key, const uint64_t messages[SEEN_WORDS])
{
	key += key == 0;
	if (seen->keys * 2 >= seen->slots_size && grow_slots(seen) != 0)
		return -ENOMEM;
	if (seen->count == seen->entries_cap && grow_entries(seen) != 0)
		return -ENOMEM;
	struct seen_slot *slot = find(seen, key);
	for (uint32_t at = slot->first; at != 0; at = seen->entries[at - 1].next)
		if (covers(&seen->entries[at - 1], messages))
			return 0;
	struct seen_entry *e = &seen->entries[seen->count++];
	for (int i = 0; i < SEEN_WORDS; i++)
		e->messages[i] = messages[i];
	e->next = slot->first;
	seen->keys += slot->key == 0;
	slot->key = key;
	slot->first = (uint32_t)seen->count;
	return 1;
}

void seen_fini(struct seen *seen)
{
	free(seen->slots);
	free(seen->entries);
}
