#include "sw_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "seal/window.h"

enum { MODEL = 1 << 16 };

SW_TEST(seal_window, each_counter_is_accepted_once)
{
	struct window w = {{0}};
	for (uint64_t c = 1; c < 5000; c++) {
		SW_ASSERT_TRUE(window_may_accept(&w, c));
		SW_ASSERT_TRUE(window_accept(&w, c));
		SW_ASSERT_FALSE(window_may_accept(&w, c));
		SW_ASSERT_FALSE(window_accept(&w, c));
	}
}

SW_TEST(seal_window, counters_within_the_window_may_come_late)
{
	struct window w = {{0}};
	SW_ASSERT_TRUE(window_accept(&w, 100000));
	for (uint64_t c = 100000 - SEAL_WINDOW; c < 100000; c++)
		SW_ASSERT_TRUE(window_accept(&w, c));
	for (uint64_t c = 100000 - SEAL_WINDOW; c <= 100000; c++)
		SW_ASSERT_FALSE(window_accept(&w, c));
}

SW_TEST(seal_window, older_than_what_was_seen_in_its_place_is_refused)
{
	struct window w = {{0}};
	for (uint64_t c = 1; c <= 2 * WINDOW_WORDS * WINDOW_BLOCK; c++)
		SW_ASSERT_TRUE(window_accept(&w, c));
	for (uint64_t c = 1; c < WINDOW_WORDS * WINDOW_BLOCK; c++)
		SW_ASSERT_FALSE(window_may_accept(&w, c));
}

SW_TEST(seal_window, last_counters_are_told_apart_as_all_others)
{
	struct window w = {{0}};
	SW_EXPECT_TRUE(window_may_accept(&w, SEAL_COUNTER_MAX));
	SW_EXPECT_TRUE(window_accept(&w, SEAL_COUNTER_MAX));
	SW_EXPECT_FALSE(window_accept(&w, SEAL_COUNTER_MAX));
	SW_EXPECT_TRUE(window_accept(&w, SEAL_COUNTER_MAX - SEAL_WINDOW));
}

/* Any order: nothing twice, and nothing refused that was new and inside of the window. */
SW_TEST(seal_window, agrees_with_a_model_that_remembers_everything)
{
	uint64_t seed = sw_test_env_u64("SW_SEED", 4711);
	struct sw_random random = sw_random_seed(seed);
	static bool seen[MODEL];
	struct window w = {{0}};
	uint64_t newest = 1;
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 200000; i++) {
		uint64_t back = sw_random_below(&random, 4) == 0 ? 3000 : SEAL_WINDOW;
		uint64_t ahead = sw_random_below(&random, 50) == 0 ? 200 : 2;
		uint64_t low = newest > back ? newest - back : 1;
		uint64_t c = low + sw_random_below(&random, newest + ahead - low);
		if (c >= MODEL)
			break;
		bool inside = c + SEAL_WINDOW >= newest;
		bool taken = window_accept(&w, c);
		if (taken && seen[c])
			SW_FAIL("seed %llu: %llu taken twice", (unsigned long long)seed,
				(unsigned long long)c);
		if (!taken && !seen[c] && inside)
			SW_FAIL("seed %llu: %llu refused, newest %llu", (unsigned long long)seed,
				(unsigned long long)c, (unsigned long long)newest);
		seen[c] |= taken;
		newest = c > newest ? c : newest;
	}
	SW_EXPECT_GT(newest, 10000u);
}

enum { RACERS = 4, RACE = 200000 };

struct race {
	struct window window;
	_Atomic uint64_t taken;
};

static void *racer(void *arg)
{
	struct race *race = arg;
	uint64_t taken = 0;
	for (uint64_t c = 1; c <= RACE; c++)
		taken += window_may_accept(&race->window, c) && window_accept(&race->window, c);
	atomic_fetch_add(&race->taken, taken);
	return NULL;
}

/* Lanes share a window: of all who see a counter at once, one takes it. Whoever is far ahead has
 * been at every counter before, so that none is refused by all. */
SW_TEST(seal_window, lanes_that_race_never_take_a_counter_twice)
{
	static struct race race;
	pthread_t threads[RACERS];
	memset(&race, 0, sizeof(race));
	for (int i = 0; i < RACERS; i++)
		SW_ASSERT_EQ(pthread_create(&threads[i], NULL, racer, &race), 0);
	for (int i = 0; i < RACERS; i++)
		SW_ASSERT_EQ(pthread_join(threads[i], NULL), 0);
	SW_EXPECT_EQ(atomic_load(&race.taken), (uint64_t)RACE);
}
