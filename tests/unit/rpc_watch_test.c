#include "sw_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rpc_world.h"

static int subscribe(struct world *w)
{
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}\n");
	SW_EXPECT_STR(raw_read(w, fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n");
	return fd;
}

SW_TEST(rpc_watch, subscribers_get_notifications_in_order)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int a = subscribe(w), b = subscribe(w);
	SW_ASSERT_EQ(w->subscriber_count, 2u);
	SW_EXPECT_TRUE(rpc_notify(w->subscribers[0], "n", json_pack("{s:i}", "x", 1)));
	SW_EXPECT_TRUE(rpc_notify(w->subscribers[0], "n", NULL));
	SW_EXPECT_TRUE(rpc_notify(w->subscribers[1], "m", json_object()));
	SW_EXPECT_STR(raw_read(w, a),
		"{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"x\":1}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n");
	SW_EXPECT_STR(raw_read(w, b), "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{}}\n");
	(void)close(a);
	world_turn(w);
	SW_EXPECT_EQ(w->subscribers_gone, 1u);
	SW_EXPECT_TRUE(w->subscribers[0] == NULL);
	(void)close(b);
	world_close(w);
}

SW_TEST(rpc_watch, watcher_that_never_reads_is_bounded_and_told_what_it_missed)
{
	enum { TOLD = 100000 };
	const struct rpc_server_config limits = {.backlog_bytes_max = 65536};
	struct world *w = world_open(&limits);
	struct rpc_server_stats stats;
	SW_ASSERT_TRUE(w != NULL);
	int slow = subscribe(w), quick = subscribe(w);
	unsigned told = 0, read_quick = 0;
	for (int i = 0; i < TOLD; i++) {
		told += rpc_notify(w->subscribers[0], "n", json_pack("{s:i}", "x", i));
		(void)rpc_notify(w->subscribers[1], "n", json_pack("{s:i}", "x", i));
		if (i % 500 == 499)
			for (const char *p = raw_read(w, quick); (p = strchr(p, '\n')) != NULL; p++)
				read_quick++;
	}
	SW_EXPECT_EQ(read_quick, (unsigned)TOLD); /* one slow watcher costs the others nothing */
	rpc_server_stats(w->server, &stats);
	SW_EXPECT_EQ(stats.notifications_missed, (uint64_t)(TOLD - told));
	SW_EXPECT_GT(told, 100u);
	SW_EXPECT_LT(told, TOLD / 4u); /* 64 KiB of backlog and what the socket holds */

	/* What it gets is an unbroken beginning, then how many are missing. */
	unsigned got = 0, missing = 0;
	for (int turn = 0; turn < 100 && missing == 0; turn++) {
		char *save = NULL, *text = (char *)raw_read(w, slow);
		for (char *line = strtok_r(text, "\n", &save); line != NULL;
			line = strtok_r(NULL, "\n", &save)) {
			unsigned x;
			if (sscanf(line,
				    "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"x\":%u}}",
				    &x) == 1)
				SW_ASSERT_EQ(x, got++);
			else
				SW_ASSERT_EQ(sscanf(line,
						     "{\"jsonrpc\":\"2.0\",\"method\":\"missed\","
						     "\"params\":{\"count\":%u}}",
						     &missing),
					1);
		}
	}
	SW_EXPECT_EQ(got, told);
	SW_EXPECT_EQ(missing, TOLD - told);
	SW_EXPECT_TRUE(rpc_notify(w->subscribers[0], "n", NULL)); /* and it goes on */
	SW_EXPECT_STR(raw_read(w, slow), "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n");
	(void)close(slow);
	(void)close(quick);
	world_close(w);
}

SW_TEST(rpc_watch, notification_that_is_no_json_is_missed_and_said)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = subscribe(w);
	SW_EXPECT_FALSE(rpc_notify(w->subscribers[0], "n", json_string_nocheck("\xff")));
	SW_EXPECT_STR(raw_read(w, fd),
		"{\"jsonrpc\":\"2.0\",\"method\":\"missed\",\"params\":{\"count\":1}}\n");
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc_watch, subscriptions_of_one_connection_are_bounded)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	for (int i = 0; i < 40; i++)
		raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}\n");
	(void)raw_read(w, fd);
	SW_EXPECT_EQ(w->subscriber_count, 16u);
	(void)close(fd);
	world_turn(w);
	SW_EXPECT_EQ(w->subscribers_gone, 16u);
	world_close(w);
}
