/* Frames written by hand for the tests of lib/nic, and a checksum computed in the plainest way:
 * nothing here shares code with lib/nic. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BYTES_IP = 14,
	BYTES_UDP = 34,
	BYTES_PAYLOAD = 42,
	BYTES_MAX = 1600,
	BYTES_PORT = 7946,
	BYTES_PEER_PORT = 40000,
};

extern const uint8_t bytes_own_mac[6], bytes_peer_mac[6];
extern const uint8_t bytes_own_ip[4], bytes_peer_ip[4]; /* 10.7.0.1 and 10.7.0.2 */

struct bytes {
	uint8_t at[BYTES_MAX];
	uint32_t len;
};

/* RFC 1071, two bytes at a time. */
uint16_t bytes_sum(const uint8_t *at, size_t len, uint32_t start);
/* The checksum that belongs into the IPv4 header at `ip`, and into the UDP header behind it. */
uint16_t bytes_ip_sum(const uint8_t *ip);
uint16_t bytes_udp_sum(const uint8_t *ip);
void bytes_put16(uint8_t *at, uint16_t value);
uint16_t bytes_get16(const uint8_t *at);
/* Writes both checksums anew. */
void bytes_seal(uint8_t *ip);

/* A good datagram from the peer to us; its payload is 0, 1, 2 … */
struct bytes bytes_datagram(uint16_t payload_len);
/* The same with an 802.1Q tag that says only a priority. */
struct bytes bytes_tagged(uint16_t payload_len);
struct bytes bytes_echo_request(uint16_t data_len);
struct bytes bytes_arp(uint16_t operation, const uint8_t target_ip[4]);
