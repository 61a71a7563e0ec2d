#include <assert.h>
#include <string.h>

#include "appliance.h"
#include "ticks.h"

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

/* Only length and counter tell the headers of a burst apart. */
static void finish_clear(struct lane *lane)
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
	struct seal_packet *end = lane->out + lane->out_count;
	for (struct seal_packet *p = lane->out; p < end; p++) {
		(void)wire_finish_clear_like(p->bytes, header, p->h.body_len, counter++);
		p->result = SEAL_OK;
	}
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

static void send_out(
	struct lane *lane, struct rte_mbuf *mbuf, uint16_t len, const struct sw_endpoint *to)
{
	mbuf->data_len = len;
	mbuf->pkt_len = len;
	lane->counters.sent++;
	nic_send(lane->app->port, lane->index, mbuf, to);
}

static inline void hand_over(struct lane *lane)
{
	struct nic_answer answers[BURST];
	const struct seal_packet *end = lane->out + lane->out_count;
	const struct lane_way *way = lane->ways;
	uint16_t n = 0;
	for (const struct seal_packet *p = lane->out; p < end; p++, way++) {
		uint16_t len = (uint16_t)(WIRE_HEADER_LEN + p->h.body_len + WIRE_TAG_LEN);
		if (p->result != SEAL_OK) {
			lane->counters.drops[DROP_EXHAUSTED]++;
			rte_pktmbuf_free(p->mbuf);
		} else if (way->reply) {
			answers[n++] = (struct nic_answer){p->mbuf, p->offset, len};
		} else {
			send_out(lane, p->mbuf, len, &way->to);
		}
	}
	nic_reply_burst(lane->app->port, lane->index, answers, n);
}

static void seal_all(struct lane *lane)
{
	const struct seal_sender *sender =
		atomic_load_explicit(&lane->app->sender, memory_order_acquire);
	for (uint16_t i = 0; i < lane->out_count; i++)
		lane->out[i].sender = sender;
	seal_seal_lane(lane->app->seal, lane->index, lane->out, lane->out_count);
}

/* Before sealing, which leaves nothing to be read. */
static void capture_out(struct lane *lane, bool *captured)
{
	uint64_t now_ns = ticks_now_ns();
	for (uint16_t i = 0; i < lane->out_count; i++)
		captured[i] = capture_sending(lane, now_ns, &lane->ways[i].to, lane->out[i].bytes,
			lane->out[i].h.body_len);
}

/* All that has gathered, step by step. */
static void finish_out(struct lane *lane)
{
	bool captured[BURST];
	if (lane->capture != NULL)
		capture_out(lane, captured);
	if (lane->app->seal != NULL)
		seal_all(lane);
	else
		finish_clear(lane);
	for (uint16_t i = 0; i < lane->out_count && lane->capture != NULL; i++)
		if (captured[i])
			capture_sealed(
				lane, lane->out[i].result == SEAL_OK ? lane->out[i].bytes : NULL);
	lane_stage(lane, STAGE_SEAL);
	hand_over(lane);
	lane->out_count = 0;
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
	struct seal_packet *p = &lane->out[lane->out_count];
	struct lane_way *way = &lane->ways[lane->out_count];
	p->mbuf = mbuf;
	p->bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	p->offset = 0;
	p->h.body_len = body_len;
	way->to = *to;
	way->reply = false;
	if (++lane->out_count == BURST)
		lane_out_full(lane);
}

void lane_flush(struct lane *lane)
{
	lane_stage(lane, STAGE_OTHER);
	if (lane->out_count > 0)
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
