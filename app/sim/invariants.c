#include "invariants.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one table held of one server. */
struct row {
	uint64_t instance;
	uint64_t dead_ns; /* since when dead */
	uint32_t epoch, incarnation;
	uint32_t grave_epoch; /* under which it was reaped; 0: it was not */
	uint8_t state;
	bool held, seen;
};

struct life {
	uint64_t instance, version, vector_hash, content_hash;
	uint32_t epoch, incarnation;
};

struct written {
	char key[32];
	struct dot dot;
	uint64_t clock, weight;
};

struct invariants {
	uint32_t servers, size;
	bool forgets;
	struct marks *marks;
	struct row *rows;   /* [viewer][server of its group] */
	struct life *lives; /* as each saw itself */
	bool *may_leave;
	uint32_t write_count, collected_count;
	struct written *writes;
	struct written *collected; /* the largest of each key */
};

struct invariants *invariants_create(const struct sim *sim, bool forgets, struct marks *marks)
{
	struct invariants *inv = calloc(1, sizeof(*inv));
	assert(inv != NULL);
	inv->servers = sim_config(sim)->servers;
	inv->size = sim_config(sim)->group_size;
	inv->forgets = forgets;
	inv->marks = marks;
	inv->rows = calloc((size_t)inv->servers * inv->size, sizeof(inv->rows[0]));
	inv->lives = calloc(inv->servers, sizeof(inv->lives[0]));
	inv->may_leave = calloc(inv->servers, sizeof(inv->may_leave[0]));
	inv->writes = calloc(INVARIANT_WRITES_MAX, sizeof(inv->writes[0]));
	inv->collected = calloc(INVARIANT_WRITES_MAX, sizeof(inv->collected[0]));
	assert(inv->rows != NULL && inv->lives != NULL && inv->may_leave != NULL &&
		inv->writes != NULL && inv->collected != NULL);
	return inv;
}

void invariants_destroy(struct invariants *inv)
{
	if (inv == NULL)
		return;
	free(inv->rows);
	free(inv->lives);
	free(inv->may_leave);
	free(inv->writes);
	free(inv->collected);
	free(inv);
}

void invariants_may_leave(struct invariants *inv, uint32_t server)
{
	inv->may_leave[server] = true;
}

static bool broken(struct violation *v, uint32_t viewer, uint32_t subject, const char *what,
	const struct row *old, const struct wire_member *new)
{
	static const char *const states[] = {"alive", "suspect", "dead", "left", "forgotten"};
	v->servers[0] = viewer;
	v->servers[1] = subject;
	(void)snprintf(v->text, sizeof(v->text),
		"server %" PRIu32 ": %s of server %" PRIu32 ": was %s in epoch %" PRIu32
		", life %" PRIx64 ", incarnation %" PRIu32 "; is %s in epoch %" PRIu32
		", life %" PRIx64 ", incarnation %" PRIu32,
		viewer, what, subject, old->held ? states[old->state] : "absent", old->epoch,
		old->instance, old->incarnation, states[new->state], new->actor.epoch,
		new->instance, new->incarnation);
	return false;
}

static struct wire_member as_record(const struct row *row)
{
	return (struct wire_member){.actor = {0, row->epoch},
		.instance = row->instance,
		.incarnation = row->incarnation,
		.state = row->state};
}

static void mark_change(struct invariants *inv, const struct sim *sim, const struct row *old,
	const struct wire_member *new)
{
	uint64_t long_ns = sim_config(sim)->profile.suspicion_max_ns;
	if (!old->held || new->state != WIRE_ALIVE)
		return;
	if (old->state == WIRE_DEAD && old->instance == new->instance) {
		inv->marks->hits[MARK_REFUTED_DEAD]++;
		inv->marks->hits[MARK_REJOINED] += sim_now(sim) - old->dead_ns > long_ns;
	}
	inv->marks->hits[MARK_FORGOTTEN_BACK] += old->state == WIRE_FORGOTTEN;
}

static bool check_record(struct invariants *inv, const struct sim *sim, uint32_t viewer,
	uint32_t subject, const struct wire_member *r, struct violation *v)
{
	struct row *row = &inv->rows[(size_t)viewer * inv->size + subject % inv->size];
	const struct life *life = &inv->lives[subject];
	struct wire_member old = as_record(row);
	row->seen = true;
	if (row->held && swim_record_compare(r, &old) < 0)
		return broken(v, viewer, subject, "the record goes down", row, r);
	if (!row->held && r->actor.epoch <= row->grave_epoch && r->state != WIRE_FORGOTTEN)
		return broken(v, viewer, subject, "the record comes back from the grave", row, r);
	if (r->state == WIRE_LEFT && !inv->may_leave[subject])
		return broken(v, viewer, subject, "nobody told it to leave: the record", row, r);
	if (r->state == WIRE_FORGOTTEN && !inv->forgets)
		return broken(v, viewer, subject, "nobody forgets: the record", row, r);
	/* Forgotten names the epoch that is closed, which may be above that of who is told. */
	if (viewer != subject && r->state != WIRE_FORGOTTEN && r->instance == life->instance &&
		(r->actor.epoch > life->epoch ||
			(r->actor.epoch == life->epoch && r->incarnation > life->incarnation)))
		return broken(v, viewer, subject,
			"it knows more than the server itself: the record", row, r);
	mark_change(inv, sim, row, r);
	if (r->state != WIRE_DEAD)
		row->dead_ns = 0;
	else if (row->dead_ns == 0)
		row->dead_ns = sim_now(sim);
	row->held = true;
	row->instance = r->instance;
	row->epoch = r->actor.epoch;
	row->incarnation = r->incarnation;
	row->state = r->state;
	return true;
}

static bool check_absent(
	struct invariants *inv, uint32_t viewer, uint32_t subject, struct violation *v)
{
	struct row *row = &inv->rows[(size_t)viewer * inv->size + subject % inv->size];
	if (row->held && !row->seen) {
		if (row->state <= WIRE_DEAD) {
			struct wire_member old = as_record(row);
			return broken(v, viewer, subject,
				"reaped, but neither left nor forgotten: the record", row, &old);
		}
		inv->marks->hits[MARK_REAPED]++;
		row->grave_epoch = row->epoch;
		row->held = false;
	}
	row->seen = false;
	return true;
}

static bool check_members(
	struct invariants *inv, struct sim *sim, uint32_t viewer, struct violation *v)
{
	static struct swim_member members[SW_MEMBERS_MAX];
	const struct swim *swim = sim_swim(sim, viewer);
	struct life *life = &inv->lives[viewer];
	if (sim_instance(sim, viewer) != life->instance) { /* a new process knows nothing */
		memset(&inv->rows[(size_t)viewer * inv->size], 0, inv->size * sizeof(inv->rows[0]));
		*life = (struct life){.instance = sim_instance(sim, viewer)};
	} else if (swim_version(swim) == life->version) {
		return true;
	}
	uint32_t n = swim_members(swim, members, SW_MEMBERS_MAX),
		 first = sim_group_first(sim, viewer);
	life->version = swim_version(swim);
	life->epoch = members[0].record.actor.epoch;
	life->incarnation = members[0].record.incarnation;
	inv->marks->hits[MARK_SICK] += swim_local_health(swim) == 8;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t subject = members[i].record.actor.id - sim_id(0);
		if (subject < first || subject >= first + inv->size) {
			v->servers[0] = v->servers[1] = viewer;
			(void)snprintf(v->text, sizeof(v->text),
				"server %" PRIu32 ": a stranger in the table", viewer);
			return false;
		}
		if (!check_record(inv, sim, viewer, (uint32_t)subject, &members[i].record, v))
			return false;
	}
	for (uint32_t i = first; i < first + inv->size; i++)
		if (!check_absent(inv, viewer, i, v))
			return false;
	return true;
}

void invariants_claim(
	struct invariants *inv, struct sim *sim, uint32_t server, const char *key, const char *as)
{
	struct map_view view;
	if (inv->write_count == INVARIANT_WRITES_MAX ||
		!map_get_reader(sim_map(sim, server), key, strlen(key), &view))
		return;
	struct written *w = &inv->writes[inv->write_count++];
	(void)snprintf(w->key, sizeof(w->key), "%s", as);
	w->dot = view.dot;
	w->clock = view.clock;
	w->weight = view.weight;
}

void invariants_written(struct invariants *inv, struct sim *sim, uint32_t server, const char *key)
{
	invariants_claim(inv, sim, server, key, key);
}

static struct map_view stamp_of(const struct written *w)
{
	return (struct map_view){.clock = w->clock, .weight = w->weight, .author = w->dot};
}

static struct written *find_collected(struct invariants *inv, const char *key)
{
	for (uint32_t i = 0; i < inv->collected_count; i++)
		if (strcmp(inv->collected[i].key, key) == 0)
			return &inv->collected[i];
	return NULL;
}

void invariants_collected(struct invariants *inv, const struct map_view *tombstone)
{
	char key[sizeof(inv->writes[0].key)];
	(void)snprintf(
		key, sizeof(key), "%.*s", (int)tombstone->key_len, (const char *)tombstone->key);
	struct written *c = find_collected(inv, key);
	if (c == NULL) {
		assert(inv->collected_count < INVARIANT_WRITES_MAX);
		c = &inv->collected[inv->collected_count++];
		(void)snprintf(c->key, sizeof(c->key), "%s", key);
		c->clock = 0;
	}
	struct map_view old = stamp_of(c);
	if (c->clock != 0 && map_stamp_compare(tombstone, &old) <= 0)
		return;
	c->dot = tombstone->author;
	c->clock = tombstone->clock;
	c->weight = tombstone->weight;
}

/* By anybody: who joined its whole state with another holds it no more either. */
static bool was_collected(struct invariants *inv, const struct written *w)
{
	const struct written *c = find_collected(inv, w->key);
	if (c == NULL)
		return false;
	struct map_view collected = stamp_of(c), written = stamp_of(w);
	return map_stamp_compare(&collected, &written) >= 0;
}

static bool check_map(struct invariants *inv, struct sim *sim, uint32_t server, struct violation *v)
{
	const struct map *m = sim_map(sim, server);
	struct life *life = &inv->lives[server];
	if (m == NULL || inv->write_count == 0 ||
		(map_vector_hash(m) == life->vector_hash &&
			map_content_hash(m) == life->content_hash))
		return true;
	life->vector_hash = map_vector_hash(m);
	life->content_hash = map_content_hash(m);
	for (uint32_t i = 0; i < inv->write_count; i++) {
		const struct written *w = &inv->writes[i];
		struct map_view held, written = stamp_of(w);
		if (map_seq_reader(m, w->dot.actor) < w->dot.seq)
			continue;
		bool is_held = map_get_reader(m, w->key, strlen(w->key), &held);
		if (is_held ? map_stamp_compare(&held, &written) >= 0 : was_collected(inv, w))
			continue;
		v->servers[0] = server;
		v->servers[1] = (uint32_t)(w->dot.actor.id - sim_id(0));
		(void)snprintf(v->text, sizeof(v->text),
			"server %" PRIu32 ": its vector covers write %" PRIu64 " of server %" PRIu32
			" in epoch %" PRIu32 ", of %s, and it holds neither that nor a later one",
			server, w->dot.seq, v->servers[1], w->dot.actor.epoch, w->key);
		return false;
	}
	return true;
}

bool invariants_check(struct invariants *inv, struct sim *sim, uint32_t server, struct violation *v)
{
	if (!sim_is_up(sim, server))
		return true;
	return check_members(inv, sim, server, v) && check_map(inv, sim, server, v);
}
