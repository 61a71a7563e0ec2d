#include "merge.h"

#include <assert.h>
#include <stdio.h>

#include "clock.h"
#include "replica.h"
#include "table.h"

enum { SPARE = 65536 }; /* versions that wait for readers */

struct streams {
	struct stream fresh, overwrite;
};

static double map_rate(struct replica *r, const struct stream *s)
{
	uint64_t from_ns = clock_thread_ns();
	replica_merge(r, s, 0, s->packets);
	return s->records * 1e3 / (double)(clock_thread_ns() - from_ns);
}

static double table_rate(struct rte_hash *table, const struct stream *s)
{
	uint64_t from_ns = clock_thread_ns();
	table_insert(table, s, 0, s->packets);
	return s->records * 1e3 / (double)(clock_thread_ns() - from_ns);
}

static void check(const struct replica *r, const struct streams *s)
{
	const struct map_counters *c = map_counters(r->map);
	bool all = c->merged == s->fresh.records + s->overwrite.records &&
		   map_record_count(r->map) == s->fresh.records && c->gaps == 0 && c->older == 0;
	assert(all);
	(void)all;
}

/* Map and rte_hash in turn, so that what else the machine does meets both. */
static void one_round(struct merge_result *result, const struct streams *s)
{
	struct replica r;
	replica_create(&r, s->fresh.records, SPARE);
	struct rte_hash *table = table_create(s->fresh.records);
	double fresh = map_rate(&r, &s->fresh), table_fresh = table_rate(table, &s->fresh);
	double over = map_rate(&r, &s->overwrite), table_over = table_rate(table, &s->overwrite);
	check(&r, s);
	samples_add(&result->fresh, fresh);
	samples_add(&result->table_fresh, table_fresh);
	samples_add(&result->fresh_ratio, fresh / table_fresh);
	samples_add(&result->overwrite, over);
	samples_add(&result->table_overwrite, table_over);
	samples_add(&result->overwrite_ratio, over / table_over);
	rte_hash_free(table);
	replica_destroy(&r);
}

void merge_run(struct merge_result *result, uint32_t records, uint32_t rounds, uint64_t seed)
{
	struct streams s;
	*result = (struct merge_result){.records = records};
	stream_make(&s.fresh, records, 1, 1, seed);
	stream_make(&s.overwrite, records, 2, records + 1, seed + 1);
	for (uint32_t i = 0; i < rounds; i++)
		one_round(result, &s);
	stream_free(&s.fresh);
	stream_free(&s.overwrite);
}

static void row(const char *name, struct samples *map, struct samples *table, struct samples *ratio)
{
	printf("  %-12s %10.2f %18.2f %8.2f   (%.2f to %.2f of %u rounds)\n", name,
		samples_quantile(map, 0.5), samples_quantile(table, 0.5),
		samples_quantile(ratio, 0.5), samples_quantile(map, 0), samples_quantile(map, 1),
		map->count);
}

void merge_print(struct merge_result *r)
{
	printf("keeper merges, %u keys, %u-byte values, packets of pushes; million/s, medians\n",
		r->records, VALUE_LEN);
	printf("  %-12s %10s %18s %8s\n", "", "map", "rte_hash insertion", "ratio");
	row("fresh", &r->fresh, &r->table_fresh, &r->fresh_ratio);
	row("overwriting", &r->overwrite, &r->table_overwrite, &r->overwrite_ratio);
	printf("\n");
}
