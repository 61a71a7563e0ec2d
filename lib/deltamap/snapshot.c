#include "deltamap/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "deltamap/internal.h"

enum {
	BLOCK_HEAD_LEN = 6,
	ENTRIES_PER_BLOCK = 256,
	END_LEN = 24,
	CHECKSUM_LEN = 8,
};

enum kind { KIND_HEAD = 1, KIND_VECTOR, KIND_RECORDS, KIND_COLLECTED, KIND_END };

static const char magic[8] = "SWIMLMAP";

struct snapshot_writer {
	const struct map *map;
	struct snapshot_head head;
	enum kind next;
	uint32_t at; /* entry, or bucket */
	uint32_t joins;
	uint64_t records;
	struct version_vector vector;
	XXH3_state_t *hash;
};

/* ---- writing ---- */

struct snapshot_writer *snapshot_writer_create(
	const struct map *map, const struct snapshot_head *head)
{
	struct snapshot_writer *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->hash = XXH3_createState();
	if (s->hash == NULL) {
		free(s);
		return NULL;
	}
	(void)XXH3_64bits_reset(s->hash); /* fails for NULL only, as the update below */
	s->map = map;
	s->head = *head;
	s->next = KIND_HEAD;
	return s;
}

void snapshot_writer_destroy(struct snapshot_writer *s)
{
	if (s == NULL)
		return;
	(void)XXH3_freeState(s->hash);
	free(s);
}

static uint8_t *begin_block(struct sw_writer *w, enum kind kind)
{
	sw_put_u8(w, (uint8_t)kind);
	sw_put_u8(w, 0);
	uint8_t *at = sw_put_space(w, 4);
	return at;
}

static void end_block(struct sw_writer *w, uint8_t *at)
{
	uint32_t len = htobe32((uint32_t)(w->at - at - 4));
	memcpy(at, &len, 4);
}

static void put_head(const struct snapshot_writer *s, struct sw_writer *w)
{
	uint8_t *block = begin_block(w, KIND_HEAD);
	sw_put_bytes(w, magic, sizeof(magic));
	sw_put_u32(w, SNAPSHOT_VERSION);
	sw_put_u64(w, s->head.id);
	sw_put_u32(w, s->head.epoch);
	sw_put_u64(w, s->head.cluster_seed);
	sw_put_u64(w, s->head.wall_ms);
	end_block(w, block);
}

/* True after the last of them. */
static bool put_entries(struct snapshot_writer *s, struct sw_writer *w, enum kind kind)
{
	uint8_t *block = begin_block(w, kind);
	for (int i = 0; i < ENTRIES_PER_BLOCK && s->at < s->vector.count; i++, s->at++) {
		const struct vv_entry *e = &s->vector.entries[s->at];
		sw_put_u64(w, e->actor.id);
		sw_put_u32(w, e->actor.epoch);
		sw_put_u64(w, e->seq);
	}
	end_block(w, block);
	return s->at == s->vector.count;
}

static uint64_t put_bucket(const struct store *s, uint32_t bucket, struct sw_writer *w)
{
	uint64_t records = 0;
	struct index_walk walk = index_walk(&s->index, bucket);
	for (record_ref ref; (ref = index_next(&s->arena, &walk)) != 0; records++) {
		struct wire_record record;
		map_record_to_wire(store_at(s, ref), &record);
		wire_put_record(w, &record);
	}
	return records;
}

/* Whole buckets, as many as there is room for: 1 more, 0 all, -EFBIG. */
static int put_buckets(struct snapshot_writer *s, uint32_t buckets, struct sw_writer *w)
{
	const struct store *store = &s->map->store;
	uint8_t *block = begin_block(w, KIND_RECORDS);
	for (uint32_t n = 0; n < buckets && s->at <= store->index.mask; n++) {
		uint8_t *before = w->at;
		uint64_t records = put_bucket(store, s->at, w);
		if (w->failed) { /* begins the next step */
			w->failed = false;
			w->at = before;
			if (n == 0)
				return -EFBIG;
			break;
		}
		s->records += records;
		s->at++;
	}
	end_block(w, block);
	return s->at <= store->index.mask;
}

static void put_end(struct snapshot_writer *s, struct sw_writer *w, const uint8_t *begin)
{
	uint8_t *block = begin_block(w, KIND_END);
	sw_put_u64(w, map_floor(s->map));
	sw_put_u64(w, s->records);
	uint32_t len = htobe32(END_LEN);
	memcpy(block, &len, 4);
	(void)XXH3_64bits_update(s->hash, begin, (size_t)(w->at - begin));
	sw_put_u64(w, XXH3_64bits_digest(s->hash));
}

static int step(struct snapshot_writer *s, uint32_t buckets, struct sw_writer *w)
{
	int rc = 1;
	switch (s->next) {
	case KIND_HEAD:
		s->joins = map_joins_reader(s->map);
		if (s->joins % 2 != 0)
			return -EAGAIN;
		put_head(s, w);
		map_vector_reader(s->map, &s->vector); /* first, see above */
		s->at = 0;
		s->next = KIND_VECTOR;
		return 1;
	case KIND_VECTOR:
		if (!put_entries(s, w, KIND_VECTOR))
			return 1;
		s->at = 0;
		s->next = KIND_RECORDS;
		return 1;
	case KIND_RECORDS:
		rc = put_buckets(s, buckets, w);
		if (rc != 0)
			return rc; /* else these were the last */
		map_collected_reader(s->map, &s->vector);
		s->at = 0;
		s->next = KIND_COLLECTED;
		return 1;
	case KIND_COLLECTED:
		if (put_entries(s, w, KIND_COLLECTED))
			s->next = KIND_END;
		return 1;
	case KIND_END: break;
	}
	return map_joins_reader(s->map) == s->joins ? 0 : -EAGAIN;
}

int snapshot_step(struct snapshot_writer *s, uint32_t buckets, uint8_t *bytes, size_t *len)
{
	struct sw_writer w = sw_writer_init(bytes, SNAPSHOT_STEP_MAX);
	int rc = step(s, buckets, &w);
	*len = 0;
	if (rc < 0)
		return rc;
	if (rc == 0)
		put_end(s, &w, bytes);
	else
		(void)XXH3_64bits_update(s->hash, bytes, (size_t)(w.at - bytes));
	*len = (size_t)(w.at - bytes);
	return rc;
}

/* ---- reading ---- */

struct block {
	enum kind kind;
	struct sw_reader bytes;
};

static bool next_block(struct sw_reader *r, struct block *b)
{
	uint8_t kind = sw_get_u8(r), padding = sw_get_u8(r);
	uint32_t len = sw_get_u32(r);
	const uint8_t *at = sw_get_bytes(r, len);
	if (at == NULL || padding != 0 || kind < KIND_HEAD || kind > KIND_END)
		return false;
	b->kind = (enum kind)kind;
	b->bytes = sw_reader_init(at, len);
	return true;
}

static const char *read_head(struct snapshot_head *head, struct sw_reader *r)
{
	const uint8_t *m = sw_get_bytes(r, sizeof(magic));
	if (m == NULL || memcmp(m, magic, sizeof(magic)) != 0)
		return "not a map's copy";
	if (sw_get_u32(r) != SNAPSHOT_VERSION)
		return "of a version that this program does not read";
	head->id = sw_get_u64(r);
	head->epoch = sw_get_u32(r);
	head->cluster_seed = sw_get_u64(r);
	head->wall_ms = sw_get_u64(r);
	return r->failed || sw_reader_left(r) > 0 ? "its head is damaged" : NULL;
}

static bool read_entries(struct version_vector *vv, struct sw_reader *r)
{
	while (sw_reader_left(r) > 0) {
		struct vv_entry e;
		e.actor.id = sw_get_u64(r);
		e.actor.epoch = sw_get_u32(r);
		e.seq = sw_get_u64(r);
		if (r->failed || e.actor.id == 0 || e.actor.epoch == 0 || vv_reach(e.seq) == 0 ||
			vv_raise(vv, e.actor, e.seq) < 0)
			return false;
	}
	return !r->failed;
}

static bool next_record(struct sw_reader *r, struct wire_record *record)
{
	struct wire_message m;
	return wire_next(r, &m) && m.type == WIRE_RECORD && wire_get_record(&m.payload, record) &&
	       record->clock <= MAP_CLOCK_MAX;
}

static const char *check_records(struct sw_reader *r, uint64_t *count)
{
	struct wire_record record;
	while (sw_reader_left(r) > 0) {
		if (!next_record(r, &record))
			return "a record is damaged";
		++*count;
	}
	return r->failed ? "a record is cut off" : NULL;
}

/* Each block once more, in order. */
static const char *check_blocks(struct snapshot_reader *s, struct sw_reader blocks)
{
	enum kind last = KIND_HEAD;
	uint64_t records = 0;
	struct block b;
	const char *error = NULL;
	while (error == NULL && last != KIND_END) {
		if (!next_block(&blocks, &b) || b.kind == KIND_HEAD || b.kind < last)
			return "a block is damaged";
		last = b.kind;
		if (b.kind == KIND_RECORDS)
			error = check_records(&b.bytes, &records);
		else if (b.kind != KIND_END)
			error = read_entries(b.kind == KIND_VECTOR ? &s->vector : &s->collected,
					&b.bytes)
					? NULL
					: "a vector is damaged";
	}
	if (error != NULL)
		return error;
	s->end.floor = sw_get_u64(&b.bytes);
	s->end.records = sw_get_u64(&b.bytes);
	if (sw_reader_left(&b.bytes) != CHECKSUM_LEN || s->end.floor > MAP_CLOCK_MAX ||
		s->end.records != records || sw_reader_left(&blocks) > 0)
		return "its end is damaged";
	return NULL;
}

static bool is_whole(const uint8_t *bytes, size_t len)
{
	uint64_t sum;
	if (len < CHECKSUM_LEN)
		return false;
	memcpy(&sum, bytes + len - CHECKSUM_LEN, CHECKSUM_LEN);
	return be64toh(sum) == XXH3_64bits(bytes, len - CHECKSUM_LEN);
}

bool snapshot_open(struct snapshot_reader *s, const void *bytes, size_t len, const char **error)
{
	struct block b;
	memset(s, 0, sizeof(*s));
	*error = "its checksum is wrong: cut off or damaged";
	if (!is_whole(bytes, len))
		return false;
	s->blocks = sw_reader_init(bytes, len);
	*error = "not a map's copy";
	if (!next_block(&s->blocks, &b) || b.kind != KIND_HEAD)
		return false;
	*error = read_head(&s->head, &b.bytes);
	if (*error == NULL)
		*error = check_blocks(s, s->blocks);
	s->records = sw_reader_init(bytes, 0);
	return *error == NULL;
}

bool snapshot_next(struct snapshot_reader *s, struct wire_record *record)
{
	struct block b;
	while (sw_reader_left(&s->records) == 0) {
		if (!next_block(&s->blocks, &b) || b.kind == KIND_END)
			return false;
		if (b.kind == KIND_RECORDS)
			s->records = b.bytes;
	}
	return next_record(&s->records, record);
}

int snapshot_restore_owner(struct snapshot_reader *s, struct map *map)
{
	struct wire_record record;
	while (snapshot_next(s, &record)) {
		int rc = map_restore_record_owner(map, &record);
		if (rc < 0)
			return rc;
	}
	return map_restore_end_owner(map, &s->vector, &s->collected, s->end.floor);
}
