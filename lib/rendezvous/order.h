/* The order of a key's servers, one candidate at a time. Within lib/rendezvous only. */
#pragma once

#include <stdbool.h>

#include "rendezvous/rendezvous.h"

struct candidate {
	uint64_t
		score; /* 0 where all servers weigh the same: then the plain weight decides alone */
	uint64_t weight;
	uint64_t id;
	uint32_t place; /* index or slot: whatever the caller ranks */
	uint32_t zone;
};

static inline bool is_before(const struct candidate *a, const struct candidate *b)
{
	if (a->score != b->score)
		return a->score > b->score;
	if (a->weight != b->weight)
		return a->weight > b->weight;
	return a->id > b->id;
}

/* Puts it where it belongs among the first `count` of at most `want`, and returns the new count. */
static inline uint32_t insert_candidate(
	struct candidate *first, uint32_t count, uint32_t want, const struct candidate *candidate)
{
	if (count == want && (want == 0 || !is_before(candidate, &first[want - 1])))
		return count;
	uint32_t i = count < want ? count : want - 1;
	for (; i > 0 && is_before(candidate, &first[i - 1]); i--)
		first[i] = first[i - 1];
	first[i] = *candidate;
	return count < want ? count + 1 : want;
}
