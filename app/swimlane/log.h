/* Lines for the operator, on standard error: "level: text"; where that is the journal, "<N>text"
 * with the level as syslog's priority (sd-daemon(3)), because the journal keeps levels and times
 * itself. Control core only.
 */
#pragma once

#include "config.h"

/* Looks whether standard error is the journal's ($JOURNAL_STREAM). Before that it is not. */
void log_open(void);
void log_level(enum config_log level);
/* DPDK's own messages too; once it has started. */
void log_level_everywhere(enum config_log level);
enum config_log log_level_now(void);
const char *log_level_name(enum config_log level);
void log_line(enum config_log level, const char *format, ...) __attribute__((format(printf, 2, 3)));
