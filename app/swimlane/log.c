#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_log.h>

static enum config_log threshold = LOG_INFO;
static bool journal;

static const char *const names[] = {"error", "warning", "info", "debug"};
static const int priorities[] = {3, 4, 6, 7}; /* syslog(3) */

void log_open(void)
{
	unsigned long long device, inode;
	struct stat st;
	const char *stream = getenv("JOURNAL_STREAM");
	journal = stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		  fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_level(enum config_log level)
{
	threshold = level;
}

void log_level_everywhere(enum config_log level)
{
	threshold = level;
	/* As at the start; fails only for a pattern that cannot be read. */
	(void)rte_log_set_level_pattern("*", level == LOG_DEBUG ? RTE_LOG_INFO : RTE_LOG_WARNING);
}

enum config_log log_level_now(void)
{
	return threshold;
}

const char *log_level_name(enum config_log level)
{
	return names[level];
}

/* Each line of the text by itself: the journal takes a priority from the begin of a line. */
static void to_journal(enum config_log level, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		(void)fprintf(stderr, "<%d>%.*s\n", priorities[level], (int)len, text);
		text += len + (text[len] == '\n');
	}
}

void log_line(enum config_log level, const char *format, ...)
{
	char text[1024];
	va_list args;
	if (level > threshold)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* cut off if longer */
	va_end(args);
	if (journal)
		to_journal(level, text);
	else
		(void)fprintf(stderr, "%s: %s\n", names[level], text);
}
