/* Which packets the paths carry: lib/swim/path, in virtual time. */
#include <assert.h>

#include "internal.h"

void path_input(struct sim *sim, uint32_t i, const struct wire_header *h,
	const struct sw_endpoint *from, const struct wire_message *m)
{
	struct server *s = &sim->servers[i];
	struct sw_reader payload = m->payload;
	struct wire_size_probe probe;
	struct wire_size_ack ack;
	if (s->paths == NULL)
		return;
	if (m->type == WIRE_SIZE_ACK && wire_get_size_ack(&payload, &ack)) {
		paths_answer(s->paths, server_now(sim, s), h->sender.id, &ack);
	} else if (m->type == WIRE_SIZE_PROBE && wire_get_size_probe(&payload, &probe)) {
		uint8_t packet[WIRE_JUMBO_MAX];
		struct sw_writer w = server_messages(sim, packet);
		struct wire_size_ack answer = {probe.seq,
			(uint16_t)(WIRE_HEADER_LEN + h->body_len + WIRE_TAG_LEN),
			sim->config.packet_max};
		paths_limit(s->paths, server_now(sim, s), h->sender.id, probe.size_max);
		wire_put_size_ack(&w, &answer);
		server_send(sim, i, packet, &w, h->sender.id, from, true);
	}
}

void path_send(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	struct path_probe probe;
	if (s->paths == NULL || swim_phase(s->swim) != SWIM_RUNNING)
		return;
	while (paths_output(s->paths, server_now(sim, s), &probe)) {
		uint8_t packet[WIRE_JUMBO_MAX];
		struct sw_writer w = server_messages(sim, packet);
		const uint8_t *first = w.at;
		wire_put_size_probe(&w, &probe.message);
		wire_put_padding(&w,
			probe.packet_len - (size_t)WIRE_AROUND_MESSAGES - (size_t)(w.at - first));
		assert(!w.failed);
		server_send(sim, i, packet, &w, probe.to_id, &probe.to, true);
	}
}

uint16_t sim_packet_max(const struct sim *sim, uint32_t viewer, uint32_t server)
{
	const struct server *s = &sim->servers[viewer];
	return s->paths == NULL ? (uint16_t)WIRE_PACKET_MAX
				: paths_packet_max(s->paths, sim_id(server));
}
