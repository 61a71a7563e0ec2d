/* What keys of the configuration demand of one another. */
#pragma once

#include "config.h"
#include "config_file.h"
#include "config_lines.h"
#include "config_mistakes.h"

/* `config` holds what config_take() made of `file`. */
void config_check_relations(const struct config_file *file, const struct config *config,
	const struct config_lines *lines, struct config_mistakes *mistakes);
