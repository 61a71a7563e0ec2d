/* Measurements of one quantity, in the order in which they came, and what is asked of them.
 *
 * The memory grows as needed; running out of it ends the program: experiments have no other use for
 * a half result. One owner.
 */
#pragma once

#include <stdint.h>

struct samples {
	double *values;
	uint32_t count, cap;
};

void samples_add(struct samples *samples, double value);
void samples_free(struct samples *samples);

/* All 0 if there is none. The quantile (0 … 1) is the nearest rank's; the samples are then sorted.
 */
double samples_mean(const struct samples *samples);
double samples_quantile(struct samples *samples, double q);
