#include "handover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "health/schedule.h"
#include "rendezvous/duty.h"
#include "rendezvous/eligible.h"

enum { KEY_TEXT_MAX = 32, CHECKS_PER_S_MAX = 1000, CONCURRENT_MAX = 256, JITTER_PCT = 10 };

const struct handover_plan handover_plan_64 = {
	.profile = &swim_profile_lan,
	.servers = 64,
	.origins = 512,
	.events = 20,
	.interval_ns = SW_NS_PER_S,
	.stable_ns = 2 * SW_NS_PER_S,
	.link_ns = 50 * SW_NS_PER_US,
	.seed = 1,
};

const struct handover_plan handover_plan_50k = {
	.profile = &swim_profile_lan,
	.servers = 64,
	.origins = 50000,
	.events = 1,
	.interval_ns = 10 * SW_NS_PER_S,
	.stable_ns = 10 * SW_NS_PER_S,
	.link_ns = 50 * SW_NS_PER_US,
	.step_ns = 10 * SW_NS_PER_MS,
	.seed = 1,
};

struct work {
	struct schedule_entry scheduled; /* first: found by it */
	struct duty_state state;
	uint32_t entry; /* in the ownership table */
	bool told;      /* nothing needs to be written */
};

/* What the control core of one server does about origins. */
struct agent {
	struct eligible eligible;
	struct rendezvous_table *table;
	struct schedule schedule;
	uint64_t members_version;
	uint64_t checks; /* of this scene */
	uint64_t late;   /* of lives that are over */
	bool up;
	uint32_t suspects;
	uint64_t suspect_ids[SW_MEMBERS_MAX];
	struct work *works; /* by origin */
};

struct origin {
	char key[KEY_TEXT_MAX];
	uint64_t key_hash, checked_ns;
};

struct world {
	const struct handover_plan *plan;
	struct handover_result *result;
	enum handover_scene scene;
	struct cluster cluster;
	struct sim *sim;
	struct sw_random random;
	struct agent *agents;
	struct origin *origins;
	uint32_t *at_once; /* by origin, of this step */
	uint64_t gap_ns;   /* the longest of this event */
};

static bool is_suspect(const struct agent *a, uint64_t id)
{
	for (uint32_t i = 0; i < a->suspects; i++)
		if (a->suspect_ids[i] == id)
			return true;
	return false;
}

/* An agent that starts with its server knows nothing. */
static void begin_agent(struct world *w, struct agent *a)
{
	eligible_init(&a->eligible, w->plan->stable_ns);
	a->members_version = 0;
	a->suspects = 0;
	a->up = true;
	(void)rendezvous_table_servers(a->table, NULL, 0);
	a->late += a->schedule.counters.late;
	schedule_fini(&a->schedule);
	schedule_init(&a->schedule, sw_random_u64(&w->random));
	schedule_limits(&a->schedule, CHECKS_PER_S_MAX, CONCURRENT_MAX);
	for (uint32_t k = 0; k < w->plan->origins; k++) {
		uint32_t entry = a->works[k].entry;
		a->works[k] = (struct work){.entry = entry};
	}
}

/* Who is here: true if anything changed. */
static bool follow_members(struct world *w, uint32_t i)
{
	static struct swim_member members[SW_MEMBERS_MAX];
	struct agent *a = &w->agents[i];
	struct swim *swim = sim_swim(w->sim, i);
	uint64_t now_ns = sim_now(w->sim), version = swim_version(swim);
	if (version == a->members_version && now_ns < a->eligible.next_ns)
		return false;
	a->members_version = version;
	a->suspects = 0;
	uint32_t count = swim_members(swim, members, SW_MEMBERS_MAX);
	eligible_begin(&a->eligible, now_ns, swim_was_remembered(swim));
	for (uint32_t k = 0; k < count && swim_phase(swim) == SWIM_RUNNING; k++) {
		eligible_add(&a->eligible, &members[k].record, members[k].self);
		if (members[k].record.state == WIRE_SUSPECT)
			a->suspect_ids[a->suspects++] = members[k].record.actor.id;
	}
	(void)rendezvous_table_servers(a->table, a->eligible.servers, a->eligible.count);
	return true;
}

static struct actor actor_of(struct sim *sim, uint32_t viewer, uint64_t id)
{
	static struct swim_member members[SW_MEMBERS_MAX];
	uint32_t count = swim_members(sim_swim(sim, viewer), members, SW_MEMBERS_MAX);
	for (uint32_t k = 0; k < count; k++)
		if (members[k].record.actor.id == id)
			return members[k].record.actor;
	return (struct actor){id, 0};
}

static void decide(struct world *w, uint32_t i, uint32_t k)
{
	struct agent *a = &w->agents[i];
	struct work *work = &a->works[k];
	struct duty_view v = {.self_id = swim_self(sim_swim(w->sim, i)).id};
	struct map_view record;
	enum duty before = work->state.duty;
	(void)rendezvous_table_read_reader(a->table, work->entry, &v.ranks);
	for (uint32_t r = 0; r < v.ranks.count; r++)
		v.suspect[r] = !w->plan->no_stand_in && is_suspect(a, v.ranks.ids[r]);
	const char *key = w->origins[k].key;
	if (before != DUTY_NONE && v.ranks.count > 0)
		v.owner = actor_of(w->sim, i, v.ranks.ids[0]);
	if (before != DUTY_NONE && map_get_reader(sim_map(w->sim, i), key, strlen(key), &record))
		v.writer = record.author.actor;
	enum duty now = duty_decide(&work->state, &v);
	if (before == DUTY_NONE && now != DUTY_NONE) {
		work->scheduled = (struct schedule_entry){
			.interval_ms = (uint32_t)(w->plan->interval_ns / SW_NS_PER_MS),
			.jitter_pct = JITTER_PCT};
		work->told = false;
		(void)schedule_put(&a->schedule, &work->scheduled, sim_now(w->sim));
	} else if (before != DUTY_NONE && now == DUTY_NONE) {
		schedule_remove(&a->schedule, &work->scheduled, sim_now(w->sim));
	}
	if (duty_must_claim(&work->state, &v))
		work->told = false;
}

static void check(struct world *w, uint32_t i, uint32_t k)
{
	struct work *work = &w->agents[i].works[k];
	struct origin *o = &w->origins[k];
	uint64_t now_ns = sim_now(w->sim);
	uint64_t gap_ns = now_ns - o->checked_ns;
	w->gap_ns = sw_max_u64(w->gap_ns, gap_ns);
	o->checked_ns = now_ns;
	w->result->checks[w->scene]++;
	w->agents[i].checks++;
	w->result->beside[w->scene] += work->state.duty != DUTY_OWNER;
	if (!work->told)
		work->told = sim_put(w->sim, i, o->key, "up") == 0;
}

static void run_agent(struct world *w, uint32_t i)
{
	struct agent *a = &w->agents[i];
	if (!sim_is_up(w->sim, i)) {
		a->up = false;
		return;
	}
	if (!sim_is_healthy(w->sim, i))
		return;
	if (!a->up)
		begin_agent(w, a);
	bool changed = follow_members(w, i);
	for (uint32_t k = 0; k < w->plan->origins; k++) {
		struct work *work = &a->works[k];
		/* A write matters at once to who waits for it, and to an owner at its next check.
		 */
		if (changed || work->state.duty > DUTY_OWNER)
			decide(w, i, k);
		w->at_once[k] += work->state.duty != DUTY_NONE;
	}
	struct schedule_entry *next;
	while ((next = schedule_start(&a->schedule, sim_now(w->sim))) != NULL) {
		uint32_t k = (uint32_t)((struct work *)next - a->works);
		if (a->works[k].state.duty == DUTY_OWNER)
			decide(w, i, k);
		if (a->works[k].state.duty == DUTY_NONE)
			continue; /* taken out by that */
		check(w, i, k);
		schedule_end(&a->schedule, next, sim_now(w->sim));
	}
}

static void run(struct world *w, uint64_t for_ns)
{
	uint32_t *most = &w->result->at_once_max[w->scene];
	uint64_t step_ns = w->plan->step_ns > 0 ? w->plan->step_ns : SW_NS_PER_MS;
	for (uint64_t ns = 0; ns < for_ns; ns += step_ns) {
		sim_run(w->sim, step_ns);
		memset(w->at_once, 0, w->plan->origins * sizeof(w->at_once[0]));
		for (uint32_t i = 0; i < w->plan->servers; i++)
			run_agent(w, i);
		for (uint32_t k = 0; k < w->plan->origins; k++)
			*most = w->at_once[k] > *most ? w->at_once[k] : *most;
	}
	/* What is still unchecked counts too. */
	for (uint32_t k = 0; k < w->plan->origins; k++)
		w->gap_ns = sw_max_u64(w->gap_ns, sim_now(w->sim) - w->origins[k].checked_ns);
}

static void one_event(struct world *w)
{
	const struct swim_profile *p = w->plan->profile;
	uint64_t long_ns = p->suspicion_max_ns + 4 * w->plan->interval_ns + SW_NS_PER_S;
	uint32_t who = (uint32_t)sw_random_below(&w->random, w->plan->servers);
	uint64_t side[SIM_GROUP_MAX / 64] = {0};
	run(w, sw_random_below(&w->random, w->plan->interval_ns));
	w->gap_ns = 0;
	switch (w->scene) {
	case HANDOVER_CRASH: sim_crash(w->sim, who); break;
	case HANDOVER_DRAIN: sim_drain(w->sim, who, true); break;
	case HANDOVER_PAUSE:
		sim_pause(w->sim, who, true);
		run(w, p->suspicion_max_ns / 2);
		break;
	default:
		for (uint32_t i = 0; i < w->plan->servers; i += 2)
			side[i / 64] |= 1ULL << i % 64;
		sim_split(w->sim, 0, side);
	}
	if (w->scene != HANDOVER_PAUSE)
		run(w, long_ns);
	switch (w->scene) {
	case HANDOVER_CRASH: sim_start(w->sim, who, 0); break;
	case HANDOVER_DRAIN: sim_drain(w->sim, who, false); break;
	case HANDOVER_PAUSE: sim_pause(w->sim, who, false); break;
	default: sim_heal(w->sim);
	}
	run(w, long_ns + w->plan->stable_ns + p->join_wait_ns);
	samples_add(&w->result->gap_ms[w->scene], (double)w->gap_ns / SW_NS_PER_MS);
}

static bool prepare(struct world *w)
{
	const struct handover_plan *plan = w->plan;
	bool ok = true;
	w->agents = calloc(plan->servers, sizeof(w->agents[0]));
	w->origins = calloc(plan->origins, sizeof(w->origins[0]));
	w->at_once = calloc(plan->origins, sizeof(w->at_once[0]));
	for (uint32_t k = 0; k < plan->origins; k++) {
		struct origin *o = &w->origins[k];
		(void)snprintf(o->key, sizeof(o->key), "health/o%u", k);
		o->key_hash = rendezvous_key_hash(5, o->key, strlen(o->key));
		o->checked_ns = sim_now(w->sim);
	}
	for (uint32_t i = 0; i < plan->servers && ok; i++) {
		struct agent *a = &w->agents[i];
		a->works = calloc(plan->origins, sizeof(a->works[0]));
		ok = rendezvous_table_create(plan->origins, NULL, NULL, &a->table) == 0;
		for (uint32_t k = 0; k < plan->origins && ok; k++)
			ok = rendezvous_table_register(
				     a->table, w->origins[k].key_hash, k, &a->works[k].entry) == 0;
	}
	return ok;
}

static void destroy(struct world *w)
{
	for (uint32_t i = 0; i < w->plan->servers && w->agents != NULL; i++) {
		rendezvous_table_destroy(w->agents[i].table);
		schedule_fini(&w->agents[i].schedule);
		free(w->agents[i].works);
	}
	free(w->agents);
	free(w->origins);
	free(w->at_once);
	cluster_destroy(&w->cluster);
}

static uint64_t late_of(const struct world *w)
{
	uint64_t late = 0;
	for (uint32_t i = 0; i < w->plan->servers; i++)
		late += w->agents[i].late + w->agents[i].schedule.counters.late;
	return late;
}

static void run_scene(struct world *w, void (*progress)(void *context), void *context)
{
	struct handover_result *r = w->result;
	uint64_t began_ns = sim_now(w->sim), late = late_of(w), most = 0;
	r->at_once_max[w->scene] = 0;
	r->checks[w->scene] = r->beside[w->scene] = 0;
	for (uint32_t i = 0; i < w->plan->servers; i++)
		w->agents[i].checks = 0;
	for (uint32_t i = 0; i < w->plan->events; i++) {
		one_event(w);
		if (progress != NULL)
			progress(context);
	}
	for (uint32_t i = 0; i < w->plan->servers; i++)
		most = sw_max_u64(most, w->agents[i].checks);
	r->late[w->scene] = late_of(w) - late;
	r->busiest[w->scene] = (double)most * SW_NS_PER_S / (double)(sim_now(w->sim) - began_ns);
}

void handover_run(const struct handover_plan *plan, struct handover_result *r,
	void (*progress)(void *context), void *context)
{
	struct world w = {.plan = plan, .result = r, .random = sw_random_seed(plan->seed)};
	struct cluster_config cc = {.servers = plan->servers,
		.seed = plan->seed,
		.profile = *plan->profile,
		.features = swim_features_all,
		.link_ns = plan->link_ns,
		.records_max = plan->origins + 64};
	*r = (struct handover_result){
		.bound_ms = (double)(plan->interval_ns + plan->profile->suspicion_max_ns) /
				    SW_NS_PER_MS +
			    100};
	r->failed = !cluster_create(&w.cluster, &cc);
	if (r->failed)
		return;
	w.sim = w.cluster.sim;
	r->failed = !prepare(&w);
	if (!r->failed) {
		/* Whoever is alone at first owns everything: all agents begin together, and settle.
		 */
		run(&w, plan->stable_ns + 2 * plan->interval_ns);
		for (w.scene = 0; w.scene < HANDOVER_SCENES; w.scene++)
			run_scene(&w, progress, context);
	}
	destroy(&w);
}

const char *handover_scene_name(enum handover_scene scene)
{
	static const char *const names[] = {"crash", "drain", "pause", "partition"};
	return names[scene];
}

void handover_print(const struct handover_plan *plan, struct handover_result *r)
{
	printf("%u servers, %u origins every %.0f ms, suspicion of %.0f ms: at most %.0f ms "
	       "unchecked%s\n",
		plan->servers, plan->origins, (double)plan->interval_ns / SW_NS_PER_MS,
		(double)plan->profile->suspicion_max_ns / SW_NS_PER_MS, r->bound_ms,
		r->failed ? "; the servers did not find each other" : "");
	printf("%-10s %7s %21s %9s %9s %18s %15s %8s %17s\n", "scene", "events",
		"unchecked, ms: median", "99 %", "longest", "beside the owner", "servers at once",
		"late", "busiest, checks/s");
	for (enum handover_scene s = 0; s < HANDOVER_SCENES; s++)
		printf("%-10s %7u %21.0f %9.0f %9.0f %16.2f %% %15u %6.2f %% %17.1f\n",
			handover_scene_name(s), r->gap_ms[s].count,
			samples_quantile(&r->gap_ms[s], 0.5), samples_quantile(&r->gap_ms[s], 0.99),
			samples_quantile(&r->gap_ms[s], 1),
			r->checks[s] > 0 ? 100.0 * (double)r->beside[s] / (double)r->checks[s] : 0,
			r->at_once_max[s],
			r->checks[s] > 0 ? 100.0 * (double)r->late[s] / (double)r->checks[s] : 0,
			r->busiest[s]);
}

void handover_free(struct handover_result *r)
{
	for (enum handover_scene s = 0; s < HANDOVER_SCENES; s++)
		samples_free(&r->gap_ms[s]);
}
