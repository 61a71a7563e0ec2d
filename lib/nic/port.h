/* Inside of lib/nic: what a port is made of. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "nic/ask.h"
#include "nic/frame.h"
#include "nic/frame_quick.h"
#include "nic/interface.h"
#include "nic/neighbour.h"
#include "nic/nic.h"
#include "nic/resolve.h"

struct netlink;
struct nic_driver;
struct rte_flow;

enum {
	NIC_TX_BURST = 2 * NIC_BURST,
	NIC_TX_TRIES = 8,
	NIC_DATA_ROOM = 2048, /* of mbufs at least */
};

struct nic_queue {
	struct nic_stats stats; /* lane: rw, control: ro */
	uint16_t tx_count;      /* lane: rw */
	uint64_t tx_bytes;      /* lane: rw; of these */
	uint8_t asked_last[16]; /* lane: rw; the address of its last note, so as not to repeat it */
	uint64_t asked_tsc;
	uint64_t received_tsc; /* lane: rw */
	struct rte_mbuf *tx[NIC_TX_BURST];
	struct asks asks; /* producer: this lane; consumer: the neighbour table's writer */
} __attribute__((aligned(64)));

struct nic_port {
	/* set before the lanes run, then read by all */
	struct frame_self self;
	struct frame_quick quick; /* of self */
	struct frame_quick_answer quick_answer;
	uint64_t mask[2]; /* of the own network, over 16 bytes of address, as they lie in memory */
	bool has_gateway; /* config.gateway counts */
	bool summed;      /* no datagram's UDP checksum needs to be looked at */
	bool ipv4_sum_left; /* the device finishes the sums of what is sent */
	bool udp_sum_left;
	bool tx_prepare;    /* … and its driver wants to see the frames first */
	bool asks_for_link; /* its queues are not touched while there is no link, see lane.c */
	uint16_t port_id;
	uint64_t tsc_hz;
	struct rte_mempool *pool;
	struct nic_config config;
	struct nic_info info;
	struct neighbours neighbours;
	_Atomic uint64_t own_mac; /* control: w, lanes: ro; follows the interface where shared */

	struct resolver resolver; /* lane 0, exclusive ports */

	/* control */
	unsigned ifindex; /* shared ports */
	struct netlink *netlink;
	int silent_fd;   /* holds the UDP port, -1: none */
	int lock_fd;     /* holds the interface against a second AF_XDP user, -1: none */
	uint32_t xdp_id; /* the program that the driver attached; 0: none */
	bool started;
	bool configured;
	bool interrupts; /* the device was asked for receive interrupts */
	struct nic_driver *driver;
	bool isolated;              /* a PCI port beside the kernel */
	struct interface interface; /* shared ports: as it was at creation */
	int way;                    /* enum nic_steering, the one in force */
	struct rte_flow *flow;      /* the rule that spreads our datagrams; NULL: none */
	char tried[128];            /* ways of steering that the device refused, and why */
	struct asks asks_control;   /* producer: control, consumer: lane 0 (exclusive ports) */

	struct nic_queue queues[SW_LANES_MAX];
};

/* Counters have one writer; the store is atomic so that a reader never sees half of one. */
#define NIC_COUNT(counter, n)                                                                      \
	__atomic_store_n(&(counter), (counter) + (uint64_t)(n), __ATOMIC_RELAXED)

static inline bool nic_kind_is_shared(enum nic_kind kind)
{
	return kind == NIC_AF_XDP || kind == NIC_AF_PACKET;
}

/* Is the address in the port's own network? */
static inline bool nic_is_on_link(const struct nic_port *port, const struct sw_endpoint *to)
{
	uint64_t own[2], other[2];
	memcpy(own, port->info.address.addr, sizeof(own));
	memcpy(other, to->addr, sizeof(other));
	return (((own[0] ^ other[0]) & port->mask[0]) | ((own[1] ^ other[1]) & port->mask[1])) == 0;
}

/* Writes the message and returns `error_code`, which is negative. */
int nic_fail(char *error, int error_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The endpoint as the kernel takes it; `ifindex` is the scope of a link-local address. Its length.
 */
socklen_t nic_sockaddr(const struct sw_endpoint *e, unsigned ifindex, struct sockaddr_storage *out);

/* Queues a whole frame for the next flush. Takes the mbuf. */
void nic_queue_frame(struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf);
