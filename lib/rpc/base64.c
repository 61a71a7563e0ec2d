#include "rpc/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	char *text = malloc((len + 2) / 3 * 4 + 1), *at = text;
	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16;
		v |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
		v |= i + 2 < len ? in[i + 2] : 0;
		*at++ = alphabet[v >> 18];
		*at++ = alphabet[v >> 12 & 63];
		*at++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
		*at++ = i + 2 < len ? alphabet[v & 63] : '=';
	}
	*at = '\0';
	return text;
}

void *base64_decode(const char *text, size_t *len)
{
	size_t chars = strlen(text);
	size_t padding = chars > 0 && text[chars - 1] == '=';
	padding += padding == 1 && chars > 1 && text[chars - 2] == '=';
	if (chars % 4 != 0)
		return NULL;
	uint8_t *bytes = malloc(chars / 4 * 3 + 1), *at = bytes;
	if (bytes == NULL)
		return NULL;
	for (size_t i = 0; i < chars; i += 4) {
		uint32_t v = 0;
		for (size_t j = i; j < i + 4; j++) {
			const char *digit =
				j < chars - padding ? strchr(alphabet, text[j]) : alphabet;
			if (digit == NULL) {
				free(bytes);
				return NULL;
			}
			v = v << 6 | (uint32_t)(digit - alphabet);
		}
		*at++ = (uint8_t)(v >> 16);
		*at++ = (uint8_t)(v >> 8);
		*at++ = (uint8_t)v;
	}
	*len = (size_t)(at - bytes) - padding;
	return bytes;
}
