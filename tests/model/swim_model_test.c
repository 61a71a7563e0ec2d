#include "explore.h"
#include "sw_test.h"

SW_TEST_TABLE(swim_model, no_order_of_events_breaks_membership, const struct world *world, worlds)
{
	struct explored e;
	SW_ASSERT_EQ(explore(world, sw_test_env_u64("SW_MODEL_STATES", 100000), &e), 0);
	sw_test_note("%s: %llu states%s, %llu steps, %llu calm ends, %u messages, depth %u, agreed "
		     "after %llu ms at worst",
		world->name, (unsigned long long)e.states, e.whole ? ", all" : " (limit)",
		(unsigned long long)e.steps, (unsigned long long)e.settled, e.messages, e.deepest,
		(unsigned long long)(e.slowest_ns / SW_NS_PER_MS));
	if (e.broken != NULL)
		SW_FAIL("%s: not so after\n%s", e.broken, e.trace);
}
