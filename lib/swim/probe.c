#include "swim/internal.h"

void swim_health_worse(struct swim *swim, uint32_t by)
{
	if (!swim->config.features.local_health)
		return;
	swim->health = swim->health + by > HEALTH_MAX ? HEALTH_MAX : swim->health + by;
}

void swim_health_better(struct swim *swim)
{
	if (swim->health > 0)
		swim->health--;
}

/* Lifeguard IV-A: a server that is unwell itself asks more slowly and waits longer. */
static uint64_t stretched(const struct swim *swim, uint64_t ns)
{
	return ns * (swim->health + 1);
}

static void shuffle(struct swim *swim)
{
	swim->order_len = 0;
	swim->order_at = 0;
	for (uint16_t i = 1; i < swim->member_count; i++)
		if (swim_is_live(&swim->members[i]))
			swim->order[swim->order_len++] = i;
	for (uint32_t i = swim->order_len; i > 1; i--) {
		uint32_t j = (uint32_t)sw_random_below(&swim->random, i);
		uint16_t t = swim->order[i - 1];
		swim->order[i - 1] = swim->order[j];
		swim->order[j] = t;
	}
}

/* About twice as many as can confirm: enough if some of them are wrong about themselves, and the
 * suspect answers no more probes than that. */
void probe_suspect_first(struct swim *swim, uint16_t slot)
{
	if (swim->config.features.confirm_first &&
		sw_random_below(&swim->random, swim->live_count) < 2 * (CONFIRMERS_MAX + 1))
		swim->confirm_slot = slot;
}

/* Who comes within a round is probed in what is left of it, at a random place (SWIM 4.3). */
void probe_insert(struct swim *swim, uint16_t slot)
{
	for (uint32_t i = swim->order_at; i < swim->order_len; i++)
		if (swim->order[i] == slot)
			return;
	if (swim->order_len == SW_MEMBERS_MAX)
		return;
	uint32_t left = ++swim->order_len - swim->order_at;
	uint32_t at = swim->order_at + (uint32_t)sw_random_below(&swim->random, left);
	swim->order[swim->order_len - 1] = swim->order[at];
	swim->order[at] = slot;
}

/* Randomised round robin (SWIM 4.3): everybody once before anybody twice. A suspicion is looked
 * into before: it ends sooner, one way or the other. */
static uint16_t next_target(struct swim *swim)
{
	uint16_t suspect = swim->confirm_slot;
	swim->confirm_slot = NO_SLOT;
	if (suspect != NO_SLOT && swim->members[suspect].used &&
		swim->members[suspect].record.state == WIRE_SUSPECT)
		return suspect;
	for (int round = 0; round < 2; round++) {
		while (swim->order_at < swim->order_len) {
			uint16_t slot = swim->order[swim->order_at++];
			if (swim_is_live(&swim->members[slot]))
				return slot;
		}
		shuffle(swim);
	}
	return NO_SLOT;
}

static void start_probe(struct swim *swim, uint64_t now_ns)
{
	uint16_t slot = next_target(swim);
	swim->probe.active = false;
	if (slot == NO_SLOT)
		return;
	const struct member *m = &swim->members[slot];
	swim->probe = (struct probe){
		.active = true,
		.slot = slot,
		.target = m->record.actor,
		.seq = swim->next_seq++,
		.sent_ns = now_ns,
		.indirect_ns = now_ns + stretched(swim, swim->profile.probe_timeout_ns),
	};
	swim->counters.probes++;
	struct out out = {.kind = OUT_PING,
		.to_id = m->record.actor.id,
		.to = m->record.at,
		.seq = swim->probe.seq};
	swim->probe.unsent = swim_out_push(swim, &out);
}

/* The question of a probe has not left yet: it cannot have an answer. */
static bool waits_to_leave(const struct probe *p)
{
	return p->active && !p->acked && p->unsent > 0;
}

/* One of its packets will not leave: the life that it asked after is over, and so is the probe. */
void probe_dropped(struct swim *swim, uint32_t seq)
{
	if (swim->probe.seq == seq)
		swim->probe.active = false;
}

/* One of its packets left. If that was late, the probe goes on from here: who knows of pauses
 * counts its time anew; plain SWIM, whose prober was held up in sending, finds that the time is
 * over. */
void probe_sent(struct swim *swim, uint64_t now_ns, uint32_t seq)
{
	struct probe *p = &swim->probe;
	if (!p->active || p->seq != seq || p->unsent == 0)
		return;
	p->unsent--;
	if (p->unsent > 0 || p->acked)
		return;
	uint64_t interval_ns = stretched(swim, swim->profile.probe_interval_ns);
	uint64_t timeout_ns = stretched(swim, swim->profile.probe_timeout_ns);
	if (!swim->config.features.pause_aware) {
		if (now_ns - p->sent_ns >= interval_ns)
			swim->next_probe_ns = now_ns;
	} else if (p->indirect_sent) {
		swim->next_probe_ns =
			sw_max_u64(swim->next_probe_ns, now_ns + interval_ns - timeout_ns);
	} else {
		p->sent_ns = now_ns;
		p->indirect_ns = now_ns + timeout_ns;
		swim->next_probe_ns = now_ns + interval_ns;
	}
}

/* Servers that can be asked to probe the target: alive; `elsewhere`: of another zone than this
 * server, so that one bad switch is not both witness and judge. */
static uint32_t find_helpers(const struct swim *swim, bool elsewhere, bool here, uint16_t *pool)
{
	const char *own = swim->members[SELF].record.zone;
	uint32_t n = 0;
	for (uint16_t i = 1; i < swim->member_count; i++) {
		const struct member *m = &swim->members[i];
		if (i == swim->probe.slot || !m->used || m->record.state != WIRE_ALIVE)
			continue;
		bool same = strcmp(m->record.zone, own) == 0;
		if ((same && here) || (!same && elsewhere))
			pool[n++] = i;
	}
	return n;
}

/* Up to `want` of them, drawn without repetition; returns how many. */
static uint32_t ask_helpers(struct swim *swim, uint16_t *pool, uint32_t n, uint32_t want)
{
	struct probe *p = &swim->probe;
	uint32_t asked = 0;
	for (; asked < want && n > 0; asked++) {
		uint32_t at = (uint32_t)sw_random_below(&swim->random, n);
		const struct wire_member *r = &swim->members[pool[at]].record;
		struct out out = {.kind = OUT_PING_REQ,
			.to_id = r->actor.id,
			.to = r->at,
			.seq = p->seq,
			.slot = p->slot};
		p->unsent += swim_out_push(swim, &out);
		swim->counters.probes_indirect++;
		p->helpers[p->nacks_wanted++] = pool[at];
		pool[at] = pool[--n];
	}
	return asked;
}

static void send_indirect(struct swim *swim, uint64_t now_ns)
{
	uint16_t pool[SW_MEMBERS_MAX];
	swim->probe.asked_ns = now_ns;
	uint32_t want = swim->profile.indirect_probes < HELPERS_MAX ? swim->profile.indirect_probes
								    : HELPERS_MAX;
	swim->probe.indirect_sent = true;
	if (!swim->config.features.zones) {
		(void)ask_helpers(swim, pool, find_helpers(swim, true, true, pool), want);
		return;
	}
	want -= ask_helpers(swim, pool, find_helpers(swim, true, false, pool), want);
	if (want > 0)
		(void)ask_helpers(swim, pool, find_helpers(swim, false, true, pool), want);
}

static bool target_is_same(const struct swim *swim)
{
	const struct member *m = &swim->members[swim->probe.slot];
	return swim_is_live(m) && actor_equal(m->record.actor, swim->probe.target);
}

static void probe_failed(struct swim *swim, uint64_t now_ns)
{
	struct probe *p = &swim->probe;
	swim->counters.probes_failed++;
	if (p->nacks_wanted == 0)
		swim_health_worse(swim, 1);
	else if (p->nacks == 0 || !swim->config.features.witnesses)
		swim_health_worse(swim, p->nacks_wanted - p->nacks);
	/* Else one helper heard this server and was heard: the silence of others is their own
	 * trouble. */
	table_suspect(swim, now_ns, p->slot, swim->config.id, "no answer to a probe");
}

/* When helpers have had their time and one of them has said no: this server is heard and hears, and
 * the others are silent. Waiting for the end of the interval brings nothing new. */
static uint64_t settles_at(const struct swim *swim)
{
	const struct probe *p = &swim->probe;
	if (!swim->config.features.witnesses || !p->active || p->acked || p->nacks == 0)
		return SW_NEVER_NS;
	return p->asked_ns + swim->profile.probe_timeout_ns * 3 / 4;
}

/* As quick an answer as a well server gets, for which this one, that knows of its pauses, did not
 * have to be well: no reason to wait longer with the next probe than well servers do. */
static void probe_next_soon(struct swim *swim, uint64_t now_ns)
{
	uint64_t soon_ns =
		sw_max_u64(now_ns, swim->probe.sent_ns + swim->profile.probe_interval_ns);
	if (swim->config.features.pause_aware)
		swim->next_probe_ns = sw_min_u64(swim->next_probe_ns, soon_ns);
}

static void settle(struct swim *swim, uint64_t now_ns)
{
	swim->probe.active = false;
	probe_next_soon(swim, now_ns);
	if (target_is_same(swim))
		probe_failed(swim, now_ns);
}

static void relays_tick(struct swim *swim, uint64_t now_ns, bool paused)
{
	for (int i = 0; swim->relay_count > 0 && i < RELAYS_MAX; i++) {
		struct relay *r = &swim->relays[i];
		if (r->deadline_ns == 0 || now_ns < r->deadline_ns)
			continue;
		struct out out = {.kind = OUT_NACK,
			.to_id = r->asker_id,
			.to = r->asker,
			.seq = r->asker_seq};
		if (swim->config.features.local_health)
			swim_out_push(swim, &out);
		uint16_t slot = table_find(swim, r->target_id);
		if (slot != NO_SLOT && !paused)
			table_silent(swim, now_ns, slot);
		r->deadline_ns = 0;
		swim->relay_count--;
	}
}

void probe_tick(struct swim *swim, uint64_t now_ns, bool paused)
{
	struct probe *p = &swim->probe;
	relays_tick(swim, now_ns, paused);
	if (waits_to_leave(p)) {
		if (now_ns >= swim->next_probe_ns)
			swim->next_probe_ns = now_ns + swim->profile.probe_interval_ns;
		return;
	}
	if (paused && p->active && !p->acked) {
		/* The answer may lie in our own queue: no verdict, ask again. */
		swim->counters.probes_voided++;
		p->active = false;
		swim->next_probe_ns = now_ns;
	}
	if (p->active && !p->acked && !p->indirect_sent && now_ns >= p->indirect_ns)
		send_indirect(swim, now_ns);
	if (now_ns >= settles_at(swim))
		settle(swim, now_ns);
	if (now_ns < swim->next_probe_ns)
		return;
	if (p->active && !p->acked && target_is_same(swim))
		probe_failed(swim, now_ns);
	start_probe(swim, now_ns);
	swim->next_probe_ns = now_ns + stretched(swim, swim->profile.probe_interval_ns);
}

uint64_t probe_deadline(const struct swim *swim)
{
	const struct probe *p = &swim->probe;
	uint64_t next = swim->next_probe_ns;
	if (p->active && !p->acked && !p->indirect_sent && !waits_to_leave(p))
		next = sw_min_u64(next, p->indirect_ns);
	next = sw_min_u64(next, settles_at(swim));
	for (int i = 0; swim->relay_count > 0 && i < RELAYS_MAX; i++)
		if (swim->relays[i].deadline_ns != 0)
			next = sw_min_u64(next, swim->relays[i].deadline_ns);
	return next;
}

static void relay_ack(struct swim *swim, uint64_t from_id, uint32_t seq)
{
	for (int i = 0; swim->relay_count > 0 && i < RELAYS_MAX; i++) {
		struct relay *r = &swim->relays[i];
		if (r->deadline_ns == 0 || r->seq != seq || r->target_id != from_id)
			continue;
		struct out out = {
			.kind = OUT_ACK, .to_id = r->asker_id, .to = r->asker, .seq = r->asker_seq};
		swim_out_push(swim, &out);
		r->deadline_ns = 0;
		swim->relay_count--;
		return;
	}
	swim->counters.acks_stale++;
}

void probe_ack(struct swim *swim, uint64_t now_ns, uint64_t from_id, uint32_t seq)
{
	struct probe *p = &swim->probe;
	bool direct = from_id == p->target.id;
	if (!p->active || p->seq != seq || (!direct && !p->indirect_sent)) {
		relay_ack(swim, from_id, seq);
		return;
	}
	/* Later than the interval is no answer; who was paused itself takes it as one. */
	if (!swim->config.features.pause_aware &&
		now_ns - p->sent_ns > stretched(swim, swim->profile.probe_interval_ns)) {
		swim->counters.acks_stale++;
		return;
	}
	swim->counters.acks++;
	if (direct && target_is_same(swim))
		swim->members[p->slot].rtt_ns = now_ns - p->sent_ns;
	if (!p->acked)
		swim_health_better(swim);
	p->acked = true;
	if (now_ns - (p->indirect_sent ? p->asked_ns : p->sent_ns) <=
		swim->profile.probe_timeout_ns)
		probe_next_soon(swim, now_ns);
}

void probe_nack(struct swim *swim, uint64_t now_ns, uint64_t from_id, uint32_t seq)
{
	struct probe *p = &swim->probe;
	if (!p->active || p->acked || p->seq != seq)
		return;
	for (uint32_t i = 0; i < p->nacks_wanted; i++) {
		uint32_t bit = 1u << i;
		if (swim->members[p->helpers[i]].record.actor.id != from_id ||
			(p->nacked & bit) != 0)
			continue;
		p->nacked |= bit;
		p->nacks++;
		swim->counters.nacks++;
	}
	/* All helpers have spoken, so this server is heard and hears: waiting longer brings nothing
	 * new. */
	if (!swim->config.features.witnesses || p->nacks == 0 || p->nacks < p->nacks_wanted)
		return;
	settle(swim, now_ns);
}

void probe_request(struct swim *swim, uint64_t now_ns, uint64_t asker_id,
	const struct sw_endpoint *asker, const struct wire_ping_req *request)
{
	for (int i = 0; i < RELAYS_MAX; i++) {
		struct relay *r = &swim->relays[i];
		if (r->deadline_ns != 0)
			continue;
		*r = (struct relay){
			.deadline_ns = now_ns + swim->profile.probe_timeout_ns / 2,
			.asker_id = asker_id,
			.asker = *asker,
			.asker_seq = request->seq,
			.seq = swim->next_seq++,
			.target_id = request->target_id,
		};
		struct out out = {.kind = OUT_PING,
			.to_id = request->target_id,
			.to = request->target,
			.seq = r->seq};
		swim_out_push(swim, &out);
		swim->relay_count++;
		return;
	}
	swim->counters.output_full++;
}
