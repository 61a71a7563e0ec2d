/* Seeded randomness: one generator an owner, the same seed gives the same run. Not for keys.
 *
 * xoshiro256** (Blackman and Vigna, Scrambled Linear Pseudorandom Number Generators, 2018), seeded
 * through splitmix64 (Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, 2014),
 * whose finaliser is also the integer mix of the rendezvous weights. Pure; one owner each.
 */
#pragma once

#include <stdint.h>

struct sw_random {
	uint64_t s[4];
};

/* The splitmix64 finaliser: a bijection of 64-bit integers with full avalanche. */
static inline uint64_t sw_mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Where an id that nobody draws to do harm lives in a table of `count` places, best a power of two:
 * multiplicative hashing (Knuth, The Art of Computer Programming, vol. 3, 6.4). */
static inline uint32_t sw_home(uint64_t id, uint32_t count)
{
	return (uint32_t)((id * 0x9e3779b97f4a7c15ULL >> 32) * count >> 32);
}

static inline struct sw_random sw_random_seed(uint64_t seed)
{
	struct sw_random r;
	for (int i = 0; i < 4; i++) {
		seed += 0x9e3779b97f4a7c15ULL;
		r.s[i] = sw_mix64(seed);
	}
	return r;
}

static inline uint64_t sw_rotl64(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t sw_random_u64(struct sw_random *r)
{
	uint64_t result = sw_rotl64(r->s[1] * 5, 7) * 9;
	uint64_t t = r->s[1] << 17;
	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = sw_rotl64(r->s[3], 45);
	return result;
}

/* Uniform in [0, bound); bound > 0. Multiply-shift: the bias is below 2^-32 for bounds of 32 bits.
 */
static inline uint64_t sw_random_below(struct sw_random *r, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)sw_random_u64(r) * bound) >> 64);
}
