/* Lane 0: which packets the paths to the members carry, asked with packets of that size. */
#include <assert.h>

#include "appliance.h"
#include "swim/path.h"

static void send(struct lane *lane, struct rte_mbuf *m, const struct sw_writer *w, uint64_t to_id,
	const struct sw_endpoint *to)
{
	uint8_t *packet = rte_pktmbuf_mtod(m, uint8_t *);
	assert(!w->failed);
	lane_prelude(lane->app, packet, to_id);
	lane_send(lane, m, (uint16_t)(w->at - packet - WIRE_HEADER_LEN), to);
}

static struct rte_mbuf *begin(struct lane *lane, struct sw_writer *w)
{
	struct rte_mbuf *m = lane_can_send(lane) ? rte_pktmbuf_alloc(lane->app->pool) : NULL;
	if (m == NULL)
		return NULL;
	uint8_t *messages = rte_pktmbuf_mtod(m, uint8_t *) + WIRE_HEADER_LEN + WIRE_PRELUDE_LEN;
	*w = sw_writer_init(messages, lane->app->packet_max - (size_t)WIRE_AROUND_MESSAGES);
	return m;
}

/* What cannot be sent now is lost on the way: asked again, or the asker asks again. */
static void answer(struct lane *lane, const struct wire_header *h, const struct sw_endpoint *to,
	const struct wire_size_probe *probe)
{
	struct sw_writer w;
	struct wire_size_ack ack = {probe->seq,
		(uint16_t)(WIRE_HEADER_LEN + h->body_len + WIRE_TAG_LEN), lane->app->packet_max};
	struct rte_mbuf *m = begin(lane, &w);
	if (m == NULL)
		return;
	wire_put_size_ack(&w, &ack);
	send(lane, m, &w, h->sender.id, to);
}

void lane_path_input(struct lane *lane, uint64_t now_ns, const struct wire_header *h,
	const struct sw_endpoint *from, struct wire_message *m)
{
	struct paths *paths = lane->app->paths;
	struct wire_size_probe probe;
	struct wire_size_ack ack;
	if (m->type == WIRE_SIZE_PROBE && wire_get_size_probe(&m->payload, &probe)) {
		if (paths != NULL)
			paths_limit(paths, now_ns, h->sender.id, probe.size_max);
		answer(lane, h, from, &probe);
	} else if (m->type == WIRE_SIZE_ACK && wire_get_size_ack(&m->payload, &ack) &&
		   paths != NULL) {
		paths_answer(paths, now_ns, h->sender.id, &ack);
	}
}

void lane_path_tick(struct lane *lane, uint64_t now_ns)
{
	struct appliance *app = lane->app;
	struct path_probe probe;
	if (app->paths == NULL || swim_phase(app->swim) != SWIM_RUNNING)
		return;
	if (swim_version(app->swim) != lane->paths_version) {
		const struct members_view *view = view_get_reader(app->board);
		lane->paths_version = view->swim_version;
		paths_members(app->paths, now_ns, view->members, view->count);
	}
	while (now_ns >= paths_deadline(app->paths) && paths_output(app->paths, now_ns, &probe)) {
		struct sw_writer w;
		struct rte_mbuf *m = begin(lane, &w);
		if (m == NULL)
			return;
		const uint8_t *first = w.at;
		wire_put_size_probe(&w, &probe.message);
		wire_put_padding(&w,
			probe.packet_len - (size_t)WIRE_AROUND_MESSAGES - (size_t)(w.at - first));
		send(lane, m, &w, probe.to_id, &probe.to);
	}
}

uint64_t lane_path_deadline(const struct lane *lane)
{
	const struct appliance *app = lane->app;
	bool asks = app->paths != NULL && swim_phase(app->swim) == SWIM_RUNNING;
	return asks ? paths_deadline(app->paths) : SW_NEVER_NS;
}
