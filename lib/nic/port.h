/* Inside of lib/nic: what a port is made of. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "nic/arp.h"
#include "nic/ask.h"
#include "nic/frame.h"
#include "nic/neighbour.h"
#include "nic/nic.h"

struct netlink;

enum {
	NIC_TX_BURST = 2 * NIC_BURST,
	NIC_TX_TRIES = 8,
	NIC_MTU = 1500, /* least of the interface, and all that we use of it */
	NIC_DATA_ROOM = 2048,
};

struct nic_queue {
	struct nic_stats stats; /* lane: rw, control: ro */
	uint16_t tx_count;      /* lane: rw */
	uint8_t asked_last[16]; /* lane: rw; the address of its last note, so as not to repeat it */
	uint64_t asked_tsc;
	struct rte_mbuf *tx[NIC_TX_BURST];
	struct asks asks; /* producer: this lane; consumer: the neighbour table's writer */
} __attribute__((aligned(64)));

struct nic_port {
	/* set before the lanes run, then read by all */
	struct frame_self self;
	uint32_t mask_be;
	uint32_t gateway_be; /* 0: none */
	uint16_t port_id;
	uint64_t tsc_hz;
	struct rte_mempool *pool;
	struct nic_config config;
	struct nic_info info;
	struct neighbours neighbours;
	_Atomic uint64_t own_mac; /* control: w, lanes: ro; follows the interface where shared */

	struct arp arp; /* lane 0, exclusive ports */

	/* control */
	unsigned ifindex; /* shared ports */
	struct netlink *netlink;
	int silent_fd; /* holds the UDP port, -1: none */
	int lock_fd;   /* holds the interface against a second AF_XDP user, -1: none */
	bool started;
	bool configured;
	bool rss;
	struct asks asks_control; /* producer: control, consumer: lane 0 (exclusive ports) */

	struct nic_queue queues[SW_LANES_MAX];
};

/* Counters have one writer; the store is atomic so that a reader never sees half of one. */
#define NIC_COUNT(counter, n)                                                                      \
	__atomic_store_n(&(counter), (counter) + (uint64_t)(n), __ATOMIC_RELAXED)

static inline bool nic_kind_is_shared(enum nic_kind kind)
{
	return kind == NIC_AF_XDP || kind == NIC_AF_PACKET;
}

/* Writes the message and returns `error_code`, which is negative. */
int nic_fail(char *error, int error_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Queues a whole frame for the next flush. Takes the mbuf. */
void nic_queue_frame(struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf);
