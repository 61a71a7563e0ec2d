#include "health_world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
	struct health_status_range expected;
	enum health_state state;
	const char *error;
};

static const struct status_row status_rows[] = {
	{"any_200", 200, {0}, HEALTH_UP, ""},
	{"any_204", 204, {0}, HEALTH_UP, ""},
	{"any_301_not_followed", 301, {0}, HEALTH_UP, ""},
	{"any_404", 404, {0}, HEALTH_DOWN, "status 404, expected 2xx or 3xx"},
	{"any_503", 503, {0}, HEALTH_DOWN, "status 503, expected 2xx or 3xx"},
	{"wanted_404", 404, {404, 404}, HEALTH_UP, ""},
	{"wanted_200_got_204", 204, {200, 200}, HEALTH_DOWN, "status 204, expected 200"},
	{"wanted_4xx", 404, {400, 499}, HEALTH_UP, ""},
	{"wanted_4xx_got_500", 500, {400, 499}, HEALTH_DOWN, "status 500, expected 400-499"},
	{"wanted_301", 301, {301, 301}, HEALTH_UP, ""},
};

SW_TEST_TABLE(check, status_is_judged, const struct status_row *row, status_rows)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/status");
	world->status = row->status;
	origin.expect_status[0] = row->expected;
	origin.expect_status_count = row->expected.first > 0;
	expect_verdict(world, &origin, row->state, row->error);
	SW_EXPECT_EQ(world->requests, 1);
	SW_EXPECT_STR(world->uri, "/status");
	world_destroy(world);
}

SW_TEST(check, any_of_several_statuses_will_do)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/status");
	origin.expect_status[0] = (struct health_status_range){200, 204};
	origin.expect_status[1] = (struct health_status_range){301, 301};
	origin.expect_status[2] = (struct health_status_range){401, 403};
	origin.expect_status_count = 3;
	world->status = 401;
	expect_verdict(world, &origin, HEALTH_UP, "");
	strcpy(origin.name, "other");
	world->status = 302;
	expect_verdict(world, &origin, HEALTH_DOWN, "status 302, expected 200-204, 301 or 401-403");
	world_destroy(world);
}

SW_TEST(check, headers_are_sent)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/");
	strcpy(origin.headers, "X-Check: swim lane\nX-Empty: \n");
	expect_verdict(world, &origin, HEALTH_UP, "");
	SW_EXPECT_STR(world->header, "swim lane");
	SW_EXPECT_TRUE(world->empty_header);
	world_destroy(world);
}

struct header_row {
	const char *name;
	const char *expected;
	enum health_state state;
	const char *error;
};

/* The answers say "Content-Type: text/plain; charset=utf-8". */
static const struct header_row header_rows[] = {
	{"text_within", "Content-Type: plain\n", HEALTH_UP, ""},
	{"other_case_of_the_name", "content-TYPE: utf-8\n", HEALTH_UP, ""},
	{"any_value", "Content-Type: \n", HEALTH_UP, ""},
	{"other_text", "Content-Type: html\n", HEALTH_DOWN,
		"header Content-Type does not contain \"html\""},
	{"absent", "Content-Type: plain\nX-None: \n", HEALTH_DOWN, "header X-None is missing"},
	{"beginning_of_a_name", "Content-Typ: \n", HEALTH_DOWN, "header Content-Typ is missing"},
};

SW_TEST_TABLE(check, headers_are_looked_at, const struct header_row *row, header_rows)
{
	struct world *world = world_create((struct health_config){0});
	struct health_origin origin = origin_of(world, "web", "/");
	strcpy(origin.expect_headers, row->expected);
	expect_verdict(world, &origin, row->state, row->error);
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
