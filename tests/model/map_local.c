#include "map_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deltamap/internal.h"
#include "map_image.h"
#include "map_internal.h"
#include "map_network.h"

enum { SENT_MAX = 64, AGAIN_MAX = 8, COMPARED_PACKETS = 24, COMPARED_ONE_OF = 4 };

struct table {
	uint64_t *keys; /* + 1 */
	uint32_t *values;
	uint64_t size, count;
};

/* Arrays that only grow. */
static struct local *locals;
static uint32_t locals_size, locals_count;
static struct edge *edges;
static uint32_t edges_size, edges_count;
static uint32_t *sent;
static uint32_t sent_size, sent_count;
static struct collecting *collectings;
static uint32_t collectings_size, collectings_count;

static struct table by_hash, by_step;
static struct image bases[REPLICAS_MAX];
static bool has_base[REPLICAS_MAX];
static bool in_one_go;
static struct world common; /* what all states of the world share */
static uint64_t compared;
static const char *unequal;

static uint32_t saying[SENT_MAX], saying_count;

/* ---- memory ---- */

static void *must(void *memory)
{
	if (memory == NULL) {
		fprintf(stderr, "no memory for the replicas' states\n");
		abort();
	}
	return memory;
}

static void room(void **array, uint32_t *size, uint32_t count, size_t one)
{
	if (count < *size)
		return;
	*size = *size == 0 ? 1024 : *size * 2;
	*array = must(realloc(*array, *size * one));
}

#define ROOM(array, n) room((void **)&(array), &array##_size, (n), sizeof((array)[0]))

static uint64_t *slot_of(struct table *t, uint64_t key)
{
	uint64_t at = sw_mix64(key) & (t->size - 1);
	while (t->keys[at] != 0 && t->keys[at] != key + 1)
		at = (at + 1) & (t->size - 1);
	return &t->keys[at];
}

static uint32_t *table_get(struct table *t, uint64_t key)
{
	if (t->size == 0)
		return NULL;
	uint64_t *slot = slot_of(t, key);
	return *slot == 0 ? NULL : &t->values[slot - t->keys];
}

static void table_grow(struct table *t)
{
	struct table larger = {.size = t->size == 0 ? 1 << 12 : t->size * 2, .count = t->count};
	larger.keys = must(calloc(larger.size, sizeof(larger.keys[0])));
	larger.values = must(calloc(larger.size, sizeof(larger.values[0])));
	for (uint64_t i = 0; i < t->size; i++) {
		if (t->keys[i] == 0)
			continue;
		uint64_t *slot = slot_of(&larger, t->keys[i] - 1);
		*slot = t->keys[i];
		larger.values[slot - larger.keys] = t->values[i];
	}
	free(t->keys);
	free(t->values);
	*t = larger;
}

static void table_put(struct table *t, uint64_t key, uint32_t value)
{
	if (t->count * 3 >= t->size * 2)
		table_grow(t);
	uint64_t *slot = slot_of(t, key);
	t->count += *slot == 0;
	*slot = key + 1;
	t->values[slot - t->keys] = value;
}

static void table_fini(struct table *t)
{
	free(t->keys);
	free(t->values);
	*t = (struct table){0};
}

void locals_begin(const struct world *start, bool whole_snapshots)
{
	memcpy(&common, start, offsetof(struct world, nodes));
	common.history_count = common.collected_count = 0;
	in_one_go = whole_snapshots;
	compared = 0;
	unequal = NULL;
}

void locals_end(void)
{
	for (uint32_t i = 0; i < locals_count; i++) {
		free(locals[i].node);
		free(locals[i].diff);
	}
	free(locals);
	free(edges);
	free(sent);
	free(collectings);
	locals = NULL;
	edges = NULL;
	sent = NULL;
	collectings = NULL;
	locals_size = locals_count = edges_size = edges_count = sent_size = sent_count = 0;
	collectings_size = collectings_count = 0;
	table_fini(&by_hash);
	table_fini(&by_step);
	memset(has_base, 0, sizeof(has_base));
}

/* ---- states ---- */

static struct local_facts facts_of(uint32_t a)
{
	const struct map *m = world_map(a);
	const struct pulling *p = &m->pulling;
	struct local_facts f = {.floor = map_floor(m), .open = p->open};
	if (!p->open)
		return f;
	f.nonce = p->nonce;
	f.begun = p->begun;
	f.snapshot = p->snapshot;
	f.got = p->begun ? p->got[0] : 0;
	return f;
}

static void keep_memory(struct local *l, uint32_t a)
{
	static uint8_t diff[IMAGE_DIFF_MAX];
	if (!has_base[a])
		image_save(a, &bases[a]);
	has_base[a] = true;
	l->diff_len = (uint32_t)image_diff(a, &bases[a], diff);
	l->diff = must(malloc(l->diff_len + 1));
	memcpy(l->diff, diff, l->diff_len);
}

static uint32_t add(const struct world *w, uint32_t a, uint64_t hash)
{
	const struct node *n = &w->nodes[a];
	size_t bytes = offsetof(struct node, vector.entries) +
		       n->vector.count * sizeof(n->vector.entries[0]);
	ROOM(locals, locals_count);
	struct local *l = &locals[locals_count];
	*l = (struct local){.hash = hash, .replica = (uint8_t)a};
	l->node = must(malloc(bytes));
	memcpy(l->node, n, bytes);
	if (n->up) {
		l->facts = facts_of(a);
		keep_memory(l, a);
	}
	table_put(&by_hash, hash, locals_count);
	return locals_count++;
}

uint32_t local_first(const struct world *w, uint32_t a)
{
	uint64_t hash = world_hash_replica(w, a);
	const uint32_t *known = table_get(&by_hash, hash);
	return known != NULL ? *known : add(w, a, hash);
}

const struct local *local_at(uint32_t state)
{
	return &locals[state];
}

void local_node(uint32_t state, struct node *node)
{
	const struct node *n = locals[state].node;
	memcpy(node, n,
		offsetof(struct node, vector.entries) +
			n->vector.count * sizeof(n->vector.entries[0]));
}

void local_common(struct world *w)
{
	memcpy(w, &common, offsetof(struct world, nodes));
}

void local_load(uint32_t state)
{
	const struct local *l = &locals[state];
	if (l->diff != NULL)
		image_load_diff(l->replica, &bases[l->replica], l->diff, l->diff_len);
}

uint32_t local_count(void)
{
	return locals_count;
}

uint64_t local_edges(void)
{
	return edges_count;
}

uint64_t local_compared(void)
{
	return compared;
}

const char *local_unequal(void)
{
	return unequal;
}

/* ---- steps ---- */

static void say(void *context, const struct packet *packet)
{
	(void)context;
	if (saying_count == SENT_MAX)
		abort(); /* in one step: more than there is to say */
	saying[saying_count++] = network_add(packet);
}

/* The state of the replica as the step leaves it; false: it is not possible. What it said and
 * collected is in `saying` and world_collecting. */
static bool act(struct world *w, const struct step *t, uint32_t packet, uint32_t again)
{
	struct map *m = world_map(t->a);
	saying_count = world_collecting_count = 0;
	if (t->kind == STEP_RESTART)
		image_wipe(t->a);
	else if (in_one_go && t->kind == STEP_DELIVER) /* it is compared within one nonce only */
		m->next_snapshot = network_facts(packet)->variant * AGAIN_MAX + again;
	if (!world_act(w, t, t->kind == STEP_DELIVER ? network_packet(packet) : NULL, say, NULL))
		return false;
	m = world_map(t->a);
	if (in_one_go) {
		world_go_on(w, t->a, say, NULL);
		m->next_snapshot = 0;
	}
	w->nodes[t->a].sent = 0;
	check_look(w, t->a);
	return true;
}

/* All that the step can see of the world. */
static void set_up(struct world *w, const uint32_t states[REPLICAS_MAX], uint32_t a)
{
	local_common(w);
	for (uint32_t i = 0; i < w->replicas; i++)
		local_node(states[i], &w->nodes[i]);
	local_load(states[a]);
}

/* A step's name, and what else of the world it depends on. */
static uint64_t key_of(
	const uint32_t states[REPLICAS_MAX], const struct step *t, uint32_t packet, uint32_t again)
{
	uint64_t key = (uint64_t)states[t->a] << 32 | (uint64_t)t->kind << 28;
	if (again >= AGAIN_MAX)
		abort(); /* a scope's budget is below that */
	if (t->kind == STEP_DELIVER)
		return key | (uint64_t)again << 25 | packet;
	key |= (uint64_t)t->b << 24;
	for (uint32_t i = 0; i < common.replicas; i++) {
		const struct node *n = locals[states[i]].node;
		bool matters = t->kind == STEP_RESTART || (t->kind == STEP_LEARN && i == t->b);
		if (n->epoch > 30 || packet >= 1u << 25)
			abort(); /* a scope's budget is below that */
		if (matters)
			key |= (uint64_t)(n->up ? n->epoch + 1 : 0) << (5 * i);
	}
	return key;
}

/* What a state makes of a packet: what it says, and where it is then. */
static uint64_t reaction_of(uint64_t hash)
{
	uint64_t h = hash;
	for (uint32_t i = 0; i < saying_count; i++)
		h = sw_mix64(h + saying[i] + 1);
	return h;
}

/* The replica was led to a state that is known, by another way: does it go on as that one? */
static void compare(
	const struct world *from, const uint32_t states[REPLICAS_MAX], uint32_t known, uint32_t a)
{
	static struct world w;
	static struct image image;
	uint32_t there[REPLICAS_MAX], packets = network_count();
	uint32_t first = packets > COMPARED_PACKETS
				 ? (uint32_t)(sw_mix64(compared) % (packets - COMPARED_PACKETS))
				 : 0;
	memcpy(there, states, sizeof(there));
	there[a] = known;
	image_save(a, &image);
	compared++;
	for (uint32_t i = first; i < packets && i < first + COMPARED_PACKETS; i++) {
		struct step t = {.kind = STEP_DELIVER, .a = (uint8_t)a};
		if (network_packet(i)->to != a)
			continue;
		memcpy(&w, from, offsetof(struct world, history));
		(void)act(&w, &t, i, 0);
		uint64_t here = reaction_of(world_hash_replica(&w, a));
		set_up(&w, there, a);
		(void)act(&w, &t, i, 0);
		if (reaction_of(world_hash_replica(&w, a)) != here)
			unequal = "states that are held for equal go on equally";
		image_load(a, &image);
	}
}

static void keep_what_was_sent(struct edge *e)
{
	e->sent_first = sent_count;
	e->sent_count = (uint16_t)saying_count;
	for (uint32_t i = 0; i < saying_count; i++) {
		ROOM(sent, sent_count);
		sent[sent_count++] = saying[i];
	}
	e->collecting_first = collectings_count;
	e->collecting_count = (uint16_t)world_collecting_count;
	for (uint32_t i = 0; i < world_collecting_count; i++) {
		ROOM(collectings, collectings_count);
		collectings[collectings_count++] = world_collecting[i];
	}
	world_collecting_count = 0;
}

static void make(struct edge *e, const uint32_t states[REPLICAS_MAX], const struct step *t,
	uint32_t packet, uint32_t again)
{
	static struct world w;
	set_up(&w, states, t->a);
	*e = (struct edge){.to = LOCAL_NONE};
	if (!act(&w, t, packet, again))
		return;
	keep_what_was_sent(e);
	uint64_t hash = world_hash_replica(&w, t->a);
	const uint32_t *known = table_get(&by_hash, hash);
	e->to = known != NULL ? *known : add(&w, t->a, hash);
	if (known != NULL && e->to != states[t->a] && edges_count % COMPARED_ONE_OF == 0)
		compare(&w, states, e->to, t->a);
}

const struct edge *local_step(
	const uint32_t states[REPLICAS_MAX], const struct step *t, uint32_t packet, uint32_t again)
{
	uint64_t key = key_of(states, t, packet, again);
	const uint32_t *known = table_get(&by_step, key);
	if (known != NULL)
		return &edges[*known];
	struct edge e;
	make(&e, states, t, packet, again);
	ROOM(edges, edges_count);
	edges[edges_count] = e;
	table_put(&by_step, key, edges_count);
	return &edges[edges_count++];
}

uint32_t edge_number(const struct edge *e)
{
	return (uint32_t)(e - edges);
}

const struct edge *edge_at(uint32_t number)
{
	return &edges[number];
}

uint32_t edge_sent(const struct edge *e, uint32_t i)
{
	return sent[e->sent_first + i];
}

const struct collecting *edge_collecting(const struct edge *e, uint32_t i)
{
	return &collectings[e->collecting_first + i];
}
