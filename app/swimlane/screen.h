/* The screen that the appliance prints at its start. */
#pragma once

#include <stdio.h>

#include "start.h"

void screen_print(FILE *out, const struct appliance *app, const struct start_info *info);
