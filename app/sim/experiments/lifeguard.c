#include "lifeguard.h"

#include <stdio.h>
#include <string.h>

#include "cluster.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { RUN_S = 120, TAIL_S = 15, THRESHOLD_MS = 32768, THRESHOLD_TAIL_S = 5 };

/* With the shares of plain SWIM in the paper's tables. The paper's SWIM is memberlist, which
 * exchanges tables every 30 s; the table digest stands for that. */
const struct lifeguard_configuration lifeguard_configurations[LIFEGUARD_CONFIGURATIONS] = {
	{"SWIM", {.table_digest = true}, 1, 1, 1, 1},
	{"LHA-Probe", {.table_digest = true, .local_health = true}, 0.6772, 0.3288, -1, -1},
	{"LHA-Suspicion", {.table_digest = true, .suspicion_shrinks = true}, 0.0300, 0.0671, -1,
		-1},
	{"Buddy", {.table_digest = true, .buddy = true}, 0.9408, 0.4457, -1, -1},
	{"Lifeguard",
		{.table_digest = true,
			.local_health = true,
			.suspicion_shrinks = true,
			.buddy = true},
		0.0153, 0.0189, 1.106, 0.980},
	{"swimlane", SWIM_FEATURES_ALL, -1, -1, -1, -1},
};

static const uint32_t quick_c[] = {8, 24}, quick_d[] = {2048, 16384}, quick_i[] = {1};
static const uint32_t quick_threshold[] = {8, 16, 24, 32};
static const uint32_t full_c[] = {1, 4, 8, 12, 16, 20, 24, 28, 32};
static const uint32_t full_d[] = {2048, 16384, 32768};
static const uint32_t full_i[] = {1, 64, 1024};

const struct lifeguard_plan lifeguard_quick = {
	.c = quick_c,
	.c_count = LENGTH(quick_c),
	.d_ms = quick_d,
	.d_count = LENGTH(quick_d),
	.i_ms = quick_i,
	.i_count = LENGTH(quick_i),
	.threshold_c = quick_threshold,
	.threshold_c_count = LENGTH(quick_threshold),
	.threshold_runs = 2,
	.runs = 1,
	.seed = 1,
};

const struct lifeguard_plan lifeguard_full = {
	.c = full_c,
	.c_count = LENGTH(full_c),
	.d_ms = full_d,
	.d_count = LENGTH(full_d),
	.i_ms = full_i,
	.i_count = LENGTH(full_i),
	.threshold_c = full_c,
	.threshold_c_count = LENGTH(full_c),
	.threshold_runs = 5,
	.runs = 1,
	.seed = 1,
};

struct run {
	struct cluster cluster;
	const struct lifeguard_plan *plan;
	struct lifeguard_result *result;
	bool anomalous[LIFEGUARD_SERVERS];
	/* threshold */
	uint64_t started_ns;
	uint64_t first_ns[LIFEGUARD_SERVERS], last_ns[LIFEGUARD_SERVERS];
	uint32_t told[LIFEGUARD_SERVERS]; /* how many without anomaly have declared it dead */
	bool told_by[LIFEGUARD_SERVERS][LIFEGUARD_SERVERS];
};

static void trace(
	const struct run *r, uint32_t viewer, uint32_t subject, const struct swim_event *e)
{
	fprintf(stderr, "%9.3f s %s%u: %u is %s, incarnation %u, says %d: %s\n",
		(double)(sim_now(r->cluster.sim) - r->started_ns) / SW_NS_PER_S,
		r->anomalous[viewer] ? "sick " : "", viewer, subject,
		e->kind == SWIM_EVENT_DEAD      ? "DEAD"
		: e->kind == SWIM_EVENT_SUSPECT ? "suspect"
						: "alive",
		e->record.incarnation, (int)(e->record.accuser_id - sim_id(0)), e->why);
}

static void on_interval_event(
	void *context, uint32_t viewer, uint32_t subject, const struct swim_event *e)
{
	struct run *r = context;
	if (r->anomalous[subject])
		return;
	if (r->plan->trace && e->kind <= SWIM_EVENT_DEAD)
		trace(r, viewer, subject, e);
	if (e->kind != SWIM_EVENT_DEAD)
		return;
	r->result->fp_all++;
	r->result->fp_healthy += !r->anomalous[viewer];
}

static void on_threshold_event(
	void *context, uint32_t viewer, uint32_t subject, const struct swim_event *e)
{
	struct run *r = context;
	if (e->kind != SWIM_EVENT_DEAD || !r->anomalous[subject] || r->anomalous[viewer] ||
		r->told_by[subject][viewer])
		return;
	r->told_by[subject][viewer] = true;
	r->last_ns[subject] = sim_now(r->cluster.sim);
	if (r->told[subject]++ == 0)
		r->first_ns[subject] = r->last_ns[subject];
}

static bool begin(struct run *r, const struct lifeguard_plan *plan, uint32_t configuration,
	struct lifeguard_result *result, uint64_t seed, uint32_t c)
{
	struct cluster_config cc = {
		.servers = LIFEGUARD_SERVERS,
		.seed = seed,
		.profile = swim_profile_paper,
		.features = lifeguard_configurations[configuration].features,
		.link_ns = 500 * SW_NS_PER_US,
	};
	memset(r, 0, sizeof(*r));
	r->plan = plan;
	r->result = result;
	if (!cluster_create(&r->cluster, &cc)) {
		result->runs_failed++;
		return false;
	}
	r->cluster.context = r;
	struct sw_random victims = sw_random_seed(seed);
	for (uint32_t chosen = 0; chosen < c;) {
		uint32_t i = (uint32_t)sw_random_below(&victims, LIFEGUARD_SERVERS);
		chosen += !r->anomalous[i];
		r->anomalous[i] = true;
	}
	r->started_ns = sim_now(r->cluster.sim);
	return true;
}

static void strike(struct run *r, bool on)
{
	for (uint32_t i = 0; i < LIFEGUARD_SERVERS; i++) {
		if (r->anomalous[i] && r->plan->anomaly == LIFEGUARD_BLOCKED)
			sim_block(r->cluster.sim, i, on);
		else if (r->anomalous[i])
			sim_pause(r->cluster.sim, i, on);
	}
}

static void run_interval(struct run *r, uint32_t d_ms, uint32_t i_ms)
{
	struct sim *sim = r->cluster.sim;
	r->cluster.on_event = on_interval_event;
	while (sim_now(sim) - r->started_ns < RUN_S * SW_NS_PER_S) {
		strike(r, true);
		sim_run(sim, d_ms * SW_NS_PER_MS);
		strike(r, false);
		sim_run(sim, i_ms * SW_NS_PER_MS);
	}
	sim_run(sim, TAIL_S * SW_NS_PER_S);
	r->result->packets += r->cluster.packets;
	r->result->bytes += r->cluster.bytes;
	cluster_destroy(&r->cluster);
}

static void run_threshold(struct run *r, uint32_t c)
{
	r->cluster.on_event = on_threshold_event;
	strike(r, true);
	sim_run(r->cluster.sim, THRESHOLD_MS * SW_NS_PER_MS);
	strike(r, false);
	sim_run(r->cluster.sim, THRESHOLD_TAIL_S * SW_NS_PER_S);
	for (uint32_t i = 0; i < LIFEGUARD_SERVERS; i++) {
		if (!r->anomalous[i])
			continue;
		if (r->told[i] > 0)
			samples_add(&r->result->first_s,
				(double)(r->first_ns[i] - r->started_ns) / SW_NS_PER_S);
		if (r->told[i] == LIFEGUARD_SERVERS - c)
			samples_add(&r->result->all_s,
				(double)(r->last_ns[i] - r->started_ns) / SW_NS_PER_S);
		else
			r->result->undetected++;
	}
	cluster_destroy(&r->cluster);
}

uint32_t lifeguard_run_count(const struct lifeguard_plan *p)
{
	return p->runs *
	       (p->c_count * p->d_count * p->i_count + p->threshold_c_count * p->threshold_runs);
}

void lifeguard_run(const struct lifeguard_plan *p, uint32_t configuration,
	struct lifeguard_result *result, void (*progress)(void *context), void *context)
{
	static struct run run;
	uint32_t per_pass = lifeguard_run_count(p) / p->runs,
		 intervals = p->c_count * p->d_count * p->i_count;
	*result = (struct lifeguard_result){.fp_all = 0};
	if (p->trace)
		fprintf(stderr, "---- %s\n", lifeguard_configurations[configuration].name);
	for (uint32_t k = 0; k < lifeguard_run_count(p); k++) {
		/* The same seed in every configuration: the same servers are struck. */
		uint64_t seed = p->seed * 1000003 + k;
		uint32_t at = k % per_pass;
		uint32_t c = at < intervals
				     ? p->c[at / (p->d_count * p->i_count)]
				     : p->threshold_c[(at - intervals) % p->threshold_c_count];
		if (!begin(&run, p, configuration, result, seed, c))
			continue;
		if (at < intervals)
			run_interval(&run, p->d_ms[at / p->i_count % p->d_count],
				p->i_ms[at % p->i_count]);
		else
			run_threshold(&run, c);
		if (progress != NULL)
			progress(context);
	}
}

void lifeguard_result_free(struct lifeguard_result *result)
{
	samples_free(&result->first_s);
	samples_free(&result->all_s);
}
