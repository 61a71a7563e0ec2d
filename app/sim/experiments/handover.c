#include "handover.h"

#include <math.h>
#include <stdio.h>

#include "agents.h"
#include "cluster.h"

const struct handover_plan handover_plan_64 = {
	.profile = &swim_profile_lan,
	.servers = 64,
	.origins = 512,
	.events = 20,
	.interval_ns = SW_NS_PER_S,
	.stable_ns = 2 * SW_NS_PER_S,
	.link_ns = 50 * SW_NS_PER_US,
	.seed = 1,
};

const struct handover_plan handover_plan_50k = {
	.profile = &swim_profile_lan,
	.servers = 64,
	.origins = 50000,
	.events = 1,
	.interval_ns = 10 * SW_NS_PER_S,
	.stable_ns = 10 * SW_NS_PER_S,
	.link_ns = 50 * SW_NS_PER_US,
	.step_ns = 10 * SW_NS_PER_MS,
	.seed = 1,
};

struct world {
	const struct handover_plan *plan;
	struct handover_result *result;
	enum handover_scene scene;
	struct cluster cluster;
	struct sim *sim;
	struct agents *agents;
	struct sw_random random;
	void (*progress)(void *context);
	void *context;
	uint64_t told_s; /* virtual seconds that progress was told of */
};

/* What follows a change, to its end: suspicion, every origin checked a few times. */
static uint64_t long_ns(const struct handover_plan *plan)
{
	return plan->profile->suspicion_max_ns + 4 * plan->interval_ns + SW_NS_PER_S;
}

static uint64_t settle_ns(const struct handover_plan *plan)
{
	return plan->stable_ns + 2 * plan->interval_ns;
}

uint32_t handover_virtual_s(const struct handover_plan *plan)
{
	uint64_t back_ns = long_ns(plan) + plan->stable_ns + plan->profile->join_wait_ns;
	uint64_t steady_ns = 3 * plan->interval_ns, wait_ns = plan->interval_ns / 2;
	uint64_t all_ns =
		(HANDOVER_SCENES - 1) * (wait_ns + long_ns(plan) + back_ns) + wait_ns + steady_ns;
	return (uint32_t)((settle_ns(plan) + plan->events * all_ns) / SW_NS_PER_S);
}

static void run(struct world *w, uint64_t for_ns)
{
	uint64_t step_ns = w->plan->step_ns > 0 ? w->plan->step_ns : SW_NS_PER_MS;
	for (uint64_t ns = 0; ns < for_ns; ns += step_ns) {
		sim_run(w->sim, step_ns);
		agents_look(w->agents);
		while (w->progress != NULL && w->told_s < sim_now(w->sim) / SW_NS_PER_S) {
			w->told_s++;
			w->progress(w->context);
		}
	}
}

static void split(struct world *w)
{
	uint64_t side[SIM_GROUP_MAX / 64] = {0};
	for (uint32_t i = 0; i < w->plan->servers; i += 2)
		side[i / 64] |= 1ULL << i % 64;
	sim_split(w->sim, 0, side);
	agents_split(w->agents, side);
}

static void change(struct world *w, uint32_t who)
{
	switch (w->scene) {
	case HANDOVER_CRASH: sim_crash(w->sim, who); break;
	case HANDOVER_DRAIN: sim_drain(w->sim, who, true); break;
	case HANDOVER_PAUSE: sim_pause(w->sim, who, true); break;
	default: split(w);
	}
}

static void change_back(struct world *w, uint32_t who)
{
	switch (w->scene) {
	case HANDOVER_CRASH: sim_start(w->sim, who, 0); break;
	case HANDOVER_DRAIN: sim_drain(w->sim, who, false); break;
	case HANDOVER_PAUSE: sim_pause(w->sim, who, false); break;
	default: sim_heal(w->sim); agents_split(w->agents, NULL);
	}
}

/* Since when there are counts of it. */
static uint64_t one_event(struct world *w)
{
	const struct swim_profile *p = w->plan->profile;
	uint32_t who = (uint32_t)sw_random_below(&w->random, w->plan->servers);
	run(w, sw_random_below(&w->random, w->plan->interval_ns));
	agents_begin(w->agents);
	uint64_t began_ns = sim_now(w->sim);
	if (w->scene == HANDOVER_STEADY) {
		run(w, 3 * w->plan->interval_ns);
		return began_ns;
	}
	change(w, who);
	run(w, w->scene == HANDOVER_PAUSE ? p->suspicion_max_ns / 2 : long_ns(w->plan));
	change_back(w, who);
	run(w, long_ns(w->plan) + w->plan->stable_ns + p->join_wait_ns);
	return began_ns;
}

static void run_scene(struct world *w)
{
	struct handover_scene_result *r = &w->result->scenes[w->scene];
	struct agents_counts c;
	for (uint32_t i = 0; i < w->plan->events; i++) {
		uint64_t began_ns = one_event(w);
		agents_counts(w->agents, &c);
		double s = (double)(sim_now(w->sim) - began_ns) / SW_NS_PER_S;
		samples_add(&r->gap_ms, (double)c.gap_ns / SW_NS_PER_MS);
		r->checks += c.checks;
		r->beside += c.beside;
		r->late += c.late;
		r->first_wait_ms = fmax(r->first_wait_ms, (double)c.first_wait_ns / SW_NS_PER_MS);
		r->busiest = fmax(r->busiest, (double)c.busiest / s);
		r->at_once_max = c.at_once_max > r->at_once_max ? c.at_once_max : r->at_once_max;
		r->not_by_one_max = w->plan->origins - c.by_one > r->not_by_one_max
					    ? w->plan->origins - c.by_one
					    : r->not_by_one_max;
	}
}

void handover_run(const struct handover_plan *plan, struct handover_result *r,
	void (*progress)(void *context), void *context)
{
	struct world w = {.plan = plan,
		.result = r,
		.random = sw_random_seed(plan->seed),
		.progress = progress,
		.context = context};
	struct cluster_config cc = {.servers = plan->servers,
		.seed = plan->seed,
		.profile = *plan->profile,
		.features = swim_features_all,
		.link_ns = plan->link_ns,
		.records_max = plan->origins + 64};
	struct agents_config ac = {.origins = plan->origins,
		.interval_ns = plan->interval_ns,
		.stable_ns = plan->stable_ns,
		.seed = plan->seed,
		.no_stand_in = plan->no_stand_in};
	*r = (struct handover_result){
		.bound_ms = (double)(plan->interval_ns + plan->profile->suspicion_max_ns) /
				    SW_NS_PER_MS +
			    100};
	r->failed = !cluster_create(&w.cluster, &cc);
	if (r->failed)
		return;
	w.sim = w.cluster.sim;
	w.told_s = sim_now(w.sim) / SW_NS_PER_S;
	w.agents = agents_create(w.sim, &ac);
	r->failed = w.agents == NULL;
	if (!r->failed) {
		/* All agents begin together, and settle. */
		run(&w, settle_ns(plan));
		for (w.scene = 0; w.scene < HANDOVER_SCENES; w.scene++)
			run_scene(&w);
	}
	agents_destroy(w.agents);
	cluster_destroy(&w.cluster);
}

const char *handover_scene_name(enum handover_scene scene)
{
	static const char *const names[] = {"steady", "crash", "drain", "pause", "partition"};
	return names[scene];
}

double handover_late_pct(const struct handover_scene_result *r)
{
	return r->checks > 0 ? 100.0 * (double)r->late / (double)r->checks : 0;
}

void handover_print(const struct handover_plan *plan, struct handover_result *r)
{
	printf("%u servers, %u origins every %.0f ms, suspicion of %.0f ms: at most %.0f ms "
	       "unchecked%s\n",
		plan->servers, plan->origins, (double)plan->interval_ns / SW_NS_PER_MS,
		(double)plan->profile->suspicion_max_ns / SW_NS_PER_MS, r->bound_ms,
		r->failed ? "; the servers did not find each other" : "");
	printf("%-10s %7s %21s %9s %13s %17s %16s %7s %18s\n", "scene", "events",
		"unchecked, ms: median", "longest", "of it in caps", "beside the owner",
		"servers at once", "late", "busiest, checks/s");
	for (enum handover_scene s = 0; s < HANDOVER_SCENES; s++) {
		struct handover_scene_result *one = &r->scenes[s];
		printf("%-10s %7u %21.0f %9.0f %13.0f %15.2f %% %16u %5.2f %% %18.1f\n",
			handover_scene_name(s), one->gap_ms.count,
			samples_quantile(&one->gap_ms, 0.5), samples_quantile(&one->gap_ms, 1),
			one->first_wait_ms,
			one->checks > 0 ? 100.0 * (double)one->beside / (double)one->checks : 0,
			one->at_once_max, handover_late_pct(one), one->busiest);
	}
	printf("steady: %u of %u origins checked by exactly one server\n",
		plan->origins - r->scenes[HANDOVER_STEADY].not_by_one_max, plan->origins);
}

void handover_free(struct handover_result *r)
{
	for (enum handover_scene s = 0; s < HANDOVER_SCENES; s++)
		samples_free(&r->scenes[s].gap_ms);
}
