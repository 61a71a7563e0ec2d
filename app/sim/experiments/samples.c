#include "samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void samples_add(struct samples *s, double value)
{
	if (s->count == s->cap) {
		s->cap = s->cap > 0 ? 2 * s->cap : 256;
		s->values = realloc(s->values, s->cap * sizeof(s->values[0]));
		if (s->values == NULL) {
			fprintf(stderr, "out of memory\n");
			exit(1);
		}
	}
	s->values[s->count++] = value;
}

void samples_free(struct samples *s)
{
	free(s->values);
	*s = (struct samples){NULL, 0, 0};
}

double samples_mean(const struct samples *s)
{
	double sum = 0;
	for (uint32_t i = 0; i < s->count; i++)
		sum += s->values[i];
	return s->count > 0 ? sum / s->count : 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double samples_quantile(struct samples *s, double q)
{
	if (s->count == 0)
		return 0;
	qsort(s->values, s->count, sizeof(s->values[0]), by_value);
	double rank = ceil(q * s->count);
	uint32_t at = rank < 1 ? 0 : (uint32_t)rank - 1;
	return s->values[at < s->count ? at : s->count - 1];
}
