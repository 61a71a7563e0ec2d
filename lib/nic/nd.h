/* Neighbour discovery on exclusive IPv6 ports: its messages (RFC 4861; 7.2.6 for announcing). When
 * they are sent is the resolver's to say. The port has one address and no link-local one: nobody
 * asks for that, since nobody hears of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nic_port;
struct frame;
struct rte_mbuf;

enum {
	ND_MESSAGE = 24, /* of a solicitation or an advertisement, without options */
	ND_OPTION = 8,   /* a link-layer address */
};

/* Lane of `queue`: a received solicitation or advertisement, checked by frame_classify(). True: it
 * has become an advertisement to be sent. */
bool nd_input(
	struct nic_port *port, uint16_t queue, struct rte_mbuf *mbuf, const struct frame *received);

/* Lane 0: asks the target's group for its MAC, or tells everybody ours. False: no mbuf. */
bool nd_ask(struct nic_port *port, const uint8_t target[16]);
bool nd_announce(struct nic_port *port);
