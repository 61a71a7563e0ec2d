/* What a poll loop does when there is nothing to do, and where its time goes.
 *
 * spin: polls on. pause: polls on for `ramp_us`, then rests the CPU's pipeline between polls, for a
 * microsecond where it has TPAUSE (Intel SDM, vol. 2), else for some PAUSEs; never in the kernel.
 * sleep: polls on for `ramp_us`, then sleeps, first 1 us, each time twice as long up to
 * `ceiling_us`. interrupt: polls on for `ramp_us`, then sleeps until a frame arrives or another
 * core rings.
 *
 * No sleep passes the next deadline; any work starts the ramp anew. Time asleep is counted,
 * TPAUSE's too. One a loop; the loop's own core writes, anyone reads single words, and anyone may
 * ring.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "base/sanitizer.h"
#include "config.h"

struct nic_port;

/* What wakes a loop with the policy `interrupt`. Made by control before the loop runs. */
struct idle_bell {
	int fd;                /* others ring it; -1: this loop never waits */
	int port_fd;           /* of the lane's queue, -1: none */
	bool port_drain;       /* it is an event counter */
	struct nic_port *port; /* NULL: none */
	uint16_t queue;
	bool armed;           /* the loop's own: has looked once more since */
	_Atomic bool waiting; /* loop: rw, others: ro */
};

struct idle {
	struct config_idle_policy policy;
	struct rte_rcu_qsbr *rcu;
	struct idle_bell *bell; /* NULL unless the policy is `interrupt` */
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

/* Control: makes the bell of a loop that is to wait. `port` NULL: only others ring it. 0; -ENOTSUP
 * if the port wakes nobody; -errno. */
int idle_bell_create(struct idle_bell *bell, struct nic_port *port, uint16_t queue);
void idle_bell_destroy(struct idle_bell *bell);

/* On the loop's own thread, before its first turn. */
void idle_begin(struct idle *idle);
void idle_end(struct idle *idle);
/* At the end of each turn: reports a quiescent state to RCU, and may sleep, offline. */
void idle_turn(struct idle *idle, bool worked, uint64_t now_ns, uint64_t deadline_ns);

/* What was put before must be seen by a loop that looks once more after it said that it waits. */
static inline bool idle_waits(struct idle_bell *bell)
{
#if SW_SANITIZE_THREAD
	/* No fence that stands alone: this orders as much, but takes the line from the loop. */
	bool waiting = false;
	return !atomic_compare_exchange_strong(&bell->waiting, &waiting, false);
#else
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&bell->waiting, memory_order_relaxed);
#endif
}

/* Any core, after it has put something where the loop will look: wakes it if it waits. */
void idle_ring(struct idle_bell *bell);
static inline void idle_wake(const struct idle *idle)
{
	if (idle->bell != NULL && idle_waits(idle->bell))
		idle_ring(idle->bell);
}
