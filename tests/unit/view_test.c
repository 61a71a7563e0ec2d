#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "view.h"

enum { WRITER, READER, THREADS, BUFFERS = 4 };

/* One board, the machine whose members it shows, and two threads' places in RCU. */
struct world {
	struct rte_rcu_qsbr *rcu;
	struct swim *swim;
	struct view_board *board;
	uint64_t now_ns;
};

static struct world world_create(void)
{
	struct swim_config c = {.id = 1,
		.epoch = 1,
		.instance = 9,
		.weight = 100,
		.profile = swim_profile_lan,
		.features = swim_features_all};
	struct world w = {.now_ns = SW_NS_PER_S};
	size_t size = rte_rcu_qsbr_get_memsize(THREADS);
	w.rcu = aligned_alloc(64, (size + 63) / 64 * 64);
	SW_EXPECT_EQ(rte_rcu_qsbr_init(w.rcu, THREADS), 0);
	for (unsigned i = 0; i < THREADS; i++)
		SW_EXPECT_EQ(rte_rcu_qsbr_thread_register(w.rcu, i), 0);
	w.swim = swim_create(&c, w.now_ns);
	w.board = view_create(w.rcu);
	return w;
}

static void world_destroy(struct world *w)
{
	view_destroy(w->board);
	swim_destroy(w->swim);
	free(w->rcu);
}

/* A change that grows the version. */
static void change(struct world *w)
{
	static bool on;
	on = !on;
	swim_drain(w->swim, w->now_ns, on);
}

static void run_until_member(struct world *w)
{
	for (int i = 0; i < 1000 && swim_phase(w->swim) != SWIM_RUNNING; i++) {
		w->now_ns += 10 * SW_NS_PER_MS;
		swim_tick(w->swim, w->now_ns);
	}
	SW_EXPECT_EQ(swim_phase(w->swim), SWIM_RUNNING);
}

SW_TEST(view, before_the_first_one_readers_see_nobody)
{
	struct world w = world_create();
	const struct members_view *view = view_get_reader(w.board);
	SW_EXPECT_EQ(view->count, 0u);
	SW_EXPECT_TRUE(view_find(view, 1) == NULL);
	SW_EXPECT_EQ(view_version(w.board), 0u);
	world_destroy(&w);
}

SW_TEST(view, published_one_says_what_the_machine_says)
{
	struct world w = world_create();
	run_until_member(&w);
	SW_EXPECT_TRUE(view_publish_owner(w.board, w.swim));
	const struct members_view *view = view_get_reader(w.board);
	SW_EXPECT_EQ(view->version, swim_version(w.swim));
	SW_EXPECT_EQ(view_version(w.board), swim_version(w.swim));
	SW_EXPECT_EQ(view->phase, SWIM_RUNNING);
	SW_EXPECT_EQ(view->digest, swim_table_digest(w.swim));
	SW_EXPECT_EQ(view->count, 1u);
	SW_EXPECT_TRUE(view->members[0].self);
	SW_EXPECT_TRUE(view_find(view, 1) == &view->members[0]);
	SW_EXPECT_TRUE(view_find(view, 2) == NULL);
	world_destroy(&w);
}

SW_TEST(view, replaced_one_stays_whole_for_a_reader_that_holds_it)
{
	struct world w = world_create();
	run_until_member(&w);
	SW_EXPECT_TRUE(view_publish_owner(w.board, w.swim));
	rte_rcu_qsbr_thread_online(w.rcu, READER);
	const struct members_view *held = view_get_reader(w.board);
	struct members_view *copy = malloc(sizeof(*copy));
	memcpy(copy, held, sizeof(*copy));
	for (int i = 0; i < 100; i++) {
		change(&w);
		(void)view_publish_owner(w.board, w.swim);
	}
	SW_EXPECT_MEM(held, copy, sizeof(*copy));
	SW_EXPECT_GT(view_get_reader(w.board)->version, held->version);
	rte_rcu_qsbr_thread_offline(w.rcu, READER);
	free(copy);
	world_destroy(&w);
}

SW_TEST(view, writer_never_waits_and_publishes_again_when_the_reader_lets_go)
{
	struct world w = world_create();
	rte_rcu_qsbr_thread_online(w.rcu, READER);
	for (int i = 0; i < BUFFERS - 1; i++) {
		change(&w);
		SW_EXPECT_TRUE(view_publish_owner(w.board, w.swim));
	}
	const struct members_view *last = view_get_reader(w.board);
	uint64_t version = view_version(w.board);
	for (int i = 0; i < 10; i++) {
		change(&w);
		SW_EXPECT_FALSE(view_publish_owner(w.board, w.swim));
		SW_EXPECT_TRUE(view_get_reader(w.board) == last);
		SW_EXPECT_EQ(view_version(w.board), version);
	}
	rte_rcu_qsbr_quiescent(w.rcu, READER);
	SW_EXPECT_TRUE(view_publish_owner(w.board, w.swim));
	SW_EXPECT_EQ(view_version(w.board), swim_version(w.swim));
	SW_EXPECT_GT(view_version(w.board), version);
	rte_rcu_qsbr_thread_offline(w.rcu, READER);
	world_destroy(&w);
}

SW_TEST(view, readers_that_are_away_hold_nothing_back)
{
	struct world w = world_create();
	rte_rcu_qsbr_thread_online(w.rcu, READER);
	rte_rcu_qsbr_thread_offline(w.rcu, READER);
	for (int i = 0; i < 10 * BUFFERS; i++) {
		change(&w);
		SW_EXPECT_TRUE(view_publish_owner(w.board, w.swim));
		SW_EXPECT_EQ(view_version(w.board), swim_version(w.swim));
	}
	world_destroy(&w);
}
