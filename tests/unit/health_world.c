#include "health_world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>

uint64_t clock_ms(clockid_t clock)
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
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
		"text/plain; charset=utf-8");
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

static void hold(struct world *world, struct evhttp_request *request)
{
	SW_EXPECT_LT(world->unanswered_count, UNANSWERED_MAX);
	if (world->unanswered_count < UNANSWERED_MAX)
		world->unanswered[world->unanswered_count++] = request;
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
	const char *check = evhttp_find_header(headers, "X-Check");
	const char *empty = evhttp_find_header(headers, "X-Empty");
	snprintf(world->header, sizeof(world->header), "%s", check ? check : "");
	world->empty_header = empty && empty[0] == '\0';
	struct timeval pause = {0, 60000};
	if (strcmp(uri, "/status") == 0) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Location", "/gone");
		reply(request, world->status, "all is ok", 9);
	} else if (strcmp(uri, "/hang") == 0) {
		world->waiting++;
		hold(world, request);
	} else if (strcmp(uri, "/drip") == 0) {
		evhttp_send_reply_start(request, world->status, "because");
		send_chunk(request, "hello");
		hold(world, request);
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

struct world *world_create(struct health_config config)
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

void world_destroy(struct world *world)
{
	health_checker_destroy(world->checker);
	event_free(world->chunk_timer);
	/* libevent leaves requests that were not answered before their connection ended to us. */
	for (uint32_t i = 0; i < world->unanswered_count; i++)
		if (!evhttp_request_get_connection(world->unanswered[i]))
			evhttp_request_free(world->unanswered[i]);
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

bool run(struct world *world, uint32_t told_wanted, uint64_t wait_ms)
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

struct health_origin origin_of(const struct world *world, const char *name, const char *path)
{
	struct health_origin origin = {.type = HEALTH_HTTP,
		.address = "127.0.0.1",
		.port = world->port,
		.interval_ms = 1000,
		.jitter_pct = 10,
		.timeout_ms = 500,
		.rise = 2,
		.fall = 3};
	snprintf(origin.name, sizeof(origin.name), "%s", name);
	snprintf(origin.path, sizeof(origin.path), "%s", path);
	return origin;
}

struct told first_told(struct world *world, const struct health_origin *origin)
{
	uint32_t before = world->told_count;
	SW_EXPECT_EQ(health_checker_put(world->checker, origin, NULL), 0);
	if (!run(world, before + 1, 5000))
		SW_FAIL("no verdict about %s", origin->name);
	return world->told[before];
}

void expect_verdict(struct world *world, const struct health_origin *origin,
	enum health_state state, const char *error)
{
	struct told told = first_told(world, origin);
	SW_EXPECT_STR(told.name, origin->name);
	SW_EXPECT_STR(told.verdict.error, error);
	SW_EXPECT_STR(health_state_name(told.verdict.state), health_state_name(state));
	SW_EXPECT_TRUE(told.changed);
	SW_EXPECT_EQ(told.verdict.checks, 1);
}
