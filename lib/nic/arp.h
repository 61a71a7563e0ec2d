/* ARP on exclusive ports (RFC 826, RFC 5227 for announcing): answers for the own address, asks for
 * the next hops that are wanted, and learns their answers. Lane 0 alone, but for arp_input().
 *
 * Only wanted addresses are learned, so that strangers cannot fill the table. An entry that was not
 * confirmed for half a minute is asked for again and stays in use meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nic/neighbour.h"

struct nic_port;
struct rte_mbuf;
struct frame;

enum {
	ARP_ROUND_MS = 50,       /* each slot of the table is looked at once in this time … */
	ARP_SCAN_SLOTS = 64,     /* … in scans of this many */
	ARP_RETRY_MS = 50,       /* doubles at each silent try … */
	ARP_RETRY_MAX_MS = 6400, /* … up to this */
	ARP_FRESH_MS = 30000,
	ARP_ANNOUNCEMENTS = 2,
};

struct arp_entry {
	uint64_t next_tsc; /* ask again */
	uint32_t retry_ms;
};

struct arp {
	uint64_t scan_tsc; /* the next scan */
	uint32_t scan_slot;
	uint32_t announced;
	struct arp_entry entries[NEIGHBOUR_SLOTS]; /* of the neighbour table's slots */
};

/* Lane of `queue`: a received ARP frame. True: it has become a reply to be sent. */
bool arp_input(struct nic_port *port, uint16_t queue, uint8_t *bytes, const struct frame *received);

/* Lane 0, each poll: takes notes, asks, announces. Cheap when nothing is due. */
void arp_poll(struct nic_port *port, uint64_t now_tsc);
