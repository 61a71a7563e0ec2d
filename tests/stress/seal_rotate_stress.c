/* Keys rotate while one lane seals and another opens at full speed: not a packet is lost, and
 * nothing is freed under a lane. SW_SECONDS: how long.
 */
#include "sw_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "base/clock.h"
#include "seal/seal.h"

enum { CLUSTER = 1, BODY_LEN = 56, FLIGHT = 256, SEALER = 0, OPENER = 1 };

static const struct actor other = {2, 7};

struct stress {
	struct rte_rcu_qsbr *rcu;
	struct rte_mempool *mbufs;
	struct rte_ring *wire, *back;
	struct seal *seal;
	_Atomic(struct seal_sender *) sender; /* owner: rw, sealer: ro */
	atomic_bool stop;
	_Atomic uint64_t turns, sealed, opened; /* their lane: rw, owner: ro */
	uint64_t by_result[SEAL_RESULT_COUNT];
};

static uint64_t clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock always exists */
	return (uint64_t)t.tv_sec * SW_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void *seal_until_stop(void *arg)
{
	struct stress *s = arg;
	rte_rcu_qsbr_thread_online(s->rcu, SEALER);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		struct seal_packet p[SEAL_BURST];
		void *m[SEAL_BURST];
		uint32_t n = rte_ring_sc_dequeue_burst(s->back, m, SEAL_BURST, NULL);
		const struct seal_sender *sender =
			atomic_load_explicit(&s->sender, memory_order_acquire);
		for (uint32_t i = 0; i < n; i++)
			p[i] = (struct seal_packet){.mbuf = m[i],
				.bytes = rte_pktmbuf_mtod((struct rte_mbuf *)m[i], uint8_t *),
				.sender = sender,
				.h = {.body_len = BODY_LEN}};
		if (n > 0)
			seal_seal_lane(s->seal, SEALER, p, n);
		uint64_t sealed = 0;
		for (uint32_t i = 0; i < n; i++)
			sealed += p[i].result == SEAL_OK;
		atomic_fetch_add(&s->sealed, sealed);
		atomic_fetch_add(&s->turns, 1);
		(void)rte_ring_sp_enqueue_bulk(s->wire, m, n, NULL); /* as long as they are many */
		rte_rcu_qsbr_quiescent(s->rcu, SEALER);
		if (n == 0)
			rte_pause();
	}
	rte_rcu_qsbr_thread_offline(s->rcu, SEALER);
	return NULL;
}

static void open_some(struct stress *s)
{
	struct seal_packet p[SEAL_BURST];
	void *m[SEAL_BURST];
	uint32_t n = rte_ring_sc_dequeue_burst(s->wire, m, SEAL_BURST, NULL);
	for (uint32_t i = 0; i < n; i++) {
		struct sw_reader body;
		p[i] = (struct seal_packet){.mbuf = m[i],
			.bytes = rte_pktmbuf_mtod((struct rte_mbuf *)m[i], uint8_t *)};
		SW_EXPECT_EQ(
			wire_read_header(p[i].bytes, p[i].mbuf->data_len, CLUSTER, &p[i].h, &body),
			WIRE_OK);
	}
	if (n > 0)
		seal_open_lane(s->seal, OPENER, p, n);
	for (uint32_t i = 0; i < n; i++)
		s->by_result[p[i].result]++;
	atomic_fetch_add(&s->opened, n);
	(void)rte_ring_sp_enqueue_bulk(s->back, m, n, NULL);
	rte_rcu_qsbr_quiescent(s->rcu, OPENER);
	if (n == 0)
		rte_pause();
}

static void *open_until_stop(void *arg)
{
	struct stress *s = arg;
	rte_rcu_qsbr_thread_online(s->rcu, OPENER);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed))
		open_some(s);
	rte_rcu_qsbr_thread_offline(s->rcu, OPENER);
	return NULL;
}

static struct seal_keyring ring_of(unsigned first, unsigned count, unsigned send)
{
	struct seal_keyring ring = {.count = count, .send_id = (uint8_t)(send % 255 + 1)};
	for (unsigned i = 0; i < count; i++) {
		ring.keys[i].id = (uint8_t)((first + i) % 255 + 1);
		memset(ring.keys[i].bytes, (int)(first + i), SEAL_CLUSTER_KEY_LEN);
	}
	return ring;
}

static void wait_for(struct stress *s, const _Atomic uint64_t *count, uint64_t least)
{
	const struct timespec pause = {0, 50000};
	while (atomic_load(count) < least) {
		seal_tick_owner(s->seal);
		(void)nanosleep(&pause, NULL);
	}
}

/* One step of the procedure, and then time, as between an operator's steps: what is on its way
 * under the old key arrives before that key is taken out. */
static void step(struct stress *s, struct seal_keyring ring)
{
	char error[SEAL_ERROR_MAX];
	uint64_t give_up_ns = clock_ns() + 5 * SW_NS_PER_S;
	int rc;
	while ((rc = seal_keys_owner(s->seal, &ring, error)) < 0 && clock_ns() < give_up_ns)
		seal_tick_owner(s->seal);
	if (rc < 0)
		SW_FAIL("%s", error);
	wait_for(s, &s->turns, atomic_load(&s->turns) + 2); /* sends with the new key now */
	wait_for(s, &s->opened, atomic_load(&s->sealed));
}

static void change_sender(struct stress *s, uint32_t epoch)
{
	const struct actor self = {1, epoch};
	struct seal_sender *old = atomic_load(&s->sender), *sender = NULL;
	SW_EXPECT_EQ(seal_life_owner(s->seal, self, 9), 0);
	while (sender == NULL) {
		seal_tick_owner(s->seal);
		sender = seal_sender_create_owner(s->seal, self, 9);
	}
	atomic_store_explicit(&s->sender, sender, memory_order_release);
	seal_sender_retire_owner(old);
	/* Others come and go, until places are taken from the oldest. */
	wait_for(s, &s->turns, atomic_load(&s->turns) + 2);
	wait_for(s, &s->opened, atomic_load(&s->sealed));
	seal_members_owner(s->seal, &self, 1);
	for (uint64_t i = 0; i < 8; i++)
		(void)seal_life_owner(s->seal, other, epoch * 8ull + i); /* -ENOSPC for a while */
}

static bool prepare(struct stress *s)
{
	static char *arguments[] = {"seal_rotate", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "128", "--lcores", "0", "--log-level", "*:warning"};
	char choice[SEAL_ERROR_MAX], error[SEAL_ERROR_MAX];
	struct seal_keyring ring = ring_of(0, 1, 0);
	if (rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) < 0)
		return false;
	s->rcu = aligned_alloc(64, rte_rcu_qsbr_get_memsize(2));
	s->mbufs = rte_pktmbuf_pool_create("packets", FLIGHT, 0, 0, 2048, SOCKET_ID_ANY);
	s->wire = rte_ring_create("wire", 2 * FLIGHT, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	s->back = rte_ring_create("back", 2 * FLIGHT, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (s->rcu == NULL || s->mbufs == NULL || s->wire == NULL || s->back == NULL)
		return false;
	(void)rte_rcu_qsbr_init(s->rcu, 2); /* two threads fit */
	(void)rte_rcu_qsbr_thread_register(s->rcu, SEALER);
	(void)rte_rcu_qsbr_thread_register(s->rcu, OPENER);
	struct seal_config config = {.driver = SEAL_AESNI_GCM,
		.cluster = CLUSTER,
		.lanes = 2,
		.senders_max = 4,
		.numa_node = -1,
		.rcu = s->rcu};
	if (seal_create(&config, &ring, &s->seal, choice, error) < 0) {
		SW_FAIL("%s", error);
		return false;
	}
	for (int i = 0; i < FLIGHT; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(s->mbufs);
		if (m == NULL ||
			rte_pktmbuf_append(m, WIRE_HEADER_LEN + BODY_LEN + WIRE_TAG_LEN) == NULL)
			return false;
		(void)rte_ring_enqueue(s->back, m);
	}
	const struct actor self = {1, 1};
	atomic_store(&s->sender, seal_sender_create_owner(s->seal, self, 9));
	return atomic_load(&s->sender) != NULL && seal_life_owner(s->seal, self, 9) == 0;
}

SW_TEST(seal_rotate, no_packet_is_lost_while_keys_and_lives_change)
{
	static struct stress s;
	pthread_t sealer, opener;
	unsigned rounds = 0;
	SW_ASSERT_TRUE(prepare(&s));
	SW_ASSERT_EQ(pthread_create(&sealer, NULL, seal_until_stop, &s), 0);
	SW_ASSERT_EQ(pthread_create(&opener, NULL, open_until_stop, &s), 0);
	uint64_t end_ns = clock_ns() + sw_test_env_u64("SW_SECONDS", 3) * SW_NS_PER_S;
	for (; clock_ns() < end_ns; rounds++) {
		step(&s, ring_of(rounds, 2, rounds));
		step(&s, ring_of(rounds, 2, rounds + 1));
		step(&s, ring_of(rounds + 1, 1, rounds + 1));
		change_sender(&s, rounds + 2);
	}
	atomic_store(&s.stop, true);
	SW_ASSERT_EQ(pthread_join(sealer, NULL), 0);
	SW_ASSERT_EQ(pthread_join(opener, NULL), 0);
	rte_rcu_qsbr_thread_online(s.rcu, OPENER);
	while (rte_ring_count(s.wire) > 0)
		open_some(&s);
	rte_rcu_qsbr_thread_offline(s.rcu, OPENER);
	(void)printf("  %u rotations, %llu packets\n", rounds,
		(unsigned long long)atomic_load(&s.sealed));
	SW_EXPECT_GT(rounds, 3u);
	SW_EXPECT_EQ(s.by_result[SEAL_OK], atomic_load(&s.sealed));
	for (unsigned r = SEAL_OK + 1; r < SEAL_RESULT_COUNT; r++)
		SW_EXPECT_EQ(s.by_result[r], 0u);
	seal_destroy(s.seal);
}
