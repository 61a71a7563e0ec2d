/* map.watch: every change as it comes, resumed from a version vector.
 *
 * What a watch promises. Changes are told in the order in which they came here. After
 * `map.vector {vector}`, every write that this vector covers, or one that replaced it, has been
 * told; who comes back with it is told what it does not cover (in order of writer and sequence, as
 * those records are by then), beside what comes meanwhile. So each write that is not replaced at
 * once is told at least once, the last thing told of a key is what the map holds, and nothing is
 * promised of values that were replaced before they were told.
 *
 * Why the vector may be told: the keeper puts a change into the ring before its vector covers it.
 * The vector is read first, then the ring is emptied; if nothing was dropped in between, everything
 * that the vector covers has passed.
 *
 * Bounds: a watch whose client has more than map.watch_kib unread is told nothing until half of
 * that is read, and then `map.missed` with the vector to resume from. Resuming waits for its client
 * instead: it sends no more than fits. */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ticks.h"
#include "deletes.h"
#include "watch.h"

enum { DRAIN_MAX = 2 * CHANGES_MAX, VECTOR_EVERY_MS = 500 };

/* ---- telling ---- */

static bool has_prefix(const struct watch *w, const struct map_view *view)
{
	return view->key_len >= w->prefix_len && memcmp(view->key, w->prefix, w->prefix_len) == 0 &&
	       (w->reserved || !typed_is_reserved(view->key, view->key_len));
}

static bool has_room(const struct control *control, const struct watch *w)
{
	return rpc_subscriber_backlog(w->subscriber) < (size_t)control->app->config->map_watch_kib
							       << 10;
}

bool watch_has_room_again(const struct control *control, const struct watch *w)
{
	return rpc_subscriber_backlog(w->subscriber) <=
	       ((size_t)control->app->config->map_watch_kib << 10) / 2;
}

/* False: it missed this. */
bool watch_tell(struct control *control, struct watch *w, const char *method, json_t *params)
{
	if (!w->behind && has_room(control, w) && rpc_notify(w->subscriber, method, params))
		return true;
	if (w->behind || !has_room(control, w))
		json_decref(params); /* else rpc_notify() has taken it */
	if (!w->behind)
		control->watch_counters.watches_behind++;
	w->behind = true;
	w->missed++;
	return false;
}

static void tell_change(struct control *control, struct watch *w, const struct map_change *change)
{
	json_t *j = record_to_json(control, &change->view);
	if (change->kind == CHANGE_DISPLACED)
		json_object_set_new(j, "by", dot_to_json(control, change->by));
	w->told = true;
	if (watch_tell(control, w,
		    change->kind == CHANGE_DISPLACED ? "map.displaced" : "map.change", j))
		control->watch_counters.watches_told++;
}

static json_t *notice(const struct watch *w, const struct version_vector *vv)
{
	json_t *j = json_pack("{s:o, s:o}", "watching", json_stringn(w->prefix, w->prefix_len),
		"vector", vector_to_json(vv));
	return j;
}

/* What was dropped, here or on the way here, is dropped for good: only resuming brings it back. */
static void tell_missed(struct control *control, struct watch *w)
{
	json_t *j = notice(w, &w->safe);
	json_object_set_new(j, "count", json_integer((json_int_t)w->missed));
	w->behind = false;
	w->broken = true;
	replay_end(w);
	if (!rpc_notify(w->subscriber, "map.missed", j)) {
		w->behind = true;
		return;
	}
	control->watch_counters.watches_missed++;
	w->missed = 0;
}

/* ---- the keeper's changes ---- */

static void tell_all(struct control *control, const struct map_change *change)
{
	for (uint32_t i = 0; i < control->watch_max; i++) {
		struct watch *w = &control->watches[i];
		if (w->subscriber != NULL && has_prefix(w, &change->view))
			tell_change(control, w, change);
	}
}

static void tell_displaced_event(struct control *control, const struct map_change *change)
{
	char by[64], writer[64];
	control->watch_counters.displaced_told++;
	if (typed_is_reserved(change->view.key, change->view.key_len))
		return;
	events_tell(control, change->at_ns, "displaced", change->view.author.actor.id,
		"%.*s: a write of %s gave way to one of %s that did not know of it",
		(int)change->view.key_len, (const char *)change->view.key,
		server_name(control, change->view.author.actor.id, writer),
		server_name(control, change->by.actor.id, by));
}

/* Of the map itself, named as its kind. A key that is not text is left out. */
static void tell_event(struct control *control, const struct map_change *change)
{
	const struct map_event *e = &change->event;
	bool typed = typed_is_reserved(e->key, e->key_len);
	char name[64];
	(void)server_name(control, e->peer_id, name);
	switch (e->kind) {
	case MAP_EVENT_RECONCILED:
		events_tell(control, change->at_ns, "reconciled", e->peer_id,
			"whole maps joined with %s: %" PRIu64 " records dropped as deleted there, "
			"%" PRIu64 " written anew",
			name, e->count, e->lifted);
		break;
	case MAP_EVENT_LIFTED:
		events_tell(control, change->at_ns, "lifted", e->winner.actor.id,
			"%.*s: kept, and written anew above what was collected",
			typed ? 0 : (int)e->key_len, (const char *)e->key);
		break;
	case MAP_EVENT_CLOSED:
		events_tell(control, change->at_ns, "closed", e->winner.actor.id,
			"epoch %" PRIu32 " is over: closed at %" PRIu64, e->winner.actor.epoch,
			e->winner.seq);
		break;
	case MAP_EVENT_ALARM:
		events_tell(control, change->at_ns, "alarm", e->peer_id,
			"the maps of %s and %s differ under equal vectors: comparing them",
			control->app->config->name, name);
		break;
	case MAP_EVENT_REPAIRED:
		events_tell(control, change->at_ns, "repaired", e->peer_id,
			"%" PRIu64 " records came from %s", e->count, name);
		break;
	}
}

static void take_change(struct control *control, const struct map_change *change)
{
	switch (change->kind) {
	case CHANGE_RECORD:
		origins_changed(control, change);
		typed_changed(control, &change->view);
		tell_all(control, change);
		break;
	case CHANGE_DISPLACED:
		tell_all(control, change);
		tell_displaced_event(control, change);
		break;
	case CHANGE_COLLECTED: deletes_add(control, &change->view); break;
	case CHANGE_EVENT: tell_event(control, change); break;
	}
}

/* True if the ring is empty. */
static bool drain_ring(struct control *control)
{
	struct map_change *change;
	for (uint32_t n = 0; n < DRAIN_MAX; n++) {
		if (rte_ring_sc_dequeue(control->app->changes, (void **)&change) != 0)
			return true;
		take_change(control, change);
		/* As long as the changes there are: cannot be full. */
		(void)rte_ring_sp_enqueue(control->app->changes_free, change);
	}
	return false;
}

static void note_missed(struct control *control)
{
	uint64_t missed = control->app->keeper.counters.changes_missed;
	if (missed == control->changes_missed_seen)
		return;
	for (uint32_t i = 0; i < control->watch_max; i++) {
		struct watch *w = &control->watches[i];
		w->behind = true;
		w->missed += missed - control->changes_missed_seen;
	}
	control->changes_missed_seen = missed;
	deletes_rebase(control);
	control->reconcile = true;
	control->leftovers_unseen = true;
}

static bool wants_vector(const struct watch *w)
{
	return w->subscriber != NULL && !w->behind && !w->broken && !replay_is_open(w) && w->told;
}

void changes_drain(struct control *control)
{
	uint64_t now_ns = ticks_now_ns();
	bool due = false;
	for (uint32_t i = 0; i < control->watch_max && now_ns >= control->next_vector_ns; i++)
		due |= wants_vector(&control->watches[i]);
	if (due)
		map_vector_reader(control->app->map, &control->vector);
	deletes_tick(control);
	bool emptied = drain_ring(control);
	note_missed(control);
	for (uint32_t i = 0; i < control->watch_max; i++) {
		struct watch *w = &control->watches[i];
		if (w->subscriber == NULL)
			continue;
		if (w->behind && watch_has_room_again(control, w))
			tell_missed(control, w);
		replay_tick(control, w);
		if (!due || !emptied || !wants_vector(w))
			continue;
		vv_copy(&w->safe, &control->vector);
		w->told = !watch_tell(control, w, "map.vector", notice(w, &w->safe));
	}
	if (due)
		control->next_vector_ns = now_ns + VECTOR_EVERY_MS * SW_NS_PER_MS;
	if (!emptied)
		control_soon(control);
}

/* ---- the method ---- */

static void watch_end(struct watch *w)
{
	w->subscriber = NULL;
	replay_end(w);
}

static void on_gone(struct rpc_subscriber *subscriber, void *context)
{
	(void)subscriber;
	watch_end(context);
}

/* The one of this connection with this prefix, which begins anew; or a free one. */
static struct watch *take_watch(struct control *control, struct rpc_call *call, const char *prefix)
{
	struct watch *place = NULL;
	for (uint32_t i = 0; i < control->watch_max; i++) {
		struct watch *w = &control->watches[i];
		if (w->subscriber == NULL) {
			place = place != NULL ? place : w;
		} else if (rpc_subscriber_is_of(w->subscriber, call) &&
			   strcmp(w->prefix, prefix) == 0) {
			replay_end(w);
			return w;
		}
	}
	if (place == NULL)
		return NULL;
	place->subscriber = rpc_subscribe(call, on_gone, place);
	return place->subscriber != NULL ? place : NULL;
}

static void watch_begin(struct control *control, struct watch *w, const char *prefix, bool reserved)
{
	w->prefix_len = strlen(prefix);
	memcpy(w->prefix, prefix, w->prefix_len + 1);
	w->reserved = reserved;
	w->behind = w->broken = false;
	w->told = true; /* so that there is a vector soon, even if nothing changes */
	w->missed = 0;
	map_vector_reader(control->app->map, &w->safe);
}

static void refuse(struct control *control, struct rpc_call *call)
{
	control->watch_counters.watches_refused++;
	rpc_error(call, RPC_TOO_MANY,
		"as many watches as there may be: %u (map.watches_max), or 16 on this connection",
		control->watch_max);
}

static void watch(struct control *control, struct rpc_call *call, json_t *params)
{
	const char *prefix = "";
	struct version_vector *from = NULL;
	json_t *vector = json_object_get(params, "vector");
	char error[128];
	if (!control_text_or(call, params, "prefix", &prefix))
		return;
	if (strlen(prefix) > SW_KEY_MAX) {
		rpc_error(call, RPC_INVALID_PARAMS, "prefix: at most %d bytes", SW_KEY_MAX);
		return;
	}
	if (json_is_object(vector)) {
		from = calloc(1, sizeof(*from));
		if (from == NULL || !vector_from_json(vector, from, error, sizeof(error))) {
			rpc_error(call, RPC_INVALID_PARAMS, "vector: %s",
				from == NULL ? "no memory" : error);
			free(from);
			return;
		}
	}
	if (from != NULL && from->count > 0 && !deletes_reach(control, from)) {
		free(from);
		rpc_error(call, RPC_REFUSED,
			"vector: deletes that it does not cover are forgotten here "
			"(map.deletes_kept); list the keys anew, or resume from {}");
		return;
	}
	struct watch *w = take_watch(control, call, prefix);
	if (w == NULL) {
		free(from);
		refuse(control, call);
		return;
	}
	watch_begin(control, w, prefix, json_is_true(json_object_get(params, "reserved")));
	json_t *result = json_pack("{s:s, s:b, s:o}", "watching", prefix, "resuming", from != NULL,
		"vector", vector_to_json(from != NULL ? from : &w->safe));
	if (from != NULL)
		replay_begin(control, w, from); /* takes it */
	rpc_result(call, result);
}

int watch_init(struct control *control)
{
	control->watch_max = control->app->config->map_watches_max;
	control->watches = calloc(control->watch_max, sizeof(control->watches[0]));
	return control->watches != NULL ? deletes_init(control) : -ENOMEM;
}

void watch_fini(struct control *control)
{
	for (uint32_t i = 0; i < control->watch_max && control->watches != NULL; i++)
		replay_end(&control->watches[i]);
	free(control->watches);
	control->watches = NULL;
	control->watch_max = 0;
	deletes_fini(control);
}

uint32_t watch_count(const struct control *control)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < control->watch_max; i++)
		n += control->watches[i].subscriber != NULL;
	return n;
}

void watch_methods(struct control *control)
{
	control_add(control, "map.watch", watch);
}
