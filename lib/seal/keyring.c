#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "seal/seal.h"

enum { LINE_MAX_LEN = 255 };

__attribute__((format(printf, 2, 3))) static int wrong(char *error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(error, SEAL_ERROR_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

const struct seal_key *seal_keyring_find(const struct seal_keyring *ring, uint8_t id)
{
	for (uint32_t i = 0; i < ring->count; i++)
		if (ring->keys[i].id == id)
			return &ring->keys[i];
	return NULL;
}

void seal_keyring_wipe(struct seal_keyring *ring)
{
	explicit_bzero(ring, sizeof(*ring));
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_bytes(const char *hex, uint8_t *bytes)
{
	if (strlen(hex) != 2 * (size_t)SEAL_CLUSTER_KEY_LEN)
		return false;
	for (size_t i = 0; i < SEAL_CLUSTER_KEY_LEN; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool parse_id(const char *text, uint8_t *id)
{
	unsigned value = 0;
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < '0' || *c > '9' || value > 255)
			return false;
		value = 10 * value + (unsigned)(*c - '0');
	}
	*id = (uint8_t)value;
	return text[0] != '\0' && text[0] != '0' && value <= 255;
}

/* One line without its comment. Messages never repeat the line: it may be a key. */
static int parse_line(
	const char *name, unsigned number, char *line, struct seal_keyring *ring, char *error)
{
	static const char blank[] = " \t\r";
	char *rest = NULL;
	char *id = strtok_r(line, blank, &rest);
	if (id == NULL)
		return 0;
	char *hex = strtok_r(NULL, blank, &rest);
	char *send = hex == NULL ? NULL : strtok_r(NULL, blank, &rest);
	struct seal_key key;
	if (!parse_id(id, &key.id))
		return wrong(error,
			"%s:%u: does not begin with a key id from 1 to 255; a line is ID HEX, and "
			"send behind the key that is used for sending",
			name, number);
	if (hex == NULL || !parse_bytes(hex, key.bytes))
		return wrong(error, "%s:%u: key %u is not %d hexadecimal digits", name, number,
			key.id, 2 * SEAL_CLUSTER_KEY_LEN);
	if (send != NULL && (strcmp(send, "send") != 0 || strtok_r(NULL, blank, &rest) != NULL))
		return wrong(error, "%s:%u: behind key %u may stand nothing but the word send",
			name, number, key.id);
	if (seal_keyring_find(ring, key.id) != NULL)
		return wrong(error, "%s:%u: key %u is there twice; give each key an id of its own",
			name, number, key.id);
	if (ring->count == SEAL_KEYS_MAX)
		return wrong(error, "%s:%u: more than %d keys; remove those that are used no more",
			name, number, SEAL_KEYS_MAX);
	if (send != NULL && ring->send_id != 0)
		return wrong(error, "%s:%u: keys %u and %u are both for sending; mark one", name,
			number, ring->send_id, key.id);
	for (uint32_t i = 0; i < ring->count; i++)
		if (memcmp(ring->keys[i].bytes, key.bytes, sizeof(key.bytes)) == 0)
			return wrong(error, "%s:%u: keys %u and %u are the same; make a new one",
				name, number, ring->keys[i].id, key.id);
	if (send != NULL)
		ring->send_id = key.id;
	ring->keys[ring->count++] = key;
	explicit_bzero(&key, sizeof(key));
	return 0;
}

int seal_keyring_parse(
	const char *name, const char *text, size_t len, struct seal_keyring *ring, char *error)
{
	char line[LINE_MAX_LEN + 1];
	unsigned number = 0;
	int rc = 0;
	*ring = (struct seal_keyring){.count = 0};
	for (size_t at = 0; at < len && rc == 0; number++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t whole = end == NULL ? len - at : (size_t)(end - text) - at;
		const char *comment = memchr(text + at, '#', whole);
		size_t n = comment == NULL ? whole : (size_t)(comment - text) - at;
		if (n > LINE_MAX_LEN || memchr(text + at, '\0', n) != NULL) {
			rc = wrong(error, "%s:%u: is no line of a keyring", name, number + 1);
		} else {
			memcpy(line, text + at, n);
			line[n] = '\0';
			rc = parse_line(name, number + 1, line, ring, error);
		}
		at += whole + 1;
	}
	if (rc == 0 && ring->count == 0)
		rc = wrong(error, "%s: holds no key; make one with swimlanectl key new", name);
	if (rc == 0 && ring->send_id == 0)
		rc = wrong(error,
			"%s: no key is marked send; mark one with swimlanectl key use FILE ID",
			name);
	explicit_bzero(line, sizeof(line));
	if (rc < 0)
		seal_keyring_wipe(ring);
	return rc;
}

int seal_keyring_add(struct seal_keyring *ring, uint8_t *id, char *error)
{
	unsigned next = 1;
	if (ring->count == SEAL_KEYS_MAX) {
		(void)wrong(
			error, "the keyring has %d keys already; remove one first", SEAL_KEYS_MAX);
		return -ENOSPC;
	}
	/* Above all others, so that ids are not used again soon. */
	for (uint32_t i = 0; i < ring->count; i++)
		next = ring->keys[i].id >= next ? ring->keys[i].id + 1u : next;
	for (unsigned i = 1; next > 255; i++)
		if (seal_keyring_find(ring, (uint8_t)i) == NULL)
			next = i;
	struct seal_key *key = &ring->keys[ring->count];
	if (getrandom(key->bytes, sizeof(key->bytes), 0) != (ssize_t)sizeof(key->bytes)) {
		(void)wrong(error, "the kernel gives no random numbers: %s", strerror(errno));
		return -EIO;
	}
	key->id = (uint8_t)next;
	*id = key->id;
	ring->count++;
	if (ring->send_id == 0)
		ring->send_id = key->id;
	return 0;
}
