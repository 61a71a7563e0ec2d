/* Origins and their health: the owner checks, the verdict goes into the map.
 *
 *   origin/NAME   the definition, put on any server
 *   health/NAME   the verdict, written by whoever checks
 */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_listing.h"
#include "log.h"
#include "ticks.h"

#define ORIGIN "origin/"
#define HEALTH "health/"

enum { PREFIX = sizeof(ORIGIN) - 1, WRITES_A_TICK = 256 };

_Static_assert(sizeof(ORIGIN) == sizeof(HEALTH), "one prefix length serves both");

static bool starts_with(const struct map_view *v, const char *prefix)
{
	return v->key_len > PREFIX && memcmp(v->key, prefix, PREFIX) == 0;
}

/* The name behind the prefix; false if an origin cannot have it: keys are any bytes, and from
 * anybody. */
static bool name_of(const struct map_view *v, char name[HEALTH_NAME_MAX + 1])
{
	size_t len = v->key_len - PREFIX;
	if (len > HEALTH_NAME_MAX)
		return false;
	memcpy(name, v->key + PREFIX, len);
	name[len] = '\0';
	return strlen(name) == len && health_is_name(name);
}

bool origins_verdict(const struct control *control, const char *name,
	struct health_verdict *verdict, struct map_view *view)
{
	char key[SW_KEY_MAX + 1];
	int len = snprintf(key, sizeof(key), HEALTH "%s", name);
	if (!map_get_reader(control->app->map, key, (size_t)len, view) || view->tombstone)
		return false;
	json_t *json = json_loadb((const char *)view->value, view->value_len, 0, NULL);
	bool ok = json != NULL && health_verdict_from_json(json, verdict) == 0;
	json_decref(json);
	return ok;
}

bool origins_name(const struct map_view *v, char name[HEALTH_NAME_MAX + 1])
{
	return !v->tombstone && starts_with(v, ORIGIN) && name_of(v, name);
}

/* ---- verdicts into the map ---- */

static void write_verdicts(struct control *control)
{
	json_t *value;
	const char *name;
	void *next;
	char key[SW_KEY_MAX + 1];
	int written = 0;
	json_object_foreach_safe(control->unwritten, next, name, value)
	{
		char *text = json_dumps(value, JSON_COMPACT);
		(void)snprintf(key, sizeof(key), HEALTH "%s", name);
		int rc = text == NULL ? -ENOMEM
				      : commands_submit(control, KEEPER_PUT, key, text,
						strlen(text), NULL, NULL);
		free(text);
		if (rc == -EBUSY || ++written > WRITES_A_TICK)
			return; /* goes on at the next tick */
		if (rc < 0)
			log_line(
				LOG_ERROR, "verdict of %s is not written: %s", name, strerror(-rc));
		json_object_del(control->unwritten, name);
	}
}

static void on_verdict(
	void *context, const char *name, const struct health_verdict *verdict, bool changed)
{
	struct control *control = context;
	(void)changed;
	json_object_set_new(control->unwritten, name, health_verdict_to_json(verdict));
	control_soon(control);
}

void origins_changed(struct control *control, const struct map_change *change)
{
	char name[HEALTH_NAME_MAX + 1];
	const struct map_view *v = &change->view;
	struct health_verdict verdict;
	if (starts_with(v, ORIGIN)) {
		control->reconcile = true;
		return;
	}
	if (!starts_with(v, HEALTH) || !name_of(v, name))
		return;
	json_t *json =
		v->tombstone ? NULL : json_loadb((const char *)v->value, v->value_len, 0, NULL);
	if (json == NULL || health_verdict_from_json(json, &verdict) < 0) {
		json_object_del(control->verdicts, name);
		json_decref(json);
		return;
	}
	json_decref(json);
	duties_written(control, name, v->author.actor);
	const char *state = health_state_name(verdict.state);
	const char *told = json_string_value(
		json_object_get(json_object_get(control->verdicts, name), "state"));
	bool same = told != NULL && strcmp(told, state) == 0;
	json_object_set_new(control->verdicts, name,
		json_pack("{s:s, s:I}", "state", state, "at_ns", (json_int_t)change->at_ns));
	if (same)
		return;
	events_tell(control, change->at_ns, "verdict", v->author.actor.id, "%s is %s%s%s", name,
		state, verdict.error[0] != '\0' ? ": " : "", verdict.error);
}

/* ---- the configuration's origins ---- */

/* Put once, by whoever finds them missing: a definition that is in the map already wins. */
static void put_configured(struct control *control)
{
	const struct config *c = control->app->config;
	char key[SW_KEY_MAX + 1];
	while (control->origins_put < c->origin_count && map_ready(control->app->map)) {
		const struct health_origin *o = &c->origins[control->origins_put];
		json_t *json = health_origin_to_json(o);
		char *text = json_dumps(json, JSON_COMPACT);
		(void)snprintf(key, sizeof(key), ORIGIN "%s", o->name);
		int rc = text == NULL ? -ENOMEM
				      : commands_submit(control, KEEPER_PUT_IF_ABSENT, key, text,
						strlen(text), NULL, NULL);
		json_decref(json);
		free(text);
		if (rc == -EBUSY)
			return;
		if (rc < 0)
			log_line(LOG_ERROR, "origins: %s is not put into the map: %s", o->name,
				strerror(-rc));
		control->origins_put++;
	}
}

void origins_reload(struct control *control, struct health_origin *origins, uint32_t count)
{
	free(control->reloaded_origins);
	control->reloaded_origins = origins;
	control->reloaded_count = count;
	control->reloaded_put = 0;
}

/* As the map has it already, in so many words: not put again. */
static bool is_defined_so(const struct control *control, const char *key, const char *text)
{
	struct map_view view;
	return map_get_reader(control->app->map, key, strlen(key), &view) && !view.tombstone &&
	       view.value_len == strlen(text) && memcmp(view.value, text, view.value_len) == 0;
}

static int put_origin(struct control *control, const struct health_origin *o)
{
	char key[SW_KEY_MAX + 1];
	json_t *json = health_origin_to_json(o);
	char *text = json_dumps(json, JSON_COMPACT);
	int rc = text == NULL ? -ENOMEM : 0;
	(void)snprintf(key, sizeof(key), ORIGIN "%s", o->name);
	if (rc == 0 && !is_defined_so(control, key, text))
		rc = commands_submit(control, KEEPER_PUT, key, text, strlen(text), NULL, NULL);
	json_decref(json);
	free(text);
	return rc;
}

static void put_reloaded(struct control *control)
{
	if (control->reloaded_origins == NULL || !map_ready(control->app->map))
		return;
	for (int i = 0; i < WRITES_A_TICK && control->reloaded_put < control->reloaded_count; i++) {
		const struct health_origin *o = &control->reloaded_origins[control->reloaded_put];
		int rc = put_origin(control, o);
		if (rc == -EBUSY)
			return;
		if (rc < 0)
			log_line(LOG_ERROR, "origins: %s is not put into the map: %s", o->name,
				strerror(-rc));
		control->reloaded_put++;
	}
	if (control->reloaded_put == control->reloaded_count)
		origins_reload(control, NULL, 0);
}

void origins_tick(struct control *control)
{
	uint64_t version =
		atomic_load_explicit(&control->app->keeper.ownership_version, memory_order_acquire);
	if (version != control->ownership_seen) {
		control->ownership_seen = version;
		control->reconcile = true;
	}
	put_configured(control);
	put_reloaded(control);
	if (control->checker == NULL)
		return;
	if (control->reconcile)
		duties_want(control);
	control->reconcile = false;
	if (!duties_look(control))
		control_soon(control);
	if (map_ready(control->app->map) && json_object_size(control->unwritten) > 0)
		write_verdicts(control);
}

int origins_init(struct control *control)
{
	struct health_config config = control->app->config->health;
	control->verdicts = json_object();
	control->unwritten = json_object();
	if (!control->app->config->health_enabled)
		return 0;
	if (duties_init(control) < 0)
		return -ENOMEM;
	if (control->app->config->health_ca_file[0] != '\0')
		config.ca_file = control->app->config->health_ca_file;
	config.seed = control->app->instance;
	config.on_verdict = on_verdict;
	config.context = control;
	int rc = health_checker_create(control->base, &config, &control->checker);
	if (rc < 0)
		log_line(LOG_ERROR, "health checks do not start: %s%s%s",
			config.ca_file != NULL ? "health.ca_file " : "",
			config.ca_file != NULL ? config.ca_file : "libcurl",
			rc == -ENOMEM ? ": no memory"
			: rc == -EIO  ? ": does not start"
				      : ": cannot be read");
	return rc;
}

void origins_fini(struct control *control)
{
	if (control->checker != NULL)
		health_checker_destroy(control->checker);
	duties_fini(control);
	json_decref(control->verdicts);
	json_decref(control->unwritten);
}

/* ---- methods ---- */

static const char *origin_name(struct rpc_call *call, json_t *params)
{
	const char *name = control_text(call, params, "name");
	if (name == NULL || (strlen(name) > 0 && strlen(name) <= HEALTH_NAME_MAX))
		return name;
	rpc_error(
		call, RPC_INVALID_PARAMS, "name: 1 to %d letters, digits and ._-", HEALTH_NAME_MAX);
	return NULL;
}

static void write_origin(
	struct control *control, struct rpc_call *call, const struct health_origin *origin)
{
	char key[SW_KEY_MAX + 1];
	json_t *whole = health_origin_to_json(origin);
	char *text = json_dumps(whole, JSON_COMPACT);
	(void)snprintf(key, sizeof(key), ORIGIN "%s", origin->name);
	if (text != NULL)
		commands_write(
			control, call, KEEPER_PUT, key, text, strlen(text), "name", origin->name);
	else
		rpc_error(call, RPC_INTERNAL, "no memory");
	free(text);
	json_decref(whole);
}

static void origin_add(struct control *control, struct rpc_call *call, json_t *params)
{
	struct health_origin origin;
	char error[256];
	const char *name = origin_name(call, params);
	if (name == NULL)
		return;
	json_t *definition = json_object_get(params, "origin");
	if (!json_is_object(definition)) {
		rpc_error(call, RPC_INVALID_PARAMS,
			"origin: an object is needed, as in {\"url\": \"http://10.0.0.1/\"}");
		return;
	}
	if (health_origin_from_json(name, definition, &origin, error, sizeof(error)) < 0) {
		rpc_error(call, RPC_INVALID_PARAMS, "%s", error);
		return;
	}
	write_origin(control, call, &origin);
}

/* The definition as it stands here, with or without the reason not to check it. */
static void origin_maintenance(struct control *control, struct rpc_call *call, json_t *params)
{
	struct health_origin origin;
	struct map_view v;
	const char *reason = "";
	char key[SW_KEY_MAX + 1], error[256] = "not JSON";
	const char *name = origin_name(call, params);
	if (name == NULL || !control_text_or(call, params, "reason", &reason))
		return;
	int len = snprintf(key, sizeof(key), ORIGIN "%s", name);
	if (!map_get_reader(control->app->map, key, (size_t)len, &v) || v.tombstone) {
		rpc_error(
			call, RPC_NOT_FOUND, "no such origin: %s; `origin.list` lists them", name);
		return;
	}
	json_t *definition = json_loadb((const char *)v.value, v.value_len, 0, NULL);
	bool asked = definition != NULL &&
		     json_object_set_new(definition, "maintenance", json_string(reason)) == 0;
	int rc = !asked ? -EINVAL
			: health_origin_from_json(name, definition, &origin, error, sizeof(error));
	json_decref(definition);
	if (rc < 0)
		rpc_error(call, RPC_INVALID_PARAMS, "origin %s: %s", name, error);
	else
		write_origin(control, call, &origin);
}

static void origin_rm(struct control *control, struct rpc_call *call, json_t *params)
{
	char key[SW_KEY_MAX + 1];
	const char *name = origin_name(call, params);
	if (name == NULL)
		return;
	/* Its verdict goes with it; if there is none, nothing is lost. */
	(void)snprintf(key, sizeof(key), HEALTH "%s", name);
	(void)commands_submit(control, KEEPER_DEL, key, NULL, 0, NULL, NULL);
	(void)snprintf(key, sizeof(key), ORIGIN "%s", name);
	commands_write(control, call, KEEPER_DEL, key, NULL, 0, "name", name);
}

static json_t *owner_of(const struct control *control, uint64_t key_hash)
{
	struct rendezvous_ranks ranks;
	char name[64];
	if (!ownership_read_reader(control->app->keeper.ownership, key_hash, &ranks) ||
		ranks.count == 0)
		return json_null();
	return json_string(server_name(control, ranks.ids[0], name));
}

/* Nobody told it for three intervals, by this server's own clock: whoever is to check it does not,
 * or is not heard. */
static bool is_stale(const struct control *control, const char *name, const struct map_view *v)
{
	json_t *heard = json_object_get(json_object_get(control->verdicts, name), "at_ns");
	json_t *origin = json_loadb((const char *)v->value, v->value_len, 0, NULL);
	json_int_t interval_ms = json_integer_value(json_object_get(origin, "interval_ms"));
	json_decref(origin);
	if (heard == NULL || interval_ms < 0 || interval_ms > UINT32_MAX)
		return false;
	uint64_t now_ns = ticks_now_ns(), heard_ns = (uint64_t)json_integer_value(heard);
	uint64_t after_ms = health_stale_after_ms(
		(uint32_t)interval_ms, control->app->config->health.refresh_ms);
	return now_ns > heard_ns && now_ns - heard_ns > after_ms * SW_NS_PER_MS;
}

static json_t *health_to_json(
	const struct control *control, const char *name, const struct map_view *v)
{
	struct health_verdict verdict = {.state = HEALTH_UNKNOWN};
	struct map_view written;
	char writer[64];
	uint64_t now_ms = ticks_wall_ms();
	bool known = origins_verdict(control, name, &verdict, &written);
	json_t *j = health_verdict_to_json(&verdict);
	json_object_set_new(j, "name", json_string(name));
	json_object_set_new(j, "age_ms",
		known && now_ms >= verdict.checked_ms
			? json_integer((json_int_t)(now_ms - verdict.checked_ms))
			: json_null());
	json_object_set_new(j, "stale", json_boolean(known && is_stale(control, name, v)));
	json_object_set_new(j, "writer",
		known ? json_string(server_name(control, written.author.actor.id, writer))
		      : json_null());
	json_object_set_new(j, "owner", owner_of(control, v->key_hash));
	json_object_set_new(j, "checking", json_boolean(duties_of(control, name) != DUTY_NONE));
	return j;
}

static json_t *health_item(struct control *control, const struct map_view *v, void *context)
{
	char name[HEALTH_NAME_MAX + 1];
	(void)context;
	return name_of(v, name) ? health_to_json(control, name, v) : NULL;
}

static json_t *origin_item(struct control *control, const struct map_view *v, void *context)
{
	char name[HEALTH_NAME_MAX + 1];
	(void)context;
	if (!name_of(v, name))
		return NULL;
	json_t *origin = json_loadb((const char *)v->value, v->value_len, 0, NULL);
	return json_pack("{s:s, s:o, s:o}", "name", name, "origin",
		origin != NULL ? origin : json_null(), "owner", owner_of(control, v->key_hash));
}

static void list_tail(
	struct listing_text *text, const void *last, size_t last_len, size_t items, void *context)
{
	(void)last, (void)last_len, (void)items, (void)context;
	listing_add(text, "]}");
}

static void list_origins(struct control *control, struct rpc_call *call,
	json_t *(*item)(struct control *control, const struct map_view *view, void *context))
{
	const struct listing l = {.prefix = ORIGIN,
		.prefix_len = PREFIX,
		.head = "{\"origins\":[",
		.item = item,
		.tail = list_tail};
	listing_start(control, call, &l);
}

static void origin_list(struct control *control, struct rpc_call *call, json_t *params)
{
	(void)params;
	list_origins(control, call, origin_item);
}

static void health(struct control *control, struct rpc_call *call, json_t *params)
{
	const char *only = NULL;
	struct map_view view;
	char key[SW_KEY_MAX + 1];
	if (!control_text_or(call, params, "name", &only))
		return;
	if (only == NULL) {
		list_origins(control, call, health_item);
		return;
	}
	int len = snprintf(key, sizeof(key), ORIGIN "%s", only);
	if (!health_is_name(only) || !map_get_reader(control->app->map, key, (size_t)len, &view) ||
		view.tombstone)
		rpc_error(
			call, RPC_NOT_FOUND, "no such origin: %s; `origin.list` lists them", only);
	else
		rpc_result(call,
			json_pack("{s:[o]}", "origins", health_to_json(control, only, &view)));
}

struct summary {
	json_int_t counts[HEALTH_MAINTENANCE + 1]; /* by enum health_state */
	json_t *not_up;
	json_int_t limit;
};

static json_t *not_up_to_json(struct control *control, const char *name, const char *state)
{
	struct health_verdict verdict;
	struct map_view view;
	char writer[64];
	json_t *j = json_pack("{s:s, s:s}", "name", name, "state", state);
	if (!origins_verdict(control, name, &verdict, &view))
		return j;
	json_object_set_new(j, "since_ms", json_integer((json_int_t)verdict.since_ms));
	json_object_set_new(j, "error", json_string(verdict.error));
	json_object_set_new(
		j, "writer", json_string(server_name(control, view.author.actor.id, writer)));
	return j;
}

static void health_summary(struct control *control, struct rpc_call *call, json_t *params)
{
	json_t *limit = json_object_get(params, "limit"), *told;
	struct summary s = {.not_up = json_array(), .limit = 10};
	const char *name;
	if (json_is_integer(limit))
		s.limit = json_integer_value(limit);
	json_object_foreach(control->verdicts, name, told)
	{
		const char *text = json_string_value(json_object_get(told, "state"));
		for (enum health_state h = HEALTH_UNKNOWN; h <= HEALTH_MAINTENANCE; h++)
			s.counts[h] += strcmp(text, health_state_name(h)) == 0;
		if (strcmp(text, health_state_name(HEALTH_UP)) != 0 &&
			(json_int_t)json_array_size(s.not_up) < s.limit)
			json_array_append_new(s.not_up, not_up_to_json(control, name, text));
	}
	rpc_result(call, json_pack("{s:I, s:I, s:I, s:I, s:o}", "up", s.counts[HEALTH_UP], "down",
				 s.counts[HEALTH_DOWN], "unknown", s.counts[HEALTH_UNKNOWN],
				 "maintenance", s.counts[HEALTH_MAINTENANCE], "not_up", s.not_up));
}

void origins_methods(struct control *control)
{
	control_add(control, "origin.add", origin_add);
	control_add(control, "origin.rm", origin_rm);
	control_add(control, "origin.maintenance", origin_maintenance);
	control_add(control, "origin.list", origin_list);
	control_add(control, "health", health);
	control_add(control, "health.summary", health_summary);
}
