#include "health/origin_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int origin_refuse(const struct parse *parse, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(parse->error, parse->error_len, format, args);
	va_end(args);
	return -EINVAL;
}

int origin_text(const struct parse *parse, const char *key, char *text, size_t cap)
{
	json_t *field = json_object_get(parse->json, key);
	if (!field)
		return 0;
	if (!json_is_string(field))
		return origin_refuse(parse, "%s: must be a text", key);
	size_t len = json_string_length(field);
	if (len >= cap || strlen(json_string_value(field)) != len)
		return origin_refuse(
			parse, "%s: must be at most %zu bytes, none of them 0", key, cap - 1);
	memcpy(text, json_string_value(field), len + 1);
	return 0;
}

int origin_number(
	const struct parse *parse, const char *key, uint32_t min, uint32_t max, uint32_t *number)
{
	json_t *field = json_object_get(parse->json, key);
	if (!field)
		return 0;
	json_int_t value = json_integer_value(field);
	if (!json_is_integer(field) || value < min || value > max)
		return origin_refuse(parse, "%s: must be a number from %u to %u", key, min, max);
	*number = (uint32_t)value;
	return 0;
}
