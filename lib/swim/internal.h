/* What the files of swim share. Not for others. */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "swim/swim.h"

enum {
	OUT_MAX = 2048,       /* messages waiting to be sent */
	JOBS_MAX = 512,       /* changes on their way to everybody */
	HELPERS_MAX = 16,     /* asked to probe a target */
	REJOIN_TRIES_MAX = 8, /* lost servers and seeds that are tried at a time */
	RELAYS_MAX = 128,     /* indirect probes made for others */
	EVENTS_MAX = 2048,
	PIGGYBACK_MAX = 8,  /* records that ride on one packet */
	CONFIRMERS_MAX = 3, /* independent accusers that shorten a suspicion; Lifeguard's K */
	HEALTH_MAX = 8,
	TABLE_PAGE_ENTRIES = 12,
	HOMES_COUNT = 4 * SW_MEMBERS_MAX,
	NO_SLOT = 0xffff,
	SELF = 0, /* this server's slot */
};

_Static_assert(TABLE_PAGE_ENTRIES *(WIRE_MESSAGE_HEADER_LEN + 64 + SW_NAME_MAX + 1) <
		       2 * WIRE_MESSAGES_MAX,
	"a page of ordinary entries fits a packet");

struct member {
	bool used;
	struct wire_member record;
	uint64_t since_ns;
	uint64_t heard_ns;
	uint64_t rtt_ns;
	uint64_t silent_ns; /* last time that it did not answer this server as a helper; 0: never */
	uint64_t told_ns;   /* last time it was told what is said of it */
	const char *why;
	uint32_t gossip_left; /* packets that this record still rides on */
	/* suspicion */
	uint64_t suspected_ns;
	uint64_t verdict_ns;
	uint64_t accusers[CONFIRMERS_MAX + 1];
	uint32_t accuser_count;
};

enum out_kind {
	OUT_PING,
	OUT_PING_REQ,
	OUT_ACK,
	OUT_NACK,
	OUT_JOIN,
	OUT_JOIN_ACK,
	OUT_TABLE_REQ,
	OUT_TABLE,
	OUT_GOSSIP
};

struct out {
	enum out_kind kind;
	uint64_t to_id;
	struct sw_endpoint to;
	uint32_t seq;
	uint16_t slot; /* PING_REQ: the target; GOSSIP: the record that must be in */
	uint8_t page;
	uint8_t pages;
	struct wire_join_ack join_ack;
};

/* One record on its way to everybody. */
struct job {
	uint16_t subject;
	uint16_t next;
};

struct grave {
	uint64_t id;
	uint32_t epoch;
	uint64_t asked_ns; /* last time that somebody was asked who may lie in it */
};

struct relay {
	uint64_t deadline_ns; /* 0: free */
	uint64_t asker_id;
	struct sw_endpoint asker;
	uint32_t asker_seq;
	uint32_t seq;
	uint64_t target_id;
};

struct probe {
	bool active;
	bool acked;
	bool indirect_sent;
	uint16_t slot;
	struct actor target;
	uint32_t seq;
	uint32_t unsent;               /* of its packets: still in the output queue */
	uint16_t helpers[HELPERS_MAX]; /* slots */
	uint32_t nacks_wanted;         /* one of each helper */
	uint32_t nacks;
	uint32_t nacked; /* bit i: helpers[i] said so */
	uint64_t sent_ns;
	uint64_t indirect_ns;
	uint64_t asked_ns; /* when the helpers were asked */
};

struct swim {
	struct swim_config config;
	struct swim_profile profile;
	struct sw_random random;
	enum swim_phase phase;
	struct swim_counters counters;

	struct member members[SW_MEMBERS_MAX];
	uint16_t homes[HOMES_COUNT]; /* by a hash of the id: 1 + the slot where it probably is */
	uint32_t member_count;       /* slots used, 0 is this server */
	uint32_t live_count;         /* alive or suspect, with this server */
	uint32_t suspect_count;
	uint64_t next_verdict_ns; /* not later than the earliest verdict */
	uint32_t gossip_count;    /* members with gossip_left > 0 */
	uint64_t digest;
	uint64_t version;

	struct probe probe;
	uint64_t next_probe_ns;
	uint16_t order[SW_MEMBERS_MAX];
	uint32_t order_len;
	uint32_t order_at;
	uint16_t confirm_slot; /* a suspect to be probed before its turn; NO_SLOT: none */
	uint32_t next_seq;
	uint32_t health;
	struct relay relays[RELAYS_MAX];
	uint32_t relay_count; /* under way */

	uint64_t next_join_ns;
	uint64_t join_done_ns; /* when enough seeds have had time to answer */
	uint64_t next_join_ask_ns;
	uint32_t seeds_answered; /* bit i: seeds[i] */
	uint32_t join_acks;
	bool remembered;
	uint64_t next_rejoin_ns;
	uint32_t rejoin_at;
	bool rejoin_left_out;  /* the last time it tried nobody */
	uint64_t next_sync_ns; /* with those held for members */
	uint64_t next_meet_ns; /* with others */
	uint64_t next_reap_ns;

	uint64_t clock_ns;     /* of the call under way */
	uint64_t out_since_ns; /* since when something waits to be sent */
	uint64_t last_tick_ns;
	uint64_t next_gossip_ns;
	struct grave
		graves[SW_MEMBERS_MAX]; /* a ring: ids that were reaped, and under which epoch */
	uint32_t grave_count;
	uint64_t budget_ns; /* token bucket: time up to which the budget is spent */

	uint64_t vector_hash;
	uint64_t content_hash;
	bool table_page; /* the packet being read is a table page: an old view, not news */

	struct out out[OUT_MAX];
	uint32_t out_head, out_tail;
	struct job jobs[JOBS_MAX];
	uint32_t job_head, job_tail;
	struct swim_event events[EVENTS_MAX];
	uint32_t event_head, event_tail;
};

/* table.c */
static inline uint32_t table_home(uint64_t id)
{
	return (uint32_t)(id ^ id >> 32) % HOMES_COUNT;
}

static inline bool table_is_at(const struct swim *swim, uint32_t slot, uint64_t id)
{
	return swim->members[slot].record.actor.id == id && swim->members[slot].used;
}

uint16_t table_search(const struct swim *swim, uint64_t id);

/* The slot, or NO_SLOT. */
static inline uint16_t table_find(const struct swim *swim, uint64_t id)
{
	uint16_t home = swim->homes[table_home(id)];
	if (home == 0)
		return NO_SLOT; /* nobody with this hash was ever here */
	if (table_is_at(swim, home - 1u, id))
		return (uint16_t)(home - 1);
	return table_search(swim, id);
}

/* How a record came here: what of it may be believed at once. */
enum hearsay {
	HEARSAY_GOSSIP, /* news */
	HEARSAY_TABLE,  /* a view that may be old: dead of a live one is taken as suspect */
};
void table_merge(struct swim *swim, uint64_t now_ns, const struct wire_member *record,
	enum hearsay hearsay, uint64_t from_id, const struct sw_endpoint *from);
void table_suspect(
	struct swim *swim, uint64_t now_ns, uint16_t slot, uint64_t accuser_id, const char *why);
/* It did not answer this server, which probed it for another. */
void table_silent(struct swim *swim, uint64_t now_ns, uint16_t slot);
void table_shift_suspicions(struct swim *swim, uint64_t now_ns, uint64_t lost_ns);
void table_verdicts(struct swim *swim, uint64_t now_ns);
uint64_t table_next_verdict(const struct swim *swim);
void table_reap(struct swim *swim, uint64_t now_ns);
void table_self_set(
	struct swim *swim, uint64_t now_ns, const struct wire_member *record, const char *why);
/* Goes on under the next epoch; where there is none, stands down. */
void table_take_epoch_above(struct swim *swim, uint64_t now_ns, uint32_t above);
void table_heard(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from);
bool swim_is_live(const struct member *m);
bool swim_is_lost(const struct member *m); /* dead or forgotten: it may be back */
/* A record's share of the digest, which is their sum. */
uint64_t table_record_hash(const struct wire_member *r);

/* join.c */
void table_send(struct swim *swim, uint64_t to_id, const struct sw_endpoint *to);

/* gossip.c */
void gossip_record(struct swim *swim, uint16_t slot);
void gossip_tick(struct swim *swim, uint64_t now_ns);
void gossip_to_all(struct swim *swim, uint16_t slot);
void gossip_piggyback(struct swim *swim, uint16_t must, struct sw_writer *w);
/* False: the queue is full. */
bool swim_out_push(struct swim *swim, const struct out *out);
void swim_event_push(struct swim *swim, uint64_t now_ns, enum swim_event_kind kind,
	const struct wire_member *record, const char *why);

/* probe.c */
void probe_tick(struct swim *swim, uint64_t now_ns, bool paused);
uint64_t probe_deadline(const struct swim *swim);
void probe_ack(struct swim *swim, uint64_t now_ns, uint64_t from_id, uint32_t seq);
/* News of a suspicion: perhaps this server is one of the few who look for themselves at once. */
void probe_suspect_first(struct swim *swim, uint16_t slot);
void probe_nack(struct swim *swim, uint64_t now_ns, uint64_t from_id, uint32_t seq);
void probe_dropped(struct swim *swim, uint32_t seq);
void probe_sent(struct swim *swim, uint64_t now_ns, uint32_t seq);
void probe_request(struct swim *swim, uint64_t now_ns, uint64_t asker_id,
	const struct sw_endpoint *asker, const struct wire_ping_req *request);
void probe_insert(struct swim *swim, uint16_t slot);
void swim_health_worse(struct swim *swim, uint32_t by);
void swim_health_better(struct swim *swim);

/* join.c */
void join_tick(struct swim *swim, uint64_t now_ns);
uint64_t join_deadline(const struct swim *swim);
void join_request(struct swim *swim, uint64_t now_ns, const struct wire_member *asker,
	const struct sw_endpoint *from);
void join_ask_member(struct swim *swim, uint64_t now_ns, const struct sw_endpoint *member);
void join_answer(struct swim *swim, uint64_t now_ns, const struct sw_endpoint *from,
	const struct wire_join_ack *ack);
