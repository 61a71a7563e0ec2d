/* Reads the YAML text once through libyaml's events: checks every key and value by itself against
 * the table of keys, and notes in which line each stands, for the checks that come later.
 *
 * libcyaml alone would stop at the first mistake, take any word but "false" for true, and know no
 * lines once it is done. It is run only on texts that passed here, and so never sees an alias, a
 * tag, a repeated or an unknown key.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "config_keys.h"
#include "config_mistakes.h"

enum { CONFIG_ORIGIN_KEYS_MAX = 16 };

/* Lines begin with 1; 0: the key is absent. */
struct config_lines {
	uint32_t root;
	uint32_t keys[CONFIG_KEYS_MAX]; /* as in config_keys; of lists' items: not used */
	uint32_t seeds[SW_SEEDS_MAX];
	struct config_origin_lines {
		uint32_t item;
		uint32_t keys[CONFIG_ORIGIN_KEYS_MAX]; /* from "origins[].name" on */
	} * origins;
	uint32_t origin_count;
	uint32_t origin_cap;
};

/* Mistakes go to `mistakes`. 0 or -ENOMEM; the caller calls config_lines_free() in either case. */
int config_lines_read(
	const char *text, size_t len, struct config_lines *lines, struct config_mistakes *mistakes);
void config_lines_free(struct config_lines *lines);

/* The line of a key by its path; 0: absent. The path must be in the table. */
uint32_t config_line(const struct config_lines *lines, const char *path);
/* The same of "origins[].<leaf>" of one origin. */
uint32_t config_origin_line(const struct config_origin_lines *origin, const char *leaf);
