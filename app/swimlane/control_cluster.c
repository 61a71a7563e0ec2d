/* status, members, owned, drain, leave, forget */
#include "control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/request.h"
#include "swimlane_version.h"
#include "ticks.h"

static json_t *hex(uint64_t v)
{
	return json_sprintf("%016" PRIx64, v);
}

static const char *const state_names[] = {"alive", "suspect", "dead", "left", "forgotten"};

const char *server_name(const struct control *control, uint64_t id, char *text)
{
	const struct swim_member *m = view_find(view_get_reader(control->app->board), id);
	if (m == NULL) {
		(void)snprintf(text, 64, "%016" PRIx64, id);
		return text;
	}
	/* What others call themselves need not be UTF-8, and JSON takes nothing else. */
	json_t *name = rpc_text(m->record.name);
	(void)snprintf(text, 64, "%s", json_string_value(name));
	json_decref(name);
	return text;
}

const struct swim_member *server_find(const struct control *control, const char *name_or_id)
{
	const struct members_view *view = view_get_reader(control->app->board);
	char *end;
	uint64_t id = strtoull(name_or_id, &end, 16);
	bool is_id = *name_or_id != '\0' && *end == '\0';
	for (uint32_t i = 0; i < view->count; i++) {
		const struct wire_member *r = &view->members[i].record;
		if (strcmp(r->name, name_or_id) == 0 || (is_id && r->actor.id == id))
			return &view->members[i];
	}
	return NULL;
}

static const char *phase_name(const struct control *control, const struct members_view *view)
{
	if (view->phase == SWIM_LEFT)
		return "left";
	if (view->phase == SWIM_STOOD_DOWN)
		return "stood_down";
	if (control->leaving)
		return "leaving";
	if (view->phase == SWIM_JOINING)
		return "joining";
	return map_ready(control->app->map) ? "running" : "starting";
}

static json_t *port_to_json(const struct appliance *app)
{
	struct nic_info p;
	char mac[18];
	nic_port_info(app->port, &p);
	(void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p.mac[0], p.mac[1],
		p.mac[2], p.mac[3], p.mac[4], p.mac[5]);
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:b}", "name", p.name, "driver", p.driver,
		"steering", p.steering, "queues", (int)p.queues, "mac", mac, "mtu", (int)p.mtu,
		"exclusive", (int)p.exclusive);
}

static json_t *core_to_json(
	const struct control *control, unsigned lcore, const char *role, const char *idle)
{
	const char *floating = control->info->place.cpus;
	json_t *cpu = floating[0] != '\0' ? json_string(floating)
					  : json_integer(place_cpu(control->app->config, lcore));
	return json_pack("{s:i, s:o, s:s, s:s}", "lcore", (int)lcore, "cpu", cpu, "role", role,
		"idle", idle);
}

static json_t *cores_to_json(const struct control *control)
{
	const struct config *c = control->app->config;
	json_t *cores = json_array();
	json_array_append_new(cores, core_to_json(control, LCORE_CONTROL, "control", "event loop"));
	json_array_append_new(cores, core_to_json(control, LCORE_KEEPER, "keeper",
					     config_idle_name(c->keeper_idle.policy)));
	for (unsigned i = 0; i < c->lane_count; i++)
		json_array_append_new(cores, core_to_json(control, LCORE_LANE + i, "lane",
						     config_idle_name(c->lane_idle.policy)));
	return cores;
}

uint32_t cluster_alive(const struct members_view *view)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < view->count; i++)
		n += view->members[i].record.state <= WIRE_SUSPECT;
	return n;
}

/* The longest that a suspect has to answer. */
static json_int_t suspicion_ms(const struct appliance *app)
{
	struct swim_profile times;
	config_membership_times(app->config, &times);
	return (json_int_t)(times.suspicion_max_ns / SW_NS_PER_MS);
}

static void status(struct control *control, struct rpc_call *call, json_t *params)
{
	const struct appliance *app = control->app;
	const struct members_view *view = view_get_reader(app->board);
	char address[SW_ENDPOINT_TEXT_MAX];
	(void)params;
	json_t *r = json_pack(
		"{s:s, s:s, s:o, s:I, s:o, s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:i}", "version",
		SWIMLANE_VERSION, "name", app->config->name, "id", hex(view->self.id), "epoch",
		(json_int_t)view->self.epoch, "instance", hex(app->instance), "cluster",
		app->config->cluster, "address", sw_endpoint_format(&app->at, address), "profile",
		config_profile_name(app->config->profile), "state", phase_name(control, view),
		"ready", (int)map_ready(app->map), "drain",
		(view->members[0].record.flags & WIRE_MEMBER_DRAIN) != 0, "members",
		(int)view->count, "alive", (int)cluster_alive(view), "local_health",
		(int)view->local_health);
	json_object_set_new(r, "table_digest", hex(view->digest));
	json_object_set_new(r, "vector_hash", hex(map_vector_hash(app->map)));
	json_object_set_new(r, "content_hash", hex(map_content_hash(app->map)));
	json_object_set_new(r, "records", json_integer(map_record_count(app->map)));
	json_object_set_new(r, "tombstones", json_integer(map_tombstone_count(app->map)));
	json_object_set_new(
		r, "keys", json_integer((json_int_t)ownership_keys(app->keeper.ownership)));
	json_object_set_new(r, "uptime_ms",
		json_integer((json_int_t)((ticks_now_ns() - app->started_ns) / SW_NS_PER_MS)));
	json_object_set_new(r, "suspicion_ms", json_integer(suspicion_ms(app)));
	json_object_set_new(r, "sealed", json_boolean(app->seal != NULL));
	json_object_set_new(r, "capabilities", privileges_json(control->privileges.held));
	json_object_set_new(r, "no_new_privileges", json_boolean(control->privileges.fixed));
	json_object_set_new(r, "port", port_to_json(app));
	json_object_set_new(r, "cores", cores_to_json(control));
	rpc_result(call, r);
}

static json_t *member_to_json(const struct swim_member *m, uint16_t packet_max)
{
	const struct wire_member *r = &m->record;
	char address[SW_ENDPOINT_TEXT_MAX];
	json_t *j = json_pack("{s:o, s:o, s:I, s:o, s:I, s:s, s:b, s:i, s:o, s:s, s:b, s:I, s:s}",
		"name", rpc_text(r->name), "id", hex(r->actor.id), "epoch",
		(json_int_t)r->actor.epoch, "instance", hex(r->instance), "incarnation",
		(json_int_t)r->incarnation, "state", state_names[r->state], "drain",
		(r->flags & WIRE_MEMBER_DRAIN) != 0, "weight", (int)r->weight, "zone",
		rpc_text(r->zone), "address", sw_endpoint_format(&r->at, address), "self",
		(int)m->self, "since_ms", (json_int_t)ticks_wall_ms_at(m->since_ns), "why", m->why);
	json_object_set_new(j, "rtt_us",
		m->rtt_ns > 0 ? json_integer((json_int_t)(m->rtt_ns / SW_NS_PER_US)) : json_null());
	json_object_set_new(j, "packet_max", m->self ? json_null() : json_integer(packet_max));
	return j;
}

static void members(struct control *control, struct rpc_call *call, json_t *params)
{
	const struct members_view *view = view_get_reader(control->app->board);
	json_t *list = json_array();
	(void)params;
	for (uint32_t i = 0; i < view->count; i++)
		json_array_append_new(list, member_to_json(&view->members[i], view->packet_max[i]));
	rpc_result(call,
		json_pack("{s:o, s:i}", "members", list, "local_health", (int)view->local_health));
}

struct owned_scan {
	const struct appliance *app;
	uint64_t id;
	json_t *keys;
};

static void visit_owned(void *context, const struct map_view *v)
{
	struct owned_scan *scan = context;
	struct rendezvous_ranks ranks;
	if (v->tombstone || !ownership_is_registered_prefix(v->key, v->key_len))
		return;
	if (ownership_read_reader(scan->app->keeper.ownership, v->key_hash, &ranks) &&
		ranks.count > 0 && ranks.ids[0] == scan->id)
		json_array_append_new(scan->keys, json_stringn((const char *)v->key, v->key_len));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(
		json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

json_t *json_sort(json_t *list, int (*compare)(const void *a, const void *b))
{
	size_t n = json_array_size(list);
	json_t **items = calloc(n + 1, sizeof(json_t *));
	json_t *out = json_array();
	for (size_t i = 0; items != NULL && i < n; i++)
		items[i] = json_array_get(list, i);
	if (items != NULL)
		qsort(items, n, sizeof(items[0]), compare);
	for (size_t i = 0; items != NULL && i < n; i++)
		json_array_append(out, items[i]);
	free(items);
	json_decref(list);
	return out;
}

static void owned(struct control *control, struct rpc_call *call, json_t *params)
{
	const char *server = control_text(call, params, "server");
	uint32_t cursor = 0;
	if (server == NULL)
		return;
	const struct swim_member *m = server_find(control, server);
	if (m == NULL) {
		rpc_error(call, RPC_NOT_FOUND, "no such server: %s; `members` lists them", server);
		return;
	}
	struct owned_scan scan = {control->app, m->record.actor.id, json_array()};
	while (map_scan_reader(control->app->map, &cursor, 512, visit_owned, &scan)) {
	}
	json_int_t count = (json_int_t)json_array_size(scan.keys);
	rpc_result(call, json_pack("{s:o, s:o, s:o, s:I}", "server", rpc_text(m->record.name), "id",
				 hex(m->record.actor.id), "keys", json_sort(scan.keys, by_text),
				 "count", count));
}

static void drain(struct control *control, struct rpc_call *call, json_t *params)
{
	json_t *on = json_object_get(params, "on");
	if (on != NULL && !json_is_boolean(on)) {
		rpc_error(call, RPC_INVALID_PARAMS, "on: true or false");
		return;
	}
	bool wanted = on == NULL || json_is_true(on);
	if (control_lane(control, wanted ? LANE_DRAIN : LANE_UNDRAIN, 0))
		rpc_result(call, json_pack("{s:b}", "drain", (int)wanted));
	else
		rpc_error(call, RPC_BUSY, "lane 0 has as many commands as it takes; try again");
}

static void leave(struct control *control, struct rpc_call *call, json_t *params)
{
	(void)params;
	rpc_result(call, json_pack("{s:b}", "left", 1));
	control_leave(control);
}

static void forget(struct control *control, struct rpc_call *call, json_t *params)
{
	const char *server = control_text(call, params, "server");
	if (server == NULL)
		return;
	const struct swim_member *m = server_find(control, server);
	if (m == NULL)
		rpc_error(call, RPC_NOT_FOUND, "no such server: %s; `members` lists them", server);
	else if (m->record.state != WIRE_DEAD)
		rpc_error(call, RPC_REFUSED, "%s is %s: only a dead server can be forgotten",
			m->record.name, state_names[m->record.state]);
	else if (control_lane(control, LANE_FORGET, m->record.actor.id))
		rpc_result(call, json_pack("{s:s}", "forgotten", m->record.name));
	else
		rpc_error(call, RPC_BUSY, "lane 0 has as many commands as it takes; try again");
}

void cluster_methods(struct control *control)
{
	control_add(control, "status", status);
	control_add(control, "members", members);
	control_add(control, "owned", owned);
	control_add(control, "drain", drain);
	control_add(control, "leave", leave);
	control_add(control, "forget", forget);
}
