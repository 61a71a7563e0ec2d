#include "map_explore.h"
#include "sw_test.h"

SW_TEST_TABLE(
	map_model, no_order_of_packets_breaks_the_map, const struct map_scope *scope, map_scopes)
{
	static struct map_explored e;
	SW_ASSERT_EQ(map_explore(scope, sw_test_env_u64("SW_MODEL_STATES", 30000), &e), 0);
	sw_test_note("%s: %llu states%s, %llu steps, %llu heals, %u packets, depth %u; "
		     "%u states of a replica, %llu steps of it, %u histories, %llu compared",
		scope->name, (unsigned long long)e.states, e.whole ? ", all" : " (limit)",
		(unsigned long long)e.steps, (unsigned long long)e.healed, e.packets, e.deepest,
		e.locals, (unsigned long long)e.edges, e.ledgers, (unsigned long long)e.compared);
	if (e.broken != NULL)
		SW_FAIL("%s: not so after\n%s", e.broken, e.trace);
}
