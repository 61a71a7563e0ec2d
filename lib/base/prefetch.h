/* Bringing memory to the caches before it is needed. Pure; any core, any address. */
#pragma once

/* To the second cache: a core has room for more lines on their way there than to the first, and
 * what is needed next takes it from there in no time. The empty statement keeps it: a function that
 * does nothing but prefetch has no effect in gcc's eyes, and calls of it vanish. */
static inline void sw_prefetch(const void *at)
{
	__builtin_prefetch(at, 0, 2);
	__asm__ volatile("");
}
