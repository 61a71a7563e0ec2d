#include "agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/schedule.h"
#include "rendezvous/duty.h"
#include "rendezvous/eligible.h"

enum { KEY_TEXT_MAX = 32, CHECKS_PER_S_MAX = 1000, CONCURRENT_MAX = 256, JITTER_PCT = 10 };

#define NOBODY UINT32_MAX

/* An origin that is the duty of one server. */
struct work {
	struct schedule_entry scheduled; /* first: found by it */
	struct duty_state state;
	uint64_t taken_ns;
	uint32_t origin;
	uint32_t place; /* in the agent's list of those whose duty is not the owner's */
	bool told;      /* nothing needs to be written */
	bool checked;
};

/* What the control core of one server does about origins. */
struct agent {
	struct eligible eligible;
	struct rendezvous_table *table; /* origin k is its entry k */
	struct schedule schedule;
	uint64_t members_version;
	uint64_t checks;
	uint64_t late; /* of lives that are over */
	bool up;
	bool suspects; /* there are any that are to be stood in for */
	uint8_t side;
	uint32_t member_count;
	struct swim_member members[SW_MEMBERS_MAX];
	struct work **works;   /* by origin; NULL: not this server's */
	struct work **passing; /* of duties that end with somebody's write */
	uint32_t passing_count;
};

struct origin {
	char key[KEY_TEXT_MAX];
	uint64_t key_hash;
	uint64_t checked_ns[AGENT_SIDES];
	uint32_t checker;  /* the first since agents_begin() */
	uint16_t at_once;  /* servers that have it to check now */
	bool by_many;      /* others than the first checked it */
	bool looked_again; /* listed in changed[] */
};

struct agents {
	struct agents_config config;
	struct sim *sim;
	struct sw_random random;
	uint32_t servers;
	bool split;
	struct agent *agents;
	struct origin *origins;
	uint32_t *changed; /* origins of which at_once changed in this look */
	uint32_t changed_count;
	uint64_t late_before;
	struct agents_counts counts;
};

static const struct swim_member *member_of(const struct agent *a, uint64_t id)
{
	for (uint32_t i = 0; i < a->member_count; i++)
		if (a->members[i].record.actor.id == id)
			return &a->members[i];
	return NULL;
}

static bool is_suspect(const struct agent *a, uint64_t id)
{
	const struct swim_member *m = member_of(a, id);
	return m != NULL && m->record.state == WIRE_SUSPECT;
}

static struct actor actor_of(const struct agent *a, uint64_t id)
{
	const struct swim_member *m = member_of(a, id);
	return m == NULL ? (struct actor){id, 0} : m->record.actor;
}

/* The first in rank of those who are not suspect. */
static uint64_t first_well(const struct agents *all, const struct agent *a, uint32_t k)
{
	struct rendezvous_server well[SW_MEMBERS_MAX];
	uint32_t n = 0, first = 0;
	for (uint32_t i = 0; i < a->eligible.count; i++)
		if (!is_suspect(a, a->eligible.servers[i].id))
			well[n++] = a->eligible.servers[i];
	n = rendezvous_rank(all->origins[k].key_hash, well, n, &first, 1);
	return n == 0 ? 0 : well[first].id;
}

/* ---- what a server has to do ---- */

static void count_at_once(struct agents *all, uint32_t k, int by)
{
	struct origin *o = &all->origins[k];
	o->at_once = (uint16_t)(o->at_once + by);
	if (!o->looked_again)
		all->changed[all->changed_count++] = k;
	o->looked_again = true;
}

static void unlist(struct agent *a, struct work *work)
{
	struct work *last = a->passing[--a->passing_count];
	a->passing[work->place] = last;
	last->place = work->place;
	work->place = NOBODY;
}

static void list(struct agent *a, struct work *work)
{
	bool passes = work->state.duty > DUTY_OWNER;
	if (passes && work->place == NOBODY) {
		work->place = a->passing_count;
		a->passing[a->passing_count++] = work;
	} else if (!passes && work->place != NOBODY) {
		unlist(a, work);
	}
}

static void drop(struct agents *all, struct agent *a, uint32_t k)
{
	struct work *work = a->works[k];
	if (work->place != NOBODY)
		unlist(a, work);
	count_at_once(all, k, -1);
	a->works[k] = NULL;
	free(work);
}

static void take(struct agents *all, struct agent *a, uint32_t k, const struct duty_state *state)
{
	struct work *work = calloc(1, sizeof(*work));
	if (work == NULL) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	work->scheduled.interval_ms = (uint32_t)(all->config.interval_ns / SW_NS_PER_MS);
	work->scheduled.jitter_pct = JITTER_PCT;
	work->state = *state;
	work->origin = k;
	work->taken_ns = sim_now(all->sim);
	work->place = NOBODY;
	a->works[k] = work;
	(void)schedule_put(&a->schedule, &work->scheduled, sim_now(all->sim));
	count_at_once(all, k, 1);
}

static void decide(struct agents *all, uint32_t i, uint32_t k)
{
	struct agent *a = &all->agents[i];
	struct work *work = a->works[k];
	struct duty_view v = {.self_id = sim_id(i)};
	struct duty_state state = work != NULL ? work->state : (struct duty_state){0};
	struct map_view record;
	const char *key = all->origins[k].key;
	(void)rendezvous_table_read_reader(a->table, k, &v.ranks);
	bool ranked = false;
	for (uint32_t r = 0; r < v.ranks.count; r++) {
		ranked = ranked || v.ranks.ids[r] == v.self_id;
		v.suspect[r] = a->suspects && is_suspect(a, v.ranks.ids[r]);
	}
	if (duty_is_beyond(&v))
		v.beyond_id = first_well(all, a, k);
	if (work == NULL && !ranked && v.beyond_id != v.self_id)
		return; /* nothing to begin: duty.h */
	if (work != NULL && v.ranks.count > 0)
		v.owner = actor_of(a, v.ranks.ids[0]);
	if (work != NULL && map_get_reader(sim_map(all->sim, i), key, strlen(key), &record))
		v.writer = record.author.actor;
	enum duty now = duty_decide(&state, &v);
	if (work == NULL && now != DUTY_NONE) {
		take(all, a, k, &state);
	} else if (work != NULL && now == DUTY_NONE) {
		schedule_remove(&a->schedule, &work->scheduled, sim_now(all->sim));
		drop(all, a, k);
	}
	work = a->works[k];
	if (work == NULL)
		return;
	work->state = state;
	list(a, work);
	if (duty_must_claim(&state, &v))
		work->told = false;
}

/* ---- one server ---- */

static void forget_all(struct agents *all, struct agent *a)
{
	for (uint32_t k = 0; k < all->config.origins; k++)
		if (a->works[k] != NULL)
			drop(all, a, k);
}

/* An agent that starts with its server knows nothing. */
static void begin(struct agents *all, struct agent *a)
{
	eligible_init(&a->eligible, all->config.stable_ns);
	a->members_version = 0;
	a->member_count = 0;
	a->up = true;
	(void)rendezvous_table_servers(a->table, NULL, 0);
	schedule_init(&a->schedule, sw_random_u64(&all->random));
	schedule_limits(&a->schedule, CHECKS_PER_S_MAX, CONCURRENT_MAX);
}

static void end(struct agents *all, struct agent *a)
{
	a->up = false;
	forget_all(all, a);
	a->late += a->schedule.counters.late;
	schedule_fini(&a->schedule);
	a->schedule = (struct schedule){0};
}

/* Who is here: true if anything changed. */
static bool follow_members(struct agents *all, uint32_t i)
{
	struct agent *a = &all->agents[i];
	struct swim *swim = sim_swim(all->sim, i);
	uint64_t now_ns = sim_now(all->sim), version = swim_version(swim);
	if (version == a->members_version && now_ns < a->eligible.next_ns)
		return false;
	a->members_version = version;
	a->member_count = swim_members(swim, a->members, SW_MEMBERS_MAX);
	a->suspects = false;
	for (uint32_t k = 0; k < a->member_count && !all->config.no_stand_in; k++)
		a->suspects = a->suspects || a->members[k].record.state == WIRE_SUSPECT;
	eligible_begin(&a->eligible, now_ns, swim_was_remembered(swim));
	for (uint32_t k = 0; k < a->member_count && swim_phase(swim) == SWIM_RUNNING; k++)
		eligible_add(&a->eligible, &a->members[k].record, a->members[k].self);
	(void)rendezvous_table_servers(a->table, a->eligible.servers, a->eligible.count);
	return true;
}

static void count_check(struct agents *all, struct agent *a, struct origin *o, uint32_t server)
{
	uint64_t now_ns = sim_now(all->sim);
	for (uint32_t side = 0; side < AGENT_SIDES; side++) {
		if (all->split && side != a->side)
			continue;
		all->counts.gap_ns = sw_max_u64(all->counts.gap_ns, now_ns - o->checked_ns[side]);
		o->checked_ns[side] = now_ns;
	}
	if (o->checker == NOBODY)
		o->checker = server;
	o->by_many = o->by_many || o->checker != server;
	all->counts.checks++;
	a->checks++;
}

static void check(struct agents *all, uint32_t i, struct work *work)
{
	struct origin *o = &all->origins[work->origin];
	count_check(all, &all->agents[i], o, i);
	all->counts.beside += work->state.duty != DUTY_OWNER;
	if (!work->checked)
		all->counts.first_wait_ns =
			sw_max_u64(all->counts.first_wait_ns, sim_now(all->sim) - work->taken_ns);
	work->checked = true;
	if (!work->told)
		work->told = sim_put(all->sim, i, o->key, "up") == 0;
}

static void look(struct agents *all, uint32_t i)
{
	struct agent *a = &all->agents[i];
	struct schedule_entry *next;
	if (!sim_is_up(all->sim, i)) {
		if (a->up)
			end(all, a);
		return;
	}
	if (!sim_is_healthy(all->sim, i))
		return;
	if (!a->up)
		begin(all, a);
	if (follow_members(all, i))
		for (uint32_t k = 0; k < all->config.origins; k++)
			decide(all, i, k);
	/* A write matters at once to who waits for it, and to an owner at its next check.
	 * Backwards: the place of one that is done with is taken by the last, which was looked at.
	 */
	for (uint32_t p = a->passing_count; p > 0; p--)
		decide(all, i, a->passing[p - 1]->origin);
	while ((next = schedule_start(&a->schedule, sim_now(all->sim))) != NULL) {
		uint32_t k = ((struct work *)next)->origin;
		if (a->works[k]->state.duty == DUTY_OWNER)
			decide(all, i, k);
		if (a->works[k] == NULL)
			continue; /* taken out by that */
		check(all, i, a->works[k]);
		schedule_end(&a->schedule, next, sim_now(all->sim));
	}
}

void agents_look(struct agents *all)
{
	for (uint32_t i = 0; i < all->servers; i++)
		look(all, i);
	for (uint32_t c = 0; c < all->changed_count; c++) {
		struct origin *o = &all->origins[all->changed[c]];
		if (o->at_once > all->counts.at_once_max)
			all->counts.at_once_max = o->at_once;
		o->looked_again = false;
	}
	all->changed_count = 0;
}

/* ---- all of them ---- */

void agents_split(struct agents *all, const uint64_t side[SIM_GROUP_MAX / 64])
{
	all->split = side != NULL;
	for (uint32_t i = 0; i < all->servers && side != NULL; i++)
		all->agents[i].side = side[i / 64] >> i % 64 & 1;
}

static uint64_t late_of(const struct agents *all)
{
	uint64_t late = 0;
	for (uint32_t i = 0; i < all->servers; i++)
		late += all->agents[i].late + all->agents[i].schedule.counters.late;
	return late;
}

void agents_begin(struct agents *all)
{
	all->counts = (struct agents_counts){0};
	all->late_before = late_of(all);
	for (uint32_t i = 0; i < all->servers; i++)
		all->agents[i].checks = 0;
	for (uint32_t k = 0; k < all->config.origins; k++) {
		struct origin *o = &all->origins[k];
		o->checker = NOBODY;
		o->by_many = false;
		if (o->at_once > all->counts.at_once_max)
			all->counts.at_once_max = o->at_once;
	}
}

void agents_counts(const struct agents *all, struct agents_counts *counts)
{
	uint64_t now_ns = sim_now(all->sim);
	*counts = all->counts;
	counts->late = late_of(all) - all->late_before;
	for (uint32_t i = 0; i < all->servers; i++)
		counts->busiest = sw_max_u64(counts->busiest, all->agents[i].checks);
	for (uint32_t k = 0; k < all->config.origins; k++) {
		const struct origin *o = &all->origins[k];
		counts->by_none += o->checker == NOBODY;
		counts->by_one += o->checker != NOBODY && !o->by_many;
		/* What is still unchecked counts too. */
		for (uint32_t side = 0; side < AGENT_SIDES; side++)
			counts->gap_ns = sw_max_u64(counts->gap_ns, now_ns - o->checked_ns[side]);
	}
}

static bool create_agent(struct agents *all, struct agent *a)
{
	uint32_t n = all->config.origins, entry = 0;
	a->works = calloc(n, sizeof(struct work *));
	a->passing = calloc(n, sizeof(struct work *));
	if (a->works == NULL || a->passing == NULL ||
		rendezvous_table_create(n, NULL, NULL, &a->table) < 0)
		return false;
	for (uint32_t k = 0; k < n; k++)
		if (rendezvous_table_register(a->table, all->origins[k].key_hash, k, &entry) < 0 ||
			entry != k)
			return false;
	return true;
}

struct agents *agents_create(struct sim *sim, const struct agents_config *config)
{
	struct agents *all = calloc(1, sizeof(*all));
	if (all == NULL)
		return NULL;
	all->config = *config;
	all->sim = sim;
	all->servers = sim_config(sim)->servers;
	all->random = sw_random_seed(config->seed);
	all->agents = calloc(all->servers, sizeof(all->agents[0]));
	all->origins = calloc(config->origins, sizeof(all->origins[0]));
	all->changed = calloc(config->origins, sizeof(all->changed[0]));
	bool ok = all->agents != NULL && all->origins != NULL && all->changed != NULL;
	for (uint32_t k = 0; ok && k < config->origins; k++) {
		struct origin *o = &all->origins[k];
		(void)snprintf(o->key, sizeof(o->key), "health/o%u", k);
		o->key_hash = rendezvous_key_hash(5, o->key, strlen(o->key));
		for (uint32_t side = 0; side < AGENT_SIDES; side++)
			o->checked_ns[side] = sim_now(sim);
	}
	for (uint32_t i = 0; ok && i < all->servers; i++)
		ok = create_agent(all, &all->agents[i]);
	if (ok) {
		agents_begin(all);
		return all;
	}
	agents_destroy(all);
	return NULL;
}

void agents_destroy(struct agents *all)
{
	if (all == NULL)
		return;
	for (uint32_t i = 0; i < all->servers && all->agents != NULL; i++) {
		struct agent *a = &all->agents[i];
		for (uint32_t k = 0; k < all->config.origins && a->works != NULL; k++)
			free(a->works[k]);
		free(a->works);
		free(a->passing);
		rendezvous_table_destroy(a->table);
		schedule_fini(&a->schedule);
	}
	free(all->agents);
	free(all->origins);
	free(all->changed);
	free(all);
}
