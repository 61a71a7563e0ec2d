/* DPDK telemetry under /swimlane/: what dpdk-telemetry.py and its like show.
 *
 *   /swimlane/status             this server, its membership and its map, in numbers
 *   /swimlane/members            names and states
 *   /swimlane/lane,N             counters and drops of lane N
 *   /swimlane/keeper             of the keeper and the map
 *   /swimlane/membership         of lane 0's membership
 *
 * The commands run on DPDK's telemetry threads, one at a time: they read published words, and the
 * members as a reader of their own under RCU.
 */
#pragma once

struct appliance;

/* After EAL's start and RCU's; 0 or -errno. The appliance must stay until the process ends or
 * telemetry_fini(). */
int telemetry_init(const struct appliance *app);
void telemetry_fini(void);
