/* The states that were seen: of each set of tables, with which messages under way. The network only
 * grows, and more messages only make more steps possible: a state is covered by one that was seen
 * with the same tables and at least its messages. Tables are known by 64-bit hashes: of a million,
 * two share one with a probability of 3e-8. */
#pragma once

#include <stdint.h>

enum { SEEN_WORDS = 8 };

struct seen_slot {
	uint64_t key;   /* 0: free */
	uint32_t first; /* entry + 1 */
};

struct seen_entry {
	uint64_t messages[SEEN_WORDS];
	uint32_t next; /* entry + 1; 0: the last */
};

struct seen {
	struct seen_slot *slots;
	struct seen_entry *entries;
	uint64_t slots_size, keys, entries_cap, count;
};

/* 1: was not covered, and is now; 0: is; -ENOMEM. */
int seen_add(struct seen *seen, uint64_t key, const uint64_t messages[SEEN_WORDS]);
void seen_fini(struct seen *seen);
