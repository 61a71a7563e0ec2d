#include <assert.h>

#include "swim/internal.h"

/* lambda * log(n + 1) rounded up, at least lambda. */
static uint32_t gossip_transmissions(const struct swim *swim)
{
	uint32_t base = swim->profile.gossip_decimal ? 10 : 2, log_n = 1;
	for (uint32_t power = base; power < swim->live_count + 1; power *= base)
		log_n++;
	return swim->profile.gossip_factor * log_n;
}

void gossip_record(struct swim *swim, uint16_t slot)
{
	struct member *m = &swim->members[slot];
	if (m->gossip_left == 0)
		swim->gossip_count++;
	m->gossip_left = gossip_transmissions(swim);
}

void gossip_to_all(struct swim *swim, uint16_t slot)
{
	if (!swim->config.features.direct)
		return;
	/* A full queue leaves it to gossip alone. */
	if (swim->job_head - swim->job_tail == JOBS_MAX) {
		swim->counters.output_full++;
		return;
	}
	if (!swim_has_output(swim))
		swim->out_since_ns = swim->clock_ns;
	swim->jobs[swim->job_head++ % JOBS_MAX] = (struct job){slot, 1};
}

bool swim_out_push(struct swim *swim, const struct out *out)
{
	if (swim->out_head - swim->out_tail == OUT_MAX) {
		swim->counters.output_full++;
		return false;
	}
	if (!swim_has_output(swim))
		swim->out_since_ns = swim->clock_ns;
	swim->out[swim->out_head++ % OUT_MAX] = *out;
	return true;
}

void swim_event_push(struct swim *swim, uint64_t now_ns, enum swim_event_kind kind,
	const struct wire_member *record, const char *why)
{
	if (swim->event_head - swim->event_tail == EVENTS_MAX) {
		swim->counters.events_lost++;
		return;
	}
	swim->events[swim->event_head++ % EVENTS_MAX] =
		(struct swim_event){kind, now_ns, *record, why};
}

bool swim_next_event(struct swim *swim, struct swim_event *event)
{
	if (swim->event_head == swim->event_tail)
		return false;
	*event = swim->events[swim->event_tail++ % EVENTS_MAX];
	return true;
}

static bool put_record(const struct swim *swim, uint16_t slot, struct sw_writer *w)
{
	const struct member *m = &swim->members[slot];
	if (!m->used || sw_writer_left(w) < wire_member_len(&m->record))
		return false;
	wire_put_member(w, WIRE_MEMBER, &m->record);
	assert(!w->failed);
	return true;
}

/* Dissemination: one packet less for this record to ride on. */
static bool put_news(struct swim *swim, uint16_t slot, struct sw_writer *w)
{
	struct member *m = &swim->members[slot];
	if (!put_record(swim, slot, w))
		return false;
	if (m->gossip_left > 0 && --m->gossip_left == 0)
		swim->gossip_count--;
	return true;
}

/* The records that have travelled least, in that order, without `except`; returns how many. */
static uint32_t freshest(const struct swim *swim, uint16_t except, uint16_t best[PIGGYBACK_MAX])
{
	uint32_t n = 0;
	for (uint16_t i = 0; i < swim->member_count; i++) {
		uint32_t left = swim->members[i].gossip_left, at = n;
		if (left == 0 || i == except)
			continue;
		while (at > 0 && left > swim->members[best[at - 1]].gossip_left)
			at--;
		if (at == PIGGYBACK_MAX)
			continue;
		n += n < PIGGYBACK_MAX;
		for (uint32_t k = n - 1; k > at; k--)
			best[k] = best[k - 1];
		best[at] = i;
	}
	return n;
}

/* The freshest news but this record, while there is room. */
static void put_freshest(struct swim *swim, uint16_t except, struct sw_writer *w)
{
	uint16_t best[PIGGYBACK_MAX];
	uint32_t n = swim->gossip_count > 0 ? freshest(swim, except, best) : 0;
	for (uint32_t k = 0; k < n; k++)
		if (!put_news(swim, best[k], w))
			return;
}

/* `must` first (if it is a slot), then news. What the receiver is told of itself, or a stranger of
 * this server, is not dissemination and does not use it up. */
void gossip_piggyback(struct swim *swim, uint16_t must, struct sw_writer *w)
{
	if (must != NO_SLOT)
		(void)put_record(swim, must, w);
	put_freshest(swim, must, w);
}

/* News to a few random members besides, where the profile asks for it. */
void gossip_tick(struct swim *swim, uint64_t now_ns)
{
	const struct swim_profile *p = &swim->profile;
	if (p->gossip_interval_ns == 0 || now_ns < swim->next_gossip_ns)
		return;
	swim->next_gossip_ns = now_ns + p->gossip_interval_ns;
	/* What did not leave is not queued again: it would all come at once, and old. */
	if (swim_has_output(swim))
		return;
	for (uint32_t k = 0; k < p->gossip_fanout && swim->gossip_count > 0; k++) {
		uint16_t slot = (uint16_t)sw_random_below(&swim->random, swim->member_count);
		const struct member *m = &swim->members[slot];
		/* The dead too: one of them may be alive, and learns what is said of it. */
		if (slot == SELF || !m->used || m->record.state > WIRE_DEAD)
			continue;
		struct out out = {.kind = OUT_GOSSIP,
			.to_id = m->record.actor.id,
			.to = m->record.at,
			.slot = NO_SLOT};
		swim_out_push(swim, &out);
	}
}

static struct wire_probe probe_message(const struct swim *swim, uint32_t seq)
{
	return (struct wire_probe){seq, swim->digest, swim->vector_hash, swim->content_hash};
}

/* What a member itself must hear: that it is suspected (Lifeguard's buddy). */
static uint16_t news_about(const struct swim *swim, uint64_t id)
{
	uint16_t slot = id != 0 && swim->config.features.buddy ? table_find(swim, id) : NO_SLOT;
	return slot != NO_SLOT && slot != SELF && swim->members[slot].record.state != WIRE_ALIVE
		       ? slot
		       : NO_SLOT;
}

static void put_table_page(struct swim *swim, const struct out *out, struct sw_writer *w)
{
	struct wire_table head = {out->page, out->pages};
	wire_put_table(w, &head);
	uint32_t first = (uint32_t)out->page * TABLE_PAGE_ENTRIES;
	for (uint32_t i = first; i < first + TABLE_PAGE_ENTRIES && i < swim->member_count; i++) {
		const struct member *m = &swim->members[i];
		/* A page of the longest names does not fit: those left out come with gossip. */
		if (m->used && sw_writer_left(w) >= wire_member_len(&m->record))
			wire_put_member(w, WIRE_MEMBER, &m->record);
	}
	swim->counters.table_pages++;
}

static void write_out(struct swim *swim, const struct out *out, struct sw_writer *w)
{
	struct wire_probe probe = probe_message(swim, out->seq);
	struct wire_ping_req request;
	switch (out->kind) {
	case OUT_PING:
		wire_put_probe(w, WIRE_PING, &probe);
		/* A stranger (to_id 0) learns who asks. */
		gossip_piggyback(swim, out->to_id == 0 ? SELF : news_about(swim, out->to_id), w);
		break;
	case OUT_PING_REQ:
		request.seq = out->seq;
		request.target_id = swim->members[out->slot].record.actor.id;
		request.target = swim->members[out->slot].record.at;
		wire_put_ping_req(w, &request);
		gossip_piggyback(swim, news_about(swim, out->to_id), w);
		break;
	case OUT_ACK:
		wire_put_probe(w, WIRE_ACK, &probe);
		gossip_piggyback(swim, news_about(swim, out->to_id), w);
		break;
	case OUT_NACK: wire_put_nack(w, out->seq); break;
	case OUT_JOIN: wire_put_member(w, WIRE_JOIN, &swim->members[SELF].record); break;
	case OUT_JOIN_ACK: wire_put_join_ack(w, &out->join_ack); break;
	case OUT_TABLE_REQ:
		wire_put_table_req(w);
		swim->counters.table_requests++;
		break;
	case OUT_TABLE: put_table_page(swim, out, w); break;
	case OUT_GOSSIP:
		/* An accused that is told so is perhaps unwell: news would be wasted on it. */
		if (out->slot != NO_SLOT && swim->members[out->slot].record.actor.id == out->to_id)
			(void)put_record(swim, out->slot, w);
		else if (out->slot == NO_SLOT || put_news(swim, out->slot, w))
			put_freshest(swim, out->slot, w);
		break;
	}
}

bool swim_answers_alike(const struct swim *swim, struct wire_probe *ack)
{
	*ack = probe_message(swim, 0);
	/* While joining it says no more; else unless there is news for all, or for one of them. */
	return swim->phase != SWIM_RUNNING ||
	       (swim->gossip_count == 0 && swim->suspect_count == 0 &&
		       swim->live_count == swim->member_count);
}

void swim_answer(
	struct swim *swim, uint64_t now_ns, uint64_t to_id, uint32_t seq, struct sw_writer *w)
{
	(void)now_ns;
	struct wire_probe probe = probe_message(swim, seq);
	wire_put_probe(w, WIRE_ACK, &probe);
	/* While joining its epoch is not settled; who left or stood down knows only old news. */
	if (swim->phase == SWIM_RUNNING)
		gossip_piggyback(swim,
			swim->suspect_count > 0 || swim->live_count < swim->member_count
				? news_about(swim, to_id)
				: NO_SLOT,
			w);
}

/* A token bucket with a depth of 100 ms: false if this packet would be over the budget. */
static bool within_budget(struct swim *swim, uint64_t now_ns)
{
	uint64_t cost_ns = SW_NS_PER_S / swim->profile.packets_per_s_max;
	uint64_t start_ns =
		sw_max_u64(swim->budget_ns, now_ns - sw_min_u64(now_ns, SW_NS_PER_S / 10));
	if (start_ns + cost_ns > now_ns)
		return false;
	swim->budget_ns = start_ns + cost_ns;
	return true;
}

/* The next packet of the changes that go to everybody at once. */
static bool next_direct(struct swim *swim, uint64_t now_ns, struct out *out)
{
	while (swim->job_tail != swim->job_head) {
		struct job *job = &swim->jobs[swim->job_tail % JOBS_MAX];
		while (job->next < swim->member_count) {
			uint16_t to = job->next++;
			const struct member *m = &swim->members[to];
			bool accused = to == job->subject && m->used;
			/* Who is held for dead may hold this server for dead. */
			bool lost = job->subject == SELF && swim_is_lost(m);
			if (!swim_is_live(m) && !accused && !lost)
				continue;
			if (!within_budget(swim, now_ns)) {
				swim->counters.direct_over_budget++;
				job->next = SW_MEMBERS_MAX;
				break;
			}
			*out = (struct out){.kind = OUT_GOSSIP,
				.to_id = m->record.actor.id,
				.to = m->record.at,
				.slot = job->subject};
			swim->counters.direct_sent++;
			return true;
		}
		swim->job_tail++;
	}
	return false;
}

/* A request for help with a probe that is over: its slot may be free by now, or another member's.
 */
static bool is_stale(const struct swim *swim, const struct out *out)
{
	if (out->kind != OUT_PING_REQ)
		return false;
	const struct member *m = &swim->members[out->slot];
	return out->seq != swim->probe.seq || !m->used ||
	       !actor_equal(m->record.actor, swim->probe.target);
}

static bool next_out(struct swim *swim, struct out *out)
{
	while (swim->out_tail != swim->out_head) {
		*out = swim->out[swim->out_tail++ % OUT_MAX];
		if (!is_stale(swim, out))
			return true;
		probe_dropped(swim, out->seq);
	}
	return false;
}

bool swim_output(struct swim *swim, uint64_t now_ns, struct sw_writer *messages, uint64_t *to_id,
	struct sw_endpoint *to)
{
	struct out out;
	if (!next_out(swim, &out) && !next_direct(swim, now_ns, &out))
		return false;
	write_out(swim, &out, messages);
	assert(!messages->failed);
	if (out.kind == OUT_PING || out.kind == OUT_PING_REQ)
		probe_sent(swim, now_ns, out.seq);
	*to_id = out.to_id;
	*to = out.to;
	swim->out_since_ns = now_ns;
	return true;
}
