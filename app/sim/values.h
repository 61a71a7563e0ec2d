/* Durations, shares and rates as people write them: 50us, 1.5s, 24h; 1%, 0.5%, 200ppm.
 *
 * Each parse function takes the whole text or fails; the text is not kept. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ns, us, ms, s, m or h; a plain 0 needs no unit. */
bool value_duration(const char *text, uint64_t *ns);
/* 0% … 100%, or ppm; as parts per million. */
bool value_share(const char *text, uint32_t *ppm);
/* +200ppm, -5%; as signed parts per million. */
bool value_rate(const char *text, int32_t *ppm);
/* 1G, 100M, 64k, 1000 bits a second. */
bool value_bits_per_s(const char *text, uint64_t *bits_per_s);
bool value_u64(const char *text, uint64_t max, uint64_t *value);

/* The shortest of these forms, exact: what value_duration() reads back. */
const char *value_print_duration(uint64_t ns, char *out, size_t cap);
const char *value_print_share(uint32_t ppm, char *out, size_t cap);
