/* The steps and states of the map's world in words, for who has to understand a trace. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "map_internal.h"

static const char *const step_names[STEP_KINDS] = {"puts", "deletes", "pulls from", "asks again",
	"restarts empty", "learns of", "forgets", "goes on under a new epoch", "reports to",
	"probes", "waits to be first", "goes on", "hears"};

static int describe_message(char *text, size_t size, struct wire_message *m)
{
	struct wire_record r;
	struct wire_version_req q;
	struct wire_session_data d;
	struct wire_session_get g;
	struct wire_session_refuse refusal;
	struct vv_entry e;
	int n = 0;
	switch (m->type) {
	case WIRE_RECORD:
		if (!wire_get_record(&m->payload, &r))
			return 0;
		return snprintf(text, size,
			" %s %.*s clock %" PRIu64 " of %c%u.%" PRIu64 " dot %c%u.%" PRIu64,
			r.flags & WIRE_RECORD_TOMBSTONE ? "tombstone" : "record", r.key_len,
			(const char *)r.key, r.clock,
			'A' + (int)world_replica_of(r.author.actor.id), r.author.actor.epoch,
			r.author.seq, 'A' + (int)world_replica_of(r.dot.actor.id),
			r.dot.actor.epoch, r.dot.seq);
	case WIRE_VERSION_REQ:
		return wire_get_version_req(&m->payload, &q)
			       ? snprintf(text, size, " request %04x%s%s%s",
					 (unsigned)(q.nonce & 0xffff),
					 q.first_session ? " first" : "",
					 q.reconcile ? " reconcile" : "",
					 q.report   ? " report"
					 : q.repair ? " repair"
						    : "")
			       : 0;
	case WIRE_SESSION_DATA:
		return wire_get_session_data(&m->payload, &d)
			       ? snprintf(text, size, " session %04x/%u packet %u of %u",
					 (unsigned)(d.nonce & 0xffff), d.snapshot & 0xffff,
					 d.index + 1, d.packets)
			       : 0;
	case WIRE_SESSION_GET:
		return wire_get_session_get(&m->payload, &g)
			       ? snprintf(text, size, " asks again %04x: %" PRIx64,
					 (unsigned)(g.nonce & 0xffff), g.wanted[0])
			       : 0;
	case WIRE_SESSION_DONE: return snprintf(text, size, " done");
	case WIRE_SESSION_REFUSE:
		return wire_get_session_refuse(&m->payload, &refusal)
			       ? snprintf(text, size, " refused: %u", refusal.reason)
			       : 0;
	case WIRE_VECTOR:
	case WIRE_COLLECTED:
		n = snprintf(text, size, m->type == WIRE_VECTOR ? " vector" : " collected");
		while (wire_next_vector_entry(&m->payload, &e) && (size_t)n + 40 < size)
			n += snprintf(text + n, size - (size_t)n, " %c%u:%" PRIu64 "%s",
				'A' + (int)world_replica_of(e.actor.id), e.actor.epoch,
				vv_reach(e.seq), vv_is_closed(e.seq) ? "!" : "");
		return n;
	default: return snprintf(text, size, " type %02x", m->type);
	}
}

void world_describe(const struct step *t, const struct packet *p, char *text, size_t size)
{
	int n = snprintf(text, size, "%c %s", 'A' + t->a, step_names[t->kind]);
	if (t->kind == STEP_PUT || t->kind == STEP_DELETE)
		(void)snprintf(text + n, size - (size_t)n, " %c", 'a' + t->b);
	else if (t->kind == STEP_PULL || t->kind == STEP_LEARN || t->kind == STEP_FORGET ||
		 t->kind == STEP_REPORT || t->kind == STEP_PROBE)
		(void)snprintf(text + n, size - (size_t)n, " %c", 'A' + t->b);
	if (t->kind != STEP_DELIVER || p == NULL)
		return;
	n += snprintf(text + n, size - (size_t)n, " %c%u:", 'A' + p->from, p->epoch);
	struct sw_reader body = sw_reader_init(p->bytes, p->len);
	struct wire_message m;
	while (wire_next(&body, &m) && (size_t)n < size)
		n += describe_message(text + n, size - (size_t)n, &m);
}

static int describe_vector(char *text, size_t size, const struct version_vector *vv)
{
	int n = 0;
	for (uint32_t i = 0; i < vv->count && (size_t)n + 40 < size; i++)
		n += snprintf(text + n, size - (size_t)n, "%s%c%u:%" PRIu64 "%s", i > 0 ? " " : "",
			'A' + (int)world_replica_of(vv->entries[i].actor.id),
			vv->entries[i].actor.epoch, vv_reach(vv->entries[i].seq),
			vv_is_closed(vv->entries[i].seq) ? "!" : "");
	return n;
}

void world_describe_replica(const struct world *w, uint32_t a, char *text, size_t size)
{
	const struct node *node = &w->nodes[a];
	struct version_vector vv;
	size_t n = (size_t)snprintf(text, size, "%c%u%s", 'A' + (int)a, node->epoch,
		!node->up                 ? " down"
		: map_ready(world_map(a)) ? ""
					  : " starting");
	static const uint8_t names[KEYS] = {'a', 'b'};
	for (uint32_t k = 0; k < KEYS && node->up; k++) {
		struct map_view h;
		if (!map_get_reader(world_map(a), &names[k], 1, &h))
			continue;
		n += (size_t)snprintf(text + n, size - n,
			" %c%s=%" PRIu64 "/%c%u.%" PRIu64 "@%c%u.%" PRIu64, names[k],
			h.tombstone ? " gone" : "", h.clock,
			'A' + (int)world_replica_of(h.author.actor.id), h.author.actor.epoch,
			h.author.seq, 'A' + (int)world_replica_of(h.dot.actor.id),
			h.dot.actor.epoch, h.dot.seq);
	}
	if (!node->up)
		return;
	map_vector_owner(world_map(a), &vv);
	n += (size_t)snprintf(text + n, size - n, " [");
	n += (size_t)describe_vector(text + n, size - n, &vv);
	(void)snprintf(text + n, size - n, "] floor %" PRIu64, map_floor(world_map(a)));
}

void world_describe_state(const struct world *w, char *text, size_t size)
{
	size_t n = 0;
	text[0] = '\0';
	for (uint32_t i = 0; i < w->replicas && n + 400 < size; i++) {
		world_describe_replica(w, i, text + n, size - n - 4);
		n += strlen(text + n);
		n += (size_t)snprintf(text + n, size - n, "; ");
	}
}
