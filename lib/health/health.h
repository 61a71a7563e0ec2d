/* Origin health: what to check, how, and what came of it.
 *
 * A checker runs the checks of the origins that it was given, on an event loop (libevent) of the
 * control core, through libcurl's multi interface: http, https and tcp. It knows nothing of owners
 * or maps: the caller adds the origins that this server is to check, removes them, and gets every
 * change of verdict (and a slow refresh) through a callback. All calls from the loop's thread.
 *
 * rise/fall hysteresis: `rise` successes in a row make an origin up, `fall` failures in a row make
 * it down. The very first verdict needs one check only, unless the checker continues from an
 * earlier verdict (a takeover). Checks are spread over the interval and jittered: they are never
 * further apart than the interval, and may come faster while a verdict may be about to change. An
 * origin in maintenance is not checked.
 *
 * Every check is a new connection; proxies and redirects are not followed, the body is read up to
 * 64 KiB. A check that failed for want of this server's own means (memory, sockets, ports, resolver
 * threads) says nothing about the origin: it is counted and not judged. Names are resolved in
 * libcurl's resolver threads and remembered for 60 s. Such a thread cannot be stopped: no more than
 * 256 of them are left behind by timeouts, beyond that names wait.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct event_base;
struct health_checker;

enum health_type { HEALTH_TCP, HEALTH_HTTP, HEALTH_HTTPS };
enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN, HEALTH_MAINTENANCE };

enum {
	HEALTH_NAME_MAX = 200,
	HEALTH_ERROR_MAX = 256,
	HEALTH_REFRESH_MS = 10000,
	HEALTH_STATUS_RANGES_MAX = 8,
	HEALTH_HEADERS_MAX = 8,
	HEALTH_HEADERS_BYTES = 512, /* of all, as lines */
};

struct health_status_range {
	uint16_t first, last;
};

struct health_origin {
	char name[HEALTH_NAME_MAX + 1]; /* letters, digits and ._- */
	enum health_type type;
	char address[256]; /* host or IP address */
	uint16_t port;
	char path[512];            /* http(s): "/" unless given */
	char host[256];            /* http(s): Host header and SNI; the address unless given */
	uint32_t interval_ms;      /* 100 … 3,600,000 */
	uint32_t fast_interval_ms; /* while the verdict is unknown or about to change; 100 …
				      interval */
	uint32_t jitter_pct; /* a check comes up to this share of the interval early; 0 … 50 */
	uint32_t timeout_ms; /* 10 … fast interval */
	uint32_t rise;       /* 1 … 100 */
	uint32_t fall;
	struct health_status_range expect_status[HEALTH_STATUS_RANGES_MAX];
	uint8_t expect_status_count; /* 0: any 2xx or 3xx */
	char expect_body[128];       /* must occur in the first 64 KiB; empty: not looked at */
	/* "Name: value" lines, each ended by a newline: sent; and those that the answer must have,
	 * each with the text in its value (empty: any value). */
	char headers[HEALTH_HEADERS_BYTES];
	char expect_headers[HEALTH_HEADERS_BYTES];
	bool verify_tls;       /* https: check the certificate (default true) */
	char maintenance[128]; /* why it is not to be checked now; empty: it is */
};

struct health_verdict {
	enum health_state state;
	uint64_t since_ms;            /* wall clock, ms of the UNIX epoch: when the state began */
	uint64_t checked_ms;          /* wall clock of the last check */
	uint32_t latency_us;          /* of the last check */
	uint32_t latency_avg_us;      /* of those that succeeded: moving average, weight 1/8 */
	uint64_t checks;              /* done so far, over all owners */
	char error[HEALTH_ERROR_MAX]; /* why the last check failed, in words; empty if it did not */
};

/* 1 to HEALTH_NAME_MAX letters, digits and ._- */
bool health_is_name(const char *name);

/* Defaults: interval 5 s, fast interval as the interval, jitter 10 %, timeout 1 s, rise 2, fall 3.
 * The object's keys are the field names above (type as "tcp", "http", "https"); or {"url":
 * "https://host:port/path", ...} for type, address, port and path at once. expect_status is a
 * number, or a text as in "200,204,300-399"; headers and expect_headers are objects of texts,
 * or a text of lines.
 * Unknown keys and values out of range are refused: -EINVAL with the key in error. */
int health_origin_from_json(const char *name, json_t *json, struct health_origin *origin,
	char *error, size_t error_len);
json_t *health_origin_to_json(const struct health_origin *origin);
bool health_origin_equal(const struct health_origin *a, const struct health_origin *b);

/* How often an unchanged verdict is told, where `refresh_ms` is configured (0: HEALTH_REFRESH_MS):
 * no more often than it is checked. Nobody told it for three times that: it is stale. */
uint64_t health_refresh_ms(uint32_t interval_ms, uint32_t refresh_ms);
uint64_t health_stale_after_ms(uint32_t interval_ms, uint32_t refresh_ms);

json_t *health_verdict_to_json(const struct health_verdict *verdict);
int health_verdict_from_json(json_t *json, struct health_verdict *verdict);
const char *health_state_name(enum health_state state);

struct health_config {
	uint32_t checks_per_s_max; /* rate cap; 0: 1,000 */
	uint32_t concurrent_max;   /* 0: 256 */
	uint32_t refresh_ms;       /* tell an unchanged verdict again after this long; 0:
				      HEALTH_REFRESH_MS */
	uint64_t seed;             /* of the jitter */
	const char *ca_file;       /* https: trusted certificates (PEM); NULL: the system's */
	/* verdict changed (changed = true) or is told again as a refresh (false). */
	void (*on_verdict)(void *context, const char *name, const struct health_verdict *verdict,
		bool changed);
	void *context;
};

struct health_stats {
	uint64_t origins;
	uint64_t checks;
	uint64_t failures;
	uint64_t transitions; /* changes of state */
	uint64_t late;        /* started more than 10 % of the interval after their time */
	uint64_t deferred;    /* held back by the rate or concurrency cap */
	uint64_t unjudged; /* not carried out for want of memory, sockets, ports or resolver here */
	uint64_t in_flight;
};

/* 0, -ENOMEM, -EINVAL (no callback), -EIO (libcurl would not start), -errno of a ca_file that
 * cannot be read. `config` is copied, the text of its ca_file too. put and remove may be called
 * from on_verdict, destroy may not. */
int health_checker_create(struct event_base *base, const struct health_config *config,
	struct health_checker **checker);
void health_checker_destroy(struct health_checker *checker);

/* Starts to check an origin, or changes its definition. `last`: the verdict to continue from, or
 * NULL; an origin that is being checked already continues from its own. A taken-over or changed
 * origin is checked at once (within the caps), and what came of it is told even if the verdict
 * stays the same; the same definition again changes nothing. Nothing given is kept. 0, -ENOMEM. */
int health_checker_put(struct health_checker *checker, const struct health_origin *origin,
	const struct health_verdict *last);
/* Stops checking it; a check under way is cancelled and not told. False if it was not known. */
bool health_checker_remove(struct health_checker *checker, const char *name);
/* Other limits from now on; as in struct health_config. */
void health_checker_limits(struct health_checker *checker, uint32_t checks_per_s_max,
	uint32_t concurrent_max, uint32_t refresh_ms);
/* What the next check finds is told even if the verdict stays the same. False if not known. */
bool health_checker_tell(struct health_checker *checker, const char *name);
/* Checks that were carried out since it was put; 0 if it is not known. */
uint64_t health_checker_done(const struct health_checker *checker, const char *name);
void health_checker_stats(const struct health_checker *checker, struct health_stats *stats);
