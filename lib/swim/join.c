#include "swim/internal.h"
#include "swim/mutation.h"

static void become_member(struct swim *swim, uint64_t now_ns)
{
	swim->phase = SWIM_RUNNING;
	swim->version++;
	swim->next_probe_ns = now_ns;
	swim->next_rejoin_ns = now_ns;
	gossip_record(swim, SELF);
	gossip_to_all(swim, SELF);
	swim_event_push(swim, now_ns, SWIM_EVENT_RUNNING, &swim->members[SELF].record,
		swim->join_acks > 0 ? "seeds answered" : "no seed answered: alone for now");
}

static void ask_seeds(struct swim *swim, uint64_t now_ns)
{
	for (uint32_t i = 0; i < swim->config.seed_count; i++) {
		struct out out = {.kind = OUT_JOIN, .to = swim->config.seeds[i]};
		if (!sw_endpoint_equal(&out.to, &swim->config.at))
			swim_out_push(swim, &out);
	}
	swim->next_join_ns = now_ns + swim->profile.join_interval_ns;
}

/* The seeds come first, then the slots of the table. False: nobody is lost there. */
static bool lost_at(const struct swim *swim, uint32_t at, struct sw_endpoint *where)
{
	if (at >= swim->config.seed_count) {
		const struct member *m = &swim->members[at - swim->config.seed_count];
		*where = m->record.at;
		return swim_is_lost(m);
	}
	*where = swim->config.seeds[at];
	for (uint32_t i = 0; i < swim->member_count; i++) {
		const struct member *m = &swim->members[i];
		if ((swim_is_live(m) || swim_is_lost(m)) && sw_endpoint_equal(&m->record.at, where))
			return false;
	}
	return true;
}

/* How many to try now. All who have lost the same try each of them twice, together: so the smaller
 * side of a cut always tries somebody, and a dead server is not asked the more often the more
 * servers wait for it. But it may be this one alone that can reach one of them: it does not leave
 * all to the others twice running. */
static uint32_t rejoin_tries(struct swim *swim, uint32_t lost)
{
	uint32_t twice = 2 * lost, tries = twice / swim->live_count;
	tries += sw_random_below(&swim->random, swim->live_count) < twice % swim->live_count;
	if (tries == 0 && !swim->rejoin_left_out) {
		swim->rejoin_left_out = true;
		return 0;
	}
	swim->rejoin_left_out = false;
	tries = tries > 1 ? tries : 1;
	tries = tries < REJOIN_TRIES_MAX ? tries : REJOIN_TRIES_MAX;
	return tries < lost ? tries : lost;
}

/* Lost servers and silent seeds, some at a time and all in turn: nobody is lost for good. */
static void try_rejoin(struct swim *swim, uint64_t now_ns)
{
	struct sw_endpoint lost[SW_SEEDS_MAX + SW_MEMBERS_MAX];
	uint32_t choices = swim->config.seed_count + swim->member_count, count = 0;
	uint32_t ends_at[SW_SEEDS_MAX + SW_MEMBERS_MAX];
	swim->next_rejoin_ns = now_ns + swim->profile.rejoin_interval_ns;
	for (uint32_t i = 0; i < choices; i++) {
		ends_at[count] = (swim->rejoin_at + i + 1) % choices;
		count += lost_at(swim, (swim->rejoin_at + i) % choices, &lost[count]);
	}
	uint32_t tries = count > 0 ? rejoin_tries(swim, count) : 0;
	for (uint32_t tried = 0; tried < tries; tried++) {
		struct out out = {.kind = OUT_PING, .to = lost[tried], .seq = swim->next_seq++};
		swim_out_push(swim, &out);
		swim->rejoin_at = ends_at[tried];
	}
}

void join_tick(struct swim *swim, uint64_t now_ns)
{
	if (swim->phase == SWIM_JOINING) {
		if (now_ns >= swim->join_done_ns)
			become_member(swim, now_ns);
		else if (now_ns >= swim->next_join_ns)
			ask_seeds(swim, now_ns);
	} else if (swim->phase == SWIM_RUNNING && now_ns >= swim->next_rejoin_ns) {
		try_rejoin(swim, now_ns);
	}
}

uint64_t join_deadline(const struct swim *swim)
{
	if (swim->phase == SWIM_JOINING)
		return sw_min_u64(swim->join_done_ns, swim->next_join_ns);
	return swim->next_rejoin_ns;
}

void table_send(struct swim *swim, uint64_t to_id, const struct sw_endpoint *to)
{
	uint32_t pages = (swim->member_count + TABLE_PAGE_ENTRIES - 1) / TABLE_PAGE_ENTRIES;
	for (uint32_t page = 0; page < pages; page++) {
		struct out out = {.kind = OUT_TABLE,
			.to_id = to_id,
			.to = *to,
			.page = (uint8_t)page,
			.pages = (uint8_t)pages};
		swim_out_push(swim, &out);
	}
}

void join_request(struct swim *swim, uint64_t now_ns, const struct wire_member *asker,
	const struct sw_endpoint *from)
{
	struct wire_join_ack ack = {.asker_instance = asker->instance};
	const struct member *self = &swim->members[SELF];
	uint16_t slot = table_find(swim, asker->actor.id);
	if (asker->actor.id == swim->config.id) {
		if (asker->instance == self->record.instance)
			return;
		/* Another process with my id: it will take a larger epoch, and then I stand down.
		 */
		ack.epoch_seen = self->record.actor.epoch;
		ack.instance_seen = self->record.instance;
	} else if (slot != NO_SLOT) {
		ack.epoch_seen = swim->members[slot].record.actor.epoch;
		ack.instance_seen = swim->members[slot].record.instance;
	}
	struct out out = {.kind = OUT_JOIN_ACK, .to = *from, .join_ack = ack};
	swim_out_push(swim, &out);
	if (swim->phase == SWIM_RUNNING)
		table_send(swim, 0, from);
	(void)now_ns;
}

static bool all_seeds_answered(const struct swim *swim)
{
	for (uint32_t i = 0; i < swim->config.seed_count; i++)
		if ((swim->seeds_answered >> i & 1) == 0 &&
			!sw_endpoint_equal(&swim->config.seeds[i], &swim->config.at))
			return false;
	return true;
}

/* A member that asks this server something while it starts remembers it, and can say under which
 * epoch: as good as a seed. */
void join_ask_member(struct swim *swim, uint64_t now_ns, const struct sw_endpoint *member)
{
	if (now_ns < swim->next_join_ask_ns)
		return;
	swim->next_join_ask_ns = now_ns + swim->profile.probe_timeout_ns;
	struct out out = {.kind = OUT_JOIN, .to = *member};
	swim_out_push(swim, &out);
}

void join_answer(struct swim *swim, uint64_t now_ns, const struct sw_endpoint *from,
	const struct wire_join_ack *ack)
{
	const struct wire_member *self = &swim->members[SELF].record;
	if (swim->phase != SWIM_JOINING || ack->asker_instance != self->instance)
		return;
	if (ack->epoch_seen >= self->actor.epoch && ack->instance_seen != self->instance &&
		!SWIM_MUTANT(JOIN_ACK_IGNORED))
		table_take_epoch_above(swim, now_ns, ack->epoch_seen);
	swim->remembered |= ack->epoch_seen > 0 && ack->instance_seen != self->instance;
	swim->join_acks++;
	for (uint32_t i = 0; i < swim->config.seed_count; i++)
		if (sw_endpoint_equal(&swim->config.seeds[i], from))
			swim->seeds_answered |= 1u << i;
	/* The other seeds get a moment: one of them may remember more. And so does the table that
	 * follows the answer. */
	swim->join_done_ns = sw_min_u64(swim->join_done_ns,
		now_ns + (all_seeds_answered(swim) ? swim->profile.probe_timeout_ns
						   : swim->profile.join_interval_ns));
}
