#include "nic/device.h"

#include <stdio.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "nic/port.h"

enum {
	AF_XDP_FILL = 2048, /* the driver fills that many for each queue, whatever is asked for */
	AF_XDP_COMPLETE = 2048,
	MBUF_CACHE = 256,
	AF_PACKET_FRAMES = 512,
	AF_PACKET_AROUND = 128, /* TPACKET_V2's header, an address, and how they are aligned */
	AF_PACKET_STEP = 1024,
	PAGE = 4096,
	ETHERNET_AROUND = 14 + 8 + 4, /* header, two tags, check sequence */
	AF_XDP_AROUND = 14 + 8 + 256, /* XDP_PACKET_HEADROOM lies in the frame */
	MEMIF_RING_LOG2 = 10,
	MEMIF_RING_LOG2_MAX = 14,
};

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value != 0 ? value : fallback;
}

static uint32_t align(uint32_t value, uint32_t to)
{
	return (value + to - 1) / to * to;
}

static uint32_t at_least(uint32_t value, uint32_t least)
{
	return value > least ? value : least;
}

uint16_t device_mtu(const struct nic_config *config)
{
	return config->mtu != 0 ? config->mtu : NIC_MTU;
}

uint16_t nic_payload_max(const struct nic_config *config)
{
	return (uint16_t)((device_mtu(config) - FRAME_IPV6 - FRAME_UDP) & ~7);
}

uint32_t device_af_packet_frame(const struct nic_config *config)
{
	return at_least(
		align(device_mtu(config) + AF_PACKET_AROUND, AF_PACKET_STEP), NIC_DATA_ROOM);
}

uint32_t device_af_packet_block(const struct nic_config *config)
{
	uint32_t block = device_af_packet_frame(config);
	while (block % PAGE != 0)
		block += device_af_packet_frame(config);
	return block;
}

uint32_t device_memif_buffer(const struct nic_config *config)
{
	return at_least(align(device_mtu(config) + ETHERNET_AROUND, 64), NIC_DATA_ROOM);
}

uint16_t device_data_room(const struct nic_config *config)
{
	uint32_t around = config->kind == NIC_AF_XDP ? AF_XDP_AROUND : ETHERNET_AROUND;
	uint32_t room = align(device_mtu(config) + around, 64);
	if (config->kind == NIC_AF_PACKET)
		room = device_af_packet_frame(config); /* the driver wants room for a whole one */
	if (config->kind == NIC_MEMIF)
		room = device_memif_buffer(config);
	return (uint16_t)at_least(room, NIC_DATA_ROOM);
}

uint32_t device_af_packet_frames(const struct nic_config *config)
{
	uint32_t frames = or_default(config->rx_descriptors, AF_PACKET_FRAMES);
	/* whole blocks */
	uint32_t per_block = device_af_packet_block(config) / device_af_packet_frame(config);
	return (frames + per_block - 1) / per_block * per_block;
}

uint32_t device_memif_ring_log2(const struct nic_config *config)
{
	uint32_t log2 = 1;
	if (config->rx_descriptors == 0)
		return MEMIF_RING_LOG2;
	while (log2 < MEMIF_RING_LOG2_MAX && 1u << log2 < config->rx_descriptors)
		log2++;
	return log2;
}

uint32_t nic_mbufs_needed(const struct nic_config *config)
{
	uint32_t rx = or_default(config->rx_descriptors, DEVICE_DESCRIPTORS);
	uint32_t tx = or_default(config->tx_descriptors, DEVICE_DESCRIPTORS);
	uint32_t ours = NIC_TX_BURST + 2 * NIC_BURST + MBUF_CACHE;
	switch (config->kind) {
	case NIC_AF_XDP:
		/* Filled and received ones together never exceed what was filled at first; the
		 * driver makes both rings as long as the receive ring was asked to be. */
		return config->queues * (AF_XDP_FILL + AF_XDP_COMPLETE + rx + ours);
	case NIC_AF_PACKET: /* copies both ways: nothing stays in the rings */
	case NIC_MEMIF: return config->queues * ours;
	case NIC_PCI:
	case NIC_VDEV: break;
	}
	return config->queues * (rx + tx + ours);
}

void device_own_mac(const struct nic_config *config, uint8_t mac[6])
{
	static const uint8_t zero[6];
	if (memcmp(config->mac, zero, sizeof(zero)) != 0) {
		memcpy(mac, config->mac, 6);
		return;
	}
	mac[0] = 0x02; /* locally administered, one station */
	mac[1] = 0x53;
	memcpy(mac + 2, config->address.addr + 12, 4);
}

void device_name(const struct nic_config *config, char name[64])
{
	const char *from = config->interface;
	if (config->kind == NIC_AF_XDP)
		from = DEVICE_AF_XDP;
	else if (config->kind == NIC_AF_PACKET)
		from = DEVICE_AF_PACKET;
	else if (config->kind == NIC_MEMIF)
		from = DEVICE_MEMIF;
	(void)snprintf(name, 64, "%.*s", (int)strcspn(from, ","), from);
}

void device_describe_steering(const struct nic_config *config, const struct interface *interface,
	enum nic_steering way, const char *tried, char *text)
{
	enum { TEXT_MAX = sizeof(((struct nic_info *)NULL)->steering) };
	uint32_t last = config->first_queue + config->queues - 1u;
	switch (config->kind) {
	case NIC_AF_XDP:
		(void)snprintf(text, TEXT_MAX,
			"XDP program on %.15s: UDP to our address and port, queues %u-%u of %u; "
			"the kernel "
			"keeps the rest%s",
			config->interface, config->first_queue, last, interface->queues,
			interface->queues > config->queues ? " (steer our port there: ethtool -N)"
							   : "");
		break;
	case NIC_AF_PACKET:
		(void)snprintf(text, TEXT_MAX,
			"copies of all frames on %.15s, sorted out in software; the kernel keeps "
			"everything but our UDP port",
			config->interface);
		break;
	case NIC_MEMIF:
		(void)snprintf(
			text, TEXT_MAX, "the whole memif link, socket %.80s", config->memif_socket);
		break;
	case NIC_PCI:
	case NIC_VDEV:
		if (way == NIC_STEER_ISOLATE) {
			(void)snprintf(text, TEXT_MAX,
				"flow rules of an isolated port: UDP to our address and port; "
				"%.15s keeps "
				"the rest",
				interface->name);
			break;
		}
		(void)snprintf(text, TEXT_MAX, "the whole port%s; the kernel has none of it%s%s",
			config->queues == 1 ? ""
			: way == NIC_STEER_FLOW_RULES
				? ", ours spread over the lanes by a flow rule"
			: way == NIC_STEER_RSS ? ", spread over the lanes by RSS"
					       : ", spread over the lanes as the device likes",
			tried[0] != '\0' ? "; refused: " : "", tried);
		break;
	}
}

struct rte_mempool *nic_pool_create(const struct nic_config *config, const char *name,
	uint32_t count, int numa_node, char *error)
{
	struct rte_pktmbuf_pool_private private = {
		.mbuf_data_room_size = (uint16_t)(RTE_PKTMBUF_HEADROOM + device_data_room(config)),
	};
	uint32_t size = (uint32_t)sizeof(struct rte_mbuf) + private.mbuf_data_room_size;
	/* Without this flag mbufs would not cross page borders, and the driver, which registers one
	 * piece of memory of count times their size, would miss those that the gaps push out of it.
	 */
	unsigned flags = config->kind == NIC_PCI ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	uint32_t cache = count / 2 < MBUF_CACHE ? 0 : MBUF_CACHE;
	struct rte_mempool *pool = rte_mempool_create_empty(
		name, count, size, cache, sizeof(private), numa_node, flags);
	if (pool != NULL) {
		rte_pktmbuf_pool_init(pool, &private);
		if (rte_mempool_populate_default(pool) == (int)count &&
			rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL) == count)
			return pool;
		rte_mempool_free(pool);
	}
	(void)nic_fail(error, -ENOMEM,
		"pool %s: no memory for %u packets of %u bytes; give EAL more, or use fewer", name,
		count, size);
	return NULL;
}
