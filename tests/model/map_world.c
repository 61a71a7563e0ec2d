/* The steps of the map's world. */
#include "map_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deltamap/internal.h"
#include "map_image.h"
#include "map_internal.h"
#include "rendezvous/rendezvous.h"

enum {
	LONG_VALUE = 640,
	SHORT_VALUE = 1,
	RECORDS_MAX = 8,
	BYTES_MAX = 24 * 1024,
	CLUSTER_SEED = 3
};

static struct map *maps[REPLICAS_MAX];
static struct map_counters former[REPLICAS_MAX], all[REPLICAS_MAX];
static uint8_t contexts[REPLICAS_MAX] = {0, 1, 2, 3};
static struct world *current; /* of the step that is made */
struct collecting world_collecting[COLLECTING_MAX];
uint32_t world_collecting_count;
static void (*watcher)(void *context, const struct step *step, const struct packet *packet);
static void *watcher_context;

struct map *world_map(uint32_t replica)
{
	return maps[replica];
}

/* Ids whose weights for the first key fall from the first replica to the last. */
uint64_t world_id(uint32_t replica)
{
	static const uint64_t ids[REPLICAS_MAX] = {1, 2, 3, 4};
	return ids[replica];
}

uint32_t world_replica_of(uint64_t id)
{
	return (uint32_t)id - 1;
}

static const char *key_name(uint32_t key)
{
	static const char *const names[KEYS] = {"a", "b"};
	return names[key];
}

uint32_t world_key_of(const uint8_t *key)
{
	return key[0] - 'a';
}

uint64_t world_key_hash(uint32_t key)
{
	return rendezvous_key_hash(CLUSTER_SEED, key_name(key), 1);
}

struct actor world_actor(const struct world *w, uint32_t replica)
{
	return (struct actor){world_id(replica), w->nodes[replica].epoch};
}

bool world_is_peer(const struct world *w, uint32_t a, uint32_t other)
{
	const struct node *n = &w->nodes[a];
	return a != other && n->sees[other] != 0 && !n->forgotten[other];
}

static struct sw_endpoint endpoint_of(uint32_t replica)
{
	return (struct sw_endpoint){.addr = {[15] = (uint8_t)(replica + 1)}, .port = 7946};
}

static void tell_members(const struct world *w, uint32_t a)
{
	struct map_peer peers[REPLICAS_MAX];
	uint32_t n = 0;
	for (uint32_t i = 0; i < w->replicas; i++)
		if (i != a && w->nodes[a].sees[i] != 0)
			peers[n++] = (struct map_peer){{world_id(i), w->nodes[a].sees[i]},
				endpoint_of(i),
				w->nodes[a].forgotten[i] ? MAP_PEER_OVER : MAP_PEER_LIVE};
	map_peers_owner(maps[a], w->nodes[a].now_ns, peers, n, true);
}

static uint8_t unheard_by(const struct world *w, uint32_t a)
{
	uint8_t unheard = 0;
	for (uint32_t b = 0; b < w->replicas; b++)
		if (b != a && w->nodes[a].sees[b] == 0)
			unheard |= (uint8_t)(1u << b);
	return unheard;
}

static void on_collect(void *context, const struct map_view *t)
{
	const uint8_t *a = context;
	if (world_collecting_count == COLLECTING_MAX)
		abort(); /* in one step: more than there are records */
	struct collecting *c = &world_collecting[world_collecting_count++];
	memset(&c->what, 0, sizeof(c->what));
	c->what.key = (uint8_t)world_key_of(t->key);
	c->what.origin = (uint8_t)t->written_ms;
	c->what.by = *a;
	c->what.life = current->nodes[*a].life;
	c->unheard = unheard_by(current, *a);
	c->what.clock = t->clock;
	c->what.weight = t->weight;
	check_set_dot(&c->what.author, t->author);
	map_vector_owner(maps[*a], &c->vector);
}

static struct map_config config_of(const struct world *w, uint32_t a, bool first)
{
	return (struct map_config){
		.self = world_actor(w, a),
		.cluster_seed = CLUSTER_SEED,
		.records_max = RECORDS_MAX,
		.bytes_max = BYTES_MAX,
		.pull_interval_ns = WORLD_NEVER_NS,
		.push_flush_ns = 0,
		.hole_delay_ns = 0,
		.resend_ns = WORLD_RESEND_NS,
		.session_timeout_ns = WORLD_TIMEOUT_NS,
		.first_after_ns = first ? 0 : WORLD_FIRST_NS,
		.unknown_after_ns = WORLD_NEVER_NS,
		.packets_per_s_max = 1000000000,
		.random_seed = a + 1,
		.on_collect = on_collect,
		.context = &contexts[a],
	};
}

const struct map_counters *world_counters(uint32_t a)
{
	const uint64_t *now = (const uint64_t *)map_counters(maps[a]);
	for (size_t i = 0; i < sizeof(former[0]) / sizeof(uint64_t); i++)
		((uint64_t *)&all[a])[i] = ((const uint64_t *)&former[a])[i] + now[i];
	return &all[a];
}

void world_watch(void (*watch)(void *context, const struct step *step, const struct packet *packet),
	void *context)
{
	watcher = watch;
	watcher_context = context;
}

/* Empty, in a new life. first: it has declared itself first, as a datacenter's first servers do. */
static void begin(struct world *w, uint32_t a, bool first)
{
	struct node *n = &w->nodes[a];
	if (n->up)
		former[a] = *world_counters(a);
	struct node next = {.up = true,
		.life = (uint8_t)(n->life + 1),
		.last_epoch = n->last_epoch + !(w->same_epochs && n->up),
		.sent = n->sent,
		.pulls = n->pulls,
		.writes = n->writes,
		.now_ns = WORLD_START_NS};
	*n = next;
	n->epoch = n->last_epoch;
	for (uint32_t i = 0; i < w->replicas; i++)
		n->sees[i] = i == a || !w->nodes[i].up ? 0 : w->nodes[i].epoch;
	struct map_config config = config_of(w, a, first);
	config.memory = image_begin(a);
	maps[a] = map_create(&config, n->now_ns);
	if (maps[a] == NULL)
		abort();
	if (first) {
		map_peers_owner(maps[a], n->now_ns, NULL, 0, true);
		map_tick_owner(maps[a], n->now_ns);
	}
	tell_members(w, a);
	if (!first)
		maps[a]->next_pull_ns = n->now_ns + WORLD_NEVER_NS; /* when, is a step's to say */
	n->ready = map_ready(maps[a]);
}

void world_start(struct world *w, uint8_t replicas, uint8_t late, bool long_values)
{
	memset(w, 0, offsetof(struct world, history));
	memset(former, 0, sizeof(former));
	world_collecting_count = 0;
	w->replicas = replicas;
	w->long_values = long_values;
	for (uint32_t i = 0; i + late < replicas; i++)
		begin(w, i, true);
	for (uint32_t i = 0; i + late < replicas; i++) {
		for (uint32_t k = 0; k + late < replicas; k++)
			w->nodes[i].sees[k] = i == k ? 0 : w->nodes[k].epoch;
		tell_members(w, i);
	}
}

/* ---- steps ---- */

/* What it has to say now, and what it does by itself at this moment. */
static void drain(struct world *w, uint32_t a, world_sink sink, void *context)
{
	struct node *n = &w->nodes[a];
	static struct packet p;
	p.from = (uint8_t)a;
	struct sw_endpoint to;
	uint64_t to_id;
	n->now_ns += WORLD_STEP_NS;
	maps[a]->next_look_ns = 0; /* at the membership of what is new in the vector */
	map_tick_owner(maps[a], n->now_ns);
	for (;;) {
		struct sw_writer out = sw_writer_init(p.bytes, sizeof(p.bytes));
		if (!map_output_owner(maps[a], n->now_ns, &out, &to_id, &to))
			break;
		p.epoch = n->epoch;
		p.number = n->sent++;
		p.to = (uint8_t)world_replica_of(to_id);
		p.len = (uint16_t)(out.at - p.bytes);
		p.last_seq = map_last_seq(maps[a]);
		p.floor = map_floor(maps[a]);
		sink(context, &p);
	}
	map_seal_owner(maps[a]);
	map_free_owner(maps[a]);
	n->ready = map_ready(maps[a]);
}

/* Until it is done with the session that it has begun to gather. */
void world_go_on(struct world *w, uint32_t a, world_sink sink, void *context)
{
	while (w->nodes[a].up && gather_has_work(maps[a]))
		drain(w, a, sink, context);
}

static bool write_step(struct world *w, const struct step *t)
{
	struct node *n = &w->nodes[t->a];
	static uint8_t value[LONG_VALUE];
	struct dot dot;
	uint8_t origin = (uint8_t)(t->a * WRITES_EACH_MAX + n->writes);
	if (n->writes == WRITES_EACH_MAX || !n->ready)
		return false;
	value[0] = origin;
	const char *key = key_name(t->b);
	int rc = t->kind == STEP_PUT ? map_put_owner(maps[t->a], n->now_ns, origin, key, 1, value,
					       w->long_values ? LONG_VALUE : SHORT_VALUE, &dot)
				     : map_del_owner(maps[t->a], n->now_ns, origin, key, 1, &dot);
	if (rc != 0)
		return false;
	check_write(w, origin, n->holds[t->b] ? &n->records[t->b] : NULL);
	n->writes++;
	return true;
}

/* What the machine draws depends on the step and not on the way here. */
static void draw_anew(struct node *n, uint32_t a)
{
	n->pulls++;
	maps[a]->random = sw_random_seed((uint64_t)a << 32 | (uint64_t)n->epoch << 16 | n->pulls);
}

/* From b, now. A hint that is a moment old is due before anything else. */
static bool pull_step(struct world *w, const struct step *t)
{
	struct node *n = &w->nodes[t->a];
	struct map *m = maps[t->a];
	if (!world_is_peer(w, t->a, t->b))
		return false;
	if (m->pulling.open) {
		n->now_ns += WORLD_TIMEOUT_NS;
		map_tick_owner(m, n->now_ns);
	}
	draw_anew(n, t->a);
	map_hint_owner(m, n->now_ns - 1, world_id(t->b));
	return true;
}

static bool resend_step(struct world *w, const struct step *t)
{
	if (!maps[t->a]->pulling.open)
		return false;
	w->nodes[t->a].now_ns += WORLD_RESEND_NS;
	return true;
}

static bool learn_step(struct world *w, const struct step *t)
{
	struct node *n = &w->nodes[t->a];
	if (t->a == t->b || !w->nodes[t->b].up ||
		(n->sees[t->b] == w->nodes[t->b].epoch && !n->forgotten[t->b]))
		return false;
	n->sees[t->b] = w->nodes[t->b].epoch;
	n->forgotten[t->b] = false;
	tell_members(w, t->a);
	return true;
}

static bool forget_step(struct world *w, const struct step *t)
{
	if (!world_is_peer(w, t->a, t->b))
		return false;
	w->nodes[t->a].forgotten[t->b] = true;
	w->parted[t->a] |= (uint8_t)(1u << t->b);
	tell_members(w, t->a);
	return true;
}

static bool go_on_step(struct world *w, const struct step *t)
{
	w->nodes[t->a].epoch = ++w->nodes[t->a].last_epoch;
	map_self_owner(maps[t->a], world_actor(w, t->a));
	return true;
}

/* Otherwise told in turn, one in each interval. */
static bool report_step(struct world *w, const struct step *t)
{
	struct map *m = maps[t->a];
	if (!world_is_peer(w, t->a, t->b) || !w->nodes[t->a].ready)
		return false;
	draw_anew(&w->nodes[t->a], t->a);
	m->next_report_ns = 0; /* what is told at times that are drawn, now */
	for (uint32_t i = 0; i < m->peer_count; i++)
		if (m->peers[i].actor.id == world_id(t->b)) {
			m->next_report = i;
			m->peers[i].told_ns = w->nodes[t->a].now_ns - 8 * WORLD_NEVER_NS;
		}
	return true;
}

static bool probe_step(struct world *w, const struct step *t)
{
	if (t->a == t->b || !w->nodes[t->b].up)
		return false;
	map_probe(maps[t->a], world_actor(w, t->b), map_vector_hash(maps[t->b]),
		map_settled_hash(maps[t->b]));
	return true;
}

static bool silence_step(struct world *w, const struct step *t)
{
	if (w->nodes[t->a].ready)
		return false;
	w->nodes[t->a].now_ns += WORLD_FIRST_NS;
	return true;
}

static bool deliver_step(struct world *w, const struct step *t, const struct packet *p)
{
	struct node *n = &w->nodes[t->a];
	if (p->to != t->a)
		return false;
	struct wire_header header = {.sender = {world_id(p->from), p->epoch}, .instance = p->epoch};
	/* Without last_seq: when to pull is the driver's to say. */
	struct wire_prelude prelude = {.dst_id = world_id(p->to), .floor = p->floor};
	struct sw_endpoint from = endpoint_of(p->from);
	struct sw_reader messages = sw_reader_init(p->bytes, p->len);
	map_input_owner(maps[t->a], n->now_ns, &header, &prelude, &from, &messages);
	return true;
}

static bool dispatch(struct world *w, const struct step *t, const struct packet *packet)
{
	switch (t->kind) {
	case STEP_PUT:
	case STEP_DELETE: return write_step(w, t);
	case STEP_PULL: return pull_step(w, t);
	case STEP_RESEND: return resend_step(w, t);
	case STEP_LEARN: return learn_step(w, t);
	case STEP_FORGET: return forget_step(w, t);
	case STEP_GO_ON: return go_on_step(w, t);
	case STEP_REPORT: return report_step(w, t);
	case STEP_PROBE: return probe_step(w, t);
	case STEP_SILENCE: return silence_step(w, t);
	case STEP_TICK: return true;
	case STEP_DELIVER: return deliver_step(w, t, packet);
	default: return false;
	}
}

bool world_act(struct world *w, const struct step *t, const struct packet *packet, world_sink sink,
	void *context)
{
	struct node *n = &w->nodes[t->a];
	current = w;
	if (t->kind == STEP_RESTART) {
		begin(w, t->a, false);
	} else {
		if (!n->up || !dispatch(w, t, packet))
			return false;
		/* Others closed its epoch while it was away: membership takes a larger one. */
		if (map_closed_epoch(maps[t->a]) == n->epoch)
			(void)go_on_step(w, t);
		drain(w, t->a, sink, context);
	}
	if (watcher != NULL)
		watcher(watcher_context, t, packet);
	return true;
}

bool world_step(struct world *w, const struct step *t, const struct packet *packet, world_sink sink,
	void *context, const char **broken)
{
	*broken = NULL;
	if (!world_act(w, t, packet, sink, context))
		return false;
	*broken = check_step(w, t->a);
	return true;
}
