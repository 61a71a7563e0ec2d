#include "explore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "seen.h"

enum { DEPTH_MAX = 4096 };

_Static_assert(SEEN_WORDS * 64 == SAID_MAX, "all messages are told apart");

const struct world worlds[WORLDS] = {
	{"one leaves, accused, and is reaped", true, {3, 4, 0, 4},
		{.suspicions = 1, .leaves = 1, .reaps = 1, .events = 3}},
	{"one is forgotten, and is reaped", true, {1, 4, 0, 0},
		{.suspicions = 1, .forgets = 1, .reaps = 1, .events = 3}},
	{"one leaves and starts again", true, {1, 4, 4, 4},
		{.crashes = 1, .leaves = 1, .events = 2}},
	{"one is accused and answers", true, {3, 4, 0, 0}, {.suspicions = 3, .events = 3}},
	{"one restarts, accused", true, {3, 4, 4, 0}, {.suspicions = 1, .crashes = 1, .events = 2}},
	{"three start at once", false, {7, 7, 0, 0}, {.suspicions = 1, .events = 1}},
	{"any two events", true, {7, 7, 7, 7},
		{.suspicions = 2,
			.crashes = 1,
			.leaves = 1,
			.forgets = 1,
			.reaps = 1,
			.events = 2}},
};

struct frame {
	struct state state;
	struct step step; /* that led here */
	uint32_t next;    /* step to try */
};

struct search {
	const struct world *world;
	struct seen seen, settled;
	struct frame *stack;
	uint32_t depth;
	uint64_t states_max;
	struct explored *out;
};

/* All steps that there may be, by number: first those of pairs, then every message to everybody. */
static struct step step_of(uint32_t n)
{
	struct step t = {.kind = (enum step_kind)(n / (SERVERS * SERVERS))};
	if (t.kind < STEP_DELIVER) {
		t.a = (uint8_t)(n / SERVERS % SERVERS);
		t.b = (uint8_t)(n % SERVERS);
		return t;
	}
	n -= STEP_DELIVER * SERVERS * SERVERS;
	t.kind = STEP_DELIVER;
	t.a = (uint8_t)(n % SERVERS);
	t.what = (uint16_t)(n / SERVERS);
	return t;
}

static uint32_t step_count(void)
{
	return STEP_DELIVER * SERVERS * SERVERS + cluster_said_count() * SERVERS;
}

static bool is_double(const struct step *t)
{
	bool pair = t->kind == STEP_SUSPECT || t->kind == STEP_VERDICT || t->kind == STEP_FORGET ||
		    t->kind == STEP_REAP;
	return t->kind != STEP_DELIVER && !pair && t->b > (t->kind == STEP_START);
}

static void write_trace(struct search *search, const struct step *last, const struct state *end)
{
	char *text = search->out->trace;
	size_t size = sizeof(search->out->trace), n = 0;
	for (uint32_t i = 1; i <= search->depth + 1 && n + 400 < size; i++) {
		const struct step *t = i <= search->depth ? &search->stack[i].step : last;
		char line[160];
		if (t == NULL)
			break;
		cluster_describe(t, line, sizeof(line));
		n += (size_t)snprintf(text + n, size - n, "  %s\n", line);
	}
	char line[512];
	cluster_describe_state(end, line, sizeof(line));
	(void)snprintf(text + n, size - n, "  = %s\n", line);
}

static int settle(struct search *search, const struct state *s)
{
	uint64_t took_ns;
	static const uint64_t none[SEEN_WORDS];
	int added = seen_add(&search->settled, cluster_hash_nodes(s), none);
	if (added <= 0)
		return added;
	/* Ten probe intervals and the longest suspicion. */
	uint64_t calm_ns =
		10 * cluster_profile.probe_interval_ns + cluster_profile.suspicion_max_ns;
	search->out->broken = cluster_settle(s, calm_ns, &took_ns);
	search->out->slowest_ns = sw_max_u64(search->out->slowest_ns, took_ns);
	return 0;
}

/* Tries one step from the top of the stack; a new state goes on top. */
static int try_step(struct search *search, struct frame *top)
{
	struct explored *out = search->out;
	struct step t = step_of(top->next++);
	struct frame *next = &search->stack[search->depth + 1];
	if (is_double(&t))
		return 0;
	next->state = top->state;
	if (!cluster_step(&next->state, &search->world->scope, &t, &out->broken))
		return 0;
	out->steps++;
	int added = out->broken == NULL
			    ? seen_add(&search->seen, cluster_hash(&next->state), next->state.said)
			    : 0;
	if (added > 0)
		added = settle(search, &next->state) < 0 ? -ENOMEM : 1;
	if (out->broken != NULL)
		write_trace(search, &t, &next->state);
	if (added <= 0 || out->broken != NULL)
		return added;
	if (search->depth + 2 == DEPTH_MAX)
		abort(); /* the network and the budget bound the depth: a larger one is needed */
	next->step = t;
	next->next = 0;
	search->depth++;
	if (search->depth > out->deepest)
		out->deepest = search->depth;
	return 0;
}

static int run(struct search *search)
{
	struct explored *out = search->out;
	for (;;) {
		struct frame *top = &search->stack[search->depth];
		if (out->broken != NULL || search->seen.count >= search->states_max)
			return 0;
		if (top->next < step_count()) {
			if (try_step(search, top) < 0)
				return -ENOMEM;
		} else if (search->depth == 0) {
			out->whole = true;
			return 0;
		} else {
			search->depth--;
		}
	}
}

int explore(const struct world *world, uint64_t states_max, struct explored *out)
{
	struct search search = {.world = world, .states_max = states_max, .out = out};
	memset(out, 0, sizeof(*out));
	search.stack = malloc(DEPTH_MAX * sizeof(search.stack[0]));
	if (search.stack == NULL)
		return -ENOMEM;
	cluster_init();
	cluster_start(&search.stack[0].state, world->joined, &world->budget);
	search.stack[0].next = 0;
	int rc = seen_add(
		&search.seen, cluster_hash(&search.stack[0].state), search.stack[0].state.said);
	if (rc > 0)
		rc = settle(&search, &search.stack[0].state);
	if (rc >= 0)
		rc = run(&search);
	out->states = search.seen.count;
	out->settled = search.settled.count;
	out->messages = cluster_said_count();
	cluster_fini();
	free(search.stack);
	seen_fini(&search.seen);
	seen_fini(&search.settled);
	return rc < 0 ? rc : 0;
}
