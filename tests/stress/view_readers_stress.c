/* Readers of the published member table beside lane 0 at full speed: what they hold stays whole and
 * unchanged until they say that they are done, and never goes back. SW_SECONDS: how long.
 */
#include "sw_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "view.h"

enum { READERS = 2, MEMBERS = 64, DIGESTS = 1 << 16, HOLD = 16 };

struct stress {
	struct rte_rcu_qsbr *rcu;
	struct swim *swim;
	struct view_board *board;
	_Atomic uint64_t digests[DIGESTS]; /* of each version, written before it is published */
	atomic_bool stop;
	uint64_t published, refused;
};

struct reader {
	struct stress *stress;
	unsigned number;
	pthread_t thread;
	uint64_t reads, versions, wrong;
};

static uint64_t clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock always exists */
	return (uint64_t)t.tv_sec * SW_NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t sum_of(const struct members_view *view)
{
	uint64_t sum = view->version;
	for (uint32_t i = 0; i < view->count; i++)
		sum = sum * 31 + view->members[i].record.actor.id +
		      view->members[i].record.incarnation;
	return sum;
}

static void *read_until_stop(void *arg)
{
	struct reader *r = arg;
	struct stress *s = r->stress;
	uint64_t last = 0;
	rte_rcu_qsbr_thread_online(s->rcu, r->number);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		const struct members_view *view = view_get_reader(s->board);
		uint64_t version = view->version, sum = sum_of(view);
		uint64_t digest =
			atomic_load_explicit(&s->digests[version % DIGESTS], memory_order_relaxed);
		r->wrong += version < last || view->digest != digest || view->count == 0 ||
			    !view->members[0].self;
		for (int i = 0; i < HOLD; i++)
			r->wrong += view->version != version || sum_of(view) != sum;
		r->reads++;
		r->versions += version != last;
		last = version;
		rte_rcu_qsbr_quiescent(s->rcu, r->number);
	}
	rte_rcu_qsbr_thread_offline(s->rcu, r->number);
	return NULL;
}

/* Gossip about one of the members: newer than all before. */
static void change(struct stress *s, uint64_t now_ns, uint32_t turn)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_member record = {
		.actor = {2 + turn % MEMBERS, 1},
		.instance = 2 + turn % MEMBERS,
		.incarnation = 1 + turn / MEMBERS,
		.weight = (uint16_t)(1 + turn % SW_WEIGHT_MAX),
		.at = sw_endpoint_from_ipv4(htobe32(0x0a000002u + turn % MEMBERS), 7946),
		.name = "server",
	};
	wire_put_member(&w, WIRE_MEMBER, &record);
	SW_EXPECT_FALSE(w.failed);
	struct wire_header h = {.sender = record.actor, .instance = record.instance};
	struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
	struct wire_message m;
	swim_packet_begin(s->swim, now_ns, &h, &record.at);
	while (wire_next(&r, &m))
		swim_input(s->swim, now_ns, &h, &record.at, &m);
}

static void drain_outputs(struct swim *swim, uint64_t now_ns)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_endpoint to;
	struct swim_event event;
	uint64_t to_id;
	for (int i = 0; i < 1000; i++) {
		struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
		if (!swim_output(swim, now_ns, &w, &to_id, &to))
			break;
	}
	while (swim_next_event(swim, &event))
		continue;
}

static uint64_t run_until_member(struct swim *swim, uint64_t now_ns)
{
	for (int i = 0; i < 1000 && swim_phase(swim) != SWIM_RUNNING; i++) {
		now_ns += 10 * SW_NS_PER_MS;
		swim_tick(swim, now_ns);
	}
	SW_EXPECT_EQ(swim_phase(swim), SWIM_RUNNING);
	return now_ns;
}

/* A version that finds no free buffer is tried again before there is another one. */
static void run_lane(struct stress *s, uint64_t now_ns, uint64_t end_ns)
{
	for (uint32_t turn = 0; clock_ns() < end_ns; turn++) {
		change(s, now_ns, turn);
		drain_outputs(s->swim, now_ns);
		uint64_t version = swim_version(s->swim);
		atomic_store_explicit(&s->digests[version % DIGESTS], swim_table_digest(s->swim),
			memory_order_relaxed);
		while (!view_publish_owner(s->board, s->swim) && clock_ns() < end_ns)
			s->refused++;
		s->published++;
	}
}

SW_TEST(view_readers, hold_whole_views_that_never_go_back)
{
	struct swim_config c = {.id = 1,
		.epoch = 1,
		.instance = 9,
		.name = "self",
		.weight = SW_WEIGHT_DEFAULT,
		.at = sw_endpoint_from_ipv4(htobe32(0x0a000001u), 7946),
		.profile = swim_profile_lan,
		.features = swim_features_all};
	struct stress *s = calloc(1, sizeof(*s));
	struct reader readers[READERS];
	size_t size = rte_rcu_qsbr_get_memsize(READERS);
	s->rcu = aligned_alloc(64, (size + 63) / 64 * 64);
	SW_ASSERT_EQ(rte_rcu_qsbr_init(s->rcu, READERS), 0);
	for (unsigned i = 0; i < READERS; i++)
		SW_ASSERT_EQ(rte_rcu_qsbr_thread_register(s->rcu, i), 0);
	s->swim = swim_create(&c, SW_NS_PER_S);
	s->board = view_create(s->rcu);
	uint64_t now_ns = run_until_member(s->swim, SW_NS_PER_S);
	atomic_store(&s->digests[swim_version(s->swim) % DIGESTS], swim_table_digest(s->swim));
	SW_ASSERT_TRUE(view_publish_owner(s->board, s->swim));
	uint64_t end_ns = clock_ns() + sw_test_env_u64("SW_SECONDS", 3) * SW_NS_PER_S;
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){.stress = s, .number = i};
		SW_ASSERT_EQ(
			pthread_create(&readers[i].thread, NULL, read_until_stop, &readers[i]), 0);
	}
	run_lane(s, now_ns, end_ns);
	atomic_store(&s->stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		SW_EXPECT_EQ(pthread_join(readers[i].thread, NULL), 0);
		SW_EXPECT_EQ(readers[i].wrong, 0u);
		SW_EXPECT_GT(readers[i].versions, 1u);
		sw_test_note("reader %u: %lu reads of %lu versions", i, readers[i].reads,
			readers[i].versions);
	}
	SW_EXPECT_GT(s->published, (uint64_t)MEMBERS);
	SW_EXPECT_EQ(view_get_reader(s->board)->count, (uint32_t)MEMBERS + 1);
	sw_test_note("%lu views published, %lu times no buffer was free", s->published, s->refused);
	view_destroy(s->board);
	swim_destroy(s->swim);
	free(s->rcu);
	free(s);
}
