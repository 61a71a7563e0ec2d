/* plan: who would own what without some servers, and with others. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config.h"
#include "control_survey.h"
#include "rpc/request.h"

enum { MOVES_DEFAULT = 1000, MOVES_MAX = 100000 };

/* Before and after side by side; a server that is in one of them only weighs 0 in the other. */
struct planned {
	struct rendezvous_server server;
	char name[64];
	uint16_t weight_before, weight_after;
	uint64_t before, after, gains, loses;
};

struct plan {
	uint32_t count; /* of servers */
	uint32_t moves_max;
	struct planned servers[2 * SW_MEMBERS_MAX];
};

static struct planned *find(struct plan *plan, uint64_t id)
{
	for (uint32_t i = 0; i < plan->count; i++)
		if (plan->servers[i].server.id == id)
			return &plan->servers[i];
	return NULL;
}

static void take_present(struct control *control, struct plan *plan)
{
	struct rendezvous_server now[SW_MEMBERS_MAX];
	char name[64];
	plan->count = ownership_servers_reader(control->app->keeper.ownership, now);
	for (uint32_t i = 0; i < plan->count; i++) {
		struct planned *p = &plan->servers[i];
		p->server = now[i];
		p->weight_before = p->weight_after = now[i].weight;
		(void)snprintf(
			p->name, sizeof(p->name), "%s", server_name(control, now[i].id, name));
	}
}

static bool take_away(
	struct control *control, struct rpc_call *call, struct plan *plan, json_t *list)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);
		const struct swim_member *m = server_find(control, text);
		struct planned *p = m == NULL ? NULL : find(plan, m->record.actor.id);
		if (m == NULL) {
			rpc_error(call, RPC_NOT_FOUND, "no such server: %s; `members` lists them",
				text);
			return false;
		}
		if (p != NULL) /* who owns nothing anyway changes nothing */
			p->weight_after = 0;
	}
	return true;
}

/* A member, which then counts with this weight whatever it is now; or one that is not here yet,
 * whose id is that of its name. */
static bool add_one(struct control *control, struct rpc_call *call, struct plan *plan, json_t *item)
{
	const char *text = json_string_value(json_object_get(item, "name"));
	json_t *weight = json_object_get(item, "weight");
	const char *zone = json_string_value(json_object_get(item, "zone"));
	const struct swim_member *m = server_find(control, text);
	uint64_t id = m != NULL ? m->record.actor.id : config_id_of_name(text);
	uint16_t now = m != NULL ? m->record.weight : SW_WEIGHT_DEFAULT;
	struct planned *p = find(plan, id);
	if (p == NULL && plan->count == 2 * SW_MEMBERS_MAX) {
		rpc_error(call, RPC_INVALID_PARAMS, "with: more than %d servers", SW_MEMBERS_MAX);
		return false;
	}
	if (p == NULL) {
		p = &plan->servers[plan->count++];
		p->server = rendezvous_server_make(id, now);
		p->server.zone = rendezvous_zone(m != NULL ? m->record.zone : "");
		(void)snprintf(p->name, sizeof(p->name), "%s", text);
	}
	if (zone != NULL)
		p->server.zone = rendezvous_zone(zone);
	p->weight_after = weight != NULL ? (uint16_t)json_integer_value(weight) : now;
	return true;
}

static uint32_t servers_after(const struct plan *plan, struct rendezvous_server *after)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < plan->count; i++) {
		if (plan->servers[i].weight_after == 0)
			continue;
		if (n < SW_MEMBERS_MAX) {
			after[n] = plan->servers[i].server;
			after[n].weight = plan->servers[i].weight_after;
		}
		n++;
	}
	return n;
}

static json_t *planned_to_json(const struct plan *plan, const struct planned *p, uint64_t keys)
{
	uint64_t weights = 0;
	for (uint32_t i = 0; i < plan->count; i++)
		weights += plan->servers[i].weight_after;
	json_t *name = json_string(p->name);
	return json_pack("{s:o, s:o, s:i, s:i, s:I, s:I, s:I, s:I, s:f, s:f}", "name",
		name != NULL ? name : json_string("?"), "id",
		json_sprintf("%016" PRIx64, p->server.id), "weight_before", (int)p->weight_before,
		"weight", (int)p->weight_after, "before", (json_int_t)p->before, "after",
		(json_int_t)p->after, "gains", (json_int_t)p->gains, "loses", (json_int_t)p->loses,
		"expected", survey_expected(keys, p->weight_after, weights), "sigmas",
		survey_sigmas(keys, p->weight_after, weights, p->after));
}

static const char *owner_name(const struct plan *plan, int owner)
{
	return owner < 0 ? "" : plan->servers[owner].name;
}

/* Counts the key, and tells if it moves. */
static void count(struct plan *plan, const struct survey *s, uint32_t key, int from, int to,
	json_t *moves, uint64_t *moved)
{
	if (from >= 0)
		plan->servers[from].before++;
	if (to >= 0)
		plan->servers[to].after++;
	if (from == to)
		return;
	if (from >= 0)
		plan->servers[from].loses++;
	if (to >= 0)
		plan->servers[to].gains++;
	if ((*moved)++ < plan->moves_max)
		json_array_append_new(moves,
			json_pack("{s:o, s:o, s:o}", "key", rpc_text(survey_key(s, key)), "from",
				from < 0 ? json_null() : rpc_text(owner_name(plan, from)), "to",
				to < 0 ? json_null() : rpc_text(owner_name(plan, to))));
}

static void done(struct control *control, struct rpc_call *call, struct survey *s)
{
	struct plan *plan = s->context;
	struct rendezvous_server all[2 * SW_MEMBERS_MAX], after[SW_MEMBERS_MAX];
	uint64_t moved = 0;
	json_t *moves = json_array(), *servers = json_array();
	int *from = calloc(s->keys + 1, sizeof(from[0]));
	(void)control;
	for (uint32_t i = 0; i < plan->count; i++)
		all[i] = plan->servers[i].server;
	for (uint32_t key = 0; from != NULL && key < s->keys; key++)
		from[key] = survey_owner(s, key, all, plan->count);
	/* In range: checked when the plan was made. */
	(void)rendezvous_table_servers(s->table, after, servers_after(plan, after));
	for (uint32_t key = 0; from != NULL && key < s->keys; key++)
		count(plan, s, key, from[key], survey_owner(s, key, all, plan->count), moves,
			&moved);
	free(from);
	for (uint32_t i = 0; i < plan->count; i++)
		json_array_append_new(servers, planned_to_json(plan, &plan->servers[i], s->keys));
	rpc_result(call, json_pack("{s:I, s:I, s:o, s:o}", "keys", (json_int_t)s->keys, "moved",
				 (json_int_t)moved, "servers", servers, "moves", moves));
}

static void plan(struct control *control, struct rpc_call *call, json_t *params)
{
	struct plan *p = calloc(1, sizeof(*p));
	struct rendezvous_server after[SW_MEMBERS_MAX];
	json_t *limit = json_object_get(params, "limit"), *item;
	size_t i;
	bool ok = p != NULL;
	if (!ok) {
		rpc_error(call, RPC_INTERNAL, "no memory");
		return;
	}
	p->moves_max = limit != NULL ? (uint32_t)json_integer_value(limit) : MOVES_DEFAULT;
	take_present(control, p);
	ok = take_away(control, call, p, json_object_get(params, "without"));
	json_array_foreach(json_object_get(params, "with"), i, item) ok =
		ok && add_one(control, call, p, item);
	if (ok && servers_after(p, after) > SW_MEMBERS_MAX) {
		rpc_error(call, RPC_INVALID_PARAMS, "with: more than %d servers", SW_MEMBERS_MAX);
		ok = false;
	}
	if (ok)
		survey_start(control, call, done, p);
	else
		free(p);
}

void plan_methods(struct control *control)
{
	control_add(control, "plan", plan);
}
