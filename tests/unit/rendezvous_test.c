#include "sw_test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rendezvous/log2_table.h"
#include "rendezvous/rendezvous.h"

enum { LINE_MAX_BYTES = 8192 };

/* Gives the lines of rendezvous.txt that begin with `word`, without it; how many there were. */
static uint32_t each_vector(const char *word, void (*check)(const char *rest))
{
	const char *folder = getenv("SW_VECTORS");
	char path[512], line[LINE_MAX_BYTES];
	snprintf(path, sizeof(path), "%s/rendezvous.txt", folder ? folder : "tests/vectors");
	FILE *file = fopen(path, "r");
	uint32_t count = 0;
	size_t len = strlen(word);
	if (!file) {
		SW_FAIL("cannot open %s", path);
		return 0;
	}
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, word, len) != 0 || line[len] != ' ')
			continue;
		check(line + len + 1);
		count++;
	}
	fclose(file);
	return count;
}

static uint64_t next_number(const char **rest)
{
	char *end;
	uint64_t number = strtoull(*rest, &end, 10);
	*rest = *end ? end + 1 : end;
	return number;
}

static void check_table(const char *rest)
{
	uint64_t i = next_number(&rest);
	SW_EXPECT_EQ(rendezvous_log2_table[i], next_number(&rest));
}

static void check_log(const char *rest)
{
	uint64_t weight = next_number(&rest), specified = next_number(&rest);
	uint64_t exact = next_number(&rest);
	uint64_t log = rendezvous_neg_log2(weight);
	SW_EXPECT_EQ(log, specified);
	SW_EXPECT_LE(exact, log + 1);
	SW_EXPECT_LE(log, exact + 859); /* 2 * 10^-7 */
}

static void check_score(const char *rest)
{
	uint64_t weight = next_number(&rest);
	uint16_t server_weight = (uint16_t)next_number(&rest);
	SW_EXPECT_EQ(rendezvous_score(weight, server_weight), next_number(&rest));
}

static void check_server(const char *rest)
{
	uint64_t id = next_number(&rest), hash = next_number(&rest);
	SW_EXPECT_EQ(rendezvous_server_hash(id), hash);
	SW_EXPECT_EQ(rendezvous_server_make(id, 7).hash, hash);
}

static void check_weight(const char *rest)
{
	uint64_t key_hash = next_number(&rest), server_hash = next_number(&rest);
	SW_EXPECT_EQ(rendezvous_weight(key_hash, server_hash), next_number(&rest));
}

static void check_rank(const char *rest)
{
	struct rendezvous_server servers[SW_MEMBERS_MAX];
	uint32_t ranks[SW_MEMBERS_MAX];
	uint64_t key_hash = next_number(&rest);
	uint32_t n = (uint32_t)next_number(&rest);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t id = next_number(&rest);
		servers[i] = rendezvous_server_make(id, (uint16_t)next_number(&rest));
	}
	SW_ASSERT_EQ(rendezvous_rank(key_hash, servers, n, ranks, n), n);
	for (uint32_t i = 0; i < n; i++)
		SW_EXPECT_EQ(ranks[i], next_number(&rest));
}

struct vector_row {
	const char *name;
	void (*check)(const char *rest);
	uint32_t count;
};

static const struct vector_row vector_rows[] = {
	{"table", check_table, 1025},
	{"log", check_log, 400},
	{"score", check_score, 600},
	{"server", check_server, 100},
	{"weight", check_weight, 100},
	{"rank", check_rank, 24},
};

SW_TEST_TABLE(rendezvous, agrees_with_exact_computation, const struct vector_row *row, vector_rows)
{
	SW_EXPECT_GE(each_vector(row->name, row->check), row->count);
}

SW_TEST(rendezvous, key_hashes_are_seeded_by_the_cluster)
{
	/* The first is XXH3's own test value; the others pin what clusters agree on. */
	SW_EXPECT_EQ(rendezvous_cluster_seed(""), 0x2d06800538d394c2ULL);
	uint64_t a = rendezvous_cluster_seed("paris"), b = rendezvous_cluster_seed("tokyo");
	SW_EXPECT_NE(a, b);
	SW_EXPECT_NE(
		rendezvous_key_hash(a, "origin/web", 10), rendezvous_key_hash(b, "origin/web", 10));
	SW_EXPECT_NE(
		rendezvous_key_hash(a, "origin/web", 10), rendezvous_key_hash(a, "origin/we", 9));
	SW_EXPECT_EQ(rendezvous_key_hash(0, "", 0), 0x2d06800538d394c2ULL);
}

static void expect_monotone(uint64_t low, uint64_t high)
{
	SW_EXPECT_LE(rendezvous_neg_log2(high), rendezvous_neg_log2(low));
	SW_EXPECT_LE(rendezvous_score(low, 1), rendezvous_score(high, 1));
	SW_EXPECT_LE(rendezvous_score(low, 1000), rendezvous_score(high, 1000));
}

SW_TEST(rendezvous, score_never_falls_with_a_larger_plain_weight)
{
	struct sw_random random = sw_random_seed(21);
	for (int i = 0; i < 300000; i++) {
		uint64_t a = sw_random_u64(&random) >> sw_random_below(&random, 64);
		uint64_t b = i % 2 ? sw_random_u64(&random) : a + sw_random_below(&random, 1 << 20);
		expect_monotone(a < b ? a : b, a < b ? b : a);
	}
	/* Every border between two segments, of every power of two that has them. */
	for (uint32_t n = 10; n < 64; n++)
		for (uint64_t i = 0; i < 1024; i++) {
			uint64_t border = (1ULL << n) + (i << (n - 10)) - 1;
			expect_monotone(border - 1, border);
			expect_monotone(border, border + 1);
		}
	expect_monotone(UINT64_MAX - 1, UINT64_MAX);
	SW_EXPECT_EQ(rendezvous_neg_log2(UINT64_MAX), 0);
	SW_EXPECT_EQ(rendezvous_neg_log2(0), 1ULL << 38);
	SW_EXPECT_EQ(rendezvous_neg_log2(UINT64_MAX >> 1), 1ULL << 32);
}

static void make_servers(
	struct sw_random *random, struct rendezvous_server *servers, uint32_t n, bool same_weight)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t weight = same_weight ? SW_WEIGHT_DEFAULT
					      : 1 + sw_random_below(random, SW_WEIGHT_MAX);
		servers[i] = rendezvous_server_make(sw_random_u64(random), (uint16_t)weight);
	}
}

struct weights_row {
	const char *name;
	bool same_weight;
};

static const struct weights_row weights_rows[] = {{"same_weight", true}, {"weighted", false}};

SW_TEST_TABLE(rendezvous, without_a_server_the_others_keep_their_order,
	const struct weights_row *row, weights_rows)
{
	struct sw_random random = sw_random_seed(22);
	struct rendezvous_server servers[40];
	uint32_t all[40], rest[40];
	for (int round = 0; round < 2000; round++) {
		uint32_t n = 1 + (uint32_t)sw_random_below(&random, 40);
		uint64_t key_hash = sw_random_u64(&random);
		make_servers(&random, servers, n, row->same_weight);
		SW_ASSERT_EQ(rendezvous_rank(key_hash, servers, n, all, n), n);
		uint64_t order[40];
		for (uint32_t i = 0; i < n; i++)
			order[i] = servers[all[i]].id;
		/* Taking the first away, again and again, gives the list of priorities. */
		for (uint32_t gone = 0; gone < n; gone++) {
			SW_ASSERT_EQ(rendezvous_rank(key_hash, servers, n - gone, rest, 1), 1);
			SW_EXPECT_EQ(servers[rest[0]].id, order[gone]);
			servers[rest[0]] = servers[n - gone - 1];
		}
	}
}

SW_TEST_TABLE(rendezvous, only_keys_of_who_leaves_or_joins_move, const struct weights_row *row,
	weights_rows)
{
	enum { KEYS = 20000, SERVERS = 24 };
	struct sw_random random = sw_random_seed(23);
	struct rendezvous_server servers[SERVERS];
	make_servers(&random, servers, SERVERS, row->same_weight);
	uint32_t moved = 0;
	for (int i = 0; i < KEYS; i++) {
		uint32_t with, without;
		uint64_t key_hash = sw_random_u64(&random);
		rendezvous_rank(key_hash, servers, SERVERS, &with, 1);
		rendezvous_rank(key_hash, servers, SERVERS - 1, &without, 1);
		moved += with == SERVERS - 1;
		if (with != SERVERS - 1)
			SW_EXPECT_EQ(with, without);
	}
	SW_EXPECT_GT(moved, 0);
}

SW_TEST(rendezvous, changed_weight_moves_only_keys_of_that_server)
{
	struct sw_random random = sw_random_seed(24);
	struct rendezvous_server servers[16];
	make_servers(&random, servers, 16, true);
	uint32_t won = 0;
	for (int i = 0; i < 20000; i++) {
		uint32_t before, after;
		uint64_t key_hash = sw_random_u64(&random);
		servers[5].weight = 100;
		rendezvous_rank(key_hash, servers, 16, &before, 1);
		servers[5].weight = 200;
		rendezvous_rank(key_hash, servers, 16, &after, 1);
		won += after == 5 && before != 5;
		if (after != 5)
			SW_EXPECT_EQ(after, before);
	}
	/* From 1/16 to 2/17 of the keys: 1,103 of 20,000, give or take 5 sigma. */
	SW_EXPECT_GE(won, 1103 - 162);
	SW_EXPECT_LE(won, 1103 + 162);
}

SW_TEST_TABLE(rendezvous, order_of_the_servers_does_not_matter, const struct weights_row *row,
	weights_rows)
{
	struct sw_random random = sw_random_seed(25);
	struct rendezvous_server servers[32];
	make_servers(&random, servers, 32, row->same_weight);
	for (int round = 0; round < 2000; round++) {
		uint64_t key_hash = sw_random_u64(&random), ids[5];
		uint32_t ranks[5];
		rendezvous_rank(key_hash, servers, 32, ranks, 5);
		for (int i = 0; i < 5; i++)
			ids[i] = servers[ranks[i]].id;
		for (uint32_t i = 31; i > 0; i--) {
			uint64_t j = sw_random_below(&random, i + 1);
			struct rendezvous_server swapped = servers[i];
			servers[i] = servers[j];
			servers[j] = swapped;
		}
		rendezvous_rank(key_hash, servers, 32, ranks, 5);
		for (int i = 0; i < 5; i++)
			SW_EXPECT_EQ(servers[ranks[i]].id, ids[i]);
	}
}

/* What chi-square of that many degrees of freedom exceeds once in a million (Wilson and Hilferty).
 */
static double chi_square_bound(uint32_t degrees)
{
	double f = 2.0 / (9.0 * degrees);
	return degrees * pow(1 - f + 4.753 * sqrt(f), 3);
}

struct balance_row {
	const char *name;
	uint32_t servers;
	bool same_weight;
	bool small_ids; /* 1, 2, 3 …, keys 1, 2, 3 … as text: what is not random to begin with */
};

static const struct balance_row balance_rows[] = {
	{"3_same", 3, true, false},
	{"64_same", 64, true, false},
	{"64_same_small_ids", 64, true, true},
	{"128_same", 128, true, false},
	{"3_weighted", 3, false, false},
	{"64_weighted", 64, false, false},
	{"64_weighted_small_ids", 64, false, true},
};

SW_TEST_TABLE(rendezvous, load_follows_weight, const struct balance_row *row, balance_rows)
{
	enum { KEYS = 400000 };
	struct sw_random random = sw_random_seed(26);
	struct rendezvous_server servers[128];
	uint64_t owned[128] = {0}, seed = rendezvous_cluster_seed("paris");
	double sum = 0, chi_square = 0;
	make_servers(&random, servers, row->servers, row->same_weight);
	for (uint32_t i = 0; i < row->servers; i++) {
		if (row->small_ids)
			servers[i] = rendezvous_server_make(i + 1, servers[i].weight);
		sum += servers[i].weight;
	}
	for (int i = 0; i < KEYS; i++) {
		char key[32];
		uint32_t owner;
		int len = snprintf(key, sizeof(key), "origin/%d", i);
		uint64_t key_hash = row->small_ids ? rendezvous_key_hash(seed, key, (size_t)len)
						   : sw_random_u64(&random);
		rendezvous_rank(key_hash, servers, row->servers, &owner, 1);
		owned[owner]++;
	}
	for (uint32_t i = 0; i < row->servers; i++) {
		double expected = KEYS * servers[i].weight / sum;
		chi_square += pow((double)owned[i] - expected, 2) / expected;
	}
	double bound = chi_square_bound(row->servers - 1);
	SW_EXPECT_LT(chi_square, bound);
	sw_test_note("chi-square %.1f with %u degrees of freedom, %.1f at 10^-6", chi_square,
		row->servers - 1, bound);
}

SW_TEST(rendezvous, keys_of_who_leaves_spread_over_all_others)
{
	enum { KEYS = 640000, SERVERS = 33 };
	struct sw_random random = sw_random_seed(27);
	struct rendezvous_server servers[SERVERS];
	uint64_t heirs[SERVERS] = {0}, left = 0;
	make_servers(&random, servers, SERVERS, true);
	for (int i = 0; i < KEYS; i++) {
		uint32_t ranks[2];
		rendezvous_rank(sw_random_u64(&random), servers, SERVERS, ranks, 2);
		if (ranks[0] == 0) {
			heirs[ranks[1]]++;
			left++;
		}
	}
	double chi_square = 0, expected = (double)left / (SERVERS - 1);
	for (int i = 1; i < SERVERS; i++)
		chi_square += pow((double)heirs[i] - expected, 2) / expected;
	SW_EXPECT_LT(chi_square, chi_square_bound(SERVERS - 2));
}

SW_TEST_TABLE(rendezvous, zones_change_who_is_second_and_nothing_of_who_owns,
	const struct weights_row *row, weights_rows)
{
	struct sw_random random = sw_random_seed(28);
	struct rendezvous_server servers[40];
	uint32_t plain[40], zoned[40];
	uint32_t moved = 0;
	for (int round = 0; round < 4000; round++) {
		uint32_t n = 2 + (uint32_t)sw_random_below(&random, 39), zones = 0;
		uint64_t key_hash = sw_random_u64(&random);
		make_servers(&random, servers, n, row->same_weight);
		for (uint32_t i = 0; i < n; i++) {
			servers[i].zone = (uint32_t)sw_random_below(&random, 1 + round % 4);
			zones += servers[i].zone != servers[0].zone;
		}
		SW_ASSERT_EQ(rendezvous_rank(key_hash, servers, n, plain, n), n);
		SW_ASSERT_EQ(rendezvous_rank_zones(key_hash, servers, n, zoned, n), n);
		SW_EXPECT_EQ(zoned[0], plain[0]);
		/* The second is the first of another zone; without it both lists are the same. */
		uint32_t other = 1;
		while (other < n && servers[plain[other]].zone == servers[plain[0]].zone)
			other++;
		SW_EXPECT_EQ(other<n, zones> 0);
		SW_EXPECT_EQ(zoned[1], plain[other < n ? other : 1]);
		moved += zoned[1] != plain[1];
		for (uint32_t i = 1, at = other < n ? 2 : 1; i < n; i++)
			if (i != other)
				SW_EXPECT_EQ(zoned[at++], plain[i]);
		/* Who owns it next is among the first three: nobody else takes over. */
		SW_EXPECT_TRUE(zoned[1] == plain[1] || (n > 2 && zoned[2] == plain[1]));
	}
	SW_EXPECT_GT(moved, 500);
}

SW_TEST_TABLE(rendezvous, joiner_takes_only_what_it_wins_in_every_rank,
	const struct weights_row *row, weights_rows)
{
	struct sw_random random = sw_random_seed(29);
	struct rendezvous_server servers[24];
	uint32_t before[24], after[24];
	for (int round = 0; round < 4000; round++) {
		uint32_t n = 1 + (uint32_t)sw_random_below(&random, 23), at = 0;
		uint64_t key_hash = sw_random_u64(&random);
		make_servers(&random, servers, n + 1, row->same_weight);
		rendezvous_rank(key_hash, servers, n, before, n);
		rendezvous_rank(key_hash, servers, n + 1, after, n + 1);
		for (uint32_t i = 0; i <= n; i++)
			if (after[i] != n)
				SW_EXPECT_EQ(before[at++], after[i]);
		SW_EXPECT_EQ(at, n);
		/* Whoever is told the servers in another order answers the same. */
		uint64_t id = servers[after[0]].id;
		struct rendezvous_server first = servers[0];
		servers[0] = servers[n];
		servers[n] = first;
		rendezvous_rank(key_hash, servers, n + 1, after, 1);
		SW_EXPECT_EQ(servers[after[0]].id, id);
	}
}

SW_TEST(rendezvous, asks_for_more_or_fewer_than_there_are)
{
	struct rendezvous_server servers[2] = {
		rendezvous_server_make(1, 100), rendezvous_server_make(2, 100)};
	uint32_t ranks[4] = {9, 9, 9, 9};
	SW_EXPECT_EQ(rendezvous_rank(1, servers, 2, ranks, 4), 2);
	SW_EXPECT_EQ(ranks[0] + ranks[1], 1);
	SW_EXPECT_EQ(ranks[2], 9);
	SW_EXPECT_EQ(rendezvous_rank(1, servers, 0, ranks, 4), 0);
	SW_EXPECT_EQ(rendezvous_rank(1, servers, 2, ranks, 0), 0);
	SW_EXPECT_EQ(rendezvous_score(UINT64_MAX, 0), 0);
	SW_EXPECT_GT(rendezvous_score(0, 1), 0);
}
