/* Who the source speaks as: any number of peers, each with a life and an address of its own, and
 * the PINGs that they send. */
#pragma once

#include <rte_mbuf.h>

#include "nic/frame.h"
#include "options.h"

enum {
	IDENTITY_PING_LEN = WIRE_HEADER_LEN + WIRE_PRELUDE_LEN + 4 + 28 + WIRE_TAG_LEN,
	IDENTITY_FRAME_LEN = FRAME_HEADERS_IPV4 + IDENTITY_PING_LEN,
};

struct peer {
	struct actor actor;
	uint64_t instance;
	uint64_t counter; /* in the clear */
	struct seal_sender *sender;
	struct frame_route route;
	uint8_t frame[IDENTITY_FRAME_LEN]; /* of a PING; sequence, header and sums are filled in */
};

struct identity {
	struct seal *seal; /* NULL: in the clear */
	uint32_t cluster;
	uint16_t count;
	char crypto[SEAL_ERROR_MAX];
	struct peer peers[SEAL_SENDERS_MAX];
};

/* After EAL. 0, or -errno after a line on stderr. */
int identity_create(const struct options *o, struct identity *identity);
void identity_destroy(struct identity *identity);

/* Headers and tags around bodies of these lengths, which stand in `count` (at most SEAL_BURST)
 * mbufs: frame i is of peer `first` + i. */
void identity_finish(struct identity *identity, struct rte_mbuf **mbufs, uint32_t first,
	const uint16_t *body_lens, uint32_t count);

/* Writes PINGs with these sequence numbers into `count` (at most SEAL_BURST) fresh mbufs: frame i
 * is of peer `first` + i. */
void identity_ping(struct identity *identity, struct rte_mbuf **mbufs, uint32_t first,
	const uint32_t *seqs, uint32_t count);

enum identity_answer {
	IDENTITY_ACK,   /* authentic; its sequence number is told */
	IDENTITY_OTHER, /* the server's, but no ACK: a request for the member table, ARP */
	IDENTITY_BAD,
};

struct identity_ack {
	uint32_t seq;
	uint32_t peer; /* whom it is for */
	uint8_t lane;  /* of the server */
};

/* Opens a received frame. */
enum identity_answer identity_read(
	struct identity *identity, struct rte_mbuf *mbuf, struct identity_ack *ack);
