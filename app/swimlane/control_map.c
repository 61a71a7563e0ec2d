/* map.put, map.get, map.del, map.ls */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/base64.h"
#include "ticks.h"

enum { LS_DEFAULT = 1000, LS_MAX = 10000 };

static void set_bytes(
	json_t *object, const char *text_key, const char *base64_key, const void *bytes, size_t len)
{
	/* No request may hold a NUL: what has one comes back as base64. */
	json_t *text = len == 0 || memchr(bytes, 0, len) == NULL ? json_stringn(bytes, len) : NULL;
	if (text != NULL) {
		json_object_set_new(object, text_key, text);
		return;
	}
	char *encoded = base64_encode(bytes, len);
	json_object_set_new(object, base64_key, json_string(encoded));
	free(encoded);
}

json_t *record_to_json(const struct control *control, const struct map_view *v)
{
	char name[64];
	uint64_t now_ms = ticks_wall_ms();
	json_t *j = json_object();
	set_bytes(j, "key", "key_base64", v->key, v->key_len);
	if (!v->tombstone)
		set_bytes(j, "value", "value_base64", v->value, v->value_len);
	json_object_set_new(j, "tombstone", json_boolean(v->tombstone));
	json_object_set_new(
		j, "writer", json_string(server_name(control, v->author.actor.id, name)));
	json_object_set_new(j, "dot", dot_to_json(control, v->dot));
	json_object_set_new(j, "stamp",
		json_pack("{s:I, s:o, s:s, s:I, s:I}", "clock", (json_int_t)v->clock, "weight",
			json_sprintf("%016" PRIx64, v->weight), "server",
			server_name(control, v->author.actor.id, name), "epoch",
			(json_int_t)v->author.actor.epoch, "seq", (json_int_t)v->author.seq));
	json_object_set_new(j, "rival", json_boolean(v->rival));
	json_object_set_new(j, "age_ms",
		json_integer(now_ms > v->written_ms ? (json_int_t)(now_ms - v->written_ms) : 0));
	return j;
}

static void put(struct control *control, struct rpc_call *call, json_t *params)
{
	const char *key = control_text(call, params, "key");
	json_t *value = json_object_get(params, "value"),
	       *base64 = json_object_get(params, "value_base64");
	if (key == NULL)
		return;
	if (json_is_string(value) == json_is_string(base64)) {
		rpc_error(call, RPC_INVALID_PARAMS,
			"value: a text, or value_base64: one of the two is needed");
		return;
	}
	enum keeper_command_kind kind = json_is_true(json_object_get(params, "if_owner"))
						? KEEPER_PUT_IF_OWNER
						: KEEPER_PUT;
	if (json_is_string(value)) {
		commands_write(control, call, kind, key, json_string_value(value),
			json_string_length(value), "key", key);
		return;
	}
	size_t len;
	void *bytes = base64_decode(json_string_value(base64), &len);
	if (bytes == NULL)
		rpc_error(call, RPC_INVALID_PARAMS, "value_base64: not base64");
	else
		commands_write(control, call, kind, key, bytes, len, "key", key);
	free(bytes);
}

static void del(struct control *control, struct rpc_call *call, json_t *params)
{
	const char *key = control_text(call, params, "key");
	if (key != NULL)
		commands_write(control, call, KEEPER_DEL, key, NULL, 0, "key", key);
}

static void get(struct control *control, struct rpc_call *call, json_t *params)
{
	struct map_view view;
	const char *key = control_text(call, params, "key");
	if (key == NULL)
		return;
	if (!map_get_reader(control->app->map, key, strlen(key), &view) || view.tombstone)
		rpc_error(call, RPC_NOT_FOUND, "no such key: %s", key);
	else
		rpc_result(call, record_to_json(control, &view));
}

/* ---- ls ---- */

/* The first `cap` keys behind `after`, found in one pass over the table: a heap with the largest of
 * them on top. */
struct listing {
	const char *prefix, *after;
	size_t prefix_len, after_len;
	bool tombstones, reserved, more;
	struct map_view *views;
	size_t count, cap;
};

static int compare_keys(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_key(const void *a, const void *b)
{
	const struct map_view *x = a, *y = b;
	return compare_keys(x->key, x->key_len, y->key, y->key_len);
}

static void swap_views(struct map_view *a, struct map_view *b)
{
	struct map_view t = *a;
	*a = *b;
	*b = t;
}

static void sift_up(struct map_view *heap, size_t at)
{
	for (; at > 0 && by_key(&heap[at], &heap[(at - 1) / 2]) > 0; at = (at - 1) / 2)
		swap_views(&heap[at], &heap[(at - 1) / 2]);
}

static void sift_down(struct map_view *heap, size_t count)
{
	for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && by_key(&heap[child + 1], &heap[child]) > 0)
			child++;
		if (by_key(&heap[at], &heap[child]) >= 0)
			return;
		swap_views(&heap[at], &heap[child]);
	}
}

static void visit(void *context, const struct map_view *v)
{
	struct listing *l = context;
	if ((v->tombstone && !l->tombstones) || v->key_len < l->prefix_len ||
		memcmp(v->key, l->prefix, l->prefix_len) != 0 ||
		(typed_is_reserved(v->key, v->key_len) && !l->reserved))
		return;
	if (l->after != NULL &&
		compare_keys(v->key, v->key_len, (const uint8_t *)l->after, l->after_len) <= 0)
		return;
	if (l->count < l->cap) {
		l->views[l->count] = *v;
		sift_up(l->views, l->count++);
		return;
	}
	l->more = true;
	if (by_key(v, &l->views[0]) < 0) {
		l->views[0] = *v;
		sift_down(l->views, l->count);
	}
}

/* What the views point to stays as long as this method runs: it is online in RCU. */
static json_t *page(struct control *control, struct listing *l)
{
	json_t *records = json_array(), *j = json_pack("{s:n}", "next");
	qsort(l->views, l->count, sizeof(l->views[0]), by_key);
	/* The table moves on while it is scanned: a key that was replaced meanwhile may be there
	 * twice. */
	for (size_t i = 0; i < l->count; i++)
		if (i == 0 || by_key(&l->views[i - 1], &l->views[i]) != 0)
			json_array_append_new(records, record_to_json(control, &l->views[i]));
	if (l->more)
		set_bytes(j, "next", "next_base64", l->views[l->count - 1].key,
			l->views[l->count - 1].key_len);
	json_object_set_new(j, "records", records);
	return j;
}

static void ls(struct control *control, struct rpc_call *call, json_t *params)
{
	json_t *limit = json_object_get(params, "limit");
	const char *base64 = NULL;
	uint32_t cursor = 0;
	struct listing l = {
		.prefix = "",
		.tombstones = json_is_true(json_object_get(params, "tombstones")),
		.reserved = json_is_true(json_object_get(params, "reserved")),
	};
	if (!control_text_or(call, params, "prefix", &l.prefix) ||
		!control_text_or(call, params, "after", &l.after) ||
		!control_text_or(call, params, "after_base64", &base64))
		return;
	json_int_t wanted = limit == NULL ? LS_DEFAULT : json_integer_value(limit);
	if (wanted < 1 || wanted > LS_MAX) {
		rpc_error(call, RPC_INVALID_PARAMS, "limit: 1 to %d", LS_MAX);
		return;
	}
	l.prefix_len = strlen(l.prefix);
	l.after_len = l.after != NULL ? strlen(l.after) : 0;
	char *after = base64 != NULL ? base64_decode(base64, &l.after_len) : NULL;
	if (base64 != NULL && after == NULL) {
		rpc_error(call, RPC_INVALID_PARAMS, "after_base64: not base64");
		return;
	}
	l.after = after != NULL ? after : l.after;
	l.cap = (size_t)wanted;
	l.views = calloc(l.cap, sizeof(l.views[0]));
	if (l.views == NULL) {
		rpc_error(call, RPC_INTERNAL, "no memory for the list; ask for fewer");
	} else {
		while (map_scan_reader(control->app->map, &cursor, 4096, visit, &l)) {
		}
		rpc_result(call, page(control, &l));
	}
	free(l.views);
	free(after);
}

void map_methods(struct control *control)
{
	control_add(control, "map.put", put);
	control_add(control, "map.get", get);
	control_add(control, "map.del", del);
	control_add(control, "map.ls", ls);
}
