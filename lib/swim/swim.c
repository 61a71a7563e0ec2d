#include "swim/swim.h"

#include <assert.h>
#include <stdlib.h>

#include "swim/internal.h"
#include "swim/mutation.h"

#define MS SW_NS_PER_MS

const struct swim_profile swim_profile_metal = {
	.probe_interval_ns = 5 * MS,
	.probe_timeout_ns = 2 * MS,
	.suspicion_min_ns = 15 * MS,
	.suspicion_max_ns = 50 * MS,
	.table_sync_interval_ns = 25 * MS,
	.join_interval_ns = 50 * MS,
	.join_wait_ns = 500 * MS,
	.rejoin_interval_ns = 20 * MS,
	.forget_after_ns = 72ULL * 3600 * SW_NS_PER_S,
	.reap_after_ns = 24ULL * 3600 * SW_NS_PER_S,
	.indirect_probes = 3,
	.gossip_factor = 3,
	.packets_per_s_max = 20000,
};

const struct swim_profile swim_profile_lan = {
	.probe_interval_ns = 50 * MS,
	.probe_timeout_ns = 20 * MS,
	.suspicion_min_ns = 200 * MS,
	.suspicion_max_ns = 500 * MS,
	.table_sync_interval_ns = 200 * MS,
	.join_interval_ns = 100 * MS,
	.join_wait_ns = 1000 * MS,
	.rejoin_interval_ns = 200 * MS,
	.forget_after_ns = 72ULL * 3600 * SW_NS_PER_S,
	.reap_after_ns = 24ULL * 3600 * SW_NS_PER_S,
	.indirect_probes = 3,
	.gossip_factor = 3,
	.packets_per_s_max = 10000,
};

const struct swim_profile swim_profile_virtual = {
	.probe_interval_ns = 200 * MS,
	.probe_timeout_ns = 90 * MS,
	.suspicion_min_ns = 1000 * MS,
	.suspicion_max_ns = 3000 * MS,
	.table_sync_interval_ns = 1000 * MS,
	.join_interval_ns = 250 * MS,
	.join_wait_ns = 3000 * MS,
	.rejoin_interval_ns = 800 * MS,
	.forget_after_ns = 72ULL * 3600 * SW_NS_PER_S,
	.reap_after_ns = 24ULL * 3600 * SW_NS_PER_S,
	.indirect_probes = 3,
	.gossip_factor = 4,
	.packets_per_s_max = 5000,
};

const struct swim_profile swim_profile_paper = {
	.probe_interval_ns = 1000 * MS,
	.probe_timeout_ns = 500 * MS,
	.suspicion_min_ns = 5000 * MS,
	.suspicion_max_ns = 30000 * MS,
	.suspicion_scales = true,
	.table_sync_interval_ns = 30000 * MS,
	.join_interval_ns = 250 * MS,
	.join_wait_ns = 3000 * MS,
	.rejoin_interval_ns = 5000 * MS,
	.forget_after_ns = 72ULL * 3600 * SW_NS_PER_S,
	.reap_after_ns = 24ULL * 3600 * SW_NS_PER_S,
	.indirect_probes = 3,
	.gossip_factor = 4,
	.gossip_decimal = true,
	.packets_per_s_max = 5000,
	.gossip_interval_ns = 200 * MS,
	.gossip_fanout = 3,
};

const struct swim_features swim_features_all = SWIM_FEATURES_ALL;
const struct swim_features swim_features_plain = {.local_health = false};

struct swim *swim_create(const struct swim_config *config, uint64_t now_ns)
{
	struct swim *swim = calloc(1, sizeof(*swim));
	if (swim == NULL)
		return NULL;
	swim->config = *config;
	swim->profile = config->profile;
	swim->random = sw_random_seed(config->random_seed);
	swim->phase = SWIM_JOINING;
	swim->next_seq = (uint32_t)sw_random_u64(&swim->random);

	struct wire_member self = {
		.actor = {config->id, config->epoch},
		.instance = config->instance,
		.weight = config->weight,
		.at = config->at,
	};
	memcpy(self.name, config->name, sizeof(config->name));
	memcpy(self.zone, config->zone, sizeof(config->zone));
	swim->member_count = 1;
	swim->confirm_slot = NO_SLOT;
	swim->clock_ns = now_ns;
	table_self_set(swim, now_ns, &self, "this server");

	swim->next_join_ns = now_ns;
	swim->join_done_ns = now_ns + (config->seed_count > 0 ? swim->profile.join_wait_ns : 0);
	swim->rejoin_at = (uint32_t)sw_random_u64(&swim->random) % SW_MEMBERS_MAX;
	swim->next_reap_ns = now_ns + SW_NS_PER_S;
	swim->next_gossip_ns = now_ns;
	swim->last_tick_ns = now_ns;
	return swim;
}

void swim_destroy(struct swim *swim)
{
	free(swim);
}

static bool is_live_member(const struct swim *swim, const struct wire_header *header)
{
	uint16_t slot = table_find(swim, header->sender.id);
	return slot != NO_SLOT && swim_is_live(&swim->members[slot]) &&
	       actor_equal(swim->members[slot].record.actor, header->sender);
}

/* The table differs from the sender's: ask for its pages, now and then. Who is met (again) is asked
 * sooner, and members, of whom there are more, do not use up its turn. At random times: else it
 * might always be the same one's turn, whose packets come at such times. */
static void compare_digest(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, uint64_t digest)
{
	if (!swim->config.features.table_digest || digest == swim->digest ||
		swim->phase != SWIM_RUNNING)
		return;
	bool member = is_live_member(swim, header);
	uint64_t interval_ns =
		member ? swim->profile.table_sync_interval_ns : swim->profile.probe_timeout_ns;
	uint64_t *next_ns = member ? &swim->next_sync_ns : &swim->next_meet_ns;
	if (now_ns < *next_ns)
		return;
	*next_ns = now_ns + interval_ns / 2 + sw_random_below(&swim->random, interval_ns);
	struct out out = {.kind = OUT_TABLE_REQ, .to_id = header->sender.id, .to = *from};
	swim_out_push(swim, &out);
}

static void hear_ping(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, uint64_t digest)
{
	if (swim->phase == SWIM_JOINING)
		join_ask_member(swim, now_ns, from);
	compare_digest(swim, now_ns, header, from, digest);
}

static bool input_probe(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, struct wire_message *m)
{
	struct wire_probe probe;
	if (!wire_get_probe(&m->payload, &probe))
		return false;
	if (m->type == WIRE_PING) {
		hear_ping(swim, now_ns, header, from, probe.table_digest);
		return true;
	}
	probe_ack(swim, now_ns, header->sender.id, probe.seq);
	compare_digest(swim, now_ns, header, from, probe.table_digest);
	return true;
}

static bool input_member(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, struct wire_message *m)
{
	struct wire_member record;
	if (!wire_get_member(&m->payload, &record))
		return false;
	if (m->type == WIRE_JOIN)
		join_request(swim, now_ns, &record, from);
	else
		table_merge(swim, now_ns, &record,
			swim->table_page ? HEARSAY_TABLE : HEARSAY_GOSSIP, header->sender.id, from);
	return true;
}

static bool input_one(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, struct wire_message *m)
{
	struct wire_ping_req request;
	struct wire_join_ack ack;
	struct wire_table table;
	uint32_t seq;
	switch (m->type) {
	case WIRE_PING:
	case WIRE_ACK: return input_probe(swim, now_ns, header, from, m);
	case WIRE_NACK:
		if (!wire_get_nack(&m->payload, &seq))
			return false;
		probe_nack(swim, now_ns, header->sender.id, seq);
		return true;
	case WIRE_PING_REQ:
		if (!wire_get_ping_req(&m->payload, &request))
			return false;
		probe_request(swim, now_ns, header->sender.id, from, &request);
		return true;
	case WIRE_MEMBER:
	case WIRE_JOIN: return input_member(swim, now_ns, header, from, m);
	case WIRE_JOIN_ACK:
		if (!wire_get_join_ack(&m->payload, &ack))
			return false;
		join_answer(swim, now_ns, from, &ack);
		return true;
	case WIRE_TABLE_REQ:
		if (swim->phase == SWIM_RUNNING)
			table_send(swim, header->sender.id, from);
		return true;
	case WIRE_TABLE:
		if (!wire_get_table(&m->payload, &table))
			return false;
		swim->table_page = true;
		return true;
	default: return true;
	}
}

void swim_packet_begin(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from)
{
	swim->clock_ns = now_ns;
	swim->table_page = false;
	table_heard(swim, now_ns, header, from);
}

static bool is_over(const struct swim *swim)
{
	return swim->phase == SWIM_LEFT || swim->phase == SWIM_STOOD_DOWN;
}

static __attribute__((noinline)) void ping_in_full(struct swim *swim, uint64_t now_ns,
	struct actor sender, uint64_t instance, const struct sw_endpoint *from, uint64_t digest)
{
	struct wire_header header = {.sender = sender, .instance = instance};
	table_heard(swim, now_ns, &header, from);
	if (!is_over(swim))
		hear_ping(swim, now_ns, &header, from, digest);
}

/* Nothing follows from it but that it was heard: of a live member, or of somebody unknown, whose
 * slot is NO_SLOT. */
static inline bool is_small_talk(const struct swim *swim, uint64_t now_ns, uint16_t slot,
	struct actor sender, uint64_t instance, uint64_t digest)
{
	uint64_t turn_ns = slot == NO_SLOT ? swim->next_meet_ns : swim->next_sync_ns;
	if (swim->phase != SWIM_RUNNING || (digest != swim->digest && now_ns >= turn_ns))
		return false;
	if (slot == NO_SLOT)
		return swim->grave_count == 0;
	const struct member *m = &swim->members[slot];
	return slot != SELF && m->record.state == WIRE_ALIVE &&
	       actor_equal(m->record.actor, sender) && m->record.instance == instance;
}

void swim_ping(struct swim *swim, uint64_t now_ns, struct actor sender, uint64_t instance,
	const struct sw_endpoint *from, uint64_t digest)
{
	/* Without a call, unless it is the last thing: there is nothing to save then. */
	uint16_t home = swim->homes[table_home(sender.id)];
	uint16_t slot = home == 0 ? NO_SLOT : (uint16_t)(home - 1);
	swim->clock_ns = now_ns;
	swim->table_page = false;
	if ((slot != NO_SLOT && !table_is_at(swim, slot, sender.id)) ||
		!is_small_talk(swim, now_ns, slot, sender, instance, digest))
		ping_in_full(swim, now_ns, sender, instance, from, digest);
	else if (slot != NO_SLOT)
		swim->members[slot].heard_ns = now_ns;
}

void swim_input(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, struct wire_message *message)
{
	if (is_over(swim))
		return;
	if (!input_one(swim, now_ns, header, from, message))
		swim->counters.malformed++;
}

/* This server did not run, or what it sends does not leave: nobody could answer in time. */
static bool was_paused(struct swim *swim, uint64_t now_ns, uint64_t due_ns)
{
	uint64_t limit_ns = swim->profile.probe_timeout_ns, lost_ns = 0;
	if (!swim->config.features.pause_aware || SWIM_MUTANT(PAUSE_NOT_VOIDED))
		return false;
	if (now_ns - due_ns > limit_ns)
		lost_ns = now_ns - due_ns + limit_ns;
	else if (swim_has_output(swim) && now_ns - swim->out_since_ns > limit_ns)
		lost_ns = now_ns - swim->last_tick_ns;
	if (lost_ns == 0)
		return false;
	swim->counters.pauses++;
	swim_health_worse(swim, 1);
	table_shift_suspicions(swim, now_ns, lost_ns);
	return true;
}

void swim_tick(struct swim *swim, uint64_t now_ns)
{
	swim->clock_ns = now_ns;
	if (swim->phase == SWIM_LEFT || swim->phase == SWIM_STOOD_DOWN)
		return;
	uint64_t due_ns = swim_deadline(swim);
	if (now_ns < due_ns)
		return;
	bool paused = was_paused(swim, now_ns, due_ns);
	join_tick(swim, now_ns);
	if (swim->phase == SWIM_RUNNING)
		probe_tick(swim, now_ns, paused);
	table_verdicts(swim, now_ns);
	table_reap(swim, now_ns);
	gossip_tick(swim, now_ns);
	swim->last_tick_ns = now_ns;
}

uint64_t swim_deadline(const struct swim *swim)
{
	if (swim->phase == SWIM_LEFT || swim->phase == SWIM_STOOD_DOWN)
		return SW_NEVER_NS;
	uint64_t next = sw_min_u64(join_deadline(swim), swim->next_reap_ns);
	if (swim->phase == SWIM_RUNNING)
		next = sw_min_u64(next, probe_deadline(swim));
	if (swim->profile.gossip_interval_ns != 0)
		next = sw_min_u64(next, swim->next_gossip_ns);
	return sw_min_u64(next, table_next_verdict(swim));
}

void swim_set_map_hashes(struct swim *swim, uint64_t vector_hash, uint64_t content_hash)
{
	swim->vector_hash = vector_hash;
	swim->content_hash = content_hash;
}

/* This server's own record says something else from now on, and everybody is told. */
static void change_self(
	struct swim *swim, uint64_t now_ns, struct wire_member self, const char *why)
{
	bool last = self.incarnation == UINT32_MAX; /* refuting somebody's nonsense led there */
	self.incarnation += !last;
	table_self_set(swim, now_ns, &self, why);
	if (last)
		table_take_epoch_above(swim, now_ns, self.actor.epoch);
	else if (swim->phase == SWIM_RUNNING)
		gossip_to_all(swim, SELF);
}

void swim_drain(struct swim *swim, uint64_t now_ns, bool on)
{
	swim->clock_ns = now_ns;
	struct wire_member self = swim->members[SELF].record;
	uint8_t flags =
		on ? self.flags | WIRE_MEMBER_DRAIN : self.flags & (uint8_t)~WIRE_MEMBER_DRAIN;
	if (flags == self.flags || swim->phase > SWIM_RUNNING)
		return;
	self.flags = flags;
	change_self(swim, now_ns, self, on ? "drain asked for" : "drain ended");
}

void swim_set_weight(struct swim *swim, uint64_t now_ns, uint16_t weight)
{
	swim->clock_ns = now_ns;
	struct wire_member self = swim->members[SELF].record;
	assert(weight > 0 && weight <= SW_WEIGHT_MAX);
	if (weight == self.weight || swim->phase > SWIM_RUNNING)
		return;
	self.weight = weight;
	change_self(swim, now_ns, self, "weight changed");
}

void swim_leave(struct swim *swim, uint64_t now_ns)
{
	swim->clock_ns = now_ns;
	if (swim->phase <= SWIM_RUNNING) {
		/* While joining too: who is probed still answers, and must not say that it is here.
		 */
		struct wire_member self = swim->members[SELF].record;
		self.state = WIRE_LEFT;
		table_self_set(swim, now_ns, &self, "leave asked for");
	}
	if (swim->phase == SWIM_RUNNING)
		gossip_to_all(swim, SELF);
	if (swim->phase != SWIM_STOOD_DOWN)
		swim->phase = SWIM_LEFT;
	swim->version++;
}

enum swim_phase swim_phase(const struct swim *swim)
{
	return swim->phase;
}

bool swim_was_remembered(const struct swim *swim)
{
	return swim->remembered;
}

bool swim_has_output(const struct swim *swim)
{
	return swim->out_head != swim->out_tail || swim->job_head != swim->job_tail;
}

struct actor swim_self(const struct swim *swim)
{
	return swim->members[SELF].record.actor;
}

uint64_t swim_table_digest(const struct swim *swim)
{
	return swim->digest;
}

uint64_t swim_version(const struct swim *swim)
{
	return swim->version;
}

uint32_t swim_local_health(const struct swim *swim)
{
	return swim->health;
}

const struct swim_counters *swim_counters(const struct swim *swim)
{
	return &swim->counters;
}

uint32_t swim_members(const struct swim *swim, struct swim_member *out, uint32_t cap)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < swim->member_count; i++) {
		const struct member *m = &swim->members[i];
		if (!m->used)
			continue;
		if (n < cap)
			out[n] = (struct swim_member){
				m->record, i == SELF, m->since_ns, m->heard_ns, m->rtt_ns, m->why};
		n++;
	}
	return n;
}

void swim_renew(struct swim *swim, uint64_t now_ns, uint32_t epoch)
{
	if (swim->phase == SWIM_RUNNING && swim->members[SELF].record.actor.epoch == epoch)
		table_take_epoch_above(swim, now_ns, epoch);
}
