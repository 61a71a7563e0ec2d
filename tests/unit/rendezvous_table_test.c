#include "sw_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rendezvous/table.h"

enum { KEYS_MAX = 50000 };

/* A table beside what ranking every key anew gives, and beside what on_changed told. */
struct world {
	struct rendezvous_table *table;
	uint32_t zones; /* 0: ranks are not zone-aware */
	struct sw_random random;
	struct rendezvous_server servers[SW_MEMBERS_MAX];
	uint32_t server_count;
	uint32_t key_count;
	uint64_t key_hashes[KEYS_MAX];
	uint32_t entries[KEYS_MAX];
	struct rendezvous_ranks told[KEYS_MAX];
	uint64_t told_count;
};

static bool same_ranks(const struct rendezvous_ranks *a, const struct rendezvous_ranks *b)
{
	return a->count == b->count && memcmp(a->ids, b->ids, a->count * sizeof(a->ids[0])) == 0;
}

static struct rendezvous_ranks full_ranks_of(
	const struct rendezvous_server *servers, uint32_t n, uint64_t key_hash, bool zones)
{
	uint32_t order[SW_OWNER_RANKS];
	struct rendezvous_ranks ranks = {0};
	ranks.count = zones ? rendezvous_rank_zones(key_hash, servers, n, order, SW_OWNER_RANKS)
			    : rendezvous_rank(key_hash, servers, n, order, SW_OWNER_RANKS);
	for (uint32_t i = 0; i < ranks.count; i++)
		ranks.ids[i] = servers[order[i]].id;
	return ranks;
}

static struct rendezvous_ranks full_ranks(
	const struct rendezvous_server *servers, uint32_t n, uint64_t key_hash)
{
	return full_ranks_of(servers, n, key_hash, false);
}

static void on_changed(void *context, uint32_t handle, const struct rendezvous_ranks *before,
	const struct rendezvous_ranks *after)
{
	struct world *world = context;
	SW_EXPECT_TRUE(same_ranks(before, &world->told[handle]));
	SW_EXPECT_FALSE(same_ranks(before, after));
	world->told[handle] = *after;
	world->told_count++;
}

static struct world *world_create(uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));
	world->random = sw_random_seed(seed);
	SW_EXPECT_EQ(rendezvous_table_create(KEYS_MAX, on_changed, world, &world->table), 0);
	return world;
}

static void world_destroy(struct world *world)
{
	rendezvous_table_destroy(world->table);
	free(world);
}

static void add_key(struct world *world)
{
	uint32_t i = world->key_count++;
	world->key_hashes[i] = sw_random_u64(&world->random);
	SW_EXPECT_EQ(rendezvous_table_register(
			     world->table, world->key_hashes[i], i, &world->entries[i]),
		0);
	SW_EXPECT_TRUE(
		rendezvous_table_read_reader(world->table, world->entries[i], &world->told[i]));
}

static void add_keys(struct world *world, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		add_key(world);
}

static void add_servers(struct world *world, uint32_t count, bool same_weight)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t weight =
			same_weight ? 100 : 1 + sw_random_below(&world->random, SW_WEIGHT_MAX);
		struct rendezvous_server *s = &world->servers[world->server_count++];
		*s = rendezvous_server_make(sw_random_u64(&world->random), (uint16_t)weight);
		if (world->zones > 0)
			s->zone = (uint32_t)sw_random_below(&world->random, world->zones);
	}
}

static void remove_server(struct world *world, uint64_t i)
{
	world->servers[i] = world->servers[--world->server_count];
}

static void set_servers(struct world *world)
{
	SW_EXPECT_EQ(
		rendezvous_table_servers(world->table, world->servers, world->server_count), 0);
}

static struct rendezvous_table_stats stats_of(const struct world *world)
{
	struct rendezvous_table_stats stats;
	rendezvous_table_stats(world->table, &stats);
	return stats;
}

/* The table and what it told agree with ranking every key anew. */
static bool is_right(struct world *world)
{
	bool right = true;
	for (uint32_t i = 0; i < world->key_count && right; i++) {
		struct rendezvous_ranks full = full_ranks_of(world->servers, world->server_count,
			world->key_hashes[i], world->zones > 0);
		struct rendezvous_ranks kept;
		right = rendezvous_table_read_reader(world->table, world->entries[i], &kept) &&
			same_ranks(&kept, &full) && same_ranks(&world->told[i], &full);
	}
	return right;
}

struct history_row {
	const char *name;
	uint64_t seed;
	uint32_t server_count_max;
	bool same_weight;
	uint32_t zones;
};

static const struct history_row history_rows[] = {
	{"few_same_weight", 1, 5, true, 0},
	{"few_weighted", 2, 5, false, 0},
	{"many_same_weight", 3, 64, true, 0},
	{"many_weighted", 4, 64, false, 0},
	{"most_weighted", 5, SW_MEMBERS_MAX, false, 0},
	{"few_of_two_zones", 6, 5, true, 2},
	{"few_of_one_zone", 7, 5, false, 1},
	{"many_of_three_zones", 8, 64, true, 3},
	{"many_weighted_of_two_zones", 9, 64, false, 2},
	{"most_of_forty_zones", 10, SW_MEMBERS_MAX, false, 40},
};

static void change_servers(struct world *world, const struct history_row *row)
{
	uint64_t steps = 1 + sw_random_below(&world->random, 4);
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t what = sw_random_below(&world->random, row->zones > 0 ? 4 : 3);
		uint32_t n = world->server_count;
		if (what == 0 && n > 0)
			remove_server(world, sw_random_below(&world->random, n));
		else if (what == 1 && n > 0 && !row->same_weight)
			world->servers[sw_random_below(&world->random, n)].weight =
				(uint16_t)(1 + sw_random_below(&world->random, SW_WEIGHT_MAX));
		else if (what == 3 && n > 0)
			world->servers[sw_random_below(&world->random, n)].zone =
				(uint32_t)sw_random_below(&world->random, row->zones);
		else if (n < row->server_count_max)
			add_servers(world, 1, row->same_weight);
	}
	for (uint32_t i = world->server_count; i > 1; i--) {
		uint64_t j = sw_random_below(&world->random, i);
		struct rendezvous_server swapped = world->servers[i - 1];
		world->servers[i - 1] = world->servers[j];
		world->servers[j] = swapped;
	}
}

SW_TEST_TABLE(rendezvous_table, any_history_gives_what_ranking_anew_gives,
	const struct history_row *row, history_rows)
{
	struct world *world = world_create(row->seed);
	world->zones = row->zones;
	if (row->zones > 0)
		rendezvous_table_zone_aware(world->table);
	add_keys(world, 50); /* registered while nobody is there */
	add_servers(world, row->server_count_max / 2, row->same_weight);
	for (int round = 0; round < 400; round++) {
		change_servers(world, row);
		set_servers(world);
		if (world->key_count < 300)
			add_key(world);
		if (!is_right(world)) {
			SW_FAIL("wrong after change %d of seed %lu", round, row->seed);
			break;
		}
	}
	world->server_count = 0;
	set_servers(world);
	SW_EXPECT_TRUE(is_right(world));
	SW_EXPECT_EQ(stats_of(world).changed, world->told_count);
	world_destroy(world);
}

SW_TEST(rendezvous_table, every_way_to_compute_gives_the_same_ranks)
{
	for (enum scan_kind kind = 0; kind < SCAN_KINDS; kind++) {
		struct world *world = world_create(30);
		if (rendezvous_table_use(world->table, kind) == 0) {
			for (int round = 0; round < 6; round++) {
				add_servers(world, 20, round < 2);
				set_servers(world);
				add_keys(world, 500);
				SW_EXPECT_TRUE(is_right(world));
			}
			SW_EXPECT_STR(stats_of(world).instructions, scan_name(kind));
		} else {
			sw_test_note("this processor has no %s", scan_name(kind));
		}
		world_destroy(world);
	}
}

static uint32_t count_keys_of(const struct world *world, uint64_t id)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < world->key_count; i++)
		for (uint32_t r = 0; r < world->told[i].count; r++)
			count += world->told[i].ids[r] == id;
	return count;
}

SW_TEST(rendezvous_table, leave_touches_only_keys_that_it_was_among_the_first_of)
{
	struct world *world = world_create(31);
	add_servers(world, 64, false);
	set_servers(world);
	add_keys(world, 5000);
	struct rendezvous_table_stats before = stats_of(world);
	uint32_t touched = count_keys_of(world, world->servers[7].id);
	remove_server(world, 7);
	set_servers(world);
	struct rendezvous_table_stats after = stats_of(world);
	SW_EXPECT_GT(touched, 0);
	SW_EXPECT_EQ(after.ranked - before.ranked, touched);
	SW_EXPECT_EQ(after.changed - before.changed, touched);
	SW_EXPECT_EQ(after.compared - before.compared, 0);
	SW_EXPECT_EQ(after.changes - before.changes, 1);
	SW_EXPECT_TRUE(is_right(world));
	world_destroy(world);
}

SW_TEST(rendezvous_table, join_takes_only_what_it_wins)
{
	struct world *world = world_create(32);
	add_servers(world, 63, false);
	set_servers(world);
	add_keys(world, 5000);
	struct rendezvous_table_stats before = stats_of(world);
	add_servers(world, 1, false);
	set_servers(world);
	struct rendezvous_table_stats after = stats_of(world);
	uint32_t won = count_keys_of(world, world->servers[63].id);
	SW_EXPECT_GT(won, 0);
	SW_EXPECT_EQ(after.ranked - before.ranked, 0);
	SW_EXPECT_EQ(after.compared - before.compared, 5000);
	SW_EXPECT_EQ(after.changed - before.changed, won);
	SW_EXPECT_TRUE(is_right(world));
	world_destroy(world);
}

SW_TEST(rendezvous_table, same_servers_in_another_order_change_nothing)
{
	struct world *world = world_create(33);
	add_servers(world, 20, false);
	set_servers(world);
	add_keys(world, 100);
	struct rendezvous_table_stats before = stats_of(world);
	struct rendezvous_server first = world->servers[0];
	memmove(world->servers, world->servers + 1, 19 * sizeof(first));
	world->servers[19] = first;
	set_servers(world);
	struct rendezvous_table_stats after = stats_of(world);
	SW_EXPECT_MEM(&before, &after, sizeof(before));
	SW_EXPECT_EQ(after.servers, 20);
	SW_EXPECT_EQ(after.keys, 100);
	world_destroy(world);
}

/* Two sets of servers, and ranks that are those of neither. */
struct two_sets {
	struct rendezvous_table *table;
	struct rendezvous_server sets[2][SW_MEMBERS_MAX];
	uint64_t key_hashes[64];
	uint32_t entries[64];
	struct rendezvous_ranks right[64][2];
	uint64_t calls;
	_Atomic uint64_t reads, wrong, seen[2];
	atomic_bool stop;
};

static void read_all(struct two_sets *two)
{
	for (int i = 0; i < 64; i++) {
		struct rendezvous_ranks ranks;
		bool found = rendezvous_table_read_reader(two->table, two->entries[i], &ranks);
		bool first = found && same_ranks(&ranks, &two->right[i][0]);
		bool second = found && same_ranks(&ranks, &two->right[i][1]);
		two->reads++;
		two->seen[0] += first;
		two->seen[1] += second;
		two->wrong += !first && !second;
	}
}

static void read_all_on_change(void *context, uint32_t handle,
	const struct rendezvous_ranks *before, const struct rendezvous_ranks *after)
{
	struct two_sets *two = context;
	(void)handle;
	(void)before;
	(void)after;
	two->calls++;
	read_all(two);
}

static struct two_sets *two_sets_create(uint32_t n, rendezvous_changed changed)
{
	struct two_sets *two = calloc(1, sizeof(*two));
	struct sw_random random = sw_random_seed(34);
	SW_EXPECT_EQ(rendezvous_table_create(64, changed, two, &two->table), 0);
	for (uint32_t i = 0; i < n; i++)
		for (int set = 0; set < 2; set++)
			two->sets[set][i] = rendezvous_server_make(sw_random_u64(&random), 100);
	SW_EXPECT_EQ(rendezvous_table_servers(two->table, two->sets[0], n), 0);
	for (uint32_t i = 0; i < 64; i++) {
		two->key_hashes[i] = sw_random_u64(&random);
		SW_EXPECT_EQ(rendezvous_table_register(
				     two->table, two->key_hashes[i], i, &two->entries[i]),
			0);
		for (int set = 0; set < 2; set++)
			two->right[i][set] = full_ranks(two->sets[set], n, two->key_hashes[i]);
	}
	return two;
}

static void two_sets_destroy(struct two_sets *two)
{
	rendezvous_table_destroy(two->table);
	free(two);
}

SW_TEST(rendezvous_table, ranks_stay_true_while_all_servers_are_replaced_at_once)
{
	struct two_sets *two = two_sets_create(SW_MEMBERS_MAX, read_all_on_change);
	for (int i = 1; i <= 6; i++)
		SW_EXPECT_EQ(
			rendezvous_table_servers(two->table, two->sets[i % 2], SW_MEMBERS_MAX), 0);
	SW_EXPECT_EQ(two->calls, 6 * 64);
	SW_EXPECT_EQ(two->wrong, 0);
	SW_EXPECT_GT(two->seen[0], 0);
	SW_EXPECT_GT(two->seen[1], 0);
	two_sets_destroy(two);
}

static void *read_until_stop(void *arg)
{
	struct two_sets *two = arg;
	while (!two->stop)
		read_all(two);
	return NULL;
}

SW_TEST(rendezvous_table, readers_see_ranks_of_one_set_while_slots_are_reused)
{
	/* Five at a time do not divide the slots: each goes round the servers of both sets. */
	struct two_sets *two = two_sets_create(5, NULL);
	pthread_t reader;
	SW_ASSERT_EQ(pthread_create(&reader, NULL, read_until_stop, two), 0);
	uint64_t changes = 0;
	while (two->reads < 2000000 && changes < 2000000)
		rendezvous_table_servers(two->table, two->sets[++changes % 2], 5);
	two->stop = true;
	pthread_join(reader, NULL);
	SW_EXPECT_GT(two->seen[0], 0);
	SW_EXPECT_GT(two->seen[1], 0);
	/* A read may give up after eight changes under it, which counts as wrong: none did. */
	SW_EXPECT_EQ(two->wrong, 0);
	sw_test_note("%lu reads beside %lu changes of all servers", (uint64_t)two->reads, changes);
	two_sets_destroy(two);
}

SW_TEST(rendezvous_table, full_table_is_refused_until_a_key_is_unregistered)
{
	struct rendezvous_table *table;
	struct rendezvous_ranks ranks;
	struct rendezvous_server server = rendezvous_server_make(1, 100);
	uint32_t entries[4];
	SW_ASSERT_EQ(rendezvous_table_create(3, NULL, NULL, &table), 0);
	SW_EXPECT_EQ(rendezvous_table_servers(table, &server, 1), 0);
	for (uint32_t i = 0; i < 3; i++)
		SW_EXPECT_EQ(rendezvous_table_register(table, i, i, &entries[i]), 0);
	SW_EXPECT_EQ(rendezvous_table_register(table, 3, 3, &entries[3]), -ENOSPC);
	rendezvous_table_unregister(table, entries[1]);
	SW_EXPECT_FALSE(rendezvous_table_read_reader(table, entries[1], &ranks));
	SW_EXPECT_EQ(rendezvous_table_servers(table, NULL, 0), 0);
	SW_EXPECT_FALSE(rendezvous_table_read_reader(table, entries[1], &ranks));
	SW_EXPECT_EQ(rendezvous_table_register(table, 3, 3, &entries[3]), 0);
	SW_EXPECT_EQ(rendezvous_table_register(table, 4, 4, &entries[1]), -ENOSPC);
	SW_EXPECT_EQ(rendezvous_table_servers(table, &server, 1), 0);
	SW_EXPECT_TRUE(rendezvous_table_read_reader(table, entries[3], &ranks));
	SW_EXPECT_EQ(ranks.count, 1);
	SW_EXPECT_EQ(ranks.ids[0], 1);
	SW_EXPECT_FALSE(rendezvous_table_read_reader(table, 3, &ranks));
	rendezvous_table_destroy(table);
}

SW_TEST(rendezvous_table, bad_servers_are_refused_and_change_nothing)
{
	struct world *world = world_create(36);
	static struct rendezvous_server bad[SW_MEMBERS_MAX + 1];
	add_servers(world, 4, true);
	set_servers(world);
	add_keys(world, 50);
	for (uint32_t i = 0; i <= SW_MEMBERS_MAX; i++)
		bad[i] = rendezvous_server_make(i + 1, 100);
	SW_EXPECT_EQ(rendezvous_table_servers(world->table, bad, SW_MEMBERS_MAX + 1), -E2BIG);
	bad[2].weight = 0;
	SW_EXPECT_EQ(rendezvous_table_servers(world->table, bad, 5), -EINVAL);
	bad[2].weight = SW_WEIGHT_MAX + 1;
	SW_EXPECT_EQ(rendezvous_table_servers(world->table, bad, 5), -EINVAL);
	bad[2] = bad[4];
	SW_EXPECT_EQ(rendezvous_table_servers(world->table, bad, 5), -EINVAL);
	SW_EXPECT_TRUE(is_right(world));
	SW_EXPECT_EQ(world->told_count, 0);
	world_destroy(world);
	struct rendezvous_table *table;
	SW_EXPECT_EQ(rendezvous_table_create(0, NULL, NULL, &table), -EINVAL);
	SW_EXPECT_EQ(rendezvous_table_create(UINT32_MAX, NULL, NULL, &table), -EINVAL);
}

static double us_of_change(struct world *world)
{
	struct timespec start, end;
	clock_gettime(CLOCK_MONOTONIC, &start);
	set_servers(world);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)(end.tv_sec - start.tv_sec) * 1e6 +
	       (double)(end.tv_nsec - start.tv_nsec) / 1e3;
}

static const struct history_row size_rows[] = {
	{"same_weight", 41, 64, true},
	{"weighted", 42, 64, false},
};

SW_TEST_TABLE(rendezvous_table, fifty_thousand_keys_follow_sixty_four_servers,
	const struct history_row *row, size_rows)
{
	struct world *world = world_create(row->seed);
	add_keys(world, KEYS_MAX);
	add_servers(world, 64, row->same_weight);
	double all_us = us_of_change(world), leave_us = 1e9, join_us = 1e9;
	SW_EXPECT_TRUE(is_right(world));
	for (int i = 0; i < 5; i++) {
		remove_server(world, 63);
		double us = us_of_change(world);
		leave_us = us < leave_us ? us : leave_us;
		add_servers(world, 1, row->same_weight);
		us = us_of_change(world);
		join_us = us < join_us ? us : join_us;
	}
	SW_EXPECT_TRUE(is_right(world));
	sw_test_note(
		"50,000 keys: first 64 servers %.0f us, one leaves %.0f us, one joins %.0f us, "
		"callbacks included",
		all_us, leave_us, join_us);
	world_destroy(world);
}
