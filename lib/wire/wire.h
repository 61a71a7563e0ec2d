/* The packet format, version 1: encode and decode, nothing else. docs/wire.md is its specification.
 *
 * A packet is one UDP payload:
 *
 *   header (40 bytes, authenticated) | body: prelude, then messages (sealed) | tag (16 bytes)
 *
 * With key id 0 the packet is in the clear and its tag is a checksum. All integers are big-endian,
 * all padding is zero. A message is a type, flags, a length and that many bytes; a type that is not
 * known is skipped. Decoders check each length, take nothing on trust and never allocate; what they
 * return points into the packet. Pure; any core.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/limits.h"
#include "causal/causal.h"

enum {
	WIRE_VERSION = 1,
	WIRE_HEADER_LEN = 40,
	WIRE_TAG_LEN = 16,
	WIRE_PRELUDE_LEN = 24,
	WIRE_MESSAGE_HEADER_LEN = 4,
	WIRE_PACKET_MAX = 1448, /* 1,500 less IPv6 and UDP headers, rounded down to 8 */
	WIRE_JUMBO_MAX = 9928,  /* the same of 9,978: for whom the path was found to carry it */
	WIRE_BODY_MAX = WIRE_PACKET_MAX - WIRE_HEADER_LEN - WIRE_TAG_LEN,
	WIRE_MESSAGES_MAX = WIRE_BODY_MAX - WIRE_PRELUDE_LEN, /* bytes of messages in a packet */
	WIRE_BODY_JUMBO_MAX = WIRE_JUMBO_MAX - WIRE_HEADER_LEN - WIRE_TAG_LEN,
	WIRE_AROUND_MESSAGES = WIRE_PACKET_MAX - WIRE_MESSAGES_MAX,
	WIRE_KEY_CLEAR = 0,
	WIRE_VECTOR_ENTRY_LEN = 20,
	WIRE_SESSION_WINDOW = 128, /* packets that one SESSION_GET can name */
	WIRE_BUCKETS_COUNT = 128,
	WIRE_RECORD_PAYLOAD_MAX = 1256, /* key and value: any record fits any packet of a session */
};

#define WIRE_MAGIC 0x5357u /* "SW" */

enum wire_type {
	WIRE_PING = 0x01,
	WIRE_ACK = 0x02,
	WIRE_NACK = 0x03,
	WIRE_PING_REQ = 0x04,
	WIRE_MEMBER = 0x05,
	WIRE_JOIN = 0x06,
	WIRE_JOIN_ACK = 0x07,
	WIRE_TABLE_REQ = 0x08,
	WIRE_TABLE = 0x09,
	WIRE_SIZE_PROBE = 0x0a,
	WIRE_SIZE_ACK = 0x0b,
	WIRE_RECORD = 0x20,
	WIRE_VERSION_REQ = 0x21,
	WIRE_VECTOR = 0x22,
	WIRE_SESSION_DATA = 0x23,
	WIRE_SESSION_GET = 0x24,
	WIRE_SESSION_DONE = 0x25,
	WIRE_SESSION_REFUSE = 0x26,
	WIRE_COLLECTED = 0x27,
	WIRE_RELAY = 0x28,
	WIRE_BUCKETS = 0x29,
};

/* "PING", ...; NULL: not one of this version's. */
const char *wire_type_name(uint8_t type);
/* -1: none; NULL is none. */
int wire_type_of_name(const char *name);

static inline bool wire_type_is_map(uint8_t type)
{
	return type >= WIRE_RECORD && type < 0x40;
}

/* Why a packet or a message was not taken. Each is a counter of its own. */
enum wire_error {
	WIRE_OK = 0,
	WIRE_ERR_SHORT,    /* shorter than a header and a tag */
	WIRE_ERR_MAGIC,    /* not ours at all */
	WIRE_ERR_VERSION,  /* a format version that this build does not speak */
	WIRE_ERR_CLUSTER,  /* another cluster's */
	WIRE_ERR_LENGTH,   /* the length in the header is not the packet's */
	WIRE_ERR_KEY,      /* a key id that is not held */
	WIRE_ERR_CHECKSUM, /* in the clear, and damaged */
	WIRE_ERR_BODY,     /* a message is cut off or its fields are out of range */
	WIRE_ERR_COUNT,
};

const char *wire_error_name(enum wire_error e);

struct wire_header {
	uint8_t key_id;
	uint8_t lane;      /* of the sender: the counter counts within it */
	uint16_t body_len; /* prelude and messages, without the tag */
	uint32_t cluster;  /* tells clusters on one wire apart: wire_cluster_tag() */
	struct actor sender;
	uint64_t instance; /* drawn by the sender's process at its start */
	uint64_t counter;  /* nonce = (lane, counter); never repeated by an instance */
};

/* At the start of each body. */
struct wire_prelude {
	uint64_t dst_id;   /* the server meant; 0: whoever listens there */
	uint64_t last_seq; /* the sender's own last write */
	uint64_t floor;    /* the sender's floor (highest clock it collected) */
};

/* ---- packets ---- */

uint32_t wire_cluster_tag(const char *cluster_name);

/* Writes the header alone; what stands behind it is sealed by lib/seal. */
void wire_put_header(uint8_t *packet, const struct wire_header *h);

/* Checks what costs only comparisons: length, magic, version, cluster and the body's length. On
 * WIRE_OK *h is the header and *body the body in place; neither tag nor checksum has been looked
 * at, nor whether key id, lane and sender can be. On an error neither is touched. */
enum wire_error wire_read_header(const uint8_t *packet, size_t len, uint32_t cluster,
	struct wire_header *h, struct sw_reader *body);

/* Lane, sender id and epoch are in range. */
static inline bool wire_header_is_valid(const struct wire_header *h)
{
	return h->lane < SW_LANES_MAX && h->sender.id != 0 && h->sender.id != UINT64_MAX &&
	       h->sender.epoch != 0;
}

/* Writes the header in front of a body that stands at packet + WIRE_HEADER_LEN, and the checksum
 * tag behind it. h->key_id must be WIRE_KEY_CLEAR. Returns the length of the packet. */
size_t wire_finish_clear(uint8_t *packet, const struct wire_header *h);

/* Checks everything about a packet but its body's messages: lengths first, the hash last, and then
 * that sender and lane are in range (WIRE_ERR_BODY if not). On WIRE_OK *h is the header and *body
 * the body in place; on an error neither is touched. */
enum wire_error wire_open_clear(const uint8_t *packet, size_t len, uint32_t cluster,
	struct wire_header *h, struct sw_reader *body);

/* All or nothing, as the messages below. Reading sets r->failed if it is cut off or last_seq >
 * SEQ_MAX. */
void wire_put_prelude(struct sw_writer *w, const struct wire_prelude *p);
void wire_get_prelude(struct sw_reader *r, struct wire_prelude *p);

/* ---- messages ---- */

struct wire_message {
	uint8_t type;
	uint8_t flags;
	struct sw_reader payload;
};

/* The next message of a body. False at its end, or with r->failed if the body is cut off. */
bool wire_next(struct sw_reader *r, struct wire_message *m);

/* PING and ACK; NACK uses seq alone. */
struct wire_probe {
	uint32_t seq;          /* chosen by the asker, repeated by the answer */
	uint64_t table_digest; /* order-independent hash of the sender's member table */
	uint64_t vector_hash;  /* vv_hash() of its map */
	uint64_t content_hash; /* order-independent hash of its live records */
};

struct wire_ping_req {
	uint32_t seq;
	uint64_t target_id;
	struct sw_endpoint target;
};

enum wire_member_state {
	WIRE_ALIVE = 0,
	WIRE_SUSPECT = 1,
	WIRE_DEAD = 2,
	WIRE_LEFT = 3,
	WIRE_FORGOTTEN = 4, /* dead, and waited for no longer */
};

enum { WIRE_MEMBER_DRAIN = 1 };

/* One row of the member table, self-contained. */
struct wire_member {
	struct actor actor;
	uint64_t instance;
	uint32_t incarnation;
	uint8_t state; /* enum wire_member_state */
	uint8_t flags; /* WIRE_MEMBER_* */
	uint16_t weight;
	struct sw_endpoint at;
	uint64_t accuser_id; /* who says suspect or dead; 0: nobody */
	char name[SW_NAME_MAX + 1];
	char zone[SW_ZONE_MAX + 1];
};

/* How large a packet a path carries is found out with packets of that length: the probe says the
 * largest that its sender takes, the answer also how long the probe was. Bytes of whole packets. */
struct wire_size_probe {
	uint32_t seq;
	uint16_t size_max; /* at least WIRE_PACKET_MAX, as everywhere */
};

struct wire_size_ack {
	uint32_t seq;
	uint16_t size; /* of the probe, as it came */
	uint16_t size_max;
};

/* JOIN carries its sender's own record; the answer the largest epoch remembered of that id. */
struct wire_join_ack {
	uint32_t epoch_seen;     /* 0: never heard of it */
	uint64_t instance_seen;  /* the life that had it */
	uint64_t asker_instance; /* of the JOIN that this answers */
};

struct wire_table {
	uint8_t page;
	uint8_t pages;
};

/* A map record. The rendezvous weight of its stamp is not sent: it follows from key and writer.
 * Without WIRE_RECORD_ADOPTED author and dot are the same and travel once; without
 * WIRE_RECORD_PREVIOUS `previous` does not travel and is read as zeros. */
enum {
	WIRE_RECORD_TOMBSTONE = 1, /* a delete: no value */
	WIRE_RECORD_ADOPTED = 2,   /* the dot is not the author's */
	WIRE_RECORD_PREVIOUS = 4,  /* names the author's dot of what it replaced */
};

struct wire_record {
	uint8_t flags;
	uint8_t key_len;
	uint16_t value_len;
	uint64_t clock;      /* Lamport number of the key; 1 … */
	struct dot author;   /* under which it was first written: rest of the stamp */
	struct dot dot;      /* under which it is replicated now */
	struct dot previous; /* if WIRE_RECORD_PREVIOUS */
	uint64_t written_ms; /* the author's wall clock, for people; never compared */
	const uint8_t *key;
	const uint8_t *value;
};

struct wire_version_req {
	uint64_t nonce;
	bool first_session; /* the asker is empty: send everything */
	bool reconcile;     /* the asker joins its whole state with yours: send everything */
	bool report;        /* only tells the vector: no session is wanted */
	bool repair;        /* equal vectors, unequal content: send what BUCKETS shows to differ */
	uint8_t part;       /* the VECTOR behind it is this part … */
	uint8_t parts;      /* … of so many */
};

/* In front of the records or the vector part of one numbered packet of a session. */
struct wire_session_data {
	uint64_t nonce;
	uint32_t snapshot;
	uint32_t index; /* 0 … packets - 1 */
	uint32_t packets;
	uint16_t heads; /* packets 0 … heads - 1 are the vectors' */
};

/* Asks for packets by number: bit i of `wanted` (first word, lowest bit first) is first + i. */
struct wire_session_get {
	uint64_t nonce;
	uint32_t snapshot;
	uint32_t first;
	uint64_t wanted[WIRE_SESSION_WINDOW / 64];
};

enum wire_refusal {
	WIRE_REFUSE_STARTING = 1, /* I have not completed my own first session */
	WIRE_REFUSE_BUSY = 2,     /* as many sessions as I hold are open */
	WIRE_REFUSE_UNKNOWN = 3,  /* that session is not open here (any more) */
	WIRE_REFUSE_RECONCILE =
		4, /* you do not cover what I collected: take my whole state first */
};

struct wire_session_refuse {
	uint64_t nonce;
	uint8_t reason; /* enum wire_refusal */
};

/* Each put writes one whole message or nothing: if it does not fit (or w->failed was set before),
 * it sets w->failed and leaves w->at where it was, so that the messages in front of it are whole.
 * The caller sends those, starts anew and puts it again. Fields out of range are the caller's
 * mistake, and asserted. The _len functions give the whole message with its header.
 *
 * Each get takes the payload of a message of its type, and is false if a field is cut off or out of
 * range; *m is then not to be read. Bytes behind the last field are a later version's, and ignored.
 */
void wire_put_probe(struct sw_writer *w, enum wire_type type, const struct wire_probe *m);
bool wire_get_probe(struct sw_reader *r, struct wire_probe *m);
void wire_put_nack(struct sw_writer *w, uint32_t seq);
bool wire_get_nack(struct sw_reader *r, uint32_t *seq);
void wire_put_ping_req(struct sw_writer *w, const struct wire_ping_req *m);
bool wire_get_ping_req(struct sw_reader *r, struct wire_ping_req *m);
void wire_put_member(struct sw_writer *w, enum wire_type type, const struct wire_member *m);
bool wire_get_member(struct sw_reader *r, struct wire_member *m);
size_t wire_member_len(const struct wire_member *m);
void wire_put_join_ack(struct sw_writer *w, const struct wire_join_ack *m);
bool wire_get_join_ack(struct sw_reader *r, struct wire_join_ack *m);
void wire_put_size_probe(struct sw_writer *w, const struct wire_size_probe *m);
bool wire_get_size_probe(struct sw_reader *r, struct wire_size_probe *m);
void wire_put_size_ack(struct sw_writer *w, const struct wire_size_ack *m);
bool wire_get_size_ack(struct sw_reader *r, struct wire_size_ack *m);
/* A message of a type that is never known, of zeros: `len` bytes with its header, at least that. */
void wire_put_padding(struct sw_writer *w, size_t len);
void wire_put_table_req(struct sw_writer *w);
void wire_put_table(struct sw_writer *w, const struct wire_table *m);
bool wire_get_table(struct sw_reader *r, struct wire_table *m);
void wire_put_record(struct sw_writer *w, const struct wire_record *m);
bool wire_get_record(struct sw_reader *r, struct wire_record *m);
size_t wire_record_len(const struct wire_record *m);
void wire_put_version_req(struct sw_writer *w, const struct wire_version_req *m);
bool wire_get_version_req(struct sw_reader *r, struct wire_version_req *m);
void wire_put_vector(struct sw_writer *w, const struct vv_entry *entries, uint32_t count);
/* As VECTOR: which tombstones the sender of a session has collected. */
void wire_put_collected(struct sw_writer *w, const struct vv_entry *entries, uint32_t count);
/* The records behind it are to be passed on, to that many others. */
void wire_put_relay(struct sw_writer *w, uint8_t hops);
bool wire_get_relay(struct sw_reader *r, uint8_t *hops);
/* The content hash in parts: the share of the keys whose hash ends in each number of 7 bits. */
void wire_put_buckets(struct sw_writer *w, const uint64_t sums[WIRE_BUCKETS_COUNT]);
bool wire_get_buckets(struct sw_reader *r, uint64_t sums[WIRE_BUCKETS_COUNT]);
/* Reads one entry of a VECTOR or COLLECTED payload; false at its end or, with r->failed, at a bad
 * one. */
bool wire_next_vector_entry(struct sw_reader *r, struct vv_entry *entry);
void wire_put_session_data(struct sw_writer *w, const struct wire_session_data *m);
bool wire_get_session_data(struct sw_reader *r, struct wire_session_data *m);
void wire_put_session_get(struct sw_writer *w, const struct wire_session_get *m);
bool wire_get_session_get(struct sw_reader *r, struct wire_session_get *m);
void wire_put_session_done(struct sw_writer *w, uint64_t nonce);
bool wire_get_session_done(struct sw_reader *r, uint64_t *nonce);
void wire_put_session_refuse(struct sw_writer *w, const struct wire_session_refuse *m);
bool wire_get_session_refuse(struct sw_reader *r, struct wire_session_refuse *m);
