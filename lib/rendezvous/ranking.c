#include "rendezvous/ranking.h"

#include <assert.h>

enum { SERVERS_OVER_FLOOR = 8 };

void ranking_clear(struct ranking *ranking)
{
	ranking->count = 0;
	ranking->same_weight = true;
}

void ranking_add(struct ranking *ranking, const struct rendezvous_server *server, uint32_t place)
{
	assert(ranking->count < SW_MEMBERS_MAX);
	uint32_t i = ranking->count++;
	ranking->hashes[i] = server->hash;
	ranking->floors[i] = 0;
	ranking->ids[i] = server->id;
	ranking->weights[i] = server->weight;
	ranking->places[i] = (uint16_t)place;
	ranking->same_weight = ranking->same_weight && server->weight == ranking->weights[0];
}

/* The least plain weight whose score reaches `score`; the largest reaches any that one can. */
static uint64_t floor_of(uint64_t score, uint16_t server_weight)
{
	uint64_t low = 0, high = UINT64_MAX;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (rendezvous_score(middle, server_weight) >= score)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* For L well below 1, u >= 2^-L has the probability L * ln 2. So L = w * 8 / (sum * ln 2) lets each
 * server over its floor with the probability of 8 times its share, and the score there is the same
 * for all: 2^52 * w / (2^32 * L) = 2^20 * sum * ln 2 / 8. */
void ranking_prepare(struct ranking *ranking)
{
	const uint64_t score_of_one = 90852; /* 2^20 * ln 2 / 8 */
	uint64_t sum = 0;
	if (ranking->count <= 2 * SERVERS_OVER_FLOOR)
		return;
	for (uint32_t i = 0; i < ranking->count; i++)
		sum += ranking->weights[i];
	for (uint32_t i = 0; i < ranking->count; i++) {
		bool known = i > 0 && ranking->weights[i] == ranking->weights[i - 1];
		ranking->floors[i] = known ? ranking->floors[i - 1]
					   : floor_of(sum * score_of_one, ranking->weights[i]);
	}
}

struct candidate ranking_candidate(const struct ranking *ranking, uint32_t i, uint64_t weight)
{
	uint64_t score = ranking->same_weight ? 0 : rendezvous_score(weight, ranking->weights[i]);
	return (struct candidate){score, weight, ranking->ids[i], ranking->places[i]};
}

static uint32_t order_all(const struct ranking *ranking, uint64_t key_hash, struct candidate *first)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < ranking->count; i++) {
		uint64_t weight = rendezvous_weight(key_hash, ranking->hashes[i]);
		struct candidate candidate = ranking_candidate(ranking, i, weight);
		count = insert_candidate(first, count, SW_OWNER_RANKS, &candidate);
	}
	return count;
}

uint32_t ranking_first(const struct ranking *ranking, uint64_t key_hash, struct candidate *first)
{
	/* One more than there are: the last is written before it is known whether it counts. */
	uint64_t weights[SW_MEMBERS_MAX + 1];
	uint16_t over[SW_MEMBERS_MAX + 1];
	uint32_t over_count = 0, count = 0;
	for (uint32_t i = 0; i < ranking->count; i++) {
		uint64_t weight = rendezvous_weight(key_hash, ranking->hashes[i]);
		weights[over_count] = weight;
		over[over_count] = (uint16_t)i;
		over_count += weight >= ranking->floors[i];
	}
	if (over_count < SW_OWNER_RANKS)
		return order_all(ranking, key_hash, first);
	for (uint32_t i = 0; i < over_count; i++) {
		struct candidate candidate = ranking_candidate(ranking, over[i], weights[i]);
		count = insert_candidate(first, count, SW_OWNER_RANKS, &candidate);
	}
	return count;
}
