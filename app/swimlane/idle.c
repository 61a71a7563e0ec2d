#include "idle.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <immintrin.h>
#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_pause.h>

#include "base/clock.h"
#include "nic/nic.h"
#include "ticks.h"

enum { PAUSES = 16, TPAUSE_US = 1 };

#define WAIT_MAX_NS (100 * SW_NS_PER_MS) /* the end of the program is noticed that late */

int idle_bell_create(struct idle_bell *bell, struct nic_port *port, uint16_t queue)
{
	*bell = (struct idle_bell){.fd = -1, .port_fd = -1, .port = port, .queue = queue};
	if (port != NULL) {
		bell->port_fd = nic_wait_fd(port, queue, &bell->port_drain);
		if (bell->port_fd < 0)
			return -ENOTSUP;
		nic_wait_arm(port, queue, false);
	}
	bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return bell->fd < 0 ? -errno : 0;
}

void idle_bell_destroy(struct idle_bell *bell)
{
	if (bell->fd >= 0)
		(void)close(bell->fd);
	bell->fd = -1;
}

void idle_ring(struct idle_bell *bell)
{
	uint64_t one = 1;
	/* Full is loud enough. */
	(void)!write(bell->fd, &one, sizeof(one));
}

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

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / SW_NS_PER_S), (long)(ns % SW_NS_PER_S)};
}

static void sleep_for(struct idle *idle, uint64_t ns)
{
	struct timespec t = timespec_of(ns);
	uint64_t before = ticks_now_ns();
	rte_rcu_qsbr_thread_offline(idle->rcu, idle->thread);
	(void)nanosleep(&t, NULL); /* interrupted: woke early, which is fine */
	rte_rcu_qsbr_thread_online(idle->rcu, idle->thread);
	idle->asleep_ns += ticks_now_ns() - before;
	idle->sleeps++;
}

__attribute__((target("waitpkg"))) static void tpause_until(uint64_t tsc)
{
	(void)_tpause(1, tsc); /* 1: the lighter of two states, quicker to wake from */
}

static void pause_once(struct idle *idle)
{
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_WAITPKG) == 1) {
		uint64_t before = ticks_now_ns();
		tpause_until(rte_rdtsc() + rte_get_tsc_hz() / (1000000 / TPAUSE_US));
		idle->asleep_ns += ticks_now_ns() - before;
		idle->sleeps++;
		return;
	}
	for (int i = 0; i < PAUSES; i++)
		rte_pause();
}

static void set_waiting(struct idle_bell *bell, bool waiting)
{
	bell->armed = waiting;
	atomic_store_explicit(&bell->waiting, waiting, memory_order_seq_cst);
	if (bell->port != NULL)
		nic_wait_arm(bell->port, bell->queue, waiting);
}

static void drain(int fd)
{
	uint64_t count;
	(void)!read(fd, &count, sizeof(count)); /* nothing in it: another one woke us */
}

static void wait_for_bell(struct idle *idle, uint64_t ns)
{
	struct idle_bell *bell = idle->bell;
	struct pollfd fds[2] = {
		{.fd = bell->fd, .events = POLLIN}, {.fd = bell->port_fd, .events = POLLIN}};
	struct timespec t = timespec_of(ns);
	uint64_t before = ticks_now_ns();
	rte_rcu_qsbr_thread_offline(idle->rcu, idle->thread);
	(void)ppoll(fds, 2, &t, NULL); /* for whatever reason it woke: the loop looks */
	rte_rcu_qsbr_thread_online(idle->rcu, idle->thread);
	if (fds[0].revents != 0)
		drain(bell->fd);
	if (fds[1].revents != 0 && bell->port_drain)
		drain(bell->port_fd);
	idle->asleep_ns += ticks_now_ns() - before;
	idle->sleeps++;
}

/* Nothing to do, and the ramp is over. */
static void rest(struct idle *idle, uint64_t now_ns, uint64_t deadline_ns)
{
	if (idle->policy.policy == IDLE_PAUSE) {
		pause_once(idle);
	} else if (idle->policy.policy == IDLE_SLEEP) {
		uint64_t ns = idle->sleep_us * SW_NS_PER_US;
		if (deadline_ns > now_ns)
			sleep_for(idle, sw_min_u64(ns, deadline_ns - now_ns));
		idle->sleep_us = sw_min_u64(idle->sleep_us * 2, idle->policy.ceiling_us);
	} else if (!idle->bell->armed) {
		set_waiting(idle->bell, true); /* and look once more */
	} else {
		if (deadline_ns > now_ns)
			wait_for_bell(idle, sw_min_u64(WAIT_MAX_NS, deadline_ns - now_ns));
		set_waiting(idle->bell, false);
	}
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
		if (idle->bell != NULL && idle->bell->armed)
			set_waiting(idle->bell, false);
	} else if (idle->policy.policy == IDLE_SPIN) {
		rte_pause();
	} else if (now_ns - idle->worked_ns >= idle->policy.ramp_us * SW_NS_PER_US) {
		rest(idle, now_ns, deadline_ns);
		cycles = rte_rdtsc();
	}
	idle->last_cycles = cycles;
}
