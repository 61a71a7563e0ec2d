#include "scene.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void on_event(
	void *context, struct sim *sim, uint32_t server, const struct swim_event *event)
{
	struct scene *s = context;
	trace_event(&s->trace, sim_now(sim) - s->began_ns, server, event);
	marks_event(&s->marks, event);
	if (s->besides.on_event != NULL)
		s->besides.on_event(s->besides.context, sim, server, event);
}

static void on_packet(
	void *context, struct sim *sim, uint32_t from, uint16_t bytes, bool membership)
{
	struct scene *s = context;
	s->besides.on_packet(s->besides.context, sim, from, bytes, membership);
}

static void on_collect(
	void *context, struct sim *sim, uint32_t server, const struct map_view *tombstone)
{
	struct scene *s = context;
	(void)sim;
	(void)server;
	invariants_collected(s->invariants, tombstone);
}

static bool after_event(void *context, struct sim *sim, uint32_t server)
{
	struct scene *s = context;
	s->broken = !invariants_check(s->invariants, sim, server, &s->violation);
	return !s->broken;
}

static bool forgets(const struct sim_config *config, const struct script *script)
{
	for (uint32_t i = 0; i < script->count; i++)
		if (script->steps[i].kind == STEP_FORGET)
			return true;
	return config->profile.forget_after_ns < 3600 * SW_NS_PER_S;
}

struct scene *scene_create(const struct sim_config *config, const struct script *script)
{
	struct scene *s = calloc(1, sizeof(*s));
	assert(s != NULL);
	s->sim = sim_create(config);
	assert(s->sim != NULL);
	s->script = script;
	s->began_ns = sim_now(s->sim);
	s->invariants = invariants_create(s->sim, forgets(sim_config(s->sim), script), &s->marks);
	return s;
}

void scene_destroy(struct scene *s)
{
	invariants_destroy(s->invariants);
	sim_destroy(s->sim);
	free(s);
}

static void observe(struct scene *s)
{
	sim_observe(s->sim, &(struct sim_observer){
				    .context = s,
				    .on_event = on_event,
				    .on_packet = s->besides.on_packet != NULL ? on_packet : NULL,
				    .on_collect = on_collect,
				    .after_event = s->unchecked ? NULL : after_event,
			    });
}

/* ---- steps ---- */

static bool in_set(const uint64_t *set, uint32_t i)
{
	return set[i / 64] >> (i % 64) & 1;
}

static void stop(struct scene *s, uint32_t i)
{
	marks_collect(&s->marks, s->sim, i);
	sim_crash(s->sim, i);
}

static void restart(struct scene *s, uint32_t i, bool amnesia)
{
	stop(s, i);
	sim_start(s->sim, i, amnesia ? 1 : 0);
}

static void write_map(struct scene *s, const struct step *step)
{
	int rc = step->kind == STEP_PUT ? sim_put(s->sim, step->server, step->key, step->value)
					: sim_del(s->sim, step->server, step->key);
	if (rc == 0)
		invariants_written(s->invariants, s->sim, step->server, step->key);
}

static void split(struct scene *s, const struct step *step)
{
	const struct sim_config *c = sim_config(s->sim);
	for (uint32_t group = 0; group * c->group_size < c->servers; group++) {
		uint64_t side[SIM_GROUP_MAX / 64] = {0};
		bool any = false;
		for (uint32_t i = 0; i < c->group_size; i++) {
			uint32_t server = group * c->group_size + i;
			bool in = step->kind == STEP_ZONE
					  ? i % c->zones == step->other
					  : server < SCRIPT_SET_MAX && in_set(step->set, server);
			side[i / 64] |= (uint64_t)in << (i % 64);
			any |= in;
		}
		if (any)
			sim_split(s->sim, group, side);
	}
}

static void network_step(struct scene *s, const struct step *step)
{
	struct sim_network *n = sim_network(s->sim);
	switch (step->kind) {
	case STEP_LOSS: n->loss_ppm = step->ppm; break;
	case STEP_DUPLICATE: n->duplicate_ppm = step->ppm; break;
	case STEP_REORDER: n->reorder_ppm = step->ppm; break;
	case STEP_CORRUPT: n->corrupt_ppm = step->ppm; break;
	case STEP_DELAY: n->delay_min_ns = step->ns; break;
	case STEP_SPREAD: n->delay_spread_ns = step->ns; break;
	case STEP_CUT:
	case STEP_MEND:
		if (sim_group_first(s->sim, step->server) == sim_group_first(s->sim, step->other))
			sim_cut(s->sim, step->server, step->other, step->kind == STEP_CUT);
		break;
	case STEP_SPLIT:
	case STEP_ZONE: split(s, step); break;
	case STEP_HEAL: sim_heal(s->sim); break;
	default: break;
	}
}

/* Steps at a server that does not run do nothing, but for those that start it. */
static void server_step(struct scene *s, const struct step *step)
{
	struct sim *sim = s->sim;
	uint32_t i = step->server;
	switch (step->kind) {
	case STEP_RESTART: restart(s, i, step->amnesia); return;
	case STEP_RESTART_ALL:
		for (uint32_t k = 0; k < sim_config(sim)->servers; k++)
			restart(s, k, false);
		return;
	case STEP_TWIN:
		stop(s, i);
		if (i < SCRIPT_SET_MAX)
			s->twinned[i / 64] |= 1ULL << (i % 64);
		if (step->other < SCRIPT_SET_MAX)
			s->twinned[step->other / 64] |= 1ULL << (step->other % 64);
		sim_start_twin(sim, i, step->other);
		return;
	default: break;
	}
	if (!sim_is_up(sim, i))
		return;
	switch (step->kind) {
	case STEP_CRASH: stop(s, i); break;
	case STEP_PAUSE:
	case STEP_RESUME: sim_pause(sim, i, step->kind == STEP_PAUSE); break;
	case STEP_BLOCK:
	case STEP_UNBLOCK: sim_block(sim, i, step->kind == STEP_BLOCK); break;
	case STEP_STARVE: sim_starve(sim, i, step->ns, step->period_ns); break;
	case STEP_CLOCK: sim_clock(sim, i, step->rate_ppm, step->ns); break;
	case STEP_LEAVE:
		invariants_may_leave(s->invariants, sim_identity(sim, i));
		sim_leave(sim, i);
		break;
	case STEP_DRAIN:
	case STEP_UNDRAIN: sim_drain(sim, i, step->kind == STEP_DRAIN); break;
	case STEP_FORGET: (void)sim_forget(sim, i, step->other); break;
	case STEP_PUT:
	case STEP_DEL: write_map(s, step); break;
	default: network_step(s, step); break;
	}
}

static bool is_networks(enum step_kind kind)
{
	return (kind >= STEP_CUT && kind <= STEP_SPREAD);
}

bool scene_check(struct scene *s)
{
	for (uint32_t i = 0; i < sim_config(s->sim)->servers && !s->broken && !s->unchecked; i++)
		s->broken = !invariants_check(s->invariants, s->sim, i, &s->violation);
	return !s->broken;
}

static bool do_step(struct scene *s, const struct step *step)
{
	char line[SCRIPT_LINE_MAX];
	if (step->kind != STEP_PUT && step->kind != STEP_DEL)
		trace_step(&s->trace, sim_now(s->sim) - s->began_ns, script_print_step(step, line));
	if (s->on_step != NULL)
		s->on_step(s->besides.context, step);
	if (is_networks(step->kind))
		network_step(s, step);
	else
		server_step(s, step);
	return scene_check(s);
}

bool scene_run(struct scene *s, uint64_t for_ns)
{
	uint64_t end_ns = sim_now(s->sim) + for_ns;
	observe(s);
	while (!s->broken && s->next_step < s->script->count) {
		const struct step *step = &s->script->steps[s->next_step];
		uint64_t at_ns = s->began_ns + step->at_ns;
		if (at_ns > end_ns)
			break;
		if (at_ns > sim_now(s->sim) && !sim_run(s->sim, at_ns - sim_now(s->sim)))
			return false;
		s->next_step++;
		if (!do_step(s, step))
			return false;
	}
	return !s->broken && sim_run(s->sim, end_ns - sim_now(s->sim));
}

void scene_shrink(struct script *script, bool (*fails)(void *context, const struct script *script),
	void *context)
{
	struct script less = {0};
	for (uint32_t chunk = script->count > 1 ? script->count / 2 : 1; chunk > 0; chunk /= 2) {
		bool dropped = true;
		while (dropped) {
			dropped = false;
			for (uint32_t first = 0; first < script->count;) {
				script_without(script, first, chunk, &less);
				if (less.count < script->count && fails(context, &less)) {
					struct script t = *script;
					*script = less;
					less = t;
					dropped = true;
				} else {
					first += chunk;
				}
			}
		}
	}
	script_fini(&less);
}
