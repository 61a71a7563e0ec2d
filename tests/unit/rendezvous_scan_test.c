#include "sw_test.h"

#include <string.h>

#include "rendezvous/rendezvous.h"
#include "rendezvous/scan.h"

/* More than the functions may touch: what lies behind must stay. */
enum { ROOM = SW_MEMBERS_MAX + 8, CANARY = 0x5a };

struct kind_row {
	const char *name;
	enum scan_kind kind;
};

static const struct kind_row kind_rows[] = {
	{"scalar", SCAN_SCALAR}, {"avx2", SCAN_AVX2}, {"avx512", SCAN_AVX512}};

struct lists {
	uint64_t hashes[ROOM], floors[ROOM], weights[ROOM], over[SCAN_WORDS + 1];
};

static uint64_t any_floor(struct sw_random *random, uint64_t weight)
{
	switch (sw_random_below(random, 8)) {
	case 0: return 0;
	case 1: return UINT64_MAX;
	case 2: return weight;
	case 3: return weight + 1;
	case 4: return weight - 1;
	case 5: return weight ^ (1ULL << 63); /* wrong if signs are compared */
	default: return sw_random_u64(random);
	}
}

static void draw(struct lists *l, struct sw_random *random, uint64_t key_hash)
{
	for (uint32_t i = 0; i < ROOM; i++) {
		uint64_t id = sw_random_u64(random) >> sw_random_below(random, 64);
		l->hashes[i] = sw_random_below(random, 4) == 0 ? id : rendezvous_server_hash(id);
		l->floors[i] = any_floor(random, rendezvous_weight(key_hash, l->hashes[i]));
	}
	memset(l->weights, CANARY, sizeof(l->weights));
	memset(l->over, CANARY, sizeof(l->over));
}

SW_TEST_TABLE(rendezvous_scan, agrees_bit_for_bit_with_the_definition, const struct kind_row *row,
	kind_rows)
{
	scan_function scan = scan_of(row->kind);
	struct sw_random random = sw_random_seed(61);
	struct lists l, truth;
	uint64_t untouched;
	memset(&untouched, CANARY, sizeof(untouched));
	if (scan == NULL) {
		sw_test_note("this processor has no %s: not run here", row->name);
		return;
	}
	for (uint32_t round = 0; round < 40000; round++) {
		uint32_t count = round % (SW_MEMBERS_MAX + 1), words = (count + 63) / 64;
		uint64_t key_hash = sw_random_u64(&random) >> sw_random_below(&random, 64);
		draw(&l, &random, key_hash);
		truth = l;
		scan(key_hash, l.hashes, l.floors, count, l.weights, l.over);
		for (uint32_t i = 0; i < count; i++) {
			uint64_t weight = rendezvous_weight(key_hash, l.hashes[i]);
			SW_ASSERT_EQ(l.weights[i], weight);
			SW_ASSERT_EQ(l.over[i / 64] >> (i % 64) & 1, weight >= l.floors[i]);
		}
		scan_scalar(key_hash, truth.hashes, truth.floors, count, truth.weights, truth.over);
		SW_EXPECT_MEM(l.over, truth.over, words * sizeof(l.over[0]));
		SW_ASSERT_EQ(l.over[words], untouched);
		for (uint32_t i = SW_MEMBERS_MAX; i < ROOM; i++)
			SW_ASSERT_EQ(l.weights[i], untouched);
	}
}

SW_TEST(rendezvous_scan, the_best_is_there_and_the_scalar_one_always)
{
	SW_EXPECT_TRUE(scan_of(SCAN_SCALAR) == scan_scalar);
	SW_EXPECT_TRUE(scan_of(scan_best()) != NULL);
	for (enum scan_kind k = scan_best() + 1; k < SCAN_KINDS; k++)
		SW_EXPECT_TRUE(scan_of(k) == NULL);
	sw_test_note("the best here: %s", scan_name(scan_best()));
}
