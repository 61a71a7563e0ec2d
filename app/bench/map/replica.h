/* A map with what the appliance has around it: the keeper's loop over packets, grace periods by
 * rte_rcu_qsbr. One owner; readers register.
 */
#pragma once

#include <rte_rcu_qsbr.h>

#include "deltamap/deltamap.h"
#include "stream.h"

enum { REPLICA_READERS_MAX = 8 };

struct replica {
	struct map *map;
	struct rte_rcu_qsbr *rcu;
	uint64_t token;
	bool waiting;
};

/* Ready: as a datacenter's first server, with room for `records` of a stream and `spare` more
 * versions of them. */
void replica_create(struct replica *replica, uint32_t records, uint32_t spare);
void replica_destroy(struct replica *replica);

/* Takes packets [first, first + count) as the keeper does, in bursts. */
void replica_merge(
	struct replica *replica, const struct stream *stream, uint32_t first, uint32_t count);
