#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static enum config_log threshold = LOG_INFO;

void log_level(enum config_log level)
{
	threshold = level;
}

void log_line(enum config_log level, const char *format, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char text[1024];
	va_list args;
	if (level > threshold)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* cut off if longer */
	va_end(args);
	(void)fprintf(stderr, "%s: %s\n", names[level], text);
}
