#include "nic_bytes6.h"

#include <string.h>

const uint8_t bytes6_own[16] = {0x20, 0x01, 0x0d, 0xb8, [13] = 7, [15] = 1};
const uint8_t bytes6_peer[16] = {0x20, 0x01, 0x0d, 0xb8, [13] = 7, [15] = 2};
const uint8_t bytes6_group[16] = {0xff, 0x02, [11] = 1, [12] = 0xff, [13] = 7, [15] = 1};

static uint8_t *sum_of(uint8_t *ip)
{
	return ip + 40 + (ip[6] == 17 ? 6 : 2);
}

uint16_t bytes6_sum(const uint8_t *ip)
{
	uint8_t message[BYTES_MAX];
	uint16_t len = bytes_get16(ip + 4);
	memcpy(message, ip + 40, len);
	bytes_put16(message + (ip[6] == 17 ? 6 : 2), 0);
	uint16_t sum =
		(uint16_t)~bytes_sum(message, len, bytes_sum(ip + 8, 32, (uint32_t)ip[6] + len));
	return sum == 0 && ip[6] == 17 ? 0xffff : sum;
}

void bytes6_seal(uint8_t *ip)
{
	bytes_put16(sum_of(ip), bytes6_sum(ip));
}

static struct bytes ipv6(uint8_t protocol, uint8_t hops, uint16_t len)
{
	struct bytes b = {.len = 14u + 40 + len};
	uint8_t *ip = b.at + BYTES_IP;
	memcpy(b.at, bytes_own_mac, 6);
	memcpy(b.at + 6, bytes_peer_mac, 6);
	bytes_put16(b.at + 12, 0x86dd);
	ip[0] = 0x60;
	bytes_put16(ip + 4, len);
	ip[6] = protocol;
	ip[7] = hops;
	memcpy(ip + 8, bytes6_peer, 16);
	memcpy(ip + 24, bytes6_own, 16);
	return b;
}

struct bytes bytes6_datagram(uint16_t payload_len)
{
	struct bytes b = ipv6(17, 17, (uint16_t)(8 + payload_len));
	bytes_put16(b.at + BYTES6_L4, BYTES_PEER_PORT);
	bytes_put16(b.at + BYTES6_L4 + 2, BYTES_PORT);
	bytes_put16(b.at + BYTES6_L4 + 4, (uint16_t)(8 + payload_len));
	for (uint16_t i = 0; i < payload_len; i++)
		b.at[BYTES6_PAYLOAD + i] = (uint8_t)i;
	bytes6_seal(b.at + BYTES_IP);
	return b;
}

struct bytes bytes6_echo_request(uint16_t data_len)
{
	struct bytes b = ipv6(58, 64, (uint16_t)(8 + data_len));
	b.at[BYTES6_L4] = 128;
	bytes_put16(b.at + BYTES6_L4 + 4, 0xbeef);
	for (uint16_t i = 0; i < data_len; i++)
		b.at[BYTES6_L4 + 8 + i] = (uint8_t)(5 * i);
	bytes6_seal(b.at + BYTES_IP);
	return b;
}

static struct bytes discovery(uint8_t type, uint8_t option, const uint8_t target[16])
{
	struct bytes b = ipv6(58, 255, 32);
	b.at[BYTES6_L4] = type;
	memcpy(b.at + BYTES6_L4 + 8, target, 16);
	b.at[BYTES6_L4 + 24] = option;
	b.at[BYTES6_L4 + 25] = 1;
	memcpy(b.at + BYTES6_L4 + 26, bytes_peer_mac, 6);
	return b;
}

struct bytes bytes6_solicitation(const uint8_t target[16])
{
	struct bytes b = discovery(135, 1, target);
	b.at[0] = b.at[1] = 0x33;
	memcpy(b.at + 2, bytes6_group + 12, 4);
	memcpy(b.at + BYTES_IP + 24, bytes6_group, 16);
	bytes6_seal(b.at + BYTES_IP);
	return b;
}

struct bytes bytes6_advertisement(const uint8_t target[16])
{
	struct bytes b = discovery(136, 2, target);
	b.at[BYTES6_L4 + 4] = 0x60;
	bytes6_seal(b.at + BYTES_IP);
	return b;
}
