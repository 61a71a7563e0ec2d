/* map.ls */
#include "control.h"

#include <stdlib.h>
#include <string.h>

#include "control_listing.h"
#include "rpc/base64.h"

enum { LS_DEFAULT = 1000, LS_MAX = 10000 };

static json_t *item(struct control *control, const struct map_view *view, void *context)
{
	(void)context;
	return record_to_json(control, view);
}

static void tail(
	struct listing_text *text, const void *last, size_t last_len, size_t items, void *context)
{
	(void)items, (void)context;
	bool is_text =
		last != NULL && memchr(last, 0, last_len) == NULL; /* no request holds a NUL */
	json_t *next = is_text ? json_stringn(last, last_len) : last == NULL ? json_null() : NULL;
	listing_add(text, "],\"next\":");
	listing_add_json(text, next != NULL ? next : json_null());
	if (next == NULL) { /* not UTF-8 */
		char *encoded = base64_encode(last, last_len);
		listing_add(text, ",\"next_base64\":");
		listing_add_json(text, json_string(encoded));
		free(encoded);
	}
	listing_add(text, "}");
}

static void ls(struct control *control, struct rpc_call *call, json_t *params)
{
	json_t *limit = json_object_get(params, "limit");
	const char *prefix = "", *after = NULL, *base64 = NULL;
	struct listing l = {.tombstones = json_is_true(json_object_get(params, "tombstones")),
		.reserved = json_is_true(json_object_get(params, "reserved")),
		.head = "{\"records\":[",
		.item = item,
		.tail = tail};
	if (!control_text_or(call, params, "prefix", &prefix) ||
		!control_text_or(call, params, "after", &after) ||
		!control_text_or(call, params, "after_base64", &base64))
		return;
	json_int_t wanted = json_is_integer(limit) ? json_integer_value(limit) : LS_DEFAULT;
	if (wanted < 1 || wanted > LS_MAX) {
		rpc_error(call, RPC_INVALID_PARAMS, "limit: 1 to %d", LS_MAX);
		return;
	}
	l.limit = (size_t)wanted;
	l.prefix = prefix;
	l.prefix_len = strlen(prefix);
	l.after = after;
	l.after_len = after != NULL ? strlen(after) : 0;
	void *decoded = base64 != NULL ? base64_decode(base64, &l.after_len) : NULL;
	if (base64 != NULL && decoded == NULL) {
		rpc_error(call, RPC_INVALID_PARAMS, "after_base64: not base64");
		return;
	}
	if (decoded != NULL)
		l.after = decoded;
	listing_start(control, call, &l);
	free(decoded);
}

void ls_methods(struct control *control)
{
	control_add(control, "map.ls", ls);
}
