#include <string.h>

#include "internal.h"

enum { FRAME_OVERHEAD = 14 + 20 + 8 + 24 }; /* Ethernet, IPv4, UDP, and what the wire adds */

struct sw_endpoint network_endpoint(const struct sim *sim, uint32_t server)
{
	(void)sim;
	return sw_endpoint_from_ipv4(htobe32(0x0a000001 + server), 7946);
}

static bool chance(struct sim *sim, uint32_t ppm)
{
	return ppm > 0 && sw_random_below(&sim->random, 1000000) < ppm;
}

static uint8_t *cut_between(const struct sim *sim, uint32_t from, uint32_t to)
{
	uint32_t size = sim->config.group_size;
	return &sim->cuts[((uint64_t)sim->servers[from].group * size + from % size) * size +
			  to % size];
}

/* When the sender's link has sent it; SW_NEVER_NS if it would wait too long. */
static uint64_t departs_at(struct sim *sim, struct server *s, uint16_t len)
{
	const struct sim_network *n = &sim->network;
	if (n->bits_per_s == 0)
		return sim->now_ns;
	uint64_t start_ns = sw_max_u64(s->link_free_ns, sim->now_ns);
	if (start_ns - sim->now_ns > n->queue_ns)
		return SW_NEVER_NS;
	s->link_free_ns =
		start_ns + (uint64_t)(len + FRAME_OVERHEAD) * 8 * SW_NS_PER_S / n->bits_per_s;
	return s->link_free_ns;
}

static void deliver_copy(struct sim *sim, uint64_t departs_ns, uint32_t from, uint32_t to,
	const uint8_t *bytes, uint16_t len)
{
	const struct sim_network *n = &sim->network;
	struct packet *p = packet_take(sim);
	uint64_t delay_ns = n->delay_min_ns + sw_random_below(&sim->random, n->delay_spread_ns + 1);
	if (chance(sim, n->reorder_ppm))
		delay_ns += sw_random_below(&sim->random, 9 * delay_ns + 1);
	p->from = from;
	p->to = to;
	p->len = len;
	memcpy(p->bytes, bytes, len);
	if (chance(sim, n->corrupt_ppm)) {
		uint64_t bit = sw_random_below(&sim->random, (uint64_t)len * 8);
		p->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	queue_push(sim, departs_ns + delay_ns, EVENT_PACKET, to, p);
}

void network_send(struct sim *sim, uint32_t from, const struct sw_endpoint *endpoint,
	const uint8_t *bytes, uint16_t len, bool membership)
{
	uint32_t to = be32toh(sw_endpoint_ipv4(endpoint)) - 0x0a000001;
	sim->packets++;
	if (sim->observer.on_packet != NULL)
		sim->observer.on_packet(sim->observer.context, sim, from, len, membership);
	if (to >= sim->config.servers || sim->servers[to].group != sim->servers[from].group)
		return;
	if (*cut_between(sim, from, to) || chance(sim, sim->network.loss_ppm))
		return;
	if ((sim->servers[from].carries != 0 && len > sim->servers[from].carries) ||
		(sim->servers[to].carries != 0 && len > sim->servers[to].carries))
		return;
	uint64_t departs_ns = departs_at(sim, &sim->servers[from], len);
	if (departs_ns == SW_NEVER_NS)
		return;
	deliver_copy(sim, departs_ns, from, to, bytes, len);
	if (chance(sim, sim->network.duplicate_ppm))
		deliver_copy(sim, departs_ns, from, to, bytes, len);
}

void sim_cut(struct sim *sim, uint32_t from, uint32_t to, bool on)
{
	*cut_between(sim, from, to) = on;
}

void sim_split(struct sim *sim, uint32_t group, const uint64_t side[SIM_GROUP_MAX / 64])
{
	uint32_t size = sim->config.group_size;
	for (uint32_t i = 0; i < size; i++)
		for (uint32_t j = 0; j < size; j++)
			*cut_between(sim, group * size + i, group * size + j) =
				(side[i / 64] >> (i % 64) & 1) != (side[j / 64] >> (j % 64) & 1);
}

void sim_carries(struct sim *sim, uint32_t server, uint16_t bytes)
{
	sim->servers[server].carries = bytes;
}

void sim_heal(struct sim *sim)
{
	uint64_t groups = sim->config.servers / sim->config.group_size;
	memset(sim->cuts, 0, groups * sim->config.group_size * sim->config.group_size);
}

struct sim_network *sim_network(struct sim *sim)
{
	return &sim->network;
}
