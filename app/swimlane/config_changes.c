#include "config_changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "config_lines.h"
#include "config_mistakes.h"
#include "config_schema.h"

struct side {
	struct config_lines lines;
	struct config_file *file;
};

static int load(struct side *side, const char *text, size_t len)
{
	struct config_mistakes *mistakes = calloc(1, sizeof(*mistakes));
	*side = (struct side){.lines = {.root = 1}};
	if (mistakes == NULL)
		return -ENOMEM;
	int rc = config_lines_read(text, len, &side->lines, mistakes);
	if (rc == 0)
		rc = config_file_load(text, len, &side->lines, &side->file, mistakes);
	free(mistakes);
	return rc;
}

static void unload(struct side *side)
{
	if (side->file != NULL)
		config_file_free(side->file);
	config_lines_free(&side->lines);
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_scalar(const struct config_key *key, const char *a, const char *b)
{
	if (key->type == KEY_TEXT)
		return same_text(*(char *const *)a, *(char *const *)b);
	return memcmp(a, b, key->size) == 0;
}

static bool same_item(const struct config_key *list, const char *a, const char *b)
{
	if (list->type == KEY_TEXTS)
		return same_text(*(char *const *)a, *(char *const *)b);
	if (list->type == KEY_NUMBERS)
		return memcmp(a, b, list->size) == 0;
	for (uint32_t i = 0; i < config_key_count; i++)
		if (config_key_in(&config_keys[i], list) &&
			!same_scalar(&config_keys[i], a + config_keys[i].offset,
				b + config_keys[i].offset))
			return false;
	return true;
}

static bool same_list(const struct config_key *key, const char *a, const char *b)
{
	uint32_t count, other;
	memcpy(&count, a + key->count_offset, sizeof(count));
	memcpy(&other, b + key->count_offset, sizeof(other));
	const char *x = *(char *const *)(a + key->offset), *y = *(char *const *)(b + key->offset);
	if (count != other)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!same_item(key, x + i * key->size, y + i * key->size))
			return false;
	return true;
}

static bool same(const struct config_key *key, const struct side *a, const struct side *b)
{
	const char *x = (const char *)a->file, *y = (const char *)b->file;
	switch (key->type) {
	case KEY_SECTION: return true; /* its keys tell */
	case KEY_SECTIONS:
	case KEY_TEXTS:
	case KEY_NUMBERS: return same_list(key, x, y);
	default: return same_scalar(key, x + key->offset, y + key->offset);
	}
}

int config_changes(const char *before, size_t before_len, const char *after, size_t after_len,
	const struct config_key *changed[CONFIG_KEYS_MAX])
{
	struct side a, b;
	int rc = load(&a, before, before_len), count = 0;
	int other = load(&b, after, after_len);
	if (rc == 0 && other == 0)
		for (uint32_t i = 0; i < config_key_count; i++) {
			const struct config_key *key = &config_keys[i];
			if (strstr(key->path, "[]") == NULL && !same(key, &a, &b))
				changed[count++] = key;
		}
	unload(&a);
	unload(&b);
	return rc < 0 ? rc : other < 0 ? other : count;
}
