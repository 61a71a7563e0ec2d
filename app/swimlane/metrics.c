#include "metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include <rte_cycles.h>

#include "control.h"
#include "counters.h"
#include "rpc/http.h"
#include "rpc/request.h"
#include "swimlane_version.h"
#include "ticks.h"

const char metrics_type_openmetrics[] =
	"application/openmetrics-text; version=1.0.0; charset=utf-8";
const char metrics_type_text[] = "text/plain; version=0.0.4; charset=utf-8";

enum { LABELS_MAX = 256, NAME_BYTES_MAX = 96 };

struct exposition {
	const struct control *control;
	struct evbuffer *out;
	bool openmetrics;
	char name[NAME_BYTES_MAX]; /* of the family */
	const char *suffix;        /* of its samples */
};

bool metrics_wants_openmetrics(const char *accept)
{
	return strstr(accept, "application/openmetrics-text") != NULL;
}

/* Running out of memory ends in a page that is cut off, which no parser takes. */
__attribute__((format(printf, 2, 3))) static void put(struct exposition *e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)evbuffer_add_vprintf(e->out, format, args);
	va_end(args);
}

/* In OpenMetrics a counter's family has no suffix and its samples have; in the older format both
 * have it. */
static void begin(struct exposition *e, bool counter, const char *unit, const char *help,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

static void begin(struct exposition *e, bool counter, const char *unit, const char *help,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(e->name, sizeof(e->name), format, args);
	va_end(args);
	e->suffix = counter ? "_total" : "";
	const char *family = e->openmetrics ? "" : e->suffix;
	put(e, "# HELP swimlane_%s%s %s.\n", e->name, family, help);
	put(e, "# TYPE swimlane_%s%s %s\n", e->name, family, counter ? "counter" : "gauge");
	if (e->openmetrics && unit != NULL)
		put(e, "# UNIT swimlane_%s %s\n", e->name, unit);
}

/* labels: "" or {a="b"} */
static void sample(struct exposition *e, const char *labels, uint64_t value)
{
	put(e, "swimlane_%s%s%s %" PRIu64 "\n", e->name, e->suffix, labels, value);
}

static void sample_real(struct exposition *e, const char *labels, double value)
{
	put(e, "swimlane_%s%s%s %.9g\n", e->name, e->suffix, labels, value);
}

/* A label's value: backslash, quote and newline are escaped, what is not UTF-8 is replaced. */
static const char *label(char *to, size_t cap, const char *text)
{
	json_t *safe = rpc_text(text);
	size_t len = 0;
	for (const char *at = json_string_value(safe); at != NULL && *at != '\0'; at++) {
		const char *escape = *at == '\\'   ? "\\\\"
				     : *at == '"'  ? "\\\""
				     : *at == '\n' ? "\\n"
						   : NULL;
		if (len + 3 > cap)
			break;
		if (escape != NULL)
			len += (size_t)snprintf(to + len, cap - len, "%s", escape);
		else
			to[len++] = *at;
	}
	to[len] = '\0';
	json_decref(safe);
	return to;
}

/* ---- counters of cores ---- */

/* "rx_bytes", "busy_seconds": the name in base units. */
static const char *unit_of(const struct counter *c, char *name, size_t cap)
{
	size_t len = strcspn(c->name, "");
	const char *unit = NULL;
	if (c->kind == COUNTER_CYCLES || c->kind == COUNTER_NS || c->kind == COUNTER_GAUGE_MS) {
		unit = "seconds";
		len -= c->kind == COUNTER_CYCLES ? strlen("_cycles") : strlen("_ns");
		(void)snprintf(name, cap, "%.*s_seconds", (int)len, c->name);
	} else {
		(void)snprintf(name, cap, "%s", c->name);
		unit = c->kind == COUNTER_BYTES ? "bytes" : NULL;
	}
	return unit;
}

static void value(struct exposition *e, const struct counter *c, const void *of, const char *labels)
{
	uint64_t v = counter_value(c, of);
	if (c->kind == COUNTER_CYCLES)
		sample_real(e, labels, (double)v / (double)rte_get_tsc_hz());
	else if (c->kind == COUNTER_NS)
		sample_real(e, labels, (double)v / 1e9);
	else if (c->kind == COUNTER_GAUGE_MS)
		sample_real(e, labels, (double)v / 1e3);
	else
		sample(e, labels, v);
}

/* One struct: a family for each counter; its drops are one family, by reason. */
static void single(struct exposition *e, const char *group, const struct counter *list,
	const void *of, const char *labels)
{
	char name[64], reason[64];
	bool drops = false;
	for (const struct counter *c = list; c->name != NULL; c++) {
		drops = drops || c->kind == COUNTER_DROPS;
		if (c->kind == COUNTER_DROPS)
			continue;
		const char *unit = unit_of(c, name, sizeof(name));
		begin(e, c->kind != COUNTER_GAUGE && c->kind != COUNTER_GAUGE_MS, unit, c->help,
			"%s_%s", group, name);
		value(e, c, of, labels);
	}
	if (!drops)
		return;
	begin(e, true, NULL, "What was dropped or refused, by reason", "%s_drops", group);
	for (const struct counter *c = list; c->name != NULL; c++) {
		if (c->kind != COUNTER_DROPS)
			continue;
		(void)snprintf(reason, sizeof(reason), "{reason=\"%s\"}", c->name);
		value(e, c, of, reason);
	}
}

static const void *of_lane(const struct appliance *app, uint16_t lane, int what)
{
	switch (what) {
	case 0: return &app->lanes[lane].idle;
	case 1: return nic_port_stats(app->port, lane);
	default: return &app->lanes[lane].counters;
	}
}

static void core_counters(struct exposition *e)
{
	const struct appliance *app = e->control->app;
	char name[64], labels[LABELS_MAX];
	for (const struct counter *c = counters_core; c->name != NULL; c++) {
		const char *unit = unit_of(c, name, sizeof(name));
		begin(e, true, unit, c->help, "core_%s", name);
		value(e, c, &app->keeper.idle, "{role=\"keeper\",lane=\"\"}");
		for (uint16_t i = 0; i < app->config->lane_count; i++) {
			(void)snprintf(labels, sizeof(labels), "{role=\"lane\",lane=\"%u\"}", i);
			value(e, c, of_lane(app, i, 0), labels);
		}
	}
}

static void lane_counters(struct exposition *e)
{
	static const struct counter *const lists[] = {NULL, counters_nic, counters_lane};
	const struct appliance *app = e->control->app;
	char name[64], labels[LABELS_MAX];
	for (int what = 1; what <= 2; what++)
		for (const struct counter *c = lists[what]; c->name != NULL; c++) {
			if (c->kind == COUNTER_DROPS)
				continue;
			const char *unit = unit_of(c, name, sizeof(name));
			begin(e, true, unit, c->help, "lane_%s", name);
			for (uint16_t i = 0; i < app->config->lane_count; i++) {
				(void)snprintf(labels, sizeof(labels), "{lane=\"%u\"}", i);
				value(e, c, of_lane(app, i, what), labels);
			}
		}
}

static void lane_drop(struct exposition *e, uint16_t lane, const char *reason, uint64_t count)
{
	char labels[LABELS_MAX];
	(void)snprintf(labels, sizeof(labels), "{lane=\"%u\",reason=\"%s\"}", lane, reason);
	sample(e, labels, count);
}

/* The port's reasons and the lane's may have the same name: the port's come first. */
static void lane_drops(struct exposition *e)
{
	const struct appliance *app = e->control->app;
	char reason[64];
	begin(e, true, NULL, "Frames and packets dropped, by reason", "lane_drops");
	for (uint16_t i = 0; i < app->config->lane_count; i++) {
		const struct nic_stats *nic = nic_port_stats(app->port, i);
		const struct lane_counters *lane = &app->lanes[i].counters;
		for (unsigned d = 0; d < NIC_DROP_COUNT; d++) {
			(void)snprintf(reason, sizeof(reason), "port_%s", nic_drop_name(d));
			lane_drop(e, i, reason, nic->rx_drops[d]);
		}
		for (const struct counter *c = counters_nic; c->name != NULL; c++)
			if (c->kind == COUNTER_DROPS)
				lane_drop(e, i, c->name, counter_value(c, nic));
		for (unsigned d = DROP_WIRE + 1; d < DROP_COUNT; d++)
			lane_drop(e, i, drop_name(d), lane->drops[d]);
		for (const struct counter *c = counters_lane; c->name != NULL; c++)
			if (c->kind == COUNTER_DROPS)
				lane_drop(e, i, c->name, counter_value(c, lane));
	}
}

/* ---- states ---- */

static void identity(struct exposition *e)
{
	const struct appliance *app = e->control->app;
	const struct members_view *view = view_get_reader(app->board);
	char labels[LABELS_MAX * 2], name[128], cluster[128];
	begin(e, false, NULL, "Which server this is; always 1", "server");
	(void)snprintf(labels, sizeof(labels),
		"{name=\"%s\",cluster=\"%s\",id=\"%016" PRIx64 "\",version=\"%s\"}",
		label(name, sizeof(name), app->config->name),
		label(cluster, sizeof(cluster), app->config->cluster), view->self.id,
		SWIMLANE_VERSION);
	sample(e, labels, 1);
	begin(e, false, NULL, "Number of this start", "epoch");
	sample(e, "", view->self.epoch);
	begin(e, false, "seconds", "Time since the start", "uptime_seconds");
	sample_real(e, "", (double)(ticks_now_ns() - app->started_ns) / 1e9);
	begin(e, false, NULL, "1: the map is complete and takes writes", "ready");
	sample(e, "", map_ready(app->map));
	begin(e, false, NULL, "1: owns nothing, and stays a member", "drain");
	sample(e, "", (view->members[0].record.flags & WIRE_MEMBER_DRAIN) != 0);
	begin(e, false, NULL, "0: well; each step makes this server's probes wait longer",
		"local_health");
	sample(e, "", view->local_health);
}

static void members(struct exposition *e)
{
	static const char *const states[] = {"alive", "suspect", "dead", "left", "forgotten"};
	enum { STATES = sizeof(states) / sizeof(states[0]) };
	const struct members_view *view = view_get_reader(e->control->app->board);
	uint64_t counts[STATES] = {0};
	char labels[LABELS_MAX], name[128];
	for (uint32_t i = 0; i < view->count; i++)
		if (view->members[i].record.state < STATES)
			counts[view->members[i].record.state]++;
	begin(e, false, NULL, "Servers that this one knows, by state", "members");
	for (int s = 0; s < STATES; s++) {
		(void)snprintf(labels, sizeof(labels), "{state=\"%s\"}", states[s]);
		sample(e, labels, counts[s]);
	}
	begin(e, false, "seconds", "Round trip of the last probe of a member",
		"member_rtt_seconds");
	for (uint32_t i = 0; i < view->count; i++) {
		const struct swim_member *m = &view->members[i];
		if (m->self || m->rtt_ns == 0 || m->record.state > WIRE_SUSPECT)
			continue;
		(void)snprintf(labels, sizeof(labels), "{member=\"%s\",id=\"%016" PRIx64 "\"}",
			label(name, sizeof(name), m->record.name), m->record.actor.id);
		sample_real(e, labels, (double)m->rtt_ns / 1e9);
	}
}

static void map_states(struct exposition *e)
{
	const struct appliance *app = e->control->app;
	begin(e, false, NULL, "Records of the map, tombstones not among them", "map_records");
	sample(e, "", map_record_count(app->map));
	begin(e, false, NULL, "Tombstones of the map", "map_tombstones");
	sample(e, "", map_tombstone_count(app->map));
	begin(e, false, NULL, "Most records and tombstones that the map takes",
		"map_records_limit");
	sample(e, "", app->config->map_records_max);
	begin(e, false, NULL, "Keys that have an owner", "ownership_keys");
	sample(e, "", ownership_keys(app->keeper.ownership));
}

static void origins(struct exposition *e)
{
	enum { STATES = HEALTH_MAINTENANCE + 1 };
	uint64_t counts[STATES] = {0};
	const char *name;
	char labels[LABELS_MAX];
	json_t *told;
	json_object_foreach(e->control->verdicts, name, told)
	{
		const char *state = json_string_value(json_object_get(told, "state"));
		for (int s = 0; s < STATES; s++)
			counts[s] += strcmp(state, health_state_name((enum health_state)s)) == 0;
	}
	begin(e, false, NULL, "Origins by their last verdict, whoever wrote it", "origins");
	for (int s = 0; s < STATES; s++) {
		(void)snprintf(labels, sizeof(labels), "{state=\"%s\"}",
			health_state_name((enum health_state)s));
		sample(e, labels, counts[s]);
	}
}

static void http(struct exposition *e)
{
	struct rpc_http_stats h;
	if (e->control->http == NULL)
		return;
	rpc_http_stats(e->control->http, &h);
	begin(e, false, NULL, "HTTP connections now", "http_clients");
	sample(e, "", h.clients);
	begin(e, true, NULL, "HTTP connections cut: too many, or too slow", "http_clients_dropped");
	sample(e, "", h.clients_dropped);
	begin(e, true, NULL, "HTTP requests", "http_requests");
	sample(e, "", h.requests);
	begin(e, true, NULL, "HTTP requests refused: no token, no such page", "http_refused");
	sample(e, "", h.refused);
}

void metrics_write(const struct control *control, struct evbuffer *out, bool openmetrics)
{
	struct exposition e = {.control = control, .out = out, .openmetrics = openmetrics};
	struct rpc_server_stats rpc;
	struct health_stats health = {0};
	struct duty_totals duties;
	duties_totals(control, &duties);
	rpc_server_stats(control->rpc, &rpc);
	if (control->checker != NULL)
		health_checker_stats(control->checker, &health);
	identity(&e);
	members(&e);
	map_states(&e);
	origins(&e);
	core_counters(&e);
	lane_counters(&e);
	lane_drops(&e);
	single(&e, "membership", counters_membership,
		&view_get_reader(control->app->board)->counters, "");
	single(&e, "path", counters_path, paths_counters(control->app->paths), "");
	single(&e, "keeper", counters_keeper, &control->app->keeper.counters, "");
	single(&e, "map", counters_map, map_counters(control->app->map), "");
	single(&e, "watch", counters_watch, &control->watch_counters, "");
	single(&e, "persist", counters_persist, persist_counters(control), "");
	single(&e, "rpc", counters_rpc, &rpc, "");
	single(&e, "health", counters_health, &health, "");
	single(&e, "duty", counters_duty, &duties, "");
	http(&e);
	if (openmetrics)
		put(&e, "# EOF\n");
}
