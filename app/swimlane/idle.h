/* What a poll loop does when there is nothing to do, and where its time goes.
 *
 * spin: polls on. sleep: polls on for `ramp_us`, then sleeps, first 1 us, each time twice as long
 * up to `ceiling_us`, never past the next deadline; any work starts the ramp anew. Time asleep is
 * counted. One a loop; the loop's own core writes, anyone reads single words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "config.h"

struct idle {
	struct config_idle_policy policy;
	struct rte_rcu_qsbr *rcu;
	uint32_t thread;
	uint64_t last_cycles; /* end of the last turn */
	uint64_t worked_ns;
	uint64_t sleep_us;
	/* counters */
	uint64_t loops;
	uint64_t busy_cycles;
	uint64_t idle_cycles;
	uint64_t sleeps;
	uint64_t asleep_ns;
} __attribute__((aligned(64)));

/* On the loop's own thread, before its first turn. */
void idle_begin(struct idle *idle);
void idle_end(struct idle *idle);
/* At the end of each turn: reports a quiescent state to RCU, and may sleep, offline. */
void idle_turn(struct idle *idle, bool worked, uint64_t now_ns, uint64_t deadline_ns);
