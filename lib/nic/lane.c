/* What a lane does with its queue: no system call, lock or allocation of ours from here on. */
#include <assert.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_prefetch.h>

#include "nic/port.h"

enum { PREFETCH_AHEAD = 3, ASK_AGAIN_MS = 100 };

void nic_queue_frame(struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf)
{
	struct nic_queue *q = &port->queues[queue];
	if (q->tx_count == NIC_TX_BURST)
		nic_flush(port, queue);
	q->tx[q->tx_count++] = mbuf;
}

void nic_flush(struct nic_port *port, uint16_t queue)
{
	struct nic_queue *q = &port->queues[queue];
	uint16_t sent = 0;
	uint64_t bytes = 0;
	if (q->tx_count == 0)
		return;
	for (uint16_t i = 0; i < q->tx_count; i++)
		bytes += q->tx[i]->pkt_len;
	for (int tries = 0; tries < NIC_TX_TRIES && sent < q->tx_count; tries++) {
		if (tries > 0)
			rte_pause();
		sent = (uint16_t)(sent + rte_eth_tx_burst(port->port_id, queue, q->tx + sent,
						 (uint16_t)(q->tx_count - sent)));
	}
	for (uint16_t i = sent; i < q->tx_count; i++) {
		bytes -= q->tx[i]->pkt_len;
		rte_pktmbuf_free(q->tx[i]);
	}
	NIC_COUNT(q->stats.tx_frames, sent);
	NIC_COUNT(q->stats.tx_bytes, bytes);
	NIC_COUNT(q->stats.tx_full, q->tx_count - sent);
	q->tx_count = 0;
}

/* True: the frame is a datagram for the lane, described in `out`. Otherwise the mbuf is taken. */
static bool receive(
	struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf, struct nic_datagram *out)
{
	struct nic_stats *stats = &port->queues[queue].stats;
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct frame frame;
	bool answered = false;
	NIC_COUNT(stats->rx_bytes, mbuf->pkt_len);
	if (mbuf->nb_segs != 1)
		frame = (struct frame){.kind = FRAME_DROP, .drop = NIC_DROP_SEGMENTS};
	else
		frame_classify(&port->self, bytes, mbuf->data_len, &frame);
	switch (frame.kind) {
	case FRAME_DATAGRAM:
		NIC_COUNT(stats->rx_datagrams, 1);
		*out = (struct nic_datagram){
			.mbuf = mbuf,
			.payload = bytes + frame.payload_offset,
			.payload_len = frame.payload_len,
			.payload_offset = frame.payload_offset,
			.from = frame.from,
		};
		return true;
	case FRAME_ARP: answered = arp_input(port, queue, bytes, &frame); break;
	case FRAME_ECHO:
		frame_echo_reply(bytes, &frame);
		answered = true;
		break;
	case FRAME_DROP: break;
	}
	if (answered) {
		NIC_COUNT(stats->rx_answered, 1);
		nic_queue_frame(port, queue, mbuf);
		return false;
	}
	/* An ARP frame that asks nothing of us has been read: it is no stranger. */
	if (frame.kind == FRAME_DROP)
		NIC_COUNT(stats->rx_drops[frame.drop], 1);
	rte_pktmbuf_free(mbuf);
	return false;
}

uint16_t nic_rx(struct nic_port *port, uint16_t queue, struct nic_datagram *out)
{
	struct rte_mbuf *mbufs[NIC_BURST];
	uint16_t datagrams = 0;
	assert(queue < port->config.queues);
	if (queue == 0 && port->self.exclusive)
		arp_poll(port, rte_rdtsc());
	uint16_t count = rte_eth_rx_burst(port->port_id, queue, mbufs, NIC_BURST);
	for (uint16_t i = 0; i < count && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint16_t i = 0; i < count; i++) {
		if (i + PREFETCH_AHEAD < count)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + PREFETCH_AHEAD], void *));
		datagrams += receive(port, queue, mbufs[i], &out[datagrams]);
	}
	NIC_COUNT(port->queues[queue].stats.rx_frames, count);
	/* What nic itself has to say does not wait for a datagram. */
	if (datagrams == 0)
		nic_flush(port, queue);
	return datagrams;
}

void nic_reply(
	struct nic_port *port, uint16_t queue, struct nic_datagram *datagram, uint16_t payload_len)
{
	struct rte_mbuf *mbuf = datagram->mbuf;
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct frame frame;
	struct frame_route back;
	assert(datagram->payload == bytes + datagram->payload_offset);
	assert((uint32_t)datagram->payload_offset + payload_len <=
		(uint32_t)mbuf->buf_len - mbuf->data_off);
	frame_locate(bytes, datagram->payload_offset, &frame);
	frame_route_back(bytes, &frame, &back);
	uint16_t headers = frame_headers_len(&back);
	assert(headers <= datagram->payload_offset);
	frame_build(&back, datagram->payload, payload_len);
	/* IP options are not sent back: the headers may have become shorter. */
	mbuf->data_off = (uint16_t)(mbuf->data_off + datagram->payload_offset - headers);
	mbuf->data_len = (uint16_t)(headers + payload_len);
	mbuf->pkt_len = mbuf->data_len;
	mbuf->ol_flags = 0;
	datagram->mbuf = NULL;
	nic_queue_frame(port, queue, mbuf);
}

/* The address whose MAC a frame to `to` needs; false: there is no way. */
static bool next_hop(
	const struct nic_port *port, const struct sw_endpoint *to, struct sw_endpoint *hop)
{
	*hop = *to;
	if (!sw_endpoint_is_ipv4(to))
		return false;
	if (!port->self.exclusive)
		return true; /* control has resolved the peer itself, over the kernel's routes */
	uint32_t to_be = sw_endpoint_ipv4(to);
	if (((to_be ^ port->self.addr_be) & port->mask_be) == 0)
		return true;
	if (port->gateway_be == 0)
		return false;
	*hop = sw_endpoint_from_ipv4(port->gateway_be, 0);
	return true;
}

static void ask_for(struct nic_port *port, uint16_t queue, const struct sw_endpoint *hop)
{
	struct nic_queue *q = &port->queues[queue];
	struct ask ask = {.learned = false};
	uint64_t now = rte_rdtsc();
	if (memcmp(q->asked_last, hop->addr, sizeof(hop->addr)) == 0 && now < q->asked_tsc)
		return;
	memcpy(ask.addr, hop->addr, sizeof(ask.addr));
	if (!ask_put_spsc(&q->asks, &ask))
		return; /* full of others: the next datagram asks again */
	memcpy(q->asked_last, hop->addr, sizeof(hop->addr));
	q->asked_tsc = now + port->tsc_hz / 1000 * ASK_AGAIN_MS;
}

void nic_send(
	struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf, const struct sw_endpoint *to)
{
	struct nic_queue *q = &port->queues[queue];
	struct sw_endpoint hop;
	struct frame_route route = {.to_port_be = rte_cpu_to_be_16(to->port)};
	bool way = next_hop(port, to, &hop);
	if (!way || !neighbour_mac(&port->neighbours, hop.addr, route.to_mac)) {
		if (way)
			ask_for(port, queue, &hop);
		NIC_COUNT(q->stats.tx_no_neighbour, 1);
		rte_pktmbuf_free(mbuf);
		return;
	}
	assert(mbuf->nb_segs == 1);
	assert(mbuf->data_len <= NIC_MTU - FRAME_IPV4 - FRAME_UDP);
	uint64_t own = atomic_load_explicit(&port->own_mac, memory_order_relaxed);
	neighbour_word_mac(own, route.from_mac);
	route.to_be = sw_endpoint_ipv4(to);
	route.from_be = port->self.addr_be;
	route.from_port_be = port->self.port_be;
	uint8_t *payload = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint16_t payload_len = mbuf->data_len;
	/* Headroom is part of the contract. */
	assert(rte_pktmbuf_headroom(mbuf) >= frame_headers_len(&route));
	(void)rte_pktmbuf_prepend(mbuf, frame_headers_len(&route));
	frame_build(&route, payload, payload_len);
	nic_queue_frame(port, queue, mbuf);
}
