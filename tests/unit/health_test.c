#include "sw_test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "health/health.h"

enum { TOLD_MAX = 256, BODY_MAX = 64 * 1024 };

struct told {
	char name[HEALTH_NAME_MAX + 1];
	struct health_verdict verdict;
	bool changed;
};

/* A checker, an HTTP server of origins and the loop that runs both. */
struct world {
	struct event_base *base;
	struct evhttp *http;
	uint16_t port;
	struct health_checker *checker;
	struct told told[TOLD_MAX];
	uint32_t told_count;
	int status; /* what /status answers */
	uint32_t requests;
	uint32_t waiting, waiting_max; /* at /hang */
	char host[256], uri[512];
	const char *remove_when_told;
	struct event *chunk_timer;
	struct evhttp_request *chunked;
};

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void on_verdict(
	void *context, const char *name, const struct health_verdict *verdict, bool changed)
{
	struct world *world = context;
	if (world->remove_when_told) {
		SW_EXPECT_TRUE(health_checker_remove(world->checker, world->remove_when_told));
		world->remove_when_told = NULL;
	}
	if (world->told_count == TOLD_MAX)
		return;
	struct told *told = &world->told[world->told_count++];
	snprintf(told->name, sizeof(told->name), "%s", name);
	told->verdict = *verdict;
	told->changed = changed;
}

static void reply(struct evhttp_request *request, int status, const char *body, size_t len)
{
	struct evbuffer *buffer = evbuffer_new();
	evbuffer_add(buffer, body, len);
	evhttp_send_reply(request, status, "because", buffer);
	evbuffer_free(buffer);
}

static void send_chunk(struct evhttp_request *request, const char *text)
{
	struct evbuffer *buffer = evbuffer_new();
	evbuffer_add(buffer, text, strlen(text));
	evhttp_send_reply_chunk(request, buffer);
	evbuffer_free(buffer);
}

static void on_chunk_timer(evutil_socket_t fd, short what, void *arg)
{
	struct world *world = arg;
	(void)fd;
	(void)what;
	send_chunk(world->chunked, "llo, world");
	evhttp_send_reply_end(world->chunked);
}

/* "x" over and over, and "needle" ending at `end`. */
static void reply_big(struct evhttp_request *request, size_t end)
{
	enum { BIG = 200000 };
	char *body = malloc(BIG);
	memset(body, 'x', BIG);
	memcpy(body + end - 6, "needle", 6);
	reply(request, 200, body, BIG);
	free(body);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct world *world = arg;
	const char *uri = evhttp_request_get_uri(request);
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	const char *host = evhttp_find_header(headers, "Host");
	world->requests++;
	snprintf(world->host, sizeof(world->host), "%s", host ? host : "");
	snprintf(world->uri, sizeof(world->uri), "%s", uri);
	struct timeval pause = {0, 60000};
	if (strcmp(uri, "/status") == 0) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Location", "/gone");
		reply(request, world->status, "all is ok", 9);
	} else if (strcmp(uri, "/hang") == 0) {
		world->waiting++;
		if (world->waiting > world->waiting_max)
			world->waiting_max = world->waiting;
	} else if (strcmp(uri, "/drip") == 0) {
		evhttp_send_reply_start(request, world->status, "because");
		send_chunk(request, "hello");
	} else if (strcmp(uri, "/pieces") == 0) {
		evhttp_send_reply_start(request, 200, "because");
		send_chunk(request, "well, he");
		world->chunked = request;
		evtimer_add(world->chunk_timer, &pause);
	} else if (strcmp(uri, "/big-inside") == 0) {
		reply_big(request, BODY_MAX);
	} else if (strcmp(uri, "/big-outside") == 0) {
		reply_big(request, BODY_MAX + 1);
	} else {
		reply(request, 200, "all is ok", 9);
	}
}

static struct world *world_create(struct health_config config)
{
	struct world *world = calloc(1, sizeof(*world));
	world->base = event_base_new();
	world->http = evhttp_new(world->base);
	world->chunk_timer = evtimer_new(world->base, on_chunk_timer, world);
	evhttp_set_gencb(world->http, on_request, world);
	struct evhttp_bound_socket *bound =
		evhttp_bind_socket_with_handle(world->http, "127.0.0.1", 0);
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&addr, &len);
	world->port = ntohs(addr.sin_port);
	world->status = 200;
	config.on_verdict = on_verdict;
	config.context = world;
	SW_EXPECT_EQ(health_checker_create(world->base, &config, &world->checker), 0);
	return world;
}

static void world_destroy(struct world *world)
{
	health_checker_destroy(world->checker);
	event_free(world->chunk_timer);
	evhttp_free(world->http);
	event_base_free(world->base);
	free(world);
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Runs the loop until so much was told, or for so long. */
static bool run(struct world *world, uint32_t told_wanted, uint64_t wait_ms)
{
	struct event *alarm = event_new(world->base, -1, EV_PERSIST, on_alarm, NULL);
	struct timeval tick = {0, 5000};
	uint64_t end_ms = clock_ms(CLOCK_MONOTONIC) + wait_ms;
	event_add(alarm, &tick);
	while (world->told_count < told_wanted && clock_ms(CLOCK_MONOTONIC) < end_ms)
		event_base_loop(world->base, EVLOOP_ONCE);
	event_free(alarm);
	return world->told_count >= told_wanted;
}

static struct health_origin origin_of(const struct world *world, const char *name, const char *path)
{
	struct health_origin origin = {.type = HEALTH_HTTP,
		.address = "127.0.0.1",
		.port = world->port,
		.interval_ms = 1000,
		.timeout_ms = 500,
		.rise = 2,
		.fall = 3};
	snprintf(origin.name, sizeof(origin.name), "%s", name);
	snprintf(origin.path, sizeof(origin.path), "%s", path);
	return origin;
}

/* The first verdict about an origin, in a world made for it. */
static struct told first_told(struct world *world, const struct health_origin *origin)
{
	uint32_t before = world->told_count;
	SW_EXPECT_EQ(health_checker_put(world->checker, origin, NULL), 0);
	if (!run(world, before + 1, 5000))
		SW_FAIL("no verdict about %s", origin->name);
	return world->told[before];
}

static void expect_verdict(struct world *world, const struct health_origin *origin,
	enum health_state state, const char *error)
{
	struct told told = first_told(world, origin);
	SW_EXPECT_STR(told.name, origin->name);
	SW_EXPECT_STR(told.verdict.error, error);
	SW_EXPECT_STR(health_state_name(told.verdict.state), health_state_name(state));
	SW_EXPECT_TRUE(told.changed);
	SW_EXPECT_EQ(told.verdict.checks, 1);
}

SW_TEST(check, http_answer_makes_an_origin_up)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/a/../b?c=%20d");
	uint64_t before_ms = clock_ms(CLOCK_REALTIME);
	expect_verdict(world, &origin, HEALTH_UP, "");
	uint64_t after_ms = clock_ms(CLOCK_REALTIME);
	const struct health_verdict *verdict = &world->told[0].verdict;
	SW_EXPECT_GE(verdict->since_ms, before_ms);
	SW_EXPECT_LE(verdict->since_ms, after_ms);
	SW_EXPECT_EQ(verdict->checked_ms, verdict->since_ms);
	SW_EXPECT_GT(verdict->latency_us, 0);
	SW_EXPECT_LE(verdict->latency_us, 1000 * (after_ms - before_ms + 1));
	SW_EXPECT_STR(world->uri, "/a/../b?c=%20d");
	char host[32];
	snprintf(host, sizeof(host), "127.0.0.1:%u", world->port);
	SW_EXPECT_STR(world->host, host);
	world_destroy(world);
}

SW_TEST(check, host_is_sent_as_given)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/");
	strcpy(origin.host, "www.origin.test");
	expect_verdict(world, &origin, HEALTH_UP, "");
	SW_EXPECT_STR(world->host, "www.origin.test");
	world_destroy(world);
}

struct status_row {
	const char *name;
	int status;
	uint16_t expected;
	enum health_state state;
	const char *error;
};

static const struct status_row status_rows[] = {
	{"any_200", 200, 0, HEALTH_UP, ""},
	{"any_204", 204, 0, HEALTH_UP, ""},
	{"any_301_not_followed", 301, 0, HEALTH_UP, ""},
	{"any_404", 404, 0, HEALTH_DOWN, "status 404, expected 2xx or 3xx"},
	{"any_503", 503, 0, HEALTH_DOWN, "status 503, expected 2xx or 3xx"},
	{"wanted_404", 404, 404, HEALTH_UP, ""},
	{"wanted_200_got_204", 204, 200, HEALTH_DOWN, "status 204, expected 200"},
	{"wanted_301", 301, 301, HEALTH_UP, ""},
};

SW_TEST_TABLE(check, status_is_judged, const struct status_row *row, status_rows)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/status");
	world->status = row->status;
	origin.expect_status = row->expected;
	expect_verdict(world, &origin, row->state, row->error);
	SW_EXPECT_EQ(world->requests, 1);
	SW_EXPECT_STR(world->uri, "/status");
	world_destroy(world);
}

struct body_row {
	const char *name;
	const char *path;
	const char *expected;
	enum health_state state;
	const char *error;
};

static const struct body_row body_rows[] = {
	{"occurs", "/", "is ok", HEALTH_UP, ""},
	{"does_not_occur", "/", "OK", HEALTH_DOWN, "body does not contain \"OK\""},
	{"across_pieces", "/pieces", "hello, w", HEALTH_UP, ""},
	{"across_pieces_not", "/pieces", "hello,w", HEALTH_DOWN,
		"body does not contain \"hello,w\""},
	{"at_the_end_of_64_KiB", "/big-inside", "needle", HEALTH_UP, ""},
	{"past_64_KiB", "/big-outside", "needle", HEALTH_DOWN, "body does not contain \"needle\""},
	{"big_and_not_looked_at", "/big-outside", "", HEALTH_UP, ""},
};

SW_TEST_TABLE(check, body_is_looked_at, const struct body_row *row, body_rows)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", row->path);
	strcpy(origin.expect_body, row->expected);
	expect_verdict(world, &origin, row->state, row->error);
	world_destroy(world);
}

SW_TEST(check, silence_ends_at_the_timeout)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/hang");
	origin.timeout_ms = origin.interval_ms = 1000;
	uint64_t start_ms = clock_ms(CLOCK_MONOTONIC);
	expect_verdict(world, &origin, HEALTH_DOWN, "no answer within 1,000 ms");
	uint64_t took_ms = clock_ms(CLOCK_MONOTONIC) - start_ms;
	SW_EXPECT_GE(took_ms, 990);
	SW_EXPECT_LE(took_ms, 2000);
	world_destroy(world);
}

SW_TEST(check, slow_body_ends_at_the_timeout)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "slow", "/drip");
	origin.timeout_ms = 100;
	expect_verdict(world, &origin, HEALTH_DOWN, "answer not complete within 100 ms");
	world->status = 503;
	origin = origin_of(world, "slow-and-wrong", "/drip");
	origin.timeout_ms = 100;
	expect_verdict(world, &origin, HEALTH_DOWN, "status 503, expected 2xx or 3xx");
	world_destroy(world);
}

/* A socket bound to a port of its own; nobody answers unless it listens. */
static int bind_port(uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	SW_EXPECT_EQ(bind(fd, (struct sockaddr *)&addr, len), 0);
	SW_EXPECT_EQ(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

SW_TEST(check, tcp_connect_makes_an_origin_up_and_a_refusal_down)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "redis", "");
	origin.type = HEALTH_TCP;
	int fd = bind_port(&origin.port);
	char error[64];
	snprintf(error, sizeof(error), "connect to 127.0.0.1:%u: connection refused", origin.port);
	expect_verdict(world, &origin, HEALTH_DOWN, error);
	SW_EXPECT_EQ(listen(fd, 8), 0);
	strcpy(origin.name, "redis-2");
	expect_verdict(world, &origin, HEALTH_UP, "");
	SW_EXPECT_GT(world->told[1].verdict.latency_us, 0);
	int accepted = accept(fd, NULL, NULL);
	char byte;
	SW_EXPECT_GE(accepted, 0);
	SW_EXPECT_EQ(read(accepted, &byte, 1), 0); /* closed, and nothing was sent */
	close(accepted);
	close(fd);
	world_destroy(world);
}

SW_TEST(check, full_backlog_is_a_connect_timeout)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "full", "");
	origin.type = HEALTH_TCP;
	origin.timeout_ms = 150;
	int fd = bind_port(&origin.port);
	struct sockaddr_in addr = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(origin.port)};
	SW_EXPECT_EQ(listen(fd, 0), 0);
	int fillers[4];
	for (int i = 0; i < 4; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fillers[i], (struct sockaddr *)&addr, sizeof(addr));
	}
	char error[64];
	snprintf(error, sizeof(error), "connect to 127.0.0.1:%u: no answer within 150 ms",
		origin.port);
	expect_verdict(world, &origin, HEALTH_DOWN, error);
	for (int i = 0; i < 4; i++)
		close(fillers[i]);
	close(fd);
	world_destroy(world);
}

SW_TEST(check, names_are_resolved_and_unknown_ones_make_down)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "named", "/");
	strcpy(origin.address, "localhost");
	expect_verdict(world, &origin, HEALTH_UP, "");
	strcpy(origin.name, "nowhere");
	strcpy(origin.address, "nowhere.invalid");
	origin.timeout_ms = 1000;
	struct told told = first_told(world, &origin);
	SW_EXPECT_EQ(told.verdict.state, HEALTH_DOWN);
	/* Without a resolver at hand the answer may also fail to come. */
	SW_EXPECT_MEM(told.verdict.error, "resolve nowhere.invalid: no ", 28);
	world_destroy(world);
}

SW_TEST(check, proxies_of_the_environment_are_not_used)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/");
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	expect_verdict(world, &origin, HEALTH_UP, "");
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	world_destroy(world);
}

SW_TEST(checker, verdict_falls_and_rises_with_the_origin)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/status");
	origin.interval_ms = origin.timeout_ms = 100;
	expect_verdict(world, &origin, HEALTH_UP, "");
	world->status = 500;
	SW_ASSERT_TRUE(run(world, 2, 3000));
	SW_EXPECT_EQ(world->told[1].verdict.state, HEALTH_DOWN);
	SW_EXPECT_EQ(world->told[1].verdict.checks, 4);
	SW_EXPECT_GT(world->told[1].verdict.since_ms, world->told[0].verdict.since_ms);
	world->status = 200;
	SW_ASSERT_TRUE(run(world, 3, 3000));
	SW_EXPECT_EQ(world->told[2].verdict.state, HEALTH_UP);
	SW_EXPECT_EQ(world->told[2].verdict.checks, 6);
	SW_EXPECT_EQ(world->requests, 6);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.origins, 1);
	SW_EXPECT_EQ(stats.checks, 6);
	SW_EXPECT_EQ(stats.failures, 3);
	SW_EXPECT_EQ(stats.unjudged, 0);
	world_destroy(world);
}

SW_TEST(checker, takeover_continues_from_the_last_verdict)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/status");
	origin.interval_ms = origin.timeout_ms = 100;
	struct health_verdict last = {.state = HEALTH_UP, .since_ms = 77, .checks = 1000};
	world->status = 500;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, &last), 0);
	SW_ASSERT_TRUE(run(world, 2, 3000));
	/* One failure is no fall; but that the checks go on here is told. */
	SW_EXPECT_FALSE(world->told[0].changed);
	SW_EXPECT_EQ(world->told[0].verdict.state, HEALTH_UP);
	SW_EXPECT_EQ(world->told[0].verdict.since_ms, 77);
	SW_EXPECT_EQ(world->told[0].verdict.checks, 1001);
	SW_EXPECT_STR(world->told[0].verdict.error, "status 500, expected 2xx or 3xx");
	SW_EXPECT_TRUE(world->told[1].changed);
	SW_EXPECT_EQ(world->told[1].verdict.state, HEALTH_DOWN);
	SW_EXPECT_EQ(world->told[1].verdict.checks, 1003);
	world_destroy(world);
}

SW_TEST(checker, unchanged_verdict_is_told_again_after_the_refresh)
{
	struct world *world = world_create((struct health_config){.refresh_ms = 300});
	struct health_origin origin = origin_of(world, "web", "/");
	origin.interval_ms = origin.timeout_ms = 100;
	expect_verdict(world, &origin, HEALTH_UP, "");
	uint64_t start_ms = clock_ms(CLOCK_MONOTONIC);
	SW_ASSERT_TRUE(run(world, 2, 3000));
	SW_EXPECT_GE(clock_ms(CLOCK_MONOTONIC) - start_ms, 290);
	SW_EXPECT_FALSE(world->told[1].changed);
	SW_EXPECT_EQ(world->told[1].verdict.since_ms, world->told[0].verdict.since_ms);
	SW_EXPECT_GE(world->told[1].verdict.checks, 3);
	world_destroy(world);
}

SW_TEST(checker, checks_keep_their_interval_with_jitter)
{
	struct world *world = world_create((struct health_config){.refresh_ms = 1, .seed = 3});
	struct health_origin origin = origin_of(world, "web", "/");
	origin.interval_ms = origin.timeout_ms = 100;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_ASSERT_TRUE(run(world, 2, 3000));
	uint64_t start_ms = clock_ms(CLOCK_MONOTONIC);
	uint64_t last_ms = start_ms, gap_max_ms = 0, gap_min_ms = UINT64_MAX;
	for (uint32_t i = 3; i <= 22; i++) {
		SW_ASSERT_TRUE(run(world, i, 3000));
		uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
		gap_max_ms = now_ms - last_ms > gap_max_ms ? now_ms - last_ms : gap_max_ms;
		gap_min_ms = now_ms - last_ms < gap_min_ms ? now_ms - last_ms : gap_min_ms;
		last_ms = now_ms;
	}
	SW_EXPECT_GE(last_ms - start_ms, 20 * 90);
	SW_EXPECT_GT(gap_max_ms, gap_min_ms);
	sw_test_note("20 checks at 100 ms took %lu ms, gaps %lu to %lu ms", last_ms - start_ms,
		gap_min_ms, gap_max_ms);
	world_destroy(world);
}

SW_TEST(checker, removal_ends_a_check_under_way_untold)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/hang");
	origin.timeout_ms = 200;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	while (world->waiting == 0)
		run(world, 1, 10);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.in_flight, 1);
	SW_EXPECT_TRUE(health_checker_remove(world->checker, "web"));
	SW_EXPECT_FALSE(health_checker_remove(world->checker, "web"));
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.in_flight, 0);
	SW_EXPECT_EQ(stats.origins, 0);
	SW_EXPECT_FALSE(run(world, 1, 400));
	SW_EXPECT_EQ(world->requests, 1);
	world_destroy(world);
}

SW_TEST(checker, origins_may_be_removed_from_the_callback)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin web = origin_of(world, "web", "/");
	struct health_origin other = origin_of(world, "other", "/hang");
	web.interval_ms = web.timeout_ms = 100;
	world->remove_when_told = "web";
	SW_EXPECT_EQ(health_checker_put(world->checker, &web, NULL), 0);
	SW_ASSERT_TRUE(run(world, 1, 2000));
	SW_EXPECT_FALSE(run(world, 2, 300));
	SW_EXPECT_EQ(world->requests, 1);
	SW_EXPECT_EQ(health_checker_put(world->checker, &other, NULL), 0);
	while (world->waiting == 0)
		run(world, 2, 10);
	world->remove_when_told = "other";
	SW_EXPECT_EQ(health_checker_put(world->checker, &web, NULL), 0);
	SW_ASSERT_TRUE(run(world, 2, 2000));
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_EQ(stats.origins, 1);
	SW_EXPECT_EQ(stats.in_flight, 0);
	world_destroy(world);
}

SW_TEST(checker, new_definition_is_checked_at_once_and_keeps_the_verdict)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/hang");
	origin.interval_ms = origin.timeout_ms = 60000;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	while (world->waiting == 0)
		run(world, 1, 10);
	strcpy(origin.path, "/");
	expect_verdict(world, &origin, HEALTH_UP, "");
	/* The same again is no reason to check. */
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_EXPECT_FALSE(run(world, 2, 100));
	SW_EXPECT_EQ(world->requests, 2);
	origin.expect_status = 204;
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_ASSERT_TRUE(run(world, 2, 2000));
	SW_EXPECT_FALSE(world->told[1].changed);
	SW_EXPECT_EQ(world->told[1].verdict.state, HEALTH_UP);
	SW_EXPECT_STR(world->told[1].verdict.error, "status 200, expected 204");
	SW_EXPECT_EQ(world->told[1].verdict.checks, 2);
	world_destroy(world);
}

static void put_many(struct world *world, uint32_t count, const char *path, uint32_t timeout_ms)
{
	for (uint32_t i = 0; i < count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "origin-%u", i);
		struct health_origin origin = origin_of(world, name, path);
		origin.interval_ms = 60000;
		origin.timeout_ms = timeout_ms;
		SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	}
}

SW_TEST(checker, concurrency_stays_under_its_cap)
{
	struct world *world = world_create((struct health_config){.concurrent_max = 3});
	put_many(world, 9, "/hang", 100);
	uint64_t in_flight_max = 0;
	struct health_stats stats;
	for (uint32_t told = 1; told <= 9; told++) {
		SW_ASSERT_TRUE(run(world, told, 3000));
		health_checker_stats(world->checker, &stats);
		in_flight_max = stats.in_flight > in_flight_max ? stats.in_flight : in_flight_max;
	}
	SW_EXPECT_LE(in_flight_max, 3);
	SW_EXPECT_EQ(world->requests, 9);
	SW_EXPECT_EQ(stats.deferred, 6);
	SW_EXPECT_EQ(stats.checks, 9);
	world_destroy(world);
}

SW_TEST(checker, rate_stays_under_its_cap)
{
	struct world *world = world_create((struct health_config){.checks_per_s_max = 50});
	put_many(world, 200, "/", 1000);
	run(world, 200, 1000);
	uint32_t first_s = world->told_count;
	/* 50 a second, and what 10 ms of slack allow. */
	SW_EXPECT_LE(first_s, 52);
	SW_EXPECT_GE(first_s, 40);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_GE(stats.deferred, 39);
	SW_EXPECT_EQ(stats.origins, 200);
	world_destroy(world);
}

SW_TEST(checker, ten_thousand_origins_are_checked)
{
	enum { ORIGINS = 10000 };
	struct world *world = world_create((struct health_config){.checks_per_s_max = 2000});
	put_many(world, ORIGINS, "/", 1000);
	struct health_stats stats = {0};
	uint64_t start_ms = clock_ms(CLOCK_MONOTONIC);
	clock_t cpu = clock();
	run(world, TOLD_MAX + 1, 2000);
	health_checker_stats(world->checker, &stats);
	uint64_t took_ms = clock_ms(CLOCK_MONOTONIC) - start_ms;
	double cpu_us = 1e6 * (double)(clock() - cpu) / CLOCKS_PER_SEC;
	SW_EXPECT_EQ(stats.origins, ORIGINS);
	SW_EXPECT_EQ(stats.failures, 0);
	SW_EXPECT_GT(stats.checks, 100);
	SW_EXPECT_LE(stats.checks, 2000 * took_ms / 1000 + 21);
	sw_test_note("%lu checks in %lu ms, %.0f us of CPU each, the server's share included",
		stats.checks, took_ms, cpu_us / (double)stats.checks);
	world_destroy(world);
}

SW_TEST(checker, check_without_a_free_descriptor_is_not_judged)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/");
	origin.interval_ms = origin.timeout_ms = 100;
	struct rlimit before, none_free;
	int lowest_free = dup(0);
	close(lowest_free);
	SW_ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	none_free = before;
	none_free.rlim_cur = (rlim_t)lowest_free;
	SW_ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_free), 0);
	SW_EXPECT_EQ(health_checker_put(world->checker, &origin, NULL), 0);
	SW_EXPECT_FALSE(run(world, 1, 250));
	SW_ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
	struct health_stats stats;
	health_checker_stats(world->checker, &stats);
	SW_EXPECT_GE(stats.unjudged, 2);
	SW_EXPECT_EQ(stats.checks, 0);
	SW_ASSERT_TRUE(run(world, 1, 2000));
	SW_EXPECT_EQ(world->told[0].verdict.state, HEALTH_UP);
	SW_EXPECT_EQ(world->told[0].verdict.checks, 1);
	world_destroy(world);
}

SW_TEST(checker, callback_is_required)
{
	struct event_base *base = event_base_new();
	struct health_checker *checker = NULL;
	SW_EXPECT_LT(health_checker_create(base, &(struct health_config){0}, &checker), 0);
	SW_EXPECT_TRUE(checker == NULL);
	event_base_free(base);
}
