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

/* Another peer, that asks. */
void replica_add_peer(struct replica *replica, uint64_t id);
/* A packet of that peer's: its messages. */
void replica_input(struct replica *replica, uint64_t from_id, const uint8_t *messages, size_t len);
/* All that it sends to that peer until there is nothing more; how many packets. */
uint32_t replica_output(struct replica *replica, uint64_t to_id);

/* Takes packets [first, first + count) as the keeper does, in bursts. */
void replica_merge(
	struct replica *replica, const struct stream *stream, uint32_t first, uint32_t count);
