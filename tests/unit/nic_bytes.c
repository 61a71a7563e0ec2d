#include "nic_bytes.h"

#include <string.h>

const uint8_t bytes_own_mac[6] = {0x02, 0x53, 10, 7, 0, 1};
const uint8_t bytes_peer_mac[6] = {0x02, 0xaa, 0, 0, 0, 2};
const uint8_t bytes_own_ip[4] = {10, 7, 0, 1};
const uint8_t bytes_peer_ip[4] = {10, 7, 0, 2};

void bytes_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint16_t bytes_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint16_t bytes_sum(const uint8_t *at, size_t len, uint32_t start)
{
	uint64_t sum = start;
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += bytes_get16(at + i);
	if (len % 2 == 1)
		sum += (uint64_t)at[len - 1] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t bytes_ip_sum(const uint8_t *ip)
{
	uint8_t header[60];
	size_t len = (size_t)(ip[0] & 15) * 4;
	memcpy(header, ip, len);
	bytes_put16(header + 10, 0);
	return (uint16_t)~bytes_sum(header, len, 0);
}

uint16_t bytes_udp_sum(const uint8_t *ip)
{
	uint8_t udp[BYTES_MAX];
	const uint8_t *at = ip + (ip[0] & 15) * 4;
	uint16_t len = bytes_get16(at + 4);
	memcpy(udp, at, len);
	bytes_put16(udp + 6, 0);
	uint32_t pseudo = bytes_sum(ip + 12, 8, 17u + len);
	uint16_t sum = (uint16_t)~bytes_sum(udp, len, pseudo);
	return sum == 0 ? 0xffff : sum;
}

void bytes_seal(uint8_t *ip)
{
	bytes_put16(ip + 10, bytes_ip_sum(ip));
	bytes_put16(ip + (ip[0] & 15) * 4 + 6, bytes_udp_sum(ip));
}

static struct bytes ethernet(uint16_t type)
{
	struct bytes b = {.len = BYTES_IP};
	memcpy(b.at, bytes_own_mac, 6);
	memcpy(b.at + 6, bytes_peer_mac, 6);
	bytes_put16(b.at + 12, type);
	return b;
}

static struct bytes ipv4(uint8_t protocol, uint16_t len)
{
	struct bytes b = ethernet(0x0800);
	uint8_t *ip = b.at + BYTES_IP;
	ip[0] = 0x45;
	bytes_put16(ip + 2, (uint16_t)(20 + len));
	bytes_put16(ip + 4, 0x1234);
	ip[8] = 17; /* hops left */
	ip[9] = protocol;
	memcpy(ip + 12, bytes_peer_ip, 4);
	memcpy(ip + 16, bytes_own_ip, 4);
	bytes_put16(ip + 10, bytes_ip_sum(ip));
	b.len += 20u + len;
	return b;
}

struct bytes bytes_datagram(uint16_t payload_len)
{
	struct bytes b = ipv4(17, (uint16_t)(8 + payload_len));
	bytes_put16(b.at + BYTES_UDP, BYTES_PEER_PORT);
	bytes_put16(b.at + BYTES_UDP + 2, BYTES_PORT);
	bytes_put16(b.at + BYTES_UDP + 4, (uint16_t)(8 + payload_len));
	for (uint16_t i = 0; i < payload_len; i++)
		b.at[BYTES_PAYLOAD + i] = (uint8_t)i;
	bytes_seal(b.at + BYTES_IP);
	return b;
}

struct bytes bytes_tagged(uint16_t payload_len)
{
	struct bytes b = bytes_datagram(payload_len);
	memmove(b.at + 16, b.at + 12, b.len - 12);
	bytes_put16(b.at + 12, 0x8100);
	bytes_put16(b.at + 14, 0x6000); /* priority 3, VLAN 0: a priority tag alone */
	b.len += 4;
	return b;
}

struct bytes bytes_echo_request(uint16_t data_len)
{
	struct bytes b = ipv4(1, (uint16_t)(8 + data_len));
	uint8_t *icmp = b.at + BYTES_UDP;
	icmp[0] = 8;
	bytes_put16(icmp + 4, 0xbeef);
	bytes_put16(icmp + 6, 7);
	for (uint16_t i = 0; i < data_len; i++)
		icmp[8 + i] = (uint8_t)(3 * i);
	bytes_put16(icmp + 2, (uint16_t)~bytes_sum(icmp, 8u + data_len, 0));
	return b;
}

struct bytes bytes_arp(uint16_t operation, const uint8_t target_ip[4])
{
	static const uint8_t kind[6] = {0, 1, 8, 0, 6, 4};
	struct bytes b = ethernet(0x0806);
	memset(b.at, 0xff, 6);
	memcpy(b.at + 14, kind, sizeof(kind));
	bytes_put16(b.at + 20, operation);
	memcpy(b.at + 22, bytes_peer_mac, 6);
	memcpy(b.at + 28, bytes_peer_ip, 4);
	memcpy(b.at + 38, target_ip, 4);
	b.len = 60; /* padded, as a device pads it */
	return b;
}
