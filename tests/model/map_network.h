/* Packets that were ever sent in a search, each content once, by number. */
#pragma once

#include "map_world.h"

/* What decides whether a packet can still matter to who gets it. */
struct packet_facts {
	uint8_t type;       /* of its first message */
	bool wants_session; /* a request that may open one */
	bool is_request;
	uint64_t nonce; /* of the session that it belongs to */
	uint32_t snapshot, index;
	uint32_t variant; /* of a request: so many others with its nonce are known */
};

uint32_t network_add(const struct packet *packet);
const struct packet *network_packet(uint32_t number);
const struct packet_facts *network_facts(uint32_t number);
uint32_t network_count(void);
uint64_t network_hash(const struct packet *packet);
void network_fini(void);
