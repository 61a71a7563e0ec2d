#include "nic/arp.h"

#include <endian.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "nic/port.h"

_Static_assert(sizeof(struct rte_arp_hdr) == FRAME_ARP_LEN, "ARP for IPv4 over Ethernet");
_Static_assert(NEIGHBOUR_SLOTS % ARP_SCAN_SLOTS == 0, "a round of scans sees each slot once");

static uint64_t ms_to_tsc(const struct nic_port *port, uint64_t ms)
{
	return port->tsc_hz / 1000 * ms;
}

static void write_header(
	uint8_t *bytes, uint16_t l3_offset, const uint8_t to_mac[6], const uint8_t from_mac[6])
{
	uint16_t type = htobe16(RTE_ETHER_TYPE_ARP);
	memcpy(bytes, to_mac, 6);
	memcpy(bytes + 6, from_mac, 6);
	memcpy(bytes + l3_offset - sizeof(type), &type, sizeof(type));
}

static void learn_owner(struct nic_port *port, const uint8_t addr[16], const uint8_t mac[6])
{
	int slot = neighbour_find(&port->neighbours, addr);
	if (slot < 0)
		return;
	neighbour_set_owner(&port->neighbours, slot, NEIGHBOUR_KNOWN, mac);
	port->arp.entries[slot].retry_ms = 0;
	port->arp.entries[slot].next_tsc = rte_rdtsc() + ms_to_tsc(port, ARP_FRESH_MS);
}

static void learn(
	struct nic_port *port, uint16_t queue, uint32_t addr_be, const struct rte_ether_addr *mac)
{
	struct sw_endpoint from = sw_endpoint_from_ipv4(addr_be, 0);
	if (addr_be == 0 || rte_is_zero_ether_addr(mac) || rte_is_multicast_ether_addr(mac))
		return;
	if (queue == 0) {
		learn_owner(port, from.addr, mac->addr_bytes);
	} else if (neighbour_find(&port->neighbours, from.addr) >= 0) {
		struct ask ask = {.learned = true};
		memcpy(ask.addr, from.addr, sizeof(ask.addr));
		memcpy(ask.mac, mac->addr_bytes, sizeof(ask.mac));
		(void)ask_put_spsc(
			&port->queues[queue].asks, &ask); /* full: it will be asked again */
	}
}

bool arp_input(struct nic_port *port, uint16_t queue, uint8_t *bytes, const struct frame *received)
{
	struct rte_arp_hdr arp;
	memcpy(&arp, bytes + received->l3_offset, sizeof(arp));
	if (arp.arp_hardware != htobe16(RTE_ARP_HRD_ETHER) ||
		arp.arp_protocol != htobe16(RTE_ETHER_TYPE_IPV4) || arp.arp_hlen != 6 ||
		arp.arp_plen != 4)
		return false;
	uint16_t operation = be16toh(arp.arp_opcode);
	if (operation != RTE_ARP_OP_REQUEST && operation != RTE_ARP_OP_REPLY)
		return false;
	if (arp.arp_data.arp_sip == port->self.addr_be)
		return false; /* our own, or somebody who claims to be us */
	learn(port, queue, arp.arp_data.arp_sip, &arp.arp_data.arp_sha);
	if (operation != RTE_ARP_OP_REQUEST || arp.arp_data.arp_tip != port->self.addr_be ||
		rte_is_multicast_ether_addr(&arp.arp_data.arp_sha))
		return false;

	arp.arp_opcode = htobe16(RTE_ARP_OP_REPLY);
	arp.arp_data.arp_tha = arp.arp_data.arp_sha;
	arp.arp_data.arp_tip = arp.arp_data.arp_sip;
	memcpy(&arp.arp_data.arp_sha, port->self.mac, 6);
	arp.arp_data.arp_sip = port->self.addr_be;
	memcpy(bytes + received->l3_offset, &arp, sizeof(arp));
	write_header(bytes, received->l3_offset, arp.arp_data.arp_tha.addr_bytes, port->self.mac);
	return true;
}

static bool send_request(struct nic_port *port, uint32_t target_be)
{
	static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pool);
	if (mbuf == NULL)
		return false;
	uint8_t *bytes = (uint8_t *)rte_pktmbuf_append(mbuf, FRAME_MIN);
	if (bytes == NULL) {
		rte_pktmbuf_free(mbuf);
		return false;
	}
	memset(bytes, 0, FRAME_MIN);
	struct rte_arp_hdr arp = {
		.arp_hardware = htobe16(RTE_ARP_HRD_ETHER),
		.arp_protocol = htobe16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = 6,
		.arp_plen = 4,
		.arp_opcode = htobe16(RTE_ARP_OP_REQUEST),
		.arp_data.arp_sip = port->self.addr_be,
		.arp_data.arp_tip = target_be,
	};
	memcpy(&arp.arp_data.arp_sha, port->self.mac, 6);
	memcpy(bytes + FRAME_ETHERNET, &arp, sizeof(arp));
	write_header(bytes, FRAME_ETHERNET, everyone, port->self.mac);
	nic_queue_frame(port, 0, mbuf);
	return true;
}

/* Asks for one entry if it is due. */
static void ask_if_due(struct nic_port *port, uint32_t slot, uint64_t now_tsc)
{
	struct neighbour *n = &port->neighbours.slots[slot];
	struct arp_entry *entry = &port->arp.entries[slot];
	uint64_t word = atomic_load_explicit(&n->word, memory_order_relaxed);
	if (word == 0 || (int64_t)(now_tsc - entry->next_tsc) < 0)
		return;
	uint32_t addr_be;
	memcpy(&addr_be, n->addr + 12, sizeof(addr_be));
	if (!send_request(port, addr_be))
		return;
	if (neighbour_word_state(word) == NEIGHBOUR_KNOWN) {
		uint8_t mac[6];
		neighbour_word_mac(word, mac);
		neighbour_set_owner(&port->neighbours, (int)slot, NEIGHBOUR_DOUBTED, mac);
	}
	entry->retry_ms = entry->retry_ms == 0 ? ARP_RETRY_MS : 2 * entry->retry_ms;
	if (entry->retry_ms > ARP_RETRY_MAX_MS)
		entry->retry_ms = ARP_RETRY_MAX_MS;
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
			port->arp.entries[slot] = (struct arp_entry){.next_tsc = now_tsc};
		if (slot >= 0)
			ask_if_due(port, (uint32_t)slot, now_tsc);
	}
}

void arp_poll(struct nic_port *port, uint64_t now_tsc)
{
	struct arp *arp = &port->arp;
	take_notes(port, &port->asks_control, now_tsc);
	for (uint16_t q = 0; q < port->config.queues; q++)
		take_notes(port, &port->queues[q].asks, now_tsc);
	if ((int64_t)(now_tsc - arp->scan_tsc) < 0)
		return;
	arp->scan_tsc = now_tsc + ms_to_tsc(port, ARP_ROUND_MS) * ARP_SCAN_SLOTS / NEIGHBOUR_SLOTS;
	if (arp->announced < ARP_ANNOUNCEMENTS && send_request(port, port->self.addr_be))
		arp->announced++;
	for (uint32_t i = 0; i < ARP_SCAN_SLOTS; i++) {
		ask_if_due(port, arp->scan_slot, now_tsc);
		arp->scan_slot = (arp->scan_slot + 1) % NEIGHBOUR_SLOTS;
	}
}
