#include "map_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "fingerprints.h"
#include "map_internal.h"

enum { ORIGINS_MAX = 16 };

struct cause {
	uint64_t replaced;
	uint8_t origin, previous;
};

/* The records in an order of their own, so that equal sets are equal bytes. */
struct ledger {
	uint8_t parted[REPLICAS_MAX];
	uint16_t history_count, collected_count, cause_count;
	struct cause causes[ORIGINS_MAX];
	struct collected collected[COLLECTED_MAX];
	struct written history[HISTORY_MAX];
};

struct kept {
	uint64_t hash;
	uint8_t *bytes;
	size_t len;
};

static struct kept *kept;
static uint32_t kept_count, kept_size;
static uint32_t *slots; /* + 1 */
static uint32_t slots_size;
static struct fingerprints checked;

/* (ledger, edge) to ledger. */
static struct {
	uint64_t *keys;
	uint32_t *values;
	uint64_t size, count;
} steps;

static void *must(void *memory)
{
	if (memory == NULL) {
		fprintf(stderr, "no memory for the histories\n");
		abort();
	}
	return memory;
}

/* ---- contents ---- */

static uint64_t hash_bytes(const uint8_t *bytes, size_t len)
{
	uint64_t h = len;
	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * 0x100000001b3ULL;
	return sw_mix64(h);
}

static uint32_t *find(uint64_t hash, const uint8_t *bytes, size_t len)
{
	uint32_t at = (uint32_t)hash & (slots_size - 1);
	for (; slots[at] != 0; at = (at + 1) & (slots_size - 1)) {
		const struct kept *k = &kept[slots[at] - 1];
		if (k->hash == hash && k->len == len && memcmp(k->bytes, bytes, len) == 0)
			break;
	}
	return &slots[at];
}

static void grow(void)
{
	kept_size = kept_size == 0 ? 1024 : kept_size * 2;
	kept = must(realloc(kept, kept_size * sizeof(kept[0])));
	slots_size = kept_size * 2;
	free(slots);
	slots = must(calloc(slots_size, sizeof(slots[0])));
	for (uint32_t i = 0; i < kept_count; i++)
		*find(kept[i].hash, kept[i].bytes, kept[i].len) = i + 1;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct written));
}

static void take_causes(struct ledger *l, const struct world *w)
{
	for (uint32_t i = 0; i < WRITES_MAX; i++) {
		if (w->replaced[i] == 0)
			continue;
		if (l->cause_count == ORIGINS_MAX)
			abort(); /* a scope's budget is below that */
		struct cause *c = &l->causes[l->cause_count++];
		c->origin = (uint8_t)i;
		c->previous = w->previous[i];
		c->replaced = w->replaced[i];
	}
}

static uint32_t add(const struct world *w)
{
	static struct ledger l;
	static uint8_t bytes[sizeof(struct ledger)];
	memset(&l, 0, offsetof(struct ledger, collected));
	memcpy(l.parted, w->parted, sizeof(l.parted));
	take_causes(&l, w);
	l.history_count = w->history_count;
	l.collected_count = w->collected_count;
	memcpy(l.history, w->history, w->history_count * sizeof(l.history[0]));
	qsort(l.history, l.history_count, sizeof(l.history[0]), by_bytes);
	size_t head = offsetof(struct ledger, collected),
	       collected = l.collected_count * sizeof(l.collected[0]),
	       history = l.history_count * sizeof(l.history[0]), len = head + collected + history;
	memcpy(bytes, &l, head);
	memcpy(bytes + head, w->collected, collected);
	memcpy(bytes + head + collected, l.history, history);
	if (kept_count == kept_size)
		grow();
	uint64_t hash = hash_bytes(bytes, len);
	uint32_t *slot = find(hash, bytes, len);
	if (*slot != 0)
		return *slot - 1;
	struct kept *k = &kept[kept_count++];
	*k = (struct kept){hash, must(malloc(len)), len};
	memcpy(k->bytes, bytes, len);
	*slot = kept_count;
	return kept_count - 1;
}

static void load(uint32_t ledger, struct world *w)
{
	static struct ledger l;
	const struct kept *k = &kept[ledger];
	size_t head = offsetof(struct ledger, collected);
	memcpy(&l, k->bytes, head);
	local_common(w);
	memset(w->replaced, 0, sizeof(w->replaced));
	memset(w->previous, 0, sizeof(w->previous));
	memcpy(w->parted, l.parted, sizeof(w->parted));
	for (uint32_t i = 0; i < l.cause_count; i++) {
		w->replaced[l.causes[i].origin] = l.causes[i].replaced;
		w->previous[l.causes[i].origin] = l.causes[i].previous;
	}
	w->history_count = l.history_count;
	w->collected_count = l.collected_count;
	memcpy(w->collected, k->bytes + head, l.collected_count * sizeof(w->collected[0]));
	memcpy(w->history, k->bytes + head + l.collected_count * sizeof(w->collected[0]),
		l.history_count * sizeof(w->history[0]));
}

void ledger_load(uint32_t ledger, const uint32_t states[REPLICAS_MAX], struct world *w)
{
	load(ledger, w);
	for (uint32_t i = 0; i < w->replicas; i++) {
		local_node(states[i], &w->nodes[i]);
		if (w->nodes[i].up)
			check_remember(w, i); /* they are there: where */
	}
}

uint32_t ledger_first(const struct world *w)
{
	return add(w);
}

uint32_t ledger_count(void)
{
	return kept_count;
}

/* ---- steps ---- */

static uint64_t slot_of(uint64_t key)
{
	uint64_t at = sw_mix64(key) & (steps.size - 1);
	while (steps.keys[at] != 0 && steps.keys[at] != key + 1)
		at = (at + 1) & (steps.size - 1);
	return at;
}

static void grow_steps(void)
{
	uint64_t *keys = steps.keys, size = steps.size;
	uint32_t *values = steps.values;
	steps.size = size == 0 ? 1 << 12 : size * 2;
	steps.keys = must(calloc(steps.size, sizeof(keys[0])));
	steps.values = must(calloc(steps.size, sizeof(values[0])));
	for (uint64_t i = 0; i < size; i++) {
		if (keys[i] == 0)
			continue;
		uint64_t at = slot_of(keys[i] - 1);
		steps.keys[at] = keys[i];
		steps.values[at] = values[i];
	}
	free(keys);
	free(values);
}

static uint32_t make(uint32_t ledger, const struct step *t, uint32_t from, const struct edge *e)
{
	static struct world w;
	const struct node *old = local_at(from)->node;
	load(ledger, &w);
	if (t->kind == STEP_PUT || t->kind == STEP_DELETE)
		check_write(&w, t->a * WRITES_EACH_MAX + old->writes,
			old->holds[t->b] ? &old->records[t->b] : NULL);
	if (t->kind == STEP_FORGET)
		w.parted[t->a] |= (uint8_t)(1u << t->b);
	for (uint32_t i = 0; i < e->collecting_count; i++)
		check_collected(&w, edge_collecting(e, i));
	local_node(e->to, &w.nodes[t->a]);
	check_remember(&w, t->a);
	return add(&w);
}

/* Nothing to be kept in a history comes of it. */
static bool is_quiet(const struct step *t, uint32_t from, const struct edge *e)
{
	const struct node *a = local_at(from)->node, *b = local_at(e->to)->node;
	if (t->kind == STEP_PUT || t->kind == STEP_DELETE || t->kind == STEP_FORGET ||
		e->collecting_count > 0)
		return false;
	return memcmp(a->holds, b->holds, sizeof(a->holds)) == 0 &&
	       memcmp(a->records, b->records, sizeof(a->records)) == 0;
}

uint32_t ledger_step(uint32_t ledger, const struct step *t, uint32_t from, uint32_t edge)
{
	const struct edge *e = edge_at(edge);
	if (is_quiet(t, from, e))
		return ledger;
	if (steps.count * 3 >= steps.size * 2)
		grow_steps();
	uint64_t key = (uint64_t)ledger << 32 | edge, at = slot_of(key);
	if (steps.keys[at] == 0) {
		uint32_t to = make(ledger, t, from, e);
		steps.keys[at] = key + 1;
		steps.values[at] = to;
		steps.count++;
	}
	return steps.values[at];
}

const char *ledger_check(uint32_t ledger, const uint32_t states[REPLICAS_MAX], uint32_t a)
{
	static struct world w;
	struct fingerprint pair = {(uint64_t)ledger << 32 | states[a], 1};
	pair.a = sw_mix64(pair.a);
	int added = fingerprints_add(&checked, pair);
	if (added < 0)
		abort();
	if (added == 0 || !local_at(states[a])->node->up)
		return NULL;
	ledger_load(ledger, states, &w);
	return check_covered(&w, a, 0);
}

void ledgers_end(void)
{
	for (uint32_t i = 0; i < kept_count; i++)
		free(kept[i].bytes);
	free(kept);
	free(slots);
	free(steps.keys);
	free(steps.values);
	fingerprints_fini(&checked);
	kept = NULL;
	slots = NULL;
	kept_count = kept_size = slots_size = 0;
	memset(&steps, 0, sizeof(steps));
}
