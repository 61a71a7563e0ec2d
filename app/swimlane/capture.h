/* Copies of packets that lanes took in and sent, for a client of control.
 *
 * Control makes a capture, hands it to the lanes and frees it under RCU when it is over. A lane
 * copies what matches into a ring of its own, of fixed size, and goes on: a full ring, or a rate
 * above the one asked for, is a packet that the capture misses, and counted. Received packets are
 * those that were opened: junk is counted by its reason and never shown. Unless `clear`, a copy is
 * the packet's header alone.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/limits.h"
#include "wire/wire.h"

struct lane;

enum { CAPTURE_SLOTS = 256, CAPTURE_RATE_MAX = 100000 };

struct capture_filter {
	uint64_t peer_id; /* sender of what is received, destination of what is sent; 0: any */
	uint64_t types;   /* bit t: packets with a message of type t; 0: any */
	uint32_t rate;    /* packets a second and lane, 1 … CAPTURE_RATE_MAX */
	bool clear;       /* whole packets, deciphered */
};

struct capture_slot {
	uint64_t at_ns;
	struct sw_endpoint peer;
	uint16_t len; /* of the packet; 0: it was not sent after all */
	bool sent;
	bool whole; /* its body too */
	uint8_t bytes[WIRE_JUMBO_MAX];
};

struct capture_ring {
	_Atomic uint32_t head __attribute__((aligned(64))); /* lane: rw, control: ro */
	uint32_t reserved;                                  /* lane; from head on */
	uint64_t allowed_ns;                                /* lane; of the rate */
	_Atomic uint64_t missed;                            /* lane: rw, control: ro */
	_Atomic uint32_t tail __attribute__((aligned(64))); /* control: rw, lane: ro */
	struct capture_slot slots[CAPTURE_SLOTS];
};

struct capture {
	struct capture_filter filter;
	uint16_t lanes;
	struct capture_ring rings[];
};

/* Control. NULL: no memory. */
struct capture *capture_create(const struct capture_filter *filter, uint16_t lanes);
/* Control: the next packet of a lane's ring, in place until capture_pop(); NULL: none. */
const struct capture_slot *capture_front(struct capture_ring *ring);
void capture_pop(struct capture_ring *ring);

/* Lane: an opened packet whose header and body stand at `packet`. */
void capture_received(struct lane *lane, uint64_t now_ns, const struct sw_endpoint *from,
	const uint8_t *packet, uint64_t peer_id, uint16_t body_len);
/* Lane: a packet about to be sealed; its header comes with capture_sealed(). True if it is taken:
 * then that must follow for it, in the same order. */
bool capture_sending(struct lane *lane, uint64_t now_ns, const struct sw_endpoint *to,
	const uint8_t *packet, uint16_t body_len);
void capture_sealed(struct lane *lane, const uint8_t *packet); /* NULL: it is not sent */
