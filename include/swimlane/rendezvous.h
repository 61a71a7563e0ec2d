/* Who owns a key: the answer that every swimlane server gives, computed by a client.
 *
 * Header only: C99 or C++11, this file, log2_table.h beside it and the xxhash library's header. A
 * client that knows the members that own keys (`swimlanectl --json balance` lists them with ids and
 * weights, `members` with zones) gets the owners of any key without asking anybody.
 *docs/ownership.md of swimlane is the specification; tests/vectors/rendezvous.txt has reference
 *values.
 *
 *	struct swimlane_server servers[] = {{swimlane_id("edge-01"), 100, 0}, ...};
 *	uint64_t seed = swimlane_cluster_seed("ams1");
 *	size_t first[3];
 *	size_t n = swimlane_owners(swimlane_key_hash(seed, "origin/shop", 11), servers, 5, 0, first,
 *3);
 *
 * All functions are pure. Keys are ranked in O(servers * wanted * wanted).
 */
#ifndef SWIMLANE_RENDEZVOUS_H
#define SWIMLANE_RENDEZVOUS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL /* nothing to link */
#endif
#include <xxhash.h>

#include "log2_table.h"

struct swimlane_server {
	uint64_t id;     /* as configured, or swimlane_id() of its name */
	uint16_t weight; /* 1 ... 1000; 100 is the ordinary one */
	uint32_t zone;   /* swimlane_zone() of its name; looked at where ranks are zone-aware */
};

static inline uint64_t swimlane_id(const char *name)
{
	uint64_t id = XXH3_64bits(name, strlen(name));
	return id == 0 ? 1 : id;
}

static inline uint32_t swimlane_zone(const char *name)
{
	return (uint32_t)XXH3_64bits(name, strlen(name));
}

static inline uint64_t swimlane_cluster_seed(const char *cluster)
{
	return XXH3_64bits(cluster, strlen(cluster));
}

static inline uint64_t swimlane_key_hash(uint64_t cluster_seed, const void *key, size_t len)
{
	return XXH3_64bits_withSeed(key, len, cluster_seed);
}

static inline uint64_t swimlane_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* The plain weight of a server for a key. */
static inline uint64_t swimlane_weight(uint64_t key_hash, uint64_t server_id)
{
	return swimlane_mix(key_hash ^ swimlane_mix(server_id + 0x9e3779b97f4a7c15u));
}

/* The plain weight under a configured one: w / -log2(u), in integers. */
static inline uint64_t swimlane_score(uint64_t weight, uint16_t server_weight)
{
	uint64_t x = weight + 1, log = 0, below, step;
	unsigned zeros = 0, i;
	if (x != 0) { /* else u is 1, and its logarithm 0 */
		while (!(x >> 63)) {
			x <<= 1;
			zeros++;
		}
		below = x << 1;
		i = (unsigned)(below >> 54);
		step = (rendezvous_log2_table[i] - rendezvous_log2_table[i + 1]) *
		       (uint32_t)(below >> 22);
		log = ((uint64_t)zeros << 32) + rendezvous_log2_table[i] - (step >> 32);
	}
	return ((uint64_t)server_weight << 52) / (log + 1);
}

/* Whether a ranks before b for this key. */
static inline int swimlane_is_before(
	uint64_t key_hash, const struct swimlane_server *a, const struct swimlane_server *b)
{
	uint64_t wa = swimlane_weight(key_hash, a->id), wb = swimlane_weight(key_hash, b->id);
	uint64_t sa = swimlane_score(wa, a->weight), sb = swimlane_score(wb, b->weight);
	if (sa != sb)
		return sa > sb;
	return wa != wb ? wa > wb : a->id > b->id;
}

/* Writes the indices of the first `want` servers of a key, the owner first, and returns how many
 * there are: the smaller of want and n. zone_aware: as ownership.zone_aware of the servers'
 * configuration. */
static inline size_t swimlane_owners(uint64_t key_hash, const struct swimlane_server *servers,
	size_t n, int zone_aware, size_t *out, size_t want)
{
	size_t count = 0;
	while (count < want && count < n) {
		size_t best = n, other = n, i, j;
		for (i = 0; i < n; i++) {
			for (j = 0; j < count && out[j] != i; j++) {
			}
			if (j < count)
				continue;
			if (best == n || swimlane_is_before(key_hash, &servers[i], &servers[best]))
				best = i;
			if (count == 1 && servers[i].zone != servers[out[0]].zone &&
				(other == n ||
					swimlane_is_before(key_hash, &servers[i], &servers[other])))
				other = i;
		}
		out[count++] = zone_aware && other != n ? other : best;
	}
	return count;
}

#endif
