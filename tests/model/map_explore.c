#include "map_explore.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "map_image.h"
#include "map_internal.h"
#include "seen.h"

enum {
	SAID_MAX = SEEN_WORDS * 64,
	INDEX_SIZE = 4 * SAID_MAX,
	DEPTH_MAX = 1024,
	FOLLOWED_MAX = 4096,
	FOLLOWED_ONE_OF = 16,
	FOLLOWED_CHECKS_MAX = 20000
};

const struct map_scope map_scopes[MAP_SCOPES] = {
	{"three writes, pushed alone", 3, 2, 0, false, {.writes = 3, .puts = 3, .deletes = 1}},
	{"two writes and a pull", 3, 2, 0, true,
		{.writes = 2, .puts = 2, .deletes = 1, .pulls = 1, .resends = 1}},
	{"two writes and two pulls", 3, 1, 0, true, {.writes = 2, .puts = 2, .pulls = 2}},
	{"one starts anew", 3, 1, 0, true, {.writes = 1, .puts = 1, .restarts = 1, .pulls = 2}},
	{"a delete is collected", 3, 1, 0, true,
		{.writes = 2, .puts = 1, .deletes = 1, .reports = 3, .pulls = 1}},
	{"one is forgotten and a delete collected", 3, 1, 0, true,
		{.writes = 2, .puts = 1, .deletes = 1, .forgets = 1, .reports = 2, .pulls = 1}},
	{"two islands of one each, both delete", 2, 1, 0, true,
		{.writes = 3, .puts = 2, .deletes = 2, .forgets = 2, .pulls = 2}},
	{"four writes, pushed alone", 3, 2, 0, false, {.writes = 4, .puts = 4, .deletes = 2}},
	{"four writes, two pulls, one starts anew", 3, 2, 0, true,
		{.writes = 4, .puts = 4, .deletes = 2, .pulls = 2, .resends = 1, .restarts = 1}},
};

struct followed {
	uint64_t key, reaction;
	uint32_t packets;
};

struct network {
	uint64_t said[SEEN_WORDS];
	uint64_t asked[SEEN_WORDS]; /* requests that arrived once */
};

struct frame {
	struct network network;
	struct map_budget left;
	uint64_t hashes[REPLICAS_MAX];
	struct step step;    /* that led here */
	uint32_t next;       /* step to try */
	struct image before; /* of step.a */
	struct world world;
};

struct search {
	const struct map_scope *scope;
	struct seen seen, healed;
	struct frame *stack;
	struct frame *now; /* that takes what is sent */
	uint32_t depth;
	uint64_t states_max;
	struct map_explored *out;
};

static struct packet sayings[SAID_MAX];
static uint32_t said_count;
static uint16_t said_index[INDEX_SIZE]; /* by hash: number + 1 */
static struct image all_images[REPLICAS_MAX];
static struct followed followed[FOLLOWED_MAX];

static bool has(const uint64_t *bits, uint32_t at)
{
	return bits[at / 64] >> (at % 64) & 1;
}

static uint64_t hash_packet(const struct packet *p)
{
	uint64_t h = sw_mix64((uint64_t)p->from << 8 | p->to | (uint64_t)p->epoch << 16);
	h = sw_mix64(h + p->floor);
	for (uint32_t i = 0; i < p->len; i++)
		h = (h ^ p->bytes[i]) * 0x100000001b3ULL;
	return sw_mix64(h);
}

static bool same_packet(const struct packet *a, const struct packet *b)
{
	return a->from == b->from && a->to == b->to && a->epoch == b->epoch &&
	       a->floor == b->floor && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void say(void *context, const struct packet *packet)
{
	struct search *search = context;
	uint32_t slot = (uint32_t)hash_packet(packet) % INDEX_SIZE;
	while (said_index[slot] != 0 && !same_packet(&sayings[said_index[slot] - 1], packet))
		slot = (slot + 1) % INDEX_SIZE;
	if (said_index[slot] == 0) {
		if (said_count == SAID_MAX) {
			fprintf(stderr, "more than %d different packets\n", SAID_MAX);
			abort();
		}
		sayings[said_count] = *packet;
		said_index[slot] = (uint16_t)++said_count;
	}
	uint32_t at = said_index[slot] - 1u;
	search->now->network.said[at / 64] |= 1ULL << (at % 64);
}

static void copy_world(struct world *to, const struct world *from)
{
	memcpy(to, from, offsetof(struct world, history));
	memcpy(to->history, from->history, from->history_count * sizeof(from->history[0]));
	memcpy(to->collected, from->collected, from->collected_count * sizeof(from->collected[0]));
}

static bool spend(uint8_t *left)
{
	if (*left == 0)
		return false;
	--*left;
	return true;
}

/* All steps that there may be, by number: first those of pairs, then each packet. */
static struct step step_of(uint32_t n)
{
	struct step t = {.kind = (enum step_kind)(n / (REPLICAS_MAX * REPLICAS_MAX))};
	if (t.kind < STEP_DELIVER) {
		t.a = (uint8_t)(n / REPLICAS_MAX % REPLICAS_MAX);
		t.b = (uint8_t)(n % REPLICAS_MAX);
		return t;
	}
	t.kind = STEP_DELIVER;
	t.what = (uint16_t)(n - STEP_DELIVER * REPLICAS_MAX * REPLICAS_MAX);
	t.a = sayings[t.what].to;
	return t;
}

static uint32_t step_count(void)
{
	return STEP_DELIVER * REPLICAS_MAX * REPLICAS_MAX + said_count;
}

static bool may_deliver(struct frame *f, uint32_t what)
{
	if (!has(f->network.said, what))
		return false;
	if (sayings[what].bytes[0] != WIRE_VERSION_REQ)
		return true;
	if (has(f->network.asked, what) && !spend(&f->left.duplicates))
		return false;
	f->network.asked[what / 64] |= 1ULL << (what % 64);
	return true;
}

static bool may(const struct map_scope *scope, struct frame *f, const struct step *t)
{
	bool single = t->kind == STEP_RESEND || t->kind == STEP_RESTART || t->kind == STEP_GO_ON;
	if (t->a >= scope->replicas || (single && t->b > 0))
		return false;
	switch (t->kind) {
	case STEP_PUT: return t->b < scope->keys && spend(&f->left.writes) && spend(&f->left.puts);
	case STEP_DELETE:
		return t->b < scope->keys && spend(&f->left.writes) && spend(&f->left.deletes);
	case STEP_PULL: return t->b < scope->replicas && spend(&f->left.pulls);
	case STEP_RESEND: return spend(&f->left.resends);
	case STEP_RESTART: return spend(&f->left.restarts);
	case STEP_LEARN: return t->b < scope->replicas;
	case STEP_FORGET: return t->b < scope->replicas && spend(&f->left.forgets);
	case STEP_GO_ON: return spend(&f->left.new_epochs);
	case STEP_REPORT: return t->b < scope->replicas && spend(&f->left.reports);
	case STEP_DELIVER: return may_deliver(f, t->what);
	default: return false;
	}
}

static uint64_t hash_frame(struct frame *f)
{
	uint64_t h = world_hash_rest(&f->world);
	for (uint32_t i = 0; i < f->world.replicas; i++)
		h = sw_mix64(h + f->hashes[i]);
	for (size_t i = 0; i < sizeof(f->left); i++)
		h = h * 31 + ((const uint8_t *)&f->left)[i];
	for (int i = 0; i < SEEN_WORDS; i++)
		h = sw_mix64(h + f->network.asked[i]);
	return sw_mix64(h);
}

static uint64_t hash_replicas(const struct frame *f)
{
	uint64_t h = world_hash_rest(&f->world);
	for (uint32_t i = 0; i < f->world.replicas; i++)
		h = sw_mix64(h + f->hashes[i]);
	return h;
}

static void write_trace(struct search *search, uint32_t depth)
{
	char *text = search->out->trace;
	size_t size = sizeof(search->out->trace), n = 0;
	char line[600];
	for (uint32_t i = 1; i <= depth && n + sizeof(line) < size; i++) {
		const struct step *t = &search->stack[i].step;
		world_describe(
			t, t->kind == STEP_DELIVER ? &sayings[t->what] : NULL, line, sizeof(line));
		n += (size_t)snprintf(text + n, size - n, "  %s\n", line);
	}
	char state[2048];
	world_describe_state(&search->stack[depth].world, state, sizeof(state));
	(void)snprintf(text + n, size - n, "  = %s\n", state);
}

/* What the faults' end makes of this state; the replicas are put back. */
static int heal(struct search *search, struct frame *f)
{
	static const uint64_t none[SEEN_WORDS];
	static struct world world;
	int added = seen_add(&search->healed, hash_replicas(f), none);
	if (added <= 0)
		return added;
	copy_world(&world, &f->world);
	for (uint32_t i = 0; i < world.replicas; i++)
		image_save(i, &all_images[i]);
	search->out->broken = world_heal(&world);
	if (search->out->broken != NULL)
		copy_world(&f->world, &world); /* for the trace */
	else
		for (uint32_t i = 0; i < world.replicas; i++)
			image_load(i, &all_images[i]);
	return 0;
}

/* ---- are states that are held for equal followed by equal ones? ---- */

static void hash_said(void *context, const struct packet *packet)
{
	uint64_t *sum = context;
	*sum = sw_mix64(*sum + hash_packet(packet));
}

/* What a replica would make of each of the first `packets` packets, and of asking again. */
static uint64_t reaction(const struct world *from, uint32_t a, uint32_t packets)
{
	static struct world world;
	static struct image image;
	uint64_t all = 0;
	image_save(a, &image);
	for (uint32_t i = 0; i <= packets; i++) {
		struct step t = {.kind = i < packets ? STEP_DELIVER : STEP_RESEND, .a = (uint8_t)a};
		const char *broken;
		uint64_t sum = i;
		if (i < packets && sayings[i].to != a)
			continue;
		copy_world(&world, from);
		(void)world_step(
			&world, &t, i < packets ? &sayings[i] : NULL, hash_said, &sum, &broken);
		all += sw_mix64(sum + world_hash_replica(&world, a));
		image_load(a, &image);
	}
	return all;
}

/* One state of FOLLOWED_ONE_OF is remembered with its reaction, and compared when it is reached
 * again. */
static void follow(struct search *search, const struct frame *f, uint32_t a)
{
	uint64_t key = f->hashes[a];
	if (key % FOLLOWED_ONE_OF != 0)
		return;
	struct followed *known = &followed[key / FOLLOWED_ONE_OF % FOLLOWED_MAX];
	if (known->key != key) {
		*known = (struct followed){key, reaction(&f->world, a, said_count), said_count};
	} else if (search->out->followed < FOLLOWED_CHECKS_MAX) {
		search->out->followed++;
		if (reaction(&f->world, a, known->packets) != known->reaction)
			search->out->broken = "states that are held for equal go on equally";
	}
}

/* Tries one step from the top of the stack; a new state goes on top. */
static int try_step(struct search *search, struct frame *top)
{
	struct map_explored *out = search->out;
	struct step t = step_of(top->next++);
	struct frame *next = &search->stack[search->depth + 1];
	next->network = top->network;
	next->left = top->left;
	if (!may(search->scope, next, &t))
		return 0;
	image_save(t.a, &next->before);
	copy_world(&next->world, &top->world);
	search->now = next;
	const struct packet *packet = t.kind == STEP_DELIVER ? &sayings[t.what] : NULL;
	if (!world_step(&next->world, &t, packet, say, search, &out->broken)) {
		image_load(t.a, &next->before);
		return 0;
	}
	out->steps++;
	next->step = t;
	next->next = 0;
	memcpy(next->hashes, top->hashes, sizeof(next->hashes));
	next->hashes[t.a] = world_hash_replica(&next->world, t.a);
	if (out->broken == NULL)
		follow(search, next, t.a);
	int added = out->broken == NULL
			    ? seen_add(&search->seen, hash_frame(next), next->network.said)
			    : 0;
	if (added > 0)
		added = heal(search, next) < 0 ? -ENOMEM : 1;
	if (out->broken != NULL)
		write_trace(search, search->depth + 1);
	if (added <= 0 || out->broken != NULL) {
		image_load(t.a, &next->before);
		return added < 0 ? added : 0;
	}
	if (search->depth + 2 == DEPTH_MAX)
		abort(); /* the budget bounds the depth: a larger one is needed */
	search->depth++;
	if (search->depth > out->deepest)
		out->deepest = search->depth;
	return 0;
}

static int run(struct search *search)
{
	struct map_explored *out = search->out;
	for (;;) {
		struct frame *top = &search->stack[search->depth];
		if (out->broken != NULL || search->seen.count >= search->states_max)
			return 0;
		if (top->next < step_count()) {
			int rc = try_step(search, top);
			if (rc < 0)
				return rc;
		} else if (search->depth == 0) {
			out->whole = true;
			return 0;
		} else {
			image_load(top->step.a, &top->before);
			search->depth--;
		}
	}
}

int map_explore(const struct map_scope *scope, uint64_t states_max, struct map_explored *out)
{
	struct search search = {.scope = scope, .states_max = states_max, .out = out};
	memset(out, 0, sizeof(*out));
	search.stack = calloc(DEPTH_MAX, sizeof(search.stack[0]));
	if (search.stack == NULL)
		return -ENOMEM;
	said_count = 0;
	memset(said_index, 0, sizeof(said_index));
	memset(followed, 0, sizeof(followed));
	struct frame *first = &search.stack[0];
	first->left = scope->budget;
	world_start(&first->world, scope->replicas, scope->late, scope->long_values);
	for (uint32_t i = 0; i < scope->replicas; i++)
		first->hashes[i] = world_hash_replica(&first->world, i);
	int rc = seen_add(&search.seen, hash_frame(first), first->network.said);
	if (rc > 0)
		rc = run(&search);
	out->states = search.seen.count;
	out->healed = search.healed.count;
	out->packets = said_count;
	free(search.stack);
	seen_fini(&search.seen);
	seen_fini(&search.healed);
	return rc < 0 ? rc : 0;
}
