/* Fields of an origin's definition out of JSON, each refused with its key and what is wrong. */
#pragma once

#include "health/health.h"

struct parse {
	json_t *json;
	char *error;
	size_t error_len;
};

/* -EINVAL */
__attribute__((format(printf, 2, 3))) int origin_refuse(
	const struct parse *parse, const char *format, ...);

/* An absent key leaves what is there. */
int origin_text(const struct parse *parse, const char *key, char *text, size_t cap);
int origin_number(
	const struct parse *parse, const char *key, uint32_t min, uint32_t max, uint32_t *number);
