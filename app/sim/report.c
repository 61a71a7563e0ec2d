#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void on_event(void *context, struct sim *sim, uint32_t viewer, const struct swim_event *event)
{
	struct report *r = context;
	uint32_t about = (uint32_t)(event->record.actor.id - sim_id(0));
	r->events[event->kind]++;
	if (event->kind != SWIM_EVENT_DEAD && event->kind != SWIM_EVENT_SUSPECT)
		return;
	if (sim_is_up(sim, about) && sim_instance(sim, about) == event->record.instance) {
		r->false_suspicions += event->kind == SWIM_EVENT_SUSPECT;
		r->false_positives += event->kind == SWIM_EVENT_DEAD;
		r->false_positives_healthy += event->kind == SWIM_EVENT_DEAD && sim_is_healthy(sim, about);
		return;
	}
	for (uint32_t i = r->crash_count; i > 0; i--) {
		struct report_crash *c = &r->crashes[i - 1];
		uint64_t since_ns = sim_now(sim) - c->at_ns;
		if (c->server != about)
			continue;
		if (event->kind == SWIM_EVENT_SUSPECT && c->suspected_ns == 0)
			c->suspected_ns = since_ns;
		if (event->kind == SWIM_EVENT_DEAD) {
			c->dead_first_ns = c->dead_first_ns == 0 ? since_ns : c->dead_first_ns;
			c->dead_last_ns = since_ns;
			c->viewers++;
		}
		break;
	}
	(void)viewer;
}

static void on_packet(void *context, struct sim *sim, uint32_t from, uint16_t bytes, bool membership)
{
	struct report *r = context;
	(void)sim;
	(void)from;
	r->packets++;
	r->bytes += bytes;
	r->membership_packets += membership;
	r->membership_bytes += membership ? bytes : 0;
}

static void on_step(void *context, const struct step *step)
{
	struct report *r = context;
	if (step->kind == STEP_CRASH && sim_is_up(r->scene->sim, step->server) && r->crash_count < REPORT_CRASHES_MAX)
		r->crashes[r->crash_count++] = (struct report_crash){.server = step->server, .at_ns = sim_now(r->scene->sim)};
}

void report_begin(struct report *report, struct scene *scene)
{
	report->scene = scene;
	scene->besides = (struct sim_observer){.context = report, .on_event = on_event, .on_packet = on_packet};
	scene->on_step = on_step;
}

/* Of all pairs of servers of one group that run, how many hold the other for alive. */
static double alive_share(struct sim *sim, uint32_t *running)
{
	static struct swim_member members[SW_MEMBERS_MAX];
	uint64_t pairs = 0, alive = 0;
	uint32_t servers = sim_config(sim)->servers, size = sim_config(sim)->group_size, in_group = 0;
	*running = 0;
	for (uint32_t i = 0; i < servers; i++) {
		if (i % size == 0) {
			in_group = 0;
			for (uint32_t k = i; k < i + size; k++)
				in_group += sim_is_up(sim, k) && swim_phase(sim_swim(sim, k)) <= SWIM_RUNNING;
			*running += in_group;
		}
		if (!sim_is_up(sim, i) || swim_phase(sim_swim(sim, i)) > SWIM_RUNNING)
			continue;
		uint32_t n = swim_members(sim_swim(sim, i), members, SW_MEMBERS_MAX);
		for (uint32_t k = 0; k < n; k++)
			alive += members[k].record.state == WIRE_ALIVE &&
				 sim_is_up(sim, (uint32_t)(members[k].record.actor.id - sim_id(0)));
		pairs += in_group;
	}
	return pairs > 0 ? (double)alive / (double)pairs : 1;
}

void report_sample(struct report *r)
{
	struct sim *sim = r->scene->sim;
	uint64_t at_ns = sim_now(sim) - r->scene->began_ns;
	struct report_sample s = {.at_ns = at_ns, .packets = r->packets, .bytes = r->bytes};
	s.alive_share = alive_share(sim, &s.running);
	if (r->sample_count > 0)
		r->server_ns += s.running * (at_ns - r->samples[r->sample_count - 1].at_ns);
	if (r->sample_count == REPORT_SAMPLES_MAX)
		r->sample_count--;
	r->samples[r->sample_count++] = s;
}

static bool agree(const struct report *r)
{
	const struct sim_config *c = sim_config(r->scene->sim);
	for (uint32_t g = 0; g < c->servers / c->group_size; g++)
		if (!sim_members_agree(r->scene->sim, g))
			return false;
	return true;
}

static bool maps_agree(const struct report *r)
{
	const struct sim_config *c = sim_config(r->scene->sim);
	for (uint32_t g = 0; g < c->servers / c->group_size; g++)
		if (!sim_maps_agree(r->scene->sim, g))
			return false;
	return true;
}

static double per_period(const struct report *r, uint64_t n)
{
	double periods = (double)r->server_ns / (double)sim_config(r->scene->sim)->profile.probe_interval_ns;
	return periods > 0 ? (double)n / periods : 0;
}

static double rss_mib(void)
{
	struct rusage usage = {0};
	return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024 : 0;
}

static double virtual_s(const struct report *r)
{
	return (double)(sim_now(r->scene->sim) - r->scene->began_ns) / 1e9;
}

static void row(FILE *out, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void row(FILE *out, const char *name, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)fprintf(out, "%-36s ", name);
	(void)vfprintf(out, format, args);
	(void)fputc('\n', out);
	va_end(args);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* The time until all knew, of those crashes that all came to know; 0 if there are none. */
static double known_to_all_ms(const struct report *r, uint32_t permille, uint32_t *count)
{
	static uint64_t times[REPORT_CRASHES_MAX];
	uint32_t n = 0;
	for (uint32_t i = 0; i < r->crash_count; i++)
		if (r->crashes[i].dead_first_ns != 0)
			times[n++] = r->crashes[i].dead_last_ns;
	*count = n;
	qsort(times, n, sizeof(times[0]), compare_u64);
	return n > 0 ? (double)times[(uint64_t)(n - 1) * permille / 1000] / 1e6 : 0;
}

void report_table(const struct report *r, double real_s, FILE *out)
{
	const struct sim_config *c = sim_config(r->scene->sim);
	const struct report_sample *last = &r->samples[r->sample_count - 1];
	uint32_t crashes;
	row(out, "seed", "%" PRIu64, c->seed);
	row(out, "servers running", "%" PRIu32 " of %" PRIu32, last->running, c->servers);
	row(out, "pairs that hold each other alive", "%.4f %%", 100 * last->alive_share);
	row(out, "tables equal and right", "%s", agree(r) ? "yes" : "no");
	if (c->records_max > 0)
		row(out, "maps equal", "%s", maps_agree(r) ? "yes" : "no");
	for (int i = 0; i < REPORT_KINDS; i++)
		if (r->events[i] > 0)
			row(out, "events", "%" PRIu64 " %s", r->events[i], trace_kind_name(i));
	row(out, "suspicions of servers that run", "%" PRIu64, r->false_suspicions);
	row(out, "false positives", "%" PRIu64 " (%" PRIu64 " about healthy servers)", r->false_positives,
		r->false_positives_healthy);
	double median_ms = known_to_all_ms(r, 500, &crashes), worst_ms = known_to_all_ms(r, 1000, &crashes);
	if (crashes > 0)
		row(out, "crash to known by all", "median %.1f ms, worst %.1f ms, of %" PRIu32, median_ms, worst_ms, crashes);
	row(out, "packets a server and period", "%.3f (membership %.3f)", per_period(r, r->packets),
		per_period(r, r->membership_packets));
	row(out, "bytes a server and period", "%.1f (membership %.1f)", per_period(r, r->bytes),
		per_period(r, r->membership_bytes));
	row(out, "events handled", "%" PRIu64, sim_events(r->scene->sim));
	row(out, "virtual time", "%.3f s", virtual_s(r));
	row(out, "real time", "%.3f s, %.1f times faster", real_s, virtual_s(r) / real_s);
	row(out, "memory", "%.0f MiB", rss_mib());
}

void report_json(const struct report *r, double real_s, FILE *out)
{
	const struct sim_config *c = sim_config(r->scene->sim);
	const struct report_sample *last = &r->samples[r->sample_count - 1];
	uint32_t crashes;
	double median_ms = known_to_all_ms(r, 500, &crashes), p99_ms = known_to_all_ms(r, 990, &crashes),
	       worst_ms = known_to_all_ms(r, 1000, &crashes);
	(void)fprintf(out, "{\"seed\": %" PRIu64 ", \"servers\": %" PRIu32 ", \"running\": %" PRIu32
		", \"alive_share\": %.6f, \"members_agree\": %s, \"maps_agree\": %s, \"events\": {",
		c->seed, c->servers, last->running, last->alive_share, agree(r) ? "true" : "false",
		c->records_max == 0 ? "null" : maps_agree(r) ? "true" : "false");
	for (int i = 0; i < REPORT_KINDS; i++)
		(void)fprintf(out, "%s\"%s\": %" PRIu64, i > 0 ? ", " : "", trace_kind_name(i), r->events[i]);
	(void)fprintf(out, "}, \"false_suspicions\": %" PRIu64 ", \"false_positives\": %" PRIu64
		", \"false_positives_healthy\": %" PRIu64 ", \"crashes\": %" PRIu32
		", \"crash_known_ms_median\": %.3f, \"crash_known_ms_p99\": %.3f, \"crash_known_ms_max\": %.3f",
		r->false_suspicions, r->false_positives, r->false_positives_healthy, crashes, median_ms, p99_ms, worst_ms);
	(void)fprintf(out, ", \"packets_per_server_period\": %.4f, \"membership_packets_per_server_period\": %.4f"
		", \"bytes_per_server_period\": %.2f, \"membership_bytes_per_server_period\": %.2f, \"packets\": %" PRIu64
		", \"bytes\": %" PRIu64 ", \"events_handled\": %" PRIu64
		", \"virtual_s\": %.3f, \"real_s\": %.3f, \"speed\": %.2f, \"rss_mib\": %.1f",
		per_period(r, r->packets), per_period(r, r->membership_packets), per_period(r, r->bytes),
		per_period(r, r->membership_bytes), r->packets, r->bytes, sim_events(r->scene->sim), virtual_s(r), real_s,
		virtual_s(r) / real_s, rss_mib());
	(void)fprintf(out, ", \"broken\": %s}\n", r->scene->broken ? "true" : "false");
}
