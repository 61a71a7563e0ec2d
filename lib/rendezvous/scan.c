#include "rendezvous/scan.h"

#include <stddef.h>

#include "rendezvous/rendezvous.h"

void scan_scalar(uint64_t key_hash, const uint64_t *hashes, const uint64_t *floors, uint32_t count,
	uint64_t *weights, uint64_t *over)
{
	for (uint32_t i = 0; i < count; i++) {
		if (i % 64 == 0)
			over[i / 64] = 0;
		weights[i] = rendezvous_weight(key_hash, hashes[i]);
		over[i / 64] |= (uint64_t)(weights[i] >= floors[i]) << (i % 64);
	}
}

#ifdef __x86_64__
#include <immintrin.h>

#define MIX_FIRST  0xbf58476d1ce4e5b9ULL
#define MIX_SECOND 0x94d049bb133111ebULL

/* The bits of servers that there are not. */
static void clear_tail(uint32_t count, uint64_t *over)
{
	if (count % 64 != 0)
		over[count / 64] &= (1ULL << (count % 64)) - 1;
}

/* The low 64 bits of each product: AVX2 multiplies halves only. */
__attribute__((target("avx2"))) static inline __m256i multiply_avx2(__m256i x, uint64_t by)
{
	__m256i low = _mm256_set1_epi64x((long long)by);
	__m256i high = _mm256_set1_epi64x((long long)(by >> 32));
	__m256i cross = _mm256_add_epi64(
		_mm256_mul_epu32(_mm256_srli_epi64(x, 32), low), _mm256_mul_epu32(x, high));
	return _mm256_add_epi64(_mm256_mul_epu32(x, low), _mm256_slli_epi64(cross, 32));
}

__attribute__((target("avx2"))) static void scan_avx2(uint64_t key_hash, const uint64_t *hashes,
	const uint64_t *floors, uint32_t count, uint64_t *weights, uint64_t *over)
{
	const __m256i key = _mm256_set1_epi64x((long long)key_hash);
	const __m256i sign = _mm256_set1_epi64x((long long)(1ULL << 63));
	for (uint32_t i = 0; i < count; i += 4) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(hashes + i));
		__m256i floor = _mm256_loadu_si256((const __m256i *)(floors + i));
		x = _mm256_xor_si256(x, key);
		x = multiply_avx2(_mm256_xor_si256(x, _mm256_srli_epi64(x, 30)), MIX_FIRST);
		x = multiply_avx2(_mm256_xor_si256(x, _mm256_srli_epi64(x, 27)), MIX_SECOND);
		x = _mm256_xor_si256(x, _mm256_srli_epi64(x, 31));
		_mm256_storeu_si256((__m256i *)(weights + i), x);
		/* It compares signed numbers only. */
		__m256i under = _mm256_cmpgt_epi64(
			_mm256_xor_si256(floor, sign), _mm256_xor_si256(x, sign));
		uint64_t bits = ~(uint64_t)_mm256_movemask_pd(_mm256_castsi256_pd(under)) & 0xf;
		over[i / 64] = (i % 64 == 0 ? 0 : over[i / 64]) | bits << (i % 64);
	}
	clear_tail(count, over);
}

#define AVX512 __attribute__((target("avx512f,avx512dq")))

AVX512 static void scan_avx512(uint64_t key_hash, const uint64_t *hashes, const uint64_t *floors,
	uint32_t count, uint64_t *weights, uint64_t *over)
{
	const __m512i key = _mm512_set1_epi64((long long)key_hash);
	const __m512i first = _mm512_set1_epi64((long long)MIX_FIRST);
	const __m512i second = _mm512_set1_epi64((long long)MIX_SECOND);
	for (uint32_t i = 0; i < count; i += 8) {
		__m512i x = _mm512_xor_si512(_mm512_loadu_si512(hashes + i), key);
		x = _mm512_mullo_epi64(_mm512_xor_si512(x, _mm512_srli_epi64(x, 30)), first);
		x = _mm512_mullo_epi64(_mm512_xor_si512(x, _mm512_srli_epi64(x, 27)), second);
		x = _mm512_xor_si512(x, _mm512_srli_epi64(x, 31));
		_mm512_storeu_si512(weights + i, x);
		uint64_t bits = _mm512_cmpge_epu64_mask(x, _mm512_loadu_si512(floors + i));
		over[i / 64] = (i % 64 == 0 ? 0 : over[i / 64]) | bits << (i % 64);
	}
	clear_tail(count, over);
}
#endif

scan_function scan_of(enum scan_kind kind)
{
#ifdef __x86_64__
	if (kind == SCAN_AVX2)
		return __builtin_cpu_supports("avx2") ? scan_avx2 : NULL;
	if (kind == SCAN_AVX512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
			       ? scan_avx512
			       : NULL;
#endif
	return kind == SCAN_SCALAR ? scan_scalar : NULL;
}

enum scan_kind scan_best(void)
{
	enum scan_kind kind = SCAN_KINDS - 1;
	while (scan_of(kind) == NULL)
		kind--;
	return kind;
}

const char *scan_name(enum scan_kind kind)
{
	static const char *const names[] = {"scalar", "avx2", "avx512"};
	return names[kind];
}
