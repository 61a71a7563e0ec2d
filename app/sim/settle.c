/* The liveness phase: what was broken is made whole, and then convergence is waited for. */
#include <inttypes.h>
#include <string.h>

#include "scene.h"

uint64_t scene_claim_ns(const struct sim_config *config)
{
	return 10 * config->profile.probe_interval_ns + config->profile.suspicion_max_ns;
}

uint64_t scene_bound_ns(const struct sim_config *config, uint32_t unseen)
{
	uint32_t size = config->group_size > 0 ? config->group_size : config->servers;
	uint64_t found_after = unseen > 0 ? 9 * (1 + 2 * unseen) + 2 * size - 1 : 0;
	return scene_claim_ns(config) + found_after * config->profile.probe_interval_ns;
}

uint64_t scene_part_bound_ns(const struct sim_config *config)
{
	uint32_t size = config->group_size > 0 ? config->group_size : config->servers;
	uint32_t seeds = size < SIM_SEEDS ? size : SIM_SEEDS;
	return scene_claim_ns(config) + 2 * config->profile.rejoin_interval_ns * (size - 1 + seeds);
}

uint64_t scene_join_bound_ns(const struct sim_config *config)
{
	return config->profile.join_wait_ns + config->profile.probe_interval_ns;
}

uint64_t scene_maps_bound_ns(const struct sim_config *config)
{
	const struct swim_profile *p = &config->profile;
	const struct sim_network *n = &config->network;
	uint64_t resend_ns = 4 * (n->delay_min_ns + n->delay_spread_ns) + SW_NS_PER_MS;
	return 2 * 20 * resend_ns + 5 * p->join_wait_ns + 20 * 4 * p->probe_interval_ns;
}

static bool in_set(const uint64_t *set, uint32_t i)
{
	return set[i / 64] >> (i % 64) & 1;
}

static void make_whole(struct sim *sim, uint32_t i)
{
	if (!sim_is_up(sim, i))
		return;
	sim_pause(sim, i, false);
	sim_block(sim, i, false);
	sim_starve(sim, i, 0, 0);
}

static void calm_network(struct sim *sim)
{
	struct sim_network *n = sim_network(sim);
	n->loss_ppm = n->duplicate_ppm = n->reorder_ppm = n->corrupt_ppm = 0;
}

static bool takes_part(struct sim *sim, uint32_t i)
{
	return sim_is_up(sim, i) && swim_phase(sim_swim(sim, i)) <= SWIM_RUNNING;
}

/* A seed that will stay one: of two servers with its id, the other may win. */
static bool is_seed(struct sim *sim, uint32_t i)
{
	if (i >= SIM_SEEDS || swim_phase(sim_swim(sim, i)) != SWIM_RUNNING)
		return false;
	for (uint32_t k = 0; k < sim_config(sim)->group_size; k++)
		if (sim_is_up(sim, k) && (sim_identity(sim, k) == i) != (k == i))
			return false;
	return true;
}

/* Two with one id hold no record of each other: each takes that id for itself. Whom both know tells
 * them. */
static bool have_met(struct sim *sim, const uint64_t *part, uint32_t i, uint32_t k)
{
	if (i == k || sim_identity(sim, i) != sim_identity(sim, k))
		return sim_state(sim, i, k) >= 0;
	for (uint32_t m = 0; m < sim_config(sim)->group_size; m++)
		if (in_set(part, m) && takes_part(sim, m) &&
			sim_identity(sim, m) != sim_identity(sim, i) && sim_state(sim, i, m) >= 0 &&
			sim_state(sim, k, m) >= 0)
			return true;
	return false;
}

/* Nobody can find a server that it never heard of but through a seed. */
static bool part_can_meet(struct sim *sim, const uint64_t *part)
{
	uint32_t size = sim_config(sim)->group_size;
	bool met = true;
	for (uint32_t i = 0; i < size; i++) {
		if (!in_set(part, i) || !takes_part(sim, i))
			continue;
		if (is_seed(sim, i))
			return true;
		for (uint32_t k = 0; k < size; k++)
			met &= !in_set(part, k) || !takes_part(sim, k) || have_met(sim, part, i, k);
		/* Whom both have reaped, neither tries any more. */
		met &= sim_config(sim)->profile.reap_after_ns >
		       scene_part_bound_ns(sim_config(sim));
	}
	return met;
}

/* Everyone of the part holds everyone of it for alive, in this life. */
static bool part_agrees(struct sim *sim, const uint64_t *part)
{
	static struct swim_member members[SW_MEMBERS_MAX];
	uint32_t size = sim_config(sim)->group_size;
	for (uint32_t i = 0; i < size; i++) {
		if (!in_set(part, i) || !takes_part(sim, i))
			continue;
		if (swim_phase(sim_swim(sim, i)) != SWIM_RUNNING)
			return false;
		uint32_t n = swim_members(sim_swim(sim, i), members, SW_MEMBERS_MAX), alive = 0,
			 wanted = 0;
		for (uint32_t k = 0; k < n; k++) {
			uint32_t subject = (uint32_t)(members[k].record.actor.id - sim_id(0));
			alive += in_set(part, subject) && takes_part(sim, subject) &&
				 members[k].record.state == WIRE_ALIVE &&
				 members[k].record.instance == sim_instance(sim, subject);
		}
		for (uint32_t k = 0; k < size; k++)
			wanted +=
				in_set(part, k) && takes_part(sim, k) && sim_identity(sim, k) == k;
		if (alive < wanted)
			return false;
	}
	return true;
}

static bool runs_as(struct sim *sim, uint32_t identity)
{
	for (uint32_t i = 0; i < sim_config(sim)->group_size; i++)
		if (takes_part(sim, i) && sim_identity(sim, i) == identity)
			return true;
	return false;
}

static bool late(struct scene *s, const char *what, uint64_t bound_ns)
{
	uint32_t size = sim_config(s->sim)->group_size, viewer = 0, subject = 0;
	for (uint32_t i = 0; i < size; i++)
		for (uint32_t k = 0; k < size; k++)
			if (takes_part(s->sim, i) &&
				(sim_state(s->sim, i, k) == WIRE_ALIVE) != runs_as(s->sim, k)) {
				viewer = i;
				subject = k;
			}
	s->broken = true;
	s->violation.servers[0] = viewer;
	s->violation.servers[1] = subject;
	(void)snprintf(s->violation.text, sizeof(s->violation.text),
		"%s after %.3f s (such as what server %" PRIu32 " holds of %" PRIu32 ": state %d)",
		what, (double)bound_ns / 1e9, viewer, subject,
		sim_is_up(s->sim, viewer) ? sim_state(s->sim, viewer, subject) : -1);
	return false;
}

/* Who starts is no member yet, and waits for seeds. Of the members of `part`; NULL: of all. */
static bool wait_for_joins(struct scene *s, const uint64_t *part)
{
	struct sim *sim = s->sim;
	const struct sim_config *c = sim_config(sim);
	uint64_t bound_ns = scene_join_bound_ns(c), from_ns = sim_now(sim);
	for (;;) {
		bool joining = false;
		for (uint32_t i = 0; i < c->group_size; i++)
			joining |= (part == NULL || in_set(part, i)) && sim_is_up(sim, i) &&
				   swim_phase(sim_swim(sim, i)) == SWIM_JOINING;
		if (!joining)
			return true;
		if (sim_now(sim) - from_ns > bound_ns)
			return late(s, "not all that started are members", bound_ns);
		if (!scene_run(s, c->profile.probe_interval_ns / 4))
			return false;
	}
}

bool scene_settle_part(struct scene *s, const uint64_t part[SCRIPT_SET_MAX / 64])
{
	struct sim *sim = s->sim;
	const struct sim_config *c = sim_config(sim);
	uint64_t bound_ns = scene_part_bound_ns(c), slice_ns = c->profile.probe_interval_ns / 4;
	trace_step(&s->trace, sim_now(sim) - s->began_ns, "a part is made whole");
	calm_network(sim);
	for (uint32_t i = 0; i < c->group_size; i++) {
		if (!in_set(part, i))
			continue;
		for (uint32_t k = 0; k < c->group_size; k++)
			if (in_set(part, k))
				sim_cut(sim, i, k, false);
		make_whole(sim, i);
	}
	if (!scene_check(s))
		return false;
	bool can_meet = part_can_meet(sim, part);
	if (!wait_for_joins(s, part))
		return false;
	uint64_t from_ns = sim_now(sim);
	while (can_meet && !part_agrees(sim, part)) {
		if (sim_now(sim) - from_ns > bound_ns)
			return late(s, "the part that is whole does not agree", bound_ns);
		if (!scene_run(s, slice_ns))
			return false;
	}
	s->part_ns = sim_now(sim) - from_ns;
	return true;
}

/* How many that are gone somebody still holds for members: they have not been missed yet. */
static uint32_t count_unseen(struct sim *sim)
{
	uint32_t size = sim_config(sim)->group_size, unseen = 0;
	for (uint32_t k = 0; k < size; k++) {
		bool held = false;
		for (uint32_t i = 0; i < size && !runs_as(sim, k); i++) {
			int state = takes_part(sim, i) ? sim_state(sim, i, k) : -1;
			held |= state == WIRE_ALIVE || state == WIRE_SUSPECT;
		}
		unseen += held;
	}
	return unseen;
}

/* It must begin to hold within the bound, and go on holding for as long as `stays_ns`. A probe that
 * was under way when all became whole may still fail after they agreed: that counts as not yet. */
static bool wait_for(struct scene *s, bool (*agree)(struct sim *sim, uint32_t group),
	uint64_t stays_ns, uint64_t bound_ns, const char *what, uint64_t *took_ns)
{
	struct sim *sim = s->sim;
	uint64_t from_ns = sim_now(sim), since_ns = from_ns;
	uint64_t slice_ns = sim_config(sim)->profile.probe_interval_ns / 4;
	for (;;) {
		bool agreed = agree(sim, 0);
		if (agreed && sim_now(sim) - since_ns >= stays_ns)
			break;
		if (!agreed && sim_now(sim) - from_ns > bound_ns)
			return late(s, what, bound_ns);
		if (!scene_run(s, slice_ns))
			return false;
		if (!agreed)
			since_ns = sim_now(sim);
	}
	*took_ns = since_ns - from_ns;
	return true;
}

bool scene_settle(struct scene *s, const uint64_t revive[SCRIPT_SET_MAX / 64])
{
	struct sim *sim = s->sim;
	const struct sim_config *c = sim_config(sim);
	trace_step(&s->trace, sim_now(sim) - s->began_ns, "everything is made whole");
	calm_network(sim);
	sim_heal(sim);
	for (uint32_t i = 0; i < c->servers; i++) {
		make_whole(sim, i);
		if (sim_is_up(sim, i) && sim_identity(sim, i) != i) {
			marks_collect(&s->marks, sim, i);
			sim_crash(sim, i);
		}
		if (i >= SCRIPT_SET_MAX || !in_set(revive, i) ||
			(takes_part(sim, i) && !in_set(s->twinned, i)))
			continue;
		marks_collect(&s->marks, sim, i);
		sim_crash(sim, i);
		sim_start(sim, i, 0);
	}
	if (!scene_check(s))
		return false;
	if (!wait_for_joins(s, NULL))
		return false;
	s->unseen = count_unseen(sim);
	if (!wait_for(s, sim_members_agree, 10 * c->profile.probe_interval_ns,
		    scene_bound_ns(c, s->unseen),
		    "the tables of those that run are not equal and right", &s->members_ns))
		return false;
	if (c->records_max > 0 && !wait_for(s, sim_maps_agree, 0, scene_maps_bound_ns(c),
					  "the maps are not equal", &s->maps_ns))
		return false;
	for (uint32_t i = 0; i < c->servers; i++)
		marks_collect(&s->marks, sim, i);
	return true;
}
