/* Bounded big-endian reading and writing of byte strings.
 *
 * A cursor never goes past its end: the first access that would sets `failed`, and from then on
 * reads give zeros and writes do nothing, so that a decoder checks once, at its end. Pure; any
 * core.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sw_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

struct sw_writer {
	uint8_t *at;
	uint8_t *end;
	bool failed;
};

static inline struct sw_reader sw_reader_init(const void *bytes, size_t len)
{
	const uint8_t *at = (const uint8_t *)bytes;
	return (struct sw_reader){at, at + len, false};
}

static inline struct sw_writer sw_writer_init(void *bytes, size_t cap)
{
	uint8_t *at = (uint8_t *)bytes;
	return (struct sw_writer){at, at + cap, false};
}

static inline size_t sw_reader_left(const struct sw_reader *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->at);
}

static inline size_t sw_writer_left(const struct sw_writer *w)
{
	return w->failed ? 0 : (size_t)(w->end - w->at);
}

/* The next `len` bytes in place, or NULL. */
static inline const uint8_t *sw_get_bytes(struct sw_reader *r, size_t len)
{
	if (r->failed || (size_t)(r->end - r->at) < len) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *at = r->at;
	r->at += len;
	return at;
}

static inline uint8_t sw_get_u8(struct sw_reader *r)
{
	const uint8_t *p = sw_get_bytes(r, 1);
	return p ? *p : 0;
}

static inline uint16_t sw_get_u16(struct sw_reader *r)
{
	uint16_t v = 0;
	const uint8_t *p = sw_get_bytes(r, sizeof(v));
	if (p)
		memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static inline uint32_t sw_get_u32(struct sw_reader *r)
{
	uint32_t v = 0;
	const uint8_t *p = sw_get_bytes(r, sizeof(v));
	if (p)
		memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static inline uint64_t sw_get_u64(struct sw_reader *r)
{
	uint64_t v = 0;
	const uint8_t *p = sw_get_bytes(r, sizeof(v));
	if (p)
		memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

/* Without a check: for bytes that one has covered. */
static inline uint32_t sw_load_u32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static inline uint64_t sw_load_u64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static inline void sw_store_u64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

/* Room for `len` bytes, to be filled by the caller, or NULL. */
static inline uint8_t *sw_put_space(struct sw_writer *w, size_t len)
{
	if (w->failed || (size_t)(w->end - w->at) < len) {
		w->failed = true;
		return NULL;
	}
	uint8_t *at = w->at;
	w->at += len;
	return at;
}

static inline void sw_put_bytes(struct sw_writer *w, const void *bytes, size_t len)
{
	uint8_t *p = sw_put_space(w, len);
	if (p && len > 0)
		memcpy(p, bytes, len);
}

static inline void sw_put_u8(struct sw_writer *w, uint8_t v)
{
	sw_put_bytes(w, &v, sizeof(v));
}

static inline void sw_put_u16(struct sw_writer *w, uint16_t v)
{
	v = htobe16(v);
	sw_put_bytes(w, &v, sizeof(v));
}

static inline void sw_put_u32(struct sw_writer *w, uint32_t v)
{
	v = htobe32(v);
	sw_put_bytes(w, &v, sizeof(v));
}

static inline void sw_put_u64(struct sw_writer *w, uint64_t v)
{
	v = htobe64(v);
	sw_put_bytes(w, &v, sizeof(v));
}
