/* keys, keys.reload */
#include "control.h"

#include "log.h"
#include "sealing.h"

static json_t *ring_to_json(const struct appliance *app)
{
	const struct sealing *s = app->sealing;
	const struct members_view *view = view_get_reader(app->board);
	json_t *list = json_array();
	for (uint32_t k = 0; k < s->key_count; k++) {
		json_int_t heard = 0;
		for (uint32_t i = 0; i < view->count; i++) {
			const struct wire_member *r = &view->members[i].record;
			heard += !view->members[i].self && r->state <= WIRE_SUSPECT &&
				 seal_life_key(app->seal, r->actor, r->instance) == s->key_ids[k];
		}
		json_array_append_new(
			list, json_pack("{s:i, s:s, s:b, s:I}", "id", (int)s->key_ids[k],
				      "fingerprint", s->fingerprints[k], "send",
				      (int)(s->key_ids[k] == s->send_id), "heard_from", heard));
	}
	return list;
}

json_t *keys_to_json(const struct control *control)
{
	const struct appliance *app = control->app;
	const struct sealing *s = app->sealing;
	if (app->seal == NULL)
		return json_pack("{s:b, s:n, s:n, s:[], s:i, s:i, s:{}}", "sealed", 0, "keyring",
			"device", "keys", "senders", 0, "reloads", 0, "counters");
	return json_pack("{s:b, s:s, s:s, s:o, s:I, s:I, s:{s:I, s:I, s:I, s:I, s:I}}", "sealed", 1,
		"keyring", app->config->keyring, "device", s->choice, "keys", ring_to_json(app),
		"senders", (json_int_t)seal_lives(app->seal), "reloads", (json_int_t)s->reloads,
		"counters", "admitted", (json_int_t)s->counters.admitted, "forged",
		(json_int_t)s->counters.forged, "no_key", (json_int_t)s->counters.no_key, "no_room",
		(json_int_t)s->counters.no_room, "answer_full",
		(json_int_t)s->counters.answer_full);
}

static void keys(struct control *control, struct rpc_call *call, json_t *params)
{
	(void)params;
	rpc_result(call, keys_to_json(control));
}

int keys_renew(struct control *control, char *error)
{
	if (control->app->seal == NULL)
		return 0;
	int rc = sealing_reload(control->app, error);
	if (rc < 0)
		log_line(LOG_ERROR, "the keyring stays as it was: %s", error);
	else
		log_line(LOG_INFO, "keyring taken over: %u keys, sending with %u",
			control->app->sealing->key_count, control->app->sealing->send_id);
	return rc;
}

static void keys_reload(struct control *control, struct rpc_call *call, json_t *params)
{
	char error[SEAL_ERROR_MAX];
	(void)params;
	if (keys_renew(control, error) < 0)
		rpc_error(call, RPC_REFUSED, "%s", error);
	else
		rpc_result(call, keys_to_json(control));
}

void keys_methods(struct control *control)
{
	control_add(control, "keys", keys);
	control_add(control, "keys.reload", keys_reload);
}
