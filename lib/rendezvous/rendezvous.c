#include "rendezvous/rendezvous.h"

#include <assert.h>
#include <string.h>

/* In place: a call into the library takes as long as hashing a short key. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rendezvous/log2_table.h"
#include "rendezvous/order.h"

enum { SEGMENT_BITS = 10, FRACTION_BITS = 32, SCORE_SHIFT = 52 };

_Static_assert(SW_WEIGHT_MAX < 1 << (64 - SCORE_SHIFT), "the score's dividend fits 64 bits");
_Static_assert(
	sizeof(rendezvous_log2_table) / sizeof(rendezvous_log2_table[0]) == (1 << SEGMENT_BITS) + 1,
	"table");

uint64_t rendezvous_cluster_seed(const char *cluster_name)
{
	return XXH3_64bits(cluster_name, strlen(cluster_name));
}

uint64_t rendezvous_key_hash(uint64_t cluster_seed, const void *key, size_t len)
{
	return XXH3_64bits_withSeed(key, len, cluster_seed);
}

uint32_t rendezvous_zone(const char *name)
{
	return (uint32_t)XXH3_64bits(name, strlen(name));
}

uint64_t rendezvous_neg_log2(uint64_t weight)
{
	if (weight == UINT64_MAX)
		return 0;
	uint64_t x = weight + 1;
	uint32_t zeros = (uint32_t)__builtin_clzll(x);
	uint64_t below_one = (x << zeros) << 1; /* what follows the first one */
	uint32_t i = (uint32_t)(below_one >> (64 - SEGMENT_BITS));
	uint64_t fraction = (uint32_t)(below_one >> (64 - SEGMENT_BITS - FRACTION_BITS));
	uint64_t step = ((rendezvous_log2_table[i] - rendezvous_log2_table[i + 1]) * fraction) >>
			FRACTION_BITS;
	return ((uint64_t)zeros << FRACTION_BITS) + rendezvous_log2_table[i] - step;
}

uint64_t rendezvous_score(uint64_t weight, uint16_t server_weight)
{
	return ((uint64_t)server_weight << SCORE_SHIFT) / (rendezvous_neg_log2(weight) + 1);
}

static bool weigh_the_same(const struct rendezvous_server *servers, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (servers[i].weight != servers[0].weight)
			return false;
	return true;
}

uint32_t rendezvous_rank(uint64_t key_hash, const struct rendezvous_server *servers, uint32_t n,
	uint32_t *out, uint32_t want)
{
	struct candidate first[SW_MEMBERS_MAX];
	uint32_t count = 0;
	assert(n <= SW_MEMBERS_MAX);
	if (want > n)
		want = n;
	bool same = weigh_the_same(servers, n);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t weight = rendezvous_weight(key_hash, servers[i].hash);
		struct candidate candidate = {.weight = weight, .id = servers[i].id, .place = i};
		if (!same)
			candidate.score = rendezvous_score(weight, servers[i].weight);
		count = insert_candidate(first, count, want, &candidate);
	}
	for (uint32_t i = 0; i < count; i++)
		out[i] = first[i].place;
	return count;
}

uint32_t rendezvous_rank_zones(uint64_t key_hash, const struct rendezvous_server *servers,
	uint32_t n, uint32_t *out, uint32_t want)
{
	uint32_t order[SW_MEMBERS_MAX], other = 1;
	uint32_t count = rendezvous_rank(key_hash, servers, n, order, n);
	while (other < count && servers[order[other]].zone == servers[order[0]].zone)
		other++;
	if (other < count) {
		uint32_t second = order[other];
		memmove(&order[2], &order[1], (other - 1) * sizeof(order[0]));
		order[1] = second;
	}
	count = want < count ? want : count;
	memcpy(out, order, count * sizeof(order[0]));
	return count;
}
