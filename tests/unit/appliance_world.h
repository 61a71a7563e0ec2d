/* The appliance in a test's own process, on a port whose wire is a pair of rings for each lane. EAL
 * starts once a process, so there is one; its cores run only if the test launches them.
 */
#pragma once

#include "start.h"

enum { WORLD_LANES = 2 };

struct appliance_world {
	struct config config;
	struct appliance app;
	struct start_info info;
	uint64_t now_ns;
	struct rte_ring *in[WORLD_LANES];  /* the test puts frames in: what lanes receive */
	struct rte_ring *out[WORLD_LANES]; /* what lanes sent */
};

/* Set before the first appliance_world(): packets are sealed. */
extern const char *appliance_world_keyring;

/* The one world, started at its first use; NULL, and a failure of the test, if it cannot be. */
struct appliance_world *appliance_world(void);

/* For tests that play the cores themselves: this server is a member and its map is ready. */
void appliance_world_settle(struct appliance_world *world);

/* Flushes lanes and frees everything that is on rings; then no mbuf may be in use. */
void appliance_world_expect_no_leak(struct appliance_world *world);

/* The other end of the wire: a port of its own with crossed rings, at this address. */
struct nic_port *appliance_world_peer_port(struct appliance_world *world, const char *address);
