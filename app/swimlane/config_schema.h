/* Loads the checked text into struct config_file through libcyaml, with a schema built from the
 * table of keys, and fills in the defaults (libcyaml 1.3 has none).
 */
#pragma once

#include <stddef.h>

#include "config_file.h"
#include "config_lines.h"
#include "config_mistakes.h"

/* Only for text in which config_lines_read() found no mistake. 0; -EINVAL with mistakes; -ENOMEM.
 */
int config_file_load(const char *text, size_t len, const struct config_lines *lines,
	struct config_file **file, struct config_mistakes *mistakes);
void config_file_free(struct config_file *file);
