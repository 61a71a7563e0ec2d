#include <assert.h>

#include "appliance.h"

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

uint16_t lane_finish(struct lane *lane, uint8_t *packet, uint16_t body_len)
{
	struct wire_header h = {
		.key_id = WIRE_KEY_CLEAR,
		.lane = (uint8_t)lane->index,
		.body_len = body_len,
		.cluster = lane->app->cluster_tag,
		.sender = sender_of(lane),
		.instance = lane->app->instance,
		.counter = lane->counter++,
	};
	return (uint16_t)wire_finish_clear(packet, &h);
}

void lane_send_membership(struct lane *lane, uint64_t now_ns)
{
	struct appliance *app = lane->app;
	struct sw_endpoint to;
	uint64_t to_id;
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
		uint16_t len =
			lane_finish(lane, packet, (uint16_t)(w.at - packet - WIRE_HEADER_LEN));
		m->data_len = len;
		m->pkt_len = len;
		lane->counters.sent++;
		nic_send(app->port, lane->index, m, &to);
	}
}

/* What the keeper wrote: its body is whole, the header is the lane's. */
uint16_t lane_send_keeper(struct lane *lane)
{
	struct rte_mbuf *burst[BURST];
	unsigned n =
		rte_ring_sc_dequeue_burst(lane->app->keeper_to_lane, (void **)burst, BURST, NULL);
	for (unsigned i = 0; i < n; i++) {
		struct packet_meta meta = *packet_meta(burst[i]);
		uint8_t *packet = rte_pktmbuf_mtod(burst[i], uint8_t *);
		uint16_t len = lane_finish(lane, packet, meta.payload_len);
		burst[i]->data_len = len;
		burst[i]->pkt_len = len;
		lane->counters.sent++;
		nic_send(lane->app->port, lane->index, burst[i], &meta.peer);
	}
	return (uint16_t)n;
}
