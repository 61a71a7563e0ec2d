/* Numbers with their units, for people. Each writes into `text` (UNITS_TEXT_MAX bytes) and returns
 * it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { UNITS_TEXT_MAX = 48 };

/* "850 us", "1.25 ms", "3.20 s" */
char *units_latency_us(double us, char *text);
/* "40 ms", "3.2 s", "4.5 min", "3.1 h", "12.0 d"; below zero (another clock): "0 ms" */
char *units_age_ms(int64_t ms, char *text);
/* "1,234,567" */
char *units_count(int64_t count, char *text);
/* "812 B", "1.2 KiB", "3.4 MiB" */
char *units_bytes(int64_t bytes, char *text);
/* "2024-05-01 12:00:03.250" in the local time zone, of milliseconds of the UNIX epoch */
char *units_wall_ms(int64_t ms, char *text);
/* Milliseconds of the UNIX epoch. */
int64_t units_now_ms(void);

/* "500ms", "5s", "1.5m", "2h", "5" (seconds) into whole milliseconds of 1 to INT32_MAX. */
bool units_parse_duration(const char *text, int *ms);
