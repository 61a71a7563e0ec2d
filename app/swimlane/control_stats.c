#include "control.h"

#include <rte_cycles.h>

#include "ticks.h"

struct count {
	const char *name;
	uint64_t value;
};

static json_t *counts_to_json(const struct count *counts, size_t n)
{
	json_t *j = json_object();
	for (size_t i = 0; i < n; i++)
		json_object_set_new(j, counts[i].name, json_integer((json_int_t)counts[i].value));
	return j;
}

#define COUNTS(list) counts_to_json(list, sizeof(list) / sizeof((list)[0]))

static json_t *core(unsigned lcore, const char *role, const struct idle *idle, uint64_t packets)
{
	json_t *j = json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I}", "lcore", (int)lcore, "role",
		role, "loops", (json_int_t)idle->loops, "busy_cycles",
		(json_int_t)idle->busy_cycles, "idle_cycles", (json_int_t)idle->idle_cycles,
		"asleep_us", (json_int_t)(idle->asleep_ns / SW_NS_PER_US), "sleeps",
		(json_int_t)idle->sleeps);
	json_object_set_new(j, "cycles_per_packet",
		packets > 0 ? json_integer((json_int_t)(idle->busy_cycles / packets))
			    : json_null());
	return j;
}

static json_t *drops(const struct lane *lane, const struct nic_stats *nic)
{
	json_t *j = json_object();
	for (unsigned d = 0; d < NIC_DROP_COUNT; d++)
		if (nic->rx_drops[d] > 0)
			json_object_set_new(
				j, nic_drop_name(d), json_integer((json_int_t)nic->rx_drops[d]));
	for (unsigned d = DROP_WIRE + 1; d < DROP_COUNT; d++)
		if (lane->counters.drops[d] > 0)
			json_object_set_new(
				j, drop_name(d), json_integer((json_int_t)lane->counters.drops[d]));
	const struct count tx[] = {{"tx_full", nic->tx_full},
		{"tx_no_neighbour", nic->tx_no_neighbour}, {"no_mbuf", lane->counters.no_mbuf}};
	for (unsigned i = 0; i < 3; i++)
		if (tx[i].value > 0)
			json_object_set_new(j, tx[i].name, json_integer((json_int_t)tx[i].value));
	return j;
}

static json_t *membership_counters(const struct swim_counters *s)
{
	const struct count list[] = {{"probes", s->probes}, {"probes_failed", s->probes_failed},
		{"probes_indirect", s->probes_indirect}, {"probes_voided", s->probes_voided},
		{"pauses", s->pauses}, {"acks", s->acks}, {"acks_stale", s->acks_stale},
		{"nacks", s->nacks}, {"suspicions", s->suspicions},
		{"confirmations", s->confirmations}, {"refutations", s->refutations},
		{"table_requests", s->table_requests}, {"table_pages", s->table_pages},
		{"direct_sent", s->direct_sent}, {"direct_over_budget", s->direct_over_budget},
		{"output_full", s->output_full}, {"events_lost", s->events_lost},
		{"members_refused", s->members_refused}, {"malformed", s->malformed}};
	return COUNTS(list);
}

static json_t *lane_to_json(const struct control *control, uint16_t i)
{
	const struct appliance *app = control->app;
	const struct lane *lane = &app->lanes[i];
	const struct nic_stats *nic = nic_port_stats(app->port, i);
	const struct count own[] = {{"packets", lane->counters.packets},
		{"answered", lane->counters.answered}, {"to_keeper", lane->counters.to_keeper},
		{"sent", lane->counters.sent}, {"answered_by_port", nic->rx_answered}};
	json_t *j = core(LCORE_LANE + i, "lane", &lane->idle, nic->rx_frames + nic->tx_frames);
	json_object_set_new(j, "rx_frames", json_integer((json_int_t)nic->rx_frames));
	json_object_set_new(j, "tx_frames", json_integer((json_int_t)nic->tx_frames));
	json_object_set_new(j, "rx_bytes", json_integer((json_int_t)nic->rx_bytes));
	json_object_set_new(j, "tx_bytes", json_integer((json_int_t)nic->tx_bytes));
	json_object_set_new(j, "drops", drops(lane, nic));
	json_t *counters = COUNTS(own);
	if (i == 0) {
		json_t *membership = membership_counters(&view_get_reader(app->board)->counters);
		json_object_update(counters, membership);
		json_decref(membership);
	}
	json_object_set_new(j, "counters", counters);
	return j;
}

static json_t *map_counters_to_json(const struct map_counters *m, const struct keeper_counters *k)
{
	const struct count list[] = {{"packets", k->packets}, {"sent", k->sent},
		{"commands", k->commands}, {"changes_missed", k->changes_missed},
		{"not_owner", k->not_owner}, {"puts", m->puts}, {"deletes", m->deletes},
		{"merged", m->merged}, {"older", m->older}, {"rivals", m->rivals},
		{"pushes", m->pushes}, {"pushes_skipped", m->pushes_skipped}, {"gaps", m->gaps},
		{"pulls", m->pulls}, {"pulls_done", m->pulls_done},
		{"pulls_failed", m->pulls_failed}, {"pulls_refused", m->pulls_refused},
		{"sessions", m->sessions}, {"sessions_expired", m->sessions_expired},
		{"session_packets", m->session_packets},
		{"session_packets_again", m->session_packets_again}};
	return COUNTS(list);
}

static json_t *keeper_drops(const struct map_counters *m, const struct keeper_counters *k)
{
	const struct count list[] = {{"no_mbuf", k->no_mbuf}, {"full", m->refused_full},
		{"starting", m->refused_starting}, {"floor", m->refused_floor},
		{"old_epoch", m->refused_fenced}, {"actors_full", m->refused_actors},
		{"sessions_full", m->sessions_refused}, {"malformed", m->malformed},
		{"output_full", m->output_full}};
	json_t *j = json_object();
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i].value > 0)
			json_object_set_new(
				j, list[i].name, json_integer((json_int_t)list[i].value));
	return j;
}

static json_t *keeper_to_json(const struct control *control)
{
	const struct keeper *keeper = &control->app->keeper;
	const struct map_counters *m = map_counters(control->app->map);
	json_t *j = core(LCORE_KEEPER, "keeper", &keeper->idle,
		keeper->counters.packets + keeper->counters.sent);
	for (const char *const *name = (const char *const[]){"rx_frames", "tx_frames", "rx_bytes",
		     "tx_bytes", NULL};
		*name != NULL; name++)
		json_object_set_new(j, *name, json_null()); /* the keeper touches no port */
	json_object_set_new(j, "drops", keeper_drops(m, &keeper->counters));
	json_object_set_new(j, "counters", map_counters_to_json(m, &keeper->counters));
	return j;
}

static void stats(struct control *control, struct rpc_call *call, json_t *params)
{
	struct rpc_server_stats r;
	struct health_stats h = {0};
	json_t *cores = json_array();
	(void)params;
	json_array_append_new(cores, keeper_to_json(control));
	for (uint16_t i = 0; i < control->app->config->lane_count; i++)
		json_array_append_new(cores, lane_to_json(control, i));
	rpc_server_stats(control->rpc, &r);
	if (control->checker != NULL)
		health_checker_stats(control->checker, &h);
	const struct count rpc[] = {{"clients", r.clients}, {"clients_refused", r.clients_refused},
		{"requests", r.requests}, {"errors", r.errors}, {"notifications", r.notifications},
		{"notifications_missed", r.notifications_missed}};
	const struct count health[] = {{"origins", h.origins}, {"checks", h.checks},
		{"failures", h.failures}, {"late", h.late}, {"deferred", h.deferred},
		{"unjudged", h.unjudged}, {"in_flight", h.in_flight}};
	rpc_result(call, json_pack("{s:o, s:o, s:o, s:I}", "cores", cores, "rpc", COUNTS(rpc),
				 "health", COUNTS(health), "tsc_hz", (json_int_t)rte_get_tsc_hz()));
}

void stats_methods(struct control *control)
{
	control_add(control, "stats", stats);
}
