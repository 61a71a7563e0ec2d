/* Sends well-formed packets that mean harm. Run inside a network namespace by hostile.py.
 *
 *   forge CLUSTER ADDRESS PORT SERVER-ID
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "wire/wire.h"

static const struct actor forger = {0xbad, 1};

static int send_packet(int fd, const struct sockaddr_in *to, const char *cluster, uint8_t *packet,
	const uint8_t *end)
{
	static uint64_t counter = 1;
	struct wire_header h = {
		.body_len = (uint16_t)(end - packet - WIRE_HEADER_LEN),
		.cluster = wire_cluster_tag(cluster),
		.sender = forger,
		.instance = 1,
		.counter = counter++,
	};
	size_t len = wire_finish_clear(packet, &h);
	ssize_t sent = sendto(fd, packet, len, 0, (const struct sockaddr *)to, sizeof(*to));
	return sent == (ssize_t)len ? 0 : -errno;
}

static struct sw_writer begin(uint8_t *packet)
{
	struct sw_writer w = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_BODY_MAX);
	struct wire_prelude prelude = {0};
	wire_put_prelude(&w, &prelude);
	return w;
}

/* A server whose name is not UTF-8, and a claim that the target is dead in the largest epoch. */
static struct sw_writer members(uint8_t *packet, uint64_t target_id)
{
	struct sw_writer w = begin(packet);
	struct wire_member m = {.actor = forger,
		.instance = 1,
		.weight = 100,
		.name = "\xff\xfe",
		.zone = "\xc3",
		.at = sw_endpoint_from_ipv4(htobe32(0x7f000001), 9)};
	wire_put_member(&w, WIRE_MEMBER, &m);
	m.actor = (struct actor){target_id, UINT32_MAX};
	m.state = WIRE_DEAD;
	wire_put_member(&w, WIRE_MEMBER, &m);
	return w;
}

/* Origins and other keys whose names are not UTF-8. */
static struct sw_writer records(uint8_t *packet)
{
	static const char *const keys[] = {"origin/\xff", "origin/\xfe", "health/\xff",
		"origin/\x1b[2J", "\xff\x01", "\xff\x02", "\xff\x03"};
	struct sw_writer w = begin(packet);
	for (uint32_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct wire_record r = {.key_len = (uint8_t)strlen(keys[i]),
			.value_len = 2,
			.clock = 1 + i,
			.author = {forger, 1 + i},
			.dot = {forger, 1 + i},
			.key = (const uint8_t *)keys[i],
			.value = (const uint8_t *)"\xff\xff"};
		wire_put_record(&w, &r);
	}
	return w;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint8_t packet[WIRE_PACKET_MAX];
	if (argc != 5 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: forge CLUSTER ADDRESS PORT SERVER-ID\n");
		return 2;
	}
	to.sin_port = htobe16((uint16_t)strtoul(argv[3], NULL, 10));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sw_writer w = records(packet);
	int rc = fd < 0 ? -errno : send_packet(fd, &to, argv[1], packet, w.at);
	w = members(packet, strtoull(argv[4], NULL, 16));
	if (rc == 0)
		rc = send_packet(fd, &to, argv[1], packet, w.at);
	if (rc < 0)
		fprintf(stderr, "forge: %s\n", strerror(-rc));
	return rc < 0;
}
