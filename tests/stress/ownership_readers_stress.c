/* Control reads who owns a key while the keeper registers and unregisters keys, whose places in the
 * table go round, and replaces all servers at once. What is read must be the ranks of that key, of
 * one of the two sets of servers; and the servers read must be one of the two sets. SW_SECONDS: how
 * long.
 */
#include "sw_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "appliance.h"
#include "base/random.h"

enum { RECORDS_MAX = 8, KEYS = 64, SERVERS = 6 };

struct stress {
	struct config config;
	struct appliance app;
	struct members_view views[2];
	struct ownership *ownership;
	uint64_t hashes[KEYS];
	struct rendezvous_ranks right[KEYS][2];
	atomic_bool stop;
	uint64_t ids[2][SERVERS];
	uint64_t found, absent, wrong, mixed; /* reader's, until it is joined */
};

static uint64_t clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock always exists */
	return (uint64_t)t.tv_sec * SW_NS_PER_S + (uint64_t)t.tv_nsec;
}

static bool same_ranks(const struct rendezvous_ranks *a, const struct rendezvous_ranks *b)
{
	return a->count == b->count && memcmp(a->ids, b->ids, a->count * sizeof(a->ids[0])) == 0;
}

static bool is_one_set(const struct stress *s)
{
	struct rendezvous_server servers[SW_MEMBERS_MAX];
	uint32_t n = ownership_servers_reader(s->ownership, servers), of[2] = {0};
	for (uint32_t i = 0; i < n && i < SERVERS; i++) {
		of[0] += servers[i].id == s->ids[0][i] && servers[i].weight == SW_WEIGHT_DEFAULT;
		of[1] +=
			servers[i].id == s->ids[1][i] && servers[i].weight == 2 * SW_WEIGHT_DEFAULT;
	}
	return n == SERVERS && (of[0] == SERVERS || of[1] == SERVERS);
}

static void *read_until_stop(void *arg)
{
	struct stress *s = arg;
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		s->mixed += !is_one_set(s);
		for (int k = 0; k < KEYS; k++) {
			struct rendezvous_ranks ranks;
			if (!ownership_read_reader(s->ownership, s->hashes[k], &ranks)) {
				s->absent++;
				continue;
			}
			s->found++;
			s->wrong += !same_ranks(&ranks, &s->right[k][0]) &&
				    !same_ranks(&ranks, &s->right[k][1]);
		}
	}
	return NULL;
}

static void prepare(struct stress *s)
{
	struct sw_random random = sw_random_seed(7);
	s->config.map_records_max = RECORDS_MAX;
	s->app.config = &s->config;
	SW_EXPECT_EQ(ownership_create(&s->app, &s->ownership), 0);
	for (int k = 0; k < KEYS; k++)
		s->hashes[k] = sw_random_u64(&random);
	for (int set = 0; set < 2; set++) {
		struct rendezvous_server servers[SERVERS];
		s->views[set].phase = SWIM_RUNNING;
		s->views[set].count = SERVERS;
		for (uint32_t i = 0; i < SERVERS; i++) {
			struct wire_member *r = &s->views[set].members[i].record;
			r->actor = (struct actor){sw_random_u64(&random), 1};
			r->weight = (uint16_t)(SW_WEIGHT_DEFAULT * (set + 1));
			servers[i] = rendezvous_server_make(r->actor.id, r->weight);
			s->ids[set][i] = r->actor.id;
		}
		for (int k = 0; k < KEYS; k++) {
			uint32_t order[SW_OWNER_RANKS];
			struct rendezvous_ranks *right = &s->right[k][set];
			right->count = rendezvous_rank(
				s->hashes[k], servers, SERVERS, order, SW_OWNER_RANKS);
			for (uint32_t i = 0; i < right->count; i++)
				right->ids[i] = servers[order[i]].id;
		}
	}
	(void)ownership_members(s->ownership, SW_NS_PER_S, &s->views[0]);
}

/* One key goes, another one comes, into the same entry. */
static uint64_t run_keeper(struct stress *s, uint64_t end_ns)
{
	struct sw_random random = sw_random_seed(8);
	struct map_view live[RECORDS_MAX] = {{.key_hash = 0}};
	uint64_t turns = 0;
	for (; clock_ns() < end_ns; turns++) {
		struct map_view *v = &live[sw_random_below(&random, RECORDS_MAX)];
		if (v->key_hash != 0) {
			v->tombstone = true;
			ownership_key(s->ownership, v);
		}
		*v = (struct map_view){.key_hash = s->hashes[sw_random_below(&random, KEYS)]};
		bool twice = false;
		for (int i = 0; i < RECORDS_MAX; i++)
			twice |= &live[i] != v && live[i].key_hash == v->key_hash;
		if (twice)
			v->key_hash = 0;
		else
			ownership_key(s->ownership, v);
		if (turns % 64 == 0)
			(void)ownership_members(
				s->ownership, SW_NS_PER_S, &s->views[turns / 64 % 2]);
	}
	return turns;
}

SW_TEST(ownership_readers, see_ranks_of_the_key_that_they_asked_for)
{
	struct stress *s = calloc(1, sizeof(*s));
	pthread_t reader;
	prepare(s);
	uint64_t end_ns = clock_ns() + sw_test_env_u64("SW_SECONDS", 3) * SW_NS_PER_S;
	SW_ASSERT_EQ(pthread_create(&reader, NULL, read_until_stop, s), 0);
	uint64_t turns = run_keeper(s, end_ns);
	atomic_store(&s->stop, true);
	SW_EXPECT_EQ(pthread_join(reader, NULL), 0);
	SW_EXPECT_EQ(s->wrong, 0u);
	SW_EXPECT_EQ(s->mixed, 0u);
	SW_EXPECT_GT(s->found, 0u);
	SW_EXPECT_GT(s->absent, 0u);
	sw_test_note("%lu reads found, %lu absent, %lu wrong, beside %lu keys that came and went",
		s->found, s->absent, s->wrong, turns);
	ownership_destroy(s->ownership);
	free(s);
}
