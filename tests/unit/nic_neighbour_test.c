#include "sw_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/endpoint.h"
#include "nic/ask.h"
#include "nic/neighbour.h"

static const uint8_t mac_a[6] = {2, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa};
static const uint8_t mac_b[6] = {2, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb};

static struct sw_endpoint address(uint32_t n)
{
	return sw_endpoint_from_ipv4(htobe32(0x0a000000u + n), 0);
}

static struct neighbours *new_table(void)
{
	return calloc(1, sizeof(struct neighbours));
}

SW_TEST(nic_neighbour, unknown_address_has_no_mac)
{
	struct neighbours *t = new_table();
	struct sw_endpoint e = address(1);
	uint8_t mac[6];
	SW_EXPECT_EQ(neighbour_find(t, e.addr), -ENOENT);
	SW_EXPECT_FALSE(neighbour_mac(t, e.addr, mac));
	SW_EXPECT_GE(neighbour_claim_owner(t, e.addr), 0);
	SW_EXPECT_FALSE(neighbour_mac(t, e.addr, mac));
	free(t);
}

SW_TEST(nic_neighbour, doubted_mac_stays_in_use)
{
	struct neighbours *t = new_table();
	struct sw_endpoint e = address(1);
	uint8_t mac[6];
	int slot = neighbour_claim_owner(t, e.addr);
	neighbour_set_owner(t, slot, NEIGHBOUR_KNOWN, mac_a);
	SW_ASSERT_TRUE(neighbour_mac(t, e.addr, mac));
	SW_EXPECT_MEM(mac, mac_a, 6);
	neighbour_set_owner(t, slot, NEIGHBOUR_DOUBTED, mac_a);
	SW_EXPECT_TRUE(neighbour_mac(t, e.addr, mac));
	neighbour_set_owner(t, slot, NEIGHBOUR_UNKNOWN, NULL);
	SW_EXPECT_FALSE(neighbour_mac(t, e.addr, mac));
	free(t);
}

SW_TEST(nic_neighbour, full_table_refuses_and_keeps_what_it_has)
{
	struct neighbours *t = new_table();
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++) {
		struct sw_endpoint e = address(i);
		int slot = neighbour_claim_owner(t, e.addr);
		SW_ASSERT_TRUE(slot >= 0);
		uint8_t mac[6] = {2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
		neighbour_set_owner(t, slot, NEIGHBOUR_KNOWN, mac);
	}
	struct sw_endpoint more = address(NEIGHBOURS_MAX), first = address(0);
	SW_EXPECT_EQ(neighbour_claim_owner(t, more.addr), -ENOSPC);
	SW_EXPECT_GE(neighbour_claim_owner(t, first.addr), 0); /* known: no new entry */
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++) {
		struct sw_endpoint e = address(i);
		uint8_t mac[6], wanted[6] = {2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
		SW_ASSERT_TRUE(neighbour_mac(t, e.addr, mac));
		SW_EXPECT_MEM(mac, wanted, 6);
	}
	free(t);
}

struct race {
	struct neighbours *table;
	_Atomic bool stop;
	_Atomic uint64_t reads, wrong;
};

static void *read_all_the_time(void *arg)
{
	struct race *race = arg;
	uint64_t reads = 0;
	while (!atomic_load(&race->stop)) {
		uint8_t mac[6];
		struct sw_endpoint e = address((uint32_t)(reads % 64));
		if (neighbour_mac(race->table, e.addr, mac) && memcmp(mac, mac_a, 6) != 0 &&
			memcmp(mac, mac_b, 6) != 0)
			atomic_fetch_add(&race->wrong, 1);
		reads++;
	}
	atomic_fetch_add(&race->reads, reads);
	return NULL;
}

SW_TEST(nic_neighbour, readers_never_see_half_a_mac)
{
	struct race race = {.table = new_table()};
	pthread_t readers[2];
	for (int i = 0; i < 2; i++)
		SW_ASSERT_EQ(pthread_create(&readers[i], NULL, read_all_the_time, &race), 0);
	for (uint32_t i = 0; i < 400000; i++) {
		struct sw_endpoint e = address(i % 64);
		int slot = neighbour_claim_owner(race.table, e.addr);
		neighbour_set_owner(race.table, slot,
			i % 3 == 0 ? NEIGHBOUR_DOUBTED : NEIGHBOUR_KNOWN,
			i % 2 == 0 ? mac_a : mac_b);
	}
	atomic_store(&race.stop, true);
	for (int i = 0; i < 2; i++)
		(void)pthread_join(readers[i], NULL);
	SW_EXPECT_EQ(race.wrong, 0u);
	SW_EXPECT_GT(race.reads, 0u);
	free(race.table);
}

SW_TEST(nic_ask, notes_arrive_in_order_until_the_ring_is_full)
{
	struct asks *asks = aligned_alloc(64, sizeof(*asks));
	struct ask ask = {.learned = false};
	memset(asks, 0, sizeof(*asks));
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < ASKS_MAX; i++) {
			ask.addr[15] = (uint8_t)i;
			SW_ASSERT_TRUE(ask_put_spsc(asks, &ask));
		}
		SW_EXPECT_FALSE(ask_put_spsc(asks, &ask));
		for (uint32_t i = 0; i < ASKS_MAX; i++) {
			SW_ASSERT_TRUE(ask_get_spsc(asks, &ask));
			SW_EXPECT_EQ(ask.addr[15], (uint8_t)i);
		}
		SW_EXPECT_FALSE(ask_get_spsc(asks, &ask));
	}
	free(asks);
}
