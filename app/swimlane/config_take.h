/* From the loaded keys to struct config: units, default identity, values that depend on others. */
#pragma once

#include "config.h"
#include "config_file.h"
#include "config_lines.h"
#include "config_mistakes.h"

/* Every single value was checked before; cannot fail. Origins are left alone. */
void config_take(
	const struct config_file *file, const struct config_lines *lines, struct config *config);

/* The origins, each read by lib/health, so that its rules exist once. 0, -EINVAL with mistakes, or
 * -ENOMEM. */
int config_take_origins(const struct config_file *file, const struct config_lines *lines,
	struct config *config, struct config_mistakes *mistakes);
