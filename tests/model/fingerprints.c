#include "fingerprints.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/random.h"

struct fingerprint fingerprint_mix(struct fingerprint f, uint64_t x)
{
	f.a = sw_mix64(f.a + x + 0x9e3779b97f4a7c15ULL);
	f.b = sw_mix64((f.b ^ x) * 0xd6e8feb86659fd93ULL + 0xa0761d6478bd642fULL);
	return f;
}

static struct fingerprint *find(const struct fingerprints *set, struct fingerprint f)
{
	uint64_t at = f.a & (set->slots_size - 1);
	for (;;) {
		struct fingerprint *slot = &set->slots[at];
		if ((slot->a == 0 && slot->b == 0) || (slot->a == f.a && slot->b == f.b))
			return slot;
		at = (at + 1) & (set->slots_size - 1);
	}
}

static bool is_free(const struct fingerprint *slot)
{
	return slot->a == 0 && slot->b == 0;
}

static int grow(struct fingerprints *set)
{
	struct fingerprints larger = *set;
	larger.slots_size = set->slots_size == 0 ? 1 << 12 : set->slots_size * 2;
	larger.slots = calloc(larger.slots_size, sizeof(larger.slots[0]));
	if (larger.slots == NULL)
		return -ENOMEM;
	for (uint64_t i = 0; i < set->slots_size; i++)
		if (!is_free(&set->slots[i]))
			*find(&larger, set->slots[i]) = set->slots[i];
	free(set->slots);
	*set = larger;
	return 0;
}

int fingerprints_add(struct fingerprints *set, struct fingerprint f)
{
	f.a += f.a == 0 && f.b == 0;
	if (set->count * 4 >= set->slots_size * 3 && grow(set) != 0)
		return -ENOMEM;
	struct fingerprint *slot = find(set, f);
	if (!is_free(slot))
		return 0;
	*slot = f;
	set->count++;
	return 1;
}

void fingerprints_fini(struct fingerprints *set)
{
	free(set->slots);
	*set = (struct fingerprints){0};
}
