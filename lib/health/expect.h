/* What an answer must be like: status ranges and header lines of an origin. */
#pragma once

#include "health/origin_text.h"

/* "expect_status": 200, or "200,204,300-399". 0 or -EINVAL. */
int expect_status_from_json(const struct parse *parse, struct health_origin *origin);
json_t *expect_status_to_json(const struct health_origin *origin);
bool expect_status_equal(const struct health_origin *a, const struct health_origin *b);
bool expect_status_has(const struct health_origin *origin, long status);
/* "200, 204 or 300-399"; "2xx or 3xx" if none is given. */
void expect_status_words(const struct health_origin *origin, char *text, size_t len);

/* An object of texts, or one text of lines, as lines of "Name: value\n". 0 or -EINVAL. */
int headers_from_json(const struct parse *parse, const char *key, char lines[HEALTH_HEADERS_BYTES]);
/* Nothing is set if there are no lines. 0, or -1: out of memory. */
int headers_to_json(json_t *json, const char *key, const char *lines);
/* The next line without its newline, as name and value; false after the last. *at is 0 at first. */
bool headers_next(const char *lines, size_t *at, char name[HEALTH_HEADERS_BYTES],
	char value[HEALTH_HEADERS_BYTES]);
/* Crosses out of `missing` (bit i: line i is still missing) the lines that this header of an answer
 * meets: the same name in any case, and their text in its value. */
void headers_meet(const char *lines, const char *header, size_t len, uint32_t *missing);
uint32_t headers_count(const char *lines);
