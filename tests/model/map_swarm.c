#include "map_swarm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "rendezvous/rendezvous.h"
#include "map_internal.h"

#ifdef MAP_MUTATIONS
#include "deltamap/mutation.h"
#endif

enum { SENT_MAX = 1024, PENDING_LIMIT = 4096, STEPS = 90, EXCHANGE_MAX = 40 };

/* Kinds of events that a script is drawn from. */
enum event {
	EVENT_DELIVER,
	EVENT_WRITE,
	EVENT_PULL,
	EVENT_RESEND,
	EVENT_REPORT, /* to all */
	EVENT_PROBE,
	EVENT_CUT,    /* one direction between two, on or off */
	EVENT_ISLAND, /* some are cut off from the others, and each side forgets the other */
	EVENT_MEND,
	EVENT_JOIN,
	EVENT_RESTART,
	EVENT_RESTART_ALL,
	EVENT_FORGET,
	EVENT_EXCHANGE, /* a pull that goes through at once */
	EVENT_LEARN,
	EVENTS,
};

struct swarm {
	struct sw_random random;
	struct map_script *script;
	struct map_result *result;
	uint32_t weights[EVENTS];
	uint32_t loss_percent, duplicate_percent, late_percent, delete_percent, keys;
	uint32_t writes_left;
	bool cut[REPLICAS_MAX][REPLICAS_MAX];
	uint32_t pending_count;
	uint16_t pending[PENDING_LIMIT]; /* from << 12 | number */
	bool replayed, printed;
};

static struct world world;
static struct swarm swarm;
static struct packet sent[REPLICAS_MAX][SENT_MAX];

static uint32_t below(struct swarm *s, uint32_t bound)
{
	return (uint32_t)sw_random_below(&s->random, bound);
}

static uint32_t one_of(struct swarm *s, const uint32_t *from, uint32_t n)
{
	return from[below(s, n)];
}

#define ONE_OF(s, ...)                                                                             \
	one_of(s, (const uint32_t[]){__VA_ARGS__},                                                 \
		sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void send_packet(void *context, const struct packet *p)
{
	struct swarm *s = context;
	if (p->number >= SENT_MAX)
		return; /* a script that says too much loses it */
	struct packet *to = &sent[p->from][p->number];
	memcpy(to, p, offsetof(struct packet, bytes) + p->len);
	if (s->replayed || below(s, 100) < s->loss_percent)
		return;
	uint16_t name = (uint16_t)(p->from << 12 | p->number);
	for (int n = below(s, 100) < s->duplicate_percent ? 2 : 1; n > 0; n--)
		if (s->pending_count < PENDING_LIMIT)
			s->pending[s->pending_count++] = name;
}

static const struct packet *packet_of(uint16_t name)
{
	const struct packet *p = &sent[name >> 12][name & 0xfff];
	return p->len > 0 && p->number == (name & 0xfff) ? p : NULL;
}

/* One step of the world; a script remembers it. */
static void make(struct swarm *s, struct step t)
{
	const struct packet *p = NULL;
	if (s->result->broken != NULL)
		return;
	if (t.kind == STEP_DELIVER) {
		p = packet_of(t.what);
		if (p == NULL)
			return;
		t.a = p->to;
	}
	if (!s->replayed) {
		if (s->script->count == SCRIPT_MAX)
			return;
		s->script->steps[s->script->count++] = t;
	}
	if (!world.nodes[t.a].up && t.kind != STEP_RESTART)
		return;
	(void)world_step(&world, &t, p, send_packet, s, &s->result->broken);
}

static void step(struct swarm *s, enum step_kind kind, uint32_t a, uint32_t b)
{
	make(s, (struct step){.kind = kind, .a = (uint8_t)a, .b = (uint8_t)b});
}

static void take_pending(struct swarm *s, uint32_t at)
{
	uint16_t name = s->pending[at];
	memmove(&s->pending[at], &s->pending[at + 1],
		(--s->pending_count - at) * sizeof(s->pending[0]));
	const struct packet *p = packet_of(name);
	if (p == NULL || s->cut[p->from][p->to] || !world.nodes[p->to].up)
		return;
	const struct node *to = &world.nodes[p->to];
	/* Whoever is heard of lives: membership has it first. */
	if (to->sees[p->from] < p->epoch ||
		(to->forgotten[p->from] && to->sees[p->from] == p->epoch)) {
		if (to->forgotten[p->from] && world.forgotten_go_on &&
			world.nodes[p->from].epoch == p->epoch)
			step(s, STEP_GO_ON, p->from, 0);
		step(s, STEP_LEARN, p->to, p->from);
	}
	make(s, (struct step){.kind = STEP_DELIVER, .what = name});
}

static uint32_t any_up(struct swarm *s)
{
	uint32_t up[REPLICAS_MAX], n = 0;
	for (uint32_t i = 0; i < world.replicas; i++)
		if (world.nodes[i].up)
			up[n++] = i;
	return up[below(s, n)];
}

static uint32_t any_other(struct swarm *s, uint32_t a)
{
	uint32_t b = below(s, world.replicas - 1u);
	return b + (b >= a);
}

static void exchange(struct swarm *s, uint32_t a, uint32_t b)
{
	step(s, STEP_PULL, a, b);
	for (int n = 0; n < EXCHANGE_MAX; n++) {
		uint32_t at = 0;
		for (; at < s->pending_count; at++) {
			const struct packet *p = packet_of(s->pending[at]);
			bool between = p != NULL && ((p->from == a && p->to == b) ||
							    (p->from == b && p->to == a));
			if (between && p->bytes[0] != WIRE_RECORD)
				break;
		}
		if (at == s->pending_count)
			return;
		take_pending(s, at);
	}
}

static void island(struct swarm *s)
{
	uint32_t side = 0;
	for (uint32_t n = 1 + below(s, 2); n > 0; n--)
		side |= 1u << below(s, world.replicas);
	for (uint32_t x = 0; x < world.replicas; x++)
		for (uint32_t y = 0; y < world.replicas; y++) {
			if ((side >> x & 1) == (side >> y & 1))
				continue;
			s->cut[x][y] = true;
			if (world.nodes[x].up)
				step(s, STEP_FORGET, x, y);
		}
}

static void event(struct swarm *s, enum event e)
{
	uint32_t a = any_up(s), b = any_other(s, a);
	switch (e) {
	case EVENT_DELIVER:
		if (s->pending_count > 0)
			take_pending(s,
				below(s, 100) < s->late_percent ? below(s, s->pending_count) : 0);
		break;
	case EVENT_WRITE:
		if (s->writes_left == 0)
			break;
		s->writes_left--;
		step(s, below(s, 100) < s->delete_percent ? STEP_DELETE : STEP_PUT, a,
			below(s, s->keys));
		break;
	case EVENT_PULL: step(s, STEP_PULL, a, b); break;
	case EVENT_RESEND: step(s, STEP_RESEND, a, 0); break;
	case EVENT_REPORT:
		for (b = 0; b < world.replicas; b++)
			if (b != a)
				step(s, STEP_REPORT, a, b);
		break;
	case EVENT_PROBE:
		if (!s->cut[a][b] && !s->cut[b][a])
			step(s, STEP_PROBE, a, b);
		break;
	case EVENT_CUT: s->cut[a][b] = !s->cut[a][b]; break;
	case EVENT_ISLAND: island(s); break;
	case EVENT_MEND: memset(s->cut, 0, sizeof(s->cut)); break;
	case EVENT_JOIN:
		if (!world.nodes[world.replicas - 1].up)
			step(s, STEP_RESTART, world.replicas - 1u, 0);
		break;
	case EVENT_RESTART: step(s, STEP_RESTART, a, 0); break;
	case EVENT_RESTART_ALL:
		for (uint32_t i = 0; i < world.replicas; i++)
			if (world.nodes[i].up)
				step(s, STEP_RESTART, i, 0);
		break;
	case EVENT_FORGET: step(s, STEP_FORGET, a, b); break;
	case EVENT_EXCHANGE: exchange(s, a, b); break;
	case EVENT_LEARN: step(s, STEP_LEARN, a, b); break;
	default: break;
	}
}

static void draw(struct swarm *s, uint64_t seed)
{
	uint32_t *w = s->weights;
	s->random = sw_random_seed(seed);
	s->loss_percent = ONE_OF(s, 0, 10, 30);
	s->duplicate_percent = ONE_OF(s, 0, 20);
	s->late_percent = ONE_OF(s, 0, 0, 50, 80);
	s->delete_percent = ONE_OF(s, 20, 45, 70);
	s->writes_left = ONE_OF(s, 3, 4, 8, 14);
	s->keys = ONE_OF(s, 1, 2);
	w[EVENT_DELIVER] = ONE_OF(s, 20, 50, 80);
	w[EVENT_WRITE] = ONE_OF(s, 4, 10, 20);
	w[EVENT_PULL] = ONE_OF(s, 5, 15, 30);
	w[EVENT_RESEND] = ONE_OF(s, 0, 3, 10);
	w[EVENT_REPORT] = ONE_OF(s, 3, 8, 20);
	w[EVENT_PROBE] = ONE_OF(s, 0, 0, 5, 20);
	w[EVENT_CUT] = ONE_OF(s, 0, 1, 3);
	w[EVENT_ISLAND] = ONE_OF(s, 0, 1, 2);
	w[EVENT_MEND] = ONE_OF(s, 1, 2);
	w[EVENT_JOIN] = ONE_OF(s, 0, 1, 6);
	w[EVENT_RESTART] = ONE_OF(s, 0, 0, 1, 3);
	w[EVENT_RESTART_ALL] = ONE_OF(s, 0, 0, 0, 0, 0, 0, 0, 1);
	w[EVENT_FORGET] = ONE_OF(s, 0, 0, 1, 4);
	w[EVENT_EXCHANGE] = ONE_OF(s, 0, 10);
	w[EVENT_LEARN] = ONE_OF(s, 0, 3);
	if (below(s, 100) < 40) { /* long partitions, collection on both sides */
		w[EVENT_ISLAND] = 3;
		w[EVENT_MEND] = 2;
		w[EVENT_REPORT] = 25;
		w[EVENT_CUT] = w[EVENT_FORGET] = 0;
	}
	if (below(s, 100) < 20) { /* both sides go on as if they were alone */
		w[EVENT_ISLAND] = 5;
		w[EVENT_MEND] = 1;
		w[EVENT_EXCHANGE] = w[EVENT_REPORT] = 30;
		w[EVENT_RESTART] = w[EVENT_RESTART_ALL] = 0;
		s->keys = 2;
	}
	s->script->replicas = REPLICAS_MAX;
	s->script->late = 1;
	s->script->long_values = below(s, 2) == 0;
	s->script->forgotten_go_on = below(s, 2) == 0;
	s->script->count = 0;
}

static void begin(struct swarm *s, struct map_script *script, struct map_result *result)
{
	s->script = script;
	s->result = result;
	s->pending_count = 0;
	memset(s->cut, 0, sizeof(s->cut));
	memset(result, 0, sizeof(*result));
	for (uint32_t i = 0; i < REPLICAS_MAX; i++)
		for (uint32_t k = 0; k < SENT_MAX && sent[i][k].len > 0; k++)
			sent[i][k].len = 0;
}

static void start(const struct map_script *script)
{
	world_start(&world, script->replicas, script->late, script->long_values);
	world.forgotten_go_on = script->forgotten_go_on;
#ifdef MAP_MUTATIONS
	world.same_epochs = MAP_MUTANT(NO_EPOCH);
#endif
}

static void end(struct swarm *s)
{
	struct map_result *r = s->result;
	r->at = s->script->count;
	if (r->broken == NULL) {
		if (s->printed)
			printf("faults end\n");
		r->broken = world_heal(&world);
	}
	if (world_is_corner(r->broken)) {
		r->corner = r->broken;
		r->broken = NULL;
	}
	for (uint32_t i = 0; i < world.replicas; i++) {
		if (!world.nodes[i].up)
			continue;
		const uint64_t *c = (const uint64_t *)world_counters(i);
		for (size_t k = 0; k < sizeof(r->counters) / sizeof(uint64_t); k++)
			((uint64_t *)&r->counters)[k] += c[k];
	}
}

void map_swarm_play(uint64_t seed, struct map_script *script, struct map_result *result)
{
	struct swarm *s = &swarm;
	begin(s, script, result);
	s->replayed = false;
	draw(s, seed);
	start(script);
	uint32_t sum = 0;
	for (int e = 0; e < EVENTS; e++)
		sum += s->weights[e];
	for (int n = 0; n < STEPS && result->broken == NULL; n++) {
		uint32_t at = below(s, sum), e = 0;
		while (at >= s->weights[e])
			at -= s->weights[e++];
		event(s, (enum event)e);
	}
	end(s);
}

void map_script_play(const struct map_script *script, struct map_result *result)
{
	static struct map_script copy;
	struct swarm *s = &swarm;
	copy = *script;
	begin(s, &copy, result);
	s->replayed = true;
	start(script);
	uint32_t i = 0;
	for (; i < script->count && result->broken == NULL; i++)
		make(s, script->steps[i]);
	end(s);
	if (i < script->count)
		result->at = i;
}

static void leave_out(const struct map_script *from, struct map_script *to, uint32_t at, uint32_t n)
{
	*to = *from;
	memmove(&to->steps[at], &to->steps[at + n], (from->count - at - n) * sizeof(to->steps[0]));
	to->count -= n;
}

void map_script_shrink(struct map_script *script)
{
	static struct map_script less;
	static struct map_result result;
	map_script_play(script, &result);
	const char *broken = result.broken;
	for (uint32_t n = script->count / 2; n > 0; n = n > 1 && n < 4 ? n - 1 : n / 2) {
		for (uint32_t at = 0; at + n <= script->count;) {
			leave_out(script, &less, at, n);
			map_script_play(&less, &result);
			if (result.broken == broken)
				*script = less;
			else
				at += n;
		}
	}
}

static void print_step(void *context, const struct step *t, const struct packet *p)
{
	static char line[4096];
	uint32_t *count = context;
	world_describe(t, p, line, sizeof(line));
	printf("%4u %-60s", (*count)++, line);
	world_describe_replica(&world, t->a, line, sizeof(line));
	printf(" | %s\n", line);
}

void map_script_print(const struct map_script *script)
{
	static struct map_result result;
	uint32_t count = 0;
	world_watch(print_step, &count);
	swarm.printed = true;
	map_script_play(script, &result);
	swarm.printed = false;
	world_watch(NULL, NULL);
	printf("%s\n", result.broken != NULL ? result.broken : "nothing is broken");
}

static void print_dot(struct dot d)
{
	printf("%u.%u.%" PRIu64, world_replica_of(d.actor.id), d.actor.epoch, d.seq);
}

static void print_replica(uint32_t a)
{
	static const uint8_t names[KEYS] = {'a', 'b'};
	struct version_vector vv;
	struct map_view v;
	printf("= %u %u %d %" PRIu64, a, world.nodes[a].epoch, map_ready(world_map(a)),
		map_floor(world_map(a)));
	for (uint32_t k = 0; k < KEYS; k++) {
		if (!map_get_reader(world_map(a), &names[k], 1, &v))
			continue;
		printf(" %u:%" PRIu64 ":", k, v.clock);
		print_dot(v.author);
		printf(":");
		print_dot(v.dot);
		printf(":%d:%" PRIu64, v.tombstone, v.written_ms);
	}
	map_vector_owner(world_map(a), &vv);
	printf(" |");
	for (uint32_t i = 0; i < vv.count; i++)
		printf(" %u.%u:%" PRIu64 "%s", world_replica_of(vv.entries[i].actor.id),
			vv.entries[i].actor.epoch, vv_reach(vv.entries[i].seq),
			vv_is_closed(vv.entries[i].seq) ? "!" : "");
	printf("\n");
}

static void write_step(void *context, const struct step *t, const struct packet *p)
{
	static const char *const names[STEP_KINDS] = {"put", "delete", "pull", "again", "restart",
		"learn", "forget", "go-on", "report", "probe", "silence", "tick", "hear"};
	(void)context;
	if (p != NULL)
		printf("%s %u %u %u\n", names[t->kind], t->a, p->from, p->number);
	else
		printf("%s %u %u\n", names[t->kind], t->a, t->b);
	print_replica(t->a);
}

/* What a replica computes from names alone: weights, and where keys and actors stand in tables. */
static void write_hashes(void)
{
	for (uint32_t k = 0; k < KEYS; k++) {
		uint64_t hash = world_key_hash(k);
		printf("key %u %" PRIu64 "\n", k, hash);
		for (uint32_t i = 0; i < REPLICAS_MAX; i++)
			printf("weight %u %u %" PRIu64 "\n", k, i,
				rendezvous_weight(hash, rendezvous_server_hash(world_id(i))));
	}
}

void map_script_write(const struct map_script *script)
{
	static struct map_result result;
	printf("script %u %u %d\n", script->replicas, script->late, script->long_values);
	write_hashes();
	world_watch(write_step, NULL);
	map_script_play(script, &result);
	world_watch(NULL, NULL);
	printf("end\n");
}
