#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "seal/nonce.h"
#include "seal/seal.h"

enum { LIFE_LEN = 4 + 8 + 4 + 8, LABEL_LEN = 16 };

/* What keys are for: one cluster key may serve several uses, and none learns another's. */
static const char packet_label[LABEL_LEN] = "swimlane packet";
static const char finger_label[LABEL_LEN] = "swimlane finger";
static char salt[] = "swimlane seal 1";

static int hkdf(
	const struct seal_key *key, const void *info, size_t info_len, uint8_t *out, size_t out_len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	char digest[] = "SHA256";
	/* OpenSSL's parameters are not const, and are not written to. */
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)key->bytes, sizeof(key->bytes)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof(salt) - 1),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_len),
		OSSL_PARAM_construct_end(),
	};
	int ok = context != NULL && EVP_KDF_derive(context, out, out_len, params) > 0;
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return ok ? 0 : -ENOMEM; /* the parameters are right: nothing else can fail */
}

int seal_derive(const struct seal_key *key, uint32_t cluster, struct actor sender,
	uint64_t instance, uint8_t packet_key[SEAL_PACKET_KEY_LEN])
{
	uint8_t info[LABEL_LEN + LIFE_LEN];
	struct sw_writer w = sw_writer_init(info, sizeof(info));
	sw_put_bytes(&w, packet_label, sizeof(packet_label));
	sw_put_u32(&w, cluster);
	sw_put_u64(&w, sender.id);
	sw_put_u32(&w, sender.epoch);
	sw_put_u64(&w, instance);
	return hkdf(key, info, sizeof(info), packet_key, SEAL_PACKET_KEY_LEN);
}

void seal_fingerprint(const struct seal_key *key, char text[SEAL_FINGERPRINT_MAX])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[(SEAL_FINGERPRINT_MAX - 1) / 2] = {0};
	/* Without memory the fingerprint is zeros: it is for people only. */
	(void)hkdf(key, finger_label, sizeof(finger_label), bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[SEAL_FINGERPRINT_MAX - 1] = '\0';
}

bool seal_check(const uint8_t packet_key[SEAL_PACKET_KEY_LEN], const uint8_t *packet,
	const struct wire_header *h, uint8_t *body)
{
	uint8_t nonce[SEAL_NONCE_LEN], scratch[WIRE_BODY_JUMBO_MAX], tag[WIRE_TAG_LEN];
	uint8_t *out = body != NULL ? body : scratch;
	int n = 0, len = h->body_len;
	seal_nonce(nonce, h->lane, h->counter);
	memcpy(tag, packet + WIRE_HEADER_LEN + len, sizeof(tag));
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	bool right = c != NULL &&
		     EVP_DecryptInit_ex(c, EVP_aes_128_gcm(), NULL, packet_key, nonce) == 1 &&
		     EVP_DecryptUpdate(c, NULL, &n, packet, WIRE_HEADER_LEN) == 1 &&
		     EVP_DecryptUpdate(c, out, &n, packet + WIRE_HEADER_LEN, len) == 1 &&
		     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
		     EVP_DecryptFinal_ex(c, out + n, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	return right;
}
