/* Real time, for measuring. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock always exists */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
