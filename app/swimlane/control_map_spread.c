/* map.spread, map.wait, map.staleness: who is known to hold what, from the vectors that members
 * last reported. Known is never more than is true; it lags by the time between two reports. */
#include "control.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ticks.h"

enum { WAIT_DEFAULT_MS = 5000, WAIT_EVERY_MS = 2 };

/* A member that is waited for: neither left nor forgotten. */
static bool counts(const struct swim_member *m)
{
	return m->record.state < WIRE_LEFT;
}

/* The row of reports of a member; MAP_REPORTS_MAX: it has none. */
static uint32_t row_of(const struct control *control, struct actor actor, struct map_report *report)
{
	for (uint32_t row = 0; row < MAP_REPORTS_MAX; row++)
		if (map_report_reader(control->app->map, row, report) &&
			actor_equal(report->actor, actor))
			return row;
	return MAP_REPORTS_MAX;
}

/* *reported_ns: when it last said what it holds; 0: never. */
static bool is_known_to_hold(const struct control *control, const struct swim_member *m,
	struct dot dot, uint64_t *reported_ns)
{
	struct map_report report = {.at_ns = 0};
	*reported_ns = 0;
	if (m->self)
		return map_covers_reader(control->app->map, dot);
	uint32_t row = row_of(control, m->record.actor, &report);
	if (row == MAP_REPORTS_MAX)
		return false;
	*reported_ns = report.at_ns;
	return map_reported_reader(control->app->map, row, m->record.actor, dot.actor) >= dot.seq;
}

struct spread {
	uint32_t of, holding;
};

/* `missing`, if given, gets the names of those of whom it is not known. */
static struct spread spread_of(const struct control *control, struct dot dot, json_t *missing)
{
	const struct members_view *view = view_get_reader(control->app->board);
	struct spread s = {0};
	for (uint32_t i = 0; i < view->count; i++) {
		const struct swim_member *m = &view->members[i];
		uint64_t reported_ns;
		char name[64];
		if (!counts(m))
			continue;
		bool holds = is_known_to_hold(control, m, dot, &reported_ns);
		s.of++;
		s.holding += holds;
		if (!holds && missing != NULL)
			json_array_append_new(missing,
				json_string(server_name(control, m->record.actor.id, name)));
	}
	return s;
}

bool spread_is_settled(struct control *control, struct dot dot)
{
	struct spread s = spread_of(control, dot, NULL);
	return s.of > 0 && s.holding == s.of;
}

/* ---- which write ---- */

static bool read_dot(struct control *control, struct rpc_call *call, json_t *j, struct dot *dot)
{
	const char *server = json_string_value(json_object_get(j, "server"));
	json_int_t epoch = json_integer_value(json_object_get(j, "epoch"));
	json_int_t seq = json_integer_value(json_object_get(j, "seq"));
	const struct swim_member *m = server != NULL ? server_find(control, server) : NULL;
	char *end = NULL;
	dot->actor.id = m != NULL                           ? m->record.actor.id
			: server != NULL && *server != '\0' ? strtoull(server, &end, 16)
							    : 0;
	dot->actor.epoch = (uint32_t)epoch;
	dot->seq = (uint64_t)seq;
	if (server != NULL && (m != NULL || (end != NULL && *end == '\0')) && epoch > 0 &&
		epoch <= UINT32_MAX && seq > 0)
		return true;
	rpc_error(call, RPC_INVALID_PARAMS,
		"dot: {\"server\": a name or an id, \"epoch\": …, \"seq\": …} is needed, as "
		"map.put "
		"answers it");
	return false;
}

/* The write that is meant: by its dot, or the one that is read under a key now. */
static bool which(struct control *control, struct rpc_call *call, json_t *params, struct dot *dot)
{
	struct map_view view;
	json_t *given = json_object_get(params, "dot");
	const char *key = json_string_value(json_object_get(params, "key"));
	if ((key != NULL) == json_is_object(given)) {
		rpc_error(call, RPC_INVALID_PARAMS, "key or dot: one of the two is needed");
		return false;
	}
	if (key == NULL)
		return read_dot(control, call, given, dot);
	if (!map_get_reader(control->app->map, key, strlen(key), &view)) {
		rpc_error(call, RPC_NOT_FOUND, "no such key: %s", key);
		return false;
	}
	*dot = view.dot; /* a delete's too */
	return true;
}

/* ---- map.spread ---- */

static json_t *age_or_null(uint64_t now_ns, uint64_t at_ns)
{
	return at_ns == 0 || at_ns > now_ns
		       ? (at_ns == 0 ? json_null() : json_integer(0))
		       : json_integer((json_int_t)((now_ns - at_ns) / SW_NS_PER_MS));
}

static const char *state_name(const struct swim_member *m)
{
	static const char *const names[] = {"alive", "suspect", "dead", "left", "forgotten"};
	return names[m->record.state];
}

static void spread(struct control *control, struct rpc_call *call, json_t *params)
{
	const struct members_view *view = view_get_reader(control->app->board);
	uint64_t now_ns = ticks_now_ns(), reported_ns;
	struct dot dot;
	char name[64];
	if (!which(control, call, params, &dot))
		return;
	json_t *members = json_array();
	for (uint32_t i = 0; i < view->count; i++) {
		const struct swim_member *m = &view->members[i];
		if (!counts(m))
			continue;
		bool holds = is_known_to_hold(control, m, dot, &reported_ns);
		json_t *j = json_pack("{s:s, s:s, s:b, s:b}", "name",
			server_name(control, m->record.actor.id, name), "state", state_name(m),
			"self", (int)m->self, "holds", (int)holds);
		json_object_set_new(j, "reported_ms",
			m->self ? json_integer(0) : age_or_null(now_ns, reported_ns));
		json_array_append_new(members, j);
	}
	struct spread s = spread_of(control, dot, NULL);
	rpc_result(call, json_pack("{s:o, s:o, s:i, s:i, s:b}", "dot", dot_to_json(control, dot),
				 "members", members, "holding", (int)s.holding, "of", (int)s.of,
				 "settled", s.holding == s.of));
}

/* ---- map.wait ---- */

static void on_gone(struct rpc_call *call, void *context)
{
	struct waiting *w = context;
	(void)call;
	w->call = NULL;
}

static void answer(struct control *control, struct waiting *w, bool reached, uint64_t now_ns)
{
	json_t *missing = json_array();
	struct spread s = spread_of(control, w->dot, missing);
	struct rpc_call *call = w->call;
	w->call = NULL;
	rpc_result(call, json_pack("{s:o, s:b, s:i, s:i, s:o, s:I}", "dot",
				 dot_to_json(control, w->dot), "reached", (int)reached, "holding",
				 (int)s.holding, "of", (int)s.of, "missing", missing, "waited_ms",
				 (json_int_t)((now_ns - w->start_ns) / SW_NS_PER_MS)));
}

static bool is_reached(const struct control *control, const struct waiting *w)
{
	struct spread s = spread_of(control, w->dot, NULL);
	return w->members == 0 ? s.of > 0 && s.holding == s.of : s.holding >= w->members;
}

void spread_tick(struct control *control, uint64_t now_ns)
{
	if (control->waiting_count == 0 || now_ns < control->next_waiting_ns)
		return;
	control->next_waiting_ns = now_ns + WAIT_EVERY_MS * SW_NS_PER_MS;
	uint32_t count = 0;
	for (int i = 0; i < WAITINGS_MAX; i++) {
		struct waiting *w = &control->waitings[i];
		bool reached = w->call != NULL && is_reached(control, w);
		if (w->call != NULL && (reached || now_ns >= w->end_ns))
			answer(control, w, reached, now_ns);
		count += w->call != NULL;
	}
	control->waiting_count = count;
}

static void wait(struct control *control, struct rpc_call *call, json_t *params)
{
	json_t *members = json_object_get(params, "members");
	json_t *timeout = json_object_get(params, "timeout_ms");
	uint64_t now_ns = ticks_now_ns();
	struct waiting *place = NULL;
	struct dot dot;
	if (!which(control, call, params, &dot))
		return;
	for (int i = 0; i < WAITINGS_MAX && place == NULL; i++)
		if (control->waitings[i].call == NULL)
			place = &control->waitings[i];
	if (place == NULL) {
		rpc_error(call, RPC_BUSY, "%d others wait already; try again", WAITINGS_MAX);
		return;
	}
	json_int_t ms = timeout != NULL ? json_integer_value(timeout) : WAIT_DEFAULT_MS;
	*place = (struct waiting){
		.call = call,
		.dot = dot,
		.members = (uint32_t)json_integer_value(members),
		.start_ns = now_ns,
		.end_ns = now_ns + (uint64_t)ms * SW_NS_PER_MS,
	};
	rpc_defer(call, on_gone, place);
	control->waiting_count++;
	control->next_waiting_ns = 0;
	control_soon(control);
}

/* ---- map.staleness ---- */

/* Writes of others that it did not hold when it last reported, as far as this server holds them. */
static uint64_t lacks(const struct control *control, uint32_t row, struct actor member,
	const struct version_vector *own)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < own->count; i++) {
		const struct vv_entry *e = &own->entries[i];
		uint64_t theirs = map_reported_reader(control->app->map, row, member, e->actor);
		if (!vv_is_closed(e->seq) && theirs < e->seq)
			n += e->seq - theirs;
	}
	return n;
}

/* How old reads here may be of what a member writes: since when it has not been certain that all of
 * it is here. */
static json_t *member_staleness(
	struct control *control, const struct swim_member *m, uint64_t now_ns, uint64_t *current_ns)
{
	struct map_report report = {.at_ns = 0};
	uint64_t last_seq = 0;
	uint32_t epoch = 0;
	char name[64];
	*current_ns = 0;
	(void)currency_of_reader(
		&control->app->currency, m->record.actor.id, current_ns, &epoch, &last_seq);
	uint64_t held = vv_reach(
		map_seq_reader(control->app->map, (struct actor){m->record.actor.id, epoch}));
	uint32_t row = row_of(control, m->record.actor, &report);
	json_t *j = json_pack("{s:s, s:s, s:I}", "name",
		server_name(control, m->record.actor.id, name), "state", state_name(m), "behind",
		(json_int_t)(last_seq > held ? last_seq - held : 0));
	json_object_set_new(j, "age_ms", age_or_null(now_ns, *current_ns));
	json_object_set_new(j, "reported_ms", age_or_null(now_ns, report.at_ns));
	json_object_set_new(j, "lacks",
		report.at_ns == 0 ? json_null()
				  : json_integer((json_int_t)lacks(
					    control, row, m->record.actor, &control->vector)));
	return j;
}

static void staleness(struct control *control, struct rpc_call *call, json_t *params)
{
	const struct members_view *view = view_get_reader(control->app->board);
	uint64_t now_ns = ticks_now_ns(), oldest_ns = now_ns, current_ns;
	json_t *members = json_array(), *by = json_null(), *bound = json_integer(0);
	char name[64];
	(void)params;
	map_vector_reader(control->app->map, &control->vector);
	for (uint32_t i = 0; i < view->count; i++) {
		const struct swim_member *m = &view->members[i];
		if (m->self || !counts(m))
			continue;
		json_array_append_new(members, member_staleness(control, m, now_ns, &current_ns));
		if (current_ns >= oldest_ns)
			continue;
		oldest_ns = current_ns;
		json_decref(by);
		json_decref(bound);
		by = json_string(server_name(control, m->record.actor.id, name));
		bound = age_or_null(now_ns, current_ns);
	}
	rpc_result(call,
		json_pack("{s:o, s:o, s:o}", "bound_ms", bound, "by", by, "members", members));
}

void spread_methods(struct control *control)
{
	control_add(control, "map.spread", spread);
	control_add(control, "map.wait", wait);
	control_add(control, "map.staleness", staleness);
}
