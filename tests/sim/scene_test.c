#include "scene.h"

#include <string.h>

#include "sw_test.h"
#include "swarm.h"

static struct sim_config small(uint32_t servers)
{
	return (struct sim_config){
		.servers = servers,
		.seed = 4,
		.profile = swim_profile_lan,
		.features = swim_features_all,
		.network = {.delay_min_ns = 50 * SW_NS_PER_US},
		.records_max = 20,
	};
}

static struct scene *running(const struct script *script, uint32_t servers)
{
	struct sim_config c = small(servers);
	struct scene *s = scene_create(&c, script);
	SW_EXPECT_TRUE(scene_run(s, 4 * SW_NS_PER_S));
	SW_EXPECT_TRUE(sim_members_agree(s->sim, 0));
	return s;
}

/* Server 0 hears this of server 1, as if from server 2. */
static void forge(struct scene *s, uint8_t state, uint32_t more_incarnations)
{
	struct swim_member members[SW_MEMBERS_MAX];
	uint8_t bytes[WIRE_MESSAGES_MAX];
	uint32_t n = swim_members(sim_swim(s->sim, 0), members, SW_MEMBERS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		if (members[i].record.actor.id != sim_id(1))
			continue;
		struct wire_member record = members[i].record;
		record.state = state;
		record.incarnation += more_incarnations;
		struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
		wire_put_member(&w, WIRE_MEMBER, &record);
		struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
		struct wire_header h = {.sender = swim_self(sim_swim(s->sim, 2)),
			.instance = sim_instance(s->sim, 2)};
		struct wire_message m;
		SW_ASSERT_TRUE(wire_next(&r, &m));
		swim_packet_begin(sim_swim(s->sim, 0), sim_now(s->sim), &h, &record.at);
		swim_input(sim_swim(s->sim, 0), sim_now(s->sim), &h, &record.at, &m);
	}
}

static void expect_noticed(uint8_t state, uint32_t more_incarnations, const char *what)
{
	struct script none = {0};
	struct scene *s = running(&none, 4);
	forge(s, state, more_incarnations);
	SW_EXPECT_FALSE(scene_check(s));
	if (strstr(s->violation.text, what) == NULL)
		SW_FAIL("'%s' does not say '%s'", s->violation.text, what);
	SW_EXPECT_FALSE(scene_run(s, SW_NS_PER_S));
	scene_destroy(s);
}

SW_TEST(scene, a_server_that_is_left_and_never_left_breaks_an_invariant)
{
	expect_noticed(WIRE_LEFT, 0, "nobody told it to leave");
}

SW_TEST(scene, a_server_that_is_forgotten_where_nobody_forgets_breaks_an_invariant)
{
	expect_noticed(WIRE_FORGOTTEN, 0, "nobody forgets");
}

SW_TEST(scene, knowing_more_of_a_server_than_itself_breaks_an_invariant)
{
	expect_noticed(WIRE_ALIVE, 1, "knows more than the server itself");
}

SW_TEST(scene, a_vector_that_covers_a_write_which_is_not_held_breaks_an_invariant)
{
	struct script script = {0};
	script_add(&script, &(struct step){.at_ns = 3 * SW_NS_PER_S,
				    .kind = STEP_PUT,
				    .server = 1,
				    .key = "k",
				    .value = "v"});
	struct scene *s = running(&script, 4);
	SW_EXPECT_STR(sim_get(s->sim, 3, "k"), "v");
	SW_ASSERT_TRUE(scene_check(s));
	/* Told of a key that the write was not of: nobody holds that key, and every vector covers
	 * the write. */
	invariants_claim(s->invariants, s->sim, 1, "k", "another");
	SW_ASSERT_EQ(sim_put(s->sim, 2, "more", "v"), 0);
	SW_EXPECT_FALSE(scene_check(s));
	if (strstr(s->violation.text, "of another, and it holds neither") == NULL)
		SW_FAIL("'%s'", s->violation.text);
	scene_destroy(s);
	script_fini(&script);
}

static bool needs_both(void *context, const struct script *script)
{
	uint32_t *asked = context, found = 0;
	(*asked)++;
	for (uint32_t i = 0; i < script->count; i++)
		found |= (script->steps[i].server == 17 ? 1u : 0) |
			 (script->steps[i].server == 41 ? 2u : 0);
	return found == 3;
}

SW_TEST(scene, shrinking_leaves_the_steps_that_are_needed)
{
	struct script script = {0};
	uint32_t asked = 0;
	for (uint32_t i = 0; i < 100; i++)
		script_add(&script, &(struct step){.at_ns = i, .kind = STEP_CRASH, .server = i});
	scene_shrink(&script, needs_both, &asked);
	SW_ASSERT_EQ(script.count, 2u);
	SW_EXPECT_EQ(script.steps[0].server, 17u);
	SW_EXPECT_EQ(script.steps[1].server, 41u);
	SW_EXPECT_LT(asked, 400u);
	script_fini(&script);
}

SW_TEST(scene, a_swarm_seed_gives_the_same_plan_and_the_same_run)
{
	struct swarm_result results[2];
	for (uint64_t seed = 1; seed <= 10; seed++) {
		char texts[2][1 << 16] = {{0}};
		for (int i = 0; i < 2; i++) {
			struct swarm_plan plan;
			swarm_draw(seed, &plan);
			FILE *out = fmemopen(texts[i], sizeof(texts[i]), "w");
			swarm_print(&plan, out);
			(void)fclose(out);
			swarm_play(&plan, NULL, NULL, &results[i]);
			swarm_plan_fini(&plan);
		}
		SW_EXPECT_STR(texts[0], texts[1]);
		SW_EXPECT_MEM(&results[0], &results[1], sizeof(results[0]));
	}
}

/* Servers, those on one side of a cut, and packets for each server and probe interval after it at
 * most. In quiet it is 2. */
static const struct cut {
	const char *name;
	uint32_t servers;
	uint64_t side;
	uint64_t packets_max;
} cuts[] = {
	{"one_is_back_within_the_claim", 64, 1, 16},
	{"halves_are_back_within_the_claim", 64, 0xffffffff, 25},
	{"two_of_three_are_back_within_the_claim", 3, 1, 8},
};

SW_TEST_TABLE(scene, after_a_cut, const struct cut *cut, cuts)
{
	struct script script = {0};
	script_add(&script,
		&(struct step){.at_ns = 2 * SW_NS_PER_S, .kind = STEP_SPLIT, .set = {cut->side}});
	struct sim_config c = small(cut->servers);
	c.profile = swim_profile_metal;
	c.records_max = 0;
	struct scene *s = scene_create(&c, &script);
	SW_ASSERT_TRUE(scene_run(s, 4 * SW_NS_PER_S));
	uint64_t none[SCRIPT_SET_MAX / 64] = {0}, from_ns = sim_now(s->sim),
				       packets = sim_packets(s->sim);
	if (!scene_settle(s, none))
		SW_FAIL("%s", s->violation.text);
	uint64_t intervals = (sim_now(s->sim) - from_ns) / c.profile.probe_interval_ns;
	uint64_t each = (sim_packets(s->sim) - packets) / (cut->servers * intervals);
	SW_EXPECT_EQ(s->unseen, 0u);
	SW_EXPECT_LE(s->members_ns, scene_claim_ns(&c));
	printf("agreed after %.1f ms, %u packets a server and interval in %u intervals\n",
		(double)s->members_ns / 1e6, (unsigned)each, (unsigned)intervals);
	SW_EXPECT_LT(each, cut->packets_max);
	scene_destroy(s);
	script_fini(&script);
}

SW_TEST(scene, servers_in_groups_know_their_group_alone)
{
	struct sim_config c = small(12);
	struct script none = {0};
	c.group_size = 4;
	struct scene *s = scene_create(&c, &none);
	SW_ASSERT_TRUE(scene_run(s, 2 * SW_NS_PER_S));
	for (uint32_t group = 0; group < 3; group++)
		SW_EXPECT_TRUE(sim_members_agree(s->sim, group));
	struct swim_member members[SW_MEMBERS_MAX];
	SW_EXPECT_EQ(swim_members(sim_swim(s->sim, 5), members, SW_MEMBERS_MAX), 4u);
	scene_destroy(s);
}
