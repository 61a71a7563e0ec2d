#include "nic/arp.h"

#include <endian.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "nic/port.h"

_Static_assert(sizeof(struct rte_arp_hdr) == FRAME_ARP_LEN, "ARP for IPv4 over Ethernet");

static void learn(
	struct nic_port *port, uint16_t queue, uint32_t addr_be, const struct rte_ether_addr *mac)
{
	struct sw_endpoint from = sw_endpoint_from_ipv4(addr_be, 0);
	if (addr_be != 0)
		resolve_learn(port, queue, from.addr, mac->addr_bytes);
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
	memcpy(bytes, arp.arp_data.arp_tha.addr_bytes, 6); /* type and tag stay */
	memcpy(bytes + 6, port->self.mac, 6);
	return true;
}

bool arp_ask(struct nic_port *port, uint32_t target_be)
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
	uint16_t at = frame_put_ethernet(
		bytes, everyone, port->self.mac, port->self.vlan, RTE_ETHER_TYPE_ARP);
	memcpy(bytes + at, &arp, sizeof(arp));
	nic_queue_frame(port, 0, mbuf);
	return true;
}
