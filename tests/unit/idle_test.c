#include "sw_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_pause.h>

#include "base/clock.h"
#include "idle.h"
#include "ticks.h"

/* One loop alone, after EAL has said how fast the time stamp counter runs. Times asleep have lower
 * bounds only: a busy machine wakes nobody early. */

enum { CEILING_US = 64, RAMP_US = 100 };

static bool start_eal(void)
{
	static int rc = -1;
	char *args[] = {"idle_test", "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf", "-m",
		"64", "--lcores", "0", "--log-level=4"};
	if (rc >= 0)
		return true;
	rc = rte_eal_init(sizeof(args) / sizeof(args[0]), args);
	if (rc < 0)
		SW_FAIL("EAL does not start");
	else
		ticks_init();
	return rc >= 0;
}

static struct idle idle_create(enum config_idle policy)
{
	size_t size = rte_rcu_qsbr_get_memsize(1);
	struct rte_rcu_qsbr *rcu = aligned_alloc(64, (size + 63) / 64 * 64);
	SW_EXPECT_EQ(rte_rcu_qsbr_init(rcu, 1), 0);
	SW_EXPECT_EQ(rte_rcu_qsbr_thread_register(rcu, 0), 0);
	return (struct idle){.policy = {policy, RAMP_US, CEILING_US}, .rcu = rcu};
}

static void idle_destroy(struct idle *idle)
{
	idle_end(idle);
	free(idle->rcu);
}

/* `times` turns without work, told that so much time has passed since the last work. */
static void turns(struct idle *idle, int times, uint64_t since_work_ns, uint64_t deadline_ns)
{
	for (int i = 0; i < times; i++)
		idle_turn(idle, false, idle->worked_ns + since_work_ns, deadline_ns);
}

SW_TEST(idle, spin_never_sleeps)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_SPIN);
	idle_begin(&idle);
	turns(&idle, 1000, SW_NS_PER_S, SW_NEVER_NS);
	SW_EXPECT_EQ(idle.sleeps, 0u);
	SW_EXPECT_EQ(idle.asleep_ns, 0u);
	SW_EXPECT_EQ(idle.loops, 1000u);
	SW_EXPECT_GT(idle.idle_cycles, 0u);
	SW_EXPECT_EQ(idle.busy_cycles, 0u);
	idle_destroy(&idle);
}

SW_TEST(idle, sleep_polls_on_until_the_ramp_is_over)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_SLEEP);
	idle_begin(&idle);
	turns(&idle, 100, RAMP_US * SW_NS_PER_US - 1, SW_NEVER_NS);
	SW_EXPECT_EQ(idle.sleeps, 0u);
	turns(&idle, 1, RAMP_US * SW_NS_PER_US, SW_NEVER_NS);
	SW_EXPECT_EQ(idle.sleeps, 1u);
	idle_destroy(&idle);
}

SW_TEST(idle, sleeps_double_up_to_the_ceiling_and_the_time_is_counted)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_SLEEP);
	uint64_t wanted_us = 1, asleep_us = 0;
	idle_begin(&idle);
	for (int i = 0; i < 20; i++) {
		SW_EXPECT_EQ(idle.sleep_us, wanted_us);
		asleep_us += wanted_us;
		turns(&idle, 1, SW_NS_PER_S, SW_NEVER_NS);
		wanted_us = sw_min_u64(2 * wanted_us, CEILING_US);
	}
	SW_EXPECT_EQ(idle.sleep_us, (uint64_t)CEILING_US);
	SW_EXPECT_EQ(idle.sleeps, 20u);
	/* The counter's frequency is measured: one in a hundred is allowed for. */
	SW_EXPECT_GE(idle.asleep_ns, asleep_us * SW_NS_PER_US / 100 * 99);
	idle_destroy(&idle);
}

SW_TEST(idle, work_starts_the_ramp_anew)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_SLEEP);
	idle_begin(&idle);
	turns(&idle, 10, SW_NS_PER_S, SW_NEVER_NS);
	uint64_t now_ns = ticks_now_ns();
	idle_turn(&idle, true, now_ns, SW_NEVER_NS);
	SW_EXPECT_EQ(idle.worked_ns, now_ns);
	SW_EXPECT_EQ(idle.sleep_us, 1u);
	SW_EXPECT_GT(idle.busy_cycles, 0u);
	turns(&idle, 10, RAMP_US * SW_NS_PER_US - 1, SW_NEVER_NS);
	SW_EXPECT_EQ(idle.sleeps, 10u);
	idle_destroy(&idle);
}

SW_TEST(idle, a_deadline_that_is_here_is_not_slept_over)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_SLEEP);
	idle_begin(&idle);
	uint64_t now_ns = idle.worked_ns + SW_NS_PER_S;
	idle_turn(&idle, false, now_ns, now_ns);
	idle_turn(&idle, false, now_ns, now_ns - 1);
	SW_EXPECT_EQ(idle.sleeps, 0u);
	idle_destroy(&idle);
}

/* Sleeps of a second each, were it not for the deadline: a loop that slept past it would need 50
 * seconds. */
SW_TEST(idle, sleeps_end_at_the_deadline)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_SLEEP);
	idle.policy.ceiling_us = 1000000;
	idle_begin(&idle);
	for (int i = 0; i < 50; i++) {
		idle.sleep_us = 1000000;
		uint64_t now_ns = idle.worked_ns + SW_NS_PER_S;
		idle_turn(&idle, false, now_ns, now_ns + 10 * SW_NS_PER_US);
	}
	SW_EXPECT_EQ(idle.sleeps, 50u);
	SW_EXPECT_GE(idle.asleep_ns, 50 * 10 * SW_NS_PER_US / 100 * 99);
	SW_EXPECT_LT(idle.asleep_ns, 50 * SW_NS_PER_S);
	idle_destroy(&idle);
}

SW_TEST(idle, a_sleeper_holds_no_grace_period_back_and_a_turn_ends_one)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_SPIN);
	idle_begin(&idle);
	uint64_t token = rte_rcu_qsbr_start(idle.rcu);
	SW_EXPECT_EQ(rte_rcu_qsbr_check(idle.rcu, token, false), 0);
	turns(&idle, 1, 0, SW_NEVER_NS);
	SW_EXPECT_EQ(rte_rcu_qsbr_check(idle.rcu, token, false), 1);
	token = rte_rcu_qsbr_start(idle.rcu);
	idle_end(&idle);
	SW_EXPECT_EQ(rte_rcu_qsbr_check(idle.rcu, token, false), 1);
	free(idle.rcu);
}

SW_TEST(idle, pause_stays_out_of_the_kernel_and_polls_on)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_PAUSE);
	idle_begin(&idle);
	turns(&idle, 1000, SW_NS_PER_S, SW_NEVER_NS);
	SW_EXPECT_EQ(idle.loops, 1000u);
	/* Where the CPU can rest its pipeline, that counts; a microsecond each. */
	SW_EXPECT_TRUE(idle.sleeps == 0 || idle.sleeps == 1000);
	SW_EXPECT_EQ(idle.sleep_us, 1u);
	idle_destroy(&idle);
}

static void hang_bell(struct idle *idle, struct idle_bell *bell)
{
	SW_EXPECT_EQ(idle_bell_create(bell, NULL, 0), 0);
	idle->bell = bell;
}

SW_TEST(idle, interrupt_looks_once_more_then_waits_for_the_deadline)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_INTERRUPT);
	struct idle_bell bell;
	hang_bell(&idle, &bell);
	idle_begin(&idle);
	turns(&idle, 1, RAMP_US * SW_NS_PER_US - 1, SW_NEVER_NS);
	SW_EXPECT_FALSE(bell.waiting);
	turns(&idle, 1, SW_NS_PER_S, SW_NEVER_NS);
	SW_EXPECT_TRUE(bell.waiting);
	SW_EXPECT_EQ(idle.sleeps, 0u);
	uint64_t now_ns = idle.worked_ns + SW_NS_PER_S;
	idle_turn(&idle, false, now_ns, now_ns + 5 * SW_NS_PER_MS);
	SW_EXPECT_FALSE(bell.waiting);
	SW_EXPECT_EQ(idle.sleeps, 1u);
	SW_EXPECT_GE(idle.asleep_ns, 5 * SW_NS_PER_MS / 100 * 99);
	idle_destroy(&idle);
	idle_bell_destroy(&bell);
}

SW_TEST(idle, work_found_in_the_last_look_ends_the_wait_before_it_began)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_INTERRUPT);
	struct idle_bell bell;
	hang_bell(&idle, &bell);
	idle_begin(&idle);
	turns(&idle, 1, SW_NS_PER_S, SW_NEVER_NS);
	SW_EXPECT_TRUE(bell.waiting);
	idle_turn(&idle, true, ticks_now_ns(), SW_NEVER_NS);
	SW_EXPECT_FALSE(bell.waiting);
	SW_EXPECT_EQ(idle.sleeps, 0u);
	idle_destroy(&idle);
	idle_bell_destroy(&bell);
}

static atomic_int rounds;

static void *ring_each_round(void *arg)
{
	struct idle *idle = arg;
	for (int i = 0; i < 200; i++) {
		atomic_store(&rounds, i + 1);
		idle_wake(idle);
		while (atomic_load(&rounds) == i + 1)
			rte_pause();
	}
	return NULL;
}

/* A ring that went unheard would cost 100 ms, the longest wait. */
SW_TEST(idle, no_ring_is_lost)
{
	SW_ASSERT_TRUE(start_eal());
	struct idle idle = idle_create(IDLE_INTERRUPT);
	struct idle_bell bell;
	pthread_t ringer;
	uint64_t slow = 0, seen = 0;
	hang_bell(&idle, &bell);
	idle_begin(&idle);
	idle.policy.ramp_us = 0;
	atomic_store(&rounds, 0);
	SW_ASSERT_EQ(pthread_create(&ringer, NULL, ring_each_round, &idle), 0);
	while (seen < 200) {
		uint64_t now_ns = ticks_now_ns();
		int round = atomic_load(&rounds);
		bool worked = round > (int)seen;
		if (worked) {
			seen = (uint64_t)round;
			atomic_store(&rounds, -round);
		}
		uint64_t asleep_ns = idle.asleep_ns;
		idle_turn(&idle, worked, now_ns, SW_NEVER_NS);
		slow += idle.asleep_ns - asleep_ns > 90 * SW_NS_PER_MS;
	}
	SW_EXPECT_EQ(pthread_join(ringer, NULL), 0);
	sw_test_note("%lu waits in 200 rounds", idle.sleeps);
	SW_EXPECT_LT(slow, 5u);
	idle_destroy(&idle);
	idle_bell_destroy(&bell);
}
