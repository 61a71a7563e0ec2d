#include "sw_test.h"

#include "health/schedule.h"

enum { COUNT = 100 };

static const uint64_t start_ns = 5 * SW_NS_PER_S;

static void put_all(struct schedule *s, struct schedule_entry *entries, uint32_t count,
	uint32_t interval_ms, uint32_t jitter_pct)
{
	for (uint32_t i = 0; i < count; i++) {
		entries[i] = (struct schedule_entry){
			.interval_ms = interval_ms, .jitter_pct = jitter_pct};
		SW_EXPECT_EQ(schedule_put(s, &entries[i], start_ns), 0);
	}
}

SW_TEST(schedule, new_entries_are_due_at_once_and_spread_after)
{
	struct schedule s;
	struct schedule_entry entries[COUNT], *entry;
	uint32_t first_half = 0;
	schedule_init(&s, 1);
	schedule_limits(&s, 1000000, COUNT);
	put_all(&s, entries, COUNT, 1000, 10);
	while ((entry = schedule_start(&s, start_ns + SW_NS_PER_MS)))
		schedule_end(&s, entry, start_ns + 2 * SW_NS_PER_MS);
	for (int i = 0; i < COUNT; i++) {
		uint64_t wait_ns = entries[i].due.at_ns - start_ns;
		SW_EXPECT_GE(wait_ns, 100 * SW_NS_PER_MS);
		SW_EXPECT_LE(wait_ns, 1001 * SW_NS_PER_MS);
		first_half += wait_ns < 550 * SW_NS_PER_MS;
	}
	SW_EXPECT_GT(first_half, COUNT / 4);
	SW_EXPECT_LT(first_half, 3 * COUNT / 4);
	schedule_fini(&s);
}

SW_TEST(schedule, without_jitter_the_interval_is_kept_exactly)
{
	struct schedule s;
	struct schedule_entry entry, *started;
	schedule_init(&s, 1);
	schedule_limits(&s, 1000, 1);
	put_all(&s, &entry, 1, 200, 0);
	started = schedule_start(&s, start_ns);
	SW_ASSERT_TRUE(started == &entry);
	schedule_end(&s, started, start_ns);
	uint64_t at_ns = schedule_next_ns(&s);
	for (int i = 0; i < 10; i++) {
		SW_EXPECT_TRUE(schedule_start(&s, at_ns - 1) == NULL);
		started = schedule_start(&s, at_ns);
		SW_ASSERT_TRUE(started == &entry);
		schedule_end(&s, started, at_ns + 30 * SW_NS_PER_MS);
		SW_EXPECT_EQ(schedule_next_ns(&s), at_ns + 200 * SW_NS_PER_MS);
		at_ns = schedule_next_ns(&s);
	}
	SW_EXPECT_EQ(s.counters.late, 0);
	schedule_fini(&s);
}

SW_TEST(schedule, concurrency_holds_back_and_goes_on_when_one_ends)
{
	struct schedule s;
	struct schedule_entry entries[3];
	schedule_init(&s, 1);
	schedule_limits(&s, 1000000, 2);
	put_all(&s, entries, 3, 1000, 10);
	struct schedule_entry *a = schedule_start(&s, start_ns), *b = schedule_start(&s, start_ns);
	SW_ASSERT_TRUE(a && b);
	SW_EXPECT_TRUE(schedule_start(&s, start_ns) == NULL);
	SW_EXPECT_EQ(schedule_next_ns(&s), SW_NEVER_NS);
	schedule_end(&s, a, start_ns + 150 * SW_NS_PER_MS);
	struct schedule_entry *c = schedule_start(&s, start_ns + 150 * SW_NS_PER_MS);
	SW_ASSERT_TRUE(c != NULL && c != a && c != b);
	SW_EXPECT_EQ(s.counters.deferred, 1);
	SW_EXPECT_EQ(s.counters.late, 1); /* by more than a tenth of its interval */
	schedule_remove(&s, b, start_ns + 151 * SW_NS_PER_MS);
	schedule_remove(&s, c, start_ns + 151 * SW_NS_PER_MS);
	SW_EXPECT_EQ(s.in_flight, 0);
	schedule_remove(&s, a, start_ns + 151 * SW_NS_PER_MS);
	SW_EXPECT_EQ(schedule_next_ns(&s), SW_NEVER_NS);
	schedule_fini(&s);
}

SW_TEST(schedule, rate_is_kept_over_any_second)
{
	struct schedule s;
	struct schedule_entry entries[COUNT], *entry;
	uint32_t started = 0;
	schedule_init(&s, 1);
	schedule_limits(&s, 50, COUNT);
	put_all(&s, entries, COUNT, 100, 0); /* wants 1,000 a second */
	for (uint64_t now = start_ns; now < start_ns + SW_NS_PER_S; now += SW_NS_PER_MS) {
		while ((entry = schedule_start(&s, now))) {
			started++;
			schedule_end(&s, entry, now);
		}
	}
	/* And what may be made up for at the beginning: 100 ms. */
	SW_EXPECT_GE(started, 49);
	SW_EXPECT_LE(started, 50 + 5 + 1);
	SW_EXPECT_GE(s.counters.deferred, started - 7);
	schedule_fini(&s);
}

SW_TEST(schedule, again_takes_it_out_of_flight)
{
	struct schedule s;
	struct schedule_entry entry;
	schedule_init(&s, 1);
	schedule_limits(&s, 1000, 1);
	put_all(&s, &entry, 1, 1000, 10);
	SW_ASSERT_TRUE(schedule_start(&s, start_ns) == &entry);
	schedule_again(&s, &entry, start_ns + 20 * SW_NS_PER_MS);
	SW_EXPECT_EQ(s.in_flight, 0);
	SW_ASSERT_TRUE(schedule_start(&s, start_ns + 20 * SW_NS_PER_MS) == &entry);
	schedule_fini(&s);
}
