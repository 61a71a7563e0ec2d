#include "map_world.h"
#include "sw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The maps alone under random schedules: writes, deletes, lost and late packets, servers that start
 * anew, islands that forget each other and collect. After every step: a vector that covers a write
 * means that it is held, or something larger, or that a newer tombstone was collected. After the
 * heal: all equal, nothing lost that somebody held, nothing back that was deleted knowingly.
 * SW_SEED and SW_RUNS repeat or extend a run. */

enum { SERVERS = 4, WRITES_MAX = 48, TOMBSTONES_MAX = 256 };

struct write {
	uint32_t key;
	struct dot author;
	uint64_t clock, weight;
	bool tombstone;
	uint64_t ancestors; /* writes that its writer knew and replaced */
	uint32_t origin;    /* of which this is another form (lifted); itself if none */
};

struct tombstone {
	uint32_t key;
	uint32_t write;
	struct actor by;
};

struct run {
	uint64_t seed;
	uint32_t write_count, tombstone_count;
	struct write writes[WRITES_MAX];
	struct tombstone tombstones[TOMBSTONES_MAX];
	int value_len; /* some runs: a record fills a packet */
	bool renews;   /* who was forgotten comes back under a larger epoch */
	uint64_t lifted;
	bool corner; /* a key that was deleted is back through a third island */
	char failure[160];
};

static struct run run;
static struct map_counters total;
static uint64_t total_corner;

static void fail(const char *what, uint32_t a, uint32_t b)
{
	if (run.failure[0] == 0)
		snprintf(run.failure, sizeof(run.failure), "%s (%u, %u)", what, a, b);
}

static const char *key_of(uint32_t key)
{
	static const char *const keys[] = {"a", "b"};
	return keys[key];
}

static struct map_view stamp_of(const struct write *h)
{
	return (struct map_view){.clock = h->clock, .weight = h->weight, .author = h->author};
}

static uint32_t find_write(struct dot author)
{
	for (uint32_t i = 0; i < run.write_count; i++)
		if (dot_equal(run.writes[i].author, author))
			return i;
	return WRITES_MAX;
}

static uint32_t note(const struct map_view *v, uint32_t origin, uint64_t ancestors)
{
	if (run.write_count == WRITES_MAX)
		return WRITES_MAX;
	struct write *h = &run.writes[run.write_count];
	h->key = v->key[0] == 'a' ? 0 : 1;
	h->author = v->author;
	h->clock = v->clock;
	h->weight = v->weight;
	h->tombstone = v->tombstone;
	h->origin = origin == WRITES_MAX ? run.write_count : origin;
	h->ancestors = ancestors;
	return run.write_count++;
}

static void on_collect(struct world *w, uint32_t server, const struct map_view *tombstone)
{
	uint32_t i = find_write(tombstone->author);
	if (i == WRITES_MAX || run.tombstone_count == TOMBSTONES_MAX)
		return;
	run.tombstones[run.tombstone_count++] =
		(struct tombstone){run.writes[i].key, i, w->actors[server]};
}

static void on_event(struct world *w, uint32_t server, const struct map_event *event)
{
	(void)w;
	(void)server;
	run.lifted += event->kind == MAP_EVENT_LIFTED;
}

static struct dot lifted_from;

/* A lifted record is the same value under a new stamp. */
static void on_lift(struct world *w, uint32_t server, const struct map_event *event)
{
	on_event(w, server, event);
	if (event->kind == MAP_EVENT_LIFTED)
		lifted_from = event->loser;
}

static void on_change(struct world *w, uint32_t server, const struct map_view *v, bool local)
{
	(void)w;
	(void)server;
	if (!local || lifted_from.seq == 0)
		return;
	uint32_t from = find_write(lifted_from);
	if (from != WRITES_MAX)
		(void)note(v, run.writes[from].origin, run.writes[from].ancestors);
	lifted_from.seq = 0;
}

static void write_one(struct world *w, struct sw_random *r, uint32_t server, bool tombstone)
{
	uint32_t key = (uint32_t)sw_random_below(r, 2);
	struct map_view old, v;
	uint64_t ancestors = 0;
	char value[1100];
	if (w->maps[server] == NULL || run.write_count >= WRITES_MAX - 8)
		return;
	if (map_get_reader(w->maps[server], key_of(key), 1, &old)) {
		uint32_t i = find_write(old.author);
		if (i != WRITES_MAX)
			ancestors = run.writes[i].ancestors | 1ULL << run.writes[i].origin;
	}
	snprintf(value, sizeof(value), "%0*u", run.value_len, run.write_count);
	int rc = tombstone ? world_del(w, server, key_of(key))
			   : world_put(w, server, key_of(key), value);
	if (rc == 0 && map_get_reader(w->maps[server], key_of(key), 1, &v))
		(void)note(&v, WRITES_MAX, ancestors);
}

static bool was_collected(uint32_t key, const struct map_view *stamp)
{
	for (uint32_t i = 0; i < run.tombstone_count; i++) {
		struct map_view t = stamp_of(&run.writes[run.tombstones[i].write]);
		if (run.tombstones[i].key == key && map_stamp_compare(&t, stamp) >= 0)
			return true;
	}
	return false;
}

static void check(struct world *w)
{
	for (uint32_t s = 0; s < SERVERS; s++) {
		const struct map *m = w->maps[s];
		if (m == NULL)
			continue;
		for (uint32_t i = 0; i < run.write_count; i++) {
			const struct write *h = &run.writes[i];
			struct map_view held, written = stamp_of(h);
			if (map_seq_reader(m, h->author.actor) < h->author.seq)
				continue;
			bool is_held = map_get_reader(m, key_of(h->key), 1, &held);
			if (is_held ? map_stamp_compare(&held, &written) < 0
				    : !was_collected(h->key, &written))
				fail("covered and not held: server, write", s, i);
		}
	}
}

/* ---- membership, as far as the maps see it ---- */

static void hear(struct world *w, uint32_t viewer, struct actor from)
{
	uint32_t subject = (uint32_t)from.id - 1;
	struct world_known *k = &w->known[viewer][subject];
	if (from.epoch < k->actor.epoch)
		return;
	if (from.epoch == k->actor.epoch && k->state == MAP_PEER_LIVE)
		return;
	if (from.epoch == k->actor.epoch && k->state == MAP_PEER_OVER && run.renews) {
		if (actor_equal(w->actors[subject], from))
			world_renew(w, subject);
		return;
	}
	k->actor = from;
	k->state = MAP_PEER_LIVE;
	struct actor now = w->actors[subject];
	w->actors[subject] = from;
	world_know(w, viewer, subject, MAP_PEER_LIVE);
	w->actors[subject] = now;
}

static void deliver(struct world *w, uint32_t packet)
{
	struct world_packet *p = &w->packets[packet];
	if (w->maps[p->to] != NULL && !w->cut[p->from.id - 1][p->to])
		hear(w, p->to, p->from);
	world_deliver(w, packet);
}

static void island(struct world *w, struct sw_random *r)
{
	uint32_t side = 1 + (uint32_t)sw_random_below(r, (1u << SERVERS) - 2);
	for (uint32_t i = 0; i < SERVERS; i++)
		for (uint32_t k = 0; k < SERVERS; k++) {
			if (((side >> i) & 1) == ((side >> k) & 1))
				continue;
			w->cut[i][k] = true;
			if (w->maps[i] != NULL && w->maps[k] != NULL)
				world_know(w, i, k, MAP_PEER_OVER);
		}
}

static void restart(struct world *w, uint32_t s)
{
	world_start(w, s, false);
	for (uint32_t k = 0; k < SERVERS; k++)
		if (k != s && w->maps[k] != NULL)
			world_know(w, s, k, MAP_PEER_LIVE);
}

static uint32_t ready_count(struct world *w)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < SERVERS; i++)
		n += w->maps[i] != NULL && map_ready(w->maps[i]);
	return n;
}

/* ---- one run ---- */

static void step(struct world *w, struct sw_random *r, const uint32_t *shares, uint32_t del_percent)
{
	enum { TIME, DELIVER, WRITE, PROBE, CUT, ISLAND, MEND, RESTART, FORGET, ACTS };
	uint32_t sum = 0, act = 0, s = (uint32_t)sw_random_below(r, SERVERS);
	for (uint32_t i = 0; i < ACTS; i++)
		sum += shares[i];
	for (uint32_t at = (uint32_t)sw_random_below(r, sum); at >= shares[act]; act++)
		at -= shares[act];
	switch (act) {
	case TIME:
		w->now_ns += sw_random_below(r, 8 * SW_NS_PER_MS);
		world_tick(w, s);
		break;
	case DELIVER:
		for (int n = 0; n < 4 && w->packet_count > 0; n++) {
			uint32_t i = sw_random_below(r, 100) < shares[ACTS]
					     ? (uint32_t)sw_random_below(r, w->packet_count)
					     : 0;
			uint32_t to = w->packets[i].to;
			deliver(w, i);
			check(w);
			if (sw_random_below(r, 2) == 0)
				world_tick(w, to);
		}
		break;
	case WRITE:
		write_one(w, r, s, sw_random_below(r, 100) < del_percent);
		if (sw_random_below(r, 2) == 0)
			world_tick(w, s);
		break;
	case PROBE: world_probe_all(w); break;
	case CUT: {
		uint32_t k = (uint32_t)sw_random_below(r, SERVERS);
		w->cut[s][k] = s != k && !w->cut[s][k];
		break;
	}
	case ISLAND: island(w, r); break;
	case MEND: memset(w->cut, 0, sizeof(w->cut)); break;
	case RESTART:
		if (w->maps[s] == NULL || ready_count(w) > (uint32_t)map_ready(w->maps[s]))
			restart(w, s);
		break;
	case FORGET: {
		uint32_t k = (uint32_t)sw_random_below(r, SERVERS);
		if (k != s && w->maps[s] != NULL && w->maps[k] != NULL)
			world_know(w, s, k, MAP_PEER_OVER);
		break;
	}
	}
	check(w);
}

static void draw_shares(struct sw_random *r, uint32_t shares[10])
{
	static const uint32_t choices[9][4] = {{20, 40, 60, 60}, {20, 50, 80, 80}, {4, 10, 20, 20},
		{0, 3, 10, 20}, {0, 1, 3, 3}, {0, 1, 2, 0}, {1, 2, 4, 2}, {0, 0, 1, 3},
		{0, 0, 1, 4}};
	for (int i = 0; i < 9; i++)
		shares[i] = choices[i][sw_random_below(r, 4)];
	shares[9] = (uint32_t[]){0, 0, 50, 80}[sw_random_below(r, 4)];
	if (sw_random_below(r, 100) < 40) { /* long partitions, collection on both sides */
		shares[3] = 20;
		shares[4] = shares[8] = 0;
		shares[5] = 3;
		shares[6] = 2;
	}
}

static void heal(struct world *w)
{
	memset(w->cut, 0, sizeof(w->cut));
	w->loss_percent = w->duplicate_percent = 0;
	for (int ms = 0; ms < 4000; ms++) {
		for (uint32_t i = 0; i < SERVERS; i++)
			for (uint32_t k = 0; k < SERVERS; k++)
				if (i != k && w->maps[i] != NULL && w->maps[k] != NULL)
					hear(w, i, w->actors[k]);
		w->now_ns += SW_NS_PER_MS;
		for (uint32_t i = 0; i < SERVERS; i++)
			world_tick(w, i);
		for (int n = 0; w->packet_count > 0 && n < 4096; n++) {
			uint32_t to = w->packets[0].to;
			deliver(w, 0);
			check(w);
			world_tick(w, to);
		}
		if (ms % 10 == 0) {
			if (ms > 600 && world_is_equal(w))
				return;
			world_probe_all(w);
		}
	}
	fail("not equal after the heal", 0, 0);
}

static bool dropped_epochs(struct world *w)
{
	for (uint32_t i = 0; i < SERVERS; i++)
		if (w->maps[i] != NULL && map_counters(w->maps[i])->dropped_actors > 0)
			return true;
	return false;
}

/* What somebody held at the heal, or something larger, is held or was deleted. */
static void check_end(struct world *w, const struct map_view best[2], const bool any[2])
{
	for (uint32_t key = 0; key < 2; key++)
		for (uint32_t s = 0; s < SERVERS; s++) {
			struct map_view v;
			const struct map *m = w->maps[s];
			if (m == NULL)
				continue;
			bool held = map_get_reader(m, key_of(key), 1, &v);
			if (any[key] && !(held && map_stamp_compare(&v, &best[key]) >= 0) &&
				!was_collected(key, &best[key]))
				fail("lost: server, key", s, key);
			if (!held || v.tombstone)
				continue;
			uint32_t i = find_write(v.author);
			for (uint32_t t = 0; i != WRITES_MAX && t < run.tombstone_count; t++) {
				const struct tombstone *tomb = &run.tombstones[t];
				bool knew =
					run.writes[tomb->write].ancestors >> run.writes[i].origin &
					1;
				if (tomb->key != key || !knew ||
					!actor_equal(w->actors[tomb->by.id - 1], tomb->by))
					continue;
				/* Three islands that all forgot each other may bring a deleted key
				 * back: told as lifted. */
				if (run.writes[i].origin != i || dropped_epochs(w))
					run.corner = true;
				else
					fail("deleted and back: server, key", s, key);
			}
		}
}

static void held_now(struct world *w, struct map_view best[2], bool any[2])
{
	for (uint32_t key = 0; key < 2; key++)
		for (uint32_t s = 0; s < SERVERS; s++) {
			struct map_view v;
			if (w->maps[s] == NULL || !map_ready(w->maps[s]) ||
				!map_get_reader(w->maps[s], key_of(key), 1, &v))
				continue;
			if (!any[key] || map_stamp_compare(&v, &best[key]) > 0)
				best[key] = v;
			any[key] = true;
		}
}

static void add_counters(const struct map *m)
{
	const struct map_counters *c = map_counters(m);
	total.collected += c->collected;
	total.reconciles += c->reconciles;
	total.closed += c->closed;
	total.adopted += c->adopted;
	total.markers += c->markers;
	total.lifted += c->lifted;
	total.reconcile_dropped += c->reconcile_dropped;
	total.own_closed += c->own_closed;
	total.dropped_actors += c->dropped_actors;
}

static bool one_run(uint64_t seed, bool few_actors)
{
	struct sw_random r = sw_random_seed(seed * 7919 + 3);
	struct world *w = world_create(SERVERS, 64, seed);
	uint32_t shares[10], del_percent = (uint32_t[]){20, 45, 70}[sw_random_below(&r, 3)];
	struct map_view best[2];
	bool any[2] = {false, false};
	memset(&run, 0, sizeof(run));
	lifted_from.seq = 0;
	run.seed = seed;
	run.value_len = sw_random_below(&r, 2) == 0 ? 1000 : 2;
	run.renews = sw_random_below(&r, 2) == 0;
	w->pulls = true;
	w->actors_high = few_actors ? 7 : 0;
	w->on_collect = on_collect;
	w->on_event = on_lift;
	w->on_change = on_change;
	for (uint32_t i = 0; i < SERVERS - 1; i++)
		world_start(w, i, true);
	world_know_all(w);
	draw_shares(&r, shares);
	w->loss_percent = (uint32_t[]){0, 10, 30}[sw_random_below(&r, 3)];
	w->duplicate_percent = (uint32_t[]){0, 20}[sw_random_below(&r, 2)];
	uint32_t steps = 60 + (uint32_t)sw_random_below(&r, 240);
	for (uint32_t i = 0; i < steps && run.failure[0] == 0; i++)
		step(w, &r, shares, del_percent);
	held_now(w, best, any);
	if (run.failure[0] == 0)
		heal(w);
	if (run.failure[0] == 0)
		check_end(w, best, any);
	for (uint32_t i = 0; i < SERVERS; i++)
		if (w->maps[i] != NULL)
			add_counters(w->maps[i]);
	total_corner += run.corner;
	world_destroy(w);
	return run.failure[0] == 0;
}

static void swarm(bool few_actors)
{
	uint64_t seed = getenv("SW_SEED") ? strtoull(getenv("SW_SEED"), NULL, 0) : 1;
	uint64_t runs = getenv("SW_RUNS") ? strtoull(getenv("SW_RUNS"), NULL, 0) : 700;
	memset(&total, 0, sizeof(total));
	total_corner = 0;
	for (uint64_t i = 0; i < runs; i++)
		if (!one_run(seed + i, few_actors))
			SW_FAIL("seed %llu: %s", (unsigned long long)(seed + i), run.failure);
	sw_test_note("%llu runs from seed %llu: %llu collected, %llu reconciled (%llu dropped, "
		     "%llu lifted), %llu closed (%llu adopted, %llu markers, %llu own, %llu left "
		     "the vector), a deleted key back through three islands in %llu",
		(unsigned long long)runs, (unsigned long long)seed,
		(unsigned long long)total.collected, (unsigned long long)total.reconciles,
		(unsigned long long)total.reconcile_dropped, (unsigned long long)total.lifted,
		(unsigned long long)total.closed, (unsigned long long)total.adopted,
		(unsigned long long)total.markers, (unsigned long long)total.own_closed,
		(unsigned long long)total.dropped_actors, (unsigned long long)total_corner);
	SW_EXPECT_GT(total.collected, runs / 2);
	SW_EXPECT_GT(total.reconciles, runs / 4);
	SW_EXPECT_GT(total.closed, runs);
	SW_EXPECT_GT(total.adopted, runs / 20);
	SW_EXPECT_GT(total.markers, runs / 20);
	SW_EXPECT_GT(total.lifted, runs / 50);
	SW_EXPECT_GT(total.reconcile_dropped, runs / 100);
	SW_EXPECT_GT(total.own_closed, runs / 20);
	SW_EXPECT_LE(total_corner, 2 + runs / 400);
}

SW_TEST(deltamap_swarm, nothing_is_lost_nothing_comes_back_and_all_are_equal_after_the_heal)
{
	swarm(false);
}

/* What the vector no longer says of old epochs may bring back what they deleted, but never lose
 * anything nor keep the maps apart. */
SW_TEST(deltamap_swarm, a_vector_that_holds_few_epochs_loses_nothing_either)
{
	swarm(true);
	SW_EXPECT_GT(total.dropped_actors, 0u);
}
