/* The steps of a cluster. */
#include <assert.h>

#include "internal.h"

static void start(struct state *s, uint32_t server, bool larger)
{
	struct node *n = &s->nodes[server];
	uint8_t starts = n->starts;
	*n = (struct node){.up = 1, .phase = SWIM_JOINING, .starts = (uint8_t)(starts + 1)};
	for (uint32_t i = 0; i < SERVERS; i++)
		n->views[i].rec.server = (uint8_t)i;
	n->views[server].used = 1;
	n->views[server].rec.epoch = 1;
	n->views[server].rec.instance =
		(uint8_t)(larger ? FIRST_INSTANCE + starts : FIRST_INSTANCE - starts);
}

static void ask_seeds(struct state *s, uint32_t server)
{
	cluster_load(s, server, NOW_NS);
	join_tick(cluster_machine(server), NOW_NS);
	say_output(s, server);
}

static uint16_t slot_of(uint32_t viewer, uint32_t server)
{
	return table_find(cluster_machine(viewer), cluster_id(server));
}

static bool spend(uint8_t *left, uint8_t *events)
{
	if (*left == 0 || *events == 0)
		return false;
	--*left;
	--*events;
	return true;
}

static bool suspect(struct state *s, const struct scope *scope, uint32_t a, uint32_t b)
{
	/* gcc takes the sanitizer's own check of the shifts below for servers from 32 on. */
	assert(a < SERVERS && b < SERVERS);
	struct node *n = &s->nodes[a];
	const struct view *v = &n->views[b];
	if (a == b || n->phase != SWIM_RUNNING || !v->used || v->rec.state > WIRE_SUSPECT ||
		(v->rec.state == WIRE_SUSPECT && v->accusers >> a & 1) ||
		!(scope->accusers >> a & 1) || !(scope->accused >> b & 1) ||
		!spend(&s->left.suspicions, &s->left.events))
		return false;
	s->accused[b] |= (uint8_t)(1u << a);
	cluster_load(s, a, NOW_NS);
	table_suspect(
		cluster_machine(a), NOW_NS, slot_of(a, b), cluster_id(a), "no answer to a probe");
	return true;
}

static bool verdict(struct state *s, uint32_t a, uint32_t b)
{
	if (a == b || s->nodes[a].phase != SWIM_RUNNING || !s->nodes[a].views[b].used ||
		s->nodes[a].views[b].rec.state != WIRE_SUSPECT)
		return false;
	cluster_load(s, a, NOW_NS);
	cluster_machine(a)->members[slot_of(a, b)].verdict_ns = NOW_NS;
	cluster_machine(a)->next_verdict_ns = NOW_NS;
	table_verdicts(cluster_machine(a), NOW_NS);
	return true;
}

static bool forget(struct state *s, uint32_t a, uint32_t b)
{
	if (a == b || s->nodes[a].phase != SWIM_RUNNING || !s->nodes[a].views[b].used ||
		s->nodes[a].views[b].rec.state != WIRE_DEAD ||
		!spend(&s->left.forgets, &s->left.events))
		return false;
	cluster_load(s, a, NOW_NS);
	return swim_forget(cluster_machine(a), NOW_NS, cluster_id(b)) == 0;
}

static bool reap(struct state *s, uint32_t a, uint32_t b)
{
	if (a == b || s->nodes[a].phase != SWIM_RUNNING || !s->nodes[a].views[b].used ||
		s->nodes[a].views[b].rec.state < WIRE_LEFT ||
		!spend(&s->left.reaps, &s->left.events))
		return false;
	cluster_load(s, a, NOW_NS);
	struct swim *w = cluster_machine(a);
	w->next_reap_ns = NOW_NS;
	w->members[slot_of(a, b)].since_ns = NOW_NS - 2 * (w->profile.reap_after_ns);
	table_reap(w, NOW_NS);
	return true;
}

static bool joined(struct state *s, uint32_t a)
{
	if (s->nodes[a].phase != SWIM_JOINING)
		return false;
	cluster_load(s, a, NOW_NS);
	cluster_machine(a)->join_done_ns = NOW_NS;
	join_tick(cluster_machine(a), NOW_NS);
	return true;
}

static bool leave(struct state *s, const struct scope *scope, uint32_t a)
{
	if (s->nodes[a].phase != SWIM_RUNNING || !(scope->leaving >> a & 1) ||
		!spend(&s->left.leaves, &s->left.events))
		return false;
	cluster_load(s, a, NOW_NS);
	swim_leave(cluster_machine(a), NOW_NS);
	return true;
}

static bool delivered(struct state *s, uint32_t a, uint16_t what)
{
	const struct said *said = said_at(what);
	struct node *n = &s->nodes[a];
	if (!is_said(s, what) || said->from == a || n->phase > SWIM_RUNNING ||
		(said->kind == SAID_JOIN_ACK &&
			(said->rec.server != a || n->phase != SWIM_JOINING ||
				said->asker_instance != n->views[a].rec.instance)))
		return false;
	if (said->kind == SAID_JOIN_ACK && said->rec.instance != said->asker_instance &&
		said->rec.epoch > n->seen_epoch)
		n->seen_epoch = said->rec.epoch;
	cluster_load(s, a, NOW_NS);
	const struct swim *w = cluster_machine(a);
	uint64_t version = w->version;
	deliver(a, said);
	/* Most messages say what is known: the state is the same. */
	return said->kind == SAID_JOIN_ACK || w->version != version || w->gossip_count > 0 ||
	       swim_has_output(w);
}

static bool crash(struct state *s, const struct scope *scope, uint32_t a)
{
	if (!(scope->crashing >> a & 1) || !spend(&s->left.crashes, &s->left.events))
		return false;
	uint8_t starts = s->nodes[a].starts;
	s->nodes[a] = (struct node){.starts = starts};
	return true;
}

static bool dispatch(struct state *s, const struct scope *scope, const struct step *t)
{
	switch (t->kind) {
	case STEP_SUSPECT: return suspect(s, scope, t->a, t->b);
	case STEP_VERDICT: return verdict(s, t->a, t->b);
	case STEP_JOINED: return joined(s, t->a);
	case STEP_LEAVE: return leave(s, scope, t->a);
	case STEP_FORGET: return forget(s, t->a, t->b);
	case STEP_REAP: return reap(s, t->a, t->b);
	case STEP_DELIVER: return delivered(s, t->a, t->what);
	default: return false;
	}
}

bool cluster_step(
	struct state *s, const struct scope *scope, const struct step *t, const char **broken)
{
	*broken = NULL;
	if (s->nodes[t->a].up != (t->kind != STEP_START))
		return false;
	if (t->kind == STEP_CRASH)
		return crash(s, scope, t->a);
	if (t->kind == STEP_START) {
		start(s, t->a, t->b != 0);
		ask_seeds(s, t->a);
		return true;
	}
	if (!dispatch(s, scope, t))
		return false;
	say_output(s, t->a);
	if (s->nodes[t->a].phase <= SWIM_RUNNING)
		say_answers(s, t->a);
	*broken = cluster_save(s, t->a);
	return true;
}

void cluster_start(struct state *s, bool all_joined, const struct budget *budget)
{
	memset(s, 0, sizeof(*s));
	s->left = *budget;
	said_clear();
	for (uint32_t i = 0; i < SERVERS; i++)
		start(s, i, false);
	for (uint32_t i = 0; i < SERVERS; i++) {
		if (!all_joined) {
			ask_seeds(s, i);
			continue;
		}
		s->nodes[i].phase = SWIM_RUNNING;
		for (uint32_t k = 0; k < SERVERS; k++)
			s->nodes[i].views[k] = (struct view){.used = 1,
				.rec = {.server = (uint8_t)k,
					.epoch = 1,
					.instance = FIRST_INSTANCE}};
		cluster_load(s, i, NOW_NS);
		say_answers(s, i);
	}
}

uint64_t cluster_hash(const struct state *s)
{
	return hash_bytes(1, s, offsetof(struct state, said));
}

uint64_t cluster_hash_nodes(const struct state *s)
{
	return hash_bytes(2, s->nodes, sizeof(s->nodes));
}
