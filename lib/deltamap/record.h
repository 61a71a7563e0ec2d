/* A record as it lies in memory, in whole cache lines:
 *
 *   head (48)  key  value  pad to 8  tail
 *   tail: written_ms, of a tombstone its links, of an adopted one its dot, and what it replaced
 *
 * What most records do not have takes no room, and what a reader or a merge needs to tell a key and
 * its stamp stands in the first line with keys of up to 16 bytes. Not for other libraries.
 */
#pragma once

#include <stdatomic.h>

#include "deltamap/deltamap.h"

typedef uint32_t record_ref; /* in units of STORE_UNIT bytes; 0: none */

struct record {
	_Atomic record_ref next; /* behind a full bucket; owner: rw, readers: ro */
	uint16_t value_len;      /* immutable once published, as all down to author_epoch */
	uint8_t flags;           /* WIRE_RECORD_* */
	uint8_t key_len;
	uint64_t clock;
	uint64_t author_id, author_seq;
	uint32_t author_epoch;
	uint32_t place; /* in its actor's order (order.h); owner only, as all down to mark */
	uint16_t actor_slot;
	uint16_t pins;
	uint8_t class;
	bool dead;    /* replaced while pinned; freed when it no longer is */
	uint8_t mark; /* the reconciliation in which the peer was last seen to hold this key */
	bool rival;   /* immutable */
	uint8_t bytes[];
};

_Static_assert(sizeof(struct record) == 48, "a key of 16 bytes ends with the first line");

/* The same actor's tombstones by seq; owner only. */
struct tomb_links {
	record_ref older, newer;
};

enum {
	RECORD_TAIL_MAX = sizeof(uint64_t) + sizeof(struct tomb_links) + 2 * sizeof(struct dot),
	RECORD_MAX = sizeof(struct record) + (MAP_PAYLOAD_MAX + 7) / 8 * 8 + RECORD_TAIL_MAX,
};

static inline size_t record_len(uint8_t flags, size_t key_len, size_t value_len)
{
	size_t len = sizeof(struct record) + (key_len + value_len + 7) / 8 * 8 + sizeof(uint64_t);
	if (flags & WIRE_RECORD_TOMBSTONE)
		len += sizeof(struct tomb_links);
	if (flags & WIRE_RECORD_ADOPTED)
		len += sizeof(struct dot);
	if (flags & WIRE_RECORD_PREVIOUS)
		len += sizeof(struct dot);
	return len;
}

static inline const uint8_t *record_key(const struct record *r)
{
	return r->bytes;
}

static inline const uint8_t *record_value(const struct record *r)
{
	return r->bytes + r->key_len;
}

/* ---- the tail, part by part ---- */

static inline uint64_t *record_written_ms(const struct record *r)
{
	return (uint64_t *)(void *)(r->bytes + ((size_t)r->key_len + r->value_len + 7) / 8 * 8);
}

static inline struct tomb_links *record_tomb(const struct record *r)
{
	return (struct tomb_links *)(record_written_ms(r) + 1);
}

/* Of an adopted record: the dot that is not its author's. */
static inline struct dot *record_own_dot(const struct record *r)
{
	struct tomb_links *at = record_tomb(r);
	return (struct dot *)(void *)(at + ((r->flags & WIRE_RECORD_TOMBSTONE) != 0));
}

static inline struct dot *record_previous(const struct record *r)
{
	return record_own_dot(r) + ((r->flags & WIRE_RECORD_ADOPTED) != 0);
}

/* ---- what they say ---- */

static inline struct dot record_author(const struct record *r)
{
	return (struct dot){{r->author_id, r->author_epoch}, r->author_seq};
}

static inline struct dot record_dot(const struct record *r)
{
	return r->flags & WIRE_RECORD_ADOPTED ? *record_own_dot(r) : record_author(r);
}

static inline uint64_t record_seq(const struct record *r)
{
	return r->flags & WIRE_RECORD_ADOPTED ? record_own_dot(r)->seq : r->author_seq;
}
