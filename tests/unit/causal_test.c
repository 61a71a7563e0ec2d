#include "sw_test.h"

#include <errno.h>

#include "base/random.h"
#include "causal/causal.h"

static struct version_vector random_vector(struct sw_random *r)
{
	struct version_vector vv = {.count = 0};
	uint64_t n = sw_random_below(r, 6);
	for (uint64_t i = 0; i < n; i++) {
		struct actor actor = {
			1 + sw_random_below(r, 3), (uint32_t)(1 + sw_random_below(r, 2))};
		vv_raise(&vv, actor, 1 + sw_random_below(r, 4));
	}
	return vv;
}

static bool equal(const struct version_vector *a, const struct version_vector *b)
{
	return vv_compare(a, b) == VV_EQUAL;
}

SW_TEST(vv, join_is_associative_commutative_and_idempotent)
{
	struct sw_random r = sw_random_seed(11);
	for (int i = 0; i < 20000; i++) {
		struct version_vector a = random_vector(&r), b = random_vector(&r),
				      c = random_vector(&r);
		struct version_vector ab = a, ba = b, ab_c, bc = b, a_bc = a, aa = a;
		vv_join(&ab, &b);
		vv_join(&ba, &a);
		SW_ASSERT_TRUE(equal(&ab, &ba));
		SW_ASSERT_EQ(vv_hash(&ab), vv_hash(&ba));
		ab_c = ab;
		vv_join(&ab_c, &c);
		vv_join(&bc, &c);
		vv_join(&a_bc, &bc);
		SW_ASSERT_TRUE(equal(&ab_c, &a_bc));
		vv_join(&aa, &a);
		SW_ASSERT_TRUE(equal(&aa, &a));
		SW_ASSERT_TRUE(vv_dominates(&ab, &a) && vv_dominates(&ab, &b));
	}
}

SW_TEST(vv, compare_agrees_with_its_mirror_and_with_hashes)
{
	struct sw_random r = sw_random_seed(12);
	int seen[4] = {0};
	for (int i = 0; i < 20000; i++) {
		struct version_vector a = random_vector(&r), b = random_vector(&r);
		enum vv_order ab = vv_compare(&a, &b), ba = vv_compare(&b, &a);
		static const enum vv_order mirror[] = {
			VV_EQUAL, VV_AFTER, VV_BEFORE, VV_CONCURRENT};
		SW_ASSERT_EQ(mirror[ab], ba);
		SW_ASSERT_EQ(ab == VV_EQUAL, vv_hash(&a) == vv_hash(&b));
		seen[ab]++;
	}
	for (int i = 0; i < 4; i++)
		SW_EXPECT_GT(seen[i], 100);
}

SW_TEST(vv, raise_never_lowers_and_zero_is_not_stored)
{
	struct version_vector vv = {.count = 0};
	struct actor a = {5, 1};
	SW_EXPECT_EQ(vv_raise(&vv, a, 0), 0);
	SW_EXPECT_EQ(vv.count, 0u);
	vv_raise(&vv, a, 9);
	vv_raise(&vv, a, 3);
	SW_EXPECT_EQ(vv_get(&vv, a), 9u);
	SW_EXPECT_EQ(vv_get(&vv, (struct actor){5, 2}), 0u);
	SW_EXPECT_TRUE(vv_covers(&vv, (struct dot){a, 9}));
	SW_EXPECT_FALSE(vv_covers(&vv, (struct dot){a, 10}));
}

SW_TEST(vv, a_full_vector_refuses_new_actors_and_keeps_old_ones)
{
	static struct version_vector vv, other;
	vv_clear(&vv);
	for (uint32_t i = 0; i < SW_ACTORS_MAX; i++)
		SW_ASSERT_EQ(vv_raise(&vv, (struct actor){i, 1}, 1), 0);
	SW_EXPECT_EQ(vv_raise(&vv, (struct actor){1u << 20, 1}, 1), -ENOSPC);
	SW_EXPECT_EQ(vv_raise(&vv, (struct actor){7, 1}, 2), 0);
	vv_clear(&other);
	vv_raise(&other, (struct actor){8, 1}, 5);
	vv_raise(&other, (struct actor){1u << 20, 1}, 1);
	SW_EXPECT_EQ(vv_join(&vv, &other), -ENOSPC);
	SW_EXPECT_EQ(vv_get(&vv, (struct actor){8, 1}), 5u);
}

SW_TEST(vv, a_closed_epoch_covers_every_dot_and_reaches_to_its_cap)
{
	struct version_vector vv = {.count = 0}, open = {.count = 0};
	struct actor a = {5, 1};
	vv_raise(&vv, a, 9);
	vv_raise(&vv, a, VV_CLOSED | 7);
	SW_EXPECT_EQ(vv_get(&vv, a), VV_CLOSED | 7);
	vv_raise(&vv, a, 100);
	SW_EXPECT_EQ(vv_get(&vv, a), VV_CLOSED | 7);
	SW_EXPECT_TRUE(vv_covers(&vv, (struct dot){a, 100}));
	SW_EXPECT_EQ(vv_reach(vv_get(&vv, a)), 7u);
	vv_raise(&vv, a, VV_CLOSED | 8); /* of two caps the smaller */
	SW_EXPECT_EQ(vv_get(&vv, a), VV_CLOSED | 7);
	vv_raise(&vv, a, VV_CLOSED | 6);
	SW_EXPECT_EQ(vv_get(&vv, a), VV_CLOSED | 6);
	vv_raise(&open, a, 7);
	SW_EXPECT_FALSE(vv_dominates(&vv, &open));
	SW_EXPECT_TRUE(vv_dominates(&open, &vv));
}

SW_TEST(vv, entries_join_in_any_order_closed_or_not)
{
	struct sw_random r = sw_random_seed(3);
	for (int i = 0; i < 100000; i++) {
		uint64_t e[3];
		for (int k = 0; k < 3; k++)
			e[k] = (1 + sw_random_below(&r, 4)) |
			       (sw_random_below(&r, 2) == 0 ? VV_CLOSED : 0);
		SW_ASSERT_EQ(vv_seq_join(e[0], e[1]), vv_seq_join(e[1], e[0]));
		SW_ASSERT_EQ(vv_seq_join(vv_seq_join(e[0], e[1]), e[2]),
			vv_seq_join(e[0], vv_seq_join(e[1], e[2])));
		SW_ASSERT_EQ(vv_seq_join(e[0], e[0]), e[0]);
	}
}
