#include "idle.h"

#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "base/clock.h"
#include "ticks.h"

void idle_begin(struct idle *idle)
{
	/* The kernel's default slack of 50 us would be added to every sleep. Fails only on old
	 * kernels. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	rte_rcu_qsbr_thread_online(idle->rcu, idle->thread);
	idle->last_cycles = rte_rdtsc();
	idle->worked_ns = ticks_now_ns();
	idle->sleep_us = 1;
}

void idle_end(struct idle *idle)
{
	rte_rcu_qsbr_thread_offline(idle->rcu, idle->thread);
}

static void sleep_for(struct idle *idle, uint64_t ns)
{
	struct timespec t = {(time_t)(ns / SW_NS_PER_S), (long)(ns % SW_NS_PER_S)};
	uint64_t before = ticks_now_ns();
	rte_rcu_qsbr_thread_offline(idle->rcu, idle->thread);
	(void)nanosleep(&t, NULL); /* interrupted: woke early, which is fine */
	rte_rcu_qsbr_thread_online(idle->rcu, idle->thread);
	idle->asleep_ns += ticks_now_ns() - before;
	idle->sleeps++;
}

void idle_turn(struct idle *idle, bool worked, uint64_t now_ns, uint64_t deadline_ns)
{
	uint64_t cycles = rte_rdtsc();
	idle->loops++;
	if (worked)
		idle->busy_cycles += cycles - idle->last_cycles;
	else
		idle->idle_cycles += cycles - idle->last_cycles;
	rte_rcu_qsbr_quiescent(idle->rcu, idle->thread);
	if (worked) {
		idle->worked_ns = now_ns;
		idle->sleep_us = 1;
	} else if (idle->policy.policy == IDLE_SPIN) {
		rte_pause();
	} else if (now_ns - idle->worked_ns >= idle->policy.ramp_us * SW_NS_PER_US) {
		uint64_t ns = idle->sleep_us * SW_NS_PER_US;
		if (deadline_ns > now_ns)
			sleep_for(idle, sw_min_u64(ns, deadline_ns - now_ns));
		idle->sleep_us = sw_min_u64(idle->sleep_us * 2, idle->policy.ceiling_us);
		cycles = rte_rdtsc();
	}
	idle->last_cycles = cycles;
}
