/* Lines for the operator, on standard error: "level: text". Control core only. */
#pragma once

#include "config.h"

void log_level(enum config_log level);
void log_line(enum config_log level, const char *format, ...) __attribute__((format(printf, 2, 3)));
