#include <assert.h>
#include <string.h>

#include "appliance.h"
#include "ticks.h"
#include "wire/clear.h"

_Static_assert((int)BURST <= (int)NIC_BURST, "replies go to the port in one call");

struct sw_writer lane_body(uint8_t *packet)
{
	return sw_writer_init(packet + WIRE_HEADER_LEN + WIRE_PRELUDE_LEN, WIRE_MESSAGES_MAX);
}

void lane_prelude(const struct appliance *app, uint8_t *packet, uint64_t to_id)
{
	struct sw_writer w = sw_writer_init(packet + WIRE_HEADER_LEN, WIRE_PRELUDE_LEN);
	struct wire_prelude prelude = {to_id, map_last_seq(app->map), map_floor(app->map)};
	wire_put_prelude(&w, &prelude);
	assert(!w.failed);
}

/* The actor of this process: lane 0 asks the machine, the others the published view. */
static struct actor sender_of(const struct lane *lane)
{
	return lane->index == 0 ? swim_self(lane->app->swim)
				: view_get_reader(lane->app->board)->self;
}

static inline uint16_t body_len_of(const struct nic_answer *p)
{
	return (uint16_t)(p->payload_len - WIRE_HEADER_LEN - WIRE_TAG_LEN);
}

/* Only length and counter tell the headers of a burst apart. */
static __attribute__((flatten)) void finish_clear(struct lane *lane, const struct lane_out *out)
{
	uint8_t header[WIRE_HEADER_LEN];
	struct wire_header h = {
		.key_id = WIRE_KEY_CLEAR,
		.lane = (uint8_t)lane->index,
		.body_len = WIRE_PRELUDE_LEN,
		.cluster = lane->app->cluster_tag,
		.sender = sender_of(lane),
		.instance = lane->app->instance,
	};
	wire_put_header(header, &h);
	uint64_t counter = lane->counter;
	const struct nic_answer *end = out->packets + out->count;
	for (const struct nic_answer *p = out->packets; p < end; p++)
		(void)wire_finish_clear_like(p->payload, header, body_len_of(p), counter++);
	lane->counter = counter;
}

bool lane_can_send(const struct lane *lane)
{
	if (lane->app->seal == NULL)
		return true;
	/* After a change of epoch control needs a moment to make the new key. */
	const struct seal_sender *sender =
		atomic_load_explicit(&lane->app->sender, memory_order_acquire);
	return actor_equal(seal_sender_actor(sender), sender_of(lane));
}

/* Before sealing, which leaves nothing to be read. */
static void capture_out(struct lane *lane, const struct lane_out *out, bool *captured)
{
	uint64_t now_ns = ticks_now_ns();
	for (uint16_t i = 0; i < out->count; i++) {
		const struct nic_answer *p = &out->packets[i];
		captured[i] =
			capture_sending(lane, now_ns, &out->to[i], p->payload, body_len_of(p));
	}
}

/* Those that could not be sealed get the length 0. How many. */
static uint16_t seal_all(struct lane *lane, struct lane_out *out)
{
	struct seal_packet packets[BURST];
	const struct seal_sender *sender =
		atomic_load_explicit(&lane->app->sender, memory_order_acquire);
	uint16_t unsealed = 0;
	for (uint16_t i = 0; i < out->count; i++) {
		const struct nic_answer *p = &out->packets[i];
		packets[i].mbuf = p->mbuf;
		packets[i].bytes = p->payload;
		packets[i].offset = p->payload_offset;
		packets[i].sender = sender;
		packets[i].h.body_len = body_len_of(p);
	}
	seal_seal_lane(lane->app->seal, lane->index, packets, out->count);
	for (uint16_t i = 0; i < out->count; i++)
		if (packets[i].result != SEAL_OK) {
			out->packets[i].payload_len = 0;
			unsealed++;
		}
	return unsealed;
}

static void drop_unsealed(struct lane *lane, struct lane_out *out)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < out->count; i++) {
		if (out->packets[i].payload_len == 0) {
			lane->counters.drops[DROP_EXHAUSTED]++;
			rte_pktmbuf_free(out->packets[i].mbuf);
			continue;
		}
		out->packets[kept] = out->packets[i];
		out->to[kept++] = out->to[i];
	}
	out->count = kept;
}

static void finish(struct lane *lane, struct lane_out *out)
{
	bool captured[BURST];
	uint16_t unsealed = 0;
	if (out->count == 0)
		return;
	if (lane->capture != NULL)
		capture_out(lane, out, captured);
	if (lane->app->seal != NULL)
		unsealed = seal_all(lane, out);
	else
		finish_clear(lane, out);
	for (uint16_t i = 0; i < out->count && lane->capture != NULL; i++)
		if (captured[i])
			capture_sealed(lane,
				out->packets[i].payload_len == 0 ? NULL : out->packets[i].payload);
	if (unsealed > 0)
		drop_unsealed(lane, out);
}

static void hand_over_sends(struct lane *lane)
{
	struct lane_out *out = &lane->sends;
	for (uint16_t i = 0; i < out->count; i++) {
		struct rte_mbuf *mbuf = out->packets[i].mbuf;
		mbuf->data_len = out->packets[i].payload_len;
		mbuf->pkt_len = mbuf->data_len;
		lane->counters.sent++;
		nic_send(lane->app->port, lane->index, mbuf, &out->to[i]);
	}
	out->count = 0;
}

/* All that has gathered, step by step. */
static void finish_out(struct lane *lane)
{
	finish(lane, &lane->sends);
	finish(lane, &lane->replies);
	lane_stage(lane, STAGE_SEAL);
	hand_over_sends(lane);
	nic_reply_burst(lane->app->port, lane->index, lane->replies.packets, lane->replies.count);
	lane->replies.count = 0;
	lane_stage(lane, STAGE_TX);
}

void lane_out_full(struct lane *lane)
{
	lane_stage(lane, STAGE_ANSWER);
	finish_out(lane);
}

void lane_send(
	struct lane *lane, struct rte_mbuf *mbuf, uint16_t body_len, const struct sw_endpoint *to)
{
	struct lane_out *out = &lane->sends;
	uint16_t len = (uint16_t)(WIRE_HEADER_LEN + body_len + WIRE_TAG_LEN);
	out->packets[out->count] =
		(struct nic_answer){mbuf, rte_pktmbuf_mtod(mbuf, uint8_t *), 0, len};
	out->to[out->count] = *to;
	if (++out->count == BURST)
		lane_out_full(lane);
}

void lane_flush(struct lane *lane)
{
	lane_stage(lane, STAGE_OTHER);
	if (lane->replies.count + lane->sends.count > 0)
		finish_out(lane);
	nic_flush(lane->app->port, lane->index);
	lane_stage(lane, STAGE_TX);
}

void lane_send_membership(struct lane *lane, uint64_t now_ns)
{
	struct appliance *app = lane->app;
	struct sw_endpoint to;
	uint64_t to_id;
	if (!lane_can_send(lane))
		return; /* it stays in the machine's queue */
	while (swim_has_output(app->swim)) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(app->pool);
		if (m == NULL) {
			lane->counters.no_mbuf++;
			return;
		}
		uint8_t *packet = rte_pktmbuf_mtod(m, uint8_t *);
		struct sw_writer w = lane_body(packet);
		if (!swim_output(app->swim, now_ns, &w, &to_id, &to)) {
			rte_pktmbuf_free(m);
			return;
		}
		lane_prelude(app, packet, to_id);
		lane_send(lane, m, (uint16_t)(w.at - packet - WIRE_HEADER_LEN), &to);
	}
}

/* What the keeper wrote: its body is whole, the header is the lane's. */
uint16_t lane_send_keeper(struct lane *lane)
{
	struct rte_mbuf *burst[BURST];
	if (!lane_can_send(lane))
		return 0; /* it stays in the ring */
	unsigned n =
		rte_ring_sc_dequeue_burst(lane->app->keeper_to_lane, (void **)burst, BURST, NULL);
	for (unsigned i = 0; i < n; i++) {
		struct packet_meta meta = *packet_meta(burst[i]);
		lane_send(lane, burst[i], meta.payload_len, &meta.peer);
	}
	return (uint16_t)n;
}
