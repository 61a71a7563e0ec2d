/* Resuming of a watch: the records that its vector does not cover, by (writer, epoch, seq).
 *
 * Done in passes over the table, some buckets a turn: each pass finds the next REPLAY_MAX of them
 * in order (a heap with the largest on top), which are then sent as the client reads. A record that
 * was replaced since the pass is left out: its successor is told by the live watch, which goes on
 * beside. Memory: one list for each watch that is resuming. */
#include "control.h"

#include <stdlib.h>
#include <string.h>

#include "deletes.h"
#include "watch.h"

enum { REPLAY_MAX = 8192, REPLAY_BUCKETS = 512, REPLAY_SENDS = 256 };

struct found {
	struct dot dot;
	uint32_t bucket;
};

struct replay {
	struct version_vector *from;
	struct version_vector end; /* of the map when it began: what is true when it is done */
	struct dot after;          /* sent up to here */
	uint64_t deleted;          /* the next delete to look at; deletes first */
	uint32_t cursor;
	uint32_t count, sent;
	bool collected; /* the pass is over, and sorted */
	bool last;      /* … and there is nothing behind it */
	struct watch *watch;
	uint32_t bucket; /* being visited */
	json_t *record;  /* found again */
	const struct control *control;
	struct found found[REPLAY_MAX];
};

static int compare_dots(struct dot a, struct dot b)
{
	int order = actor_compare(a.actor, b.actor);
	return order != 0 ? order : (a.seq > b.seq) - (a.seq < b.seq);
}

static int by_dot(const void *a, const void *b)
{
	return compare_dots(((const struct found *)a)->dot, ((const struct found *)b)->dot);
}

static void heap_add(struct replay *r, struct found f)
{
	struct found *h = r->found;
	uint32_t at = r->count++;
	for (; at > 0 && compare_dots(f.dot, h[(at - 1) / 2].dot) > 0; at = (at - 1) / 2)
		h[at] = h[(at - 1) / 2];
	h[at] = f;
}

static void heap_replace_top(struct replay *r, struct found f)
{
	struct found *h = r->found;
	uint32_t at = 0;
	for (uint32_t child; (child = 2 * at + 1) < r->count; at = child) {
		if (child + 1 < r->count && compare_dots(h[child + 1].dot, h[child].dot) > 0)
			child++;
		if (compare_dots(f.dot, h[child].dot) >= 0)
			break;
		h[at] = h[child];
	}
	h[at] = f;
}

static bool is_watched(const struct watch *w, const struct map_view *v)
{
	return v->key_len >= w->prefix_len && memcmp(v->key, w->prefix, w->prefix_len) == 0 &&
	       (w->reserved || !typed_is_reserved(v->key, v->key_len));
}

static void visit(void *context, const struct map_view *v)
{
	struct replay *r = context;
	struct found f = {v->dot, r->bucket};
	if (!is_watched(r->watch, v) || vv_covers(r->from, v->dot) ||
		compare_dots(v->dot, r->after) <= 0)
		return;
	if (r->count < REPLAY_MAX) {
		heap_add(r, f);
		return;
	}
	r->last = false;
	if (compare_dots(f.dot, r->found[0].dot) < 0)
		heap_replace_top(r, f);
}

static void collect(struct replay *r, const struct map *map)
{
	bool more = true;
	if (r->cursor == 0)
		r->last = true;
	for (uint32_t n = 0; n < REPLAY_BUCKETS && more; n++) {
		r->bucket = r->cursor;
		more = map_scan_reader(map, &r->cursor, 1, visit, r);
	}
	if (more)
		return;
	qsort(r->found, r->count, sizeof(r->found[0]), by_dot);
	r->collected = true;
	r->sent = 0;
}

static void visit_again(void *context, const struct map_view *v)
{
	struct replay *r = context;
	if (r->record == NULL && dot_equal(v->dot, r->found[r->sent].dot) &&
		is_watched(r->watch, v))
		r->record = record_to_json(r->control, v);
}

/* False: the client has to read first. */
static bool send_some(struct control *control, struct watch *w)
{
	struct replay *r = w->replay;
	for (uint32_t n = 0; n < REPLAY_SENDS && r->sent < r->count; n++) {
		if (!watch_has_room_again(control, w))
			return false;
		uint32_t bucket = r->found[r->sent].bucket;
		r->record = NULL;
		(void)map_scan_reader(control->app->map, &bucket, 1, visit_again, r);
		if (r->record != NULL && !watch_tell(control, w, "map.change", r->record))
			return false; /* behind, by what is live: it will be told */
		r->after = r->found[r->sent++].dot;
	}
	return true;
}

/* Deletes that were collected since, of keys that are not there again. False: the client has to
 * read first; *lost: some are no longer known. */
static bool send_deletes(struct control *control, struct watch *w, bool *lost)
{
	struct replay *r = w->replay;
	struct map_view v, held;
	*lost = r->deleted < deletes_first(control);
	for (uint32_t n = 0; !*lost && deletes_get(control, r->deleted, &v); n++) {
		if (n == REPLAY_SENDS || !watch_has_room_again(control, w))
			return false;
		bool there = map_get_reader(control->app->map, v.key, v.key_len, &held);
		if (!there && is_watched(w, &v) && !vv_covers(r->from, v.dot) &&
			!watch_tell(control, w, "map.change", record_to_json(control, &v)))
			return false;
		r->deleted++;
	}
	return true;
}

void replay_begin(struct control *control, struct watch *w, struct version_vector *from)
{
	struct replay *r = calloc(1, sizeof(*r));
	if (r == NULL) { /* then it is told that it must come again */
		vv_copy(&w->safe, from);
		free(from);
		w->behind = true;
		return;
	}
	r->from = from;
	r->control = control;
	r->watch = w;
	map_vector_reader(control->app->map, &r->end);
	r->deleted = deletes_first(control);
	vv_copy(&w->safe, from);
	w->replay = r;
	control->watch_counters.watches_resumed++;
	control_soon(control);
}

void replay_end(struct watch *w)
{
	if (w->replay == NULL)
		return;
	free(w->replay->from);
	free(w->replay);
	w->replay = NULL;
}

bool replay_is_open(const struct watch *w)
{
	return w->replay != NULL;
}

void replay_tick(struct control *control, struct watch *w)
{
	struct replay *r = w->replay;
	if (r == NULL || w->behind)
		return;
	bool lost;
	if (!send_deletes(control, w, &lost)) {
		control_soon(control);
		return;
	}
	if (lost) { /* it must come again, and will be refused */
		w->behind = true;
		return;
	}
	if (!r->collected) {
		collect(r, control->app->map);
		control_soon(control);
		return;
	}
	if (!send_some(control, w))
		return;
	if (r->sent < r->count) {
		control_soon(control);
		return;
	}
	if (r->last) {
		/* All that the vector of its beginning covers has been told, or what replaced it.
		 */
		vv_copy(&w->safe, &r->end);
		w->told = true;
		control->next_vector_ns = 0;
		replay_end(w);
		return;
	}
	r->collected = false;
	r->count = 0;
	r->cursor = 0;
	control_soon(control);
}
