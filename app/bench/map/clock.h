/* Time, for measuring. A thread's own time leaves out what it waited for its core while other
 * programs had it: on a machine that is not alone, what is measured is the code; on one that is,
 * both are the same. What the others do to caches and memory meets every measurement. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_thread_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* this clock always exists */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
