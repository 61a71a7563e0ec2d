#include "identity.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "base/random.h"

enum {
	SEQ_OFFSET = FRAME_HEADERS_IPV4 + WIRE_HEADER_LEN + WIRE_PRELUDE_LEN + 4,
	BODY_LEN = IDENTITY_PING_LEN - WIRE_HEADER_LEN - WIRE_TAG_LEN,
};

#define FIRST_ID 0xbe7c000000000001u /* of peers: one after the other */

static void make_frame(struct peer *p)
{
	uint8_t *packet = p->frame + FRAME_HEADERS_IPV4;
	struct sw_writer w =
		sw_writer_init(packet + WIRE_HEADER_LEN, IDENTITY_PING_LEN - WIRE_HEADER_LEN);
	struct wire_prelude prelude = {0};
	struct wire_probe probe = {0};
	wire_put_prelude(&w, &prelude);
	wire_put_probe(&w, WIRE_PING, &probe);
	frame_build(&p->route, packet, IDENTITY_PING_LEN);
}

static void make_peer(const struct options *o, uint32_t i, uint64_t salt, struct peer *p)
{
	struct sw_endpoint from = o->from;
	uint32_t low;
	memcpy(&low, from.addr + 12, sizeof(low));
	low = htobe32(be32toh(low) + i);
	memcpy(from.addr + 12, &low, sizeof(low));
	/* The epoch is of this run: the server may remember an earlier one. */
	*p = (struct peer){.actor = {FIRST_ID + i, (uint32_t)time(NULL)},
		.instance = sw_mix64(salt + i) | 1,
		.counter = 1,
		/* Sealed datagrams have none from a server either. */
		.route = {.to_port_be = htobe16(o->to.port),
			.from_port_be = htobe16(from.port),
			.udp_sum_none = o->keyring[0] != '\0'}};
	memcpy(p->route.to, o->to.addr, sizeof(p->route.to));
	memcpy(p->route.from, from.addr, sizeof(p->route.from));
	memcpy(p->route.to_mac, o->to_mac, sizeof(p->route.to_mac));
	memcpy(p->route.from_mac, o->mac, sizeof(p->route.from_mac));
	make_frame(p);
}

static int open_seal(const struct options *o, struct identity *identity)
{
	struct seal_keyring ring;
	char error[SEAL_ERROR_MAX];
	struct seal_config config = {.driver = o->crypto,
		.cluster = identity->cluster,
		.lanes = 1,
		.senders_max = o->peers,
		.numa_node = -1};
	int rc = seal_keyring_load(o->keyring, &ring, error);
	if (rc == 0)
		rc = seal_create(&config, &ring, &identity->seal, identity->crypto, error);
	seal_keyring_wipe(&ring);
	if (rc < 0)
		(void)fprintf(stderr, "swimlane-bench: %s\n", error);
	return rc;
}

int identity_create(const struct options *o, struct identity *identity)
{
	uint64_t salt = (uint64_t)getpid() << 40 ^ rte_rdtsc() << 8;
	memset(identity, 0, sizeof(*identity));
	identity->cluster = wire_cluster_tag(o->cluster);
	identity->count = o->peers;
	if (!sw_endpoint_is_ipv4(&o->from) || !sw_endpoint_is_ipv4(&o->to)) {
		(void)fputs("swimlane-bench: peers are on IPv4\n", stderr);
		return -EAFNOSUPPORT;
	}
	if (o->keyring[0] != '\0' && open_seal(o, identity) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < o->peers; i++) {
		struct peer *p = &identity->peers[i];
		make_peer(o, i, salt, p);
		if (identity->seal == NULL)
			continue;
		p->sender = seal_sender_create_owner(identity->seal, p->actor, p->instance);
		if (p->sender == NULL) {
			(void)fprintf(stderr, "swimlane-bench: no room for peer %u\n", i);
			return -ENOMEM;
		}
	}
	return 0;
}

void identity_destroy(struct identity *identity)
{
	seal_destroy(identity->seal);
	identity->seal = NULL;
}

static void finish_clear(
	const struct identity *identity, struct peer *p, uint8_t *packet, uint16_t body_len)
{
	struct wire_header h = {.body_len = body_len,
		.cluster = identity->cluster,
		.sender = p->actor,
		.instance = p->instance,
		.counter = p->counter++};
	(void)wire_finish_clear(packet, &h);
}

/* Packets, without the frames' headers. */
static void finish_packets(struct identity *identity, struct rte_mbuf **mbufs, uint32_t first,
	const uint16_t *body_lens, uint32_t count)
{
	struct seal_packet packets[SEAL_BURST];
	for (uint32_t i = 0; i < count; i++) {
		struct peer *p = &identity->peers[(first + i) % identity->count];
		uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], uint8_t *);
		mbufs[i]->data_len = (uint16_t)(FRAME_HEADERS_IPV4 + WIRE_HEADER_LEN +
						body_lens[i] + WIRE_TAG_LEN);
		mbufs[i]->pkt_len = mbufs[i]->data_len;
		if (identity->seal == NULL)
			finish_clear(identity, p, frame + FRAME_HEADERS_IPV4, body_lens[i]);
		packets[i].mbuf = mbufs[i];
		packets[i].bytes = frame + FRAME_HEADERS_IPV4;
		packets[i].offset = FRAME_HEADERS_IPV4;
		packets[i].sender = p->sender;
		packets[i].h.body_len = body_lens[i];
	}
	if (identity->seal != NULL)
		seal_seal_lane(identity->seal, 0, packets, count);
}

static void build_frames(
	const struct identity *identity, struct rte_mbuf **mbufs, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		frame_build(&identity->peers[(first + i) % identity->count].route,
			rte_pktmbuf_mtod_offset(mbufs[i], uint8_t *, FRAME_HEADERS_IPV4),
			(uint16_t)(mbufs[i]->data_len - FRAME_HEADERS_IPV4));
}

void identity_finish(struct identity *identity, struct rte_mbuf **mbufs, uint32_t first,
	const uint16_t *body_lens, uint32_t count)
{
	finish_packets(identity, mbufs, first, body_lens, count);
	build_frames(identity, mbufs, first, count);
}

void identity_ping(struct identity *identity, struct rte_mbuf **mbufs, uint32_t first,
	const uint32_t *seqs, uint32_t count)
{
	uint16_t lens[SEAL_BURST] = {0};
	for (uint32_t i = 0; i < count; i++) {
		const struct peer *p = &identity->peers[(first + i) % identity->count];
		uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], uint8_t *);
		uint32_t seq_be = htobe32(seqs[i]);
		memcpy(frame, p->frame, IDENTITY_FRAME_LEN);
		memcpy(frame + SEQ_OFFSET, &seq_be, sizeof(seq_be));
		lens[i] = BODY_LEN;
	}
	finish_packets(identity, mbufs, first, lens, count);
	/* Sealed, the copied headers are as they must be: there is no sum over what is in the
	 * packet. */
	if (identity->seal == NULL)
		build_frames(identity, mbufs, first, count);
}

static bool open_sealed(struct identity *identity, struct rte_mbuf *mbuf, uint8_t *packet,
	const struct wire_header *h)
{
	struct seal_packet p = {
		.mbuf = mbuf, .bytes = packet, .offset = FRAME_HEADERS_IPV4, .h = *h};
	mbuf->data_len = (uint16_t)(FRAME_HEADERS_IPV4 + WIRE_HEADER_LEN + h->body_len +
				    WIRE_TAG_LEN); /* without Ethernet's padding */
	if (!seal_knows(identity->seal, h->sender, h->instance) &&
		seal_admit_owner(identity->seal, packet, h) < 0)
		return false;
	seal_open_lane(identity->seal, 0, &p, 1);
	return p.result == SEAL_OK;
}

enum identity_answer identity_read(
	struct identity *identity, struct rte_mbuf *mbuf, struct identity_ack *ack)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint8_t *packet = frame + FRAME_HEADERS_IPV4;
	struct wire_header h;
	struct sw_reader body;
	struct wire_prelude prelude;
	struct wire_message m;
	struct wire_probe probe;
	if (mbuf->data_len < FRAME_HEADERS_IPV4 || frame[12] != 0x08 || frame[13] != 0 ||
		frame[14] != 0x45 || frame[23] != IPPROTO_UDP)
		return IDENTITY_OTHER;
	uint32_t len = (uint32_t)frame[38] << 8 | frame[39];
	if (len < FRAME_UDP || len - FRAME_UDP + FRAME_HEADERS_IPV4 > mbuf->data_len)
		return IDENTITY_BAD;
	len -= FRAME_UDP;
	enum wire_error e = identity->seal == NULL
				    ? wire_open_clear(packet, len, identity->cluster, &h, &body)
				    : wire_read_header(packet, len, identity->cluster, &h, &body);
	if (e != WIRE_OK || (identity->seal != NULL && !open_sealed(identity, mbuf, packet, &h)))
		return IDENTITY_BAD;
	wire_get_prelude(&body, &prelude);
	while (!body.failed && wire_next(&body, &m))
		if (m.type == WIRE_ACK && wire_get_probe(&m.payload, &probe)) {
			*ack = (struct identity_ack){
				probe.seq, (uint32_t)(prelude.dst_id - FIRST_ID), h.lane};
			return IDENTITY_ACK;
		}
	return IDENTITY_OTHER;
}
