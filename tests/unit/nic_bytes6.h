/* IPv6 frames written by hand, as nic_bytes.h has IPv4 ones. */
#pragma once

#include "nic_bytes.h"

enum { BYTES6_L4 = 54, BYTES6_PAYLOAD = 62 };

extern const uint8_t bytes6_own[16], bytes6_peer[16]; /* 2001:db8::7:1 and ::7:2 */
extern const uint8_t bytes6_group[16];                /* in which our MAC is asked for */

/* The checksum that belongs into the UDP or ICMPv6 message behind the IPv6 header at `ip`. */
uint16_t bytes6_sum(const uint8_t *ip);
/* Writes it. */
void bytes6_seal(uint8_t *ip);

struct bytes bytes6_datagram(uint16_t payload_len);
struct bytes bytes6_echo_request(uint16_t data_len);
/* With the peer's MAC in its option; to our group. */
struct bytes bytes6_solicitation(const uint8_t target[16]);
struct bytes bytes6_advertisement(const uint8_t target[16]);
