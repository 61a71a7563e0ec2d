#include "swim_paper.h"

#include <math.h>
#include <stdio.h>

#include "cluster.h"

static const uint32_t sizes[SWIM_PAPER_SIZES] = {8, 16, 32, 64, 128};

struct watch {
	struct sim *sim;
	uint32_t subject, told;
	enum swim_event_kind kind;
	uint64_t first_ns, last_ns;
};

static void on_event(void *context, uint32_t viewer, uint32_t subject, const struct swim_event *e)
{
	struct watch *w = context;
	(void)viewer;
	if (subject != w->subject || e->kind != w->kind)
		return;
	w->last_ns = sim_now(w->sim);
	if (w->told++ == 0)
		w->first_ns = w->last_ns;
}

static bool begin(struct cluster *c, uint32_t servers, uint64_t seed)
{
	struct cluster_config cc = {.servers = servers,
		.seed = seed,
		.profile = swim_profile_lan,
		.features = {.table_digest = true},
		.link_ns = 50 * SW_NS_PER_US};
	return cluster_create(c, &cc);
}

static uint64_t periods_ns(double periods)
{
	return (uint64_t)(periods * (double)swim_profile_lan.probe_interval_ns);
}

static void measure_load(struct cluster *c, uint32_t periods, double *load)
{
	cluster_reset(c);
	sim_run(c->sim, periods_ns(periods));
	*load = (double)c->packets / ((double)periods * c->servers);
}

/* Until `wanted` have told of it, at most for so many periods. */
static void watch_for(struct cluster *c, struct watch *w, uint32_t wanted, uint32_t periods)
{
	c->context = w;
	c->on_event = on_event;
	for (uint32_t i = 0; i < 10 * periods && w->told < wanted; i++)
		sim_run(c->sim, periods_ns(0.1));
	c->on_event = NULL;
}

static void measure_spread(
	struct cluster *c, uint32_t changes, double *mean, double *max, uint32_t *untold)
{
	double sum = 0;
	*max = 0;
	for (uint32_t i = 0; i < changes; i++) {
		struct watch w = {c->sim, (uint32_t)sw_random_below(sim_random(c->sim), c->servers),
			0, SWIM_EVENT_CHANGED, 0, 0};
		uint64_t from_ns = sim_now(c->sim);
		sim_drain(c->sim, w.subject, true);
		watch_for(c, &w, c->servers - 1, 100);
		*untold += w.told < c->servers - 1;
		double took = (double)(w.last_ns - from_ns) / (double)periods_ns(1);
		sum += took;
		*max = fmax(*max, took);
		sim_drain(c->sim, w.subject, false);
		(void)cluster_settle(c, periods_ns(200));
	}
	*mean = changes > 0 ? sum / changes : 0;
}

static void measure_detection(struct cluster *c, struct swim_paper_result *r)
{
	struct sw_random *random = sim_random(c->sim);
	struct watch w = {
		c->sim, (uint32_t)sw_random_below(random, c->servers), 0, SWIM_EVENT_SUSPECT, 0, 0};
	/* At any moment of everybody's periods. */
	sim_run(c->sim, sw_random_below(random, periods_ns(1)));
	uint64_t from_ns = sim_now(c->sim);
	sim_crash(c->sim, w.subject);
	watch_for(c, &w, 1, 2 * c->servers);
	double suspicion = (double)(w.first_ns - from_ns) / (double)periods_ns(1);
	samples_add(&r->suspicion_periods, suspicion);
	/* A probe lasts a period: that one began a period before. */
	samples_add(&r->detection_periods, fmax(1, ceil(suspicion - 1)));
	sim_start(c->sim, w.subject, 0);
	(void)cluster_settle(c, periods_ns(200));
}

void swim_paper_run(const struct swim_paper_plan *p, struct swim_paper_result *r,
	void (*progress)(void *context), void *context)
{
	struct cluster c;
	*r = (struct swim_paper_result){.failed = 0};
	for (uint32_t i = 0; i < SWIM_PAPER_SIZES; i++) {
		r->servers[i] = sizes[i];
		r->gap_max[i] = round_robin_gap(sizes[i], 50 * sizes[i], p->seed + i);
		if (!begin(&c, sizes[i], p->seed + i)) {
			r->failed++;
			continue;
		}
		measure_load(&c, p->load_periods, &r->load[i]);
		measure_spread(&c, p->changes, &r->spread_mean[i], &r->spread_max[i], &r->untold);
		cluster_destroy(&c);
		if (progress != NULL)
			progress(context);
	}
	if (!begin(&c, p->crash_servers, p->seed + 100)) {
		r->failed++;
		return;
	}
	for (uint32_t i = 0; i < p->crashes; i++) {
		measure_detection(&c, r);
		if (progress != NULL && i % 64 == 0)
			progress(context);
	}
	cluster_destroy(&c);
}

void swim_paper_print(struct swim_paper_result *r)
{
	printf("%8s %18s %24s %24s %16s\n", "servers", "packets sent", "change known to all", "",
		"longest gap");
	printf("%8s %18s %12s %11s %11s %12s %16s %8s\n", "", "a member, period", "mean, per.",
		"/ log2 n", "max, per.", "", "between probes", "2n - 1");
	for (uint32_t i = 0; i < SWIM_PAPER_SIZES; i++)
		printf("%8u %18.3f %12.2f %11.2f %11.2f %12s %16u %8u\n", r->servers[i], r->load[i],
			r->spread_mean[i], r->spread_mean[i] / log2(r->servers[i]),
			r->spread_max[i], "", r->gap_max[i], 2 * r->servers[i] - 1);
	printf("\nfirst probe in vain: in period %.2f after the crash (%u crashes; expected %.2f), "
	       "99 %%: %.0f\n",
		samples_mean(&r->detection_periods), r->detection_periods.count, 1 / (1 - exp(-1)),
		samples_quantile(&r->detection_periods, 0.99));
	printf("first suspicion: %.2f periods after the crash, 99 %%: %.2f, longest: %.2f\n",
		samples_mean(&r->suspicion_periods), samples_quantile(&r->suspicion_periods, 0.99),
		samples_quantile(&r->suspicion_periods, 1));
	if (r->failed + r->untold > 0)
		printf("%u experiments failed; %u changes were not learnt by all\n", r->failed,
			r->untold);
}

void swim_paper_free(struct swim_paper_result *r)
{
	samples_free(&r->detection_periods);
	samples_free(&r->suspicion_periods);
}
