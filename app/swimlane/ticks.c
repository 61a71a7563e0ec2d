#include "ticks.h"

#include <time.h>

#include "base/clock.h"

uint64_t ticks_mult;

void ticks_init(void)
{
	ticks_mult = (uint64_t)(((unsigned __int128)SW_NS_PER_S << 32) / rte_get_tsc_hz());
}

uint64_t ticks_wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t ticks_wall_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t ticks_wall_ms_at(uint64_t ns)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	int64_t wall_ns = (int64_t)t.tv_sec * (int64_t)SW_NS_PER_S + t.tv_nsec;
	return (uint64_t)((wall_ns - (int64_t)(ticks_now_ns() - ns)) / (int64_t)SW_NS_PER_MS);
}
