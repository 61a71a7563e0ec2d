#include "control_listing.h"

#include <stdlib.h>
#include <string.h>

#include "control_jobs.h"

enum { BUCKETS_A_LOOK = 32, LOOKS = 16, TEXT_FIRST = 4096 };

struct key {
	uint8_t len;
	uint8_t bytes[];
};

enum phase { PHASE_SCAN, PHASE_SORT, PHASE_WRITE };

struct lister {
	struct listing what;
	uint8_t prefix[SW_KEY_MAX], after[SW_KEY_MAX];
	enum phase phase;
	uint32_t cursor;
	/* While scanning, a heap with the largest key first, of at most limit + 1 keys; sorting
	 * takes it apart from the end. */
	struct key **keys;
	size_t count, cap, heap;
	size_t at, items;
	struct listing_text text;
	bool failed;
};

/* ---- text ---- */

static char *room(struct listing_text *t, size_t len)
{
	if (t->cap - t->len > len)
		return t->text + t->len;
	size_t cap = t->cap > 0 ? t->cap : TEXT_FIRST;
	while (cap - t->len <= len)
		cap *= 2;
	char *text = t->failed ? NULL : realloc(t->text, cap);
	if (text == NULL) {
		t->failed = true;
		return NULL;
	}
	t->text = text;
	t->cap = cap;
	return text + t->len;
}

void listing_add(struct listing_text *t, const char *more)
{
	size_t len = strlen(more);
	char *to = room(t, len);
	if (to == NULL)
		return;
	memcpy(to, more, len + 1);
	t->len += len;
}

void listing_add_json(struct listing_text *t, json_t *value)
{
	enum { GUESS = 1024 };
	const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	char *to = value != NULL ? room(t, GUESS) : NULL;
	size_t len = to != NULL ? json_dumpb(value, to, GUESS, flags) : 0;
	if (len > GUESS) {
		to = room(t, len);
		len = to != NULL ? json_dumpb(value, to, len, flags) : 0;
	}
	t->failed = t->failed || len == 0;
	t->len += len;
	json_decref(value);
}

/* ---- keys ---- */

static int compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static bool above(const struct key *a, const struct key *b)
{
	return compare(a->bytes, a->len, b->bytes, b->len) > 0;
}

static void swap(struct lister *l, size_t i, size_t j)
{
	struct key *k = l->keys[i];
	l->keys[i] = l->keys[j];
	l->keys[j] = k;
}

static void sift_up(struct lister *l, size_t i)
{
	for (; i > 0 && above(l->keys[i], l->keys[(i - 1) / 2]); i = (i - 1) / 2)
		swap(l, i, (i - 1) / 2);
}

static void sift_down(struct lister *l, size_t i)
{
	for (;;) {
		size_t largest = i, left = 2 * i + 1, right = left + 1;
		if (left < l->heap && above(l->keys[left], l->keys[largest]))
			largest = left;
		if (right < l->heap && above(l->keys[right], l->keys[largest]))
			largest = right;
		if (largest == i)
			return;
		swap(l, i, largest);
		i = largest;
	}
}

static bool grow(struct lister *l)
{
	if (l->count < l->cap)
		return true;
	size_t cap = l->cap > 0 ? 2 * l->cap : 256;
	struct key **keys = realloc(l->keys, cap * sizeof(keys[0]));
	if (keys == NULL)
		return false;
	l->keys = keys;
	l->cap = cap;
	return true;
}

static void take(struct lister *l, const struct map_view *v)
{
	struct key *key = malloc(sizeof(*key) + v->key_len);
	if (key == NULL || !grow(l)) {
		free(key);
		l->failed = true;
		return;
	}
	key->len = v->key_len;
	memcpy(key->bytes, v->key, v->key_len);
	l->keys[l->count++] = key;
	l->heap = l->count;
	sift_up(l, l->count - 1);
	if (l->what.limit == 0 || l->count <= l->what.limit + 1)
		return;
	swap(l, 0, --l->count);
	l->heap = l->count;
	free(l->keys[l->count]);
	sift_down(l, 0);
}

static void visit(void *context, const struct map_view *v)
{
	struct lister *l = context;
	const struct listing *w = &l->what;
	if (l->failed || (v->tombstone && !w->tombstones) || v->key_len < w->prefix_len ||
		memcmp(v->key, w->prefix, w->prefix_len) != 0 ||
		(!w->reserved && typed_is_reserved(v->key, v->key_len)))
		return;
	if (w->after != NULL && compare(v->key, v->key_len, w->after, w->after_len) <= 0)
		return;
	if (w->limit > 0 && l->count == w->limit + 1) {
		int order = compare(v->key, v->key_len, l->keys[0]->bytes, l->keys[0]->len);
		if (order >= 0)
			return; /* the page is full of smaller ones */
	}
	take(l, v);
}

/* ---- steps ---- */

static bool scan(struct job *job, struct lister *l)
{
	for (;;) {
		for (int i = 0; i < LOOKS; i++)
			if (!map_scan_reader(job_control(job)->app->map, &l->cursor,
				    BUCKETS_A_LOOK / LOOKS, visit, l))
				return true;
		if (job_over(job))
			return false;
	}
}

static bool sort(struct job *job, struct lister *l)
{
	for (unsigned i = 1; l->heap > 1; i++) {
		swap(l, 0, --l->heap);
		sift_down(l, 0);
		if (i % 64 == 0 && job_over(job))
			return false;
	}
	return true;
}

static bool is_again(const struct lister *l, size_t i)
{
	return i > 0 && !above(l->keys[i], l->keys[i - 1]);
}

static void write_item(struct control *control, struct lister *l, const struct key *key)
{
	struct map_view view;
	if (!map_get_reader(control->app->map, key->bytes, key->len, &view) ||
		(view.tombstone && !l->what.tombstones))
		return; /* deleted meanwhile */
	json_t *item = l->what.item(control, &view, l->what.context);
	if (item == NULL)
		return;
	if (l->items++ > 0)
		listing_add(&l->text, ",");
	listing_add_json(&l->text, item);
}

static bool write_items(struct job *job, struct lister *l)
{
	size_t limit = l->what.limit > 0 ? l->what.limit : SIZE_MAX;
	for (; l->at < l->count && l->at < limit; l->at++) {
		if (job_over(job))
			return false;
		/* The table moves on while it is scanned: a key that was replaced meanwhile may be
		 * there twice. */
		if (!is_again(l, l->at))
			write_item(job_control(job), l, l->keys[l->at]);
	}
	return true;
}

static void answer(struct rpc_call *call, struct lister *l)
{
	const struct key *last = l->at < l->count && l->at > 0 ? l->keys[l->at - 1] : NULL;
	l->what.tail(&l->text, last != NULL ? last->bytes : NULL, last != NULL ? last->len : 0,
		l->items, l->what.context);
	if (l->text.failed) {
		rpc_error(call, RPC_INTERNAL, "no memory for the list; ask for a smaller one");
		return;
	}
	rpc_result_text(call, l->text.text, l->text.len);
	l->text.text = NULL;
}

static bool step(struct job *job, struct rpc_call *call, void *context)
{
	struct lister *l = context;
	if (l->phase == PHASE_SCAN) {
		if (!scan(job, l) && !l->failed)
			return false;
		l->phase = PHASE_SORT;
	}
	if (l->failed) {
		rpc_error(call, RPC_INTERNAL, "no memory for the list; ask for a smaller one");
		return true;
	}
	if (l->phase == PHASE_SORT) {
		if (!sort(job, l))
			return false;
		l->phase = PHASE_WRITE;
	}
	if (!write_items(job, l))
		return false;
	answer(call, l);
	return true;
}

static void end(void *context)
{
	struct lister *l = context;
	for (size_t i = 0; i < l->count; i++)
		free(l->keys[i]);
	free(l->keys);
	free(l->text.text);
	if (l->what.end != NULL)
		l->what.end(l->what.context);
	free(l);
}

void listing_start(struct control *control, struct rpc_call *call, const struct listing *listing)
{
	struct lister *l = NULL;
	if (listing->prefix_len > SW_KEY_MAX || listing->after_len > SW_KEY_MAX)
		rpc_error(call, RPC_INVALID_PARAMS, "a key has at most %d bytes", SW_KEY_MAX);
	else if ((l = calloc(1, sizeof(*l))) == NULL)
		rpc_error(call, RPC_INTERNAL, "no memory");
	if (l == NULL) {
		if (listing->end != NULL)
			listing->end(listing->context);
		return;
	}
	l->what = *listing;
	if (listing->prefix_len > 0)
		memcpy(l->prefix, listing->prefix, listing->prefix_len);
	l->what.prefix = (const char *)l->prefix;
	if (listing->after != NULL) {
		memcpy(l->after, listing->after, listing->after_len);
		l->what.after = l->after;
	}
	listing_add(&l->text, listing->head);
	job_start(control, call, step, end, l);
}
