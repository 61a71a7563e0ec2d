#include "sw_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpc_world.h"

/* ---- one line, one answer ---- */

struct line_row {
	const char *name;
	const char *line;
	const char *answer; /* how it begins; empty: no answer at all */
};

#define RESULT(id)      "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":"
#define ERROR(id, code) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ","

static const struct line_row line_rows[] = {
	{"number as id",
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":{\"a\":[1]}}\n",
		RESULT("7") "{\"a\":[1]}}\n"},
	{"string as id", "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"echo\"}\n",
		RESULT("\"x\"") "{}}\n"},
	{"null as id", "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"echo\"}\n",
		RESULT("null") "{}}\n"},
	{"carriage return", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\r\n",
		RESULT("1") "{}}\n"},
	{"empty lines", "\n\r\n\n", ""},
	{"null result", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"touch\"}\n",
		RESULT("1") "null}\n"},
	{"notification", "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}\n", ""},
	{"notification that fails", "{\"jsonrpc\":\"2.0\",\"method\":\"fail\"}\n", ""},
	{"notification of no method", "{\"jsonrpc\":\"2.0\",\"method\":\"none\"}\n", ""},
	{"notification with an array", "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[]}\n",
		""},
	{"not JSON", "hello\n", ERROR("null", "-32700")},
	{"half an object", "{\"jsonrpc\":\n", ERROR("null", "-32700")},
	{"invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\x28\"}\n",
		ERROR("null", "-32700")},
	{"NUL in a string", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\\u0000\"}\n",
		ERROR("null", "-32700")},
	{"key given twice", "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"echo\"}\n",
		ERROR("null", "-32700")},
	{"batch", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}]\n",
		ERROR("null", "-32600")},
	{"number alone", "42\n", ERROR("null", "-32600")},
	{"object as id", "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"echo\"}\n",
		ERROR("null", "-32600")},
	{"truth as id", "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"echo\"}\n",
		ERROR("null", "-32600")},
	{"no version", "{\"id\":5,\"method\":\"echo\"}\n", ERROR("5", "-32600")},
	{"version 1.0", "{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"echo\"}\n",
		ERROR("5", "-32600")},
	{"no method", "{\"jsonrpc\":\"2.0\",\"id\":5}\n", ERROR("5", "-32600")},
	{"method a number", "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":5}\n", ERROR("5", "-32600")},
	{"unknown method", "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"none\"}\n",
		ERROR("5", "-32601") "\"message\":\"unknown method \\\"none\\\"\"}}\n"},
	{"array as params", "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"echo\",\"params\":[1]}\n",
		ERROR("5", "-32602") "\"message\":\"parameters are passed by name: \\\"params\\\" "
				     "must "
				     "be an object, not an array\"}}\n"},
	{"text as params", "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"echo\",\"params\":\"a\"}\n",
		ERROR("5", "-32602")},
	{"a method's own error",
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"fail\",\"params\":{\"text\":"
		"\"tired\"}}\n",
		ERROR("5", "-32005") "\"message\":\"no: tired\"}}\n"},
	{"error text that is not UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"fail\"}\n",
		ERROR("5", "-32005") "\"message\":\"no: ?\"}}\n"},
	{"method that forgets to answer", "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"forget\"}\n",
		ERROR("5", "-32603")},
};

SW_TEST_TABLE(rpc, line_is_answered, const struct line_row *row, line_rows)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	raw_send(w, fd, row->line);
	const char *answer = raw_read(w, fd);
	if (strncmp(answer, row->answer, strlen(row->answer)) != 0 || (!*row->answer && *answer))
		SW_EXPECT_STR(answer, row->answer);
	SW_EXPECT_FALSE(raw_closed(w, fd)); /* no mistake in a line costs the connection */
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":99,\"method\":\"echo\"}\n");
	SW_EXPECT_STR(raw_read(w, fd), RESULT("99") "{}}\n");
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, cut_unknown_method_name_is_still_valid_json)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	char line[400] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a";
	for (int i = 0; i < 60; i++)
		(void)strcat(line, "\xc3\xa9"); /* the 64th byte is the middle of a character */
	(void)strcat(line, "\"}\n");
	raw_send(w, fd, line);
	json_t *answer = json_loads(raw_read(w, fd), 0, NULL);
	SW_EXPECT_EQ(json_integer_value(json_object_get(json_object_get(answer, "error"), "code")),
		RPC_METHOD_NOT_FOUND);
	json_decref(answer);
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, line_may_come_byte_by_byte)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	for (const char *p = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}"; *p; p++) {
		raw_send(w, fd, (char[]){*p, '\0'});
		SW_EXPECT_STR(raw_read(w, fd), "");
	}
	raw_send(w, fd, "\n");
	SW_EXPECT_STR(raw_read(w, fd), RESULT("1") "{}}\n");
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, pipelined_requests_are_answered_in_order)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	char line[128], *all = calloc(1, 64 * 2000), *at = all;
	for (int i = 0; i < 2000; i++)
		at += sprintf(at, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"echo\"}\n", i);
	raw_send(w, fd, all);
	const char *answers = raw_read(w, fd);
	for (int i = 0; i < 2000; i++) {
		int len = sprintf(line, RESULT("%d") "{}}\n", i);
		SW_ASSERT_EQ(strncmp(answers, line, (size_t)len), 0);
		answers += len;
	}
	SW_EXPECT_STR(answers, "");
	free(all);
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, last_line_of_a_half_closed_client_needs_no_newline)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}");
	SW_EXPECT_EQ(shutdown(fd, SHUT_WR), 0);
	SW_EXPECT_STR(raw_read(w, fd), RESULT("1") "{}}\n");
	SW_EXPECT_TRUE(raw_closed(w, fd));
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, half_a_last_line_does_nothing)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"touch\"");
	SW_EXPECT_EQ(shutdown(fd, SHUT_WR), 0);
	const char *answer = raw_read(w, fd);
	SW_EXPECT_EQ(strncmp(answer, ERROR("null", "-32700"), strlen(ERROR("null", "-32700"))), 0);
	SW_EXPECT_EQ(w->touched, 0u);
	(void)close(fd);
	world_close(w);
}

/* ---- bounds ---- */

SW_TEST(rpc, longest_line_is_taken_and_one_byte_more_is_an_error_and_the_end)
{
	const struct rpc_server_config limits = {.request_bytes_max = 1000};
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"touch\"}";
	char line[1100];
	struct world *w = world_open(&limits);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	memset(line, ' ', sizeof(line));
	memcpy(line, head, sizeof(head) - 1);
	(void)strcpy(line + 1000, "\n");
	raw_send(w, fd, line);
	SW_EXPECT_STR(raw_read(w, fd), RESULT("1") "null}\n");

	line[1000] = ' ';
	(void)strcpy(line + 1001, "\n");
	raw_send(w, fd, line);
	const char *answer = raw_read(w, fd);
	SW_EXPECT_EQ(strncmp(answer, ERROR("null", "-32004"), strlen(ERROR("null", "-32004"))), 0);
	SW_EXPECT_TRUE(raw_closed(w, fd));
	SW_EXPECT_EQ(w->touched, 1u);
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, endless_line_is_cut_off_at_the_limit)
{
	struct world *w = world_open(NULL);
	struct rpc_server_stats stats;
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	char block[4096];
	size_t sent = 0;
	memset(block, 'a', sizeof(block));
	for (int i = 0; i < 1000; i++) {
		ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		world_turn(w);
	}
	SW_EXPECT_TRUE(raw_read(w, fd)[0] == '{');
	SW_EXPECT_TRUE(raw_closed(w, fd));
	SW_EXPECT_LT(sent, 1u << 20); /* the limit, and what a socket holds */
	rpc_server_stats(w->server, &stats);
	SW_EXPECT_EQ(stats.clients, 0u);
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, thousands_of_clients_are_refused_above_the_limit_and_served_again_below_it)
{
	enum { CLIENTS = 3000, MAX = 50 };
	const struct rpc_server_config limits = {.clients_max = MAX};
	struct world *w = world_open(&limits);
	struct rpc_server_stats stats;
	SW_ASSERT_TRUE(w != NULL);
	int kept[MAX];
	for (int i = 0; i < MAX; i++) {
		kept[i] = raw_open(w);
		world_turn(w);
	}
	for (int i = 0; i < CLIENTS; i++) {
		int fd = raw_open(w);
		const char *answer = raw_read(w, fd);
		SW_ASSERT_TRUE(strncmp(answer, ERROR("null", "-32006"), 40) == 0);
		SW_ASSERT_TRUE(raw_closed(w, fd));
		(void)close(fd);
	}
	rpc_server_stats(w->server, &stats);
	SW_EXPECT_EQ(stats.clients, (uint64_t)MAX);
	SW_EXPECT_EQ(stats.clients_refused, (uint64_t)CLIENTS);

	(void)close(kept[0]);
	world_turn(w);
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
	SW_EXPECT_STR(raw_read(w, fd), RESULT("1") "{}}\n");
	(void)close(fd);
	for (int i = 1; i < MAX; i++)
		(void)close(kept[i]);
	world_turn(w);
	rpc_server_stats(w->server, &stats);
	SW_EXPECT_EQ(stats.clients, 0u);
	world_close(w);
}

SW_TEST(rpc, requests_in_flight_are_bounded)
{
	const struct rpc_server_config limits = {.in_flight_max = 2};
	struct world *w = world_open(&limits);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	for (int i = 0; i < 2; i++)
		raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"echo\"}\n");
	SW_EXPECT_TRUE(strncmp(raw_read(w, fd), ERROR("3", "-32006"), 30) == 0);
	SW_ASSERT_EQ(w->held_count, 2u);
	rpc_result(w->held[1], json_integer(5));
	SW_EXPECT_STR(raw_read(w, fd), RESULT("1") "5}\n");
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"echo\"}\n");
	SW_EXPECT_STR(raw_read(w, fd), RESULT("4") "{}}\n");
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, client_that_sends_and_never_reads_is_not_read_from_until_it_does)
{
	const struct rpc_server_config limits = {.backlog_bytes_max = 100000};
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":"
				   "{\"bytes\":50000}}\n";
	struct world *w = world_open(&limits);
	struct rpc_server_stats stats;
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w), other = raw_open(w);
	unsigned sent = 0;
	while (sent < 100000 && send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0) {
		sent++;
		world_turn(w);
	}
	SW_EXPECT_LT(sent, 100000u); /* the socket filled up */
	rpc_server_stats(w->server, &stats);
	SW_EXPECT_LT(
		stats.requests, 30u); /* 200 KB in the socket, 100 KB waiting, 50 KB an answer */
	raw_send(w, other, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
	SW_EXPECT_STR(raw_read(w, other), RESULT("1") "{}}\n");

	for (int i = 0; i < 100000 && stats.requests < sent; i++) {
		(void)raw_read(w, fd);
		rpc_server_stats(w->server, &stats);
	}
	SW_EXPECT_GE(stats.requests, (uint64_t)sent); /* nothing was lost meanwhile */
	(void)close(fd);
	(void)close(other);
	world_close(w);
}

/* ---- deferred calls ---- */

SW_TEST(rpc, deferred_calls_are_answered_in_any_order)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\"}\n");
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"method\":\"hold\"}\n");
	SW_ASSERT_EQ(w->held_count, 3u);
	SW_EXPECT_STR(raw_read(w, fd), "");
	rpc_result(w->held[2], NULL); /* a notification: no answer */
	rpc_error(w->held[1], RPC_BUSY, "later");
	rpc_result(w->held[0], NULL);
	SW_EXPECT_STR(raw_read(w, fd),
		ERROR("2", "-32002") "\"message\":\"later\"}}\n" RESULT("1") "null}\n");
	SW_EXPECT_EQ(w->calls_gone, 0u);
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, deferred_call_of_a_client_that_left_is_told)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\"}\n");
	SW_EXPECT_EQ(w->calls_gone, 0u);
	(void)close(fd);
	world_turn(w);
	SW_EXPECT_EQ(w->calls_gone, 2u);
	world_close(w);
}

SW_TEST(rpc, half_closed_client_still_gets_its_deferred_answer)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	SW_EXPECT_EQ(shutdown(fd, SHUT_WR), 0);
	world_turn(w);
	SW_ASSERT_EQ(w->calls_gone, 0u);
	rpc_result(w->held[0], json_true());
	SW_EXPECT_STR(raw_read(w, fd), RESULT("1") "true}\n");
	SW_EXPECT_TRUE(raw_closed(w, fd));
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc, half_closed_client_that_then_leaves_is_noticed)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	SW_EXPECT_EQ(shutdown(fd, SHUT_WR), 0);
	world_turn(w);
	SW_EXPECT_EQ(w->calls_gone, 0u);
	(void)close(fd);
	for (int i = 0; i < 200 && w->calls_gone == 0; i++) {
		(void)usleep(10000);
		world_turn(w);
	}
	SW_EXPECT_EQ(w->calls_gone, 1u);
	world_close(w);
}

SW_TEST(rpc, destroying_the_server_tells_holders_of_calls_and_subscribers)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	int fd = raw_open(w);
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscribe\"}\n");
	rpc_server_destroy(w->server);
	w->server = NULL;
	SW_EXPECT_EQ(w->calls_gone, 1u);
	SW_EXPECT_EQ(w->subscribers_gone, 1u);
	SW_EXPECT_NE(access(w->path, F_OK), 0);
	(void)close(fd);
	world_close(w);
}
