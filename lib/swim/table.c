#include <errno.h>

#include "swim/internal.h"
#include "swim/mutation.h"

bool swim_is_live(const struct member *m)
{
	return m->used && m->record.state <= WIRE_SUSPECT;
}

bool swim_is_lost(const struct member *m)
{
	return m->used && (m->record.state == WIRE_DEAD || m->record.state == WIRE_FORGOTTEN);
}

uint16_t table_search(const struct swim *swim, uint64_t id)
{
	for (uint16_t i = 0; i < swim->member_count; i++)
		if (table_is_at(swim, i, id))
			return i;
	return NO_SLOT;
}

int swim_record_compare(const struct wire_member *a, const struct wire_member *b)
{
	if (a->actor.epoch != b->actor.epoch && !SWIM_MUTANT(EPOCH_IGNORED))
		return a->actor.epoch < b->actor.epoch ? -1 : 1;
	if ((a->state == WIRE_FORGOTTEN) != (b->state == WIRE_FORGOTTEN))
		return a->state == WIRE_FORGOTTEN ? 1 : -1;
	if (a->instance != b->instance)
		return a->instance < b->instance ? -1 : 1;
	if ((a->state == WIRE_LEFT) != (b->state == WIRE_LEFT))
		return a->state == WIRE_LEFT ? 1 : -1;
	if (a->incarnation != b->incarnation && !SWIM_MUTANT(INCARNATION_IGNORED))
		return a->incarnation < b->incarnation ? -1 : 1;
	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	return 0;
}

/* Only the living count: dead records are reaped at different times on different servers. */
uint64_t table_record_hash(const struct wire_member *r)
{
	if (r->state > WIRE_SUSPECT)
		return 0;
	uint64_t h = sw_mix64(r->actor.id);
	h = sw_mix64(h + r->actor.epoch);
	h = sw_mix64(h + r->instance);
	h = sw_mix64(h + (SWIM_MUTANT(DIGEST_BLIND) ? 0 : r->incarnation));
	return sw_mix64(h + ((uint64_t)r->state << 24 | (uint64_t)r->flags << 16 | r->weight));
}

static const char *why_of(const struct wire_member *r, const char *why)
{
	static const char *const words[] = {"said alive", "suspected by another",
		"declared dead by another", "left", "forgotten by another"};
	return why != NULL ? why : words[r->state];
}

static enum swim_event_kind event_kind(
	bool was_used, const struct wire_member *old, const struct wire_member *new)
{
	static const enum swim_event_kind kinds[] = {SWIM_EVENT_ALIVE, SWIM_EVENT_SUSPECT,
		SWIM_EVENT_DEAD, SWIM_EVENT_LEFT, SWIM_EVENT_FORGOTTEN};
	if (was_used && old->state == new->state &&actor_equal(old->actor, new->actor))
		return SWIM_EVENT_CHANGED;
	if (was_used && old->state == WIRE_SUSPECT &&
		new->state == WIRE_ALIVE &&actor_equal(old->actor, new->actor))
		return SWIM_EVENT_REFUTED;
	return kinds[new->state];
}

/* The one place where a record in the table changes. */
static void store(struct swim *swim, uint64_t now_ns, uint16_t slot,
	const struct wire_member *record, const char *why)
{
	struct member *m = &swim->members[slot];
	struct wire_member old = m->record;
	bool was_used = m->used;
	bool was_live = swim_is_live(m);

	if (was_used)
		swim->digest -= table_record_hash(&old);
	if (was_used && old.state == WIRE_SUSPECT)
		swim->suspect_count--;
	if (!was_used || old.state != record->state || !actor_equal(old.actor, record->actor))
		m->since_ns = now_ns;
	m->used = true;
	m->record = *record;
	swim->homes[table_home(record->actor.id)] = (uint16_t)(slot + 1);
	m->why = why_of(record, why);
	swim->digest += table_record_hash(record);
	if (record->state == WIRE_SUSPECT)
		swim->suspect_count++;
	swim->live_count += (uint32_t)swim_is_live(m) - (uint32_t)was_live;
	if (slot != SELF && swim_is_live(m) && !was_live)
		probe_insert(swim, slot);
	swim->version++;

	gossip_record(swim, slot);
	if (slot != SELF)
		swim_event_push(swim, now_ns, event_kind(was_used, &old, record), record, m->why);
}

/* A slot for a new member: a fresh one, or that of the longest dead. */
static uint16_t take_slot(struct swim *swim)
{
	for (uint16_t i = 1; i < swim->member_count; i++)
		if (!swim->members[i].used)
			return i;
	if (swim->member_count < SW_MEMBERS_MAX)
		return (uint16_t)swim->member_count++;
	uint16_t oldest = NO_SLOT;
	for (uint16_t i = 1; i < SW_MEMBERS_MAX; i++) {
		const struct member *m = &swim->members[i];
		if (!swim_is_live(m) &&
			(oldest == NO_SLOT || m->since_ns < swim->members[oldest].since_ns))
			oldest = i;
	}
	return oldest;
}

static void reap_slot(struct swim *swim, uint16_t slot)
{
	struct member *m = &swim->members[slot];
	swim->graves[swim->grave_count++ % SW_MEMBERS_MAX] =
		(struct grave){m->record.actor.id, m->record.actor.epoch, 0};
	swim->digest -= table_record_hash(&m->record);
	if (m->gossip_left > 0)
		swim->gossip_count--;
	*m = (struct member){.used = false};
	swim->version++;
}

/* 1000 * log10(n), at least 1000. Linear between powers of two: within 3 %. */
static uint64_t log10_permille(uint32_t n)
{
	uint32_t power = 0;
	while ((2u << power) <= n)
		power++;
	uint64_t log2_permille = power * 1000ULL + ((uint64_t)n * 1000 >> power) - 1000;
	uint64_t log10 = log2_permille * 30103 / 100000;
	return log10 > 1000 ? log10 : 1000;
}

/* Permille of (max - min) that c of k confirmations take off: log(c + 1) / log(k + 1). Lifeguard,
 * IV-B. */
static uint64_t suspicion_ns(const struct swim *swim, uint32_t confirmations)
{
	static const uint32_t shrink[CONFIRMERS_MAX + 1][CONFIRMERS_MAX + 1] = {
		{1000, 1000, 1000, 1000}, {0, 1000, 1000, 1000}, {0, 631, 1000, 1000},
		{0, 500, 792, 1000}};
	const struct swim_profile *p = &swim->profile;
	uint64_t scale = p->suspicion_scales ? log10_permille(swim->live_count) : 1000;
	if (!swim->config.features.suspicion_shrinks)
		return p->suspicion_min_ns / 1000 * scale;
	/* The accuser, the accused and nobody else: nobody could confirm. */
	uint32_t others = swim->live_count > 2 ? swim->live_count - 2 : 0;
	uint32_t k = others < CONFIRMERS_MAX ? others : CONFIRMERS_MAX;
	uint32_t c = confirmations < k ? confirmations : k;
	uint64_t ns = p->suspicion_max_ns -
		      (p->suspicion_max_ns - p->suspicion_min_ns) * shrink[k][c] / 1000;
	return ns / 1000 * scale;
}

static bool is_accuser(const struct member *m, uint64_t id)
{
	for (uint32_t i = 0; i < m->accuser_count; i++)
		if (m->accusers[i] == id)
			return true;
	return false;
}

/* From when it is suspected, and by how many. Never in the past: a verdict that is overdue at once
 * is no sign of a pause. */
static void set_verdict(struct swim *swim, struct member *m)
{
	uint32_t confirmations = m->accuser_count > 0 ? m->accuser_count - 1 : 0;
	m->verdict_ns =
		sw_max_u64(swim->clock_ns, m->suspected_ns + suspicion_ns(swim, confirmations));
	swim->next_verdict_ns = sw_min_u64(swim->next_verdict_ns, m->verdict_ns);
}

/* True if this accuser is new. */
static bool add_accuser(struct swim *swim, struct member *m, uint64_t accuser_id)
{
	if ((is_accuser(m, accuser_id) && !SWIM_MUTANT(HEARSAY_CONFIRMS)) || accuser_id == 0 ||
		m->accuser_count > CONFIRMERS_MAX)
		return false;
	m->accusers[m->accuser_count++] = accuser_id;
	set_verdict(swim, m);
	return true;
}

static void confirm(struct swim *swim, struct member *m, uint64_t accuser_id)
{
	if (!swim->config.features.suspicion_shrinks || !add_accuser(swim, m, accuser_id))
		return;
	swim->counters.confirmations++;
	m->record.accuser_id = accuser_id;
	gossip_record(swim, (uint16_t)(m - swim->members));
}

/* Did this server see its silence itself, as a helper, a moment ago? */
static bool was_silent(const struct swim *swim, uint64_t now_ns, const struct member *m)
{
	return m->silent_ns != 0 && m->silent_ns >= m->heard_ns &&
	       now_ns - m->silent_ns < swim->profile.probe_interval_ns;
}

static void start_suspicion(
	struct swim *swim, uint64_t now_ns, struct member *m, uint64_t accuser_id)
{
	m->suspected_ns = now_ns;
	m->accuser_count = 0;
	if (swim->suspect_count == 1)
		swim->next_verdict_ns = SW_NEVER_NS;
	set_verdict(swim, m);
	add_accuser(swim, m, accuser_id);
	swim->counters.suspicions++;
	if (was_silent(swim, now_ns, m))
		confirm(swim, m, swim->config.id);
}

/* The time of a suspicion in which nobody was there to hear the answers does not count. */
void table_shift_suspicions(struct swim *swim, uint64_t now_ns, uint64_t lost_ns)
{
	for (uint16_t i = 1; i < swim->member_count; i++) {
		struct member *m = &swim->members[i];
		if (!m->used || m->record.state != WIRE_SUSPECT)
			continue;
		m->suspected_ns += sw_min_u64(lost_ns, now_ns - m->suspected_ns);
		set_verdict(swim, m);
	}
}

void table_suspect(
	struct swim *swim, uint64_t now_ns, uint16_t slot, uint64_t accuser_id, const char *why)
{
	struct member *m = &swim->members[slot];
	if (!swim_is_live(m) || slot == SELF)
		return;
	if (m->record.state == WIRE_SUSPECT) {
		confirm(swim, m, accuser_id);
		return;
	}
	struct wire_member record = m->record;
	record.state = WIRE_SUSPECT;
	record.accuser_id = accuser_id;
	store(swim, now_ns, slot, &record, why);
	start_suspicion(swim, now_ns, m, accuser_id);
	gossip_to_all(swim, slot);
}

void table_silent(struct swim *swim, uint64_t now_ns, uint16_t slot)
{
	struct member *m = &swim->members[slot];
	if (!swim->config.features.witnesses)
		return;
	m->silent_ns = now_ns;
	if (m->used && m->record.state == WIRE_SUSPECT && was_silent(swim, now_ns, m))
		confirm(swim, m, swim->config.id);
}

void table_verdicts(struct swim *swim, uint64_t now_ns)
{
	if (now_ns < table_next_verdict(swim))
		return;
	swim->next_verdict_ns = SW_NEVER_NS;
	for (uint16_t i = 1; i < swim->member_count; i++) {
		struct member *m = &swim->members[i];
		if (!m->used || m->record.state != WIRE_SUSPECT)
			continue;
		if (now_ns < m->verdict_ns) {
			swim->next_verdict_ns = sw_min_u64(swim->next_verdict_ns, m->verdict_ns);
			continue;
		}
		struct wire_member record = m->record;
		record.state = WIRE_DEAD;
		record.accuser_id = swim->config.id;
		bool own = is_accuser(m, swim->config.id);
		store(swim, now_ns, i, &record, "did not answer for itself in time");
		/* All reach this verdict at about the same time: those who saw it themselves tell
		 * the others. */
		if (own)
			gossip_to_all(swim, i);
	}
}

uint64_t table_next_verdict(const struct swim *swim)
{
	return swim->suspect_count > 0 ? swim->next_verdict_ns : SW_NEVER_NS;
}

static void forget_member(struct swim *swim, uint64_t now_ns, uint16_t slot, const char *why)
{
	struct wire_member record = swim->members[slot].record;
	record.state = WIRE_FORGOTTEN;
	record.accuser_id = swim->config.id;
	store(swim, now_ns, slot, &record, why);
}

void table_reap(struct swim *swim, uint64_t now_ns)
{
	if (now_ns < swim->next_reap_ns)
		return;
	swim->next_reap_ns = now_ns + sw_min_u64(swim->profile.reap_after_ns, SW_NS_PER_S);
	for (uint16_t i = 1; i < swim->member_count; i++) {
		struct member *m = &swim->members[i];
		if (!m->used || swim_is_live(m))
			continue;
		uint64_t for_ns = now_ns - m->since_ns;
		if (m->record.state == WIRE_DEAD && for_ns >= swim->profile.forget_after_ns)
			forget_member(swim, now_ns, i, "dead for longer than it is waited for");
		else if (m->record.state != WIRE_DEAD && for_ns >= swim->profile.reap_after_ns)
			reap_slot(swim, i);
	}
}

int swim_forget(struct swim *swim, uint64_t now_ns, uint64_t id)
{
	uint16_t slot = table_find(swim, id);
	swim->clock_ns = now_ns;
	if (slot == NO_SLOT)
		return -ENOENT;
	if (swim->members[slot].record.state != WIRE_DEAD)
		return -EBUSY;
	forget_member(swim, now_ns, slot, "an operator said so");
	gossip_to_all(swim, slot);
	return 0;
}

void table_self_set(
	struct swim *swim, uint64_t now_ns, const struct wire_member *record, const char *why)
{
	store(swim, now_ns, SELF, record, why);
}

static void stand_down(
	struct swim *swim, uint64_t now_ns, const struct wire_member *why_record, const char *why)
{
	swim->phase = SWIM_STOOD_DOWN;
	swim->version++;
	swim_event_push(swim, now_ns, SWIM_EVENT_STOOD_DOWN, why_record, why);
}

void table_take_epoch_above(struct swim *swim, uint64_t now_ns, uint32_t above)
{
	struct wire_member record = swim->members[SELF].record;
	/* Nobody came to the largest epoch by counting: who claims it is not worth ending for. */
	if (above == UINT32_MAX) {
		swim->counters.malformed++;
		return;
	}
	record.actor.epoch = above + 1;
	record.incarnation = 0;
	store(swim, now_ns, SELF, &record, "took a larger epoch");
	swim_event_push(swim, now_ns, SWIM_EVENT_EPOCH, &record,
		"an earlier life of this server is remembered");
	if (swim->phase == SWIM_RUNNING)
		gossip_to_all(swim, SELF);
}

static void refute(struct swim *swim, uint64_t now_ns, uint32_t incarnation_seen)
{
	struct wire_member record = swim->members[SELF].record;
	if (incarnation_seen == UINT32_MAX || record.incarnation == UINT32_MAX) {
		table_take_epoch_above(swim, now_ns, record.actor.epoch);
		return;
	}
	record.incarnation =
		(incarnation_seen > record.incarnation ? incarnation_seen : record.incarnation) + 1;
	swim->counters.refutations++;
	swim_health_worse(swim, 1);
	store(swim, now_ns, SELF, &record, "refuted");
	gossip_to_all(swim, SELF);
}

static void answer_for_self(struct swim *swim, const struct sw_endpoint *to)
{
	struct out out = {.kind = OUT_GOSSIP, .to = *to, .slot = SELF};
	swim_out_push(swim, &out);
}

/* What others say of this server. */
static void merge_self(struct swim *swim, uint64_t now_ns, const struct wire_member *r,
	const struct sw_endpoint *from)
{
	const struct wire_member *self = &swim->members[SELF].record;
	if (swim->phase != SWIM_RUNNING)
		return;
	if (actor_equal(r->actor, self->actor) && r->instance == self->instance) {
		if (swim_record_compare(r, self) <= 0 || SWIM_MUTANT(NO_REFUTATION)) {
			/* An accusation that was refuted already: its sender did not hear of that.
			 */
			if (r->state != WIRE_ALIVE && swim->config.features.direct)
				answer_for_self(swim, from);
			return;
		}
		if (r->state ==
			WIRE_FORGOTTEN) /* others have closed this epoch: go on under a new one */
			table_take_epoch_above(swim, now_ns, r->actor.epoch);
		else
			refute(swim, now_ns, r->incarnation);
		if (r->state == WIRE_FORGOTTEN || swim->config.features.direct)
			answer_for_self(swim, from);
		return;
	}
	/* Another process. At this address, or dead: a former life of this one. Elsewhere: a
	 * double. */
	bool former = sw_endpoint_equal(&r->at, &self->at) || r->state > WIRE_SUSPECT;
	if (former && r->actor.epoch >= self->actor.epoch)
		table_take_epoch_above(swim, now_ns, r->actor.epoch);
	else if (!former && swim_record_compare(r, self) > 0)
		stand_down(swim, now_ns, r, "another live server has this id and a newer life");
	else
		gossip_record(swim, SELF);
}

/* The latest epoch under which this id was reaped; NULL: it was not. */
static struct grave *find_grave(struct swim *swim, uint64_t id)
{
	struct grave *latest = NULL;
	for (uint32_t i = 0; i < swim->grave_count && i < SW_MEMBERS_MAX; i++) {
		struct grave *g = &swim->graves[i];
		if (g->id == id && (latest == NULL || g->epoch > latest->epoch))
			latest = g;
	}
	return latest;
}

/* Somebody who was reaped here may be alive: its own table will say so, and then it can be told. */
static void ask_grave(
	struct swim *swim, uint64_t now_ns, struct grave *grave, const struct sw_endpoint *at)
{
	if (swim->phase != SWIM_RUNNING ||
		(grave->asked_ns != 0 &&
			now_ns - grave->asked_ns < swim->profile.table_sync_interval_ns))
		return;
	grave->asked_ns = now_ns;
	struct out out = {.kind = OUT_TABLE_REQ, .to_id = grave->id, .to = *at};
	swim_out_push(swim, &out);
}

/* It must take an epoch above every one of which somebody may still hold a record. */
static void tell_forgotten(struct swim *swim, uint64_t now_ns, const struct wire_member *r,
	uint32_t grave_epoch, const struct sw_endpoint *from)
{
	uint16_t slot = take_slot(swim);
	if (slot == NO_SLOT) {
		swim->counters.members_refused++;
		return;
	}
	if (swim->members[slot].used)
		reap_slot(swim, slot);
	struct wire_member record = *r;
	record.actor.epoch = grave_epoch;
	record.state = WIRE_FORGOTTEN;
	record.accuser_id = swim->config.id;
	store(swim, now_ns, slot, &record, "spoke from the grave: it must take a new epoch");
	struct out out = {.kind = OUT_GOSSIP, .to_id = r->actor.id, .to = *from, .slot = slot};
	swim_out_push(swim, &out);
}

static void merge_new(struct swim *swim, uint64_t now_ns, const struct wire_member *r,
	enum hearsay hearsay, uint64_t from_id, const struct sw_endpoint *from)
{
	struct grave *grave = find_grave(swim, r->actor.id);
	if (grave != NULL && r->actor.epoch <= grave->epoch && !SWIM_MUTANT(GRAVES_IGNORED)) {
		/* Hearsay does not open a grave. Who speaks for itself is told that it is
		 * forgotten. */
		if (r->actor.id == from_id)
			tell_forgotten(swim, now_ns, r, grave->epoch, from);
		else if (r->state == WIRE_ALIVE)
			ask_grave(swim, now_ns, grave, &r->at);
		return;
	}
	/* A stranger's death is no news, and a reaped record must not come back from somebody's
	 * table. */
	if (r->state > WIRE_SUSPECT && hearsay == HEARSAY_TABLE)
		return;
	uint16_t slot = take_slot(swim);
	if (slot == NO_SLOT) {
		swim->counters.members_refused++;
		return;
	}
	if (swim->members[slot].used)
		reap_slot(swim, slot);
	store(swim, now_ns, slot, r, NULL);
	if (r->state == WIRE_SUSPECT)
		start_suspicion(swim, now_ns, &swim->members[slot], r->accuser_id);
}

static void tell_accused(struct swim *swim, uint16_t slot)
{
	const struct wire_member *r = &swim->members[slot].record;
	struct out out = {.kind = OUT_GOSSIP, .to_id = r->actor.id, .to = r->at, .slot = slot};
	swim_out_push(swim, &out);
}

void table_merge(struct swim *swim, uint64_t now_ns, const struct wire_member *r,
	enum hearsay hearsay, uint64_t from_id, const struct sw_endpoint *from)
{
	if (r->actor.id == swim->config.id) {
		merge_self(swim, now_ns, r, from);
		return;
	}
	uint16_t slot = table_find(swim, r->actor.id);
	if (slot == NO_SLOT) {
		merge_new(swim, now_ns, r, hearsay, from_id, from);
		return;
	}
	struct member *m = &swim->members[slot];
	int order = swim_record_compare(r, &m->record);
	if (order == 0 && r->state == WIRE_SUSPECT)
		confirm(swim, m, r->accuser_id);
	if (order <= 0)
		return;
	struct wire_member record = *r;
	const char *why = NULL;
	bool verdict =
		record.state == WIRE_DEAD ||
		(record.state == WIRE_FORGOTTEN && actor_equal(record.actor, m->record.actor));
	if (hearsay == HEARSAY_TABLE && !SWIM_MUTANT(TABLE_IS_NEWS) && verdict && swim_is_live(m)) {
		/* Of this epoch, but of another who had it: who has it now is told when heard. */
		if (record.state == WIRE_FORGOTTEN && record.instance != m->record.instance)
			return;
		/* Somebody's old verdict, on this life or a later one: let the accused answer for
		 * itself first. Who passes a verdict on did not probe the accused, and counts for
		 * no accuser. */
		record.state = WIRE_SUSPECT;
		record.accuser_id = 0;
		why = "dead in another's table: may answer for itself";
		if (swim_record_compare(&record, &m->record) <= 0)
			return;
	}
	store(swim, now_ns, slot, &record, why);
	if (record.state == WIRE_SUSPECT) {
		start_suspicion(swim, now_ns, m, record.accuser_id);
		probe_suspect_first(swim, slot);
	}
	/* The accused alone, who tells everybody that it is alive: of an island that comes back all
	 * are accused at once. */
	if (record.state == WIRE_SUSPECT && hearsay == HEARSAY_TABLE)
		tell_accused(swim, slot);
}

/* A packet straight from a member. Who is held suspect or dead is told so, and can answer for
 * itself. */
void table_heard(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from)
{
	uint16_t slot = table_find(swim, header->sender.id);
	if (slot == NO_SLOT) {
		struct grave *grave = find_grave(swim, header->sender.id);
		if (grave != NULL && header->sender.epoch <= grave->epoch)
			ask_grave(swim, now_ns, grave, from);
		return;
	}
	if (slot == SELF)
		return;
	struct member *m = &swim->members[slot];
	bool same = actor_equal(m->record.actor, header->sender) &&
		    m->record.instance == header->instance;
	if (same)
		m->heard_ns = now_ns;
	else if (m->record.state != WIRE_FORGOTTEN || header->sender.epoch > m->record.actor.epoch)
		return;
	if (m->record.state == WIRE_ALIVE || m->record.state == WIRE_LEFT ||
		!swim->config.features.buddy ||
		now_ns - m->told_ns < swim->profile.probe_timeout_ns)
		return;
	m->told_ns = now_ns;
	struct out out = {
		.kind = OUT_GOSSIP, .to_id = header->sender.id, .to = *from, .slot = slot};
	swim_out_push(swim, &out);
}
