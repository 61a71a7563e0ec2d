#include "sw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appliance.h"
#include "control.h"
#include "counters.h"
#include "health/health.h"
#include "persist.h"
#include "rpc/rpc.h"
#include "watch.h"

/* Every 64-bit word from `first` to `end` of a struct is told exactly once. */
static void expect_all(const struct counter *list, const char *of, size_t first, size_t end)
{
	for (size_t at = first; at < end; at += sizeof(uint64_t)) {
		int told = 0;
		for (const struct counter *c = list; c->name != NULL; c++)
			told += c->offset == at;
		if (told != 1)
			SW_FAIL("struct %s: the counter at byte %zu is told %d times in counters.c",
				of, at, told);
	}
	for (const struct counter *c = list; c->name != NULL; c++) {
		SW_EXPECT_TRUE(c->offset >= first && c->offset < end);
		SW_EXPECT_TRUE(c->help != NULL && c->help[0] != '\0');
		SW_EXPECT_TRUE(c->help[strlen(c->help) - 1] != '.');
	}
}

SW_TEST(counters, every_counter_is_told)
{
	expect_all(counters_core, "idle", offsetof(struct idle, loops),
		offsetof(struct idle, asleep_ns) + sizeof(uint64_t));
	expect_all(counters_nic, "nic_stats", 0, offsetof(struct nic_stats, rx_drops));
	expect_all(counters_lane, "lane_counters", 0, offsetof(struct lane_counters, drops));
	expect_all(counters_membership, "swim_counters", 0, sizeof(struct swim_counters));
	expect_all(counters_path, "path_counters", 0, sizeof(struct path_counters));
	expect_all(counters_keeper, "keeper_counters", 0,
		offsetof(struct keeper_counters, not_owner) + sizeof(uint64_t));
	expect_all(counters_map, "map_counters", 0, sizeof(struct map_counters));
	expect_all(counters_watch, "watch_counters", 0, sizeof(struct watch_counters));
	expect_all(counters_persist, "persist_counters", 0, sizeof(struct persist_counters));
	expect_all(counters_rpc, "rpc_server_stats", 0, sizeof(struct rpc_server_stats));
	expect_all(counters_health, "health_stats", 0, sizeof(struct health_stats));
	expect_all(counters_duty, "duty_totals", 0, sizeof(struct duty_totals));
}

/* Behind the last one there is padding to the cache line only. */
SW_TEST(counters, a_counter_behind_the_last_one_would_be_seen)
{
	SW_EXPECT_EQ(sizeof(struct keeper_counters),
		RTE_ALIGN_CEIL(offsetof(struct keeper_counters, not_owner) + sizeof(uint64_t), 64));
	struct lane_counters lane;
	SW_EXPECT_EQ(sizeof(struct lane_counters),
		RTE_ALIGN_CEIL(offsetof(struct lane_counters, drops) + sizeof(lane.drops), 64));
}

SW_TEST(counters, every_reason_of_a_drop_has_a_name)
{
	for (unsigned d = DROP_WIRE + 1; d < DROP_COUNT; d++)
		SW_EXPECT_TRUE(drop_name(d) != NULL && drop_name(d)[0] != '\0');
	for (unsigned d = 0; d < NIC_DROP_COUNT; d++)
		SW_EXPECT_TRUE(nic_drop_name(d) != NULL && nic_drop_name(d)[0] != '\0');
}

/* After a change: swimlane --counter-reference prints what belongs between the two marks. */
SW_TEST(counters, reference_of_the_documentation_is_the_programs)
{
	static const char begin_mark[] = "<!-- counter reference: begin -->\n";
	static char text[1 << 20];
	char *reference = NULL, path[512];
	size_t len;
	(void)snprintf(path, sizeof(path), "%s/docs/operations.md", getenv("SW_SOURCE"));
	FILE *f = fopen(path, "re");
	SW_ASSERT_TRUE(f != NULL);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	char *begin = strstr(text, begin_mark),
	     *end = strstr(text, "<!-- counter reference: end -->");
	SW_ASSERT_TRUE(begin != NULL && end != NULL);
	*end = '\0';
	FILE *out = open_memstream(&reference, &len);
	counters_reference(out);
	(void)fclose(out);
	SW_EXPECT_STR(begin + strlen(begin_mark), reference);
	free(reference);
}
