/* One value of the configuration against its row of the table. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config_keys.h"
#include "config_mistakes.h"

/* Checks the text of one value (of lists: of one item); tells what is wrong under `path`. */
void config_value_check(const struct config_key *key, const char *text, size_t len, uint32_t line,
	const char *path, struct config_mistakes *mistakes);

/* Writes the key's default into `base` (the struct that key->offset counts in), texts from
 * config_memory(). 0 or -ENOMEM. */
int config_value_default(const struct config_key *key, void *base);

/* What is allowed, in words: "a number from 1 to 65535". Returns `words`. */
const char *config_value_words(const struct config_key *key, char *words, size_t cap);
