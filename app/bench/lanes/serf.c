#include "serf.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/endpoint.h"

/* A memberlist packet under encryption version 1: version, nonce, AES-GCM, tag. The agent keeps no
 * window against replays, so that one packet is asked as often as one likes. */
enum { NONCE = 12, TAG = 16, PING_MAX = 160, BURST = 32, ANSWER_MAX = 2048, KEY_MAX = 32 };

struct asker {
	int fd;
	uint8_t packet[PING_MAX];
	size_t len;
	uint32_t under_way, flight;
	uint64_t sent, answered, lost;
};

static uint64_t now_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock always exists */
	return (uint64_t)t.tv_sec * SW_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* A ping: type 0, then {SeqNo, Node} in msgpack. */
static size_t write_ping(uint8_t *at, const char *name)
{
	static const uint8_t head[] = {
		0, 0x82, 0xa5, 'S', 'e', 'q', 'N', 'o', 0xce, 0, 0, 0, 1, 0xa4, 'N', 'o', 'd', 'e'};
	size_t name_len = strlen(name);
	memcpy(at, head, sizeof(head));
	at[sizeof(head)] = (uint8_t)(0xa0 | name_len);
	memcpy(at + sizeof(head) + 1, name, name_len);
	return sizeof(head) + 1 + name_len;
}

static bool encrypt(
	const uint8_t *key, size_t key_len, const uint8_t *plain, size_t len, struct asker *asker)
{
	uint8_t *p = asker->packet;
	int out = 0, rest = 0;
	const EVP_CIPHER *cipher = key_len == 16   ? EVP_aes_128_gcm()
				   : key_len == 24 ? EVP_aes_192_gcm()
						   : EVP_aes_256_gcm();
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (c == NULL)
		return false;
	p[0] = 1;
	memset(p + 1, 7, NONCE); /* one packet is all that this key ever seals here */
	bool done = EVP_EncryptInit_ex(c, cipher, NULL, key, p + 1) == 1 &&
		    EVP_EncryptUpdate(c, p + 1 + NONCE, &out, plain, (int)len) == 1 &&
		    EVP_EncryptFinal_ex(c, p + 1 + NONCE + out, &rest) == 1 &&
		    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, p + 1 + NONCE + len) == 1;
	EVP_CIPHER_CTX_free(c);
	asker->len = 1 + NONCE + len + TAG;
	return done;
}

static int open_socket(const char *to)
{
	struct sw_endpoint e;
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct timeval patience = {0, 20000};
	if (sw_endpoint_parse(to, 0, &e) < 0 || !sw_endpoint_is_ipv4(&e))
		return -EINVAL;
	memcpy(&at.sin_addr, e.addr + 12, sizeof(at.sin_addr));
	at.sin_port = htobe16(e.port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return fd;
}

static void send_burst(struct asker *a)
{
	struct mmsghdr messages[BURST];
	struct iovec bytes = {a->packet, a->len};
	uint32_t count = a->flight - a->under_way;
	if (count > BURST)
		count = BURST;
	for (uint32_t i = 0; i < count; i++)
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &bytes, .msg_iovlen = 1}};
	int sent = count == 0 ? 0 : sendmmsg(a->fd, messages, count, 0);
	if (sent > 0) {
		a->sent += (uint32_t)sent;
		a->under_way += (uint32_t)sent;
	}
}

static void receive_burst(struct asker *a)
{
	static uint8_t answers[BURST][ANSWER_MAX];
	struct mmsghdr messages[BURST];
	struct iovec bytes[BURST];
	for (uint32_t i = 0; i < BURST; i++) {
		bytes[i] = (struct iovec){answers[i], ANSWER_MAX};
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &bytes[i], .msg_iovlen = 1}};
	}
	int got = recvmmsg(a->fd, messages, BURST, MSG_WAITFORONE, NULL);
	if (got <= 0) {
		a->lost += a->under_way;
		a->under_way = 0;
		return;
	}
	a->answered += (uint32_t)got;
	a->under_way -= (uint32_t)got < a->under_way ? (uint32_t)got : a->under_way;
}

static size_t parse_key(const char *hex, uint8_t key[KEY_MAX])
{
	size_t len = strlen(hex) / 2;
	if (strlen(hex) % 2 != 0 || (len != 16 && len != 24 && len != 32))
		return 0;
	for (size_t i = 0; i < len; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &key[i]) != 1)
			return 0;
	return len;
}

int serf_main(int argc, char **argv)
{
	uint8_t key[KEY_MAX], plain[PING_MAX];
	struct asker a = {.fd = -1};
	size_t key_len = argc == 6 ? parse_key(argv[3], key) : 0;
	if (key_len == 0 || strlen(argv[2]) > 31) {
		(void)fputs("swimlane-bench serf ADDRESS:PORT NAME KEY-HEX MS FLIGHT\n", stderr);
		return 2;
	}
	a.flight = (uint32_t)strtoul(argv[5], NULL, 10);
	a.fd = open_socket(argv[1]);
	if (a.fd < 0 || a.flight == 0 ||
		!encrypt(key, key_len, plain, write_ping(plain, argv[2]), &a)) {
		(void)fprintf(stderr, "swimlane-bench: no way to ask %s\n", argv[1]);
		return 1;
	}
	uint64_t begin = now_ns(), end = begin + strtoul(argv[4], NULL, 10) * SW_NS_PER_MS;
	while (now_ns() < end) {
		send_burst(&a);
		receive_burst(&a);
	}
	printf("{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"seconds\":%.3f}\n",
		a.sent, a.answered, a.lost, (double)(now_ns() - begin) / 1e9);
	return 0;
}
