/* Sizes of the queues and tables of deltamap that no configuration changes. Not for others.
 *
 * A file of their own: tests/model builds the library anew with small ones, so that a replica is
 * small enough to be copied at each step.
 */
#pragma once

enum {
	OUT_MAX = 256,          /* small messages waiting to be sent */
	PUSH_QUEUE_MAX = 16384, /* writes waiting for their packet */
	PUSH_JOBS_MAX = 64,     /* packets on their way to all peers */
	ASSEMBLIES_MAX = 8,     /* version requests of several parts */
	PENDING_MAX = 512,      /* packets of one session to be sent; above: asked for again */
	EARLY_MAX = 128,        /* packets of a session kept that came before its vectors */
	PROBES_MAX = 512,       /* words of lanes' probes */
	DUE_PER_TICK = 64,      /* actors looked at for collection and closing */
	GATHER_PER_TICK = 512,  /* records taken into a session, or given back after it */
	BUCKETS_PER_TICK = 512, /* of the table, looked through for a join or a repair */
	AHEAD_MAX = 40,         /* records of packets whose memory is fetched together */
	BUCKETS_MIN = 128,      /* of the hash table */
};
