#include "sw_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <numa.h>
#include <numaif.h>

#include <rte_eal.h>
#include <rte_malloc.h>

#include "map_pages.h"

enum { SMALL = 5000, LARGE = (5 << 20) + 64 };

static bool is_clean(const uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i] != 0)
			return false;
	return (uintptr_t)at % 64 == 0;
}

/* Pages in memory, of those that the block touches. */
static size_t missing_pages(uint8_t *at, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *first = at - (uintptr_t)at % page;
	size_t count = ((size_t)(at + bytes - first) + page - 1) / page, missing = 0;
	unsigned char *in = calloc(count, 1);
	SW_EXPECT_EQ(mincore(first, count * page, in), 0);
	for (size_t i = 0; i < count; i++)
		missing += !(in[i] & 1);
	free(in);
	return missing;
}

static int node_of(void *at)
{
	int node = -1;
	SW_EXPECT_EQ(get_mempolicy(&node, NULL, 0, at, MPOL_F_NODE | MPOL_F_ADDR), 0);
	return node;
}

/* EAL starts once a process. */
static void start_eal(void)
{
	static bool started;
	char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"32", "--log-level", "*:error", NULL};
	if (!started)
		SW_EXPECT_GE(rte_eal_init((int)(sizeof(args) / sizeof(args[0])) - 1, args), 0);
	started = true;
}

SW_TEST(map_pages, mapped_blocks_are_clean_aligned_touched_and_on_the_keepers_node)
{
	struct map_pages pages;
	int node = numa_available() >= 0 ? numa_max_node() : MAP_PAGES_ANY_NODE;
	struct map_memory m = map_pages_init(&pages, node, false);
	uint8_t *small = m.take(m.context, SMALL), *large = m.take(m.context, LARGE);
	SW_ASSERT_TRUE(small != NULL && large != NULL);
	SW_EXPECT_EQ(map_pages_from_dpdk(&pages), 0u);
	SW_EXPECT_TRUE(is_clean(small, SMALL));
	SW_EXPECT_EQ(missing_pages(large, LARGE), 0u);
	SW_EXPECT_TRUE(is_clean(large, LARGE));
	if (node != MAP_PAGES_ANY_NODE) {
		SW_EXPECT_EQ(node_of(small), node);
		SW_EXPECT_EQ(node_of(large), node);
		SW_EXPECT_EQ(node_of(large + LARGE - 1), node);
	}
	memset(small, 1, SMALL);
	memset(large, 1, LARGE);
	m.give(m.context, large, LARGE);
	m.give(m.context, small, SMALL);
	SW_EXPECT_EQ(pages.count, 0u);
}

SW_TEST(map_pages, dpdks_memory_comes_first_and_mapped_memory_when_that_is_used_up)
{
	struct map_pages pages;
	start_eal();
	struct map_memory m = map_pages_init(&pages, MAP_PAGES_ANY_NODE, true);
	uint8_t *small = m.take(m.context, SMALL);
	SW_ASSERT_TRUE(small != NULL);
	SW_EXPECT_EQ(map_pages_from_dpdk(&pages), 1u);
	SW_EXPECT_TRUE(is_clean(small, SMALL));
	size_t more = (size_t)64 << 20; /* than EAL has */
	uint8_t *large = m.take(m.context, more);
	SW_ASSERT_TRUE(large != NULL);
	SW_EXPECT_EQ(map_pages_from_dpdk(&pages), 1u);
	SW_EXPECT_TRUE(is_clean(large, more));
	m.give(m.context, large, more);
	m.give(m.context, small, SMALL);
	SW_EXPECT_EQ(pages.count, 0u);
}

SW_TEST(map_pages, a_map_lives_in_them)
{
	struct map_pages pages;
	struct map_config c = {
		.self = {1, 1},
		.records_max = 1000,
		.bytes_max = 4 << 20,
		.pull_interval_ns = 1000000000,
		.resend_ns = 1000000000,
		.session_timeout_ns = 1000000000,
		.packets_per_s_max = 1000,
		.random_seed = 1,
	};
	c.memory = map_pages_init(&pages, MAP_PAGES_ANY_NODE, false);
	struct map *map = map_create(&c, 1);
	SW_ASSERT_TRUE(map != NULL);
	SW_EXPECT_GT(pages.count, 2u);
	map_destroy(map);
	SW_EXPECT_EQ(pages.count, 0u);
}
