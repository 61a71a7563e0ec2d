/* The plain weights of a key for many servers at once, and which of them reach their floors. Within
 * lib/rendezvous, its tests and its benchmark only.
 *
 * scan_scalar is the definition; the others do the same arithmetic on 4 (AVX2) or 8 (AVX-512)
 * servers at a time and give the same bits, so that which of them runs can never be seen in an
 * answer. That is also why asking the processor (cpuid, once, when a table is created) leaves this
 * folder pure: no result depends on it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

enum { SCAN_WORDS = SW_MEMBERS_MAX / 64 };

enum scan_kind { SCAN_SCALAR, SCAN_AVX2, SCAN_AVX512, SCAN_KINDS };

/* For i below count: weights[i] is the plain weight of server i, and bit i % 64 of over[i / 64]
 * says that weights[i] >= floors[i]; later bits of the last word are 0. The arrays are of
 * SW_MEMBERS_MAX entries: up to 7 behind count are read and written. */
typedef void (*scan_function)(uint64_t key_hash, const uint64_t *hashes, const uint64_t *floors,
	uint32_t count, uint64_t *weights, uint64_t *over);

void scan_scalar(uint64_t key_hash, const uint64_t *hashes, const uint64_t *floors, uint32_t count,
	uint64_t *weights, uint64_t *over);

/* NULL if it was not compiled, or this processor has not got it. */
scan_function scan_of(enum scan_kind kind);
/* The widest that there is here. */
enum scan_kind scan_best(void);
const char *scan_name(enum scan_kind kind);
