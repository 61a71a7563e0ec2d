#include "wire/clear.h"
#include "wire/fields.h"

#include <assert.h>
#include <string.h>

_Static_assert(WIRE_HEADER_LEN == 5 * sizeof(uint64_t), "the header is written in words");
_Static_assert(WIRE_SERVER_ID_MAX == UINT64_MAX - 1, "what wire_header_is_valid() says");
_Static_assert(WIRE_PRELUDE_LEN == 3 * sizeof(uint64_t), "the prelude is three numbers");
_Static_assert(
	WIRE_PACKET_MAX % 8 == 0 && WIRE_JUMBO_MAX % 8 == 0, "packets are cut at a multiple of 8");

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

void wire_put_header(uint8_t *packet, const struct wire_header *h)
{
	wire_store_header(packet, h);
}

uint64_t wire_checksum_any(const uint8_t *packet, size_t len)
{
	return XXH3_64bits(packet, len);
}

__attribute__((flatten)) size_t wire_finish_clear(uint8_t *packet, const struct wire_header *h)
{
	assert(h->key_id == WIRE_KEY_CLEAR);
	wire_put_header(packet, h);
	return wire_put_checksum(packet, h->body_len);
}

enum wire_error wire_read_header(const uint8_t *packet, size_t len, uint32_t cluster,
	struct wire_header *h, struct sw_reader *body)
{
	uint64_t first;
	enum wire_error e = wire_check_header(packet, len, cluster, &first);
	if (e != WIRE_OK)
		return e;
	wire_load_header(packet, first, cluster, h);
	*body = sw_reader_init(packet + WIRE_HEADER_LEN, h->body_len);
	return WIRE_OK;
}

__attribute__((flatten)) enum wire_error wire_open_clear(const uint8_t *packet, size_t len,
	uint32_t cluster, struct wire_header *h, struct sw_reader *body)
{
	enum wire_error e = wire_open_clear_header(packet, len, cluster, h);
	if (e == WIRE_OK)
		*body = sw_reader_init(packet + WIRE_HEADER_LEN, h->body_len);
	return e;
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
	const uint8_t *head = sw_get_bytes(r, WIRE_MESSAGE_HEADER_LEN);
	if (head == NULL)
		return false;
	m->type = head[0];
	m->flags = head[1];
	size_t len = (size_t)head[2] << 8 | head[3];
	const uint8_t *payload = sw_get_bytes(r, len);
	if (payload == NULL)
		return false;
	m->payload = sw_reader_init(payload, len);
	return true;
}
