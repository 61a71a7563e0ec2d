#include "sw_test.h"

#include "base/clock.h"
#include "rendezvous/duty.h"
#include "rendezvous/eligible.h"

/* Server 1 decides. The ranks are 2, 1, 3 unless a row says otherwise. */
enum { SELF = 1, OTHER = 2, THIRD = 3 };

struct duty_row {
	const char *name;
	enum duty before;
	uint64_t before_owner;
	uint64_t ranks[SW_OWNER_RANKS]; /* 0: nobody */
	bool suspect[SW_OWNER_RANKS];
	uint64_t writer; /* of the newest write, in its present life; 0: none */
	enum duty now;
	uint64_t beyond;
};

static const struct duty_row duty_rows[] = {
	{"owner_works", DUTY_NONE, 0, {1, 2, 3}, {0}, 0, DUTY_OWNER},
	{"second_rests", DUTY_NONE, 2, {2, 1, 3}, {0}, 2, DUTY_NONE},
	{"second_stands_in_for_a_suspect", DUTY_NONE, 2, {2, 1, 3}, {1, 0, 0}, 2, DUTY_STAND_IN},
	{"third_rests_while_the_second_is_well", DUTY_NONE, 2, {2, 3, 1}, {1, 0, 0}, 2, DUTY_NONE},
	{"third_stands_in_for_two_suspects", DUTY_NONE, 2, {2, 3, 1}, {1, 1, 0}, 2, DUTY_STAND_IN},
	{"fourth_rests_whoever_is_suspect", DUTY_NONE, 2, {2, 3, 4}, {1, 1, 1}, 2, DUTY_NONE},
	{"first_who_is_well_stands_in_for_all_kept_ranks", DUTY_NONE, 2, {2, 3, 4}, {1, 1, 1}, 2,
		DUTY_STAND_IN, SELF},
	{"rests_where_another_is_the_first_who_is_well", DUTY_NONE, 2, {2, 3, 4}, {1, 1, 1}, 2,
		DUTY_NONE, 5},
	{"rests_beyond_the_ranks_while_one_of_them_is_well", DUTY_NONE, 2, {2, 3, 4}, {1, 0, 1}, 2,
		DUTY_NONE, SELF},
	{"stops_beyond_the_ranks_when_refuted", DUTY_STAND_IN, 2, {2, 3, 4}, {0, 1, 1}, 1,
		DUTY_NONE, SELF},
	{"does_not_stand_in_for_nobody", DUTY_NONE, 0, {0}, {0}, 0, DUTY_NONE, SELF},
	{"stand_in_stops_when_refuted", DUTY_STAND_IN, 2, {2, 1, 3}, {0}, 1, DUTY_NONE},
	{"stand_in_goes_on_while_suspect", DUTY_STAND_IN, 2, {2, 1, 3}, {1, 0, 0}, 1,
		DUTY_STAND_IN},
	{"stand_in_inherits", DUTY_STAND_IN, 2, {1, 3, 4}, {0}, 1, DUTY_OWNER},
	{"stand_in_hands_over_to_another_heir", DUTY_STAND_IN, 2, {3, 1, 4}, {0}, 1,
		DUTY_HAND_OVER},
	{"owner_hands_over_to_a_joiner", DUTY_OWNER, 1, {2, 1, 3}, {0}, 1, DUTY_HAND_OVER},
	{"owner_hands_over_before_any_write", DUTY_OWNER, 1, {2, 1, 3}, {0}, 0, DUTY_HAND_OVER},
	{"drained_owner_hands_over", DUTY_OWNER, 1, {2, 3, 4}, {0}, 1, DUTY_HAND_OVER},
	{"goes_on_until_the_owner_writes", DUTY_HAND_OVER, 2, {2, 1, 3}, {0}, 3, DUTY_HAND_OVER},
	{"stops_when_the_owner_wrote", DUTY_HAND_OVER, 2, {2, 1, 3}, {0}, 2, DUTY_NONE},
	{"hands_over_to_the_next_one_instead", DUTY_HAND_OVER, 2, {3, 2, 1}, {0}, 2,
		DUTY_HAND_OVER},
	{"stands_in_for_whom_it_hands_over_to", DUTY_HAND_OVER, 2, {2, 1, 3}, {1, 0, 0}, 2,
		DUTY_STAND_IN},
	{"owns_again_what_it_handed_over", DUTY_HAND_OVER, 2, {1, 2, 3}, {0}, 1, DUTY_OWNER},
	{"goes_on_where_nobody_owns", DUTY_OWNER, 1, {0}, {0}, 1, DUTY_HAND_OVER},
	{"does_not_begin_where_nobody_owns", DUTY_NONE, 0, {0}, {0}, 1, DUTY_NONE},
};

static struct duty_view view_of(const struct duty_row *row)
{
	struct duty_view v = {.self_id = SELF};
	for (uint32_t i = 0; i < SW_OWNER_RANKS && row->ranks[i] != 0; i++) {
		v.ranks.ids[v.ranks.count++] = row->ranks[i];
		v.suspect[i] = row->suspect[i];
	}
	v.beyond_id = row->beyond;
	v.owner = (struct actor){row->ranks[0], row->ranks[0] != 0 ? 7 : 0};
	v.writer = (struct actor){row->writer, row->writer != 0 ? 7 : 0};
	return v;
}

SW_TEST_TABLE(duty, rule, const struct duty_row *row, duty_rows)
{
	struct duty_state state = {row->before, row->before_owner};
	struct duty_view v = view_of(row);
	SW_EXPECT_EQ(duty_decide(&state, &v), row->now);
	SW_EXPECT_EQ(state.owner_id, row->ranks[0]);
	/* The same view again changes nothing. */
	SW_EXPECT_EQ(duty_decide(&state, &v), row->now);
}

SW_TEST(duty, write_of_the_owners_earlier_life_does_not_end_a_hand_over)
{
	struct duty_state state = {DUTY_HAND_OVER, OTHER};
	struct duty_view v = {.self_id = SELF,
		.ranks = {2, {OTHER, SELF}},
		.owner = {OTHER, 8},
		.writer = {OTHER, 7}};
	SW_EXPECT_EQ(duty_decide(&state, &v), DUTY_HAND_OVER);
	v.writer.epoch = 8;
	SW_EXPECT_EQ(duty_decide(&state, &v), DUTY_NONE);
}

SW_TEST(duty, owner_claims_what_somebody_else_wrote)
{
	struct duty_state state = {0};
	struct duty_view v = {.self_id = SELF, .ranks = {1, {SELF}}, .owner = {SELF, 3}};
	SW_EXPECT_EQ(duty_decide(&state, &v), DUTY_OWNER);
	SW_EXPECT_FALSE(duty_must_claim(&state, &v)); /* nobody wrote: its own first write comes */
	v.writer = (struct actor){THIRD, 3};
	SW_EXPECT_TRUE(duty_must_claim(&state, &v));
	v.writer = (struct actor){SELF, 3};
	SW_EXPECT_FALSE(duty_must_claim(&state, &v));
	v.writer = (struct actor){SELF, 2};
	SW_EXPECT_TRUE(duty_must_claim(&state, &v));
	state.duty = DUTY_STAND_IN;
	SW_EXPECT_FALSE(duty_must_claim(&state, &v));
}

/* Whatever the view, as long as all share it and the owner is well: one works, and whoever worked
 * before stops once the owner wrote. */
SW_TEST(duty, in_a_shared_view_one_works_and_two_at_most_while_it_changes)
{
	enum { SERVERS = 6 };
	struct sw_random random = sw_random_seed(71);
	struct duty_state states[SERVERS + 1] = {{0}};
	for (int round = 0; round < 100000; round++) {
		struct duty_view v = {0};
		uint64_t ids[SERVERS] = {1, 2, 3, 4, 5, 6};
		for (uint32_t i = 0; i < SW_OWNER_RANKS; i++) {
			uint64_t at = i + sw_random_below(&random, SERVERS - i), id = ids[at];
			ids[at] = ids[i];
			ids[i] = id;
			v.ranks.ids[v.ranks.count++] = id;
		}
		v.owner = (struct actor){v.ranks.ids[0], 1};
		uint32_t working[3] = {0};
		for (int step = 0; step < 3; step++) {
			/* A suspicion; refuted; and the owner's write. */
			v.suspect[0] = step == 0 && sw_random_below(&random, 2) == 0;
			if (step == 2)
				v.writer = v.owner;
			for (uint64_t id = 1; id <= SERVERS; id++) {
				v.self_id = id;
				working[step] += duty_decide(&states[id], &v) != DUTY_NONE;
			}
		}
		SW_EXPECT_GE(working[0], 1u);
		SW_EXPECT_LE(working[0], 3u); /* owner in its own eyes, stand-in, who had it */
		SW_EXPECT_LE(working[1], 2u);
		SW_EXPECT_EQ(working[2], 1u);
	}
}

static struct wire_member member(uint64_t id)
{
	return (struct wire_member){
		.actor = {id, 1}, .instance = id, .weight = (uint16_t)(100 + id % 100)};
}

SW_TEST(duty, servers_of_more_lives_than_there_is_room_for_are_forgotten_oldest_first)
{
	static struct eligible e;
	uint64_t now_ns = SW_NS_PER_S;
	eligible_init(&e, 10 * SW_NS_PER_S);
	for (uint64_t id = 1; id <= 3000; id++) {
		struct wire_member stays = member(1), dead = member(2), comes = member(id + 2);
		dead.state = WIRE_DEAD;
		eligible_begin(&e, now_ns, false);
		eligible_add(&e, &stays, false);
		eligible_add(&e, &dead, false);
		eligible_add(&e, &comes, false);
		SW_ASSERT_EQ(e.count, 2u);
		SW_EXPECT_EQ(e.servers[1].weight, comes.weight);
	}
	/* The dead one was a member all the time: that it was gone is not forgotten. */
	struct wire_member back = member(2);
	eligible_begin(&e, now_ns, false);
	eligible_add(&e, &back, false);
	SW_EXPECT_EQ(e.count, 0u);
	SW_EXPECT_EQ(e.next_ns, now_ns + 10 * SW_NS_PER_S);
}
