#include "base/random.h"
#include "sw_test.h"
#include "swim/path.h"

#define MS SW_NS_PER_MS

enum { OWN = 8952, PEERS_MAX = 64 };

/* One server and the paths to others: each carries so much, takes so long and loses some. */
struct world {
	struct paths *paths;
	uint64_t now_ns;
	struct sw_random random;
	struct swim_member members[1 + PEERS_MAX];
	uint16_t carries[PEERS_MAX], takes[PEERS_MAX];
	bool mute[PEERS_MAX];
	uint32_t loss_percent;
	uint32_t count;
	uint64_t sent, sent_bytes, last_ns, nearest_ns;
};

static struct world world_of(uint32_t peers)
{
	struct world w = {.now_ns = SW_NS_PER_S, .count = peers, .nearest_ns = UINT64_MAX};
	w.paths = paths_create(OWN, 7);
	w.random = sw_random_seed(8);
	w.members[0] = (struct swim_member){.self = true, .record.actor = {1, 1}};
	for (uint32_t i = 0; i < peers; i++) {
		w.members[1 + i].record = (struct wire_member){
			.actor = {100 + i, 1}, .at = {.port = (uint16_t)(7000 + i)}};
		w.carries[i] = w.takes[i] = OWN;
	}
	paths_members(w.paths, w.now_ns, w.members, 1 + peers);
	return w;
}

static void carry(struct world *w, const struct path_probe *probe)
{
	uint32_t i = (uint32_t)(probe->to_id - 100);
	w->sent++;
	w->sent_bytes += probe->packet_len;
	if (w->last_ns != 0 && w->now_ns - w->last_ns < w->nearest_ns)
		w->nearest_ns = w->now_ns - w->last_ns;
	w->last_ns = w->now_ns;
	SW_EXPECT_EQ(probe->message.size_max, OWN);
	if (w->mute[i] || probe->packet_len > w->carries[i] || probe->packet_len > w->takes[i] ||
		sw_random_below(&w->random, 100) < w->loss_percent)
		return;
	struct wire_size_ack ack = {probe->message.seq, probe->packet_len, w->takes[i]};
	paths_answer(w->paths, w->now_ns, probe->to_id, &ack);
}

static void run(struct world *w, uint64_t for_ns)
{
	uint64_t end_ns = w->now_ns + for_ns;
	struct path_probe probe;
	for (; w->now_ns < end_ns; w->now_ns += MS)
		while (w->now_ns >= paths_deadline(w->paths) &&
			paths_output(w->paths, w->now_ns, &probe))
			carry(w, &probe);
}

SW_TEST(path, is_small_until_a_large_packet_has_come_through)
{
	struct world w = world_of(1);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), WIRE_PACKET_MAX);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 4711), WIRE_PACKET_MAX);
	run(&w, 100 * MS);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), OWN);
	SW_EXPECT_EQ(paths_state(w.paths, 100), PATH_COMPLETE);
	SW_EXPECT_EQ(paths_counters(w.paths)->size_probes, 1u);
	paths_destroy(w.paths);
}

SW_TEST(path, peer_that_takes_only_small_ones_is_not_asked_for_large_ones)
{
	struct world w = world_of(1);
	w.takes[0] = WIRE_PACKET_MAX;
	run(&w, 120 * SW_NS_PER_S);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), WIRE_PACKET_MAX);
	SW_EXPECT_EQ(w.sent, 2u); /* the first of all, and the one that told */
	paths_destroy(w.paths);
}

SW_TEST(path, largest_size_that_comes_through_is_found_between_the_ends)
{
	static const uint16_t carried[] = {1448, 1600, 3448, 4048, 8400, 8952};
	for (unsigned i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
		struct world w = world_of(1);
		w.carries[0] = carried[i];
		run(&w, 10 * SW_NS_PER_S);
		uint16_t found = paths_packet_max(w.paths, 100);
		SW_EXPECT_LE(found, carried[i]);
		SW_EXPECT_GT(found + 2 * PATH_SEARCH_STEP, carried[i]);
		SW_EXPECT_GE(found, WIRE_PACKET_MAX);
		paths_destroy(w.paths);
	}
}

SW_TEST(path, path_that_carries_large_ones_no_longer_falls_back_and_is_tried_again)
{
	struct world w = world_of(1);
	run(&w, SW_NS_PER_S);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), OWN);
	uint64_t version = paths_version(w.paths);
	w.carries[0] = WIRE_PACKET_MAX;
	run(&w, PATH_CONFIRM_NS + PATH_LOST_MAX * PATH_TIMEOUT_NS + 20 * MS);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), WIRE_PACKET_MAX);
	SW_EXPECT_EQ(paths_counters(w.paths)->size_fallbacks, 1u);
	SW_EXPECT_GT(paths_version(w.paths), version);
	run(&w, 5 * SW_NS_PER_S); /* the rest of the search */
	uint64_t sent = w.sent;
	run(&w, PATH_RETRY_NS - 10 * SW_NS_PER_S);
	SW_EXPECT_EQ(w.sent, sent);
	w.carries[0] = OWN;
	run(&w, 10 * SW_NS_PER_S);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), OWN);
	paths_destroy(w.paths);
}

SW_TEST(path, few_lost_packets_change_nothing)
{
	struct world w = world_of(8);
	run(&w, SW_NS_PER_S);
	w.loss_percent = 2;
	run(&w, 600 * SW_NS_PER_S);
	SW_EXPECT_GT(paths_counters(w.paths)->size_lost, 10u);
	SW_EXPECT_EQ(paths_counters(w.paths)->size_fallbacks, 0u);
	for (uint64_t id = 100; id < 108; id++)
		SW_EXPECT_EQ(paths_packet_max(w.paths, id), OWN);
	paths_destroy(w.paths);
}

SW_TEST(path, half_of_all_lost_ends_at_what_is_proved)
{
	struct world w = world_of(16);
	w.loss_percent = 50;
	for (uint32_t i = 0; i < 16; i += 2)
		w.carries[i] = WIRE_PACKET_MAX;
	run(&w, 120 * SW_NS_PER_S);
	for (uint32_t i = 0; i < 16; i++)
		SW_EXPECT_LE(paths_packet_max(w.paths, 100 + i), w.carries[i]);
	w.loss_percent = 0;
	run(&w, 2 * PATH_RETRY_NS);
	for (uint32_t i = 0; i < 16; i++)
		SW_EXPECT_EQ(paths_packet_max(w.paths, 100 + i), w.carries[i]);
	paths_destroy(w.paths);
}

SW_TEST(path, limit_that_a_peer_tells_holds_at_once)
{
	struct world w = world_of(1);
	run(&w, SW_NS_PER_S);
	paths_limit(w.paths, w.now_ns, 100, 3448);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), 3448);
	w.takes[0] = 3448;
	run(&w, 10 * SW_NS_PER_S);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), 3448);
	SW_EXPECT_EQ(paths_counters(w.paths)->size_lost, 0u);
	paths_limit(w.paths, w.now_ns, 4711, 2000); /* nobody */
	paths_destroy(w.paths);
}

SW_TEST(path, new_life_and_new_address_begin_anew)
{
	struct world w = world_of(2);
	run(&w, SW_NS_PER_S);
	w.members[1].record.actor.epoch++;
	w.members[2].record.at.port++;
	w.mute[0] = w.mute[1] = true;
	uint64_t version = paths_version(w.paths);
	paths_members(w.paths, w.now_ns, w.members, 3);
	SW_EXPECT_GT(paths_version(w.paths), version);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), WIRE_PACKET_MAX);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 101), WIRE_PACKET_MAX);
	run(&w, 5 * SW_NS_PER_S);
	w.mute[0] = w.mute[1] = false;
	run(&w, PATH_RETRY_NS);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), OWN);
	paths_destroy(w.paths);
}

SW_TEST(path, dead_members_are_not_asked)
{
	struct world w = world_of(1);
	w.members[1].record.state = WIRE_DEAD;
	paths_members(w.paths, w.now_ns, w.members, 2);
	run(&w, SW_NS_PER_S);
	SW_EXPECT_EQ(w.sent, 0u);
	SW_EXPECT_EQ(paths_deadline(w.paths), SW_NEVER_NS);
	paths_destroy(w.paths);
}

SW_TEST(path, answer_to_another_probe_or_of_another_length_proves_nothing)
{
	struct world w = world_of(1);
	struct path_probe probe;
	SW_EXPECT_TRUE(paths_output(w.paths, w.now_ns, &probe));
	SW_EXPECT_EQ(probe.packet_len, OWN);
	struct wire_size_ack wrong = {probe.message.seq + 1, OWN, OWN};
	paths_answer(w.paths, w.now_ns, 100, &wrong);
	struct wire_size_ack cut = {probe.message.seq, 1448, OWN};
	paths_answer(w.paths, w.now_ns, 100, &cut);
	struct wire_size_ack stranger = {probe.message.seq, OWN, OWN};
	paths_answer(w.paths, w.now_ns, 101, &stranger);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), WIRE_PACKET_MAX);
	paths_answer(w.paths, w.now_ns, 100, &stranger);
	SW_EXPECT_EQ(paths_packet_max(w.paths, 100), OWN);
	paths_answer(w.paths, w.now_ns, 100, &stranger); /* twice */
	SW_EXPECT_EQ(paths_counters(w.paths)->size_answers, 1u);
	paths_destroy(w.paths);
}

SW_TEST(path, rate_of_probes_is_bounded_whatever_is_lost)
{
	struct world w = world_of(PEERS_MAX);
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		w.mute[i] = i % 2 == 0;
	run(&w, 60 * SW_NS_PER_S);
	SW_EXPECT_GE(w.nearest_ns, (uint64_t)PATH_SPACING_NS);
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		SW_EXPECT_EQ(paths_packet_max(w.paths, 100 + i), w.mute[i] ? WIRE_PACKET_MAX : OWN);
	SW_EXPECT_LT(w.sent_bytes / 60, 400000u); /* a second, of 64 peers */
	paths_destroy(w.paths);
}
