#include <time.h>

#include "map_explore.h"
#include "sw_test.h"

static double cpu_s(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* The small worlds whole; the others whole only if SW_MODEL_STATES lets them, and as far as that
 * otherwise. */
SW_TEST_TABLE(
	map_model, no_order_of_packets_breaks_the_map, const struct map_scope *scope, map_scopes)
{
	static struct map_explored e;
	uint64_t states_max = sw_test_env_u64("SW_MODEL_STATES", 10000);
	double begin_s = cpu_s();
	SW_ASSERT_EQ(map_explore(scope, scope->small ? UINT64_MAX : states_max, &e), 0);
	sw_test_note(
		"%s: %llu states%s, %llu steps, %llu heals, %u packets, depth %u; "
		"%u states of a replica, %llu steps of it, %u histories, %llu compared; %.1f s",
		scope->name, (unsigned long long)e.states, e.whole ? ", all" : " (limit)",
		(unsigned long long)e.steps, (unsigned long long)e.healed, e.packets, e.deepest,
		e.locals, (unsigned long long)e.edges, e.ledgers, (unsigned long long)e.compared,
		cpu_s() - begin_s);
	if (e.broken != NULL)
		SW_FAIL("%s: not so after\n%s", e.broken, e.trace);
	else if (scope->small || states_max == UINT64_MAX)
		SW_ASSERT_TRUE(e.whole);
}
