#include "sw_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc_world.h"

static void *turn_until_stopped(void *context)
{
	struct world *w = context;
	(void)event_base_dispatch(w->base);
	return NULL;
}

struct pair {
	struct world *w;
	pthread_t thread;
	struct rpc_client *client;
};

static bool pair_open(struct pair *p, int timeout_ms)
{
	char error[512] = "";
	p->w = world_open(NULL);
	if (p->w == NULL)
		return false;
	if (pthread_create(&p->thread, NULL, turn_until_stopped, p->w) != 0) {
		world_close(p->w);
		return false;
	}
	if (rpc_client_open(p->w->path, timeout_ms, &p->client, error, sizeof(error)) < 0)
		SW_FAIL("%s", error);
	return p->client != NULL;
}

static int call(
	struct pair *p, const char *method, json_t *params, json_t **result, int *code, char *error)
{
	return rpc_client_call(p->client, method, params, result, code, error, 512);
}

static void pair_close(struct pair *p)
{
	json_t *result;
	char error[512];
	int code;
	(void)call(p, "stop", NULL, &result, &code, error);
	json_decref(result);
	(void)pthread_join(p->thread, NULL);
	rpc_client_close(p->client);
	world_close(p->w);
}

SW_TEST(rpc_client, calls_and_gets_results_and_errors)
{
	struct pair p = {0};
	json_t *result;
	char error[512] = "";
	int code;
	SW_ASSERT_TRUE(pair_open(&p, 5000));
	SW_EXPECT_EQ(call(&p, "echo", json_pack("{s:i}", "a", 5), &result, &code, error), 0);
	SW_EXPECT_EQ(json_integer_value(json_object_get(result, "a")), 5);
	json_decref(result);
	SW_EXPECT_EQ(call(&p, "fail", json_pack("{s:s}", "text", "tired"), &result, &code, error),
		-EREMOTEIO);
	SW_EXPECT_EQ(code, RPC_REFUSED);
	SW_EXPECT_STR(error, "no: tired");
	SW_EXPECT_TRUE(result == NULL);
	SW_EXPECT_EQ(call(&p, "none", NULL, &result, &code, error), -EREMOTEIO);
	SW_EXPECT_EQ(code, RPC_METHOD_NOT_FOUND);
	pair_close(&p);
}

SW_TEST(rpc_client, answers_of_many_megabytes_arrive)
{
	struct pair p = {0};
	json_t *result;
	char error[512] = "";
	int code;
	SW_ASSERT_TRUE(pair_open(&p, 20000));
	SW_EXPECT_EQ(
		call(&p, "big", json_pack("{s:i}", "bytes", 9000000), &result, &code, error), 0);
	SW_EXPECT_EQ(json_string_length(result), 9000000u);
	json_decref(result);
	pair_close(&p);
}

SW_TEST(rpc_client, request_over_the_limit_gets_the_reason_before_the_end)
{
	struct pair p = {0}, q = {0};
	json_t *result;
	static char huge[300001];
	char error[512] = "";
	int code;
	memset(huge, 'x', sizeof(huge) - 1);
	SW_ASSERT_TRUE(pair_open(&p, 5000));
	SW_EXPECT_EQ(
		call(&p, "echo", json_pack("{s:s}", "a", huge), &result, &code, error), -EREMOTEIO);
	SW_EXPECT_EQ(code, RPC_TOO_LARGE);
	SW_EXPECT_EQ(call(&p, "echo", NULL, &result, &code, error), -ECONNRESET);
	SW_EXPECT_EQ(code, 0);
	SW_EXPECT_STR(error, "the server closed the connection during echo");
	q = p;
	q.client = NULL;
	SW_EXPECT_EQ(rpc_client_open(p.w->path, 5000, &q.client, error, sizeof(error)), 0);
	rpc_client_close(p.client);
	pair_close(&q);
}

SW_TEST(rpc_client, call_times_out_and_the_next_one_is_not_confused)
{
	struct pair p = {0};
	json_t *result;
	char error[512] = "";
	int code;
	SW_ASSERT_TRUE(pair_open(&p, 100));
	SW_EXPECT_EQ(call(&p, "hold", NULL, &result, &code, error), -ETIMEDOUT);
	SW_EXPECT_STR(error, "no answer to hold within 100 ms");
	SW_EXPECT_EQ(call(&p, "touch", NULL, &result, &code, error), 0);
	json_decref(result);
	pair_close(&p);
}

/* Plays one side of a socketpair-like server by hand: accepts once, sends `text`, closes. */
struct canned {
	int listening;
	const char *text;
};

static void *play_canned(void *context)
{
	const struct canned *c = context;
	char bytes[4096];
	int fd = accept(c->listening, NULL, NULL);
	if (recv(fd, bytes, sizeof(bytes), 0) > 0)
		(void)send(fd, c->text, strlen(c->text), MSG_NOSIGNAL);
	(void)close(fd);
	return NULL;
}

struct canned_row {
	const char *name;
	const char *text;
	int rc;
	const char *error;
};

static const struct canned_row canned_rows[] = {
	{"not JSON", "hello\n", -EPROTO, "the answer to m is not JSON-RPC"},
	{"no object", "[]\n", -EPROTO, "the answer to m is not JSON-RPC"},
	{"neither result nor error", "{\"id\":1}\n", -EPROTO, "the answer to m is not JSON-RPC"},
	{"half a line", "{\"id\":1,", -ECONNRESET, "the server closed the connection during m"},
	{"refused connection", "{\"id\":null,\"error\":{\"code\":-32006,\"message\":\"full\"}}\n",
		-EREMOTEIO, "full"},
	{"late answer first", "{\"id\":0,\"result\":1}\n{\"id\":1,\"result\":2}\n", 0, ""},
	{"notification first", "{\"method\":\"n\"}\n{\"id\":1,\"result\":2}\n", 0, ""},
};

SW_TEST_TABLE(rpc_client, canned_answer, const struct canned_row *row, canned_rows)
{
	struct world *w = world_open(NULL);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct rpc_client *client = NULL;
	pthread_t thread;
	json_t *result = NULL;
	char error[512] = "";
	int code;
	SW_ASSERT_TRUE(w != NULL);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/canned", w->folder);
	struct canned canned = {socket(AF_UNIX, SOCK_STREAM, 0), row->text};
	SW_ASSERT_EQ(bind(canned.listening, (const struct sockaddr *)&address, sizeof(address)), 0);
	SW_ASSERT_EQ(listen(canned.listening, 1), 0);
	SW_ASSERT_EQ(rpc_client_open(address.sun_path, 5000, &client, error, sizeof(error)), 0);
	SW_ASSERT_EQ(pthread_create(&thread, NULL, play_canned, &canned), 0);
	SW_EXPECT_EQ(
		rpc_client_call(client, "m", NULL, &result, &code, error, sizeof(error)), row->rc);
	SW_EXPECT_STR(error, row->error);
	if (row->rc == 0)
		SW_EXPECT_EQ(json_integer_value(result), 2);
	json_decref(result);
	(void)pthread_join(thread, NULL);
	json_t *message = NULL;
	int next = rpc_client_next(client, 1000, &message);
	SW_EXPECT_EQ(next, strstr(row->text, "method") != NULL ? 0 : -ECONNRESET);
	json_decref(message);
	rpc_client_close(client);
	(void)close(canned.listening);
	(void)unlink(address.sun_path);
	world_close(w);
}

SW_TEST(rpc_client, waits_for_notifications_no_longer_than_asked)
{
	struct pair p = {0};
	json_t *message = NULL;
	SW_ASSERT_TRUE(pair_open(&p, 5000));
	SW_EXPECT_EQ(rpc_client_next(p.client, 50, &message), -ETIMEDOUT);
	SW_EXPECT_TRUE(message == NULL);
	pair_close(&p);
}

SW_TEST(rpc_client, nobody_there_is_explained)
{
	struct world *w = world_open(NULL);
	struct rpc_client *client = NULL;
	char error[512] = "", path[300];
	SW_ASSERT_TRUE(w != NULL);
	(void)snprintf(path, sizeof(path), "%s/none", w->folder);
	SW_EXPECT_EQ(rpc_client_open(path, 100, &client, error, sizeof(error)), -ENOENT);
	SW_EXPECT_TRUE(strstr(error, "is swimlane running") != NULL);
	memset(path, 'a', 200);
	path[200] = '\0';
	SW_EXPECT_EQ(rpc_client_open(path, 100, &client, error, sizeof(error)), -ENAMETOOLONG);

	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/dead", w->folder);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	SW_EXPECT_EQ(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	SW_EXPECT_EQ(rpc_client_open(address.sun_path, 100, &client, error, sizeof(error)),
		-ECONNREFUSED);
	SW_EXPECT_TRUE(strstr(error, "start it again") != NULL);
	(void)close(fd);
	(void)unlink(address.sun_path);
	world_close(w);
}
