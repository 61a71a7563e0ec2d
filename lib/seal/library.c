#include "seal/library.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef SEAL_HAS_LIBRARY

#include <intel-ipsec-mb.h>

enum { FEATURES = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ };

struct session {
	struct gcm_key_data key;
	bool encrypt;
	struct session *next_free; /* control */
	/* As long as an odd number of cache lines: at a distance of a power of two the keys of a
	 * burst would all be after the same few places of the cache. */
	uint8_t apart[64];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct session) / 64 % 2 == 1, "keys are apart");

struct library {
	IMB_MGR *functions; /* read only: nothing is ever queued in it */
	struct session *sessions;
	size_t bytes;
	struct session *free; /* control */
};

int library_open(struct library **result, uint32_t count, int numa_node)
{
	struct library *l = calloc(1, sizeof(*l));
	(void)numa_node; /* the first to write a session is control, when it makes it */
	if (l == NULL)
		return -ENOMEM;
	l->functions = alloc_mb_mgr(0);
	l->bytes = count * sizeof(struct session);
	l->sessions = aligned_alloc(64, l->bytes);
	if (l->functions == NULL || l->sessions == NULL) {
		library_close(l);
		return -ENOMEM;
	}
	memset(l->sessions, 0, l->bytes);
	for (uint32_t i = 0; i < count; i++) {
		l->sessions[i].next_free = l->free;
		l->free = &l->sessions[i];
	}
	init_mb_mgr_auto(l->functions, NULL);
	if (imb_get_errno(l->functions) != 0 || (l->functions->features & FEATURES) != FEATURES) {
		library_close(l);
		return -ENOTSUP;
	}
	*result = l;
	return 0;
}

void library_close(struct library *l)
{
	if (l == NULL)
		return;
	if (l->sessions != NULL)
		explicit_bzero(l->sessions, l->bytes);
	free(l->sessions);
	if (l->functions != NULL)
		free_mb_mgr(l->functions);
	free(l);
}

void *library_session(struct library *l, const uint8_t key[SEAL_PACKET_KEY_LEN], bool encrypt)
{
	struct session *s = l->free;
	if (s == NULL)
		return NULL;
	l->free = s->next_free;
	IMB_AES128_GCM_PRE(l->functions, key, &s->key);
	s->encrypt = encrypt;
	return s;
}

void library_session_free(struct library *l, void *session)
{
	struct session *s = session;
	explicit_bzero(&s->key, sizeof(s->key));
	s->next_free = l->free;
	l->free = s;
}

static void encrypt_all(const struct library *l, uint16_t aad_len, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count)
{
	struct gcm_context_data context;
	for (uint32_t i = 0; i < count; i++) {
		const struct session *s = packets[i]->session;
		uint8_t *body = packets[i]->bytes + aad_len;
		uint16_t len = packets[i]->h.body_len;
		IMB_AES128_GCM_ENC(l->functions, &s->key, &context, body, body, len, nonces[i],
			packets[i]->bytes, aad_len, body + len, WIRE_TAG_LEN);
		packets[i]->result = SEAL_OK;
	}
}

static void decrypt_all(const struct library *l, uint16_t aad_len, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count)
{
	struct gcm_context_data context;
	uint64_t tag[WIRE_TAG_LEN / 8], sent[WIRE_TAG_LEN / 8];
	for (uint32_t i = 0; i < count; i++) {
		const struct session *s = packets[i]->session;
		uint8_t *body = packets[i]->bytes + aad_len;
		uint16_t len = packets[i]->h.body_len;
		IMB_AES128_GCM_DEC(l->functions, &s->key, &context, body, body, len, nonces[i],
			packets[i]->bytes, aad_len, (uint8_t *)tag, WIRE_TAG_LEN);
		memcpy(sent, body + len, sizeof(sent));
		/* Without a branch for each byte: how much of a forged tag is right must not show.
		 */
		packets[i]->result =
			((tag[0] ^ sent[0]) | (tag[1] ^ sent[1])) == 0 ? SEAL_OK : SEAL_TAG;
	}
}

void library_run(const struct library *l, uint16_t aad_len, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count)
{
	const struct session *first = packets[0]->session;
	if (first->encrypt)
		encrypt_all(l, aad_len, packets, nonces, count);
	else
		decrypt_all(l, aad_len, packets, nonces, count);
}

#else

int library_open(struct library **result, uint32_t count, int numa_node)
{
	(void)result;
	(void)count;
	(void)numa_node;
	return -ENOTSUP;
}

void library_close(struct library *l)
{
	(void)l;
}

/* Nothing below is ever called: there is no library to call it with. */
void *library_session(struct library *l, const uint8_t key[SEAL_PACKET_KEY_LEN], bool encrypt)
{
	(void)l;
	(void)key;
	(void)encrypt;
	return NULL;
}

void library_session_free(struct library *l, void *session)
{
	(void)l;
	(void)session;
}

void library_run(const struct library *l, uint16_t aad_len, struct seal_packet **packets,
	const device_nonce *nonces, uint32_t count)
{
	(void)l;
	(void)aad_len;
	(void)packets;
	(void)nonces;
	(void)count;
	abort();
}

#endif
