/* EAL without port, hugepages or files, and packets to seal. */
#pragma once

#include "seal/seal.h"

enum { WORLD_CLUSTER = 0x4391ba71 }; /* "fleet-7" */

/* True once EAL runs; the process has one. */
bool seal_world(void);

/* A ring of `count` keys with ids first, first + 1, …; the first one is for sending. */
struct seal_keyring seal_world_ring(uint8_t first, uint32_t count);

struct seal *seal_world_create(
	enum seal_driver driver, const struct seal_keyring *ring, uint64_t first_counter);

/* A packet of `body_len` bytes that count up, in an mbuf of its own. */
struct seal_packet seal_world_packet(const struct seal_sender *sender, uint16_t body_len);
void seal_world_free(struct seal_packet *packet);

/* Seals it; then reads the header anew, as a receiver does. */
enum seal_result seal_world_seal(struct seal *seal, struct seal_packet *packet);
enum seal_result seal_world_open(struct seal *seal, struct seal_packet *packet);
/* Is the body what seal_world_packet() made? */
bool seal_world_is_whole(const struct seal_packet *packet);
