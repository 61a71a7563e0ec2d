#include "seal/device.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_cryptodev.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "seal/library.h"

enum {
	QUEUE_DESCRIPTORS = 2 * SEAL_BURST,
	NONCE_OFFSET = sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op),
	NONCE_ROOM = 16,
	EMPTY_POLLS_MAX = 1000,
};

const char *device_driver_name(enum seal_driver driver)
{
	static const char *const names[] = {
		"auto", "libIPSec_MB", "crypto_aesni_gcm", "crypto_aesni_mb", "crypto_openssl"};
	return names[driver];
}

static int fails(const struct device *d, const char *what, int number, char *error)
{
	(void)snprintf(error, SEAL_ERROR_MAX, "%s: %s: %s", d->name, what, rte_strerror(-number));
	return number < 0 ? number : -EIO;
}

static int take_queues(struct device *d, int numa_node, char *error)
{
	struct rte_cryptodev_config config = {.socket_id = numa_node < 0 ? 0 : numa_node,
		.nb_queue_pairs = d->lanes,
		.ff_disable = RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO | RTE_CRYPTODEV_FF_SECURITY};
	struct rte_cryptodev_qp_conf queue = {
		.nb_descriptors = QUEUE_DESCRIPTORS, .mp_session = d->sessions};
	int rc = rte_cryptodev_configure(d->id, &config);
	if (rc < 0)
		return fails(d, "configure", rc, error);
	for (uint16_t i = 0; i < d->lanes; i++) {
		rc = rte_cryptodev_queue_pair_setup(d->id, i, &queue, config.socket_id);
		if (rc < 0)
			return fails(d, "queue pair", rc, error);
	}
	rc = rte_cryptodev_start(d->id);
	if (rc < 0)
		return fails(d, "start", rc, error);
	d->started = true;
	return 0;
}

static int take_operations(struct device *d, int numa_node, char *error)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	(void)snprintf(name, sizeof(name), "%s_ops", d->name);
	d->op_pool = rte_crypto_op_pool_create(name, RTE_CRYPTO_OP_TYPE_SYMMETRIC,
		(unsigned)d->lanes * SEAL_BURST, 0, NONCE_ROOM, numa_node);
	d->ops = calloc(d->lanes, sizeof(d->ops[0]));
	if (d->op_pool == NULL || d->ops == NULL)
		return fails(d, "operations", -ENOMEM, error);
	for (uint16_t i = 0; i < d->lanes; i++)
		if (rte_crypto_op_bulk_alloc(d->op_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC, d->ops[i],
			    SEAL_BURST) != SEAL_BURST)
			return fails(d, "operations", -ENOMEM, error);
	return 0;
}

static int open_library(struct device *d, uint32_t sessions, int numa_node, char *error)
{
	int rc = library_open(&d->library, sessions, numa_node);
	d->way = DEVICE_LIBRARY;
	if (rc < 0) {
		(void)snprintf(
			error, SEAL_ERROR_MAX, "%s: not there: %s", d->name, rte_strerror(-rc));
		d->name = NULL;
	}
	return rc;
}

int device_open(struct device *d, enum seal_driver driver, uint16_t lanes, uint32_t sessions,
	int numa_node, char *error)
{
	char args[64], name[RTE_MEMPOOL_NAMESIZE];
	*d = (struct device){.driver = driver,
		.way = DEVICE_OPS,
		.name = device_driver_name(driver),
		.lanes = lanes,
		.aad_len = WIRE_HEADER_LEN};
	if (driver == SEAL_IPSEC_MB)
		return open_library(d, sessions, numa_node, error);
	(void)snprintf(args, sizeof(args), "max_nb_queue_pairs=%u,socket_id=%d", lanes,
		numa_node < 0 ? 0 : numa_node);
	int rc = rte_eal_hotplug_add("vdev", d->name, args);
	if (rc < 0) {
		d->name = NULL;
		(void)snprintf(error, SEAL_ERROR_MAX, "%s: not there: %s",
			device_driver_name(driver), rte_strerror(-rc));
		return rc;
	}
	d->id = (uint8_t)rte_cryptodev_get_dev_id(d->name); /* it was just made */
	(void)snprintf(name, sizeof(name), "%s_ses", d->name);
	d->sessions = rte_cryptodev_sym_session_pool_create(
		name, sessions, rte_cryptodev_sym_get_private_session_size(d->id), 0, 0, numa_node);
	rc = d->sessions == NULL ? fails(d, "sessions; raise memory.megabytes", -ENOMEM, error) : 0;
	if (rc == 0)
		rc = take_queues(d, numa_node, error);
	if (rc == 0)
		rc = take_operations(d, numa_node, error);
	if (rc < 0)
		device_close(d);
	return rc;
}

void device_close(struct device *d)
{
	if (d->name == NULL)
		return;
	if (d->way == DEVICE_LIBRARY) {
		library_close(d->library);
		d->name = NULL;
		return;
	}
	for (uint16_t i = 0; d->ops != NULL && i < d->lanes; i++)
		for (uint32_t o = 0; o < SEAL_BURST; o++)
			rte_crypto_op_free(d->ops[i][o]); /* also NULL */
	free(d->ops);
	rte_mempool_free(d->op_pool);
	if (d->started)
		rte_cryptodev_stop(d->id);
	(void)rte_eal_hotplug_remove(
		"vdev", d->name); /* closes it; there is nothing more to do if it cannot */
	rte_mempool_free(d->sessions);
	d->name = NULL;
}

bool device_has_way(const struct device *d, enum device_way way)
{
	struct rte_cryptodev_info info;
	if (d->library != NULL || way != DEVICE_CPU)
		return (d->library != NULL) == (way == DEVICE_LIBRARY);
	rte_cryptodev_info_get(d->id, &info);
	return (info.feature_flags & RTE_CRYPTODEV_FF_SYM_CPU_CRYPTO) != 0;
}

void *device_session(const struct device *d, const uint8_t key[SEAL_PACKET_KEY_LEN], bool encrypt)
{
	if (d->way == DEVICE_LIBRARY)
		return library_session(d->library, key, encrypt);
	struct rte_crypto_sym_xform xform = {.type = RTE_CRYPTO_SYM_XFORM_AEAD,
		.aead = {
			.op = encrypt ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT,
			.algo = RTE_CRYPTO_AEAD_AES_GCM,
			.key = {.data = key, .length = SEAL_PACKET_KEY_LEN},
			.iv = {.offset = NONCE_OFFSET, .length = SEAL_NONCE_LEN},
			.digest_length = WIRE_TAG_LEN,
			.aad_length = d->aad_len,
		}};
	return rte_cryptodev_sym_session_create(d->id, &xform, d->sessions);
}

void device_session_free(const struct device *d, void *session)
{
	if (d->way == DEVICE_LIBRARY) {
		library_session_free(d->library, session);
		return;
	}
	int rc = rte_cryptodev_sym_session_free(d->id, session);
	assert(rc == 0); /* ours, and of this device */
	(void)rc;
}

static void run_cpu(const struct device *d, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count)
{
	struct rte_crypto_vec data[SEAL_BURST];
	struct rte_crypto_sgl lists[SEAL_BURST];
	struct rte_crypto_va_iova_ptr nonce[SEAL_BURST], tag[SEAL_BURST], aad[SEAL_BURST];
	int32_t status[SEAL_BURST];
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *body = packets[i]->bytes + d->aad_len;
		data[i] = (struct rte_crypto_vec){.base = body,
			.len = packets[i]->h.body_len,
			.tot_len = packets[i]->h.body_len};
		lists[i] = (struct rte_crypto_sgl){.vec = &data[i], .num = 1};
		/* The device only reads it. */
		nonce[i].va = (void *)(uintptr_t)nonces[i];
		aad[i].va = packets[i]->bytes;
		tag[i].va = body + packets[i]->h.body_len;
	}
	/* A call for each run of packets of one session: all of them when sealing. */
	for (uint32_t first = 0, next; first < count; first = next) {
		void *session = packets[first]->session;
		for (next = first + 1; next < count && packets[next]->session == session; next++)
			;
		struct rte_crypto_sym_vec run = {.num = next - first,
			.src_sgl = lists + first,
			.iv = nonce + first,
			.digest = tag + first,
			.aad = aad + first,
			.status = status + first};
		(void)rte_cryptodev_sym_cpu_crypto_process(
			d->id, session, (union rte_crypto_sym_ofs){.raw = 0}, &run); /* status */
	}
	for (uint32_t i = 0; i < count; i++)
		packets[i]->result = status[i] == 0 ? SEAL_OK : SEAL_TAG;
}

static void fill_operation(const struct device *d, struct rte_crypto_op *op, struct seal_packet *p,
	const device_nonce nonce)
{
	uint32_t body_at = (uint32_t)p->offset + d->aad_len;
	uint32_t end = body_at + p->h.body_len + WIRE_TAG_LEN;
	/* Devices touch no byte behind the mbuf's data. */
	if (p->mbuf->data_len < end)
		p->mbuf->pkt_len = p->mbuf->data_len = (uint16_t)end;
	__rte_crypto_op_reset(op, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
	(void)rte_crypto_op_attach_sym_session(op, p->session); /* of the right type */
	memcpy(rte_crypto_op_ctod_offset(op, uint8_t *, NONCE_OFFSET), nonce, SEAL_NONCE_LEN);
	op->sym->m_src = p->mbuf;
	op->sym->aead.data.offset = body_at;
	op->sym->aead.data.length = p->h.body_len;
	op->sym->aead.aad.data = p->bytes;
	op->sym->aead.aad.phys_addr = rte_pktmbuf_iova_offset(p->mbuf, p->offset);
	op->sym->aead.digest.data = p->bytes + d->aad_len + p->h.body_len;
	op->sym->aead.digest.phys_addr = rte_pktmbuf_iova_offset(p->mbuf, body_at + p->h.body_len);
}

static void run_ops(struct device *d, uint16_t lane, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count)
{
	struct rte_crypto_op **ops = d->ops[lane], *done[SEAL_BURST];
	for (uint32_t i = 0; i < count; i++)
		fill_operation(d, ops[i], packets[i], nonces[i]);
	/* Queues are empty between calls and longer than a burst. */
	uint32_t taken = rte_cryptodev_enqueue_burst(d->id, lane, ops, (uint16_t)count);
	uint32_t back = 0;
	for (unsigned polls = 0; back < taken && polls < EMPTY_POLLS_MAX; polls++)
		back += rte_cryptodev_dequeue_burst(
			d->id, lane, done + back, (uint16_t)(taken - back));
	assert(back == taken);
	for (uint32_t i = 0; i < count; i++)
		packets[i]->result =
			ops[i]->status == RTE_CRYPTO_OP_STATUS_SUCCESS ? SEAL_OK : SEAL_TAG;
}

void device_run(struct device *d, uint16_t lane, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count)
{
	assert(count > 0 && count <= SEAL_BURST && lane < d->lanes);
	if (d->way == DEVICE_LIBRARY)
		library_run(d->library, d->aad_len, packets, nonces, count);
	else if (d->way == DEVICE_CPU)
		run_cpu(d, packets, nonces, count);
	else
		run_ops(d, lane, packets, nonces, count);
}
