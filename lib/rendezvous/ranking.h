/* A set of servers made ready to rank many keys. Within lib/rendezvous only.
 *
 * Per server a floor is found, the least plain weight that reaches one common score. A score never
 * falls with a larger plain weight, so whoever stays under its floor comes after all who do not: if
 * enough of them reach theirs, only those need be put in order. The common score is such that about
 * eight do, which makes it one hash and one comparison for most servers, whatever the configured
 * weights; where too few reach it, all are put in order.
 */
#pragma once

#include "rendezvous/order.h"
#include "rendezvous/scan.h"

struct ranking {
	uint32_t count;
	bool same_weight;
	bool zone_aware;    /* the second of another zone than the first */
	scan_function scan; /* the caller's choice, kept over ranking_clear() */
	uint64_t hashes[SW_MEMBERS_MAX];
	uint64_t floors[SW_MEMBERS_MAX];
	uint64_t ids[SW_MEMBERS_MAX];
	uint32_t zones[SW_MEMBERS_MAX];
	uint16_t weights[SW_MEMBERS_MAX];
	uint16_t places[SW_MEMBERS_MAX];
};

void ranking_clear(struct ranking *ranking);
void ranking_add(struct ranking *ranking, const struct rendezvous_server *server, uint32_t place);
/* Finds the floors, once all servers are added. */
void ranking_prepare(struct ranking *ranking);
/* The first SW_OWNER_RANKS of a key, or as many as there are. Returns how many. */
uint32_t ranking_first(const struct ranking *ranking, uint64_t key_hash, struct candidate *first);
/* The i-th server with its plain weight for some key. */
struct candidate ranking_candidate(const struct ranking *ranking, uint32_t i, uint64_t weight);
