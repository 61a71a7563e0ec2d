#include "sim_events.h"
#include "sw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole servers under random faults: the invariant of the vectors after every step, equality after
 * every heal. SW_SEED and SW_RUNS repeat or extend a run. */

enum { NODES = 5, KEYS = 12, WRITES_MAX = 4096 };

struct written {
	char key[16];
	struct dot dot;
	uint64_t clock, weight;
};

struct history {
	uint32_t count;
	struct written writes[WRITES_MAX];
};

static struct history history;

/* Tombstones that anybody collected. */
static struct history collected;

static void on_collect(
	void *context, struct sim *w, uint32_t node, const struct map_view *tombstone)
{
	(void)context;
	(void)w;
	(void)node;
	if (collected.count == WRITES_MAX)
		return;
	struct written *h = &collected.writes[collected.count++];
	snprintf(h->key, sizeof(h->key), "%.*s", tombstone->key_len, (const char *)tombstone->key);
	h->dot = tombstone->author;
	h->clock = tombstone->clock;
	h->weight = tombstone->weight;
}

static struct map_view stamp_of(const struct written *h)
{
	return (struct map_view){.clock = h->clock, .weight = h->weight, .author = h->dot};
}

static bool was_collected(const struct written *h)
{
	struct map_view written = stamp_of(h);
	for (uint32_t i = 0; i < collected.count; i++) {
		struct map_view tombstone = stamp_of(&collected.writes[i]);
		if (strcmp(collected.writes[i].key, h->key) == 0 &&
			map_stamp_compare(&tombstone, &written) >= 0)
			return true;
	}
	return false;
}

static void random_write(struct sim *w, struct sw_random *r, uint32_t node)
{
	char key[16], value[32];
	struct map_view view;
	struct map *m = sim_map(w, node);
	snprintf(key, sizeof(key), "key-%u", (unsigned)sw_random_below(r, KEYS));
	snprintf(value, sizeof(value), "value-%u", (unsigned)sw_random_below(r, 1000000));
	int rc = sw_random_below(r, 4) == 0 ? sim_del(w, node, key) : sim_put(w, node, key, value);
	if (rc < 0 || history.count == WRITES_MAX)
		return;
	struct written *h = &history.writes[history.count++];
	if (!map_get_reader(m, key, strlen(key), &view)) {
		/* A tombstone of a server that is alone is collected at once. */
		SW_ASSERT_TRUE(collected.count > 0);
		*h = collected.writes[collected.count - 1];
		SW_ASSERT_EQ(strcmp(h->key, key), 0);
		return;
	}
	snprintf(h->key, sizeof(h->key), "%s", key);
	h->dot = view.dot;
	h->clock = view.clock;
	h->weight = view.weight;
}

/* If a replica's vector covers a write, it holds that write or one with a larger stamp, or a newer
 * tombstone was collected. */
static bool invariant_holds(struct sim *w, uint64_t seed)
{
	for (uint32_t i = 0; i < NODES; i++) {
		const struct map *m = sim_map(w, i);
		if (m == NULL)
			continue;
		for (uint32_t k = 0; k < history.count; k++) {
			const struct written *h = &history.writes[k];
			struct map_view held, written = stamp_of(h);
			if (map_seq_reader(m, h->dot.actor) < h->dot.seq)
				continue;
			bool is_held = map_get_reader(m, h->key, strlen(h->key), &held);
			if (is_held ? map_stamp_compare(&held, &written) >= 0 : was_collected(h))
				continue;
			SW_FAIL("seed %llu: node %u covers %llx.%llu of %s and does not hold it",
				(unsigned long long)seed, i, (unsigned long long)h->dot.actor.id,
				(unsigned long long)h->dot.seq, h->key);
			return false;
		}
	}
	return true;
}

static void random_fault(struct sim *w, struct sw_random *r, uint32_t *down, uint32_t *paused)
{
	uint32_t node = (uint32_t)sw_random_below(r, NODES);
	switch (sw_random_below(r, 6)) {
	case 0: sim_split_below(w, 1 + (uint32_t)sw_random_below(r, NODES - 1)); break;
	case 1: sim_heal(w); break;
	case 2: sim_cut(w, node, (uint32_t)sw_random_below(r, NODES), true); break;
	case 3:
		if (*paused == NODES && *down != node) {
			sim_pause(w, node, true);
			*paused = node;
		} else if (*paused != NODES) {
			sim_pause(w, *paused, false);
			*paused = NODES;
		}
		break;
	case 4:
		if (*down == NODES && *paused != node) {
			sim_crash(w, node);
			*down = node;
		} else if (*down != NODES) {
			sim_start(w, *down, 0);
			*down = NODES;
		}
		break;
	default: sim_network(w)->loss_ppm = (uint32_t)sw_random_below(r, 3) * 150000; break;
	}
}

static bool swarm(uint64_t seed, uint64_t *heal_ns)
{
	struct sw_random r = sw_random_seed(seed * 7919 + 1);
	struct sim_config c = {
		.servers = NODES,
		.seed = seed,
		.profile = swim_profile_lan,
		.features = swim_features_all,
		.network = {.delay_min_ns = 20 * SW_NS_PER_US,
			.delay_spread_ns = (uint64_t[]){30 * SW_NS_PER_US, SW_NS_PER_MS,
				8 * SW_NS_PER_MS}[sw_random_below(&r, 3)],
			.duplicate_ppm = (uint32_t)sw_random_below(&r, 2) * 100000},
		.records_max = 200,
	};
	uint32_t down = NODES, paused = NODES;
	uint64_t fault_every = 1 + sw_random_below(&r, 20);
	struct sim *w = sim_create(&c);
	bool ok = true;
	history.count = collected.count = 0;
	sim_observe(w, &(struct sim_observer){.on_collect = on_collect});
	for (int step = 0; step < 300 && ok; step++) {
		uint32_t node = (uint32_t)sw_random_below(&r, NODES);
		if (node != down && node != paused)
			random_write(w, &r, node);
		if (sw_random_below(&r, fault_every) == 0)
			random_fault(w, &r, &down, &paused);
		sim_run(w, sw_random_below(&r, 40 * SW_NS_PER_MS));
		ok = invariant_holds(w, seed);
	}
	if (paused != NODES)
		sim_pause(w, paused, false);
	if (down != NODES)
		sim_start(w, down, 0);
	sim_heal(w);
	sim_network(w)->loss_ppm = 0;
	uint64_t healed_ns = sim_now(w);
	while (ok && !(sim_members_agree(w, 0) && sim_maps_agree(w, 0))) {
		sim_run(w, 20 * SW_NS_PER_MS);
		if (sim_now(w) - healed_ns > 20 * SW_NS_PER_S) {
			SW_FAIL("seed %llu: not equal 20 s after the heal (members agree: %d, "
				"maps: %d)",
				(unsigned long long)seed, sim_members_agree(w, 0),
				sim_maps_agree(w, 0));
			ok = false;
		}
	}
	*heal_ns = sim_now(w) - healed_ns;
	ok = ok && invariant_holds(w, seed);
	sim_destroy(w);
	return ok;
}

SW_TEST(convergence, swarms_of_faults_never_break_the_invariant_and_all_are_equal_after_the_heal)
{
	uint64_t first = sw_test_env_u64("SW_SEED", 1), runs = sw_test_env_u64("SW_RUNS", 150);
	uint64_t worst_ns = 0, failed = 0, heal_ns = 0;
	for (uint64_t seed = first; seed < first + runs && failed < 5; seed++) {
		failed += !swarm(seed, &heal_ns);
		worst_ns = sw_max_u64(worst_ns, heal_ns);
	}
	sw_test_note("%llu runs from seed %llu, equal after %.2f s at worst",
		(unsigned long long)runs, (unsigned long long)first, (double)worst_ns / 1e9);
}

SW_TEST(convergence, a_write_is_readable_on_all_64_replicas_at_once)
{
	struct sim_config c = {
		.servers = 64,
		.seed = 1,
		.profile = swim_profile_metal,
		.features = swim_features_all,
		.network = {.delay_min_ns = 50 * SW_NS_PER_US},
		.records_max = 100,
	};
	struct sim *w = sim_create(&c);
	for (int i = 0; i < 100 && !(sim_members_agree(w, 0) && sim_maps_agree(w, 0)); i++) {
		sim_run(w, 50 * SW_NS_PER_MS);
	}
	SW_ASSERT_EQ(sim_put(w, 5, "key", "value"), 0);
	sim_run(w, SW_NS_PER_MS);
	uint32_t have = 0;
	for (uint32_t i = 0; i < c.servers; i++)
		have += sim_get(w, i, "key") != NULL;
	SW_EXPECT_EQ(have, 64u);
	sim_destroy(w);
}

SW_TEST(convergence, a_datacenter_that_starts_all_at_once_becomes_ready)
{
	struct sim_config c = {
		.servers = 64,
		.seed = 3,
		.profile = swim_profile_lan,
		.features = swim_features_all,
		/* The resend time follows: 21 ms, as the appliance has it in this profile. */
		.network = {.delay_min_ns = 50 * SW_NS_PER_US,
			.delay_spread_ns = 4950 * SW_NS_PER_US},
		.records_max = 100,
	};
	struct sim *w = sim_create(&c);
	uint32_t steps = 0;
	for (; steps < 200 && !sim_maps_agree(w, 0); steps++) {
		sim_run(w, 100 * SW_NS_PER_MS);
	}
	sw_test_note("ready after %.1f s", steps / 10.0);
	SW_EXPECT_LT(steps, 100u);
	sim_destroy(w);
}
