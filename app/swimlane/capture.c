#include "capture.h"

#include <stdlib.h>
#include <string.h>

#include "appliance.h"

enum { KEY_ID_OFFSET = 3 };

_Static_assert((CAPTURE_SLOTS & (CAPTURE_SLOTS - 1)) == 0, "indices wrap");
_Static_assert(CAPTURE_SLOTS >= 2 * BURST, "a burst that is being sealed fits beside another");
_Static_assert(WIRE_BUCKETS < 64, "types are bits of a word");

struct capture *capture_create(const struct capture_filter *filter, uint16_t lanes)
{
	size_t size = sizeof(struct capture) + lanes * sizeof(struct capture_ring);
	size = (size + 63) / 64 * 64;
	struct capture *c = aligned_alloc(64, size);
	if (c == NULL)
		return NULL;
	memset(c, 0, size); /* and no lane is the first to touch a page */
	c->filter = *filter;
	c->lanes = lanes;
	return c;
}

const struct capture_slot *capture_front(struct capture_ring *ring)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
		return NULL;
	return &ring->slots[tail % CAPTURE_SLOTS];
}

void capture_pop(struct capture_ring *ring)
{
	atomic_fetch_add_explicit(&ring->tail, 1, memory_order_release);
}

static bool matches(const struct capture_filter *f, uint64_t peer_id, struct sw_reader body)
{
	struct wire_message m;
	if (f->peer_id != 0 && f->peer_id != peer_id)
		return false;
	if (f->types == 0)
		return true;
	while (wire_next(&body, &m))
		if (m.type < 64 && (f->types >> m.type & 1) != 0)
			return true;
	return false;
}

/* Room in the ring, and in the rate: a bucket as deep as a tenth of a second. */
static struct capture_slot *reserve(
	const struct capture_filter *f, struct capture_ring *ring, uint64_t now_ns)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed) + ring->reserved;
	uint64_t depth = SW_NS_PER_S / 10;
	uint64_t from = sw_max_u64(ring->allowed_ns, now_ns - sw_min_u64(now_ns, depth));
	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == CAPTURE_SLOTS ||
		from > now_ns) {
		atomic_store_explicit(&ring->missed,
			atomic_load_explicit(&ring->missed, memory_order_relaxed) + 1,
			memory_order_relaxed);
		return NULL;
	}
	ring->allowed_ns = from + SW_NS_PER_S / f->rate;
	ring->reserved++;
	return &ring->slots[head % CAPTURE_SLOTS];
}

/* The body alone; the header may not stand yet. */
static bool take(struct lane *lane, uint64_t now_ns, bool sent, uint64_t peer_id,
	const struct sw_endpoint *peer, const uint8_t *packet, uint16_t body_len)
{
	struct capture *c = lane->capture;
	const uint8_t *body = packet + WIRE_HEADER_LEN;
	if (c == NULL)
		return false;
	struct sw_reader messages =
		sw_reader_init(body + WIRE_PRELUDE_LEN, body_len - (size_t)WIRE_PRELUDE_LEN);
	if (!matches(&c->filter, peer_id, messages))
		return false;
	struct capture_slot *slot = reserve(&c->filter, &c->rings[lane->index], now_ns);
	if (slot == NULL)
		return false;
	slot->at_ns = now_ns;
	slot->peer = *peer;
	slot->len = (uint16_t)(WIRE_HEADER_LEN + body_len + WIRE_TAG_LEN);
	slot->sent = sent;
	slot->whole = c->filter.clear;
	if (slot->whole)
		memcpy(slot->bytes + WIRE_HEADER_LEN, body, body_len);
	return true;
}

/* The oldest slot that waits for its header. */
static void publish(struct lane *lane, const uint8_t *packet)
{
	struct capture_ring *ring = &lane->capture->rings[lane->index];
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct capture_slot *slot = &ring->slots[head % CAPTURE_SLOTS];
	if (packet == NULL)
		slot->len = 0;
	else
		memcpy(slot->bytes, packet, WIRE_HEADER_LEN);
	if (packet != NULL && slot->whole) {
		slot->bytes[KEY_ID_OFFSET] = WIRE_KEY_CLEAR; /* as which it can be read */
		memset(slot->bytes + slot->len - WIRE_TAG_LEN, 0, WIRE_TAG_LEN);
	}
	ring->reserved--;
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

void capture_received(struct lane *lane, uint64_t now_ns, const struct sw_endpoint *from,
	const uint8_t *packet, uint64_t peer_id, uint16_t body_len)
{
	if (take(lane, now_ns, false, peer_id, from, packet, body_len))
		publish(lane, packet);
}

bool capture_sending(struct lane *lane, uint64_t now_ns, const struct sw_endpoint *to,
	const uint8_t *packet, uint16_t body_len)
{
	struct sw_reader r = sw_reader_init(packet + WIRE_HEADER_LEN, WIRE_PRELUDE_LEN);
	return take(lane, now_ns, true, sw_get_u64(&r), to, packet, body_len);
}

void capture_sealed(struct lane *lane, const uint8_t *packet)
{
	publish(lane, packet);
}
