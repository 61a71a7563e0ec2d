/* Events, to the log and to subscribers. */
#include "control.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "ticks.h"

static void on_subscriber_gone(struct rpc_subscriber *subscriber, void *context)
{
	struct subscription *s = context;
	(void)subscriber;
	s->subscriber = NULL;
}

static struct subscription *subscribe(struct control *control, struct rpc_call *call)
{
	for (int i = 0; i < SUBSCRIBERS_MAX; i++) {
		struct subscription *s = &control->subscriptions[i];
		if (s->subscriber != NULL)
			continue;
		s->control = control;
		s->subscriber = rpc_subscribe(call, on_subscriber_gone, s);
		return s->subscriber != NULL ? s : NULL;
	}
	return NULL;
}

void events_tell(struct control *control, uint64_t at_ns, const char *kind, uint64_t server_id,
	const char *format, ...)
{
	char text[512], name[64];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	server_name(control, server_id, name);
	log_line(LOG_INFO, "%s %s: %s", name, kind, text);
	for (int i = 0; i < SUBSCRIBERS_MAX; i++) {
		struct subscription *s = &control->subscriptions[i];
		if (s->subscriber == NULL)
			continue;
		json_t *event = json_pack("{s:I, s:s, s:s, s:o, s:s}", "at_ms",
			(json_int_t)ticks_wall_ms_at(at_ns), "kind", kind, "server", name, "id",
			json_sprintf("%016" PRIx64, server_id), "text", text);
		(void)rpc_notify(s->subscriber, "event",
			event); /* a slow client is told what it missed by rpc */
	}
}

void events_drain(struct control *control)
{
	static const char *const kinds[] = {"alive", "suspect", "refuted", "dead", "left",
		"forgotten", "changed", "running", "epoch", "stand_down"};
	struct swim_event e;
	while (rte_ring_sc_dequeue_elem(control->app->events, &e, sizeof(e)) == 0)
		events_tell(control, e.at_ns, kinds[e.kind], e.record.actor.id, "%s", e.why);
	if (!control->was_ready && map_ready(control->app->map)) {
		control->was_ready = true;
		events_tell(control, ticks_now_ns(), "ready",
			view_get_reader(control->app->board)->self.id, "holds %u records",
			map_record_count(control->app->map));
	}
}

static void events(struct control *control, struct rpc_call *call, json_t *params)
{
	(void)params;
	if (subscribe(control, call) == NULL)
		rpc_error(call, RPC_TOO_MANY, "as many subscribers as there may be: %d",
			SUBSCRIBERS_MAX);
	else
		rpc_result(call, json_object());
}

void events_methods(struct control *control)
{
	control_add(control, "events", events);
}
