#include "wire/fields.h"

#include <assert.h>
#include <string.h>

#include <xxhash.h>

_Static_assert(WIRE_PRELUDE_LEN == 3 * sizeof(uint64_t), "the prelude is three numbers");
_Static_assert(
	WIRE_PACKET_MAX % 8 == 0 && WIRE_JUMBO_MAX % 8 == 0, "packets are cut at a multiple of 8");

/* The whole tag in the clear is a checksum and this many zero bytes. */
enum { CHECKSUM_LEN = 8, CHECKSUM_PADDING = WIRE_TAG_LEN - CHECKSUM_LEN };

const char *wire_error_name(enum wire_error e)
{
	static const char *const names[WIRE_ERR_COUNT] = {
		[WIRE_OK] = "ok",
		[WIRE_ERR_SHORT] = "short",
		[WIRE_ERR_MAGIC] = "magic",
		[WIRE_ERR_VERSION] = "version",
		[WIRE_ERR_CLUSTER] = "cluster",
		[WIRE_ERR_LENGTH] = "length",
		[WIRE_ERR_KEY] = "key",
		[WIRE_ERR_CHECKSUM] = "checksum",
		[WIRE_ERR_BODY] = "body",
	};
	return (unsigned)e < WIRE_ERR_COUNT ? names[e] : "unknown";
}

static const char *const type_names[] = {
	[WIRE_PING] = "PING",
	[WIRE_ACK] = "ACK",
	[WIRE_NACK] = "NACK",
	[WIRE_PING_REQ] = "PING_REQ",
	[WIRE_MEMBER] = "MEMBER",
	[WIRE_JOIN] = "JOIN",
	[WIRE_JOIN_ACK] = "JOIN_ACK",
	[WIRE_TABLE_REQ] = "TABLE_REQ",
	[WIRE_TABLE] = "TABLE",
	[WIRE_SIZE_PROBE] = "SIZE_PROBE",
	[WIRE_SIZE_ACK] = "SIZE_ACK",
	[WIRE_RECORD] = "RECORD",
	[WIRE_VERSION_REQ] = "VERSION_REQ",
	[WIRE_VECTOR] = "VECTOR",
	[WIRE_SESSION_DATA] = "SESSION_DATA",
	[WIRE_SESSION_GET] = "SESSION_GET",
	[WIRE_SESSION_DONE] = "SESSION_DONE",
	[WIRE_SESSION_REFUSE] = "SESSION_REFUSE",
	[WIRE_COLLECTED] = "COLLECTED",
	[WIRE_RELAY] = "RELAY",
	[WIRE_BUCKETS] = "BUCKETS",
};

enum { TYPE_NAMES = sizeof(type_names) / sizeof(type_names[0]) };

const char *wire_type_name(uint8_t type)
{
	return type < TYPE_NAMES ? type_names[type] : NULL;
}

int wire_type_of_name(const char *name)
{
	for (int t = 0; t < TYPE_NAMES && name != NULL; t++)
		if (type_names[t] != NULL && strcmp(type_names[t], name) == 0)
			return t;
	return -1;
}

uint32_t wire_cluster_tag(const char *cluster_name)
{
	return (uint32_t)XXH3_64bits(cluster_name, strlen(cluster_name));
}

bool wire_header_is_valid(const struct wire_header *h)
{
	return h->lane < SW_LANES_MAX && wire_actor_is_valid(h->sender);
}

static void put_header(struct sw_writer *w, const struct wire_header *h)
{
	sw_put_u16(w, WIRE_MAGIC);
	sw_put_u8(w, WIRE_VERSION);
	sw_put_u8(w, h->key_id);
	sw_put_u8(w, h->lane);
	sw_put_u8(w, 0);
	sw_put_u16(w, h->body_len);
	sw_put_u32(w, h->cluster);
	wire_put_actor(w, h->sender);
	sw_put_u64(w, h->instance);
	sw_put_u64(w, h->counter);
}

void wire_put_header(uint8_t *packet, const struct wire_header *h)
{
	assert(h->body_len >= WIRE_PRELUDE_LEN && h->body_len <= WIRE_BODY_JUMBO_MAX);
	assert(wire_header_is_valid(h));
	struct sw_writer w = sw_writer_init(packet, WIRE_HEADER_LEN + (size_t)h->body_len);
	put_header(&w, h);
	assert(w.at == packet + WIRE_HEADER_LEN);
}

size_t wire_finish_clear(uint8_t *packet, const struct wire_header *h)
{
	assert(h->key_id == WIRE_KEY_CLEAR);
	wire_put_header(packet, h);
	size_t sealed_len = WIRE_HEADER_LEN + (size_t)h->body_len;
	struct sw_writer w = sw_writer_init(packet + sealed_len, WIRE_TAG_LEN);
	sw_put_u64(&w, XXH3_64bits(packet, sealed_len));
	memset(w.at, 0, CHECKSUM_PADDING);
	return sealed_len + WIRE_TAG_LEN;
}

static bool checksum_is_right(const uint8_t *packet, size_t sealed_len)
{
	struct sw_reader r = sw_reader_init(packet + sealed_len, WIRE_TAG_LEN);
	uint64_t checksum = sw_get_u64(&r);
	uint64_t padding = sw_get_u64(&r);
	return padding == 0 && checksum == XXH3_64bits(packet, sealed_len);
}

/* Cheapest first: what is not ours costs a few comparisons. */
enum wire_error wire_read_header(const uint8_t *packet, size_t len, uint32_t cluster,
	struct wire_header *h, struct sw_reader *body)
{
	if (len < WIRE_HEADER_LEN + WIRE_TAG_LEN)
		return WIRE_ERR_SHORT;
	struct sw_reader r = sw_reader_init(packet, WIRE_HEADER_LEN);
	if (sw_get_u16(&r) != WIRE_MAGIC)
		return WIRE_ERR_MAGIC;
	if (sw_get_u8(&r) != WIRE_VERSION)
		return WIRE_ERR_VERSION;

	struct wire_header got;
	got.key_id = sw_get_u8(&r);
	got.lane = sw_get_u8(&r);
	(void)sw_get_u8(&r); /* flags: of later versions */
	got.body_len = sw_get_u16(&r);
	got.cluster = sw_get_u32(&r);
	got.sender = wire_get_actor(&r);
	got.instance = sw_get_u64(&r);
	got.counter = sw_get_u64(&r);

	if (got.cluster != cluster)
		return WIRE_ERR_CLUSTER;
	if (len != WIRE_HEADER_LEN + (size_t)got.body_len + WIRE_TAG_LEN ||
		got.body_len < WIRE_PRELUDE_LEN || got.body_len > WIRE_BODY_JUMBO_MAX)
		return WIRE_ERR_LENGTH;
	*h = got;
	*body = sw_reader_init(packet + WIRE_HEADER_LEN, got.body_len);
	return WIRE_OK;
}

enum wire_error wire_open_clear(const uint8_t *packet, size_t len, uint32_t cluster,
	struct wire_header *h, struct sw_reader *body)
{
	struct wire_header got;
	struct sw_reader inside;
	enum wire_error e = wire_read_header(packet, len, cluster, &got, &inside);
	if (e != WIRE_OK)
		return e;
	if (got.key_id != WIRE_KEY_CLEAR)
		return WIRE_ERR_KEY;
	if (!checksum_is_right(packet, WIRE_HEADER_LEN + (size_t)got.body_len))
		return WIRE_ERR_CHECKSUM;
	if (!wire_header_is_valid(&got))
		return WIRE_ERR_BODY;
	*h = got;
	*body = inside;
	return WIRE_OK;
}

void wire_put_prelude(struct sw_writer *w, const struct wire_prelude *p)
{
	assert(p->last_seq <= SEQ_MAX);
	if (sw_writer_left(w) < WIRE_PRELUDE_LEN) {
		w->failed = true;
		return;
	}
	sw_put_u64(w, p->dst_id);
	sw_put_u64(w, p->last_seq);
	sw_put_u64(w, p->floor);
}

void wire_get_prelude(struct sw_reader *r, struct wire_prelude *p)
{
	p->dst_id = sw_get_u64(r);
	p->last_seq = sw_get_u64(r);
	p->floor = sw_get_u64(r);
	if (p->last_seq > SEQ_MAX)
		r->failed = true;
}

bool wire_next(struct sw_reader *r, struct wire_message *m)
{
	if (sw_reader_left(r) == 0)
		return false;
	m->type = sw_get_u8(r);
	m->flags = sw_get_u8(r);
	size_t len = sw_get_u16(r);
	const uint8_t *payload = sw_get_bytes(r, len);
	if (payload == NULL)
		return false;
	m->payload = sw_reader_init(payload, len);
	return true;
}
