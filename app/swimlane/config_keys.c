#include "config_keys.h"

#include <stdlib.h>
#include <string.h>

const struct config_key *config_key_find(const char *path)
{
	for (uint32_t i = 0; i < config_key_count; i++) {
		if (strcmp(config_keys[i].path, path) == 0)
			return &config_keys[i];
	}
	return NULL;
}

const char *config_key_leaf(const struct config_key *key)
{
	const char *dot = strrchr(key->path, '.');
	return dot == NULL ? key->path : dot + 1;
}

bool config_key_in(const struct config_key *key, const struct config_key *section)
{
	const char *leaf = config_key_leaf(key);
	if (section == NULL)
		return leaf == key->path;
	size_t len = strlen(section->path);
	if (strncmp(key->path, section->path, len) != 0)
		return false;
	const char *rest = key->path + len;
	if (strncmp(rest, "[]", 2) == 0)
		rest += 2;
	return rest[0] == '.' && rest + 1 == leaf;
}

const struct config_key *config_key_child(const struct config_key *section, const char *name)
{
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (config_key_in(key, section) && strcmp(config_key_leaf(key), name) == 0)
			return key;
	}
	return NULL;
}

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t least = a < b ? a : b;
	return least < c ? least : c;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b: optimal string alignment. */
static uint32_t distance(const char *a, const char *b)
{
	uint32_t row[3][CONFIG_PATH_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);
	if (a_len > CONFIG_PATH_MAX || b_len > CONFIG_PATH_MAX)
		return UINT32_MAX;

	for (uint32_t j = 0; j <= b_len; j++)
		row[0][j] = j;
	for (uint32_t i = 1; i <= a_len; i++) {
		uint32_t *now = row[i % 3], *before = row[(i + 2) % 3],
			 *two_before = row[(i + 1) % 3];
		now[0] = i;
		for (uint32_t j = 1; j <= b_len; j++) {
			uint32_t other = a[i - 1] != b[j - 1];
			now[j] = min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + other);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				two_before[j - 2] + 1 < now[j])
				now[j] = two_before[j - 2] + 1;
		}
	}
	return row[a_len % 3][b_len];
}

/* Two edits, or a third of a long name: farther away it is no slip of the finger. */
static uint32_t near_enough(const char *name)
{
	uint32_t third = (uint32_t)strlen(name) / 3;
	return third < 2 ? third + 1 : (third > 4 ? 4 : third);
}

const struct config_key *config_key_nearest(const struct config_key *section, const char *name)
{
	const struct config_key *best = NULL;
	uint32_t best_distance = near_enough(name) + 1;
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (!config_key_in(key, section))
			continue;
		const char *leaf = config_key_leaf(key);
		uint32_t d = distance(name, leaf);
		/* A key without its unit, such as `probe_interval`. */
		size_t len = strlen(name);
		if (len > 3 && strncmp(leaf, name, len) == 0 && leaf[len] == '_')
			d = 1;
		if (d < best_distance) {
			best = key;
			best_distance = d;
		}
	}
	for (uint32_t i = 0; best == NULL && i < config_key_count; i++) {
		if (strcmp(config_key_leaf(&config_keys[i]), name) == 0)
			best = &config_keys[i];
	}
	return best;
}

const char *config_choice_nearest(const struct config_key *key, const char *text)
{
	const char *best = NULL;
	uint32_t best_distance = near_enough(text) + 1;
	for (uint32_t i = 0; i < key->choice_count; i++) {
		uint32_t d = distance(text, key->choices[i].str);
		if (d < best_distance) {
			best = key->choices[i].str;
			best_distance = d;
		}
	}
	return best;
}
