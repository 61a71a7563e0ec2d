#include "health/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/random.h"
#include "health/due.h"
#include "health/name_table.h"
#include "health/probe.h"

enum {
	RATE_DEFAULT = 1000,
	CONCURRENT_DEFAULT = 256,
	REFRESH_MS_DEFAULT = 60000,
	/* The loop wakes by the millisecond: what it may make up for, and what one round may start.
	 */
	RATE_SLACK_MS = 10,
	STARTS_A_ROUND_MAX = 64,
};

struct checked {
	struct named named; /* first: found by name */
	struct due due;
	struct health_checker *checker;
	struct probe *probe; /* under way, or NULL: then it is in the heap */
	struct health_origin origin;
	struct health_verdict verdict;
	uint32_t streak;
	bool spread; /* its place in the interval is drawn */
	uint64_t started_ns;
	uint64_t told_ns; /* 0: not since it was put */
	uint64_t done;    /* checks since it was put */
};

struct health_checker {
	struct event_base *base;
	struct health_config config;
	struct probe_pool *pool;
	struct event *timer;
	struct name_table names;
	struct due_heap heap;
	struct sw_random random;
	uint64_t rate_ns;       /* between two starts, at the cap */
	uint64_t next_start_ns; /* at an even pace: may lie behind now by the slack */
	uint64_t held_until_ns; /* what is due by then was held back by a cap */
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

static struct checked *checked_of_due(struct due *due)
{
	return (struct checked *)((char *)due - offsetof(struct checked, due));
}

static struct checked *find(const struct health_checker *checker, const char *name)
{
	return (struct checked *)name_table_find(&checker->names, name);
}

/* When the first of those due may start: UINT64_MAX if that waits for a check to end. */
static uint64_t next_run_ns(const struct health_checker *checker)
{
	const struct due *first = due_heap_first(&checker->heap);
	if (!first || checker->stats.in_flight >= checker->config.concurrent_max)
		return SW_NEVER_NS;
	return sw_max_u64(first->at_ns, checker->next_start_ns);
}

static void arm(struct health_checker *checker)
{
	uint64_t at_ns = next_run_ns(checker);
	if (at_ns == SW_NEVER_NS) {
		evtimer_del(checker->timer);
		return;
	}
	uint64_t now = now_ns();
	uint64_t wait_us = at_ns > now ? (at_ns - now + SW_NS_PER_US - 1) / SW_NS_PER_US : 0;
	struct timeval tv = {(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)};
	evtimer_add(checker->timer, &tv);
}

/* Origins that are put at once must not be checked at once ever after: the second check comes at a
 * random point of the interval, the later ones up to 10 % less than an interval apart: never more,
 * whoever reckons with the interval can rely on it. */
static void schedule_next(struct checked *checked)
{
	struct health_checker *checker = checked->checker;
	uint64_t interval_ns = checked->origin.interval_ms * SW_NS_PER_MS;
	uint64_t tenth_ns = interval_ns / 10;
	uint64_t wait_ns;
	if (checked->spread)
		wait_ns = interval_ns - sw_random_below(&checker->random, tenth_ns);
	else
		wait_ns = tenth_ns + sw_random_below(&checker->random, interval_ns - tenth_ns);
	checked->spread = true;
	due_heap_add(
		&checker->heap, &checked->due, sw_max_u64(checked->started_ns + wait_ns, now_ns()));
}

static void count_start(struct checked *checked, uint64_t now)
{
	struct health_stats *stats = &checked->checker->stats;
	uint64_t tenth_ns = checked->origin.interval_ms * SW_NS_PER_MS / 10;
	stats->late += now - checked->due.at_ns > tenth_ns;
	stats->deferred += checked->due.at_ns <= checked->checker->held_until_ns;
}

static void start(struct checked *checked, uint64_t now)
{
	struct health_checker *checker = checked->checker;
	uint64_t slack_ns = RATE_SLACK_MS * SW_NS_PER_MS;
	count_start(checked, now);
	due_heap_remove(&checker->heap, &checked->due);
	checker->next_start_ns =
		sw_max_u64(checker->next_start_ns, now > slack_ns ? now - slack_ns : 0) +
		checker->rate_ns;
	checked->started_ns = now;
	checked->probe = probe_start(checker->pool, &checked->origin, checked);
	if (checked->probe) {
		checker->stats.in_flight++;
		return;
	}
	checker->stats.unjudged++;
	schedule_next(checked);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct health_checker *checker = arg;
	uint64_t now = now_ns();
	(void)fd;
	(void)what;
	for (int i = 0; i < STARTS_A_ROUND_MAX && next_run_ns(checker) <= now; i++)
		start(checked_of_due(due_heap_first(&checker->heap)), now);
	if (checker->next_start_ns > now)
		checker->held_until_ns = checker->next_start_ns;
	arm(checker);
}

static void take_result(struct checked *checked, const struct probe_result *result)
{
	struct health_checker *checker = checked->checker;
	uint64_t now = now_ns();
	checker->stats.checks++;
	checked->done++;
	checker->stats.failures += !result->ok;
	bool changed = verdict_take(
		&checked->verdict, &checked->streak, &checked->origin, result, wall_ms());
	bool refresh = checked->told_ns == 0 ||
		       now - checked->told_ns >= checker->config.refresh_ms * SW_NS_PER_MS;
	if (!changed && !refresh)
		return;
	checked->told_ns = now;
	/* The callback may remove or redefine the origin: it gets copies, and we do not look back.
	 */
	char name[HEALTH_NAME_MAX + 1];
	struct health_verdict verdict = checked->verdict;
	strcpy(name, checked->origin.name);
	checker->config.on_verdict(checker->config.context, name, &verdict, changed);
}

static void end_check(struct checked *checked)
{
	struct health_checker *checker = checked->checker;
	checked->probe = NULL;
	if (checker->stats.in_flight-- == checker->config.concurrent_max)
		checker->held_until_ns = sw_max_u64(checker->held_until_ns, now_ns());
}

static void on_done(void *owner, const struct probe_result *result)
{
	struct checked *checked = owner;
	struct health_checker *checker = checked->checker;
	end_check(checked);
	schedule_next(checked);
	if (result->unjudged)
		checker->stats.unjudged++;
	else
		take_result(checked, result);
	arm(checker);
}

static void stop_check(struct checked *checked)
{
	due_heap_remove(&checked->checker->heap, &checked->due);
	if (!checked->probe)
		return;
	probe_cancel(checked->probe);
	end_check(checked);
}

static bool same_origin(const struct health_origin *a, const struct health_origin *b)
{
	return a->type == b->type && a->port == b->port && a->interval_ms == b->interval_ms &&
	       a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall &&
	       a->expect_status == b->expect_status && a->verify_tls == b->verify_tls &&
	       strcmp(a->address, b->address) == 0 && strcmp(a->path, b->path) == 0 &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->expect_body, b->expect_body) == 0;
}

static struct checked *add(struct health_checker *checker, const struct health_origin *origin,
	const struct health_verdict *last)
{
	struct checked *checked = calloc(1, sizeof(*checked));
	if (!checked || due_heap_reserve(&checker->heap, (uint32_t)checker->names.count + 1) < 0) {
		free(checked);
		return NULL;
	}
	checked->checker = checker;
	checked->origin = *origin;
	checked->named.name = checked->origin.name;
	if (last)
		checked->verdict = *last;
	name_table_add(&checker->names, &checked->named);
	return checked;
}

int health_checker_put(struct health_checker *checker, const struct health_origin *origin,
	const struct health_verdict *last)
{
	struct checked *checked = find(checker, origin->name);
	if (checked && same_origin(&checked->origin, origin))
		return 0;
	if (checked) {
		stop_check(checked);
		checked->origin = *origin;
	} else {
		checked = add(checker, origin, last);
		if (!checked)
			return -ENOMEM;
	}
	checked->streak = 0;
	checked->spread = false;
	checked->told_ns = 0;
	due_heap_add(&checker->heap, &checked->due, now_ns());
	arm(checker);
	return 0;
}

static void drop(struct checked *checked)
{
	stop_check(checked);
	name_table_remove(&checked->checker->names, &checked->named);
	free(checked);
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
	c->checks_per_s_max = c->checks_per_s_max ? c->checks_per_s_max : RATE_DEFAULT;
	c->concurrent_max = c->concurrent_max ? c->concurrent_max : CONCURRENT_DEFAULT;
	c->refresh_ms = c->refresh_ms ? c->refresh_ms : REFRESH_MS_DEFAULT;
	c->ca_file = NULL; /* the pool has its own copy */
	checker->base = base;
	checker->random = sw_random_seed(config->seed);
	checker->rate_ns = SW_NS_PER_S / c->checks_per_s_max;
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
	due_heap_fini(&checker->heap);
	name_table_fini(&checker->names);
	if (checker->timer)
		event_free(checker->timer);
	free(checker);
}
