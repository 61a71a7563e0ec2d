#include "control_notify.h"

#include <stdio.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "control.h"
#include "control_progress.h"
#include "log.h"

enum { WATCHDOG_PARTS = 4, STATUS_MS = 1000 };

void notify_init(struct control *control)
{
	uint64_t watchdog_us = 0;
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		control->notify.watchdog_ns = watchdog_us * SW_NS_PER_US / WATCHDOG_PARTS;
}

/* A manager that does not listen is no reason to stop: sd_notify()'s result is not looked at. */
static void tell_status(struct control *control, uint64_t now_ns)
{
	struct notify *n = &control->notify;
	char text[sizeof(n->status)];
	if (now_ns < n->next_status_ns)
		return;
	n->next_status_ns = now_ns + STATUS_MS * SW_NS_PER_MS;
	json_t *reasons = control_reasons(control);
	if (json_array_size(reasons) > 0) {
		(void)snprintf(
			text, sizeof(text), "%s", json_string_value(json_array_get(reasons, 0)));
	} else {
		control_online(control);
		(void)snprintf(text, sizeof(text), "ready: %u members alive",
			cluster_alive(view_get_reader(control->app->board)));
		control_offline(control);
	}
	json_decref(reasons);
	if (strcmp(text, n->status) == 0)
		return;
	memcpy(n->status, text, sizeof(text));
	(void)sd_notifyf(0, "STATUS=%s", text);
}

static bool cores_turn(struct control *control, uint64_t now_ns)
{
	struct notify *n = &control->notify;
	char who[32];
	bool well = progress_made(control, now_ns, who, sizeof(who));
	if (!well && !n->stuck)
		log_line(LOG_ERROR, "stuck: %s has not turned for %d ms%s", who, PROGRESS_STUCK_MS,
			n->watchdog_ns > 0 ? "; the watchdog is not fed" : "");
	else if (well && n->stuck)
		log_line(LOG_WARNING, "lanes and keeper turn again");
	n->stuck = !well;
	return well;
}

void notify_tick(struct control *control, uint64_t now_ns)
{
	struct notify *n = &control->notify;
	bool well = cores_turn(control, now_ns);
	tell_status(control, now_ns);
	if (!n->ready && progress_begun(control)) {
		n->ready = true;
		(void)sd_notify(0, "READY=1");
	}
	if (n->watchdog_ns > 0 && well && now_ns >= n->next_watchdog_ns) {
		n->next_watchdog_ns = now_ns + n->watchdog_ns;
		(void)sd_notify(0, "WATCHDOG=1");
	}
}

void notify_stopping(struct control *control)
{
	if (control->notify.ready)
		(void)sd_notify(0, "STOPPING=1");
}
