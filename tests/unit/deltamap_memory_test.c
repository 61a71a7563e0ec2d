#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "deltamap/deltamap.h"

/* A caller's memory: filled with junk, since it may hold anything, and refused after `left` blocks.
 */
struct ledger {
	uint32_t left, open, taken;
	uint64_t bytes;
	uint32_t wrong;
};

static void *take(void *context, size_t bytes)
{
	struct ledger *l = context;
	if (l->left == 0)
		return NULL;
	size_t *block = aligned_alloc(64, (bytes + 127) / 64 * 64);
	if (block == NULL)
		return NULL;
	memset(block, 0xa5, (bytes + 127) / 64 * 64);
	block[0] = bytes; /* in a line of its own in front */
	l->left--;
	l->open++;
	l->taken++;
	l->bytes += bytes;
	return (uint8_t *)block + 64;
}

static void give(void *context, void *block, size_t bytes)
{
	struct ledger *l = context;
	size_t *head = (size_t *)(void *)((uint8_t *)block - 64);
	l->wrong += head[0] != bytes;
	l->open--;
	l->bytes -= bytes;
	free(head);
}

static struct map *map_from(struct ledger *ledger)
{
	struct map_config c = {
		.self = {1, 1},
		.records_max = 1000,
		.bytes_max = 1000 * 512,
		.pull_interval_ns = SW_NS_PER_S,
		.resend_ns = SW_NS_PER_S,
		.session_timeout_ns = SW_NS_PER_S,
		.packets_per_s_max = 1000000,
		.random_seed = 1,
		.memory = {take, give, ledger},
	};
	return map_create(&c, SW_NS_PER_S);
}

SW_TEST(map_memory, all_of_it_comes_from_the_caller_and_goes_back)
{
	struct ledger l = {.left = 1000};
	struct map *m = map_from(&l);
	SW_ASSERT_TRUE(m != NULL);
	SW_EXPECT_EQ(map_memory_bytes(m), l.bytes);
	SW_EXPECT_GT(l.bytes, 1000u * 512);
	uint32_t taken = l.taken;
	map_peers_owner(m, SW_NS_PER_S, NULL, 0, true);
	map_tick_owner(m, SW_NS_PER_S);
	SW_ASSERT_TRUE(map_ready(m));
	for (uint32_t i = 0; i < 1000; i++) {
		struct dot dot;
		SW_ASSERT_EQ(map_put_owner(m, SW_NS_PER_S, 0, &i, sizeof(i), "value", 5, &dot), 0);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		struct map_view v;
		SW_EXPECT_TRUE(map_get_reader(m, &i, sizeof(i), &v));
	}
	SW_EXPECT_EQ(l.taken, taken); /* nothing after its creation */
	map_destroy(m);
	SW_EXPECT_EQ(l.open, 0u);
	SW_EXPECT_EQ(l.bytes, 0u);
	SW_EXPECT_EQ(l.wrong, 0u);
}

SW_TEST(map_memory, what_was_taken_goes_back_when_there_is_not_enough)
{
	struct ledger all = {.left = 1000};
	map_destroy(map_from(&all));
	SW_ASSERT_GT(all.taken, 2u);
	for (uint32_t left = 0; left < all.taken; left++) {
		struct ledger l = {.left = left};
		SW_EXPECT_TRUE(map_from(&l) == NULL);
		SW_EXPECT_EQ(l.open, 0u);
		SW_EXPECT_EQ(l.wrong, 0u);
	}
}
