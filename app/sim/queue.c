#include <assert.h>
#include <stdlib.h>

#include "internal.h"

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void queue_push(struct sim *sim, uint64_t at_ns, enum event_kind kind, uint32_t server,
	struct packet *packet)
{
	struct event e = {at_ns, sim->order++, kind, server, packet};
	if (sim->heap_len == sim->heap_cap) {
		sim->heap_cap = sim->heap_cap > 0 ? 2 * sim->heap_cap : 1024;
		sim->heap = realloc(sim->heap, sim->heap_cap * sizeof(sim->heap[0]));
		assert(sim->heap != NULL);
	}
	uint32_t i = sim->heap_len++;
	while (i > 0 && earlier(&e, &sim->heap[(i - 1) / 2])) {
		sim->heap[i] = sim->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	sim->heap[i] = e;
}

bool queue_pop(struct sim *sim, uint64_t until_ns, struct event *event)
{
	if (sim->heap_len == 0 || sim->heap[0].at_ns > until_ns)
		return false;
	*event = sim->heap[0];
	struct event last = sim->heap[--sim->heap_len];
	uint32_t i = 0;
	while (2 * i + 1 < sim->heap_len) {
		uint32_t c = 2 * i + 1;
		if (c + 1 < sim->heap_len && earlier(&sim->heap[c + 1], &sim->heap[c]))
			c++;
		if (!earlier(&sim->heap[c], &last))
			break;
		sim->heap[i] = sim->heap[c];
		i = c;
	}
	sim->heap[i] = last;
	return true;
}

struct packet *packet_take(struct sim *sim)
{
	struct packet *p = sim->free_packets;
	if (p != NULL) {
		sim->free_packets = p->next;
	} else {
		p = malloc(sizeof(*p));
		assert(p != NULL);
	}
	p->next = NULL;
	return p;
}

void packet_give(struct sim *sim, struct packet *p)
{
	p->next = sim->free_packets;
	sim->free_packets = p;
}
