#include "config_take.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "config_text.h"

enum { PATH_LEN_MAX = 64 };

static int set(
	json_t *json, const struct config_origin_lines *lines, const char *key, json_t *value)
{
	if (config_origin_line(lines, key) == 0) {
		json_decref(value);
		return 0;
	}
	return json_object_set_new(json, key, value);
}

/* Only what the file gives: the defaults are lib/health's. NULL: out of memory. */
static json_t *to_json(
	const struct config_file_origin *origin, const struct config_origin_lines *lines)
{
	json_t *json = json_object();
	int failed = json == NULL;
	failed |= set(json, lines, "url", json_string(origin->url));
	failed |= set(json, lines, "host", json_string(origin->host));
	failed |= set(json, lines, "expect_body", json_string(origin->expect_body));
	failed |= set(json, lines, "interval_ms", json_integer(origin->interval_ms));
	failed |= set(json, lines, "headers", json_string(origin->headers));
	failed |= set(json, lines, "expect_headers", json_string(origin->expect_headers));
	failed |= set(json, lines, "fast_interval_ms", json_integer(origin->fast_interval_ms));
	failed |= set(json, lines, "jitter_pct", json_integer(origin->jitter_pct));
	failed |= set(json, lines, "timeout_ms", json_integer(origin->timeout_ms));
	failed |= set(json, lines, "rise", json_integer(origin->rise));
	failed |= set(json, lines, "fall", json_integer(origin->fall));
	failed |= set(json, lines, "expect_status", json_string(origin->expect_status));
	failed |= set(json, lines, "verify_tls", json_boolean(origin->verify_tls));
	if (failed == 0)
		return json;
	json_decref(json);
	return NULL;
}

/* lib/health says "key: what is wrong": the key finds the line. */
static void tell(uint32_t index, const struct config_origin_lines *lines, const char *error,
	struct config_mistakes *mistakes)
{
	char path[PATH_LEN_MAX], key[PATH_LEN_MAX / 2];
	size_t len = strcspn(error, ":");
	uint32_t line = lines->item;
	(void)snprintf(path, sizeof(path), "origins[%u]", index);
	if (error[len] == ':' && len < sizeof(key)) {
		memcpy(key, error, len);
		key[len] = '\0';
		if (config_origin_line(lines, key) != 0) {
			line = config_origin_line(lines, key);
			(void)snprintf(path, sizeof(path), "origins[%u].%s", index, key);
			error += len + 1;
			error += strspn(error, " ");
		}
	}
	mistakes_add(mistakes, line, path, "%s; correct it", error);
}

static int take_one(const struct config_file_origin *from, uint32_t index,
	const struct config_origin_lines *lines, struct health_origin *origin,
	struct config_mistakes *mistakes)
{
	char error[HEALTH_ERROR_MAX] = "";
	json_t *json = to_json(from, lines);
	if (json == NULL)
		return -ENOMEM;
	int rc = health_origin_from_json(from->name, json, origin, error, sizeof(error));
	json_decref(json);
	if (rc < 0)
		tell(index, lines, error, mistakes);
	return rc;
}

struct named {
	const char *name;
	uint32_t index;
};

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int check_unique(const struct config_file *file, const struct config_lines *lines,
	struct config_mistakes *mistakes)
{
	char path[PATH_LEN_MAX];
	struct named *sorted = calloc(file->origins_count, sizeof(*sorted));
	if (sorted == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < file->origins_count; i++)
		sorted[i] = (struct named){file->origins[i].name, i};
	qsort(sorted, file->origins_count, sizeof(*sorted), by_name);

	int rc = 0;
	for (uint32_t i = 1; i < file->origins_count; i++) {
		if (strcmp(sorted[i - 1].name, sorted[i].name) != 0)
			continue;
		uint32_t index = sorted[i].index;
		(void)snprintf(path, sizeof(path), "origins[%u].name", index);
		mistakes_add(mistakes, config_origin_line(&lines->origins[index], "name"), path,
			"'%.60s' is the name of origins[%u] (line %u) too; give each its own",
			sorted[i].name, sorted[i - 1].index,
			config_origin_line(&lines->origins[sorted[i - 1].index], "name"));
		rc = -EINVAL;
	}
	free(sorted);
	return rc;
}

int config_take_origins(const struct config_file *file, const struct config_lines *lines,
	struct config *config, struct config_mistakes *mistakes)
{
	int result = 0;
	if (file->origins_count == 0)
		return 0;
	config->origins = calloc(file->origins_count, sizeof(*config->origins));
	if (config->origins == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < file->origins_count && result != -ENOMEM; i++) {
		int rc = take_one(
			&file->origins[i], i, &lines->origins[i], &config->origins[i], mistakes);
		if (rc < 0)
			result = rc;
	}
	config->origin_count = file->origins_count;
	if (result == -ENOMEM)
		return result;
	int rc = check_unique(file, lines, mistakes);
	return rc < 0 ? rc : result;
}
