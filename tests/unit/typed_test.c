#include "sim_events.h"
#include "sw_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "deltamap/typed.h"

/* Counters and sets: the encoding, and what docs/map.md promises of each under merge, in random
 * clusters with loss, duplication, reordering, cuts and restarts. SW_SEED and SW_RUNS repeat or
 * extend a run. */

static struct map_view view_of(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	return (struct map_view){.key = key,
		.key_len = (uint8_t)key_len,
		.value = value,
		.value_len = (uint16_t)len};
}

SW_TEST(typed, keys_are_read_as_they_were_made)
{
	uint8_t key[SW_KEY_MAX];
	struct typed_key k;
	size_t len = typed_counter_key(key, "hits", 4, (struct actor){7, 9});
	SW_ASSERT_TRUE(typed_parse(key, len, &k));
	SW_EXPECT_EQ((int)k.kind, (int)TYPED_COUNTER);
	SW_EXPECT_EQ(k.actor.id, 7u);
	SW_EXPECT_EQ(k.actor.epoch, 9u);
	SW_EXPECT_MEM(k.name, "hits", 4);
	SW_EXPECT_TRUE(typed_is_reserved(key, len));
	len = typed_element_key(key, "tags", 4, "red", 3);
	SW_ASSERT_TRUE(typed_parse(key, len, &k));
	SW_EXPECT_EQ((int)k.kind, (int)TYPED_SET);
	SW_EXPECT_EQ(k.element_len, 3u);
	SW_EXPECT_MEM(k.element, "red", 3);
	SW_EXPECT_FALSE(typed_is_reserved("tags", 4));
	for (size_t cut = 0; cut < len; cut++)
		if (cut < 8) /* up to the first byte of the element */
			SW_EXPECT_FALSE(typed_parse(key, cut, &k) && cut < 3 + 4 + 1);
}

SW_TEST(typed, no_name_is_the_beginning_of_another)
{
	uint8_t a[SW_KEY_MAX], b[SW_KEY_MAX];
	size_t a_len = typed_element_key(a, "a", 1, "bc", 2);
	size_t b_len = typed_element_key(b, "ab", 2, "c", 1);
	SW_EXPECT_TRUE(a_len != b_len || memcmp(a, b, a_len) != 0);
	a_len = typed_prefix(a, TYPED_SET, "a", 1);
	SW_EXPECT_TRUE(memcmp(a, b, a_len) != 0);
}

SW_TEST(typed, names_and_elements_have_limits)
{
	uint8_t key[SW_KEY_MAX];
	char text[300];
	memset(text, 'x', sizeof(text));
	SW_EXPECT_EQ(typed_counter_key(key, text, TYPED_NAME_MAX, (struct actor){1, 1}),
		(size_t)SW_KEY_MAX);
	SW_EXPECT_EQ(typed_counter_key(key, text, TYPED_NAME_MAX + 1, (struct actor){1, 1}), 0u);
	SW_EXPECT_EQ(typed_counter_key(key, text, 0, (struct actor){1, 1}), 0u);
	SW_EXPECT_EQ(typed_element_key(key, text, 100, text, 152), (size_t)SW_KEY_MAX);
	SW_EXPECT_EQ(typed_element_key(key, text, 100, text, 153), 0u);
	SW_EXPECT_EQ(typed_element_key(key, text, 100, text, 0), 0u);
}

static struct typed_cell full_cell(void)
{
	struct typed_cell c = {.adds = 5, .sum = -7, .through = 3, .base_adds = 2, .base = 40};
	for (uint32_t i = 0; i < TYPED_LIVES_MAX; i++)
		c.lives[c.life_count++] = (struct typed_life){10 + i, i + 1, (int64_t)i - 3};
	return c;
}

SW_TEST(typed, a_cell_round_trips_and_damage_is_refused)
{
	uint8_t value[TYPED_CELL_MAX], again[TYPED_CELL_MAX];
	struct typed_cell c = full_cell(), d;
	size_t len = typed_cell_encode(&c, value);
	SW_EXPECT_EQ(len, (size_t)TYPED_CELL_MAX);
	SW_ASSERT_TRUE(typed_cell_decode(&d, value, len));
	SW_EXPECT_EQ(typed_cell_encode(&d, again), len);
	SW_EXPECT_MEM(value, again, len);
	for (size_t cut = 0; cut < len; cut++)
		SW_EXPECT_FALSE(typed_cell_decode(&d, value, cut));
	value[0] = 9;
	SW_EXPECT_FALSE(typed_cell_decode(&d, value, len));
	value[0] = 1;
	value[1] = TYPED_LIVES_MAX + 1;
	SW_EXPECT_FALSE(typed_cell_decode(&d, value, len));
}

static int64_t total_of(const struct typed_cell *cells, const uint32_t *epochs, uint32_t count)
{
	static struct typed_total t;
	int64_t sum = INT64_MIN;
	memset(&t, 0, sizeof(t));
	for (uint32_t i = 0; i < count; i++) {
		uint8_t key[SW_KEY_MAX], value[TYPED_CELL_MAX];
		size_t len = typed_counter_key(key, "n", 1, (struct actor){1, epochs[i]});
		size_t value_len = typed_cell_encode(&cells[i], value);
		struct map_view v = view_of(key, len, value, value_len);
		typed_total_add(&t, &v);
		typed_total_add(&t, &v); /* seen twice counts once */
	}
	SW_EXPECT_EQ(typed_total_sum(&t, &sum), 0);
	return sum;
}

/* Each life adds its number; the next one takes it over. More lives than are listed. */
SW_TEST(typed, folding_many_lives_keeps_the_sum_whichever_cells_are_still_there)
{
	enum { LIVES = 3 * TYPED_LIVES_MAX };
	static struct typed_cell cells[LIVES];
	static uint32_t epochs[LIVES];
	int64_t want = 0;
	memset(cells, 0, sizeof(cells));
	for (uint32_t i = 0; i < LIVES; i++) {
		epochs[i] = i + 1;
		cells[i].adds = 1;
		cells[i].sum = (int64_t)i + 1;
		want += (int64_t)i + 1;
		if (i > 0)
			SW_EXPECT_TRUE(typed_cell_fold(&cells[i], i, &cells[i - 1]));
		if (i > 0)
			SW_EXPECT_FALSE(typed_cell_fold(&cells[i], i, &cells[i - 1]));
		SW_EXPECT_LE(cells[i].life_count, (uint32_t)TYPED_LIVES_MAX);
		SW_EXPECT_EQ(total_of(&cells[i], &epochs[i], 1), want); /* the newest alone */
		SW_EXPECT_EQ(total_of(cells, epochs, i + 1), want);     /* all of them */
	}
}

SW_TEST(typed, an_add_of_an_earlier_life_that_turns_up_after_the_fold_counts)
{
	struct typed_cell cells[2] = {{.adds = 5, .sum = 50}, {.adds = 1, .sum = 3}};
	const uint32_t epochs[2] = {1, 2};
	SW_EXPECT_TRUE(typed_cell_fold(&cells[1], 1, &cells[0]));
	SW_EXPECT_EQ(total_of(cells, epochs, 2), 53);
	cells[0] = (struct typed_cell){.adds = 6, .sum = 60};
	SW_EXPECT_EQ(total_of(cells, epochs, 2), 63);
	SW_EXPECT_TRUE(typed_cell_fold(&cells[1], 1, &cells[0]));
	SW_EXPECT_EQ(total_of(&cells[1], &epochs[1], 1), 63);
}

SW_TEST(typed, joining_cells_is_commutative_associative_and_idempotent)
{
	struct sw_random r = sw_random_seed(4);
	for (int round = 0; round < 2000; round++) {
		struct typed_cell c[3] = {{0}};
		uint8_t one[TYPED_CELL_MAX], two[TYPED_CELL_MAX];
		/* States of one history: of a life's two states the one with more adds is later. */
		for (int i = 0; i < 3; i++) {
			c[i].adds = sw_random_below(&r, 4);
			c[i].sum = (int64_t)c[i].adds * 10;
			for (uint32_t e = 1; e < 5; e++) {
				uint64_t adds = sw_random_below(&r, 4);
				if (adds > 0)
					c[i].lives[c[i].life_count++] =
						(struct typed_life){e, adds, (int64_t)(adds * e)};
			}
		}
		struct typed_cell a = c[0], b = c[2];
		(void)typed_cell_join(&a, &c[1]);
		(void)typed_cell_join(&a, &c[2]);
		(void)typed_cell_join(&b, &c[1]);
		(void)typed_cell_join(&b, &c[0]);
		SW_EXPECT_FALSE(typed_cell_join(&b, &a));
		size_t len = typed_cell_encode(&a, one);
		SW_ASSERT_EQ(typed_cell_encode(&b, two), len);
		SW_EXPECT_MEM(one, two, len);
	}
}

/* ---- under merge ---- */

enum { NODES = 4, ELEMENTS = 4, FOLDED_MAX = 64 };

struct world {
	struct sim *sim;
	struct sw_random random;
	int64_t added;        /* acknowledged, whoever has seen it */
	int64_t least[NODES]; /* what this life of the replica has shown: never less again */
	uint32_t retired, restarts, folded_count;
	struct folded {
		uint32_t epoch;
		struct dot dot;
	} folded[FOLDED_MAX];
};

static int64_t read_counter(struct map *m)
{
	static struct typed_total t;
	struct map_view v;
	uint32_t cursor = 0;
	int64_t sum = 0;
	(void)v;
	memset(&t, 0, sizeof(t));
	while (map_scan_reader(
		m, &cursor, 1024, (void (*)(void *, const struct map_view *))typed_total_add, &t)) {
	}
	SW_EXPECT_EQ(typed_total_sum(&t, &sum), 0);
	return sum;
}

static void add(struct world *w, uint32_t node)
{
	struct map *m = sim_map(w->sim, node);
	struct dot dot;
	int64_t sum, delta = 1 + (int64_t)sw_random_below(&w->random, 9);
	if (m != NULL && typed_add_owner(m, sim_now(w->sim), 0, "n", 1, delta, &dot, &sum) == 0)
		w->added += delta;
}

/* The dot under which a life first listed an earlier one: what comes after it lists it too. */
static struct folded *folded_of(struct world *w, struct actor self, uint32_t epoch, struct dot dot)
{
	for (uint32_t i = 0; i < w->folded_count; i++)
		if (w->folded[i].epoch == epoch && actor_equal(w->folded[i].dot.actor, self))
			return &w->folded[i];
	if (w->folded_count == FOLDED_MAX)
		return NULL;
	w->folded[w->folded_count] = (struct folded){epoch, dot};
	return &w->folded[w->folded_count++];
}

static bool all_hold(struct world *w, struct dot dot)
{
	for (uint32_t n = 0; n < NODES; n++)
		if (sim_map(w->sim, n) == NULL ||
			map_seq_reader(sim_map(w->sim, n), dot.actor) < dot.seq)
			return false;
	return true;
}

/* As control does it: folds what earlier lives left, and retires it once all others hold that. */
static void tidy(struct world *w, uint32_t node)
{
	struct map *m = sim_map(w->sim, node);
	struct actor self = m != NULL ? map_self(m) : (struct actor){0, 0};
	struct dot dot;
	static struct version_vector vv;
	if (m == NULL)
		return;
	map_vector_owner(m, &vv);
	for (uint32_t i = 0; i < vv.count; i++) {
		struct actor a = vv.entries[i].actor;
		if (a.id != self.id || a.epoch >= self.epoch ||
			typed_fold_owner(m, sim_now(w->sim), 0, "n", 1, a.epoch, &dot) < 0)
			continue;
		const struct folded *f = folded_of(w, self, a.epoch, dot);
		if (f != NULL && all_hold(w, f->dot) &&
			typed_retire_owner(m, sim_now(w->sim), 0, "n", 1, a.epoch, &dot) == 0)
			w->retired++;
	}
}

static bool counters_are_sane(struct world *w, uint64_t seed)
{
	for (uint32_t n = 0; n < NODES; n++) {
		struct map *m = sim_map(w->sim, n);
		if (m == NULL || !map_ready(m))
			continue;
		int64_t now = read_counter(m);
		if (now >= w->least[n] && now <= w->added) {
			w->least[n] = now;
			continue;
		}
		SW_FAIL("seed %llu: replica %u reads %lld after %lld, %lld were added",
			(unsigned long long)seed, n, (long long)now, (long long)w->least[n],
			(long long)w->added);
		return false;
	}
	return true;
}

static struct sim_config config_of(uint64_t seed, struct sw_random *r)
{
	return (struct sim_config){
		.servers = NODES,
		.seed = seed,
		.profile = swim_profile_lan,
		.features = swim_features_all,
		.network = {.delay_min_ns = 20 * SW_NS_PER_US,
			.delay_spread_ns = sw_random_below(r, 3) * 4 * SW_NS_PER_MS,
			.duplicate_ppm = (uint32_t)sw_random_below(r, 3) * 100000,
			.reorder_ppm = (uint32_t)sw_random_below(r, 3) * 100000},
		.records_max = 1000,
	};
}

static bool all_equal(struct sim *s, uint64_t within_ns)
{
	uint64_t start_ns = sim_now(s);
	while (!(sim_members_agree(s, 0) && sim_maps_agree(s, 0))) {
		if (sim_now(s) - start_ns > within_ns)
			return false;
		sim_run(s, 20 * SW_NS_PER_MS);
	}
	return true;
}

static void start_world(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->random = sw_random_seed(seed * 31 + 5);
	struct sim_config c = config_of(seed, &w->random);
	w->sim = sim_create(&c);
	SW_EXPECT_TRUE(all_equal(w->sim, 30 * SW_NS_PER_S));
}

/* A restart only when all others hold everything: what nobody alive has seen is lost with its
 * server, and is not what this is about. */
static void restart(struct world *w, uint32_t node)
{
	sim_heal(w->sim);
	sim_network(w->sim)->loss_ppm = 0;
	if (!all_equal(w->sim, 30 * SW_NS_PER_S))
		return;
	sim_crash(w->sim, node);
	sim_start(w->sim, node, 0);
	w->least[node] = 0;
	w->restarts++;
}

static void fault(struct world *w)
{
	struct sw_random *r = &w->random;
	switch (sw_random_below(r, 5)) {
	case 0: sim_split_below(w->sim, 1 + (uint32_t)sw_random_below(r, NODES - 1)); break;
	case 1: sim_heal(w->sim); break;
	case 2: restart(w, (uint32_t)sw_random_below(r, NODES)); break;
	default: sim_network(w->sim)->loss_ppm = (uint32_t)sw_random_below(r, 3) * 150000; break;
	}
}

static bool heal(struct world *w)
{
	sim_heal(w->sim);
	sim_network(w->sim)->loss_ppm = 0;
	return all_equal(w->sim, 30 * SW_NS_PER_S);
}

SW_TEST(typed, no_acknowledged_add_is_lost_or_counted_twice_under_merge_in_any_order)
{
	uint64_t first = sw_test_env_u64("SW_SEED", 1), runs = sw_test_env_u64("SW_RUNS", 40);
	uint32_t restarts = 0, retired = 0;
	for (uint64_t seed = first; seed < first + runs; seed++) {
		struct world w;
		bool ok = true;
		start_world(&w, seed);
		for (int step = 0; step < 150 && ok; step++) {
			uint32_t node = (uint32_t)sw_random_below(&w.random, NODES);
			add(&w, node);
			if (sw_random_below(&w.random, 4) == 0)
				tidy(&w, node);
			if (sw_random_below(&w.random, 10) == 0)
				fault(&w);
			sim_run(w.sim, sw_random_below(&w.random, 20 * SW_NS_PER_MS));
			ok = counters_are_sane(&w, seed);
		}
		SW_EXPECT_TRUE(heal(&w));
		for (uint32_t n = 0; n < NODES; n++) {
			int64_t sum = read_counter(sim_map(w.sim, n));
			if (sum != w.added)
				SW_FAIL("seed %llu: replica %u reads %lld, added %lld",
					(unsigned long long)seed, n, (long long)sum,
					(long long)w.added);
		}
		restarts += w.restarts;
		retired += w.retired;
		sim_destroy(w.sim);
	}
	sw_test_note("%llu runs, %u restarts, %u cells retired", (unsigned long long)runs, restarts,
		retired);
	SW_EXPECT_GT(restarts, 0u);
	SW_EXPECT_GT(retired, 0u);
}

/* ---- sets and registers ---- */

static bool has_element(struct map *m, const char *element)
{
	uint8_t key[SW_KEY_MAX];
	struct map_view v;
	size_t len = typed_element_key(key, "s", 1, element, strlen(element));
	return map_get_reader(m, key, len, &v) && !v.tombstone;
}

static bool write_element(struct world *w, uint32_t node, const char *element, bool in)
{
	uint8_t key[SW_KEY_MAX];
	struct dot dot;
	struct map *m = sim_map(w->sim, node);
	size_t len = typed_element_key(key, "s", 1, element, strlen(element));
	return m != NULL && (in ? map_put_owner(m, sim_now(w->sim), 0, key, len, "", 0, &dot)
				: map_del_owner(m, sim_now(w->sim), 0, key, len, &dot)) == 0;
}

/* Elements 0: only added; 1: added, then removed by who saw it, never again; 2, 3: at random. */
static bool set_run(uint64_t seed)
{
	struct world w;
	bool only_added = false, removed = false, seen[ELEMENTS] = {false};
	start_world(&w, seed);
	bool ok = write_element(&w, 0, "1", true) && all_equal(w.sim, 30 * SW_NS_PER_S);
	for (int step = 0; step < 120; step++) {
		uint32_t node = (uint32_t)sw_random_below(&w.random, NODES);
		char element[2] = {(char)('0' + sw_random_below(&w.random, ELEMENTS)), 0};
		bool in = sw_random_below(&w.random, 3) > 0;
		if (element[0] == '0')
			only_added |= write_element(&w, node, element, true);
		else if (element[0] == '1')
			removed |= write_element(&w, node, element, false);
		else
			seen[element[0] - '0'] |= write_element(&w, node, element, in) && in;
		if (sw_random_below(&w.random, 8) == 0)
			fault(&w);
		sim_run(w.sim, sw_random_below(&w.random, 20 * SW_NS_PER_MS));
	}
	ok = heal(&w) && ok;
	for (uint32_t n = 0; n < NODES; n++) {
		struct map *m = sim_map(w.sim, n);
		ok = ok && has_element(m, "0") == only_added; /* added, never removed */
		ok = ok && has_element(m, "1") == !removed;   /* removed by who knew it */
		for (char e = '2'; e < '0' + ELEMENTS; e++) {
			char text[2] = {e, 0};
			/* nothing that nobody added, and the same everywhere */
			ok = ok && (seen[e - '0'] || !has_element(m, text));
			ok = ok && has_element(m, text) == has_element(sim_map(w.sim, 0), text);
		}
	}
	sim_destroy(w.sim);
	return ok;
}

SW_TEST(typed, sets_keep_their_promises_under_merge_in_any_order)
{
	uint64_t first = sw_test_env_u64("SW_SEED", 1), runs = sw_test_env_u64("SW_RUNS", 40);
	for (uint64_t seed = first; seed < first + runs; seed++)
		if (!set_run(seed))
			SW_FAIL("seed %llu: a set broke a promise", (unsigned long long)seed);
}

/* A register: a value that somebody wrote, whole, the same everywhere; of two writes of which one
 * knew the other, that one. */
static bool register_run(uint64_t seed)
{
	struct world w;
	char value[64];
	uint32_t writes = 0;
	start_world(&w, seed);
	for (int step = 0; step < 100; step++) {
		uint32_t node = (uint32_t)sw_random_below(&w.random, NODES);
		snprintf(value, sizeof(value), "%u %u", writes, writes * 7);
		if (sim_put(w.sim, node, "r", value) == 0)
			writes++;
		if (sw_random_below(&w.random, 8) == 0)
			fault(&w);
		sim_run(w.sim, sw_random_below(&w.random, 20 * SW_NS_PER_MS));
	}
	bool ok = heal(&w);
	uint32_t last = (uint32_t)sw_random_below(&w.random, NODES);
	for (uint32_t n = 0; n < NODES && ok; n++) {
		unsigned number = 0, check = 0;
		const char *got = sim_get(w.sim, n, "r");
		ok = got != NULL && sscanf(got, "%u %u", &number, &check) == 2 && number < writes &&
		     check == number * 7;
	}
	/* Now somebody who knows all of them writes, then another who has not heard of it yet
	 * neither overwrites nor is lost silently: the one that knew wins. */
	ok = ok && sim_put(w.sim, last, "r", "final") == 0 && all_equal(w.sim, 30 * SW_NS_PER_S);
	for (uint32_t n = 0; n < NODES && ok; n++) {
		const char *got = sim_get(w.sim, n, "r");
		ok = got != NULL && strcmp(got, "final") == 0;
	}
	sim_destroy(w.sim);
	return ok;
}

SW_TEST(typed, a_register_holds_one_whole_written_value_and_who_knew_the_others_wins)
{
	uint64_t first = sw_test_env_u64("SW_SEED", 1), runs = sw_test_env_u64("SW_RUNS", 40);
	for (uint64_t seed = first; seed < first + runs; seed++)
		if (!register_run(seed))
			SW_FAIL("seed %llu: a register broke a promise", (unsigned long long)seed);
}

/* ---- single replicas ---- */

static struct typed_repairs repairs;
static struct map *replica;

static void note_displaced(
	void *context, const struct map_view *kept, const struct map_view *displaced, bool rival)
{
	(void)context;
	(void)kept;
	(void)rival;
	typed_displaced(&repairs, map_self(replica), displaced);
}

static struct map *replica_of(uint64_t id, uint32_t epoch)
{
	struct map_config c = {
		.self = {id, epoch},
		.cluster_seed = 5,
		.records_max = 100,
		.bytes_max = 1 << 20,
		.pull_interval_ns = 1000000 * SW_NS_PER_S,
		.resend_ns = SW_NS_PER_S,
		.session_timeout_ns = SW_NS_PER_S,
		.packets_per_s_max = 1000000,
		.random_seed = 1,
		.on_displaced = note_displaced,
	};
	struct map *m = map_create(&c, SW_NS_PER_S);
	map_peers_owner(m, SW_NS_PER_S, NULL, 0, true);
	map_tick_owner(m, SW_NS_PER_S);
	SW_EXPECT_TRUE(map_ready(m));
	return m;
}

/* A push of a cell's record, as written by `author`. */
static void push_cell(struct map *m, struct actor cell_of, uint64_t clock, struct dot author,
	const struct typed_cell *cell)
{
	uint8_t key[SW_KEY_MAX], value[TYPED_CELL_MAX], bytes[WIRE_MESSAGES_MAX];
	struct wire_record record = {
		.key_len = (uint8_t)typed_counter_key(key, "n", 1, cell_of),
		.value_len = (uint16_t)typed_cell_encode(cell, value),
		.clock = clock,
		.author = author,
		.dot = author,
		.key = key,
		.value = value,
	};
	struct wire_header h = {.sender = author.actor, .instance = 2};
	struct wire_prelude p = {0};
	const struct sw_endpoint from = {.port = 1};
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	wire_put_record(&w, &record);
	struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
	map_input_owner(m, SW_NS_PER_S, &h, &p, &from, &r);
}

SW_TEST(typed, an_own_cell_that_another_wrote_anew_from_an_older_state_is_put_right)
{
	const struct actor self = {1, 5};
	struct typed_cell old = {.adds = 1, .sum = 10};
	struct dot dot;
	int64_t sum;
	replica = replica_of(1, 5);
	memset(&repairs, 0, sizeof(repairs));
	SW_EXPECT_EQ(typed_add_owner(replica, SW_NS_PER_S, 0, "n", 1, 10, &dot, &sum), 0);
	SW_EXPECT_EQ(typed_add_owner(replica, SW_NS_PER_S, 0, "n", 1, 5, &dot, &sum), 0);
	SW_EXPECT_EQ(sum, 15);
	push_cell(replica, self, 100, (struct dot){{2, 1}, 1}, &old);
	SW_EXPECT_EQ(read_counter(replica), 10);
	SW_EXPECT_EQ(repairs.count, 1u);
	typed_repair_owner(&repairs, replica, SW_NS_PER_S, 0);
	SW_EXPECT_EQ(read_counter(replica), 15);
	SW_EXPECT_EQ(repairs.count, 0u);
	SW_EXPECT_EQ(repairs.lost, 0u);
	map_destroy(replica);
}

SW_TEST(typed, a_retired_cell_gives_way_to_an_add_of_that_life_that_comes_late)
{
	struct typed_cell five = {.adds = 5, .sum = 50}, six = {.adds = 6, .sum = 60};
	struct dot dot;
	int64_t sum;
	struct map *m = replica = replica_of(1, 5);
	push_cell(m, (struct actor){1, 4}, 5, (struct dot){{2, 1}, 1}, &five);
	SW_EXPECT_EQ(typed_add_owner(m, SW_NS_PER_S, 0, "n", 1, 1, &dot, &sum), 0);
	SW_EXPECT_EQ(typed_retire_owner(m, SW_NS_PER_S, 0, "n", 1, 4, &dot), -EAGAIN);
	SW_EXPECT_EQ(typed_fold_owner(m, SW_NS_PER_S, 0, "n", 1, 4, &dot), 0);
	SW_EXPECT_EQ(typed_retire_owner(m, SW_NS_PER_S, 0, "n", 1, 4, &dot), 0);
	SW_EXPECT_EQ(map_tombstone_count(m), 1u);
	SW_EXPECT_EQ(read_counter(m), 51);
	push_cell(m, (struct actor){1, 4}, 6, (struct dot){{2, 1}, 2}, &six);
	SW_EXPECT_EQ(read_counter(m), 61);
	SW_EXPECT_EQ(typed_fold_owner(m, SW_NS_PER_S, 0, "n", 1, 6, &dot), -EINVAL);
	SW_EXPECT_EQ(typed_fold_owner(m, SW_NS_PER_S, 0, "n", 1, 3, &dot), -ENOENT);
	map_destroy(m);
}

SW_TEST(typed, an_add_that_would_overflow_is_refused)
{
	struct dot dot;
	int64_t sum;
	struct map *m = replica = replica_of(1, 5);
	SW_EXPECT_EQ(typed_add_owner(m, SW_NS_PER_S, 0, "n", 1, INT64_MAX, &dot, &sum), 0);
	SW_EXPECT_EQ(typed_add_owner(m, SW_NS_PER_S, 0, "n", 1, 1, &dot, &sum), -ERANGE);
	SW_EXPECT_EQ(read_counter(m), INT64_MAX);
	SW_EXPECT_EQ(typed_add_owner(m, SW_NS_PER_S, 0, "", 0, 1, &dot, &sum), -EINVAL);
	map_destroy(m);
}
