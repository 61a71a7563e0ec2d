/* What a lane does with its queue: no system call, lock or allocation of ours from here on. */
#include <assert.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_prefetch.h>

#include "nic/arp.h"
#include "nic/nd.h"
#include "nic/port.h"

enum { PREFETCH_AHEAD = 3, ASK_AGAIN_MS = 100 };

/* There is always room for one. */
static inline void put_frame(struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf)
{
	struct nic_queue *q = &port->queues[queue];
	q->tx_bytes += mbuf->pkt_len;
	q->tx[q->tx_count++] = mbuf;
	if (q->tx_count == NIC_TX_BURST)
		nic_flush(port, queue);
}

void nic_queue_frame(struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf)
{
	put_frame(port, queue, mbuf);
}

/* net_memif (DPDK 22.11) works out where a queue's ring is before it looks whether the link is
 * there: of one that is just being made it may find it connected after that, and the ring at no
 * address. It says that there is a link when all is in place. */
static inline bool has_link(const struct nic_port *port)
{
	struct rte_eth_link link;
	return !port->asks_for_link || (rte_eth_link_get_nowait(port->port_id, &link) == 0 &&
					       link.link_status == RTE_ETH_LINK_UP);
}

void nic_flush(struct nic_port *port, uint16_t queue)
{
	struct nic_queue *q = &port->queues[queue];
	uint16_t sent = 0, sendable = q->tx_count;
	if (q->tx_count == 0)
		return;
	if (!has_link(port))
		sendable = 0;
	/* Some drivers rewrite headers for the sums that they are to finish. */
	else if (port->tx_prepare)
		sendable = rte_eth_tx_prepare(port->port_id, queue, q->tx, q->tx_count);
	for (int tries = 0; tries < NIC_TX_TRIES && sent < sendable; tries++) {
		if (tries > 0)
			rte_pause();
		sent = (uint16_t)(sent + rte_eth_tx_burst(port->port_id, queue, q->tx + sent,
						 (uint16_t)(sendable - sent)));
	}
	for (uint16_t i = sent; i < q->tx_count; i++) {
		q->tx_bytes -= q->tx[i]->pkt_len;
		rte_pktmbuf_free(q->tx[i]);
	}
	NIC_COUNT(q->stats.tx_frames, sent);
	NIC_COUNT(q->stats.tx_bytes, q->tx_bytes);
	NIC_COUNT(q->stats.tx_full, q->tx_count - sent);
	q->tx_count = 0;
	q->tx_bytes = 0;
}

/* A device that took the tag out of the frame: only here it can be told from an untagged one. */
static bool put_tag_back(struct rte_mbuf **mbuf)
{
	if (((*mbuf)->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0)
		return true;
	(*mbuf)->ol_flags &= ~(RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_TX_VLAN);
	return rte_vlan_insert(mbuf) == 0;
}

/* Nobody needs to look at the UDP checksum. */
static bool is_summed(const struct nic_port *port, const struct rte_mbuf *mbuf)
{
	return port->summed ||
	       (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

static void classify(const struct nic_port *port, const struct rte_mbuf *mbuf, struct frame *frame)
{
	const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	if (is_summed(port, mbuf))
		frame_classify_summed(&port->self, bytes, mbuf->data_len, frame);
	else
		frame_classify(&port->self, bytes, mbuf->data_len, frame);
}

/* The ordinary datagram. False: the frame is to be looked at in full. */
static inline bool receive_quick(const struct nic_port *port, const struct frame_quick *quick,
	struct rte_mbuf *mbuf, struct nic_datagram *out)
{
	if (mbuf->nb_segs != 1 || (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
		return false;
	out->mbuf = mbuf;
	return frame_quick_classify_summed(&port->self, quick, rte_pktmbuf_mtod(mbuf, uint8_t *),
		       mbuf->data_len, out) &&
	       (is_summed(port, mbuf) || frame_quick_udp_sum_is_right(out));
}

/* True: the frame is a datagram for the lane, described in `out`. Otherwise the mbuf is taken. */
static __rte_noinline bool receive(
	struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf, struct nic_datagram *out)
{
	struct nic_stats *stats = &port->queues[queue].stats;
	struct frame frame;
	bool answered = false;
	if (mbuf->nb_segs != 1 || !put_tag_back(&mbuf))
		frame = (struct frame){.kind = FRAME_DROP, .drop = NIC_DROP_SEGMENTS};
	else
		classify(port, mbuf, &frame);
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	switch (frame.kind) {
	case FRAME_DATAGRAM:
		*out = (struct nic_datagram){
			.mbuf = mbuf,
			.payload = bytes + frame.payload_offset,
			.payload_len = frame.payload_len,
			.payload_offset = frame.payload_offset,
			.from = frame.from,
		};
		return true;
	case FRAME_ARP: answered = arp_input(port, queue, bytes, &frame); break;
	case FRAME_ND: answered = nd_input(port, queue, mbuf, &frame); break;
	case FRAME_ECHO:
		frame_echo_reply(bytes, &frame);
		answered = true;
		break;
	case FRAME_DROP: break;
	}
	if (answered) {
		NIC_COUNT(stats->rx_answered, 1);
		mbuf->ol_flags = 0;
		nic_queue_frame(port, queue, mbuf);
		return false;
	}
	/* An ARP or ND frame that asks nothing of us has been read: it is no stranger. */
	if (frame.kind == FRAME_DROP)
		NIC_COUNT(stats->rx_drops[frame.drop], 1);
	rte_pktmbuf_free(mbuf);
	return false;
}

uint16_t nic_rx(struct nic_port *port, uint16_t queue, struct nic_datagram *out)
{
	struct rte_mbuf *mbufs[NIC_BURST];
	struct nic_queue *q = &port->queues[queue];
	const struct frame_quick quick = port->quick; /* in registers, mostly */
	struct nic_datagram *next = out;
	uint64_t bytes = 0;
	assert(queue < port->config.queues);
	if (queue == 0 && port->self.exclusive)
		resolve_poll(port, rte_rdtsc());
	uint16_t count =
		has_link(port) ? rte_eth_rx_burst(port->port_id, queue, mbufs, NIC_BURST) : 0;
	q->received_tsc = count > 0 ? rte_rdtsc() : 0;
	for (uint16_t i = 0; i < count && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint16_t i = 0; i < count; i++) {
		if (i + PREFETCH_AHEAD < count)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + PREFETCH_AHEAD], void *));
		bytes += mbufs[i]->pkt_len;
		if (receive_quick(port, &quick, mbufs[i], next) ||
			receive(port, queue, mbufs[i], next))
			next++;
	}
	uint16_t datagrams = (uint16_t)(next - out);
	NIC_COUNT(q->stats.rx_frames, count);
	NIC_COUNT(q->stats.rx_bytes, bytes);
	NIC_COUNT(q->stats.rx_datagrams, datagrams);
	/* What nic itself has to say does not wait for a datagram. */
	if (datagrams == 0)
		nic_flush(port, queue);
	return datagrams;
}

uint64_t nic_received_tsc(const struct nic_port *port, uint16_t queue)
{
	return port->queues[queue].received_tsc;
}

/* What the device finishes … */
static void leave_sums(const struct nic_port *port, struct frame_route *route)
{
	route->dscp = port->config.dscp;
	route->ipv4_sum_left = port->ipv4_sum_left && !route->ipv6;
	route->udp_sum_left = port->udp_sum_left;
	route->udp_sum_none = port->quick_answer.udp == FRAME_QUICK_SUM_NONE;
}

/* … and the words in which it is asked to. */
static inline void mark_sums(
	const struct nic_port *port, bool ipv6, bool tagged, struct rte_mbuf *mbuf)
{
	mbuf->ol_flags = 0;
	if (!port->ipv4_sum_left && !port->udp_sum_left)
		return;
	bool ipv4_sum_left = port->ipv4_sum_left && !ipv6;
	mbuf->l2_len = tagged ? FRAME_ETHERNET + FRAME_VLAN : FRAME_ETHERNET;
	mbuf->l3_len = ipv6 ? FRAME_IPV6 : FRAME_IPV4;
	mbuf->ol_flags |= ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	if (ipv4_sum_left)
		mbuf->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	if (port->udp_sum_left)
		mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
}

/* Headers of any shape, built anew. IP options are not sent back: they may become shorter. */
static __rte_noinline void reply_in_full(struct nic_port *port, uint16_t queue,
	struct rte_mbuf *mbuf, uint16_t payload_offset, uint16_t payload_len)
{
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct frame frame;
	struct frame_route back;
	frame_locate(bytes, payload_offset, &frame);
	frame_route_back(bytes, &frame, &back);
	uint16_t headers = frame_headers_len(&back);
	assert(headers <= payload_offset);
	leave_sums(port, &back);
	frame_build(&back, bytes + payload_offset, payload_len);
	mbuf->data_off = (uint16_t)(mbuf->data_off + payload_offset - headers);
	mbuf->pkt_len = mbuf->data_len = (uint16_t)(headers + payload_len);
	mark_sums(port, back.ipv6, back.tagged, mbuf);
	put_frame(port, queue, mbuf);
}

static void reply_any(struct nic_port *port, uint16_t queue, const struct nic_answer *a)
{
	uint8_t *bytes = a->payload - a->payload_offset;
	assert((uint32_t)a->mbuf->data_off + a->payload_offset + a->payload_len <=
		a->mbuf->buf_len);
	if (!frame_quick_is(bytes, a->payload_offset)) {
		reply_in_full(port, queue, a->mbuf, a->payload_offset, a->payload_len);
		return;
	}
	frame_quick_turn(bytes, a->payload_len, &port->quick_answer);
	a->mbuf->pkt_len = a->mbuf->data_len = (uint16_t)(FRAME_HEADERS_IPV4 + a->payload_len);
	mark_sums(port, false, false, a->mbuf);
	put_frame(port, queue, a->mbuf);
}

/* Of a port whose device finishes no sum, and whose datagrams have none: those that come before one
 * of another shape. How many they were; there is room for them. Apart, and without a call, so that
 * what they have in common stays in registers. */
static __rte_noinline uint16_t reply_plain(struct nic_queue *q, const struct frame_quick_answer *as,
	const struct nic_answer *answers, uint16_t count)
{
	const struct frame_quick_answer plain = {
		.service = as->service,
		.middle = as->middle,
		.sum = as->sum,
		.udp = FRAME_QUICK_SUM_NONE,
		.ipv4_sum_left = false,
	};
	const struct nic_answer *a = answers, *end = answers + count;
	struct rte_mbuf **tx = q->tx + q->tx_count;
	for (; a < end; a++) {
		uint8_t *bytes = a->payload - a->payload_offset;
		uint16_t len = (uint16_t)(FRAME_HEADERS_IPV4 + a->payload_len);
		assert((uint32_t)a->mbuf->data_off + a->payload_offset + a->payload_len <=
			a->mbuf->buf_len);
		if (!frame_quick_is(bytes, a->payload_offset))
			break;
		frame_quick_turn(bytes, a->payload_len, &plain);
		a->mbuf->ol_flags = 0;
		a->mbuf->pkt_len = a->mbuf->data_len = len;
		q->tx_bytes += len;
		*tx++ = a->mbuf;
	}
	q->tx_count = (uint16_t)(tx - q->tx);
	return (uint16_t)(a - answers);
}

void nic_reply_burst(
	struct nic_port *port, uint16_t queue, const struct nic_answer *answers, uint16_t count)
{
	const struct frame_quick_answer *as = &port->quick_answer;
	struct nic_queue *q = &port->queues[queue];
	bool is_plain = as->udp == FRAME_QUICK_SUM_NONE && !as->ipv4_sum_left;
	assert(count <= NIC_BURST);
	if (q->tx_count + count >= NIC_TX_BURST)
		nic_flush(port, queue);
	for (uint16_t i = 0; i < count; i++) {
		if (is_plain)
			i += reply_plain(q, as, answers + i, (uint16_t)(count - i));
		if (i < count)
			reply_any(port, queue, &answers[i]);
	}
}

void nic_reply(struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf,
	uint16_t payload_offset, uint16_t payload_len)
{
	uint8_t *payload = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, payload_offset);
	struct nic_answer answer = {mbuf, payload, payload_offset, payload_len};
	nic_reply_burst(port, queue, &answer, 1);
}

/* The address whose MAC a frame to `to` needs; NULL: there is no way. */
static const struct sw_endpoint *next_hop(const struct nic_port *port, const struct sw_endpoint *to)
{
	if (sw_endpoint_is_ipv4(to) == port->self.ipv6)
		return NULL; /* of the other family */
	/* Where shared, control has resolved the peer itself, over the kernel's routes. */
	if (!port->self.exclusive || nic_is_on_link(port, to))
		return to;
	return port->has_gateway ? &port->config.gateway : NULL;
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
	struct frame_route route = {.to_port_be = rte_cpu_to_be_16(to->port)};
	const struct sw_endpoint *hop = next_hop(port, to);
	if (hop == NULL || !neighbour_mac(&port->neighbours, hop->addr, route.to_mac)) {
		if (hop != NULL)
			ask_for(port, queue, hop);
		NIC_COUNT(q->stats.tx_no_neighbour, 1);
		rte_pktmbuf_free(mbuf);
		return;
	}
	assert(mbuf->nb_segs == 1);
	uint64_t own = atomic_load_explicit(&port->own_mac, memory_order_relaxed);
	neighbour_word_mac(own, route.from_mac);
	memcpy(route.to, to->addr, sizeof(route.to));
	memcpy(route.from, port->info.address.addr, sizeof(route.from));
	route.from_port_be = port->self.port_be;
	route.ipv6 = port->self.ipv6;
	route.tagged = port->self.vlan != 0;
	route.vlan_tci_be = rte_cpu_to_be_16(port->self.vlan);
	leave_sums(port, &route);
	assert(frame_headers_len(&route) - FRAME_ETHERNET + mbuf->data_len <=
		port->info.mtu + FRAME_VLAN);
	uint8_t *payload = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint16_t payload_len = mbuf->data_len;
	/* Headroom is part of the contract. */
	assert(rte_pktmbuf_headroom(mbuf) >= frame_headers_len(&route));
	(void)rte_pktmbuf_prepend(mbuf, frame_headers_len(&route));
	frame_build(&route, payload, payload_len);
	mark_sums(port, route.ipv6, route.tagged, mbuf);
	put_frame(port, queue, mbuf);
}
