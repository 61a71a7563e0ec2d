#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *write_unit(char *text, double value, int decimals, const char *unit)
{
	(void)snprintf(text, UNITS_TEXT_MAX, "%.*f %s", decimals, value, unit);
	return text;
}

char *units_latency_us(double us, char *text)
{
	if (us < 1000)
		return write_unit(text, us, 0, "us");
	if (us < 1000 * 1000)
		return write_unit(text, us / 1000, us < 100 * 1000 ? 2 : 0, "ms");
	return write_unit(text, us / 1e6, 2, "s");
}

char *units_age_ms(int64_t ms, char *text)
{
	double s = (double)ms / 1000;
	if (ms < 0)
		return write_unit(text, 0, 0, "ms");
	if (ms < 1000)
		return write_unit(text, (double)ms, 0, "ms");
	if (s < 120)
		return write_unit(text, s, 1, "s");
	if (s < 120 * 60)
		return write_unit(text, s / 60, 1, "min");
	if (s < 48 * 3600)
		return write_unit(text, s / 3600, 1, "h");
	return write_unit(text, s / 86400, 1, "d");
}

char *units_count(int64_t count, char *text)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, count);
	int first = digits[0] == '-' ? 1 : 0;
	char *at = text;
	for (int i = 0; i < len; i++) {
		if (i > first && (len - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	*at = '\0';
	return text;
}

char *units_bytes(int64_t bytes, char *text)
{
	static const char *const names[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	size_t i = 0;
	if (bytes < 1024)
		return write_unit(text, (double)bytes, 0, "B");
	for (; value >= 1024 && i + 1 < sizeof(names) / sizeof(names[0]); i++)
		value /= 1024;
	return write_unit(text, value, 1, names[i]);
}

char *units_wall_ms(int64_t ms, char *text)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm t;
	if (ms < 0 || localtime_r(&seconds, &t) == NULL) {
		(void)strcpy(text, "-");
		return text;
	}
	size_t len = strftime(text, UNITS_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &t);
	(void)snprintf(text + len, UNITS_TEXT_MAX - len, ".%03d", (int)(ms % 1000));
	return text;
}

int64_t units_now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail: the clock exists */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool units_parse_duration(const char *text, int *ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {
		{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"min", 60000}, {"h", 3600000}};
	char *end;
	/* strtod() also takes "nan", "inf", signs and blanks. */
	if (*text < '0' || *text > '9' || strchr(text, 'x') != NULL)
		return false;
	double value = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		double result = value * units[i].ms + 0.5;
		if (!(result >= 1) || result > INT32_MAX)
			return false;
		*ms = (int)result;
		return true;
	}
	return false;
}
