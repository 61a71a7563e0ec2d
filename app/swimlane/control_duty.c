/* Which origins this server checks now, and why: it owns them, stands in for a suspect, or hands
 * over. lib/rendezvous/duty.h decides; here its answers are carried out and counted. */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "ticks.h"

enum { BUCKETS = 1 << 14, SCAN_BUCKETS = 32, LOOK_SLICE_US = 500 };

struct assigned {
	struct assigned *next;
	uint64_t key_hash;
	struct dot dot; /* of the definition that is checked */
	struct duty_state state;
	uint64_t turn; /* the last round that found it in the map */
	uint64_t done; /* checks that are counted already */
	char name[HEALTH_NAME_MAX + 1];
};

struct duty_counts {
	uint64_t now, begun, checks;
};

struct duties {
	uint64_t turn;
	uint64_t missed_seen; /* changes of the map that did not come to duties_written() */
	/* The round that is under way: from bucket `until` to the last one, then from the first. */
	bool looking, wrapped, missed;
	uint32_t cursor, until;
	struct duty_counts counts[DUTY_COUNT];
	struct assigned *buckets[BUCKETS];
};

/* One piece of a round through the map. */
struct look {
	struct control *control;
	const struct members_view *view;
	bool missed; /* a write may have been missed that an owner must claim */
	uint32_t suspects;
	uint64_t suspect_ids[SW_MEMBERS_MAX];
	bool asked_well; /* those below are there */
	uint32_t well_count;
	struct rendezvous_server well[SW_MEMBERS_MAX]; /* who may own keys and is not suspect */
};

int duties_init(struct control *control)
{
	control->duties = calloc(1, sizeof(*control->duties));
	return control->duties == NULL ? -ENOMEM : 0;
}

void duties_fini(struct control *control)
{
	for (uint32_t i = 0; control->duties != NULL && i < BUCKETS; i++)
		for (struct assigned *a = control->duties->buckets[i], *next; a != NULL; a = next) {
			next = a->next;
			free(a);
		}
	free(control->duties);
	control->duties = NULL;
}

static struct assigned **find(const struct control *control, uint64_t key_hash)
{
	struct assigned **at = &control->duties->buckets[key_hash % BUCKETS];
	while (*at != NULL && (*at)->key_hash != key_hash)
		at = &(*at)->next;
	return at;
}

static uint64_t hash_of_name(const struct control *control, const char *name)
{
	char key[sizeof("origin/") + HEALTH_NAME_MAX];
	int len = snprintf(key, sizeof(key), "origin/%s", name);
	return rendezvous_key_hash(control->app->cluster_seed, key, (size_t)len);
}

enum duty duties_of(const struct control *control, const char *name)
{
	struct assigned *a = NULL;
	if (control->duties != NULL)
		a = *find(control, hash_of_name(control, name));
	return a == NULL ? DUTY_NONE : a->state.duty;
}

static void begin_look(struct look *look, struct control *control)
{
	look->control = control;
	look->view = view_get_reader(control->app->board);
	look->missed = false;
	look->asked_well = false;
	look->suspects = 0;
	for (uint32_t i = 0; i < look->view->count; i++)
		if (look->view->members[i].record.state == WIRE_SUSPECT)
			look->suspect_ids[look->suspects++] =
				look->view->members[i].record.actor.id;
}

static bool is_suspect(const struct look *look, uint64_t id)
{
	for (uint32_t i = 0; i < look->suspects; i++)
		if (look->suspect_ids[i] == id)
			return true;
	return false;
}

static struct actor actor_of(const struct look *look, uint64_t id)
{
	const struct swim_member *m = view_find(look->view, id);
	return m == NULL ? (struct actor){id, 0} : m->record.actor;
}

/* The first in rank of those who are not suspect. Any order of the first two zones will do: whoever
 * sees the same asks for the same. */
static uint64_t first_well(struct look *look, uint64_t key_hash)
{
	const struct ownership *ownership = look->control->app->keeper.ownership;
	uint32_t first = 0, n;
	if (!look->asked_well) {
		n = ownership_servers_reader(ownership, look->well);
		look->well_count = 0;
		for (uint32_t i = 0; i < n; i++)
			if (!is_suspect(look, look->well[i].id))
				look->well[look->well_count++] = look->well[i];
		look->asked_well = true;
	}
	n = rendezvous_rank(key_hash, look->well, look->well_count, &first, 1);
	return n == 0 ? 0 : look->well[first].id;
}

/* What duty_decide() asks for. The verdict is looked up only where the answer can depend on it:
 * when this server did the work and is not, or has just become, the owner; or missed something. */
static void ask(struct look *look, uint64_t key_hash, const char *name,
	const struct duty_state *before, struct duty_view *v)
{
	struct health_verdict verdict;
	struct map_view record;
	*v = (struct duty_view){.self_id = look->view->self.id};
	if (!ownership_read_reader(look->control->app->keeper.ownership, key_hash, &v->ranks))
		v->ranks.count = 0;
	for (uint32_t i = 0; i < v->ranks.count; i++)
		v->suspect[i] = is_suspect(look, v->ranks.ids[i]);
	if (duty_is_beyond(v))
		v->beyond_id = first_well(look, key_hash);
	bool owns = v->ranks.count > 0 && v->ranks.ids[0] == v->self_id;
	if (before->duty == DUTY_NONE || (owns && before->duty == DUTY_OWNER && !look->missed))
		return;
	if (v->ranks.count > 0)
		v->owner = actor_of(look, v->ranks.ids[0]);
	if (origins_verdict(look->control, name, &verdict, &record))
		v->writer = record.author.actor;
}

/* Checks that were done under the duty that ends. */
static void count_checks(const struct control *control, struct assigned *a)
{
	uint64_t done = health_checker_done(control->checker, a->name);
	control->duties->counts[a->state.duty].checks += done - a->done;
	a->done = done;
}

static void drop(struct control *control, struct assigned **at)
{
	struct assigned *a = *at;
	count_checks(control, a);
	control->duties->counts[a->state.duty].now--;
	(void)health_checker_remove(control->checker, a->name);
	*at = a->next;
	free(a);
}

static void begin_duty(struct control *control, struct assigned *a, const struct duty_state *state)
{
	struct duty_counts *counts = control->duties->counts;
	if (a->state.duty != state->duty) {
		count_checks(control, a);
		counts[a->state.duty].now--;
		counts[state->duty].now++;
		counts[state->duty].begun++;
	}
	a->state = *state;
}

static void tell_taken(struct control *control, const struct assigned *a, uint64_t from_id)
{
	uint64_t self = view_get_reader(control->app->board)->self.id;
	char from[64];
	if (from_id == self || a->state.duty == DUTY_HAND_OVER)
		return;
	events_tell(control, ticks_now_ns(),
		a->state.duty == DUTY_OWNER ? "taken_over" : "standing_in", self, "%s %s %s",
		a->name, a->state.duty == DUTY_OWNER ? "from" : "for",
		server_name(control, from_id, from));
}

static bool parse(const struct assigned *a, const struct map_view *v, struct health_origin *origin)
{
	char error[256] = "not JSON";
	json_t *json = json_loadb((const char *)v->value, v->value_len, 0, NULL);
	int rc = json == NULL
			 ? -EINVAL
			 : health_origin_from_json(a->name, json, origin, error, sizeof(error));
	json_decref(json);
	if (rc < 0)
		log_line(LOG_WARNING, "origin %s is not checked: %s", a->name, error);
	return rc == 0;
}

/* Starts the checks, or changes their definition. */
static void take(struct control *control, struct assigned *a, const struct map_view *v, bool known)
{
	struct health_origin origin;
	struct health_verdict verdict;
	struct map_view last;
	a->dot = v->dot;
	if (!parse(a, v, &origin))
		return;
	bool has_last = origins_verdict(control, a->name, &verdict, &last);
	if (health_checker_put(control->checker, &origin, has_last ? &verdict : NULL) < 0)
		log_line(LOG_ERROR, "origin %s is not checked: no memory", a->name);
	else if (!known && has_last)
		tell_taken(control, a, last.author.actor.id);
}

static struct assigned *add(struct control *control, uint64_t key_hash, const char *name)
{
	struct assigned *a = calloc(1, sizeof(*a));
	if (a == NULL) {
		log_line(LOG_ERROR, "origin %s is not checked: no memory", name);
		return NULL;
	}
	struct assigned **bucket = find(control, key_hash);
	a->key_hash = key_hash;
	memcpy(a->name, name, strlen(name) + 1);
	a->next = *bucket;
	*bucket = a;
	control->duties->counts[DUTY_NONE].now++;
	return a;
}

static void visit(void *context, const struct map_view *v)
{
	struct look *look = context;
	struct control *control = look->control;
	struct duty_state state = {0};
	struct duty_view view;
	char name[HEALTH_NAME_MAX + 1];
	if (!origins_name(v, name))
		return;
	struct assigned **at = find(control, v->key_hash), *a = *at;
	if (a != NULL)
		state = a->state;
	ask(look, v->key_hash, name, &state, &view);
	if (duty_decide(&state, &view) == DUTY_NONE) {
		if (a != NULL)
			drop(control, at);
		return;
	}
	bool known = a != NULL;
	if (!known)
		a = add(control, v->key_hash, name);
	if (a == NULL)
		return;
	bool inherits = a->state.duty == DUTY_STAND_IN && state.duty == DUTY_OWNER;
	uint64_t from_id = a->state.owner_id;
	begin_duty(control, a, &state);
	a->turn = control->duties->turn;
	if (!known || !dot_equal(a->dot, v->dot))
		take(control, a, v, known);
	if (inherits)
		tell_taken(control, a, from_id);
	if (duty_must_claim(&state, &view))
		(void)health_checker_tell(control->checker, name);
}

void duties_want(struct control *control)
{
	struct duties *d = control->duties;
	uint64_t missed = control->app->keeper.counters.changes_missed;
	d->missed |= missed != d->missed_seen;
	d->missed_seen = missed;
	d->turn++;
	d->until = d->cursor;
	d->wrapped = false;
	d->looking = true;
}

static void look_on(struct duties *d, struct look *look)
{
	uint32_t buckets = SCAN_BUCKETS;
	if (d->wrapped && d->until - d->cursor < buckets)
		buckets = d->until - d->cursor;
	if (map_scan_reader(look->control->app->map, &d->cursor, buckets, visit, look))
		return;
	d->cursor = 0;
	d->until = d->wrapped ? 0 : d->until;
	d->wrapped = true;
}

static void drop_deleted(struct control *control)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		for (struct assigned **at = &control->duties->buckets[i]; *at != NULL;) {
			if ((*at)->turn != control->duties->turn)
				drop(control, at);
			else
				at = &(*at)->next;
		}
}

bool duties_look(struct control *control)
{
	struct duties *d = control->duties;
	struct look look;
	if (!d->looking)
		return true;
	uint64_t end_ns = ticks_now_ns() + LOOK_SLICE_US * SW_NS_PER_US;
	begin_look(&look, control);
	look.missed = d->missed;
	while (!d->wrapped || d->cursor < d->until) {
		if (ticks_now_ns() >= end_ns)
			return false;
		look_on(d, &look);
	}
	drop_deleted(control);
	d->cursor = 0;
	d->looking = d->missed = false;
	return true;
}

void duties_written(struct control *control, const char *name, struct actor writer)
{
	struct look look;
	struct duty_view view;
	if (control->duties == NULL)
		return;
	struct assigned **at = find(control, hash_of_name(control, name)), *a = *at;
	if (a == NULL || strcmp(a->name, name) != 0)
		return;
	begin_look(&look, control);
	ask(&look, a->key_hash, name, &a->state, &view);
	view.writer = writer;
	view.owner = view.ranks.count > 0 ? actor_of(&look, view.ranks.ids[0]) : view.owner;
	struct duty_state state = a->state;
	if (duty_decide(&state, &view) == DUTY_NONE) {
		drop(control, at);
		return;
	}
	begin_duty(control, a, &state);
	if (duty_must_claim(&state, &view))
		(void)health_checker_tell(control->checker, name);
}

/* Checks are counted where a duty ends; those of the ones that go on are up to date here. */
static void count_all(const struct control *control)
{
	for (uint32_t i = 0; control->duties != NULL && i < BUCKETS; i++)
		for (struct assigned *a = control->duties->buckets[i]; a != NULL; a = a->next)
			count_checks(control, a);
}

void duties_totals(const struct control *control, struct duty_totals *totals)
{
	*totals = (struct duty_totals){0};
	if (control->duties == NULL)
		return;
	count_all(control);
	const struct duty_counts *c = control->duties->counts;
	*totals = (struct duty_totals){
		.owned = c[DUTY_OWNER].now,
		.standing_in = c[DUTY_STAND_IN].now,
		.handing_over = c[DUTY_HAND_OVER].now,
		.stand_ins = c[DUTY_STAND_IN].begun,
		.hand_overs = c[DUTY_HAND_OVER].begun,
		.checks_owned = c[DUTY_OWNER].checks,
		.checks_standing_in = c[DUTY_STAND_IN].checks,
		.checks_handing_over = c[DUTY_HAND_OVER].checks,
	};
}

/* ---- the method ---- */

static void duties(struct control *control, struct rpc_call *call, json_t *params)
{
	json_t *result = json_object();
	(void)params;
	count_all(control);
	for (enum duty d = DUTY_OWNER; d < DUTY_COUNT; d++) {
		struct duty_counts none = {0};
		const struct duty_counts *c =
			control->duties == NULL ? &none : &control->duties->counts[d];
		json_object_set_new(result, duty_name(d),
			json_pack("{s:I, s:I, s:I}", "now", (json_int_t)c->now, "begun",
				(json_int_t)c->begun, "checks", (json_int_t)c->checks));
	}
	rpc_result(call, result);
}

void duties_methods(struct control *control)
{
	control_add(control, "duties", duties);
}
