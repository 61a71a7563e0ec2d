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
	ranking->zones[i] = server->zone;
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
	return (struct candidate){
		score, weight, ranking->ids[i], ranking->places[i], ranking->zones[i]};
}

/* The first server of another zone than first[0]'s moves up to the second place. False if none of
 * these is of another zone. */
static bool move_zone_up(
	struct candidate *first, uint32_t count, const struct candidate *all, uint32_t all_count)
{
	struct candidate other[1];
	uint32_t others = 0;
	if (count < 2 || first[1].zone != first[0].zone)
		return true;
	for (uint32_t i = 0; i < all_count; i++)
		if (all[i].zone != first[0].zone)
			others = insert_candidate(other, others, 1, &all[i]);
	if (others == 0)
		return false;
	if (count > 2)
		first[2] = first[1];
	first[1] = other[0];
	return true;
}

/* The first of those whose bits are set, with whatever weights. Most come after the last that is
 * kept: the cheap half of the comparison is made first, and only who passes it is looked at whole.
 */
static uint32_t order_weighted(const struct ranking *ranking, const uint64_t *weights,
	const uint64_t *over, struct candidate *first)
{
	uint32_t count = 0;
	for (uint32_t word = 0; word * 64 < ranking->count; word++)
		for (uint64_t bits = over[word]; bits != 0; bits &= bits - 1) {
			uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(bits);
			uint64_t score = rendezvous_score(weights[i], ranking->weights[i]);
			if (count == SW_OWNER_RANKS && score < first[count - 1].score)
				continue;
			struct candidate candidate = {score, weights[i], ranking->ids[i],
				ranking->places[i], ranking->zones[i]};
			count = insert_candidate(first, count, SW_OWNER_RANKS, &candidate);
		}
	return count;
}

/* The same, zone-aware; false if their zones are not enough to tell the second. */
static bool order_zones(const struct ranking *ranking, const uint64_t *weights,
	const uint64_t *over, struct candidate *first, uint32_t *count)
{
	struct candidate all[SW_MEMBERS_MAX];
	uint32_t n = 0;
	*count = 0;
	for (uint32_t word = 0; word * 64 < ranking->count; word++)
		for (uint64_t bits = over[word]; bits != 0; bits &= bits - 1) {
			uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(bits);
			all[n] = ranking_candidate(ranking, i, weights[i]);
			*count = insert_candidate(first, *count, SW_OWNER_RANKS, &all[n++]);
		}
	return move_zone_up(first, *count, all, n);
}

/* All weigh the same and zones do not matter: the plain weights decide, and no two are equal.
 * Without a branch that depends on them: which of a few random numbers is larger cannot be
 * foretold. */
static uint32_t order_plain(const struct ranking *ranking, const uint64_t *weights,
	const uint64_t *over, struct candidate *first)
{
	uint64_t best[SW_OWNER_RANKS] = {0};
	uint32_t at[SW_OWNER_RANKS] = {0}, n = 0;
	_Static_assert(SW_OWNER_RANKS == 3, "written out for three");
	for (uint32_t word = 0; word * 64 < ranking->count; word++)
		for (uint64_t bits = over[word]; bits != 0; bits &= bits - 1, n++) {
			uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(bits);
			uint64_t w = weights[i];
			bool a = n == 0 || w > best[0], b = n <= 1 || w > best[1];
			bool c = n <= 2 || w > best[2];
			best[2] = b ? best[1] : c ? w : best[2];
			at[2] = b ? at[1] : c ? i : at[2];
			best[1] = a ? best[0] : b ? w : best[1];
			at[1] = a ? at[0] : b ? i : at[1];
			best[0] = a ? w : best[0];
			at[0] = a ? i : at[0];
		}
	n = n < SW_OWNER_RANKS ? n : SW_OWNER_RANKS;
	for (uint32_t i = 0; i < n; i++)
		first[i] = ranking_candidate(ranking, at[i], best[i]);
	return n;
}

static void choose_all(const struct ranking *ranking, uint64_t *over)
{
	for (uint32_t word = 0; word * 64 < ranking->count; word++) {
		uint32_t rest = ranking->count - word * 64;
		over[word] = rest >= 64 ? UINT64_MAX : (1ULL << rest) - 1;
	}
}

uint32_t ranking_first(const struct ranking *ranking, uint64_t key_hash, struct candidate *first)
{
	uint64_t weights[SW_MEMBERS_MAX], over[SCAN_WORDS];
	uint32_t over_count = 0, count;
	ranking->scan(key_hash, ranking->hashes, ranking->floors, ranking->count, weights, over);
	for (uint32_t word = 0; word * 64 < ranking->count; word++)
		for (uint64_t bits = over[word]; bits != 0 && over_count < SW_OWNER_RANKS;
			bits &= bits - 1)
			over_count++;
	if (over_count < SW_OWNER_RANKS)
		choose_all(ranking, over);
	if (!ranking->zone_aware)
		return ranking->same_weight ? order_plain(ranking, weights, over, first)
					    : order_weighted(ranking, weights, over, first);
	if (!order_zones(ranking, weights, over, first, &count)) {
		choose_all(ranking, over);
		(void)order_zones(
			ranking, weights, over, first, &count); /* one zone is all there is */
	}
	return count;
}
