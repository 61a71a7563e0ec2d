/* A set of 128-bit hashes: of a thousand million, two are equal with a probability of 2e-21. */
#pragma once

#include <stdint.h>

struct fingerprint {
	uint64_t a, b; /* both 0: none */
};

struct fingerprints {
	struct fingerprint *slots;
	uint64_t slots_size, count;
};

/* One more component, in order. */
struct fingerprint fingerprint_mix(struct fingerprint f, uint64_t x);
/* 1: it is new; 0: it was there; -ENOMEM. */
int fingerprints_add(struct fingerprints *set, struct fingerprint f);
void fingerprints_fini(struct fingerprints *set);
