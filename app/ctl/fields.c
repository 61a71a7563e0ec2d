#include "fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/base64.h"
#include "text.h"
#include "units.h"

const char *field_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL && *text != '\0' ? text : "-";
}

int64_t field_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	if (!json_is_real(value))
		return (int64_t)json_integer_value(value);
	double real = json_real_value(value);
	return real > -9e18 && real < 9e18 ? (int64_t)real : 0;
}

bool field_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

bool field_given(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return value != NULL && !json_is_null(value);
}

char *field_value_text(const json_t *value, char *text)
{
	const char *plain = json_string_value(value);
	if (json_is_null(value) || value == NULL || (plain != NULL && *plain == '\0')) {
		(void)strcpy(text, "-");
	} else if (plain != NULL) {
		(void)snprintf(text, FIELD_TEXT_MAX, "%s", plain);
	} else if (json_is_boolean(value)) {
		(void)strcpy(text, json_is_true(value) ? "yes" : "no");
	} else if (json_is_integer(value)) {
		(void)snprintf(
			text, FIELD_TEXT_MAX, "%" PRId64, (int64_t)json_integer_value(value));
	} else if (json_is_real(value)) {
		(void)snprintf(text, FIELD_TEXT_MAX, "%.4g", json_real_value(value));
	} else {
		char *json = json_dumps(value, JSON_COMPACT);
		(void)snprintf(text, FIELD_TEXT_MAX, "%s", json != NULL ? json : "-");
		free(json);
	}
	return text;
}

char *field_any(const json_t *object, const char *name, char *text)
{
	return field_value_text(json_object_get(object, name), text);
}

char *field_dot(const json_t *object, const char *name, char *text)
{
	const json_t *dot = json_object_get(object, name);
	if (!json_is_object(dot))
		(void)strcpy(text, "-");
	else
		(void)snprintf(text, FIELD_TEXT_MAX, "%s@%" PRId64 ":%" PRId64,
			field_text(dot, "server"), field_number(dot, "epoch"),
			field_number(dot, "seq"));
	return text;
}

char *field_value_bytes(const json_t *record, size_t *len)
{
	const json_t *value = json_object_get(record, "value");
	const char *base64 = json_string_value(json_object_get(record, "value_base64"));
	if (json_is_string(value)) {
		*len = json_string_length(value);
		return text_copy(json_string_value(value), *len);
	}
	return base64 != NULL ? base64_decode(base64, len) : NULL;
}

char *field_ago(const json_t *object, const char *name, char *text)
{
	int64_t at_ms = field_number(object, name);
	if (at_ms <= 0)
		(void)strcpy(text, "-");
	else
		(void)units_age_ms(units_now_ms() - at_ms, text);
	return text;
}
