/* map.put, map.get, map.del */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/base64.h"
#include "ticks.h"

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

void map_methods(struct control *control)
{
	control_add(control, "map.put", put);
	control_add(control, "map.get", get);
	control_add(control, "map.del", del);
}
