#include "swim/internal.h"
#include "swim/mutation.h"

static void become_member(struct swim *swim, uint64_t now_ns)
{
	swim->phase = SWIM_RUNNING;
	swim->version++;
	swim->next_probe_ns = now_ns;
	swim->next_rejoin_ns = now_ns + swim->profile.rejoin_interval_ns;
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

/* A lost server or a silent seed, in turn: nobody is lost for good. */
static void try_rejoin(struct swim *swim, uint64_t now_ns)
{
	swim->next_rejoin_ns = now_ns + swim->profile.rejoin_interval_ns;
	uint32_t choices = swim->config.seed_count + SW_MEMBERS_MAX;
	for (uint32_t tried = 0; tried < choices; tried++) {
		uint32_t at = swim->rejoin_at++ % choices;
		struct out out = {.kind = OUT_PING, .seq = swim->next_seq};
		if (at < swim->config.seed_count) {
			out.to = swim->config.seeds[at];
			bool known = false;
			for (uint32_t i = 0; i < swim->member_count && !known; i++)
				known = swim_is_live(&swim->members[i]) &&
					sw_endpoint_equal(&swim->members[i].record.at, &out.to);
			if (known)
				continue;
		} else {
			const struct member *m = &swim->members[at - swim->config.seed_count];
			if (!m->used ||
				(m->record.state != WIRE_DEAD && m->record.state != WIRE_FORGOTTEN))
				continue;
			out.to = m->record.at;
		}
		swim->next_seq++;
		swim_out_push(swim, &out);
		return;
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

void join_answer(struct swim *swim, uint64_t now_ns, const struct wire_join_ack *ack)
{
	const struct wire_member *self = &swim->members[SELF].record;
	if (swim->phase != SWIM_JOINING || ack->asker_instance != self->instance)
		return;
	if (ack->epoch_seen >= self->actor.epoch && ack->instance_seen != self->instance &&
		!SWIM_MUTANT(JOIN_ACK_IGNORED))
		table_take_epoch_above(swim, now_ns, ack->epoch_seen);
	swim->remembered |= ack->epoch_seen > 0 && ack->instance_seen != self->instance;
	swim->join_acks++;
	/* The other seeds get a moment: one of them may remember more. */
	swim->join_done_ns =
		sw_min_u64(swim->join_done_ns, now_ns + swim->profile.join_interval_ns);
}
