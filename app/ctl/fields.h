/* Fields of an answer. An answer may come from an older or newer server: what is absent or of
 * another type prints as "-" and counts as 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

enum { FIELD_TEXT_MAX = 128 };

const char *field_text(const json_t *object, const char *name); /* "-" if not a string or empty */
int64_t field_number(const json_t *object, const char *name);
bool field_true(const json_t *object, const char *name);
bool field_given(const json_t *object, const char *name); /* there, and not null */

/* Any value in `text` (FIELD_TEXT_MAX bytes; cut if longer), which is returned. */
char *field_any(const json_t *object, const char *name, char *text);
char *field_value_text(const json_t *value, char *text);
/* {server, epoch, seq} as "server@epoch:seq" */
char *field_dot(const json_t *object, const char *name, char *text);

/* The bytes of a record's value, from "value" or "value_base64". To be freed; NULL if there are
 * none. */
char *field_value_bytes(const json_t *record, size_t *len);

/* How long ago a field of milliseconds of the UNIX epoch was; "-" if it is absent or 0. */
char *field_ago(const json_t *object, const char *name, char *text);
