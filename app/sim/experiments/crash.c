#include "crash.h"

#include <stdio.h>
#include <time.h>

#include "cluster.h"

#define FAST (50 * SW_NS_PER_US)
#define SLOW (500 * SW_NS_PER_US)

const struct crash_case crash_cases[CRASH_CASES] = {
	{"metal_16", "metal", &swim_profile_metal, 16, FAST},
	{"metal_64", "metal", &swim_profile_metal, 64, FAST},
	{"metal_128", "metal", &swim_profile_metal, 128, FAST},
	{"lan_16", "lan", &swim_profile_lan, 16, FAST},
	{"lan_64", "lan", &swim_profile_lan, 64, FAST},
	{"lan_128", "lan", &swim_profile_lan, 128, FAST},
	{"virtual_16", "virtual", &swim_profile_virtual, 16, SLOW},
	{"virtual_64", "virtual", &swim_profile_virtual, 64, SLOW},
	{"virtual_128", "virtual", &swim_profile_virtual, 128, SLOW},
};

struct watch {
	struct sim *sim;
	struct crash_result *result;
	uint32_t subject, told;
	bool told_by[SW_MEMBERS_MAX];
	uint64_t last_ns;
};

static void on_event(void *context, uint32_t viewer, uint32_t subject, const struct swim_event *e)
{
	struct watch *w = context;
	if (e->kind != SWIM_EVENT_DEAD)
		return;
	w->result->false_positives += sim_is_up(w->sim, subject);
	if (subject != w->subject || w->told_by[viewer])
		return;
	w->told_by[viewer] = true;
	w->told++;
	w->last_ns = sim_now(w->sim);
}

static void one_crash(struct cluster *c, const struct swim_profile *profile, struct crash_result *r)
{
	struct sw_random *random = sim_random(c->sim);
	struct watch w = {.sim = c->sim,
		.result = r,
		.subject = (uint32_t)sw_random_below(random, c->servers)};
	c->context = &w;
	sim_run(c->sim, sw_random_below(random, profile->probe_interval_ns));
	uint64_t from_ns = sim_now(c->sim);
	uint64_t limit_ns =
		2 * c->servers * profile->probe_interval_ns + 2 * profile->suspicion_max_ns;
	sim_crash(c->sim, w.subject);
	while (w.told < c->servers - 1 && sim_now(c->sim) - from_ns < limit_ns)
		sim_run(c->sim, profile->probe_interval_ns);
	if (w.told == c->servers - 1)
		samples_add(&r->all_ms, (double)(w.last_ns - from_ns) / SW_NS_PER_MS);
	else
		r->unknown++;
	sim_start(c->sim, w.subject, 0);
	(void)cluster_settle(c, limit_ns + profile->join_wait_ns);
}

void crash_run(const struct crash_case *which, uint32_t crashes, uint64_t seed,
	struct crash_result *r, void (*progress)(void *context), void *context)
{
	struct cluster_config cc = {.servers = which->servers,
		.seed = seed,
		.profile = *which->profile,
		.features = swim_features_all,
		.link_ns = which->link_ns};
	struct cluster c;
	*r = (struct crash_result){.failed = !cluster_create(&c, &cc)};
	if (r->failed)
		return;
	c.on_event = on_event;
	for (uint32_t i = 0; i < crashes; i++) {
		one_crash(&c, which->profile, r);
		if (progress != NULL && i % 64 == 0)
			progress(context);
	}
	cluster_destroy(&c);
}

void crash_print(const struct crash_case *which, struct crash_result *r, bool first)
{
	if (first)
		printf("%-8s %8s %10s %9s %9s %9s %9s %15s %8s\n", "profile", "servers",
			"links, us", "crashes", "median, ms", "99 %", "longest", "false positives",
			"unknown");
	printf("%-8s %8u %10.0f %9u %10.1f %9.1f %9.1f %15u %8u%s\n", which->profile_name,
		which->servers, (double)which->link_ns / SW_NS_PER_US, r->all_ms.count + r->unknown,
		samples_quantile(&r->all_ms, 0.5), samples_quantile(&r->all_ms, 0.99),
		samples_quantile(&r->all_ms, 1), r->false_positives, r->unknown,
		r->failed ? " the servers did not find each other" : "");
}

void crash_free(struct crash_result *r)
{
	samples_free(&r->all_ms);
}

double crash_sim_speed(double virtual_s, uint64_t seed)
{
	struct cluster_config cc = {.servers = 64,
		.seed = seed,
		.profile = swim_profile_metal,
		.features = swim_features_all,
		.link_ns = FAST,
		.records_max = 256};
	struct cluster c;
	if (!cluster_create(&c, &cc))
		return 0;
	clock_t from = clock();
	sim_run(c.sim, (uint64_t)(virtual_s * SW_NS_PER_S));
	double took_s = (double)(clock() - from) / CLOCKS_PER_SEC;
	cluster_destroy(&c);
	return took_s > 0 ? virtual_s / took_s : 0;
}
