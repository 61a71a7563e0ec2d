#include "control_progress.h"

#include <stdio.h>

#include "control.h"

static void look(struct progress *p, const struct idle *idle, uint64_t now_ns)
{
	uint64_t loops = __atomic_load_n(&idle->loops, __ATOMIC_RELAXED);
	if (loops != p->loops || p->moved_ns == 0) {
		p->loops = loops;
		p->moved_ns = now_ns;
	}
}

void progress_tick(struct control *control, uint64_t now_ns)
{
	const struct appliance *app = control->app;
	look(&control->progress[0], &app->keeper.idle, now_ns);
	for (uint16_t i = 0; i < app->config->lane_count; i++)
		look(&control->progress[1 + i], &app->lanes[i].idle, now_ns);
}

bool progress_begun(const struct control *control)
{
	for (uint16_t i = 0; i <= control->app->config->lane_count; i++)
		if (control->progress[i].loops == 0)
			return false;
	return true;
}

bool progress_made(const struct control *control, uint64_t now_ns, char *who, size_t who_len)
{
	for (uint16_t i = 0; i <= control->app->config->lane_count; i++) {
		uint64_t moved_ns = control->progress[i].moved_ns;
		if (moved_ns == 0 || now_ns - moved_ns <= PROGRESS_STUCK_MS * SW_NS_PER_MS)
			continue;
		if (i == 0)
			(void)snprintf(who, who_len, "the keeper");
		else
			(void)snprintf(who, who_len, "lane %d", i - 1);
		return false;
	}
	return true;
}
