#include "telemetry.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>

#include "appliance.h"
#include "counters.h"
#include "place.h"
#include "ticks.h"

/* Commands can come on several threads, and must not outlive the appliance. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct appliance *the_app;

static const char *const states[] = {"alive", "suspect", "dead", "left", "forgotten"};

enum { STATES = sizeof(states) / sizeof(states[0]) };

/* Names are cut by DPDK where they are too long; a dict that is full is our own mistake, and shows
 * as a missing number. */
static void add(struct rte_tel_data *d, const char *name, uint64_t value)
{
	(void)rte_tel_data_add_dict_u64(d, name, value);
}

static void add_counters(struct rte_tel_data *d, const struct counter *list, const void *of)
{
	char name[64];
	for (; list->name != NULL; list++) {
		(void)snprintf(name, sizeof(name), "%s%s",
			list->kind == COUNTER_DROPS ? "drops_" : "", list->name);
		add(d, name, counter_value(list, of));
	}
}

static void add_drop(struct rte_tel_data *d, const char *of, const char *reason, uint64_t value)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "drops_%s%s", of, reason);
	add(d, name, value);
}

static void status(const struct appliance *app, struct rte_tel_data *d)
{
	const struct members_view *view = view_get_reader(app->board);
	uint64_t counts[STATES] = {0};
	char name[64];
	for (uint32_t i = 0; i < view->count; i++)
		if (view->members[i].record.state < STATES)
			counts[view->members[i].record.state]++;
	(void)rte_tel_data_add_dict_string(d, "name", app->config->name);
	(void)rte_tel_data_add_dict_string(d, "cluster", app->config->cluster);
	add(d, "epoch", view->self.epoch);
	add(d, "ready", map_ready(app->map));
	add(d, "drain", (view->members[0].record.flags & WIRE_MEMBER_DRAIN) != 0);
	add(d, "uptime_ms", (ticks_now_ns() - app->started_ns) / SW_NS_PER_MS);
	add(d, "local_health", view->local_health);
	for (int s = 0; s < STATES; s++) {
		(void)snprintf(name, sizeof(name), "members_%s", states[s]);
		add(d, name, counts[s]);
	}
	add(d, "records", map_record_count(app->map));
	add(d, "tombstones", map_tombstone_count(app->map));
	add(d, "keys", ownership_keys(app->keeper.ownership));
	add(d, "lanes", app->config->lane_count);
}

static void members(const struct appliance *app, struct rte_tel_data *d)
{
	const struct members_view *view = view_get_reader(app->board);
	char text[RTE_TEL_MAX_STRING_LEN];
	/* A list: names of a dict have letters and digits only. */
	(void)rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (uint32_t i = 0; i < view->count && i < RTE_TEL_MAX_ARRAY_ENTRIES; i++) {
		const struct wire_member *r = &view->members[i].record;
		(void)snprintf(text, sizeof(text), "%s %s", r->name,
			r->state < STATES ? states[r->state] : "unknown");
		(void)rte_tel_data_add_array_string(d, text);
	}
}

static void keeper(const struct appliance *app, struct rte_tel_data *d)
{
	add_counters(d, counters_core, &app->keeper.idle);
	add_counters(d, counters_keeper, &app->keeper.counters);
	for (const struct counter *c = counters_map; c->name != NULL; c++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "map_%s%s",
			c->kind == COUNTER_DROPS ? "drops_" : "", c->name);
		add(d, name, counter_value(c, map_counters(app->map)));
	}
}

static void lane(const struct appliance *app, uint16_t i, struct rte_tel_data *d)
{
	const struct nic_stats *nic = nic_port_stats(app->port, i);
	const struct lane *l = &app->lanes[i];
	add_counters(d, counters_core, &l->idle);
	add_counters(d, counters_nic, nic);
	add_counters(d, counters_lane, &l->counters);
	for (unsigned n = 0; n < NIC_DROP_COUNT; n++)
		add_drop(d, "port_", nic_drop_name(n), nic->rx_drops[n]);
	for (unsigned n = DROP_WIRE + 1; n < DROP_COUNT; n++)
		add_drop(d, "", drop_name(n), l->counters.drops[n]);
}

static void membership(const struct appliance *app, struct rte_tel_data *d)
{
	add_counters(d, counters_membership, &view_get_reader(app->board)->counters);
	add_counters(d, counters_path, paths_counters(app->paths));
}

static int answer(const char *command, const char *params, struct rte_tel_data *d)
{
	const char *what = command + strlen("/swimlane/");
	const struct appliance *app = the_app;
	char *end = NULL;
	if (app == NULL)
		return -ESHUTDOWN;
	if (strcmp(what, "lane") == 0) {
		unsigned long i = params != NULL ? strtoul(params, &end, 10) : 0;
		if (params == NULL || end == params || *end != '\0' || i >= app->config->lane_count)
			return -EINVAL;
		lane(app, (uint16_t)i, d);
	} else if (strcmp(what, "status") == 0) {
		status(app, d);
	} else if (strcmp(what, "members") == 0) {
		members(app, d);
	} else if (strcmp(what, "keeper") == 0) {
		keeper(app, d);
	} else {
		membership(app, d);
	}
	return 0;
}

static int on_command(const char *command, const char *params, struct rte_tel_data *d)
{
	(void)rte_tel_data_start_dict(d); /* fails only without d */
	pthread_mutex_lock(&lock);
	if (the_app != NULL)
		rte_rcu_qsbr_thread_online(the_app->rcu, the_app->telemetry_thread);
	int rc = answer(command, params, d);
	if (the_app != NULL)
		rte_rcu_qsbr_thread_offline(the_app->rcu, the_app->telemetry_thread);
	pthread_mutex_unlock(&lock);
	return rc;
}

int telemetry_init(const struct appliance *app)
{
	static const struct {
		const char *command, *help;
	} commands[] = {
		{"/swimlane/status", "This server, in numbers. No parameters"},
		{"/swimlane/members", "Names and states of the servers known. No parameters"},
		{"/swimlane/lane", "Counters and drops of a lane. Parameter: its number"},
		{"/swimlane/keeper", "Counters and drops of keeper and map. No parameters"},
		{"/swimlane/membership", "Counters and drops of membership. No parameters"},
	};
	the_app = app;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int rc = rte_telemetry_register_cmd(
			commands[i].command, on_command, commands[i].help);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void telemetry_fini(void)
{
	pthread_mutex_lock(&lock);
	the_app = NULL;
	pthread_mutex_unlock(&lock);
}
