#include "sw_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_rcu_qsbr.h>

#include "base/random.h"
#include "seal_world.h"

enum { SEALED_LEN = WIRE_HEADER_LEN + 56 + WIRE_TAG_LEN };

static const struct actor alice = {1, 7}, bob = {2, 1};

/* A sealing world with alice as sender, known to herself as a receiver. */
struct world {
	struct seal_keyring ring;
	struct seal *seal;
	struct seal_sender *sender;
};

static bool begin_at(struct world *w, uint32_t keys, uint64_t first_counter)
{
	*w = (struct world){.seal = NULL};
	if (!seal_world())
		return false;
	w->ring = seal_world_ring(1, keys);
	w->seal = seal_world_create(SEAL_AESNI_GCM, &w->ring, first_counter);
	if (w->seal == NULL)
		return false;
	w->sender = seal_sender_create_owner(w->seal, alice, 99);
	SW_EXPECT_TRUE(w->sender != NULL);
	SW_EXPECT_EQ(seal_life_owner(w->seal, alice, 99), 0);
	return w->sender != NULL;
}

static bool begin(struct world *w, uint32_t keys)
{
	return begin_at(w, keys, 0);
}

static struct seal_packet sealed(struct world *w)
{
	struct seal_packet p = seal_world_packet(w->sender, 56);
	SW_EXPECT_EQ(seal_world_seal(w->seal, &p), SEAL_OK);
	return p;
}

static enum seal_result pass(struct world *w)
{
	struct seal_packet p = sealed(w);
	enum seal_result r = seal_world_open(w->seal, &p);
	SW_EXPECT_TRUE(r != SEAL_OK || seal_world_is_whole(&p));
	seal_world_free(&p);
	return r;
}

/* ---- what is refused ---- */

SW_TEST(seal, replay_is_refused)
{
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	struct seal_packet p = sealed(&w);
	uint8_t copy[WIRE_PACKET_MAX];
	uint16_t len = SEALED_LEN;
	memcpy(copy, p.bytes, len);
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_OK);
	for (int i = 0; i < 3; i++) {
		memcpy(p.bytes, copy, len);
		SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_REPLAY);
	}
	seal_world_free(&p);
	seal_destroy(w.seal);
}

/* Both copies pass the look in front of the device: only one may pass behind it. */
SW_TEST(seal, replay_within_one_burst_is_refused)
{
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	struct seal_packet p[2] = {sealed(&w), seal_world_packet(w.sender, 56)};
	memcpy(p[1].bytes, p[0].bytes, WIRE_HEADER_LEN + 56 + WIRE_TAG_LEN);
	p[1].h = p[0].h;
	seal_open_lane(w.seal, 0, p, 2);
	SW_EXPECT_EQ(p[0].result, SEAL_OK);
	SW_EXPECT_EQ(p[1].result, SEAL_REPLAY);
	seal_world_free(&p[0]);
	seal_world_free(&p[1]);
	seal_destroy(w.seal);
}

SW_TEST(seal, replay_to_another_lane_is_refused)
{
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	struct seal_packet p = sealed(&w);
	uint8_t copy[WIRE_PACKET_MAX];
	uint16_t len = SEALED_LEN;
	memcpy(copy, p.bytes, len);
	seal_open_lane(w.seal, 1, &p, 1);
	SW_EXPECT_EQ(p.result, SEAL_OK);
	memcpy(p.bytes, copy, len);
	seal_open_lane(w.seal, 0, &p, 1);
	SW_EXPECT_EQ(p.result, SEAL_REPLAY);
	seal_world_free(&p);
	seal_destroy(w.seal);
}

/* Each byte in turn. A header that says something else is refused for that; nothing is opened, and
 * the window is not moved: the true packet is still taken afterwards. */
SW_TEST(seal, changed_byte_anywhere_is_refused_and_leaves_no_trace)
{
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	struct seal_packet p = sealed(&w);
	uint8_t copy[WIRE_PACKET_MAX];
	uint16_t len = SEALED_LEN;
	struct sw_reader body;
	memcpy(copy, p.bytes, len);
	for (uint16_t i = 0; i < len; i++) {
		memcpy(p.bytes, copy, len);
		p.bytes[i] ^= 0x04;
		if (wire_read_header(p.bytes, len, WORLD_CLUSTER, &p.h, &body) != WIRE_OK)
			continue;
		seal_open_lane(w.seal, 0, &p, 1);
		SW_EXPECT_NE(p.result, SEAL_OK);
		SW_EXPECT_NE(p.result, SEAL_REPLAY);
	}
	memcpy(p.bytes, copy, len);
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_OK);
	seal_world_free(&p);
	seal_destroy(w.seal);
}

SW_TEST(seal, clear_packet_and_unknown_key_are_refused_by_id)
{
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	struct seal_packet p = sealed(&w);
	p.bytes[3] = WIRE_KEY_CLEAR;
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_KEY);
	p.bytes[3] = 2;
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_KEY);
	SW_EXPECT_EQ(seal_admit_owner(w.seal, p.bytes, &p.h), -ENOKEY);
	p.bytes[3] = 1;
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_OK);
	seal_world_free(&p);
	seal_destroy(w.seal);
}

SW_TEST(seal, fields_out_of_range_are_refused)
{
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	static const struct {
		uint16_t at, len;
		uint8_t value;
	} rows[] = {{4, 1, SW_LANES_MAX}, {4, 1, 255}, {12, 8, 0}, {20, 4, 0}, {32, 8, 0},
		{32, 8, 255}, {33, 1, 2}};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seal_packet p = sealed(&w);
		memset(p.bytes + rows[i].at, rows[i].value, rows[i].len);
		SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_RANGE);
		seal_world_free(&p);
	}
	seal_destroy(w.seal);
}

SW_TEST(seal, burst_of_all_kinds_gives_each_its_own_result)
{
	struct world w;
	struct seal_packet p[SEAL_BURST];
	static const enum seal_result want[] = {
		SEAL_OK, SEAL_TAG, SEAL_SENDER, SEAL_KEY, SEAL_RANGE};
	SW_ASSERT_TRUE(begin(&w, 2));
	for (uint32_t i = 0; i < SEAL_BURST; i++)
		p[i] = seal_world_packet(w.sender, (uint16_t)(24 + i));
	seal_seal_lane(w.seal, 1, p, SEAL_BURST);
	for (uint32_t i = 0; i < SEAL_BURST; i++) {
		SW_EXPECT_EQ(p[i].result, SEAL_OK);
		switch (want[i % 5]) {
		case SEAL_TAG: p[i].bytes[WIRE_HEADER_LEN + 5] ^= 1; break;
		case SEAL_SENDER: p[i].h.instance++; break;
		case SEAL_KEY: p[i].h.key_id = 9; break;
		case SEAL_RANGE: p[i].h.lane = SW_LANES_MAX; break;
		default: break;
		}
	}
	seal_open_lane(w.seal, 0, p, SEAL_BURST);
	for (uint32_t i = 0; i < SEAL_BURST; i++) {
		SW_EXPECT_EQ(p[i].result, want[i % 5]);
		SW_EXPECT_EQ(seal_world_is_whole(&p[i]), i % 5 == 0);
		seal_world_free(&p[i]);
	}
	seal_destroy(w.seal);
}

/* ---- nonces ---- */

SW_TEST(seal, counters_are_the_lanes_and_never_repeat)
{
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	struct seal_sender *other = seal_sender_create_owner(w.seal, bob, 100);
	for (uint64_t c = 1; c <= 100; c++)
		for (uint16_t lane = 0; lane < 2; lane++) {
			/* Whoever speaks, and again after the same life was made anew. */
			if (c == 50 && lane == 0) {
				seal_sender_retire_owner(w.sender);
				seal_tick_owner(w.seal);
				w.sender = seal_sender_create_owner(w.seal, alice, 99);
			}
			struct seal_packet p = seal_world_packet(c % 2 ? w.sender : other, 56);
			seal_seal_lane(w.seal, lane, &p, 1);
			SW_EXPECT_EQ(p.result, SEAL_OK);
			SW_EXPECT_EQ(p.h.counter, c);
			SW_EXPECT_EQ(p.h.lane, lane);
			seal_world_free(&p);
		}
	seal_destroy(w.seal);
}

SW_TEST(seal, lane_whose_counters_are_used_up_seals_nothing_more)
{
	struct world w;
	struct seal_packet p[4];
	SW_ASSERT_TRUE(begin_at(&w, 1, SEAL_COUNTER_MAX - 1));
	for (int i = 0; i < 4; i++)
		p[i] = seal_world_packet(w.sender, 56);
	seal_seal_lane(w.seal, 0, p, 4);
	SW_EXPECT_EQ(p[0].result, SEAL_OK);
	SW_EXPECT_EQ(p[0].h.counter, SEAL_COUNTER_MAX - 1);
	SW_EXPECT_EQ(p[1].result, SEAL_OK);
	SW_EXPECT_EQ(p[1].h.counter, SEAL_COUNTER_MAX);
	for (int i = 2; i < 4; i++) {
		SW_EXPECT_EQ(p[i].result, SEAL_EXHAUSTED);
		SW_EXPECT_TRUE(seal_world_is_whole(&p[i]) || p[i].h.body_len == 56);
		seal_world_free(&p[i]);
	}
	for (int i = 0; i < 2; i++) {
		SW_EXPECT_EQ(seal_world_open(w.seal, &p[i]), SEAL_OK);
		seal_world_free(&p[i]);
	}
	/* For good, also as somebody else; a new instance of the process begins at 1 with new keys.
	 */
	struct seal_sender *other = seal_sender_create_owner(w.seal, bob, 100);
	struct seal_packet last = seal_world_packet(other, 56);
	SW_EXPECT_EQ(seal_world_seal(w.seal, &last), SEAL_EXHAUSTED);
	seal_world_free(&last);
	seal_destroy(w.seal);
}

/* ---- lives ---- */

SW_TEST(seal, new_life_is_let_in_by_an_authentic_packet_only)
{
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	w.sender = seal_sender_create_owner(w.seal, bob, 100);
	struct seal_packet p = sealed(&w);
	uint32_t lives = seal_lives(w.seal);
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_SENDER);
	p.bytes[WIRE_HEADER_LEN + 3] ^= 1;
	SW_EXPECT_EQ(seal_admit_owner(w.seal, p.bytes, &p.h), -EBADMSG);
	SW_EXPECT_EQ(seal_lives(w.seal), lives);
	p.bytes[WIRE_HEADER_LEN + 3] ^= 1;
	SW_EXPECT_EQ(seal_admit_owner(w.seal, p.bytes, &p.h), 0);
	SW_EXPECT_EQ(seal_lives(w.seal), lives + 1);
	SW_EXPECT_EQ(seal_admit_owner(w.seal, p.bytes, &p.h), 0);
	SW_EXPECT_EQ(seal_lives(w.seal), lives + 1);
	SW_EXPECT_EQ(seal_life_key(w.seal, bob, 100), 0);
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_OK);
	SW_EXPECT_EQ(seal_life_key(w.seal, bob, 100), 1);
	seal_world_free(&p);
	seal_destroy(w.seal);
}

SW_TEST(seal, members_keep_their_place_and_the_first_of_the_others_goes)
{
	static struct actor members[SEAL_LIVES_MAX];
	struct world w;
	SW_ASSERT_TRUE(begin(&w, 1));
	for (uint32_t i = 1; i < SEAL_LIVES_MAX; i++) {
		members[i] = (struct actor){1000 + i, 1};
		SW_ASSERT_EQ(seal_life_owner(w.seal, members[i], sw_mix64(i)), 0);
	}
	SW_EXPECT_EQ(seal_lives(w.seal), (uint32_t)SEAL_LIVES_MAX);
	members[0] = alice;
	seal_members_owner(w.seal, members, SEAL_LIVES_MAX);
	SW_EXPECT_EQ(seal_life_owner(w.seal, bob, 100), -ENOSPC);
	/* All but the last two are members: the older of those two goes. */
	seal_members_owner(w.seal, members, SEAL_LIVES_MAX - 2);
	SW_EXPECT_EQ(seal_life_owner(w.seal, bob, 100), 0);
	SW_EXPECT_EQ(seal_lives(w.seal), (uint32_t)SEAL_LIVES_MAX);
	SW_EXPECT_EQ(pass(&w), SEAL_OK); /* alice is still there */
	w.sender = seal_sender_create_owner(
		w.seal, members[SEAL_LIVES_MAX - 2], sw_mix64(SEAL_LIVES_MAX - 2));
	SW_EXPECT_EQ(pass(&w), SEAL_SENDER);
	w.sender = seal_sender_create_owner(
		w.seal, members[SEAL_LIVES_MAX - 1], sw_mix64(SEAL_LIVES_MAX - 1));
	SW_EXPECT_EQ(pass(&w), SEAL_OK);
	seal_destroy(w.seal);
}

/* ---- rotation ---- */

SW_TEST(seal, rotation_in_three_steps_loses_nothing)
{
	struct world w;
	char error[SEAL_ERROR_MAX];
	SW_ASSERT_TRUE(begin(&w, 1));
	SW_EXPECT_EQ(pass(&w), SEAL_OK);
	struct seal_keyring ring = seal_world_ring(1, 2);
	struct seal_packet old = sealed(&w), older = sealed(&w);
	SW_ASSERT_EQ(seal_keys_owner(w.seal, &ring, error), 0);
	SW_EXPECT_EQ(seal_send_id(w.seal), 1);
	SW_EXPECT_EQ(pass(&w), SEAL_OK);
	ring.send_id = 2;
	SW_ASSERT_EQ(seal_keys_owner(w.seal, &ring, error), 0);
	SW_EXPECT_EQ(seal_send_id(w.seal), 2);
	SW_EXPECT_EQ(pass(&w), SEAL_OK);
	SW_EXPECT_EQ(seal_life_key(w.seal, alice, 99), 2);
	/* What is still on its way under the old key is taken until that key is removed. */
	SW_EXPECT_EQ(seal_world_open(w.seal, &old), SEAL_OK);
	ring = seal_world_ring(2, 1);
	SW_ASSERT_EQ(seal_keys_owner(w.seal, &ring, error), 0);
	SW_EXPECT_EQ(pass(&w), SEAL_OK);
	SW_EXPECT_EQ(seal_world_open(w.seal, &older), SEAL_KEY);
	seal_world_free(&old);
	seal_world_free(&older);
	seal_destroy(w.seal);
}

SW_TEST(seal, keys_rotate_for_ever_without_leaking_a_session)
{
	struct world w;
	char error[SEAL_ERROR_MAX];
	SW_ASSERT_TRUE(begin(&w, 1));
	for (unsigned i = 1; i < 300; i++) {
		struct seal_keyring ring = seal_world_ring((uint8_t)(i % 250 + 1), 2);
		SW_ASSERT_EQ(seal_keys_owner(w.seal, &ring, error), 0);
		SW_ASSERT_EQ(pass(&w), SEAL_OK);
	}
	seal_destroy(w.seal);
}

SW_TEST(seal, window_stands_across_keys)
{
	struct world w;
	char error[SEAL_ERROR_MAX];
	SW_ASSERT_TRUE(begin(&w, 2));
	struct seal_packet p = sealed(&w);
	uint8_t copy[WIRE_PACKET_MAX];
	uint16_t len = SEALED_LEN;
	memcpy(copy, p.bytes, len);
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_OK);
	w.ring.send_id = 2;
	SW_ASSERT_EQ(seal_keys_owner(w.seal, &w.ring, error), 0);
	memcpy(p.bytes, copy, len);
	SW_EXPECT_EQ(seal_world_open(w.seal, &p), SEAL_REPLAY);
	seal_world_free(&p);
	seal_destroy(w.seal);
}

SW_TEST(seal, keyring_that_changes_a_key_under_its_id_is_refused)
{
	struct world w;
	char error[SEAL_ERROR_MAX];
	SW_ASSERT_TRUE(begin(&w, 2));
	w.ring.keys[1].bytes[0] ^= 1;
	SW_EXPECT_EQ(seal_keys_owner(w.seal, &w.ring, error), -EINVAL);
	SW_EXPECT_STR(error, "key 2 is another key than before; a new key needs a new id");
	SW_EXPECT_EQ(pass(&w), SEAL_OK);
	seal_destroy(w.seal);
}

/* With lanes that run, sessions and places are freed after their quiescent state only. */
SW_TEST(seal, nothing_is_freed_before_the_lanes_have_moved_on)
{
	char choice[SEAL_ERROR_MAX], error[SEAL_ERROR_MAX];
	SW_ASSERT_TRUE(seal_world());
	struct rte_rcu_qsbr *rcu = aligned_alloc(64, rte_rcu_qsbr_get_memsize(1));
	SW_ASSERT_EQ(rte_rcu_qsbr_init(rcu, 1), 0);
	SW_ASSERT_EQ(rte_rcu_qsbr_thread_register(rcu, 0), 0);
	rte_rcu_qsbr_thread_online(rcu, 0);
	struct seal_keyring ring = seal_world_ring(1, 3), next = seal_world_ring(4, 3);
	struct seal_config config = {.driver = SEAL_AESNI_GCM,
		.cluster = WORLD_CLUSTER,
		.lanes = 1,
		.senders_max = 1,
		.numa_node = -1,
		.rcu = rcu};
	struct seal *seal = NULL;
	SW_ASSERT_EQ(seal_create(&config, &ring, &seal, choice, error), 0);
	struct seal_sender *sender = seal_sender_create_owner(seal, alice, 99);
	next.keys[2] = ring.keys[0];
	next.send_id = next.keys[0].id;
	SW_EXPECT_EQ(seal_keys_owner(seal, &next, error), -EBUSY); /* 3 + 2 keys */
	next.count = 1;
	SW_ASSERT_EQ(seal_keys_owner(seal, &next, error), 0);
	seal_sender_retire_owner(sender);
	SW_EXPECT_TRUE(seal_sender_create_owner(seal, bob, 1) == NULL);
	next.count = 2;
	SW_EXPECT_EQ(seal_keys_owner(seal, &next, error), -EBUSY);
	for (int i = 0; i < 3; i++)
		seal_tick_owner(seal);
	SW_EXPECT_EQ(seal_keys_owner(seal, &next, error), -EBUSY);
	for (int i = 0; i < 3; i++) {
		rte_rcu_qsbr_quiescent(rcu, 0);
		seal_tick_owner(seal);
	}
	SW_EXPECT_EQ(seal_keys_owner(seal, &next, error), 0);
	SW_EXPECT_TRUE(seal_sender_create_owner(seal, bob, 1) != NULL);
	rte_rcu_qsbr_thread_offline(rcu, 0);
	seal_destroy(seal);
	free(rcu);
}
