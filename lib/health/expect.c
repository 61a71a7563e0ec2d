#include "health/expect.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STATUS_MIN = 200, STATUS_MAX = 599 };

/* ---- status ---- */

static bool read_status(const char **text, uint16_t *status)
{
	char *end;
	if (!isdigit((unsigned char)**text))
		return false;
	unsigned long number = strtoul(*text, &end, 10);
	*text = end;
	*status = (uint16_t)number;
	return number >= STATUS_MIN && number <= STATUS_MAX;
}

static bool read_range(const char **text, struct health_status_range *range)
{
	if (!read_status(text, &range->first))
		return false;
	range->last = range->first;
	if (**text != '-')
		return true;
	(*text)++;
	return read_status(text, &range->last) && range->last >= range->first;
}

static int read_ranges(const struct parse *parse, const char *text, struct health_origin *origin)
{
	for (const char *at = text;;) {
		struct health_status_range range;
		if (origin->expect_status_count == HEALTH_STATUS_RANGES_MAX)
			return origin_refuse(parse, "expect_status: more than %d ranges",
				HEALTH_STATUS_RANGES_MAX);
		if (!read_range(&at, &range) || (*at != '\0' && *at != ','))
			return origin_refuse(parse,
				"expect_status: \"%.40s\" is not a list of statuses from %d to "
				"%d, as in \"200,204,300-399\"",
				text, STATUS_MIN, STATUS_MAX);
		origin->expect_status[origin->expect_status_count++] = range;
		if (*at == '\0')
			return 0;
		at++;
	}
}

int expect_status_from_json(const struct parse *parse, struct health_origin *origin)
{
	json_t *field = json_object_get(parse->json, "expect_status");
	json_int_t number = json_integer_value(field);
	if (!field || (json_is_integer(field) && number == 0))
		return 0;
	if (json_is_string(field))
		return read_ranges(parse, json_string_value(field), origin);
	if (!json_is_integer(field) || number < STATUS_MIN || number > STATUS_MAX)
		return origin_refuse(parse,
			"expect_status: must be 0 (any 2xx or 3xx), %d to %d, or a list as in "
			"\"200,204,300-399\"",
			STATUS_MIN, STATUS_MAX);
	origin->expect_status[0] = (struct health_status_range){(uint16_t)number, (uint16_t)number};
	origin->expect_status_count = 1;
	return 0;
}

static void write_ranges(const struct health_origin *origin, const char *separator,
	const char *last_separator, char *text, size_t len)
{
	size_t at = 0;
	text[0] = '\0';
	for (uint8_t i = 0; i < origin->expect_status_count; i++) {
		const struct health_status_range *r = &origin->expect_status[i];
		bool last = i + 1 == origin->expect_status_count;
		const char *before = i == 0 ? "" : last ? last_separator : separator;
		if (at >= len)
			return;
		at += (size_t)snprintf(text + at, len - at,
			r->first == r->last ? "%s%u" : "%s%u-%u", before, r->first, r->last);
	}
}

json_t *expect_status_to_json(const struct health_origin *origin)
{
	const struct health_status_range *first = &origin->expect_status[0];
	char text[HEALTH_STATUS_RANGES_MAX * 8 + 1];
	if (origin->expect_status_count == 0)
		return json_integer(0);
	if (origin->expect_status_count == 1 && first->first == first->last)
		return json_integer(first->first);
	write_ranges(origin, ",", ",", text, sizeof(text));
	return json_string(text);
}

void expect_status_words(const struct health_origin *origin, char *text, size_t len)
{
	if (origin->expect_status_count == 0)
		(void)snprintf(text, len, "2xx or 3xx");
	else
		write_ranges(origin, ", ", " or ", text, len);
}

bool expect_status_equal(const struct health_origin *a, const struct health_origin *b)
{
	return a->expect_status_count == b->expect_status_count &&
	       memcmp(a->expect_status, b->expect_status,
		       a->expect_status_count * sizeof(a->expect_status[0])) == 0;
}

bool expect_status_has(const struct health_origin *origin, long status)
{
	if (origin->expect_status_count == 0)
		return status >= 200 && status <= 399;
	for (uint8_t i = 0; i < origin->expect_status_count; i++)
		if (status >= origin->expect_status[i].first &&
			status <= origin->expect_status[i].last)
			return true;
	return false;
}

/* ---- headers ---- */

/* RFC 9110, 5.6.2 (token) and 5.5 (field values): nothing that could end the line. */
static bool is_header_name(const char *name)
{
	if (name[0] == '\0')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("!#$%&'*+-.^_`|~", *name))
			return false;
	return true;
}

static bool is_header_value(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return false;
	return true;
}

static int add_header(const struct parse *parse, const char *key, const char *name,
	const char *value, char lines[HEALTH_HEADERS_BYTES])
{
	size_t at = strlen(lines), room = HEALTH_HEADERS_BYTES - at;
	if (!is_header_name(name))
		return origin_refuse(parse, "%s: \"%.40s\" is not a header's name", key, name);
	if (strcasecmp(name, "host") == 0)
		return origin_refuse(parse, "%s: Host has a key of its own: host", key);
	if (!is_header_value(value))
		return origin_refuse(parse, "%s: %.40s holds control characters", key, name);
	if (headers_count(lines) == HEALTH_HEADERS_MAX)
		return origin_refuse(parse, "%s: more than %d", key, HEALTH_HEADERS_MAX);
	int len = snprintf(lines + at, room, "%s: %s\n", name, value);
	if (len < 0 || (size_t)len >= room)
		return origin_refuse(
			parse, "%s: more than %d bytes", key, HEALTH_HEADERS_BYTES - 1);
	return 0;
}

/* "Name: value", a line each. */
static int headers_from_text(const struct parse *parse, const char *key, const char *text,
	char lines[HEALTH_HEADERS_BYTES])
{
	char name[HEALTH_HEADERS_BYTES], value[HEALTH_HEADERS_BYTES];
	while (*text) {
		size_t len = strcspn(text, "\n"), name_len = strcspn(text, ":\n");
		if (len >= sizeof(value) || name_len >= len)
			return origin_refuse(parse,
				"%s: \"%.*s\" is not a header, as in \"X-Check: 1\"", key,
				(int)(len < 40 ? len : 40), text);
		size_t value_at = name_len + 1 + strspn(text + name_len + 1, " \t");
		value_at = value_at < len ? value_at : len;
		(void)snprintf(name, sizeof(name), "%.*s", (int)name_len, text);
		(void)snprintf(
			value, sizeof(value), "%.*s", (int)(len - value_at), text + value_at);
		int rc = add_header(parse, key, name, value, lines);
		if (rc < 0)
			return rc;
		text += len + (text[len] == '\n');
	}
	return 0;
}

int headers_from_json(const struct parse *parse, const char *key, char lines[HEALTH_HEADERS_BYTES])
{
	json_t *field = json_object_get(parse->json, key), *value;
	const char *name;
	int rc = 0;
	if (!field)
		return 0;
	if (json_is_string(field) && strlen(json_string_value(field)) == json_string_length(field))
		return headers_from_text(parse, key, json_string_value(field), lines);
	if (!json_is_object(field))
		return origin_refuse(parse,
			"%s: must be an object of names and texts, as in {\"X-Check\": \"1\"}",
			key);
	json_object_foreach(field, name, value)
	{
		const char *text = json_string_value(value);
		if (!text || strlen(text) != json_string_length(value))
			return origin_refuse(parse, "%s: %.40s must be a text", key, name);
		rc = add_header(parse, key, name, text, lines);
		if (rc < 0)
			return rc;
	}
	return 0;
}

bool headers_next(const char *lines, size_t *at, char name[HEALTH_HEADERS_BYTES],
	char value[HEALTH_HEADERS_BYTES])
{
	const char *line = lines + *at;
	const char *colon = strchr(line, ':'), *end = strchr(line, '\n');
	if (!colon || !end)
		return false;
	memcpy(name, line, (size_t)(colon - line));
	name[colon - line] = '\0';
	memcpy(value, colon + 2, (size_t)(end - colon - 2));
	value[end - colon - 2] = '\0';
	*at += (size_t)(end - line) + 1;
	return true;
}

int headers_to_json(json_t *json, const char *key, const char *lines)
{
	char name[HEALTH_HEADERS_BYTES], value[HEALTH_HEADERS_BYTES];
	size_t at = 0;
	if (lines[0] == '\0')
		return 0;
	json_t *object = json_object();
	int failed = object ? 0 : -1;
	while (failed == 0 && headers_next(lines, &at, name, value))
		failed = json_object_set_new(object, name, json_string(value));
	if (failed == 0)
		return json_object_set_new(json, key, object);
	json_decref(object);
	return -1;
}

uint32_t headers_count(const char *lines)
{
	uint32_t count = 0;
	for (; *lines; lines++)
		count += *lines == '\n';
	return count;
}

void headers_meet(const char *lines, const char *header, size_t len, uint32_t *missing)
{
	char name[HEALTH_HEADERS_BYTES], value[HEALTH_HEADERS_BYTES];
	size_t at = 0;
	for (uint32_t i = 0; headers_next(lines, &at, name, value); i++) {
		size_t name_len = strlen(name), value_len = strlen(value);
		if (len <= name_len || header[name_len] != ':' ||
			strncasecmp(header, name, name_len) != 0)
			continue;
		if (value_len == 0 ||
			memmem(header + name_len + 1, len - name_len - 1, value, value_len))
			*missing &= ~(1u << i);
	}
}
