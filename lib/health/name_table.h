/* Names to what they name: a chained hash table that grows, embedded in what is named. One owner.
 * The hash is seeded: names are chosen by strangers. */
#pragma once

#include <stdint.h>

struct named {
	const char *name; /* the owner keeps it */
	uint64_t hash;
	struct named *next;
};

struct name_table {
	struct named **buckets;
	uint64_t mask;
	uint64_t count;
	uint64_t seed;
};

/* 0 or -ENOMEM. */
int name_table_init(struct name_table *table, uint64_t seed);
/* Does not free what is in it. */
void name_table_fini(struct name_table *table);
struct named *name_table_find(const struct name_table *table, const char *name);
/* named->name is set and not in the table yet. */
void name_table_add(struct name_table *table, struct named *named);
void name_table_remove(struct name_table *table, struct named *named);
