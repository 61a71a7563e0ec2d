#include "seal/choose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "base/random.h"
#include "seal/nonce.h"

enum {
	MBUFS = 2 * SEAL_BURST - 1,
	TEST_BODY_LEN = 120, /* a probe with a little news */
	ROUNDS = 32,
	REPEATS = 9,
	WAYS_MAX = 8,
};

struct bench {
	struct device *device;
	struct rte_mempool *mbufs;
	uint8_t key[SEAL_PACKET_KEY_LEN];
	void *encrypt, *decrypt;
	struct seal_packet packets[SEAL_BURST];
	struct seal_packet *list[SEAL_BURST];
	device_nonce nonces[SEAL_BURST];
};

static void bench_close(struct bench *b)
{
	for (uint32_t i = 0; i < SEAL_BURST; i++)
		rte_pktmbuf_free(b->packets[i].mbuf);
	if (b->encrypt != NULL)
		device_session_free(b->device, b->encrypt);
	if (b->decrypt != NULL)
		device_session_free(b->device, b->decrypt);
}

static int bench_open(struct bench *b, struct device *device, struct rte_mempool *mbufs)
{
	*b = (struct bench){.device = device, .mbufs = mbufs};
	struct sw_random random = sw_random_seed(1);
	for (uint32_t i = 0; i < sizeof(b->key); i++)
		b->key[i] = (uint8_t)sw_random_u64(&random);
	b->encrypt = device_session(device, b->key, true);
	b->decrypt = device_session(device, b->key, false);
	for (uint32_t i = 0; i < SEAL_BURST; i++) {
		struct seal_packet *p = &b->packets[i];
		p->mbuf = rte_pktmbuf_alloc(mbufs);
		if (p->mbuf == NULL || b->encrypt == NULL || b->decrypt == NULL) {
			bench_close(b);
			return -ENOMEM;
		}
		p->offset = (uint16_t)(i % 32); /* packets begin anywhere in a frame */
		p->bytes = (uint8_t *)rte_pktmbuf_append(
				   p->mbuf, (uint16_t)(p->offset + WIRE_PACKET_MAX)) +
			   p->offset;
		p->h = (struct wire_header){.lane = (uint8_t)(i % SW_LANES_MAX),
			.body_len = TEST_BODY_LEN,
			.sender = {1, 1},
			.counter = sw_random_u64(&random)};
		seal_nonce(b->nonces[i], p->h.lane, p->h.counter);
		b->list[i] = p;
	}
	return 0;
}

static void run(struct bench *b, void *session)
{
	for (uint32_t i = 0; i < SEAL_BURST; i++)
		b->packets[i].session = session;
	device_run(b->device, 0, b->list, b->nonces, SEAL_BURST);
}

static bool all_are(const struct bench *b, enum seal_result result)
{
	for (uint32_t i = 0; i < SEAL_BURST; i++)
		if (b->packets[i].result != result)
			return false;
	return true;
}

/* Bodies of every kind of length: sealed, compared with the reference, damaged at one bit after the
 * other of header, body and tag, opened again. */
static bool agrees(struct bench *b, uint16_t base_len)
{
	static const uint8_t header_mark = 0x5a;
	uint8_t plain[SEAL_BURST][WIRE_BODY_MAX], body[WIRE_BODY_MAX];
	for (uint32_t i = 0; i < SEAL_BURST; i++) {
		struct seal_packet *p = &b->packets[i];
		p->h.body_len = (uint16_t)(base_len + i);
		memset(p->bytes, header_mark, WIRE_HEADER_LEN);
		for (uint32_t j = 0; j < p->h.body_len; j++)
			plain[i][j] = p->bytes[WIRE_HEADER_LEN + j] = (uint8_t)(i + 7 * j);
	}
	run(b, b->encrypt);
	bool right = all_are(b, SEAL_OK);
	for (uint32_t i = 0; i < SEAL_BURST && right; i++)
		right = seal_check(b->key, b->packets[i].bytes, &b->packets[i].h, body) &&
			memcmp(body, plain[i], b->packets[i].h.body_len) == 0;
	run(b, b->decrypt);
	right = right && all_are(b, SEAL_OK);
	for (uint32_t i = 0; i < SEAL_BURST && right; i++)
		right = memcmp(b->packets[i].bytes + WIRE_HEADER_LEN, plain[i],
				b->packets[i].h.body_len) == 0;
	run(b, b->encrypt);
	for (uint32_t i = 0; i < SEAL_BURST; i++) {
		uint32_t len = WIRE_HEADER_LEN + b->packets[i].h.body_len + WIRE_TAG_LEN;
		b->packets[i].bytes[i * (len - 1) / (SEAL_BURST - 1)] ^= (uint8_t)(1 << (i % 8));
	}
	run(b, b->decrypt);
	return right && all_are(b, SEAL_TAG);
}

int choose_test(struct device *d, struct rte_mempool *mbufs)
{
	static const uint16_t lens[] = {
		WIRE_PRELUDE_LEN, 56, 88, 120, 240, 500, 1000, WIRE_BODY_MAX - SEAL_BURST + 1};
	struct bench b;
	int rc = bench_open(&b, d, mbufs);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]) && rc == 0; i++)
		rc = agrees(&b, lens[i]) ? 0 : -EBADMSG;
	bench_close(&b);
	return rc;
}

/* Cycles to open and seal a probe: the best of some repeats, since others may run meanwhile. */
static uint64_t measure(struct device *d, struct rte_mempool *mbufs)
{
	struct bench b;
	uint64_t best = UINT64_MAX;
	if (bench_open(&b, d, mbufs) < 0)
		return best;
	for (int r = 0; r < REPEATS; r++) {
		uint64_t begin = rte_rdtsc_precise();
		for (int i = 0; i < ROUNDS; i++) {
			run(&b, b.encrypt);
			run(&b, b.decrypt);
		}
		uint64_t cycles = (rte_rdtsc_precise() - begin) / (ROUNDS * SEAL_BURST);
		best = cycles < best ? cycles : best;
	}
	bench_close(&b);
	return best;
}

struct candidate {
	enum seal_driver driver;
	enum device_way way;
	uint64_t cycles;
};

static const char *way_name(enum device_way way)
{
	static const char *const names[] = {
		"without a device", "called directly", "through its queue"};
	return names[way];
}

/* Every way of one driver. What it cannot do goes into `words`. */
static void try_driver(const struct seal_config *config, enum seal_driver driver,
	struct rte_mempool *mbufs, struct candidate *best, char *words, char *error)
{
	struct device d;
	size_t at = strlen(words);
	/* A few sessions are enough to find out. */
	if (device_open(&d, driver, 1, 8, config->numa_node, error) < 0) {
		(void)snprintf(words + at, SEAL_ERROR_MAX - at, "; %s", error);
		return;
	}
	for (enum device_way way = DEVICE_LIBRARY; way <= DEVICE_OPS; way++) {
		if (!device_has_way(&d, way))
			continue;
		d.way = way;
		uint64_t cycles = 0;
		int rc = choose_test(&d, mbufs);
		if (rc == 0)
			cycles = measure(&d, mbufs);
		at = strlen(words);
		if (rc < 0)
			(void)snprintf(words + at, SEAL_ERROR_MAX - at,
				"; %s %s failed its self-test", d.name, way_name(d.way));
		else
			(void)snprintf(words + at, SEAL_ERROR_MAX - at, "; %s %s %llu", d.name,
				way_name(d.way), (unsigned long long)cycles);
		if (rc == 0 && cycles < best->cycles)
			*best = (struct candidate){driver, d.way, cycles};
	}
	device_close(&d);
}

int choose_device(const struct seal_config *config, uint32_t sessions, struct device *d,
	char *choice, char *error)
{
	struct candidate best = {.cycles = UINT64_MAX};
	char words[SEAL_ERROR_MAX] = "";
	enum seal_driver first = config->driver == SEAL_AUTO ? SEAL_IPSEC_MB : config->driver;
	enum seal_driver last = config->driver == SEAL_AUTO ? SEAL_OPENSSL : config->driver;
	error[0] = '\0';
	struct rte_mempool *mbufs = rte_pktmbuf_pool_create("seal_test", MBUFS, 0, 0,
		RTE_PKTMBUF_HEADROOM + 32 + WIRE_PACKET_MAX, config->numa_node);
	if (mbufs == NULL) {
		(void)snprintf(error, SEAL_ERROR_MAX,
			"no memory for the self-test of sealing; raise memory.megabytes");
		return -ENOMEM;
	}
	for (enum seal_driver driver = first; driver <= last; driver++)
		try_driver(config, driver, mbufs, &best, words, error);
	rte_mempool_free(mbufs);
	if (best.cycles == UINT64_MAX) {
		(void)snprintf(error, SEAL_ERROR_MAX,
			"no crypto device can seal (%.400s); install librte-crypto-openssl23",
			words[0] == '\0' ? words : words + 2);
		return -ENODEV;
	}
	int rc = device_open(d, best.driver, config->lanes, sessions, config->numa_node, error);
	if (rc < 0)
		return rc;
	d->way = best.way;
	(void)snprintf(choice, SEAL_ERROR_MAX,
		"%s, %s: %llu cycles to open and seal a probe (%.380s)", d->name, way_name(d->way),
		(unsigned long long)best.cycles, words + 2);
	return 0;
}
