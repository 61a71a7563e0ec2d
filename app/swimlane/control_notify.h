/* What the service manager is told (sd_notify(3)): ready once control answers and every core has
 * turned, the state in words, stopping; and the watchdog's food, only while keeper and lanes turn
 * (control_progress.h) and control's own loop does, which this runs on. Without NOTIFY_SOCKET
 * nothing is told, but a core that stands still is logged in any case. Control core.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct control;

struct notify {
	uint64_t watchdog_ns; /* a quarter of what the manager waits for; 0: no watchdog */
	uint64_t next_watchdog_ns;
	uint64_t next_status_ns;
	char status[128]; /* last told */
	bool ready;
	bool stuck; /* logged */
};

void notify_init(struct control *control);
/* After progress_tick(), with its period. */
void notify_tick(struct control *control, uint64_t now_ns);
void notify_stopping(struct control *control);
