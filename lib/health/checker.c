#include "health/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/clock.h"
#include "health/name_table.h"
#include "health/probe.h"
#include "health/schedule.h"

enum {
	RATE_DEFAULT = 1000,
	CONCURRENT_DEFAULT = 256,
	STARTS_A_ROUND_MAX = 64,
};

struct checked {
	struct named named; /* first: found by name */
	struct schedule_entry entry;
	struct health_checker *checker;
	struct probe *probe; /* under way, or NULL */
	struct health_origin origin;
	struct health_verdict verdict;
	uint32_t streak;
	uint64_t told_ns; /* 0: not since it was put */
	uint64_t done;    /* checks since it was put */
};

struct health_checker {
	struct event_base *base;
	struct health_config config;
	struct probe_pool *pool;
	struct event *timer;
	struct name_table names;
	struct schedule schedule;
	struct health_stats stats;
};

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (uint64_t)ts.tv_sec * SW_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t wall_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail with this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / SW_NS_PER_MS;
}

static struct checked *checked_of(struct schedule_entry *entry)
{
	return (struct checked *)((char *)entry - offsetof(struct checked, entry));
}

static struct checked *find(const struct health_checker *checker, const char *name)
{
	return (struct checked *)name_table_find(&checker->names, name);
}

static void arm(struct health_checker *checker)
{
	uint64_t at_ns = schedule_next_ns(&checker->schedule);
	if (at_ns == SW_NEVER_NS) {
		evtimer_del(checker->timer);
		return;
	}
	uint64_t now = now_ns();
	uint64_t wait_us = at_ns > now ? (at_ns - now + SW_NS_PER_US - 1) / SW_NS_PER_US : 0;
	struct timeval tv = {(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)};
	evtimer_add(checker->timer, &tv);
}

/* Faster while the verdict may be about to change. */
static void pace(struct checked *checked)
{
	const struct health_origin *o = &checked->origin;
	bool changing = (checked->streak > 0 || checked->verdict.state == HEALTH_UNKNOWN) &&
			o->fast_interval_ms > 0;
	checked->entry.interval_ms = changing ? o->fast_interval_ms : o->interval_ms;
	checked->entry.jitter_pct = o->jitter_pct;
}

static void end_check(struct checked *checked)
{
	checked->probe = NULL;
	pace(checked);
	schedule_end(&checked->checker->schedule, &checked->entry, now_ns());
}

/* The callback may remove or redefine the origin: it gets copies, and we do not look back. */
static void tell(struct checked *checked, bool changed)
{
	struct health_checker *checker = checked->checker;
	uint64_t now = now_ns();
	uint64_t refresh_ns =
		health_refresh_ms(checked->origin.interval_ms, checker->config.refresh_ms) *
		SW_NS_PER_MS;
	checker->stats.transitions += changed;
	if (!changed && checked->told_ns != 0 && now - checked->told_ns < refresh_ns)
		return;
	char name[HEALTH_NAME_MAX + 1];
	struct health_verdict verdict = checked->verdict;
	strcpy(name, checked->origin.name);
	checked->told_ns = now;
	checker->config.on_verdict(checker->config.context, name, &verdict, changed);
}

static void start(struct checked *checked)
{
	struct health_checker *checker = checked->checker;
	if (checked->origin.maintenance[0]) {
		bool changed = verdict_rest(&checked->verdict, &checked->origin, wall_ms());
		end_check(checked);
		tell(checked, changed);
		return;
	}
	checked->probe = probe_start(checker->pool, &checked->origin, checked);
	if (checked->probe)
		return;
	checker->stats.unjudged++;
	end_check(checked);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct health_checker *checker = arg;
	struct schedule_entry *entry;
	uint64_t now = now_ns();
	(void)fd;
	(void)what;
	for (int i = 0; i < STARTS_A_ROUND_MAX; i++) {
		entry = schedule_start(&checker->schedule, now);
		if (!entry)
			break;
		start(checked_of(entry));
	}
	arm(checker);
}

static void on_done(void *owner, const struct probe_result *result)
{
	struct checked *checked = owner;
	struct health_checker *checker = checked->checker;
	if (result->unjudged) {
		checker->stats.unjudged++;
		end_check(checked);
	} else {
		checker->stats.checks++;
		checked->done++;
		checker->stats.failures += !result->ok;
		bool changed = verdict_take(
			&checked->verdict, &checked->streak, &checked->origin, result, wall_ms());
		end_check(checked);
		tell(checked, changed);
	}
	arm(checker);
}

static void cancel(struct checked *checked)
{
	if (checked->probe)
		probe_cancel(checked->probe);
	checked->probe = NULL;
}

static void drop(struct checked *checked)
{
	struct health_checker *checker = checked->checker;
	cancel(checked);
	schedule_remove(&checker->schedule, &checked->entry, now_ns());
	name_table_remove(&checker->names, &checked->named);
	free(checked);
}

static struct checked *add(struct health_checker *checker, const struct health_origin *origin,
	const struct health_verdict *last)
{
	struct checked *checked = calloc(1, sizeof(*checked));
	if (!checked)
		return NULL;
	checked->checker = checker;
	checked->origin = *origin;
	checked->named.name = checked->origin.name;
	if (last)
		checked->verdict = *last;
	pace(checked);
	if (schedule_put(&checker->schedule, &checked->entry, now_ns()) < 0) {
		free(checked);
		return NULL;
	}
	name_table_add(&checker->names, &checked->named);
	return checked;
}
int health_checker_put(struct health_checker *checker, const struct health_origin *origin,
	const struct health_verdict *last)
{
	struct checked *checked = find(checker, origin->name);
	if (checked && health_origin_equal(&checked->origin, origin))
		return 0;
	if (checked) {
		cancel(checked);
		checked->origin = *origin;
		checked->streak = 0;
		checked->told_ns = 0;
		pace(checked);
		schedule_again(&checker->schedule, &checked->entry, now_ns());
	} else if (!add(checker, origin, last)) {
		return -ENOMEM;
	}
	arm(checker);
	return 0;
}

bool health_checker_remove(struct health_checker *checker, const char *name)
{
	struct checked *checked = find(checker, name);
	if (!checked)
		return false;
	drop(checked);
	arm(checker);
	return true;
}

void health_checker_limits(struct health_checker *checker, uint32_t checks_per_s_max,
	uint32_t concurrent_max, uint32_t refresh_ms)
{
	struct health_config *c = &checker->config;
	c->refresh_ms = refresh_ms;
	schedule_limits(&checker->schedule, checks_per_s_max ? checks_per_s_max : RATE_DEFAULT,
		concurrent_max ? concurrent_max : CONCURRENT_DEFAULT);
	if (checker->timer)
		arm(checker);
}

bool health_checker_tell(struct health_checker *checker, const char *name)
{
	struct checked *checked = find(checker, name);
	if (checked)
		checked->told_ns = 0;
	return checked != NULL;
}

uint64_t health_checker_done(const struct health_checker *checker, const char *name)
{
	const struct checked *checked = find(checker, name);
	return checked ? checked->done : 0;
}

void health_checker_stats(const struct health_checker *checker, struct health_stats *stats)
{
	*stats = checker->stats;
	stats->origins = checker->names.count;
	stats->late = checker->schedule.counters.late;
	stats->deferred = checker->schedule.counters.deferred;
	stats->in_flight = checker->schedule.in_flight;
}

int health_checker_create(struct event_base *base, const struct health_config *config,
	struct health_checker **checker_out)
{
	if (!config->on_verdict)
		return -EINVAL;
	struct health_checker *checker = calloc(1, sizeof(*checker));
	if (!checker)
		return -ENOMEM;
	struct health_config *c = &checker->config;
	*c = *config;
	c->ca_file = NULL; /* the pool has its own copy */
	checker->base = base;
	schedule_init(&checker->schedule, config->seed);
	health_checker_limits(checker, c->checks_per_s_max, c->concurrent_max, c->refresh_ms);
	checker->timer = evtimer_new(base, on_timer, checker);
	int rc = checker->timer ? name_table_init(&checker->names, config->seed) : -ENOMEM;
	if (rc == 0)
		rc = probe_pool_create(base, config->ca_file, on_done, &checker->pool);
	if (rc < 0) {
		health_checker_destroy(checker);
		return rc;
	}
	*checker_out = checker;
	return 0;
}

void health_checker_destroy(struct health_checker *checker)
{
	if (!checker)
		return;
	for (uint64_t i = 0; checker->names.buckets && i <= checker->names.mask; i++)
		while (checker->names.buckets[i])
			drop((struct checked *)checker->names.buckets[i]);
	probe_pool_destroy(checker->pool);
	schedule_fini(&checker->schedule);
	name_table_fini(&checker->names);
	if (checker->timer)
		event_free(checker->timer);
	free(checker);
}
