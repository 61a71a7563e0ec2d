#include "health/name_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { BUCKETS_MIN = 64 };

static uint64_t hash_of(const struct name_table *table, const char *name)
{
	uint64_t hash = table->seed;
	for (; *name; name++)
		hash = sw_mix64(hash ^ (uint8_t)*name);
	return hash;
}

int name_table_init(struct name_table *table, uint64_t seed)
{
	*table = (struct name_table){.mask = BUCKETS_MIN - 1, .seed = sw_mix64(seed + 1)};
	table->buckets = calloc(BUCKETS_MIN, sizeof(table->buckets[0]));
	return table->buckets ? 0 : -ENOMEM;
}

void name_table_fini(struct name_table *table)
{
	free(table->buckets);
	*table = (struct name_table){0};
}

struct named *name_table_find(const struct name_table *table, const char *name)
{
	uint64_t hash = hash_of(table, name);
	struct named *named = table->buckets[hash & table->mask];
	while (named && (named->hash != hash || strcmp(named->name, name) != 0))
		named = named->next;
	return named;
}

/* A table that could not grow works on, with longer chains. */
static void grow(struct name_table *table)
{
	uint64_t mask = 2 * table->mask + 1;
	struct named **buckets = calloc(mask + 1, sizeof(buckets[0]));
	if (!buckets)
		return;
	for (uint64_t i = 0; i <= table->mask; i++) {
		struct named *named = table->buckets[i];
		while (named) {
			struct named *next = named->next;
			named->next = buckets[named->hash & mask];
			buckets[named->hash & mask] = named;
			named = next;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->mask = mask;
}

void name_table_add(struct name_table *table, struct named *named)
{
	assert(!name_table_find(table, named->name));
	if (table->count > table->mask)
		grow(table);
	named->hash = hash_of(table, named->name);
	named->next = table->buckets[named->hash & table->mask];
	table->buckets[named->hash & table->mask] = named;
	table->count++;
}

void name_table_remove(struct name_table *table, struct named *named)
{
	struct named **link = &table->buckets[named->hash & table->mask];
	while (*link != named) {
		assert(*link);
		link = &(*link)->next;
	}
	*link = named->next;
	table->count--;
}
