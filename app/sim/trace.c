#include "trace.h"

#include <inttypes.h>

const char *trace_kind_name(enum swim_event_kind kind)
{
	static const char *const names[] = {[SWIM_EVENT_ALIVE] = "alive", [SWIM_EVENT_SUSPECT] = "suspect",
		[SWIM_EVENT_REFUTED] = "refuted", [SWIM_EVENT_DEAD] = "dead", [SWIM_EVENT_LEFT] = "left",
		[SWIM_EVENT_FORGOTTEN] = "forgotten", [SWIM_EVENT_CHANGED] = "changed",
		[SWIM_EVENT_RUNNING] = "running", [SWIM_EVENT_EPOCH] = "epoch", [SWIM_EVENT_STOOD_DOWN] = "stood down"};
	return names[kind];
}

static void print(const struct trace_entry *e, FILE *out)
{
	if (e->step) {
		(void)fprintf(out, "%12.6f ms  %s\n", (double)e->at_ns / 1e6, e->text);
		return;
	}
	(void)fprintf(out, "%12.6f ms  server %" PRIu32 ": %s %" PRIu32 " (epoch %" PRIu32 ", incarnation %" PRIu32 "): %s\n",
		(double)e->at_ns / 1e6, e->server, trace_kind_name(e->kind), e->about, e->epoch, e->incarnation,
		e->why != NULL ? e->why : "");
}

static struct trace_entry *add(struct trace *trace, uint64_t at_ns)
{
	struct trace_entry *e = &trace->entries[trace->count++ % TRACE_MAX];
	e->at_ns = at_ns;
	return e;
}

void trace_event(struct trace *trace, uint64_t at_ns, uint32_t server, const struct swim_event *event)
{
	struct trace_entry *e = add(trace, at_ns);
	e->step = false;
	e->server = server;
	e->about = (uint32_t)(event->record.actor.id - sim_id(0));
	e->kind = event->kind;
	e->epoch = event->record.actor.epoch;
	e->incarnation = event->record.incarnation;
	e->why = event->why;
	if (trace->file != NULL)
		print(e, trace->file);
}

void trace_step(struct trace *trace, uint64_t at_ns, const char *text)
{
	struct trace_entry *e = add(trace, at_ns);
	e->step = true;
	(void)snprintf(e->text, sizeof(e->text), "%s", text);
	if (trace->file != NULL)
		print(e, trace->file);
}

static bool concerns(const struct trace_entry *e, const uint32_t servers[2])
{
	return e->step || e->server == servers[0] || e->server == servers[1] || e->about == servers[0] ||
	       e->about == servers[1];
}

void trace_tell(const struct trace *trace, const uint32_t servers[2], uint32_t count, FILE *out)
{
	uint64_t oldest = trace->count > TRACE_MAX ? trace->count - TRACE_MAX : 0, from = trace->count;
	for (uint32_t found = 0; from > oldest && found < count; from--)
		found += concerns(&trace->entries[(from - 1) % TRACE_MAX], servers);
	for (; from < trace->count; from++)
		if (concerns(&trace->entries[from % TRACE_MAX], servers))
			print(&trace->entries[from % TRACE_MAX], out);
}
