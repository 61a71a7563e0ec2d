/* What differs between two texts of the configuration. Both are right: config_load() took them. */
#pragma once

#include "config.h"
#include "config_keys.h"

/* Writes the keys that differ, in the table's order (lists of sections by their own key), at most
 * CONFIG_KEYS_MAX; their number, or -errno. What is not given counts as its default. */
int config_changes(const char *before, size_t before_len, const char *after, size_t after_len,
	const struct config_key *changed[CONFIG_KEYS_MAX]);
