/* Units of time. Time is always an argument: nanoseconds of a monotonic clock that starts anywhere.
 * Pure; any core.
 */
#pragma once

#include <stdint.h>

#define SW_NS_PER_US 1000ULL
#define SW_NS_PER_MS 1000000ULL
#define SW_NS_PER_S  1000000000ULL

/* A deadline that never comes. */
#define SW_NEVER_NS UINT64_MAX

static inline uint64_t sw_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t sw_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
