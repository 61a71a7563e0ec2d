/* The packets of tests/vectors/seal.txt, which another implementation sealed, and the vectors of
 * "The Galois/Counter Mode of Operation" (McGrew, Viega), as submitted to NIST, appendix B, that
 * have 96-bit nonces. SW_VECTORS is the folder of the file. */
#include "sw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "seal/device.h"
#include "seal_world.h"

struct row {
	uint8_t cluster_key[SEAL_CLUSTER_KEY_LEN], packet_key[SEAL_PACKET_KEY_LEN];
	uint8_t body[WIRE_BODY_MAX], sealed[WIRE_PACKET_MAX];
	struct wire_header h;
	uint16_t sealed_len;
};

static size_t unhex(const char *hex, uint8_t *bytes, size_t cap)
{
	size_t n = strspn(hex, "0123456789abcdef") / 2;
	SW_EXPECT_LE(n, cap);
	for (size_t i = 0; i < n && i < cap; i++) {
		unsigned value = 0;
		SW_EXPECT_EQ(sscanf(hex + 2 * i, "%2x", &value), 1);
		bytes[i] = (uint8_t)value;
	}
	return n;
}

static void take_field(struct row *r, const char *name, const char *value)
{
	uint64_t number = strtoull(value, NULL, 0);
	if (strcmp(name, "cluster_key") == 0)
		SW_EXPECT_EQ(unhex(value, r->cluster_key, sizeof(r->cluster_key)), 32u);
	else if (strcmp(name, "packet_key") == 0)
		SW_EXPECT_EQ(unhex(value, r->packet_key, sizeof(r->packet_key)), 16u);
	else if (strcmp(name, "body") == 0)
		r->h.body_len = (uint16_t)unhex(value, r->body, sizeof(r->body));
	else if (strcmp(name, "sealed") == 0)
		r->sealed_len = (uint16_t)unhex(value, r->sealed, sizeof(r->sealed));
	else if (strcmp(name, "key_id") == 0)
		r->h.key_id = (uint8_t)number;
	else if (strcmp(name, "lane") == 0)
		r->h.lane = (uint8_t)number;
	else if (strcmp(name, "sender_id") == 0)
		r->h.sender.id = number;
	else if (strcmp(name, "sender_epoch") == 0)
		r->h.sender.epoch = (uint32_t)number;
	else if (strcmp(name, "instance") == 0)
		r->h.instance = number;
	else if (strcmp(name, "counter") == 0)
		r->h.counter = number;
	else
		SW_FAIL("unknown field %s", name);
}

static void check_row(const struct row *r)
{
	static const enum seal_driver drivers[] = {SEAL_AESNI_GCM, SEAL_AESNI_MB, SEAL_OPENSSL};
	struct seal_key key = {.id = r->h.key_id};
	struct seal_keyring ring = {.count = 1, .send_id = r->h.key_id};
	uint8_t derived[SEAL_PACKET_KEY_LEN], body[WIRE_BODY_MAX];
	memcpy(key.bytes, r->cluster_key, sizeof(key.bytes));
	ring.keys[0] = key;
	SW_EXPECT_EQ(r->sealed_len, WIRE_HEADER_LEN + r->h.body_len + WIRE_TAG_LEN);
	SW_EXPECT_EQ(seal_derive(&key, WORLD_CLUSTER, r->h.sender, r->h.instance, derived), 0);
	SW_EXPECT_MEM(derived, r->packet_key, sizeof(derived));
	SW_EXPECT_TRUE(seal_check(r->packet_key, r->sealed, &r->h, body));
	SW_EXPECT_MEM(body, r->body, r->h.body_len);
	for (unsigned d = 0; d < sizeof(drivers) / sizeof(drivers[0]); d++) {
		struct seal *seal = seal_world_create(drivers[d], &ring, r->h.counter);
		SW_ASSERT_TRUE(seal != NULL);
		struct seal_sender *sender =
			seal_sender_create_owner(seal, r->h.sender, r->h.instance);
		struct seal_packet p = seal_world_packet(sender, r->h.body_len);
		memcpy(p.bytes + WIRE_HEADER_LEN, r->body, r->h.body_len);
		seal_seal_lane(seal, r->h.lane, &p, 1);
		SW_EXPECT_EQ(p.result, SEAL_OK);
		SW_EXPECT_MEM(p.bytes, r->sealed, r->sealed_len);
		SW_EXPECT_EQ(seal_world_open(seal, &p), SEAL_SENDER);
		SW_EXPECT_EQ(seal_admit_owner(seal, p.bytes, &p.h), 0);
		SW_EXPECT_EQ(seal_world_open(seal, &p), SEAL_OK);
		SW_EXPECT_MEM(p.bytes + WIRE_HEADER_LEN, r->body, r->h.body_len);
		seal_world_free(&p);
		seal_destroy(seal);
	}
}

SW_TEST(seal_vectors, packets_of_another_implementation_are_sealed_and_opened_alike)
{
	static struct row r;
	char path[512];
	static char line[8192];
	unsigned rows = 0;
	SW_ASSERT_TRUE(seal_world());
	(void)snprintf(path, sizeof(path), "%s/seal.txt", getenv("SW_VECTORS"));
	FILE *f = fopen(path, "re");
	SW_ASSERT_TRUE(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		char name[32];
		int value = 0;
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "packet ", 7) == 0) {
			r = (struct row){.sealed_len = 0};
		} else if (strcmp(line, "end") == 0) {
			check_row(&r);
			rows++;
		} else if (line[0] != '#' && sscanf(line, "%31[a-z_] = %n", name, &value) == 1) {
			take_field(&r, name, line + value);
		}
	}
	(void)fclose(f);
	SW_EXPECT_EQ(rows, 9u);
}

struct gcm_row {
	const char *name;
	const char *key, *nonce, *aad, *plain, *cipher, *tag;
};

#define P3                                                                                         \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24" \
	"49a6b525b16aedf5aa0de657ba637b39"
#define C3                                                                                         \
	"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5a" \
	"ac84aa051ba30b396a0aac973d58e091"

static const struct gcm_row gcm_rows[] = {
	{"test_case_2", "00000000000000000000000000000000", "000000000000000000000000", "",
		"00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78",
		"ab6e47d42cec13bdf53a67b21257bddf"},
	{"test_case_3", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
		P3 "1aafd255", C3 "473f5985", "4d5c2af327cd64a62cf35abd2ba6fab4"},
	{"test_case_4", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
		"feedfacedeadbeeffeedfacedeadbeefabaddad2", P3, C3,
		"5bc94fbc3221a5db94fae95ae7121a47"},
};

static void check_gcm(const struct gcm_row *row, enum seal_driver driver, enum device_way way)
{
	struct device d;
	char error[SEAL_ERROR_MAX] = "";
	uint8_t key[SEAL_PACKET_KEY_LEN], plain[64], cipher[64], tag[WIRE_TAG_LEN], aad[64];
	device_nonce nonce;
	SW_ASSERT_EQ(device_open(&d, driver, 1, 8, -1, error), 0);
	if (!device_has_way(&d, way)) {
		device_close(&d);
		return; /* that way is not this driver's */
	}
	d.way = way;
	(void)unhex(row->key, key, sizeof(key));
	(void)unhex(row->nonce, nonce, sizeof(nonce));
	(void)unhex(row->tag, tag, sizeof(tag));
	(void)unhex(row->cipher, cipher, sizeof(cipher));
	d.aad_len = (uint16_t)unhex(row->aad, aad, sizeof(aad));
	uint16_t len = (uint16_t)unhex(row->plain, plain, sizeof(plain));
	struct seal_packet p = seal_world_packet(NULL, 200), *list = &p;
	p.h.body_len = len;
	memcpy(p.bytes, aad, d.aad_len);
	memcpy(p.bytes + d.aad_len, plain, len);
	void *encrypt = device_session(&d, key, true), *decrypt = device_session(&d, key, false);
	p.session = encrypt;
	device_run(&d, 0, &list, (const device_nonce *)&nonce, 1);
	SW_EXPECT_EQ(p.result, SEAL_OK);
	SW_EXPECT_MEM(p.bytes + d.aad_len, cipher, len);
	SW_EXPECT_MEM(p.bytes + d.aad_len + len, tag, WIRE_TAG_LEN);
	p.session = decrypt;
	device_run(&d, 0, &list, (const device_nonce *)&nonce, 1);
	SW_EXPECT_EQ(p.result, SEAL_OK);
	SW_EXPECT_MEM(p.bytes + d.aad_len, plain, len);
	seal_world_free(&p);
	device_session_free(&d, encrypt);
	device_session_free(&d, decrypt);
	device_close(&d);
}

SW_TEST_TABLE(seal_vectors, every_device_gives_what_the_standard_says, const struct gcm_row *row,
	gcm_rows)
{
	SW_ASSERT_TRUE(seal_world());
	for (enum seal_driver driver = SEAL_IPSEC_MB; driver <= SEAL_OPENSSL; driver++)
		for (enum device_way way = DEVICE_LIBRARY; way <= DEVICE_OPS; way++)
			check_gcm(row, driver, way);
}
