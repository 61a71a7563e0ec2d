/* One cryptodev: sessions, and bursts of AES-128-GCM in place. Private to lib/seal.
 *
 * Software devices only: they finish in the call what they took, so a lane waits for nothing but
 * its own work. Two ways to hand over a burst: the CPU way (rte_cryptodev_sym_cpu_crypto_process,
 * which leaves out operations and rings) where the device has it, and operations through the
 * lane's queue pair. A third one, for SEAL_IPSEC_MB alone, goes without a device: library.h.
 */
#pragma once

#include <rte_crypto.h>
#include <rte_mempool.h>

#include "seal/seal.h"

enum device_way { DEVICE_LIBRARY, DEVICE_CPU, DEVICE_OPS };

struct library;

struct device {
	enum seal_driver driver;
	enum device_way way;
	const char *name; /* of the driver */
	uint8_t id;
	bool started;
	uint16_t lanes;
	uint16_t aad_len;        /* WIRE_HEADER_LEN; test vectors have others */
	struct library *library; /* DEVICE_LIBRARY; then there is nothing below */
	struct rte_mempool *sessions;
	struct rte_mempool *op_pool;
	struct rte_crypto_op *(*ops)[SEAL_BURST]; /* of each lane */
};

typedef uint8_t device_nonce[SEAL_NONCE_LEN];

const char *device_driver_name(enum seal_driver driver);

/* 0 or -errno with `error`. */
int device_open(struct device *d, enum seal_driver driver, uint16_t lanes, uint32_t sessions,
	int numa_node, char *error);
void device_close(struct device *d);
bool device_has_way(const struct device *d, enum device_way way);

/* NULL: no memory, or the device does not do it. Control only: devices allocate here. */
void *device_session(const struct device *d, const uint8_t key[SEAL_PACKET_KEY_LEN], bool encrypt);
void device_session_free(const struct device *d, void *session);

/* Enciphers or deciphers (the session says which) the bodies of 1 to SEAL_BURST packets; each gets
 * SEAL_OK or SEAL_TAG. All sessions of a call are of one kind. */
void device_run(struct device *d, uint16_t lane, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count);
