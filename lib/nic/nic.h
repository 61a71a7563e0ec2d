/* Ports, queues, steering and frames: from Ethernet to a UDP payload and back.
 *
 * A port is one DPDK ethdev with a queue pair for each lane. It is *shared* where the kernel keeps
 * the interface (AF_XDP, AF_PACKET): addresses, routes and neighbours then come from the kernel
 * over netlink, and ARP, ICMP and everything else stay with it. It is *exclusive* where DPDK owns
 * the whole port (memif, PCI and other virtual devices): then its address comes from configuration,
 * and nic answers ARP or neighbour discovery, and ICMP echo, itself. A port serves one family, IPv4
 * or IPv6: that of its address.
 *
 * Who calls what:
 *   control, before and after the lanes run: nic_port_create(), _start(), _stop(), _destroy()
 *   control, any time:                       nic_port_info(), nic_control_tick(), nic_want_peer()
 *   the lane that owns the queue:            nic_rx(), nic_reply(), nic_send(), nic_flush(),
 * nic_stats
 *
 * Neighbours are a fixed table of single words: one writer (control where shared, lane 0 where
 * exclusive), any lane reads, nobody waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/limits.h"

struct rte_mbuf;
struct rte_mempool;
struct nic_port;

enum nic_kind { NIC_AF_XDP, NIC_AF_PACKET, NIC_MEMIF, NIC_PCI, NIC_VDEV };

enum {
	NIC_BURST = 128,
	NIC_HEADERS_MAX = 14 + 4 + 40 + 8, /* Ethernet, VLAN, IPv6, UDP */
	NIC_ERROR_MAX = 512,
	NIC_VLAN_MAX = 4094,
	NIC_DSCP_MAX = 63,
	NIC_MTU = 1500,     /* of every path; the least that an interface must have */
	NIC_MTU_MAX = 9978, /* the largest that any driver of drivers-config takes */
};

struct nic_config {
	enum nic_kind kind;
	char interface[256]; /* kernel interface (AF_XDP, AF_PACKET), PCI address, or vdev arguments
			      */
	char xdp_program[256]; /* path of a compiled XDP program (AF_XDP); empty: the one built in
				*/
	struct sw_endpoint address; /* own address and UDP port; the address may be all zero where
				     * shared: then it is the interface's first one */
	uint8_t prefix_len;         /* of the own network, exclusive ports only */
	struct sw_endpoint gateway; /* exclusive ports only; all zero: none */
	bool want_ipv6;             /* shared ports without an address: the first IPv6 one */
	uint16_t vlan;              /* 802.1Q id, exclusive ports only; 0: untagged */
	uint8_t dscp;               /* of all that is sent, 0 … 63 */
	uint16_t mtu; /* largest IP packet taken and sent, NIC_MTU … NIC_MTU_MAX and what the driver
			 file allows; 0: NIC_MTU */
	uint16_t queues;         /* one for each lane, 1 … SW_LANES_MAX */
	uint16_t first_queue;    /* AF_XDP: the interface's queue of lane 0 */
	uint16_t rx_descriptors; /* 0: the driver's own choice */
	uint16_t tx_descriptors;
	char drivers_dir[256]; /* driver files of the operator's; empty: those built in */
	bool interrupts;       /* lanes will sleep until frames come: ask the device for it */
	bool proven; /* payloads are authenticated above: their UDP checksums are not looked at and,
			over IPv4, not written (RFC 768 leaves them to the sender) */
	bool summed; /* payloads carry a checksum of their own, which is looked at above: the same,
			but over IPv4 alone, where the addresses are under the header's */
	bool take_over; /* even the interface that holds the default route */
	/* memif */
	char memif_socket[108];
	bool memif_server;
	uint32_t memif_id;
	uint8_t mac[6]; /* exclusive virtual ports; all zero: drawn from the address */
};

/* Everything that the start screen says about a port. */
struct nic_info {
	char name[64];
	char driver[32];
	char steering[256];    /* which frames come here, and why this way was chosen */
	char driver_file[128]; /* which of the driver files says how it is used */
	char offloads[128];    /* what the device does of what the file asks for */
	bool exclusive;
	bool zero_copy;
	struct sw_endpoint address;
	uint8_t prefix_len;
	uint8_t mac[6];
	uint16_t mtu; /* in use: the interface may have a larger one */
	uint16_t queues;
	uint16_t rx_descriptors;
	uint16_t tx_descriptors;
	int numa_node;         /* -1: unknown */
	uint64_t capabilities; /* 1 << CAP_…: needed until it is destroyed; others, only to start */
};

/* Why a frame did not reach swimlane. */
enum nic_drop {
	NIC_DROP_SHORT,  /* cut off below its own headers' lengths */
	NIC_DROP_NOT_IP, /* another protocol (on a shared port the kernel has its own copy) */
	NIC_DROP_NOT_UDP,
	NIC_DROP_FRAGMENT,
	NIC_DROP_NOT_MINE,  /* other address or UDP port */
	NIC_DROP_CHECKSUM,  /* IP header or UDP checksum wrong */
	NIC_DROP_MULTICAST, /* or broadcast */
	NIC_DROP_SENDER,    /* a sender that cannot be answered: zero, many, or ourselves */
	NIC_DROP_SEGMENTS,  /* in more than one mbuf */
	NIC_DROP_COUNT,
};

const char *nic_drop_name(enum nic_drop d);

/* Of one queue; written by its lane alone, read by anyone. */
struct nic_stats {
	uint64_t rx_frames;
	uint64_t rx_bytes;
	uint64_t rx_datagrams; /* handed to the lane */
	uint64_t rx_answered;  /* ARP, ND and ICMP echo answered here (exclusive ports) */
	uint64_t tx_frames;
	uint64_t tx_bytes;
	uint64_t tx_full;         /* dropped: the transmit ring stayed full */
	uint64_t tx_no_neighbour; /* dropped: the next hop's address is not known yet */
	uint64_t rx_drops[NIC_DROP_COUNT];
} __attribute__((aligned(64)));

/* One received UDP datagram. Its mbuf belongs to the lane until nic_reply(), a free, or a ring. */
struct nic_datagram {
	struct rte_mbuf *mbuf; /* data starts at the Ethernet header */
	uint8_t *payload;
	uint16_t payload_len;
	uint16_t payload_offset; /* from the start of the frame */
	struct sw_endpoint from;
};

/* EAL arguments that this port needs, e.g. --vdev=net_af_xdp0,iface=v0,… ; to be given to
 * rte_eal_init() before nic_port_create(). Writes at most `cap` strings of NIC_ERROR_MAX bytes.
 * Loads and attaches nothing yet. Returns their number or -errno with a message in `error`. */
int nic_eal_arguments(
	const struct nic_config *config, char (*args)[NIC_ERROR_MAX], int cap, char *error);

/* The largest UDP payload that fits this port's packets in both families, a multiple of 8: 1,448 at
 * an MTU of 1,500. */
uint16_t nic_payload_max(const struct nic_config *config);

/* How many mbufs the port's rings can hold, for sizing the pool. */
uint32_t nic_mbufs_needed(const struct nic_config *config);

/* A pool of `count` mbufs that this kind of port can use. AF_XDP needs all of them side by side in
 * one piece of memory, which rte_pktmbuf_pool_create() does not promise. The owner frees it with
 * rte_mempool_free() after nic_port_destroy(). NULL with a message in `error`. */
struct rte_mempool *nic_pool_create(const struct nic_config *config, const char *name,
	uint32_t count, int numa_node, char *error);

/* Finds, configures and steers; every failure says in `error` (NIC_ERROR_MAX bytes) what, where and
 * how to mend it. `pool` comes from nic_pool_create(). 0 or -errno. */
int nic_port_create(const struct nic_config *config, struct rte_mempool *pool,
	struct nic_port **port, char *error);
int nic_port_start(struct nic_port *port, char *error);
/* Stops, and gives the traffic back to the kernel. A stopped port is not started again. */
void nic_port_stop(struct nic_port *port);
void nic_port_destroy(struct nic_port *port);

/* Control, before the lanes of a memif port run: `wait` is called in a thread of the driver's
 * before it takes the link's memory away, and returns when each lane has begun a new turn since, or
 * nic_memif_is_guarded() is false. NULL when they have ended. */
typedef void (*nic_guard_wait)(void *context);
void nic_memif_guard(nic_guard_wait wait, void *context);
bool nic_memif_is_guarded(void);

void nic_port_info(const struct nic_port *port, struct nic_info *info);
const struct nic_stats *nic_port_stats(const struct nic_port *port, uint16_t queue);

/* Control, every 100 ms or so: on a shared port follows the kernel's routes and neighbours of the
 * peers wanted, and asks the kernel to resolve those that are missing. Never blocks. */
void nic_control_tick(struct nic_port *port, uint64_t now_ns);

/* Control: the port will have to reach this peer (members and seeds). Idempotent; bounded: -ENOSPC.
 */
int nic_want_peer(struct nic_port *port, const struct sw_endpoint *peer);

/* Control, once, of a started port: the file descriptor that becomes readable when frames have come
 * to the queue, for a lane that sleeps until then. `drain`: it is an event counter, to be read
 * after each wake. -ENOTSUP: this driver wakes nobody. */
int nic_wait_fd(const struct nic_port *port, uint16_t queue, bool *drain);

/* Lane: has the device wake it from now on, or no longer. After switching on, poll once more before
 * waiting: what came before may never wake. */
void nic_wait_arm(struct nic_port *port, uint16_t queue, bool on);

/* Lane: takes a burst of at most NIC_BURST datagrams meant for swimlane; everything else is
 * counted, and answered (ARP, ICMP echo on exclusive ports) or freed. Never blocks. */
uint16_t nic_rx(struct nic_port *port, uint16_t queue, struct nic_datagram *out);

/* Lane: the time stamp counter when the device had given the frames of the last nic_rx(); 0: there
 * were none. */
uint64_t nic_received_tsc(const struct nic_port *port, uint16_t queue);

/* Lane: sends a received datagram's mbuf back to where it came from, with payload_len bytes of
 * payload that the lane wrote over the old ones. Takes the mbuf, always. */
void nic_reply(struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf,
	uint16_t payload_offset, uint16_t payload_len);

/* A packet in an mbuf, from its frame's start on. */
struct nic_answer {
	struct rte_mbuf *mbuf;
	uint8_t *payload;
	uint16_t payload_offset;
	uint16_t payload_len;
};

/* Lane: the same of at most NIC_BURST datagrams. */
void nic_reply_burst(
	struct nic_port *port, uint16_t queue, const struct nic_answer *answers, uint16_t count);

/* Lane: sends an mbuf whose data is the payload alone and that has NIC_HEADERS_MAX bytes of
 * headroom. Takes the mbuf, always: an unknown neighbour is a counted drop (and is asked for). */
void nic_send(
	struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf, const struct sw_endpoint *to);

/* Lane: hands everything queued by nic_reply() and nic_send() to the device. At the end of a burst.
 */
void nic_flush(struct nic_port *port, uint16_t queue);
