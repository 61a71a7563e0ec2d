#include "map_explore.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "deltamap/mutation.h"
#include "map_internal.h"
#include "map_ledger.h"
#include "map_local.h"
#include "map_network.h"

enum { DEPTH_MAX = 512, UNDER_WAY_MAX = 192, CHOICES_MAX = 256 };

/* A packet that is under way, and how often it came where that counts. */
struct under_way {
	uint32_t packet;
	uint8_t came;
};

struct place {
	uint32_t states[REPLICAS_MAX];
	uint32_t ledger;
	struct map_budget left;
	uint32_t count;
	struct under_way net[UNDER_WAY_MAX];
};

struct frame {
	struct step step; /* that led here */
	uint32_t packet;
	uint32_t next; /* to try */
	struct place place;
};

struct search {
	const struct map_scope *scope;
	struct fingerprints seen, healed, calm;
	struct frame *stack;
	uint32_t depth;
	uint32_t choice_count;
	struct step choices[CHOICES_MAX]; /* but for deliveries */
	uint64_t states_max;
	struct map_explored *out;
};

static bool spend(uint8_t *left)
{
	if (*left == 0)
		return false;
	--*left;
	return true;
}

/* ---- what is under way ---- */

static struct under_way *find_packet(struct place *p, uint32_t packet)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (p->net[i].packet == packet)
			return &p->net[i];
	return NULL;
}

static void drop_packet(struct place *p, uint32_t i)
{
	p->net[i] = p->net[--p->count];
}

static void put_packet(struct place *p, uint32_t packet)
{
	if (find_packet(p, packet) != NULL)
		return;
	if (p->count == UNDER_WAY_MAX)
		abort(); /* a scope's budget is below that */
	p->net[p->count++] = (struct under_way){.packet = packet};
}

/* Of a request that may open a session: may it still come? */
static bool is_asked_for(const struct place *p, uint8_t asker, uint8_t server, uint64_t nonce)
{
	for (uint32_t i = 0; i < p->count; i++) {
		const struct packet *packet = network_packet(p->net[i].packet);
		const struct packet_facts *f = network_facts(p->net[i].packet);
		if (f->wants_session && f->nonce == nonce && packet->from == asker &&
			packet->to == server)
			return true;
	}
	return false;
}

/* Whatever it comes to, it says no more than is known of the floor; who starts anew knows none. */
static bool tells_no_floor(const struct place *p, const struct packet *packet)
{
	uint64_t known = local_at(p->states[packet->to])->facts.floor;
	return packet->floor == 0 || (p->left.restarts == 0 && packet->floor <= known);
}

/* In a test build packets of other sessions may be taken. */
static bool nonces_count(void)
{
#ifdef MAP_MUTATIONS
	return map_mutation != MAP_MUTATION_NONCE_IGNORED &&
	       map_mutation != MAP_MUTATION_SNAPSHOTS_MIXED;
#else
	return true;
#endif
}

/* Can it make no difference any more, however often it comes? An answer of a session that its asker
 * is not in: a nonce is never drawn twice. One that it has, of the snapshot that it is taking. A
 * request that came, where the budget allows no other. */
static bool is_dead(const struct place *p, const struct under_way *u)
{
	const struct packet *packet = network_packet(u->packet);
	const struct packet_facts *f = network_facts(u->packet);
	const struct local_facts *to = &local_at(p->states[packet->to])->facts;
	if (f->is_request)
		return u->came > 0 && p->left.duplicates == 0;
	if (!nonces_count() || !tells_no_floor(p, packet))
		return false;
	if (f->type == WIRE_SESSION_REFUSE)
		return f->nonce != to->nonce;
	if (f->type != WIRE_SESSION_DATA)
		return false;
	if (f->nonce != to->nonce)
		return true;
	return to->begun && (f->snapshot != to->snapshot || (to->got >> f->index & 1));
}

static void drop_dead(struct place *p)
{
	for (uint32_t i = 0; i < p->count;)
		if (is_dead(p, &p->net[i]))
			drop_packet(p, i);
		else
			i++;
}

/* ---- steps ---- */

static bool may_deliver(struct place *p, uint32_t i)
{
	struct under_way *u = &p->net[i];
	if (!network_facts(u->packet)->is_request)
		return true;
	if (u->came > 0 && !spend(&p->left.duplicates))
		return false;
	u->came++;
	return true;
}

static bool may(struct place *p, const struct step *t)
{
	switch (t->kind) {
	case STEP_PUT: return spend(&p->left.writes) && spend(&p->left.puts);
	case STEP_DELETE: return spend(&p->left.writes) && spend(&p->left.deletes);
	case STEP_PULL: return spend(&p->left.pulls);
	case STEP_RESEND: return spend(&p->left.resends);
	case STEP_RESTART: return spend(&p->left.restarts);
	case STEP_FORGET: return spend(&p->left.forgets);
	case STEP_GO_ON: return spend(&p->left.new_epochs);
	case STEP_REPORT: return spend(&p->left.reports);
	default: return true;
	}
}

static void add_choices(struct search *s, enum step_kind kind, uint32_t others)
{
	for (uint32_t a = 0; a < s->scope->replicas; a++)
		for (uint32_t b = 0; b < others; b++)
			s->choices[s->choice_count++] =
				(struct step){.kind = kind, .a = (uint8_t)a, .b = (uint8_t)b};
}

static void list_choices(struct search *s)
{
	const struct map_budget *budget = &s->scope->budget;
	uint32_t all = s->scope->replicas;
	add_choices(s, STEP_TICK, 1);
	add_choices(s, STEP_LEARN,
		budget->restarts + budget->forgets + budget->new_epochs > 0 ? all : 0);
	add_choices(s, STEP_PUT, budget->puts > 0 ? s->scope->keys : 0);
	add_choices(s, STEP_DELETE, budget->deletes > 0 ? s->scope->keys : 0);
	add_choices(s, STEP_PULL, budget->pulls > 0 ? all : 0);
	add_choices(s, STEP_RESEND, budget->resends > 0);
	add_choices(s, STEP_RESTART, budget->restarts > 0);
	add_choices(s, STEP_FORGET, budget->forgets > 0 ? all : 0);
	add_choices(s, STEP_GO_ON, budget->new_epochs > 0);
	add_choices(s, STEP_REPORT, budget->reports > 0 ? all : 0);
}

/* What came of a step: where the replica is, and what it sent. */
static void arrive(struct place *p, const struct step *t, const struct edge *e)
{
	uint32_t from = p->states[t->a];
	p->ledger = ledger_step(p->ledger, t, from, edge_number(e));
	p->states[t->a] = e->to;
	for (uint32_t i = 0; i < e->sent_count; i++)
		put_packet(p, edge_sent(e, i));
}

/* The end of a session, told to who served it, whom it tells nothing else and who has nothing to do
 * by itself: nobody is in that session any more, so whether it stays open makes no difference. */
static bool is_done_at_once(const struct place *p, uint32_t number)
{
	const struct packet *packet = network_packet(number);
	const struct packet_facts *f = network_facts(number);
	struct step tick = {.kind = STEP_TICK, .a = packet->to};
	if (f->type != WIRE_SESSION_DONE || !nonces_count() || !tells_no_floor(p, packet))
		return false;
	const struct edge *e = local_step(p->states, &tick, 0, 0);
	return e->to == p->states[packet->to] && e->sent_count == 0;
}

static void end_sessions(struct place *p)
{
	for (uint32_t i = 0; i < p->count;) {
		uint32_t number = p->net[i].packet;
		const struct packet *packet = network_packet(number);
		struct step t = {.kind = STEP_DELIVER, .a = packet->to};
		if (!is_done_at_once(p, number)) {
			i++;
			continue;
		}
		const struct edge *e = local_step(p->states, &t, number, 0);
		bool asked_for =
			is_asked_for(p, packet->from, packet->to, network_facts(number)->nonce);
		if (e->to != LOCAL_NONE)
			arrive(p, &t, e);
		if (asked_for)
			i++;
		else
			drop_packet(p, i);
	}
}

/* False: it is not possible, or nothing comes of it. */
static bool make_step(struct search *s, struct frame *f, uint32_t choice)
{
	struct place *p = &f->place;
	uint32_t again = 0;
	f->packet = 0;
	if (choice < s->choice_count) {
		f->step = s->choices[choice];
		if (!may(p, &f->step))
			return false;
	} else {
		uint32_t i = choice - s->choice_count;
		if (!may_deliver(p, i))
			return false;
		f->packet = p->net[i].packet;
		f->step = (struct step){.kind = STEP_DELIVER, .a = network_packet(f->packet)->to};
		again = p->net[i].came > 0 ? p->net[i].came - 1u : 0;
	}
	const struct edge *e = local_step(p->states, &f->step, f->packet, again);
	if (e->to == LOCAL_NONE)
		return false;
	s->out->steps++;
	arrive(p, &f->step, e);
	end_sessions(p);
	drop_dead(p);
	return true;
}

/* ---- states ---- */

static struct fingerprint hash_replicas(const struct search *s, const struct place *p)
{
	struct fingerprint f = {0};
	for (uint32_t i = 0; i < s->scope->replicas; i++)
		f = fingerprint_mix(f, p->states[i]);
	return fingerprint_mix(f, p->ledger);
}

static struct fingerprint hash_place(const struct search *s, const struct place *p)
{
	struct fingerprint f = hash_replicas(s, p), sum = {0};
	uint64_t left[2] = {0};
	memcpy(left, &p->left, sizeof(p->left));
	f = fingerprint_mix(fingerprint_mix(f, left[0]), left[1]);
	for (uint32_t i = 0; i < p->count; i++) {
		struct fingerprint one = fingerprint_mix((struct fingerprint){1, 2},
			(uint64_t)p->net[i].packet << 8 | p->net[i].came);
		sum.a += one.a;
		sum.b += one.b;
	}
	return fingerprint_mix(fingerprint_mix(f, sum.a), sum.b);
}

static void write_trace(struct search *s, uint32_t depth)
{
	static struct world w;
	char *text = s->out->trace;
	size_t size = sizeof(s->out->trace), n = 0;
	char line[600], state[2048];
	for (uint32_t i = 1; i <= depth && n + sizeof(line) < size; i++) {
		const struct frame *f = &s->stack[i];
		world_describe(&f->step,
			f->step.kind == STEP_DELIVER ? network_packet(f->packet) : NULL, line,
			sizeof(line));
		n += (size_t)snprintf(text + n, size - n, "  %s\n", line);
	}
	const struct place *p = &s->stack[depth].place;
	ledger_load(p->ledger, p->states, &w);
	for (uint32_t i = 0; i < s->scope->replicas; i++)
		local_load(p->states[i]);
	world_describe_state(&w, state, sizeof(state));
	(void)snprintf(text + n, size - n, "  = %s\n", state);
}

static bool is_known(void *context, struct fingerprint key)
{
	struct search *s = context;
	int added = fingerprints_add(&s->calm, key);
	if (added < 0)
		abort();
	return added == 0;
}

/* What the faults' end makes of this state. */
static int heal(struct search *s, const struct place *p)
{
	static struct world w;
	int added = fingerprints_add(&s->healed, hash_replicas(s, p));
	if (added <= 0)
		return added;
	ledger_load(p->ledger, p->states, &w);
	for (uint32_t i = 0; i < s->scope->replicas; i++)
		local_load(p->states[i]);
	s->out->broken = world_heal_until(&w, is_known, s);
	return 0;
}

static int look_at(struct search *s, const struct place *p)
{
	for (uint32_t i = 0; i < s->scope->replicas && s->out->broken == NULL; i++)
		s->out->broken = ledger_check(p->ledger, p->states, i);
	if (s->out->broken == NULL)
		s->out->broken = local_unequal();
	return s->out->broken == NULL ? heal(s, p) : 0;
}

/* ---- the search ---- */

static void copy_place(struct place *to, const struct place *from)
{
	memcpy(to, from, offsetof(struct place, net) + from->count * sizeof(from->net[0]));
}

/* Tries one step from the top of the stack; a new state goes on top. */
static int try_step(struct search *s, struct frame *top)
{
	struct map_explored *out = s->out;
	struct frame *next = &s->stack[s->depth + 1];
	uint32_t choice = top->next++;
	copy_place(&next->place, &top->place);
	next->next = 0;
	if (!make_step(s, next, choice))
		return 0;
	int rc = fingerprints_add(&s->seen, hash_place(s, &next->place));
	if (rc <= 0)
		return rc;
	rc = look_at(s, &next->place);
	if (rc < 0)
		return rc;
	if (out->broken != NULL) {
		write_trace(s, s->depth + 1);
		return 0;
	}
	if (s->depth + 2 == DEPTH_MAX)
		abort(); /* the budget bounds the depth: a larger one is needed */
	s->depth++;
	if (s->depth > out->deepest)
		out->deepest = s->depth;
	return 0;
}

static int run(struct search *s)
{
	struct map_explored *out = s->out;
	for (;;) {
		struct frame *top = &s->stack[s->depth];
		if (out->broken != NULL || s->seen.count >= s->states_max)
			return 0;
		if (top->next < s->choice_count + top->place.count) {
			int rc = try_step(s, top);
			if (rc < 0)
				return rc;
		} else if (s->depth == 0) {
			out->whole = true;
			return 0;
		} else {
			s->depth--;
		}
	}
}

static void begin(struct search *s)
{
	static struct world start;
	struct place *first = &s->stack[0].place;
	world_start(&start, s->scope->replicas, s->scope->late, s->scope->long_values);
	locals_begin(&start, !s->scope->piecewise);
	for (uint32_t i = 0; i < s->scope->replicas; i++) {
		start.nodes[i].sent = 0;
		if (start.nodes[i].up)
			check_look(&start, i);
		first->states[i] = local_first(&start, i);
	}
	first->ledger = ledger_first(&start);
	first->left = s->scope->budget;
	list_choices(s);
}

int map_explore(const struct map_scope *scope, uint64_t states_max, struct map_explored *out)
{
	struct search s = {.scope = scope, .states_max = states_max, .out = out};
	memset(out, 0, sizeof(*out));
	s.stack = calloc(DEPTH_MAX, sizeof(s.stack[0]));
	if (s.stack == NULL)
		return -ENOMEM;
	begin(&s);
	int rc = fingerprints_add(&s.seen, hash_place(&s, &s.stack[0].place));
	if (rc > 0)
		rc = run(&s);
	out->states = s.seen.count;
	out->healed = s.healed.count;
	out->packets = network_count();
	out->locals = local_count();
	out->edges = local_edges();
	out->ledgers = ledger_count();
	out->compared = local_compared();
	free(s.stack);
	fingerprints_fini(&s.seen);
	fingerprints_fini(&s.healed);
	fingerprints_fini(&s.calm);
	locals_end();
	ledgers_end();
	network_fini();
	return rc < 0 ? rc : 0;
}
