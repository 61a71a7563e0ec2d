/* A checker of origins beside an HTTP server of origins, on one event loop. For the tests of
 * health. */
#pragma once

#include "sw_test.h"

#include <time.h>

#include <event2/event.h>
#include <event2/http.h>

#include "health/health.h"

enum { TOLD_MAX = 256, BODY_MAX = 64 * 1024, UNANSWERED_MAX = 64 };

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
	uint32_t waiting; /* at /hang */
	struct evhttp_request *unanswered[UNANSWERED_MAX];
	uint32_t unanswered_count;
	char host[256], uri[512], header[64]; /* X-Check */
	bool empty_header;                    /* X-Empty came, empty */
	const char *remove_when_told;
	struct event *chunk_timer;
	struct evhttp_request *chunked;
};

/* `config` without its callback. The server listens on a port of its own on 127.0.0.1. What it
 * answers: /status        `status`, with a redirection /hang          nothing /drip `status` and
 * the beginning of a body /pieces        "well, he", and 60 ms later "llo, world" /big-inside
 * 200,000 bytes with "needle" at the end of the first 64 KiB /big-outside   the same, one byte
 * later anything else  200 and "all is ok" */
struct world *world_create(struct health_config config);
void world_destroy(struct world *world);
/* Runs the loop until so many verdicts were told (true), or for so long. */
bool run(struct world *world, uint32_t told_wanted, uint64_t wait_ms);
/* An origin on the world's server: interval 1 s, timeout 500 ms, rise 2, fall 3. */
struct health_origin origin_of(const struct world *world, const char *name, const char *path);
/* Puts an origin and waits for what is told of it. */
struct told first_told(struct world *world, const struct health_origin *origin);
void expect_verdict(struct world *world, const struct health_origin *origin,
	enum health_state state, const char *error);
uint64_t clock_ms(clockid_t clock);
