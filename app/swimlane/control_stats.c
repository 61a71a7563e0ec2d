#include "control.h"

#include <rte_cycles.h>

#include "counters.h"

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static bool is_drop(const struct counter *c)
{
	return c->kind == COUNTER_DROPS;
}

/* What is counted, or what was dropped: of the latter only what ever happened. */
static void add(json_t *object, const struct counter *list, const void *of, bool drops)
{
	for (; list->name != NULL; list++) {
		uint64_t value = counter_value(list, of);
		if (is_drop(list) == drops && (!drops || value > 0))
			json_object_set_new(object, list->name, number(value));
	}
}

static void add_drop(json_t *object, const char *name, uint64_t value)
{
	if (value > 0)
		json_object_set_new(object, name, number(value));
}

static json_t *core(unsigned lcore, const char *role, const struct idle *idle, uint64_t packets)
{
	json_t *j = json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I}", "lcore", (int)lcore, "role",
		role, "loops", (json_int_t)idle->loops, "busy_cycles",
		(json_int_t)idle->busy_cycles, "idle_cycles", (json_int_t)idle->idle_cycles,
		"asleep_us", (json_int_t)(idle->asleep_ns / SW_NS_PER_US), "sleeps",
		(json_int_t)idle->sleeps);
	json_object_set_new(j, "cycles_per_packet",
		packets > 0 ? number(idle->busy_cycles / packets) : json_null());
	return j;
}

/* Where the cycles of turns that received frames went. */
static json_t *cycles_to_json(const struct lane_cycles *c)
{
	json_t *stages = json_object();
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		json_object_set_new(stages, lane_stage_name(s), number(c->stages[s]));
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "turns", (json_int_t)c->turns, "interrupted",
		(json_int_t)c->interrupted, "frames", (json_int_t)c->frames, "answers",
		(json_int_t)c->answers, "stages", stages);
}

static json_t *lane_to_json(const struct control *control, uint16_t i)
{
	const struct appliance *app = control->app;
	const struct lane *lane = &app->lanes[i];
	const struct nic_stats *nic = nic_port_stats(app->port, i);
	const struct swim_counters *swim = &view_get_reader(app->board)->counters;
	json_t *j = core(LCORE_LANE + i, "lane", &lane->idle, nic->rx_frames + nic->tx_frames);
	json_t *drops = json_object(), *counters = json_object();
	json_object_set_new(j, "rx_frames", number(nic->rx_frames));
	json_object_set_new(j, "tx_frames", number(nic->tx_frames));
	json_object_set_new(j, "rx_bytes", number(nic->rx_bytes));
	json_object_set_new(j, "tx_bytes", number(nic->tx_bytes));
	for (unsigned d = 0; d < NIC_DROP_COUNT; d++)
		add_drop(drops, nic_drop_name(d), nic->rx_drops[d]);
	for (unsigned d = DROP_WIRE + 1; d < DROP_COUNT; d++)
		add_drop(drops, drop_name(d), lane->counters.drops[d]);
	add(drops, counters_nic, nic, true);
	add(drops, counters_lane, &lane->counters, true);
	add(counters, counters_lane, &lane->counters, false);
	json_object_set_new(counters, "answered_by_port", number(nic->rx_answered));
	if (i == 0) {
		add(drops, counters_membership, swim, true);
		add(counters, counters_membership, swim, false);
		add(counters, counters_path, paths_counters(app->paths), false);
	}
	json_object_set_new(j, "drops", drops);
	json_object_set_new(j, "counters", counters);
	json_object_set_new(j, "cycles", cycles_to_json(&lane->cycles));
	return j;
}

/* Watches, copies and typed values: control's part of the map. */
static json_t *map_to_json(const struct control *control)
{
	json_t *j = json_object();
	add(j, counters_watch, &control->watch_counters, false);
	add(j, counters_persist, persist_counters(control), false);
	json_object_set_new(j, "watches", number(watch_count(control)));
	json_object_set_new(j, "waiting", number(control->waiting_count));
	json_object_set_new(j, "leftovers", number(control->leftover_count));
	json_object_set_new(j, "repairs_lost", number(control->app->keeper.repairs.lost));
	return j;
}

static json_t *keeper_to_json(const struct control *control)
{
	const struct keeper *keeper = &control->app->keeper;
	const struct map_counters *m = map_counters(control->app->map);
	json_t *j = core(LCORE_KEEPER, "keeper", &keeper->idle,
		keeper->counters.packets + keeper->counters.sent);
	json_t *drops = json_object(), *counters = json_object();
	for (const char *const *name = (const char *const[]){"rx_frames", "tx_frames", "rx_bytes",
		     "tx_bytes", NULL};
		*name != NULL; name++)
		json_object_set_new(j, *name, json_null()); /* the keeper touches no port */
	add(drops, counters_map, m, true);
	add(drops, counters_keeper, &keeper->counters, true);
	add(counters, counters_map, m, false);
	add(counters, counters_keeper, &keeper->counters, false);
	json_object_set_new(j, "drops", drops);
	json_object_set_new(j, "counters", counters);
	return j;
}

static void stats(struct control *control, struct rpc_call *call, json_t *params)
{
	struct rpc_server_stats r;
	struct health_stats h = {0};
	json_t *cores = json_array(), *rpc = json_object(), *health = json_object();
	(void)params;
	json_array_append_new(cores, keeper_to_json(control));
	for (uint16_t i = 0; i < control->app->config->lane_count; i++)
		json_array_append_new(cores, lane_to_json(control, i));
	rpc_server_stats(control->rpc, &r);
	if (control->checker != NULL)
		health_checker_stats(control->checker, &h);
	add(rpc, counters_rpc, &r, false);
	add(health, counters_health, &h, false);
	rpc_result(call,
		json_pack("{s:o, s:o, s:o, s:o, s:I}", "cores", cores, "rpc", rpc, "health", health,
			"map", map_to_json(control), "tsc_hz", (json_int_t)rte_get_tsc_hz()));
}

void stats_methods(struct control *control)
{
	control_add(control, "stats", stats);
}
