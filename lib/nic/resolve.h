/* Finding neighbours on exclusive ports: asks for the next hops that are wanted, by ARP or by
 * neighbour discovery, and learns their answers. Lane 0 alone, but for resolve_learn().
 *
 * Only wanted addresses are learned, so that strangers cannot fill the table. An entry that was not
 * confirmed for half a minute is asked for again and stays in use meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nic/neighbour.h"

struct nic_port;

enum {
	RESOLVE_ROUND_MS = 50,       /* each slot of the table is looked at once in this time … */
	RESOLVE_SCAN_SLOTS = 64,     /* … in scans of this many */
	RESOLVE_RETRY_MS = 50,       /* doubles at each silent try … */
	RESOLVE_RETRY_MAX_MS = 6400, /* … up to this */
	RESOLVE_FRESH_MS = 30000,
	RESOLVE_ANNOUNCEMENTS = 2,
};

struct resolve_entry {
	uint64_t next_tsc; /* ask again */
	uint32_t retry_ms;
};

struct resolver {
	uint64_t scan_tsc; /* the next scan */
	uint32_t scan_slot;
	uint32_t announced;
	struct resolve_entry entries[NEIGHBOUR_SLOTS]; /* of the neighbour table's slots */
};

/* Lane of `queue`: somebody said that this address has this MAC. */
void resolve_learn(
	struct nic_port *port, uint16_t queue, const uint8_t addr[16], const uint8_t mac[6]);

/* Lane 0, each poll: takes notes, asks, announces. Cheap when nothing is due. */
void resolve_poll(struct nic_port *port, uint64_t now_tsc);
