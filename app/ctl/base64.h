/* Base64 with padding (RFC 4648, section 4). */
#pragma once

#include <stddef.h>

/* To be freed. */
char *base64_encode(const void *bytes, size_t len);
/* To be freed, and *len set; NULL if text is not base64. */
void *base64_decode(const char *text, size_t *len);
