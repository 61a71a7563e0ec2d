#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "appliance.h"
#include "base/random.h"

enum { RECORDS_MAX = 100, SLOTS = 1024 /* the least there are */ };

#define STABLE_NS (10 * SW_NS_PER_S)
#define T0        (100 * SW_NS_PER_S)

/* One table and the members that it is told of; server 1 is this one. */
struct world {
	struct config config;
	struct appliance app;
	struct members_view view;
	struct ownership *ownership;
};

static struct world *world_create(uint32_t servers)
{
	struct world *w = calloc(1, sizeof(*w));
	w->config.map_records_max = RECORDS_MAX;
	w->config.ownership_stable_us = STABLE_NS / SW_NS_PER_US;
	w->app.config = &w->config;
	w->view.phase = SWIM_RUNNING;
	w->view.count = servers;
	for (uint32_t i = 0; i < servers; i++) {
		struct wire_member *r = &w->view.members[i].record;
		r->actor = (struct actor){i + 1, 1};
		r->instance = i + 1;
		r->weight = SW_WEIGHT_DEFAULT;
	}
	w->view.members[0].self = true;
	SW_EXPECT_EQ(ownership_create(&w->app, &w->ownership), 0);
	return w;
}

static void world_destroy(struct world *w)
{
	ownership_destroy(w->ownership);
	free(w);
}

static uint64_t tell(struct world *w, uint64_t now_ns)
{
	return ownership_members(w->ownership, now_ns, &w->view);
}

static void put(struct world *w, uint64_t key_hash)
{
	struct map_view view = {.key_hash = key_hash};
	ownership_key(w->ownership, &view);
}

static void del(struct world *w, uint64_t key_hash)
{
	struct map_view view = {.key_hash = key_hash, .tombstone = true};
	ownership_key(w->ownership, &view);
}

static bool registered(const struct world *w, uint64_t key_hash)
{
	struct rendezvous_ranks ranks;
	return ownership_read_reader(w->ownership, key_hash, &ranks);
}

/* 0: nobody, or not registered. */
static uint64_t owner_of(const struct world *w, uint64_t key_hash)
{
	struct rendezvous_ranks ranks;
	bool found = ownership_read_reader(w->ownership, key_hash, &ranks);
	return found && ranks.count > 0 ? ranks.ids[0] : 0;
}

/* Of keys 1 … RECORDS_MAX. */
static uint32_t keys_of(const struct world *w, uint64_t id)
{
	uint32_t n = 0;
	for (uint64_t k = 1; k <= RECORDS_MAX; k++)
		n += owner_of(w, sw_mix64(k)) == id;
	return n;
}

static struct world *world_with_keys(uint32_t servers)
{
	struct world *w = world_create(servers);
	for (uint64_t k = 1; k <= RECORDS_MAX; k++)
		put(w, sw_mix64(k));
	SW_EXPECT_EQ(tell(w, T0), SW_NEVER_NS);
	return w;
}

SW_TEST(ownership, origin_keys_alone_are_registered)
{
	SW_EXPECT_TRUE(ownership_is_registered_prefix("origin/a", 8));
	SW_EXPECT_FALSE(ownership_is_registered_prefix("origin/", 7));
	SW_EXPECT_FALSE(ownership_is_registered_prefix("origin", 6));
	SW_EXPECT_FALSE(ownership_is_registered_prefix("health/a", 8));
	SW_EXPECT_FALSE(ownership_is_registered_prefix("Origin/a", 8));
	SW_EXPECT_FALSE(ownership_is_registered_prefix("", 0));
}

SW_TEST(ownership, record_registers_a_key_and_its_tombstone_takes_it_out)
{
	struct world *w = world_create(3);
	tell(w, T0);
	SW_EXPECT_FALSE(registered(w, 77));
	put(w, 77);
	SW_EXPECT_TRUE(registered(w, 77));
	SW_EXPECT_NE(owner_of(w, 77), 0u);
	SW_EXPECT_EQ(ownership_keys(w->ownership), 1u);
	put(w, 77); /* overwritten */
	SW_EXPECT_EQ(ownership_keys(w->ownership), 1u);
	del(w, 77);
	SW_EXPECT_FALSE(registered(w, 77));
	SW_EXPECT_EQ(ownership_keys(w->ownership), 0u);
	del(w, 77);
	del(w, 78); /* never heard of */
	SW_EXPECT_EQ(ownership_keys(w->ownership), 0u);
	put(w, 77);
	SW_EXPECT_TRUE(registered(w, 77));
	SW_EXPECT_EQ(ownership_keys(w->ownership), 1u);
	world_destroy(w);
}

SW_TEST(ownership, ranks_are_those_of_rendezvous_hashing)
{
	struct world *w = world_with_keys(8);
	struct rendezvous_server servers[8];
	for (uint32_t i = 0; i < 8; i++)
		servers[i] = rendezvous_server_make(i + 1, SW_WEIGHT_DEFAULT);
	for (uint64_t k = 1; k <= RECORDS_MAX; k++) {
		uint32_t order[SW_OWNER_RANKS];
		struct rendezvous_ranks ranks;
		SW_ASSERT_EQ(rendezvous_rank(sw_mix64(k), servers, 8, order, SW_OWNER_RANKS), 3u);
		SW_ASSERT_TRUE(ownership_read_reader(w->ownership, sw_mix64(k), &ranks));
		SW_ASSERT_EQ(ranks.count, 3u);
		for (int i = 0; i < SW_OWNER_RANKS; i++)
			SW_EXPECT_EQ(ranks.ids[i], servers[order[i]].id);
	}
	world_destroy(w);
}

SW_TEST(ownership, zone_aware_second_lies_in_another_zone_and_the_owner_stays)
{
	struct world *plain = world_with_keys(8), *zoned = world_create(8);
	struct config *config = &zoned->config;
	struct ownership *before = zoned->ownership;
	config->ownership_zone_aware = true;
	SW_EXPECT_EQ(ownership_create(&zoned->app, &zoned->ownership), 0);
	ownership_destroy(before);
	for (uint32_t i = 0; i < 8; i++)
		(void)strcpy(zoned->view.members[i].record.zone, i < 5 ? "east" : "west");
	for (uint64_t k = 1; k <= RECORDS_MAX; k++)
		put(zoned, sw_mix64(k));
	tell(zoned, T0);
	uint32_t moved = 0;
	for (uint64_t k = 1; k <= RECORDS_MAX; k++) {
		struct rendezvous_ranks a, b;
		SW_ASSERT_TRUE(ownership_read_reader(plain->ownership, sw_mix64(k), &a));
		SW_ASSERT_TRUE(ownership_read_reader(zoned->ownership, sw_mix64(k), &b));
		SW_EXPECT_EQ(a.ids[0], b.ids[0]);
		SW_EXPECT_NE(b.ids[0] <= 5, b.ids[1] <= 5);
		moved += a.ids[1] != b.ids[1];
	}
	SW_EXPECT_GT(moved, 10u);
	world_destroy(plain);
	world_destroy(zoned);
}

SW_TEST(ownership, servers_that_own_keys_are_read_with_weights_and_zones)
{
	struct world *w = world_create(4);
	struct rendezvous_server servers[SW_MEMBERS_MAX];
	SW_EXPECT_EQ(ownership_servers_reader(w->ownership, servers), 0u);
	w->view.members[1].record.weight = 250;
	(void)strcpy(w->view.members[2].record.zone, "west");
	w->view.members[3].record.flags = WIRE_MEMBER_DRAIN;
	tell(w, T0);
	SW_ASSERT_EQ(ownership_servers_reader(w->ownership, servers), 3u);
	SW_EXPECT_EQ(servers[1].id, 2u);
	SW_EXPECT_EQ(servers[1].weight, 250);
	SW_EXPECT_EQ(servers[1].hash, rendezvous_server_hash(2));
	SW_EXPECT_EQ(servers[2].zone, rendezvous_zone("west"));
	SW_EXPECT_EQ(servers[0].zone, rendezvous_zone(""));
	world_destroy(w);
}

SW_TEST(ownership, keys_beyond_the_configured_records_are_not_registered)
{
	struct world *w = world_with_keys(2);
	put(w, 77);
	SW_EXPECT_FALSE(registered(w, 77));
	SW_EXPECT_EQ(ownership_keys(w->ownership), (uint64_t)RECORDS_MAX);
	del(w, sw_mix64(1));
	put(w, 77);
	SW_EXPECT_TRUE(registered(w, 77));
	world_destroy(w);
}

SW_TEST(ownership, nobody_owns_anything_before_this_server_is_a_member)
{
	struct world *w = world_create(3);
	w->view.phase = SWIM_JOINING;
	put(w, 77);
	SW_EXPECT_EQ(tell(w, T0), SW_NEVER_NS);
	SW_EXPECT_TRUE(registered(w, 77));
	SW_EXPECT_EQ(owner_of(w, 77), 0u);
	w->view.phase = SWIM_RUNNING;
	tell(w, T0);
	SW_EXPECT_NE(owner_of(w, 77), 0u);
	world_destroy(w);
}

static void become_draining(struct wire_member *r)
{
	r->flags |= WIRE_MEMBER_DRAIN;
}

static void become_left(struct wire_member *r)
{
	r->state = WIRE_LEFT;
}

static void become_dead(struct wire_member *r)
{
	r->state = WIRE_DEAD;
}

struct goodbye_row {
	const char *name;
	void (*become)(struct wire_member *r);
};

static const struct goodbye_row goodbye_rows[] = {
	{"drains", become_draining},
	{"leaves", become_left},
	{"is dead", become_dead},
};

SW_TEST_TABLE(ownership, hands_over_only_its_own_keys_when_it, const struct goodbye_row *row,
	goodbye_rows)
{
	struct world *w = world_with_keys(4);
	uint64_t before[RECORDS_MAX + 1];
	for (uint64_t k = 1; k <= RECORDS_MAX; k++)
		before[k] = owner_of(w, sw_mix64(k));
	SW_EXPECT_GT(keys_of(w, 3), 0u);
	row->become(&w->view.members[2].record);
	SW_EXPECT_EQ(tell(w, T0 + 1), SW_NEVER_NS);
	SW_EXPECT_EQ(keys_of(w, 3), 0u);
	for (uint64_t k = 1; k <= RECORDS_MAX; k++) {
		SW_EXPECT_NE(owner_of(w, sw_mix64(k)), 0u);
		if (before[k] != 3)
			SW_EXPECT_EQ(owner_of(w, sw_mix64(k)), before[k]);
	}
	world_destroy(w);
}

SW_TEST(ownership, undrained_server_owns_again_at_once)
{
	struct world *w = world_with_keys(4);
	uint32_t before = keys_of(w, 3);
	become_draining(&w->view.members[2].record);
	tell(w, T0 + 1);
	w->view.members[2].record.flags = 0;
	SW_EXPECT_EQ(tell(w, T0 + 2), SW_NEVER_NS);
	SW_EXPECT_EQ(keys_of(w, 3), before);
	world_destroy(w);
}

SW_TEST(ownership, suspect_goes_on_owning)
{
	struct world *w = world_with_keys(4);
	uint32_t before = keys_of(w, 3);
	w->view.members[2].record.state = WIRE_SUSPECT;
	tell(w, T0 + 1);
	SW_EXPECT_GT(before, 0u);
	SW_EXPECT_EQ(keys_of(w, 3), before);
	world_destroy(w);
}

SW_TEST(ownership, member_that_came_back_owns_nothing_until_stable_and_then_what_it_had)
{
	struct world *w = world_with_keys(4);
	uint32_t before = keys_of(w, 3);
	uint64_t back_ns = T0 + SW_NS_PER_S;
	become_dead(&w->view.members[2].record);
	tell(w, T0 + 1);
	w->view.members[2].record.state = WIRE_ALIVE;
	SW_EXPECT_EQ(tell(w, back_ns), back_ns + STABLE_NS);
	SW_EXPECT_EQ(keys_of(w, 3), 0u);
	SW_EXPECT_EQ(tell(w, back_ns + STABLE_NS - 1),
		back_ns + STABLE_NS); /* waiting does not start anew */
	SW_EXPECT_EQ(keys_of(w, 3), 0u);
	SW_EXPECT_EQ(tell(w, back_ns + STABLE_NS), SW_NEVER_NS);
	SW_EXPECT_EQ(keys_of(w, 3), before);
	world_destroy(w);
}

SW_TEST(ownership, member_that_goes_again_while_it_waits_waits_anew)
{
	struct world *w = world_with_keys(4);
	struct wire_member *r = &w->view.members[2].record;
	become_dead(r);
	tell(w, T0 + 1);
	r->state = WIRE_ALIVE;
	tell(w, T0 + 2);
	become_dead(r);
	SW_EXPECT_EQ(tell(w, T0 + SW_NS_PER_S), SW_NEVER_NS);
	r->state = WIRE_ALIVE;
	uint64_t back_ns = T0 + 2 * SW_NS_PER_S;
	SW_EXPECT_EQ(tell(w, back_ns), back_ns + STABLE_NS);
	tell(w, T0 + 2 + STABLE_NS);
	SW_EXPECT_EQ(keys_of(w, 3), 0u);
	tell(w, back_ns + STABLE_NS);
	SW_EXPECT_GT(keys_of(w, 3), 0u);
	world_destroy(w);
}

SW_TEST(ownership, member_that_restarted_unseen_waits_as_it_does_itself)
{
	struct world *w = world_with_keys(4);
	struct wire_member *r = &w->view.members[2].record;
	uint32_t before = keys_of(w, 3);
	r->actor.epoch++; /* the same process under another epoch lost nothing */
	SW_EXPECT_EQ(tell(w, T0 + 1), SW_NEVER_NS);
	SW_EXPECT_EQ(keys_of(w, 3), before);
	r->actor.epoch++;
	r->instance = 99;
	SW_EXPECT_EQ(tell(w, T0 + 2), T0 + 2 + STABLE_NS);
	SW_EXPECT_EQ(keys_of(w, 3), 0u);
	SW_EXPECT_EQ(tell(w, T0 + 2 + STABLE_NS), SW_NEVER_NS);
	SW_EXPECT_EQ(keys_of(w, 3), before);
	world_destroy(w);
}

SW_TEST(ownership, a_newcomer_owns_at_once_and_a_remembered_self_waits)
{
	struct world *w = world_create(3);
	w->view.remembered = true;
	for (uint64_t k = 1; k <= RECORDS_MAX; k++)
		put(w, sw_mix64(k));
	SW_EXPECT_EQ(tell(w, T0), T0 + STABLE_NS);
	SW_EXPECT_EQ(keys_of(w, 1), 0u);
	SW_EXPECT_GT(keys_of(w, 2), 0u);
	SW_EXPECT_EQ(tell(w, T0 + STABLE_NS), SW_NEVER_NS);
	SW_EXPECT_GT(keys_of(w, 1), 0u);
	world_destroy(w);
}

SW_TEST(ownership, the_next_moment_is_the_earliest_of_those_who_wait)
{
	struct world *w = world_with_keys(4);
	become_dead(&w->view.members[2].record);
	become_dead(&w->view.members[3].record);
	tell(w, T0 + 1);
	w->view.members[3].record.state = WIRE_ALIVE;
	tell(w, T0 + 2);
	w->view.members[2].record.state = WIRE_ALIVE;
	SW_EXPECT_EQ(tell(w, T0 + 3), T0 + 2 + STABLE_NS);
	SW_EXPECT_EQ(tell(w, T0 + 2 + STABLE_NS), T0 + 3 + STABLE_NS);
	SW_EXPECT_GT(keys_of(w, 4), 0u);
	SW_EXPECT_EQ(keys_of(w, 3), 0u);
	world_destroy(w);
}

/* Hashes that fall onto few slots, so that chains of used and given-up slots are long. */
static uint64_t crowded(struct sw_random *random)
{
	return (sw_random_u64(random) & ~(uint64_t)(SLOTS - 1)) | sw_random_below(random, 64) |
	       1ULL << 63;
}

SW_TEST(ownership, slots_are_used_again_when_three_times_as_many_keys_come_and_go)
{
	struct world *w = world_create(3);
	struct sw_random random = sw_random_seed(1);
	uint64_t live[RECORDS_MAX];
	tell(w, T0);
	for (uint32_t i = 0; i < 3 * SLOTS; i++) {
		uint32_t at = i % RECORDS_MAX;
		if (i >= RECORDS_MAX) {
			del(w, live[at]);
			SW_ASSERT_FALSE(registered(w, live[at]));
		}
		live[at] = i % 2 == 0 ? crowded(&random) : sw_random_u64(&random);
		put(w, live[at]);
		for (uint32_t j = 0; j < (i < RECORDS_MAX ? i + 1 : RECORDS_MAX); j++)
			SW_ASSERT_TRUE(registered(w, live[j]));
	}
	SW_EXPECT_EQ(ownership_keys(w->ownership), (uint64_t)RECORDS_MAX);
	for (uint32_t i = 0; i < RECORDS_MAX; i++)
		del(w, live[i]);
	SW_EXPECT_EQ(ownership_keys(w->ownership), 0u);
	world_destroy(w);
}

SW_TEST(ownership, a_key_whose_slot_another_one_took_is_not_found_and_comes_back)
{
	struct world *w = world_create(3);
	tell(w, T0);
	uint64_t first = 5, second = 5 + SLOTS; /* one home slot */
	put(w, first);
	del(w, first);
	put(w, second);
	SW_EXPECT_FALSE(registered(w, first));
	SW_EXPECT_TRUE(registered(w, second));
	put(w, first);
	SW_EXPECT_TRUE(registered(w, first));
	del(w, second);
	SW_EXPECT_TRUE(registered(w, first));
	SW_EXPECT_FALSE(registered(w, second));
	world_destroy(w);
}
