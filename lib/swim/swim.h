/* Membership: who is here, by probing, suspicion and gossip.
 *
 * SWIM (Das, Gupta, Motivala: SWIM, 2002): randomised round-robin probing (4.3), k indirect probes
 * (3.1), suspicion that an incarnation refutes (4.2), dissemination piggybacked on probes (4.1).
 * Lifeguard (Dadgar, Phillips, Currey: Lifeguard, 2017): local health (IV-A, with NACKs), suspicion
 * that shrinks with independent confirmations (IV-B), buddy (IV-C). Beyond them: a member's record
 * is a lattice, (epoch, forgotten, instance, left, incarnation, state) and join = max, so that
 * order of arrival does not matter; a change goes to everybody at once while the packet budget
 * allows; probes carry a digest of the table, and servers that differ exchange table pages; a
 * verdict that was reached while this server itself was not running is void.
 *
 * The machine does no I/O: time, packets and a seed come in, packets and events go out. One owner
 * calls everything here (lane 0, or a simulator). Nothing is allocated after swim_create(). All
 * times are nanoseconds of one monotonic clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/limits.h"
#include "wire/wire.h"

struct swim;

/* Timings: a complete named set. */
struct swim_profile {
	uint64_t probe_interval_ns;
	uint64_t probe_timeout_ns; /* then indirect probes are sent; below the interval */
	uint64_t suspicion_min_ns; /* with enough independent confirmations */
	uint64_t suspicion_max_ns; /* with none */
	bool suspicion_scales; /* both are multiplied by log10 of the members, if that is above 1 */
	uint64_t table_sync_interval_ns; /* pages are asked for this often at most */
	uint64_t join_interval_ns;       /* between JOINs to the seeds */
	uint64_t join_wait_ns;           /* seeds silent this long: go on alone */
	uint64_t rejoin_interval_ns;     /* some lost members and seeds are tried this often, for
					    ever */
	uint64_t reap_after_ns;          /* dead and left records are kept this long */
	uint32_t indirect_probes;
	uint32_t gossip_factor;      /* lambda: a record rides on lambda * log2(n + 1) packets */
	bool gossip_decimal;         /* log10 instead: as memberlist counts */
	uint32_t packets_per_s_max;  /* budget of direct dissemination */
	uint64_t gossip_interval_ns; /* news also go to gossip_fanout random members this often; 0:
					never */
	uint32_t gossip_fanout;
	uint64_t forget_after_ns; /* a dead server is waited for this long */
};

/* What stands beyond plain SWIM. All are on in the appliance; the simulator compares. */
struct swim_features {
	bool local_health; /* Lifeguard IV-A: own health stretches interval and timeout; NACKs */
	bool suspicion_shrinks; /* Lifeguard IV-B: from max to min by independent confirmations;
				   off: min */
	bool buddy;             /* Lifeguard IV-C: who is suspected is told so first */
	bool direct;            /* changes go to everybody at once within the budget */
	bool table_digest;      /* tables that differ are exchanged */
	bool pause_aware;       /* verdicts across own pauses are void */
	bool confirm_first;     /* a few of those who hear of a suspicion probe the suspect next */
	bool zones;             /* indirect probes through another zone than the target's first */
	bool witnesses; /* helpers count: all NACKs settle a probe, their own failed pings confirm
			   it */
};

#define SWIM_FEATURES_ALL                                                                          \
	{                                                                                          \
		.local_health = true, .suspicion_shrinks = true, .buddy = true, .direct = true,    \
		.table_digest = true, .pause_aware = true, .confirm_first = true, .zones = true,   \
		.witnesses = true,                                                                 \
	}
extern const struct swim_features swim_features_all;
extern const struct swim_features swim_features_plain; /* SWIM as published */

extern const struct swim_profile swim_profile_metal;
extern const struct swim_profile swim_profile_lan;
extern const struct swim_profile swim_profile_virtual;
/* The times of the Lifeguard paper's experiments (memberlist's LAN defaults, alpha 5, beta 6). */
extern const struct swim_profile swim_profile_paper;

struct swim_config {
	uint64_t id;
	uint32_t epoch; /* 1 or more; the join may raise it */
	uint64_t instance;
	char name[SW_NAME_MAX + 1];
	char zone[SW_ZONE_MAX + 1];
	uint16_t weight;
	struct sw_endpoint at;
	struct sw_endpoint seeds[SW_SEEDS_MAX];
	uint32_t seed_count;
	struct swim_profile profile;
	struct swim_features features;
	uint64_t random_seed;
};

enum swim_phase {
	SWIM_JOINING, /* asks the seeds which epochs they remember; not yet a member */
	SWIM_RUNNING,
	SWIM_LEFT,       /* said so to everybody */
	SWIM_STOOD_DOWN, /* another live server has this id and a newer life */
};

struct swim_member {
	struct wire_member record;
	bool self;
	uint64_t since_ns; /* of this state */
	uint64_t heard_ns; /* last packet straight from it; 0: never */
	uint64_t rtt_ns;   /* of the last direct probe; 0: none yet */
	const char *why;   /* of the last change, in words */
};

enum swim_event_kind {
	SWIM_EVENT_ALIVE, /* new, or back */
	SWIM_EVENT_SUSPECT,
	SWIM_EVENT_REFUTED, /* was suspect, and answered for itself */
	SWIM_EVENT_DEAD,
	SWIM_EVENT_LEFT,
	SWIM_EVENT_FORGOTTEN, /* was dead for longer than anybody waits, or an operator said so */
	SWIM_EVENT_CHANGED,   /* drain, weight, zone or address */
	SWIM_EVENT_RUNNING,   /* this server is a member now, under record.actor */
	SWIM_EVENT_EPOCH,     /* this server goes on under a larger epoch */
	SWIM_EVENT_STOOD_DOWN,
};

struct swim_event {
	enum swim_event_kind kind;
	uint64_t at_ns;
	struct wire_member record;
	const char *why;
};

/* Written by the owner alone; anyone may read single words. */
struct swim_counters {
	uint64_t probes;
	uint64_t probes_failed;
	uint64_t probes_indirect;
	uint64_t probes_voided; /* the verdict fell into a pause of this server */
	uint64_t pauses;
	uint64_t acks;
	uint64_t acks_stale;
	uint64_t nacks;
	uint64_t suspicions;
	uint64_t confirmations;
	uint64_t refutations; /* of suspicions about this server */
	uint64_t table_requests;
	uint64_t table_pages;
	uint64_t direct_sent;
	uint64_t direct_over_budget;
	uint64_t output_full; /* messages dropped: the output queue was full; gossip comes again */
	uint64_t events_lost;
	uint64_t members_refused; /* table full */
	uint64_t malformed;
};

struct swim *swim_create(const struct swim_config *config, uint64_t now_ns);
void swim_destroy(struct swim *swim);

/* A packet that passed its checks comes in: once before its messages. `from` is where it came from.
 */
void swim_packet_begin(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from);

/* One message of that packet. Types that are not membership's are ignored. A PING is not answered
 * here: the owner does so with swim_answer() when the whole packet is read. */
void swim_input(struct swim *swim, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, struct wire_message *message);

/* A packet of one PING with that table digest and nothing else: swim_packet_begin() and
 * swim_input() of it. */
void swim_ping(struct swim *swim, uint64_t now_ns, struct actor sender, uint64_t instance,
	const struct sw_endpoint *from, uint64_t digest);

/* True: until membership hears or does something else, swim_answer() writes this ACK, but for the
 * seq, and nothing behind it, whoever asks. */
bool swim_answers_alike(const struct swim *swim, struct wire_probe *ack);

/* Writes ACK (to the PING with this seq) and gossip for the member `to_id` into an empty body. Not
 * to be called in a phase after SWIM_RUNNING: who answers is held for alive. */
void swim_answer(struct swim *swim, uint64_t now_ns, uint64_t to_id, uint32_t seq,
	struct sw_writer *messages);

/* To be called at or soon after swim_deadline(); later than that is taken for a pause. */
void swim_tick(struct swim *swim, uint64_t now_ns);
uint64_t swim_deadline(const struct swim *swim);

/* The next packet to send: its messages, whom and where to. False: nothing more. */
bool swim_output(struct swim *swim, uint64_t now_ns, struct sw_writer *messages, uint64_t *to_id,
	struct sw_endpoint *to);

bool swim_next_event(struct swim *swim, struct swim_event *event);

/* What probes say of the map; the owner sets it when it changes. */
void swim_set_map_hashes(struct swim *swim, uint64_t vector_hash, uint64_t content_hash);

void swim_drain(struct swim *swim, uint64_t now_ns, bool on);
/* 1 … SW_WEIGHT_MAX: this server's share of the keys, from now on. */
void swim_set_weight(struct swim *swim, uint64_t now_ns, uint16_t weight);
void swim_leave(struct swim *swim, uint64_t now_ns);
/* Nobody waits for this dead server any longer. 0; -ENOENT; -EBUSY: it is not dead. */
int swim_forget(struct swim *swim, uint64_t now_ns, uint64_t id);

enum swim_phase swim_phase(const struct swim *swim);
bool swim_was_remembered(const struct swim *swim); /* a seed knew an earlier life of this server */
bool swim_has_output(const struct swim *swim);
struct actor swim_self(const struct swim *swim);
uint64_t swim_table_digest(const struct swim *swim);
/* Grows with each change that swim_members() shows (not with heard_ns and rtt_ns). */
uint64_t swim_version(const struct swim *swim);
uint32_t swim_local_health(const struct swim *swim); /* 0: well … 8 */
const struct swim_counters *swim_counters(const struct swim *swim);

/* Copies at most `cap` members (this server first) and returns how many there are. */
uint32_t swim_members(const struct swim *swim, struct swim_member *out, uint32_t cap);

/* Others have closed `epoch` while this server was away: if it is still this server's, it goes on
 * under a larger one. */
void swim_renew(struct swim *swim, uint64_t now_ns, uint32_t epoch);

/* (epoch, forgotten, instance, left, incarnation, state) of one server's records: < 0, 0, > 0. The
 * lattice's order. Left and forgotten end a life: no refutation that is still on its way comes
 * after them, and who is forgotten goes on under a larger epoch. */
int swim_record_compare(const struct wire_member *a, const struct wire_member *b);
