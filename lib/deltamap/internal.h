/* What the files of deltamap share. Not for others. */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "deltamap/blocks.h"
#include "deltamap/bounds.h"
#include "deltamap/mutation.h"
#include "deltamap/store.h"

enum {
	PUSH_FANOUT_MAX = 16,
	VECTOR_PER_PACKET = 60,
	WINDOW = WIRE_SESSION_WINDOW,
	SESSION_HEAD = WIRE_MESSAGE_HEADER_LEN + 22,
	RECORD_HEAD = WIRE_MESSAGE_HEADER_LEN + 40 + 2 * 20,
};

#define BUDGET_DEPTH_NS    (10 * SW_NS_PER_MS)
#define SESSION_RESERVE_NS (BUDGET_DEPTH_NS / 2)

/* Clocks above this come from nobody's counting; there is always room for one more overwrite. */
#define MAP_CLOCK_MAX (UINT64_MAX >> 2)

_Static_assert(RECORD_HEAD + MAP_PAYLOAD_MAX + SESSION_HEAD <= WIRE_MESSAGES_MAX,
	"a record fits a session packet");
_Static_assert(WIRE_MESSAGE_HEADER_LEN + 40 <= sizeof(struct record) + sizeof(uint64_t) &&
		       20 <= sizeof(struct dot),
	"a record takes less on the wire than in memory");
_Static_assert(SESSION_HEAD + WIRE_MESSAGE_HEADER_LEN + VECTOR_PER_PACKET * WIRE_VECTOR_ENTRY_LEN <=
		       WIRE_MESSAGES_MAX,
	"a vector part fits a session packet");

struct peer {
	struct actor actor;
	struct sw_endpoint at;
	uint64_t starting_ns; /* when it last said that it is starting itself; 0: never */
	uint64_t told_ns;     /* when it was last told this replica's vector */
	uint16_t room;        /* bytes of messages of a packet to it */
	uint16_t row;         /* of its reports */
};

/* A member that is waited for, and what it last reported. */
struct row {
	_Atomic uint64_t id; /* 0: nobody; owner: rw, readers: ro, as all of it */
	_Atomic uint32_t epoch;
	_Atomic bool live;
	_Atomic uint64_t at_ns;
	uint64_t odd_content, odd_vector, odd_mine; /* unequal content under equal vectors */
	uint32_t odd_probes;                        /* that said so */
	uint64_t next_alarm_ns;
	uint64_t synced;        /* vector hash of this replica when the row was last equal to it */
	_Atomic uint64_t *seqs; /* entries, by actor slot */
};

/* What lanes have heard in probes: the last of each id. A torn one does not add up. */
struct probe_box {
	_Atomic uint64_t id, epoch, vector_hash, content_hash, sum;
} __attribute__((aligned(64)));

enum out_kind { OUT_GET, OUT_DONE, OUT_REFUSE, OUT_VERSION };

struct out {
	enum out_kind kind;
	uint64_t to_id;
	struct sw_endpoint to;
	uint64_t nonce;
	uint8_t reason;
	uint8_t part, parts;
	bool first_session, reconcile, report, repair;
	struct wire_session_get get;
};

/* One push packet, as encoded, on its way to all peers, or to `targets`. */
struct push_job {
	uint16_t len;
	uint16_t next;
	uint16_t end; /* peers of that moment, or targets */
	bool epidemic;
	uint16_t targets[PUSH_FANOUT_MAX];
	uint64_t had[(SW_MEMBERS_MAX + 63) /
		     64]; /* bit: that peer had it, behind an earlier one's */
	uint8_t bytes[WIRE_MESSAGES_MAX];
};

/* A session that is served: a snapshot whose records are pinned, so that a packet that is sent
 * again is the same packet. Taken piece by piece (gather.c); until then it has no packets. */
struct serving {
	bool open;    /* the asker may still want it */
	bool waiting; /* for its turn to be gathered; `vector` is the asker's */
	bool full;    /* of everything that is held, with the collected vector */
	bool repair;
	struct actor asker;
	struct sw_endpoint at;
	uint64_t nonce;
	uint32_t snapshot;
	uint64_t last_ns;
	record_ref *refs; /* records_max; the last one goes out first */
	uint32_t ref_count;
	uint32_t *starts; /* of each data packet, in refs; one more than there are */
	uint32_t starts_max;
	uint32_t data_packets;
	uint16_t packet_room;           /* bytes of messages of a packet: the asker's path */
	uint32_t room;                  /* in the last of them */
	uint32_t vector_packets, heads; /* packets of the vector; with the collected one's */
	uint32_t packets;
	struct version_vector vector, collected;
	uint32_t next_bucket; /* of the table, for a repair */
	uint32_t pending[PENDING_MAX];
	uint32_t pending_head, pending_tail;
	uint32_t sent_to; /* first packet that was never sent */
};

/* A packet that came before the vectors. */
struct early {
	uint16_t len;
	uint8_t bytes[WIRE_MESSAGES_MAX];
};

enum pull_kind { PULL_DELTA, PULL_FIRST, PULL_RECONCILE, PULL_REPAIR };

/* The session that is asked for. One at a time. */
struct pulling {
	bool open;
	enum pull_kind kind;
	bool begun;   /* the first packet came: snapshot and packets are known */
	bool joining; /* all is in, and is being joined */
	uint32_t heads, heads_in;
	uint64_t taken; /* records that were news */
	struct actor peer;
	struct sw_endpoint at;
	uint64_t nonce;
	uint32_t snapshot;
	uint32_t packets;
	uint32_t got_count;
	uint32_t base;  /* all below are in */
	uint32_t asked; /* all below were asked for */
	uint64_t *got;  /* bitmap */
	uint64_t progress_ns;
	uint64_t asked_ns;
	struct version_vector vector, collected;
	struct early early[EARLY_MAX];
};

struct assembly {
	struct actor asker;
	uint64_t nonce;
	uint64_t at_ns;
	uint32_t parts_in; /* bitmap */
	struct version_vector vector;
};

/* Records of the next packets, on their way to the caches, with what was worked out for that. */
struct ahead {
	uint32_t count, step;
	uint32_t taken; /* all before have been merged */
	struct ahead_record {
		const uint8_t *payload; /* in its packet: which one it is */
		record_ref ref;
		uint64_t hash;
		struct wire_record record;
	} records[AHEAD_MAX];
};

struct map {
	struct map_config config;
	struct blocks blocks;
	struct sw_random random;
	struct store store;
	struct map_counters counters;
	struct actor self;
	uint16_t self_slot;
	_Atomic uint64_t last_seq;
	_Atomic uint64_t floor;
	_Atomic bool ready;
	_Atomic uint32_t joins; /* odd while a full-state join removes records */

	struct peer peers[SW_MEMBERS_MAX]; /* live */
	uint32_t peer_count;
	struct map_peer others[SW_MEMBERS_MAX]; /* dead or over */
	uint32_t other_count;
	struct row rows[MAP_REPORTS_MAX];
	uint32_t row_end; /* all from here on were never used */
	_Atomic uint64_t *row_seqs;
	struct probe_box probes[PROBES_MAX];
	uint64_t buckets[WIRE_BUCKETS_COUNT]; /* of the request that is taken in */
	_Atomic uint64_t probed[PROBES_MAX / 64];
	uint64_t next_look_ns;
	uint32_t next_look;
	uint64_t next_report_ns;
	uint32_t next_report;
	uint64_t next_collect_ns;
	uint64_t input_floor;  /* of the packet that is taken in */
	uint64_t blocked_hash; /* the vector's, when blocked tombstones were last looked at */
	uint64_t next_horizon_ns;
	uint32_t horizon_looks;  /* that found something waiting */
	uint64_t horizon_marker; /* seq of this server's own; 0: none yet */
	uint16_t horizon_marker_slot;
	uint8_t mark; /* of the reconciliation under way */
	uint32_t join_bucket;
	uint64_t join_dropped, join_lifted;
	_Atomic uint32_t closed_epoch; /* of this server's own, by others */
	bool running;
	uint64_t quiet_since_ns; /* running, not ready and nobody to start from */

	record_ref push_queue[PUSH_QUEUE_MAX];
	uint32_t push_head, push_tail;
	uint32_t push_bytes;
	uint64_t push_due_ns;
	struct push_job jobs[PUSH_JOBS_MAX];
	uint32_t job_head, job_tail;

	struct serving serving[MAP_SESSIONS_MAX];
	uint32_t serving_count;                 /* open, or with records to give back */
	struct serving *gathering;              /* the one whose snapshot is being taken */
	uint64_t repairing[WIRE_BUCKETS_COUNT]; /* its asker's, if it is a repair */
	uint32_t serving_next;
	uint32_t next_snapshot;
	struct assembly assemblies[ASSEMBLIES_MAX];
	struct pulling pulling;
	uint32_t got_words;
	uint64_t next_pull_ns;
	uint64_t no_hint_before_ns; /* there was no room: news do not hasten the next pull */
	uint64_t hint_id;
	uint64_t budget_ns;

	struct out out[OUT_MAX];
	uint32_t out_head, out_tail;
	struct version_vector scratch;
	struct ahead ahead[2]; /* the group that is fetched, and the one before, which is merged */
	uint8_t ahead_now;
};

/* members.c */
void map_out_push(struct map *map, const struct out *out);
struct peer *map_peer_find(struct map *map, uint64_t id);
/* Is no more written under this actor, as far as membership knows? */
bool member_is_over(const struct map *map, struct actor actor);

void members_tick(struct map *map, uint64_t now_ns);

/* report.c */
int report_init(struct map *map, struct blocks *blocks);
/* Gives each member that is waited for its row. */
void report_members(struct map *map);
void report_vector(
	struct map *map, uint64_t now_ns, struct actor from, const struct version_vector *vv);
/* What all that are waited for have reported of a slot: SEQ_MAX and more if closed everywhere. */
uint64_t report_stable(const struct map *map, uint16_t slot);
void report_forget(struct map *map, uint16_t slot);
void report_tick(struct map *map, uint64_t now_ns);

/* collect.c */
/* What moved at a slot since it was last looked at: tombstones to collect, an epoch to close. */
void collect_tick(struct map *map, uint64_t now_ns);
uint64_t collect_deadline(const struct map *map);
/* Does this vector reach as far as everything that was collected here? */
bool collect_is_covered_by(const struct map *map, const struct version_vector *vv);
void collect_vector(const struct map *map, struct version_vector *vv);

/* closing.c */
/* Takes over the closures of a vector that was seen. False: not now, nothing may be done with it
 * yet: there was no room to adopt what lies beyond a cap, or this server's own epoch is closed. */
bool closing_learn(struct map *map, const struct version_vector *vv);
bool closing_mark(struct map *map, struct actor_slot *a, uint64_t cap);
void closing_slot(struct map *map, uint16_t slot);

/* horizon.c */
#define MAP_HORIZON_ID UINT64_MAX /* no server's: its entry is the horizon */
uint32_t horizon_epoch(const struct map *map);
uint32_t horizon_of(const struct version_vector *vv);
bool horizon_is_entry(struct actor actor);
void horizon_tick(struct map *map, uint64_t now_ns);

/* reconcile.c */
void reconcile_begin(struct map *map);
/* False: more is to be done. */
bool reconcile_join(struct map *map, const struct version_vector *theirs);

/* merge.c */
enum local_write { WRITE_PUT, WRITE_DELETE, WRITE_RETIRE };
enum merge_how { MERGE_PUSH, MERGE_SESSION, MERGE_RECONCILE, MERGE_REPAIR };
enum merge_result {
	MERGE_NEW,
	MERGE_OLDER,
	MERGE_COLLECTED, /* was here once; what came after it has been collected */
	MERGE_FULL,
	MERGE_ACTORS,
	MERGE_REFUSED
};
/* Merging is max over stamps. The caller moves the vector, if what is returned allows it. `hash`:
 * map_key_hash() of its key. */
enum merge_result map_merge_record(
	struct map *map, const struct wire_record *w, uint64_t hash, enum merge_how how);
/* The same record under a dot of this server's own. False: no room. */
bool map_adopt(struct map *map, record_ref ref);
/* Written anew, above the floor. False: no room. */
bool map_lift(struct map *map, record_ref ref);
/* The next dot of this server's, now in its vector. seq 0: there is none. */
struct dot map_own_dot(struct map *map);
void map_event(struct map *map, const struct map_event *event);
void map_changed(struct map *map, const struct record *r, uint64_t hash, bool local, bool gone);
/* Does the vector reach a dot by what was written (not because its epoch is closed)? */
bool map_reaches(const struct map *map, struct dot dot);
record_ref map_write_local(struct map *map, uint64_t wall_ms, const void *key, size_t key_len,
	const void *value, size_t value_len, enum local_write kind, int *error);
uint64_t map_key_hash(const struct map *map, const void *key, size_t key_len);
void map_record_to_wire(const struct record *r, struct wire_record *w);

/* prefetch.c */
/* A record of a packet and its key's hash, as they were worked out when its memory was fetched, or
 * worked out into *room. NULL: it is malformed. */
const struct ahead_record *ahead_record(
	struct map *map, struct sw_reader *payload, struct ahead_record *room);

/* push.c */
void push_write(struct map *map, uint64_t now_ns, record_ref ref);
void push_tick(struct map *map, uint64_t now_ns);
/* True: it was news. */
bool push_input(struct map *map, const struct wire_record *record, uint64_t hash);
/* A packet whose records are to be passed on was news here. */
void push_relay(struct map *map, uint8_t hops, const uint8_t *records, size_t len);
bool push_output(struct map *map, struct sw_writer *w, uint64_t *to_id, struct sw_endpoint *to);

/* serve.c */
void serve_version(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, const struct wire_version_req *req,
	const struct version_vector *part);
void serve_get(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, const struct wire_session_get *get);
void serve_done(struct map *map, const struct wire_header *header, uint64_t nonce);
void serve_tick(struct map *map, uint64_t now_ns);
void serve_room(struct map *map, uint64_t asker_id, uint16_t room);
uint64_t serve_deadline(const struct map *map);
/* It has its packets: the first window of them goes out. */
void serve_gathered(struct serving *sv);
bool serve_output(struct map *map, uint64_t now_ns, struct sw_writer *w, uint64_t *to_id,
	struct sw_endpoint *to);

/* gather.c */
bool gather_is_free(const struct map *map, const struct serving *sv);
/* Takes the session's snapshot, now or when it is its turn. */
void gather_want(struct map *map, struct serving *sv);
/* Ends the session, whatever it had come to. */
void gather_close(struct map *map, struct serving *sv);
/* Before the map is cleared: who begins anew serves nobody. */
void gather_end_all(struct map *map);
void gather_tick(struct map *map);
bool gather_has_work(const struct map *map);

/* pull.c */
void pull_data(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct wire_session_data *data, struct sw_reader *messages);
void pull_refused(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct wire_session_refuse *refuse);
void pull_tick(struct map *map, uint64_t now_ns);
uint64_t pull_deadline(const struct map *map);
void pull_soon(struct map *map, uint64_t now_ns, uint64_t server_id);
/* Asks for what lies in the parts of the map that differ. False: not now. */
bool pull_repair(struct map *map, uint64_t now_ns, uint64_t server_id);
/* Queues this replica's vector, in parts, with what `like` says of it. */
void pull_send_vector(
	struct map *map, uint64_t to_id, const struct sw_endpoint *to, const struct out *like);
