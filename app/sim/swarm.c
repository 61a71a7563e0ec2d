#include "swarm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

enum { KEYS = 8, FAULTS_MAX = 40 };

/* Kinds of steps that a run may have, and whether they need maps. */
static const struct fault {
	enum step_kind kind;
	uint32_t weight_max; /* rare ones are drawn with a low weight */
} faults[] = {
	{STEP_CRASH, 8},
	{STEP_RESTART, 8},
	{STEP_TWIN, 1},
	{STEP_PAUSE, 8},
	{STEP_RESUME, 8},
	{STEP_BLOCK, 8},
	{STEP_UNBLOCK, 8},
	{STEP_STARVE, 6},
	{STEP_CLOCK, 4},
	{STEP_LEAVE, 1},
	{STEP_DRAIN, 2},
	{STEP_UNDRAIN, 2},
	{STEP_FORGET, 1},
	{STEP_CUT, 8},
	{STEP_SPLIT, 6},
	{STEP_ZONE, 4},
	{STEP_HEAL, 8},
	{STEP_LOSS, 6},
	{STEP_DUPLICATE, 3},
	{STEP_REORDER, 3},
	{STEP_CORRUPT, 3},
	{STEP_RESTART_ALL, 1},
	{STEP_PUT, 12},
	{STEP_DEL, 4},
};

enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

static uint64_t below(struct sw_random *r, uint64_t bound)
{
	return sw_random_below(r, bound);
}

static void draw_set(struct sw_random *r, uint32_t servers, uint64_t set[SCRIPT_SET_MAX / 64])
{
	memset(set, 0, SCRIPT_SET_MAX / 8);
	set[0] = sw_random_u64(r) & ((1ULL << servers) - 1);
}

static struct sim_config draw_config(struct sw_random *r)
{
	static const uint64_t spreads_us[] = {0, 50, 500, 1000};
	struct sim_config c = {
		.servers = 2 + (uint32_t)below(r, 11),
		.zones = (uint32_t)below(r, 4),
		.seed = sw_random_u64(r),
		.profile = below(r, 2) ? swim_profile_lan : swim_profile_metal,
		.features = swim_features_all,
		.network = {.delay_min_ns = (10 + below(r, 300)) * SW_NS_PER_US,
			.delay_spread_ns = spreads_us[below(r, 4)] * SW_NS_PER_US},
		.records_max = below(r, 2) ? 40 + (uint32_t)below(r, 100) : 0,
	};
	c.start_spread_ns = below(r, 2) * below(r, c.profile.join_wait_ns);
	if (below(r, 8) == 0) { /* a cluster that forgets soon */
		c.profile.forget_after_ns = c.profile.suspicion_max_ns * (1 + below(r, 10));
		c.profile.reap_after_ns = c.profile.suspicion_max_ns * (1 + below(r, 10));
	}
	if (below(r, 8) == 0)
		c.profile.packets_per_s_max = 50 + (uint32_t)below(r, 500);
	return c;
}

static void draw_arguments(struct sw_random *r, const struct sim_config *c, struct step *s)
{
	s->server = (uint32_t)below(r, c->servers);
	s->other = (uint32_t)below(r, c->servers);
	switch (s->kind) {
	case STEP_RESTART:
		/* With maps, two lives under one epoch would write under the same dots. */
		s->amnesia = c->records_max == 0 && below(r, 4) == 0;
		break;
	case STEP_STARVE:
		if (below(r, 4) == 0)
			break;
		s->period_ns = c->profile.probe_timeout_ns / 4 +
			       below(r, 8 * c->profile.probe_interval_ns);
		s->ns = s->period_ns / 100 + below(r, s->period_ns / 2) + 1;
		break;
	case STEP_CLOCK:
		s->rate_ppm =
			(int32_t)below(r, below(r, 4) == 0 ? 100000 : 400) - (int32_t)below(r, 200);
		s->ns = below(r, 4) == 0 ? below(r, 10 * SW_NS_PER_S) : 0;
		break;
	case STEP_SPLIT: draw_set(r, c->servers, s->set); break;
	case STEP_ZONE: s->other = (uint32_t)below(r, c->zones); break;
	case STEP_LOSS: s->ppm = 10000 * (uint32_t)(below(r, 3) * below(r, 30)); break;
	case STEP_DUPLICATE:
	case STEP_REORDER:
	case STEP_CORRUPT: s->ppm = 10000 * (uint32_t)(below(r, 2) * below(r, 20)); break;
	case STEP_PUT:
	case STEP_DEL:
		(void)snprintf(s->key, sizeof(s->key), "k%u", (unsigned)below(r, KEYS));
		(void)snprintf(s->value, sizeof(s->value), "v%u", (unsigned)below(r, 1000000));
		break;
	default: break;
	}
}

static bool fits(const struct sim_config *c, enum step_kind kind)
{
	if (kind == STEP_PUT || kind == STEP_DEL)
		return c->records_max > 0;
	return kind != STEP_ZONE || c->zones > 0;
}

static void draw_script(struct sw_random *r, struct swarm_plan *plan)
{
	const struct sim_config *c = &plan->config;
	uint64_t weights[FAULTS], total = 0;
	for (int i = 0; i < FAULTS; i++) {
		bool on =
			fits(c, faults[i].kind) && below(r, faults[i].weight_max > 2 ? 2 : 4) == 0;
		weights[i] = on ? 1 + below(r, faults[i].weight_max) : 0;
		total += weights[i];
	}
	uint64_t steps = total > 0 ? below(r, FAULTS_MAX) : 0;
	uint64_t at_ns = below(r, 3) * c->profile.join_wait_ns;
	uint64_t pace_ns = (1 + below(r, 10)) * c->profile.probe_interval_ns;
	for (uint64_t n = 0; n < steps; n++) {
		at_ns += below(r, 8) == 0 ? below(r, 20 * pace_ns) : below(r, pace_ns);
		at_ns -= at_ns % SW_NS_PER_US;
		struct step s = {.at_ns = at_ns};
		uint64_t draw = below(r, total);
		int i = 0;
		while (draw >= weights[i])
			draw -= weights[i++];
		s.kind = faults[i].kind;
		draw_arguments(r, c, &s);
		script_add(&plan->script, &s);
	}
	/* When all are whole, all have been started. */
	plan->for_ns =
		sw_max_u64(at_ns + below(r, 10) * pace_ns, c->start_spread_ns + SW_NS_PER_MS);
}

void swarm_draw(uint64_t seed, struct swarm_plan *plan)
{
	struct sw_random r = sw_random_seed(sw_mix64(seed + 1));
	*plan = (struct swarm_plan){.seed = seed, .config = draw_config(&r)};
	draw_script(&r, plan);
	draw_set(&r, plan->config.servers, plan->part);
	draw_set(&r, plan->config.servers, plan->revive);
	uint32_t servers = plan->config.servers;
	plan->revive[0] |=
		1ULL << below(&r, servers < SIM_SEEDS ? servers : SIM_SEEDS); /* a seed, always */
}

void swarm_plan_fini(struct swarm_plan *plan)
{
	script_fini(&plan->script);
}

void swarm_play(const struct swarm_plan *plan, FILE *trace, FILE *tell, struct swarm_result *result)
{
	struct scene *s = scene_create(&plan->config, &plan->script);
	s->trace.file = trace;
	bool ok = scene_run(s, plan->for_ns) && scene_settle_part(s, plan->part) &&
		  scene_settle(s, plan->revive);
	*result = (struct swarm_result){.failed = !ok,
		.virtual_ns = sim_now(s->sim) - s->began_ns,
		.events = sim_events(s->sim),
		.part_ns = s->part_ns,
		.members_ns = s->members_ns,
		.maps_ns = s->maps_ns,
		.unseen = s->unseen,
		.marks = s->marks};
	if (!ok)
		memcpy(result->text, s->violation.text, sizeof(result->text));
	if (!ok && tell != NULL)
		trace_tell(&s->trace, s->violation.servers, 25, tell);
	scene_destroy(s);
}

static void print_set(const char *name, const uint64_t *set, uint32_t servers, FILE *out)
{
	(void)fprintf(out, "# %s:", name);
	for (uint32_t i = 0; i < servers; i++)
		if (set[i / 64] >> (i % 64) & 1)
			(void)fprintf(out, " %" PRIu32, i);
	(void)fputc('\n', out);
}

void swarm_print(const struct swarm_plan *plan, FILE *out)
{
	const struct sim_config *c = &plan->config;
	char a[32], b[32], line[SCRIPT_LINE_MAX];
	(void)fprintf(out,
		"# seed %" PRIu64 ": %" PRIu32 " servers, %" PRIu32
		" zones, %s, delay %s, spread %s, %" PRIu32 " records, %" PRIu32 " packets/s\n",
		plan->seed, c->servers, c->zones,
		c->profile.probe_interval_ns == swim_profile_lan.probe_interval_ns ? "lan"
										   : "metal",
		value_print_duration(c->network.delay_min_ns, a, sizeof(a)),
		value_print_duration(c->network.delay_spread_ns, b, sizeof(b)), c->records_max,
		c->profile.packets_per_s_max);
	(void)fprintf(out, "# run --seed %" PRIu64 " --start-spread %s\n", c->seed,
		value_print_duration(c->start_spread_ns, a, sizeof(a)));
	(void)fprintf(out, "# forget after %s, reap after %s\n",
		value_print_duration(c->profile.forget_after_ns, a, sizeof(a)),
		value_print_duration(c->profile.reap_after_ns, b, sizeof(b)));
	for (uint32_t i = 0; i < plan->script.count; i++)
		(void)fprintf(out, "%s\n", script_print_step(&plan->script.steps[i], line));
	(void)fprintf(out, "# at %s the liveness phase begins\n",
		value_print_duration(plan->for_ns, a, sizeof(a)));
	print_set("first made whole", plan->part, c->servers, out);
	print_set("restarted when all is made whole, if they do not run", plan->revive, c->servers,
		out);
}
