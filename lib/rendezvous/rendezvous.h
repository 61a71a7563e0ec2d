/* Rendezvous hashing: which server owns which key, the same answer wherever the servers are the
 * same.
 *
 * Every server has a weight for every key, a hash of both; a key's servers in order of weight are
 * its ranks, and the first is its owner (highest random weight: Thaler and Ravishankar, Using
 * Name-Based Mappings to Increase Hit Rates, 1998). No state is shared and none has to agree but
 * the set of servers. Who leaves hands on only its own keys, each to the next in that key's order;
 * who joins takes only the keys that it wins.
 *
 * Configured weights: with u = (h + 1) / 2^64 of the plain weight h, the score w / -log2(u) gives a
 * server of weight w a share of w / (sum of all), and a change of w moves only keys of that server
 * (Schindelhauer and Schomaker, Weighted Distributed Hash Tables, 2005). It is computed in integers
 * from a fixed table, so that no compiler, flag or libm can make two servers disagree:
 *
 *     L = -log2(u), 32 bits of fraction: for 2^n <= h + 1 < 2^(n+1), the 10 bits of h + 1 below its
 * first one choose a segment of log2_table.h and the 32 bits below those interpolate in it,
 * rounding L up; L = 63 - n + that. It never decreases with falling h, and is at most 2 * 10^-7
 * above the true value. score = floor(w * 2^52 / (L * 2^32 + 1))
 *
 * Order: larger score, then larger plain weight, then larger id. Where all weights are equal this
 * is the order of the plain weights. The plain weight alone, which no configuration touches, also
 * stands in the stamps of map records.
 *
 * Zone-aware: the first server of another zone than the owner's moves up to the second place, and
 * the others keep their order. So the owner is the same with or without it, and who follows the
 * owner when it is gone is among the first three either way.
 *
 * The functions of this header are pure: any core. The table is in rendezvous/table.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/random.h"

struct rendezvous_server {
	uint64_t id;
	uint64_t hash;   /* rendezvous_server_hash(id) */
	uint16_t weight; /* 1 … SW_WEIGHT_MAX */
	uint32_t zone;   /* rendezvous_zone(name); looked at where ranks are zone-aware only */
};

/* The seed of a cluster's key hashes: names of keys are chosen by strangers. */
uint64_t rendezvous_cluster_seed(const char *cluster_name);
uint64_t rendezvous_key_hash(uint64_t cluster_seed, const void *key, size_t len);

static inline uint64_t rendezvous_server_hash(uint64_t id)
{
	return sw_mix64(id + 0x9e3779b97f4a7c15ULL);
}

static inline struct rendezvous_server rendezvous_server_make(uint64_t id, uint16_t weight)
{
	return (struct rendezvous_server){id, rendezvous_server_hash(id), weight, 0};
}

/* Zones are told apart by this; no zone is a zone like any other. */
uint32_t rendezvous_zone(const char *name);

/* The plain weight. Of two servers with different ids it is never the same for one key. */
static inline uint64_t rendezvous_weight(uint64_t key_hash, uint64_t server_hash)
{
	return sw_mix64(key_hash ^ server_hash);
}

/* L of the text above, in units of 2^-32: 0 … 2^38. */
uint64_t rendezvous_neg_log2(uint64_t weight);

/* server_weight: 1 … SW_WEIGHT_MAX; 0 gives 0, below every score. */
uint64_t rendezvous_score(uint64_t weight, uint16_t server_weight);

/* Writes the indices of the first `want` servers of a key in order into `out`, and returns how many
 * that are: the smaller of want and n. n: 0 … SW_MEMBERS_MAX; ids differ. */
uint32_t rendezvous_rank(uint64_t key_hash, const struct rendezvous_server *servers, uint32_t n,
	uint32_t *out, uint32_t want);
/* The same with the zone-aware second. */
uint32_t rendezvous_rank_zones(uint64_t key_hash, const struct rendezvous_server *servers,
	uint32_t n, uint32_t *out, uint32_t want);
