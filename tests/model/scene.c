#include "scene.h"

#include "internal.h"

static const uint64_t PAUSE_NS = 5 * SW_NS_PER_S;

/* What it sends goes nowhere yet. */
static void drop_output(struct swim *w)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_endpoint to;
	uint64_t to_id;
	struct sw_writer out = sw_writer_init(bytes, sizeof(bytes));
	while (swim_output(w, NOW_NS, &out, &to_id, &to))
		out = sw_writer_init(bytes, sizeof(bytes));
}

static uint8_t state_after_pause(bool suspect)
{
	struct state s;
	struct budget none = {0};
	cluster_start(&s, true, &none);
	if (suspect)
		s.nodes[0].views[2].rec.state = WIRE_SUSPECT;
	cluster_load(&s, 0, NOW_NS);
	struct swim *w = cluster_machine(0);
	swim_tick(w, NOW_NS);
	drop_output(w);
	swim_tick(w, NOW_NS + PAUSE_NS);
	uint8_t worst = WIRE_ALIVE;
	for (uint32_t i = 0; i < w->member_count; i++)
		if (w->members[i].record.state > worst)
			worst = w->members[i].record.state;
	return worst;
}

const char *scene_pause(void)
{
	cluster_init();
	uint8_t probed = state_after_pause(false), suspected = state_after_pause(true);
	cluster_fini();
	if (probed != WIRE_ALIVE)
		return "who did not run accuses nobody";
	if (suspected != WIRE_SUSPECT)
		return "a suspicion does not run out while nobody hears the answers";
	return NULL;
}
