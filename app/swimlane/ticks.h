/* The appliance's clock: nanoseconds of the time stamp counter, the same on every core. */
#pragma once

#include <stdint.h>

#include <rte_cycles.h>

extern uint64_t ticks_mult; /* nanoseconds a cycle, 32 bits of fraction; set by ticks_init() */

/* After rte_eal_init(). */
void ticks_init(void);

static inline uint64_t ticks_to_ns(uint64_t cycles)
{
	return (uint64_t)(((unsigned __int128)cycles * ticks_mult) >> 32);
}

static inline uint64_t ticks_now_ns(void)
{
	return ticks_to_ns(rte_rdtsc());
}

/* Wall clock in milliseconds of the UNIX epoch; a system call: control only. */
uint64_t ticks_wall_ms(void);
uint64_t ticks_wall_us(void); /* the same in microseconds */
/* The wall clock at a moment of ticks_now_ns(). */
uint64_t ticks_wall_ms_at(uint64_t ns);
