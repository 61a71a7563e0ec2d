/* The replicated map: a delta-CRDT under version vectors, one writer, lock-free readers.
 *
 * A record is a register whose stamp, (clock, rendezvous weight of its writer for the key, writer's
 * actor, writer's seq), is totally ordered and extends causality: merging is max, in any order, any
 * number of times. Its dot (actor, seq) says what a version vector must reach to cover it. The
 * invariant: a replica whose vector covers a write holds that write or one with a larger stamp.
 * (Delta-state replication: Almeida, Shoker, Baquero, Delta State Replicated Data Types, 2018;
 * pull by vectors: van der Linde, Leitão, Preguiça, Delta-CRDTs: Making delta-CRDTs Delta-Based,
 * 2016; the clock: Lamport 1978; the weight: Thaler and Ravishankar 1996.)
 *
 * Push: a local write goes to all live peers at once. Pull: a vector goes to a peer, which answers
 * with a session: a snapshot in numbered packets and its vector; records merge as they come, the
 * vector is joined when every packet of that session is in. A replica that starts empty serves
 * nothing and takes nothing but its first session until that is whole.
 *
 * Functions ending in _owner, and the tick, input and output of the protocol: the keeper (one
 * thread). Functions ending in _reader: any core inside a read-side section (see Reclamation). No
 * I/O, no clock: time, packets and a seed are arguments. Nothing is allocated after map_create().
 *
 * Reclamation. A replaced record may still be read. The owner calls map_seal_owner() and, once
 * every reader has passed a quiescent state since then, map_free_owner().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/limits.h"
#include "causal/causal.h"
#include "wire/wire.h"

struct map;
struct record;

enum {
	/* Key and value together: what is left of a packet when a record takes all its options. */
	MAP_PAYLOAD_MAX = WIRE_RECORD_PAYLOAD_MAX,
	MAP_SESSIONS_MAX = 8, /* served at a time */
	MAP_BULK_MAX = 64,    /* keys of one map_get_bulk_reader() */
	MAP_AHEAD_PACKETS = 4,
	MAP_AHEAD_STEPS = 2,
};

/* A record as it is read; key and value are valid as long as the read-side section lasts. */
struct map_view {
	const uint8_t *key;
	const uint8_t *value;
	uint8_t key_len;
	uint16_t value_len;
	bool tombstone;
	bool rival; /* won over a write that did not know of it, by rendezvous */
	uint64_t key_hash;
	uint64_t clock;
	uint64_t weight;
	struct dot author;
	struct dot dot;
	uint64_t written_ms;
};

/* Where a map's memory comes from: all of it in map_create(), given back in map_destroy(). Blocks
 * are aligned to 64 bytes and hold anything; take() returns NULL if there is no room. take == NULL:
 * the heap. */
struct map_memory {
	void *(*take)(void *context, size_t bytes);
	void (*give)(void *context, void *block, size_t bytes);
	void *context;
};

enum map_event_kind {
	/* A full-state join with `peer_id` has ended: `count` records were dropped, `lifted` were
	 * written anew. */
	MAP_EVENT_RECONCILED,
	/* `key` was kept although something as old was collected: three islands that all forgot
	 * each other may so bring a deleted key back. */
	MAP_EVENT_LIFTED,
	MAP_EVENT_CLOSED,   /* the epoch `winner.actor` at `winner.seq` */
	MAP_EVENT_ALARM,    /* equal vectors, unequal content: this server and `peer_id` */
	MAP_EVENT_REPAIRED, /* `count` records came from `peer_id` */
};

struct map_event {
	enum map_event_kind kind;
	uint64_t peer_id;
	const uint8_t *key; /* as long as the call lasts; NULL: none */
	uint8_t key_len;
	struct dot winner, loser; /* authors */
	uint64_t count, lifted;
};

/* How a local write goes out at once. Direct: a packet to each live peer. Epidemic: to a few at
 * random, and whoever finds it new passes it on to as many. By budget: direct, unless that would
 * use up half of the budget's depth of 10 ms. What is missed is pulled. */
enum map_push { MAP_PUSH_BY_BUDGET, MAP_PUSH_DIRECT, MAP_PUSH_EPIDEMIC };

struct map_config {
	struct actor self;
	uint64_t cluster_seed;     /* rendezvous_cluster_seed() */
	uint32_t records_max;      /* with tombstones */
	uint64_t bytes_max;        /* of records, keys and values together */
	uint64_t pull_interval_ns; /* between pulls from random peers */
	uint64_t push_flush_ns;    /* a write waits this long for others to share its packet */
	uint64_t hole_delay_ns;    /* a hole that lasts longer is pulled at once */
	uint64_t resend_ns; /* missing session packets are asked for again after this silence */
	uint64_t session_timeout_ns; /* without progress: given up, on both sides */
	uint64_t first_after_ns;     /* nobody to start from for this long: be the first */
	uint32_t actors_high; /* entries of the vector above which the oldest closed go; 0: 768 */
	uint64_t unknown_after_ns;  /* no word of an actor from membership for this long: over; 0: 1
				       h */
	uint32_t packets_per_s_max; /* budget of pushes and session packets */
	enum map_push push;
	uint32_t push_fanout; /* of epidemic pushes, 1 … 16; 0: 4 */
	uint64_t random_seed;
	/* Called by the owner's calls, each may be NULL. Each record that enters the map, in order
	 * of arrival; a record that reconciliation drops is told as a tombstone. */
	void (*on_change)(void *context, const struct map_view *view, bool local);
	/* Of two versions of a key merging keeps one: told just before, where the other one was
	 * written without knowledge of it (`rival`), and always of a reserved key (see typed.h). */
	void (*on_displaced)(void *context, const struct map_view *kept,
		const struct map_view *displaced, bool rival);
	void (*on_collect)(void *context, const struct map_view *tombstone);
	void (*on_event)(void *context, const struct map_event *event);
	void *context;
	struct map_memory memory;
};

/* What membership knows of another server. A dead one is waited for: nothing is collected that it
 * has not reported. One that left, or that membership has forgotten, is not. */
enum map_peer_state { MAP_PEER_LIVE, MAP_PEER_DEAD, MAP_PEER_OVER };

struct map_peer {
	struct actor actor;
	struct sw_endpoint at;
	enum map_peer_state state;
	uint16_t packet_max; /* the path to it carries; 0: WIRE_PACKET_MAX, which all do */
};

/* What is known of one member's vector. */
struct map_report {
	struct actor actor;
	uint64_t at_ns; /* when it last reported, by the time that the owner was given; 0: never */
	bool live;
};

enum { MAP_REPORTS_MAX = SW_MEMBERS_MAX };

struct map_counters {
	uint64_t puts;
	uint64_t deletes;
	uint64_t merged;           /* records taken from others */
	uint64_t older;            /* records that were known, or older than what is held */
	uint64_t rivals;           /* concurrent writes that rendezvous settled */
	uint64_t refused_full;     /* no room: the vector does not move, so it is asked for again */
	uint64_t refused_starting; /* pushes before the first session */
	uint64_t refused_floor;
	uint64_t refused_fenced; /* from an epoch that is over */
	uint64_t refused_actors; /* the vector is full */
	uint64_t pushes;         /* packets */
	uint64_t pushes_joined;  /* … that rode along in another's: the path carries large ones */
	uint64_t pushes_skipped; /* writes left to pull: queue full or over the budget */
	uint64_t gaps;           /* pushes that came before their predecessor */
	uint64_t absent_covered; /* records that had been collected before they came again */
	uint64_t collected;      /* tombstones */
	uint64_t reports;        /* vectors sent to those who had not heard one for long */
	uint64_t closed;         /* epochs closed, here or by others */
	uint64_t adopted;        /* records of closed epochs that got a dot of this server's */
	uint64_t markers;
	uint64_t dropped_actors; /* entries of closed epochs that left the vector */
	uint64_t own_closed;     /* this server went on under a new epoch */
	uint64_t reconciles;     /* done */
	uint64_t reconcile_told; /* peers that were told to */
	uint64_t reconcile_dropped;
	uint64_t reconcile_skipped;
	uint64_t lifted;
	uint64_t stale; /* peers that were not merged from */
	uint64_t relayed;
	uint64_t alarms;
	uint64_t repairs;
	uint64_t pulls;
	uint64_t pulls_done;
	uint64_t pulls_failed;
	uint64_t pulls_refused;
	uint64_t sessions;
	uint64_t sessions_refused; /* for whatever reason */
	uint64_t sessions_busy;    /* because as many are served as may be */
	uint64_t sessions_expired;
	uint64_t session_packets;
	uint64_t session_packets_again;
	uint64_t malformed;
	uint64_t output_full;
};

struct map *map_create(const struct map_config *config, uint64_t now_ns);
void map_destroy(struct map *map);

/* ---- local writes ----
 * 0 and *dot; or -EAGAIN before the first complete session, -EMSGSIZE if key and value are over
 * their limits, -EINVAL for an empty key, -ENOSPC if the map or its vector is full, -ENOENT for a
 * delete of what is not there, -EOVERFLOW if somebody claimed the largest clock or seq there is. */
int map_put_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *key,
	size_t key_len, const void *value, size_t value_len, struct dot *dot);
int map_del_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *key,
	size_t key_len, struct dot *dot);

/* A delete that keeps the clock of what it deletes where that is enough to stand above it: any
 * later write of the same writer that is not here yet still wins over it. For records that only
 * earlier lives of this server wrote. As map_del_owner(). */
int map_retire_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *key,
	size_t key_len, struct dot *dot);

/* ---- starting from what was kept ----
 * Before anything else is done with the map: the records of a snapshot, one by one, then what its
 * vector covered. The map is then as ready as one that was away since. 0; -ENOSPC if there is no
 * room, -EINVAL for what no map holds; after either, map_restore_none_owner() empties it again. */
int map_restore_record_owner(struct map *map, const struct wire_record *record);
int map_restore_end_owner(struct map *map, const struct version_vector *vv,
	const struct version_vector *collected, uint64_t floor);
void map_restore_none_owner(struct map *map);

/* ---- protocol ---- */

/* Everything after the prelude of one packet that holds map messages. */
void map_input_owner(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct wire_prelude *prelude, const struct sw_endpoint *from,
	struct sw_reader *messages);
/* Brings to the caches what the records of the next packets will touch: map_ahead_owner() with
 * their messages, then map_ahead_step_owner() MAP_AHEAD_STEPS times, best with as many packets of
 * before merged in between. Changes nothing. MAP_AHEAD_PACKETS at a time are best. The packets must
 * stay, unchanged, until they are merged: after the next map_ahead_owner() and before the one after
 * that, which with no packets ends a row of them. */
void map_ahead_owner(struct map *map, const struct sw_reader *packets, uint32_t packet_count);
void map_ahead_step_owner(struct map *map);
/* Something was seen of this server's writes that is not here yet. */
void map_hint_owner(struct map *map, uint64_t now_ns, uint64_t server_id);
void map_tick_owner(struct map *map, uint64_t now_ns);
uint64_t map_deadline(const struct map *map);
/* The next packet to send: `messages` has room for those of the largest packet_max that any peer
 * was given. False: nothing more now. */
bool map_output_owner(struct map *map, uint64_t now_ns, struct sw_writer *messages, uint64_t *to_id,
	struct sw_endpoint *to);

/* All that membership knows, without this server; `running`: it has joined (or is alone). */
void map_peers_owner(struct map *map, uint64_t now_ns, const struct map_peer *peers, uint32_t count,
	bool running);
/* This server goes on under another epoch; the map is kept. */
void map_self_owner(struct map *map, struct actor self);
/* The epoch under which this server writes was closed by others while it was away: membership must
 * take a larger one and say so with map_self_owner(). 0: it was not; else that epoch. Any core. */
uint32_t map_closed_epoch(const struct map *map);
/* Any core: a PING or ACK of `actor` said that its map has these hashes. Never waits; of two at the
 * same moment one may be lost. */
void map_probe(struct map *map, struct actor actor, uint64_t vector_hash, uint64_t content_hash);

/* ---- reclamation ---- */
bool map_has_retired_owner(const struct map *map); /* something to seal */
void map_seal_owner(struct map *map);              /* only when the last sealed ones are freed */
void map_free_owner(struct map *map);

/* ---- reading ---- */

/* False if the key is absent. A tombstone is found, as one. */
bool map_get_reader(const struct map *map, const void *key, size_t key_len, struct map_view *view);
/* Up to MAP_BULK_MAX keys at once: several times as fast as one by one, since their memory is
 * fetched side by side. Bit i of the result says whether key i was found, and found[i] is then its
 * record (the others' are not touched); each key is looked up on its own, not all at one moment. */
struct map_key {
	const void *bytes;
	size_t len;
};
struct map_found {
	const uint8_t *value;
	const struct record *record; /* for map_view_reader() */
	uint16_t value_len;
	bool tombstone;
};
uint64_t map_get_bulk_reader(
	const struct map *map, const struct map_key *keys, uint32_t count, struct map_found *found);
/* All there is to say about a record that was found. */
void map_view_reader(const struct map *map, const struct record *record, struct map_view *view);
/* Calls `visit` for each record of the next buckets after *cursor (0 at first), at most `buckets`
 * of them; in a full map a bucket has two to four records. False when all have been visited. What
 * is written meanwhile may be seen or not. */
bool map_scan_reader(const struct map *map, uint32_t *cursor, uint32_t buckets,
	void (*visit)(void *context, const struct map_view *view), void *context);
/* The seq of an actor that this replica's vector has reached; never more than is true. */
uint64_t map_seq_reader(const struct map *map, struct actor actor);

/* What map_seq_reader() says of all actors, one after the other. */
void map_vector_reader(const struct map *map, struct version_vector *vv);
/* The collected vector: who does not cover it has not seen some deletes, which are gone here. */
void map_collected_reader(const struct map *map, struct version_vector *vv);
/* Grows by one when a full-state join begins to remove records, and again when it is done. */
uint32_t map_joins_reader(const struct map *map);
/* The reported vectors of all members that are not forgotten (dead ones too), without this server's
 * own. Rows 0 … MAP_REPORTS_MAX - 1; false: that row is nobody's. */
bool map_report_reader(const struct map *map, uint32_t row, struct map_report *report);
/* Up to which seq of `of` that member is known to hold everything, or something newer; SEQ_MAX if
 * the epoch is closed there; 0 if the row is no longer that member's. Never more than is true. */
uint64_t map_reported_reader(
	const struct map *map, uint32_t row, struct actor member, struct actor of);
/* Does this replica hold that write, or something newer? */
bool map_covers_reader(const struct map *map, struct dot dot);

/* Single words, from any core. */
bool map_ready(const struct map *map); /* first session complete, or declared first */
uint64_t map_vector_hash(const struct map *map);
uint64_t map_content_hash(const struct map *map); /* of the live records' keys and stamps */
/* For probes: the content hash (never 0), or 0 while the map holds what its vector does not cover.
 * Equal vectors then mean equal content. */
uint64_t map_settled_hash(const struct map *map);
uint64_t map_floor(const struct map *map);
uint64_t map_last_seq(const struct map *map); /* this server's own last write */
uint32_t map_record_count(const struct map *map);
uint32_t map_tombstone_count(const struct map *map);
uint64_t map_memory_bytes(const struct map *map); /* taken at its creation, all in */

/* Owner: this life. */
struct actor map_self(const struct map *map);
/* Owner: the vector, sorted. */
void map_vector_owner(const struct map *map, struct version_vector *vv);
const struct map_counters *map_counters(const struct map *map);

/* The total order of stamps: < 0, 0, > 0. */
int map_stamp_compare(const struct map_view *a, const struct map_view *b);
