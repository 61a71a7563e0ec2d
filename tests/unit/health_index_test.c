#include "sw_test.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "health/due.h"
#include "health/name_table.h"

enum { THINGS = 300 };

SW_TEST(due_heap, first_is_always_the_earliest)
{
	struct sw_random random = sw_random_seed(51);
	struct due_heap heap = {0};
	static struct due things[THINGS];
	SW_ASSERT_EQ(due_heap_reserve(&heap, THINGS), 0);
	SW_EXPECT_TRUE(due_heap_first(&heap) == NULL);
	for (int round = 0; round < 50000; round++) {
		struct due *thing = &things[sw_random_below(&random, THINGS)];
		if (sw_random_below(&random, 3) == 0)
			due_heap_remove(&heap, thing);
		else
			due_heap_add(&heap, thing, sw_random_below(&random, 1000));
		uint64_t earliest = UINT64_MAX;
		uint32_t count = 0;
		for (int i = 0; i < THINGS; i++) {
			count += things[i].place != 0;
			if (things[i].place != 0 && things[i].at_ns < earliest)
				earliest = things[i].at_ns;
		}
		const struct due *first = due_heap_first(&heap);
		SW_ASSERT_EQ(heap.count, count);
		SW_ASSERT_EQ(first ? first->at_ns : UINT64_MAX, earliest);
	}
	due_heap_fini(&heap);
}

/* Some go from within before: what takes their place may have to move either way. */
static void expect_order(struct sw_random *random, struct due_heap *heap, struct due *things)
{
	for (uint32_t i = 0; i < THINGS; i++) {
		SW_ASSERT_EQ(due_heap_reserve(heap, i + 1), 0);
		due_heap_add(heap, &things[i], sw_random_below(random, 1000));
	}
	for (uint32_t i = 0; i < THINGS; i += 3)
		due_heap_remove(heap, &things[i]);
	uint64_t last = 0;
	while (heap->count > 0) {
		struct due *first = due_heap_first(heap);
		SW_ASSERT_TRUE(first->at_ns >= last);
		last = first->at_ns;
		due_heap_remove(heap, first);
	}
}

SW_TEST(due_heap, comes_out_in_order)
{
	struct sw_random random = sw_random_seed(52);
	struct due_heap heap = {0};
	static struct due things[THINGS];
	for (int round = 0; round < 200; round++)
		expect_order(&random, &heap, things);
	due_heap_fini(&heap);
}

SW_TEST(name_table, finds_what_was_added_and_not_removed)
{
	enum { NAMES = 5000 };
	static struct named named[NAMES];
	static char names[NAMES][16];
	static bool is_in[NAMES];
	struct sw_random random = sw_random_seed(53);
	struct name_table table;
	uint64_t count = 0;
	SW_ASSERT_EQ(name_table_init(&table, 7), 0);
	for (uint32_t i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof(names[i]), "origin-%u", i);
		named[i].name = names[i];
	}
	for (int round = 0; round < 40000; round++) {
		uint64_t i = sw_random_below(&random, NAMES);
		SW_ASSERT_TRUE(name_table_find(&table, names[i]) == (is_in[i] ? &named[i] : NULL));
		if (is_in[i])
			name_table_remove(&table, &named[i]);
		else
			name_table_add(&table, &named[i]);
		count += is_in[i] ? -1ULL : 1ULL;
		is_in[i] = !is_in[i];
		SW_ASSERT_EQ(table.count, count);
	}
	SW_EXPECT_GT(table.mask, 1000);
	SW_EXPECT_TRUE(name_table_find(&table, "") == NULL);
	name_table_fini(&table);
}
