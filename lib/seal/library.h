/* AES-128-GCM by Intel's multi-buffer library itself (libIPSec_MB), which DPDK's crypto_aesni_gcm
 * is made of: header, body and tag of a packet in one call, where the device makes three of it and
 * keeps what is between them in memory. Private to lib/seal.
 */
#pragma once

#include "seal/device.h"

struct library;

/* -ENOTSUP: built without it, or a CPU without AES-NI and PCLMULQDQ; -ENOMEM. */
int library_open(struct library **library, uint32_t sessions, int numa_node);
void library_close(struct library *library);

/* As device_session() and device_session_free(). */
void *library_session(
	struct library *library, const uint8_t key[SEAL_PACKET_KEY_LEN], bool encrypt);
void library_session_free(struct library *library, void *session);

/* As device_run(); any lane. */
void library_run(const struct library *library, uint16_t aad_len, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count);
