#include "nic/resolve.h"

#include <string.h>

#include <rte_cycles.h>

#include "nic/arp.h"
#include "nic/nd.h"
#include "nic/port.h"

_Static_assert(NEIGHBOUR_SLOTS % RESOLVE_SCAN_SLOTS == 0, "a round of scans sees each slot once");

static uint64_t ms_to_tsc(const struct nic_port *port, uint64_t ms)
{
	return port->tsc_hz / 1000 * ms;
}

static void learn_owner(struct nic_port *port, const uint8_t addr[16], const uint8_t mac[6])
{
	int slot = neighbour_find(&port->neighbours, addr);
	if (slot < 0)
		return;
	neighbour_set_owner(&port->neighbours, slot, NEIGHBOUR_KNOWN, mac);
	port->resolver.entries[slot].retry_ms = 0;
	port->resolver.entries[slot].next_tsc = rte_rdtsc() + ms_to_tsc(port, RESOLVE_FRESH_MS);
}

void resolve_learn(
	struct nic_port *port, uint16_t queue, const uint8_t addr[16], const uint8_t mac[6])
{
	static const uint8_t zero[6];
	if (memcmp(mac, zero, sizeof(zero)) == 0 || (mac[0] & 1) != 0)
		return;
	if (queue == 0) {
		learn_owner(port, addr, mac);
	} else if (neighbour_find(&port->neighbours, addr) >= 0) {
		struct ask ask = {.learned = true};
		memcpy(ask.addr, addr, sizeof(ask.addr));
		memcpy(ask.mac, mac, sizeof(ask.mac));
		(void)ask_put_spsc(
			&port->queues[queue].asks, &ask); /* full: it will be asked again */
	}
}

static bool ask_for(struct nic_port *port, const uint8_t addr[16])
{
	uint32_t addr_be;
	if (port->self.ipv6)
		return nd_ask(port, addr);
	memcpy(&addr_be, addr + 12, sizeof(addr_be));
	return arp_ask(port, addr_be);
}

static bool announce(struct nic_port *port)
{
	return port->self.ipv6 ? nd_announce(port) : arp_ask(port, port->self.addr_be);
}

/* Asks for one entry if it is due. */
static void ask_if_due(struct nic_port *port, uint32_t slot, uint64_t now_tsc)
{
	struct neighbour *n = &port->neighbours.slots[slot];
	struct resolve_entry *entry = &port->resolver.entries[slot];
	uint64_t word = atomic_load_explicit(&n->word, memory_order_relaxed);
	if (word == 0 || (int64_t)(now_tsc - entry->next_tsc) < 0)
		return;
	if (!ask_for(port, n->addr))
		return;
	if (neighbour_word_state(word) == NEIGHBOUR_KNOWN) {
		uint8_t mac[6];
		neighbour_word_mac(word, mac);
		neighbour_set_owner(&port->neighbours, (int)slot, NEIGHBOUR_DOUBTED, mac);
	}
	entry->retry_ms = entry->retry_ms == 0 ? RESOLVE_RETRY_MS : 2 * entry->retry_ms;
	if (entry->retry_ms > RESOLVE_RETRY_MAX_MS)
		entry->retry_ms = RESOLVE_RETRY_MAX_MS;
	entry->next_tsc = now_tsc + ms_to_tsc(port, entry->retry_ms);
}

static void take_notes(struct nic_port *port, struct asks *asks, uint64_t now_tsc)
{
	struct ask ask;
	for (int i = 0; i < NIC_BURST && ask_get_spsc(asks, &ask); i++) {
		if (ask.learned) {
			learn_owner(port, ask.addr, ask.mac);
			continue;
		}
		uint32_t known = port->neighbours.count;
		int slot = neighbour_claim_owner(&port->neighbours, ask.addr);
		if (slot >= 0 && port->neighbours.count != known)
			port->resolver.entries[slot] = (struct resolve_entry){.next_tsc = now_tsc};
		if (slot >= 0)
			ask_if_due(port, (uint32_t)slot, now_tsc);
	}
}

void resolve_poll(struct nic_port *port, uint64_t now_tsc)
{
	struct resolver *r = &port->resolver;
	take_notes(port, &port->asks_control, now_tsc);
	for (uint16_t q = 0; q < port->config.queues; q++)
		take_notes(port, &port->queues[q].asks, now_tsc);
	if ((int64_t)(now_tsc - r->scan_tsc) < 0)
		return;
	r->scan_tsc =
		now_tsc + ms_to_tsc(port, RESOLVE_ROUND_MS) * RESOLVE_SCAN_SLOTS / NEIGHBOUR_SLOTS;
	if (r->announced < RESOLVE_ANNOUNCEMENTS && announce(port))
		r->announced++;
	for (uint32_t i = 0; i < RESOLVE_SCAN_SLOTS; i++) {
		ask_if_due(port, r->scan_slot, now_tsc);
		r->scan_slot = (r->scan_slot + 1) % NEIGHBOUR_SLOTS;
	}
}
