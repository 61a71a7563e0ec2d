/* Sends well-formed packets that mean harm. Run inside a network namespace by hostile.py and
 * limits.py.
 *
 *   forge CLUSTER ADDRESS PORT SERVER-ID                  names that are no text, a server that is
 * dead forge CLUSTER ADDRESS PORT SERVER-ID epochs N         writes of one server, each in another
 * epoch forge CLUSTER ADDRESS PORT SERVER-ID sessions N       N servers that each want the whole
 * map
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/wire.h"

enum { EPOCHS_PER_PACKET = 8, PAUSE_US = 2000, MEMBERS_PAUSE_US = 300000 };

static const struct actor forger = {0xbad, 1};

struct target {
	int fd;
	struct sockaddr_in to;
	const char *cluster;
};

static int send_packet(
	const struct target *t, struct actor sender, uint8_t *packet, const uint8_t *end)
{
	static uint64_t counter = 1;
	struct wire_header h = {
		.body_len = (uint16_t)(end - packet - WIRE_HEADER_LEN),
		.cluster = wire_cluster_tag(t->cluster),
		.sender = sender,
		.instance = 1,
		.counter = counter++,
	};
	size_t len = wire_finish_clear(packet, &h);
	ssize_t sent =
		sendto(t->fd, packet, len, 0, (const struct sockaddr *)&t->to, sizeof(t->to));
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

static int send_harm(const struct target *t, uint64_t server_id)
{
	uint8_t packet[WIRE_PACKET_MAX];
	struct sw_writer w = records(packet);
	int rc = send_packet(t, forger, packet, w.at);
	if (rc < 0)
		return rc;
	w = members(packet, server_id);
	return send_packet(t, forger, packet, w.at);
}

/* One key, overwritten in each of them. */
static int send_epochs(const struct target *t, uint32_t count)
{
	uint8_t packet[WIRE_PACKET_MAX];
	int rc = 0;
	for (uint32_t i = 0; i < count && rc == 0;) {
		struct sw_writer w = begin(packet);
		for (uint32_t n = 0; n < EPOCHS_PER_PACKET && i < count; n++, i++) {
			struct dot dot = {{forger.id, 1 + i}, 1};
			struct wire_record r = {.key_len = 6,
				.value_len = 1,
				.clock = 1 + i,
				.author = dot,
				.dot = dot,
				.key = (const uint8_t *)"forged",
				.value = (const uint8_t *)"x"};
			wire_put_record(&w, &r);
		}
		rc = send_packet(t, forger, packet, w.at);
		usleep(PAUSE_US);
	}
	return rc;
}

static int send_members(const struct target *t, uint32_t count)
{
	uint8_t packet[WIRE_PACKET_MAX];
	int rc = 0;
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		struct sw_writer w = begin(packet);
		struct wire_member m = {.actor = {forger.id + i, 1},
			.instance = 1,
			.weight = 100,
			.at = sw_endpoint_from_ipv4(htobe32(0x7f000002 + i), 9)};
		snprintf(m.name, sizeof(m.name), "forged-%u", i);
		wire_put_member(&w, WIRE_MEMBER, &m);
		rc = send_packet(t, m.actor, packet, w.at);
		usleep(PAUSE_US);
	}
	return rc;
}

/* Of servers that have been believed in by then; none of them will say that it has its session. */
static int send_requests(const struct target *t, uint32_t count)
{
	uint8_t packet[WIRE_PACKET_MAX];
	int rc = send_members(t, count);
	usleep(MEMBERS_PAUSE_US);
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		struct sw_writer w = begin(packet);
		struct wire_version_req request = {
			.nonce = 1 + i, .first_session = true, .parts = 1};
		wire_put_version_req(&w, &request);
		wire_put_vector(&w, NULL, 0);
		rc = send_packet(t, (struct actor){forger.id + i, 1}, packet, w.at);
		usleep(PAUSE_US);
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct target t = {.to = {.sin_family = AF_INET}};
	if ((argc != 5 && argc != 7) || inet_pton(AF_INET, argv[2], &t.to.sin_addr) != 1) {
		fprintf(stderr,
			"usage: forge CLUSTER ADDRESS PORT SERVER-ID [epochs N | sessions N]\n");
		return 2;
	}
	t.cluster = argv[1];
	t.to.sin_port = htobe16((uint16_t)strtoul(argv[3], NULL, 10));
	t.fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint32_t count = argc == 7 ? (uint32_t)strtoul(argv[6], NULL, 10) : 0;
	int rc = t.fd < 0 ? -errno : 0;
	if (rc == 0 && argc == 5)
		rc = send_harm(&t, strtoull(argv[4], NULL, 16));
	else if (rc == 0 && strcmp(argv[5], "epochs") == 0)
		rc = send_epochs(&t, count);
	else if (rc == 0)
		rc = send_requests(&t, count);
	if (rc < 0)
		fprintf(stderr, "forge: %s\n", strerror(-rc));
	return rc < 0;
}
