/* What a configuration asks of the machine, for the setup scripts: a line each, key=value, values
 * as the configuration has them. The keys are those of docs/operations.md, "Install as a service".
 */
#pragma once

#include <stdio.h>

#include "config.h"

void needs_print(FILE *out, const struct config *config);
