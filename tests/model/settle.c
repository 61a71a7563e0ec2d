/* Time passes without faults: packets as bytes, at once and in order, and the machines' own timers.
 */
#include "internal.h"

enum { ROUNDS_MAX = 64 };

struct calm {
	const struct state *from;
	uint64_t now_ns;
	const char *broken;
};

static bool takes_part(const struct calm *c, uint32_t i)
{
	return c->from->nodes[i].up && cluster_machine(i)->phase <= SWIM_RUNNING;
}

static bool pass(struct calm *c, uint32_t from, uint32_t to, const struct wire_header *h,
	const uint8_t *bytes, const struct sw_writer *w, uint32_t *ping_seq)
{
	struct sw_endpoint at = cluster_endpoint(from);
	struct sw_reader body = sw_reader_init(bytes, (size_t)(w->at - bytes));
	struct wire_message m;
	struct wire_probe probe;
	bool ping = false;
	swim_packet_begin(cluster_machine(to), c->now_ns, h, &at);
	while (wire_next(&body, &m)) {
		struct sw_reader copy = m.payload;
		if (m.type == WIRE_PING && wire_get_probe(&copy, &probe)) {
			ping = true;
			*ping_seq = probe.seq;
		}
		swim_input(cluster_machine(to), c->now_ns, h, &at, &m);
	}
	return ping;
}

static struct wire_header header_of(uint32_t server)
{
	const struct wire_member *self = &cluster_machine(server)->members[SELF].record;
	return (struct wire_header){.sender = self->actor, .instance = self->instance};
}

static void send(struct calm *c, uint32_t from, const struct sw_endpoint *to, const uint8_t *bytes,
	const struct sw_writer *w)
{
	struct wire_header h = header_of(from);
	for (uint32_t i = 0; i < SERVERS; i++) {
		struct sw_endpoint at = cluster_endpoint(i);
		uint8_t answer[WIRE_MESSAGES_MAX];
		uint32_t seq;
		if (!sw_endpoint_equal(&at, to) || !c->from->nodes[i].up || i == from)
			continue;
		if (!pass(c, from, i, &h, bytes, w, &seq) || !takes_part(c, i))
			continue;
		struct sw_writer back = sw_writer_init(answer, sizeof(answer));
		swim_answer(cluster_machine(i), c->now_ns, cluster_id(from), seq, &back);
		h = header_of(i);
		(void)pass(c, i, from, &h, answer, &back, &seq);
	}
}

/* Until nobody has anything to say. */
static void exchange(struct calm *c)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_endpoint to;
	uint64_t to_id;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		bool more = false;
		for (uint32_t i = 0; i < SERVERS; i++) {
			struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
			if (!c->from->nodes[i].up)
				continue;
			while (swim_output(cluster_machine(i), c->now_ns, &w, &to_id, &to)) {
				send(c, i, &to, bytes, &w);
				w = sw_writer_init(bytes, sizeof(bytes));
				more = true;
			}
		}
		if (!more)
			return;
	}
	c->broken = "a calm cluster comes to rest";
}

static void watch(struct calm *c, uint32_t viewer)
{
	struct swim_event e;
	while (swim_next_event(cluster_machine(viewer), &e)) {
		if (e.kind == SWIM_EVENT_STOOD_DOWN) {
			c->broken = "nobody stands down where no id is used twice";
			return;
		}
		uint32_t about = cluster_server_of(e.record.actor.id);
		const struct wire_member *self = &cluster_machine(about)->members[SELF].record;
		if (e.kind == SWIM_EVENT_DEAD && takes_part(c, about) &&
			actor_equal(self->actor, e.record.actor) &&
			self->instance == e.record.instance)
			c->broken = "in calm nobody who runs is declared dead";
	}
}

static uint64_t tick_all(struct calm *c)
{
	uint64_t next = SW_NEVER_NS;
	for (uint32_t i = 0; i < SERVERS; i++)
		if (takes_part(c, i))
			next = sw_min_u64(next, swim_deadline(cluster_machine(i)));
	c->now_ns = sw_max_u64(c->now_ns, next);
	for (uint32_t i = 0; i < SERVERS; i++)
		if (takes_part(c, i))
			swim_tick(cluster_machine(i), c->now_ns);
	exchange(c);
	for (uint32_t i = 0; i < SERVERS; i++)
		if (c->from->nodes[i].up)
			watch(c, i);
	return next;
}

/* Equal records of all that run; nobody else held for alive, nobody held for suspect. */
static const char *disagreement(const struct calm *c)
{
	for (uint32_t i = 0; i < SERVERS; i++) {
		const struct swim *w = cluster_machine(i);
		if (!takes_part(c, i))
			continue;
		if (w->phase != SWIM_RUNNING)
			return "all that started run in the end";
		for (uint32_t k = 0; k < SERVERS; k++) {
			uint16_t slot = table_find(w, cluster_id(k));
			const struct wire_member *own = &cluster_machine(k)->members[SELF].record;
			bool live = slot != NO_SLOT && swim_is_live(&w->members[slot]);
			if (!takes_part(c, k) && live)
				return "all find out who does not run";
			if (takes_part(c, k) && !live)
				return "nobody who runs stays dead or unknown for good";
			if (takes_part(c, k) &&
				swim_record_compare(own, &w->members[slot].record) != 0)
				return "all agree in the end";
		}
	}
	return NULL;
}

const char *cluster_settle(const struct state *s, uint64_t max_ns, uint64_t *took_ns)
{
	struct calm c = {.from = s, .now_ns = NOW_NS};
	const char *wrong;
	for (uint32_t i = 0; i < SERVERS; i++)
		if (s->nodes[i].up)
			cluster_load(s, i, c.now_ns);
	while ((wrong = disagreement(&c)) != NULL && c.broken == NULL && c.now_ns - NOW_NS < max_ns)
		if (tick_all(&c) == SW_NEVER_NS)
			break;
	*took_ns = c.now_ns - NOW_NS;
	return c.broken != NULL ? c.broken : wrong;
}
