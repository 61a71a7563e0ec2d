#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

static bool number_with_unit(const char *text, const struct unit *units, double *value)
{
	char *end;
	errno = 0;
	double number = strtod(text, &end);
	if (end == text || errno != 0 || !isfinite(number))
		return false;
	for (const struct unit *u = units; u->name != NULL; u++)
		if (strcmp(end, u->name) == 0) {
			*value = number * u->factor;
			return true;
		}
	return *end == '\0' && number == 0 && (*value = 0, true);
}

bool value_duration(const char *text, uint64_t *ns)
{
	static const struct unit units[] = {
		{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {NULL, 0}};
	double value;
	if (!number_with_unit(text, units, &value) || value < 0 || value > 1e18)
		return false;
	*ns = (uint64_t)llround(value);
	return true;
}

static const struct unit share_units[] = {{"%", 1e4}, {"ppm", 1}, {NULL, 0}};

bool value_share(const char *text, uint32_t *ppm)
{
	double value;
	if (!number_with_unit(text, share_units, &value) || value < 0 || value > 1e6)
		return false;
	*ppm = (uint32_t)llround(value);
	return true;
}

bool value_rate(const char *text, int32_t *ppm)
{
	double value;
	if (!number_with_unit(text, share_units, &value) || fabs(value) > 500000)
		return false;
	*ppm = (int32_t)llround(value);
	return true;
}

bool value_bits_per_s(const char *text, uint64_t *bits_per_s)
{
	static const struct unit units[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {NULL, 0}};
	double value;
	if (!number_with_unit(text, units, &value) || value < 0 || value > 1e15)
		return false;
	*bits_per_s = (uint64_t)llround(value);
	return true;
}

bool value_u64(const char *text, uint64_t max, uint64_t *value)
{
	char *end;
	errno = 0;
	if (*text < '0' || *text > '9')
		return false;
	*value = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' && *value <= max;
}

const char *value_print_duration(uint64_t ns, char *out, size_t cap)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};
	size_t i = 0;
	while (i < 3 && ns % units[i].ns != 0)
		i++;
	(void)snprintf(out, cap, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
	return out;
}

const char *value_print_share(uint32_t ppm, char *out, size_t cap)
{
	if (ppm % 10000 == 0)
		(void)snprintf(out, cap, "%" PRIu32 "%%", ppm / 10000);
	else
		(void)snprintf(out, cap, "%" PRIu32 "ppm", ppm);
	return out;
}
