#include "health/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <event2/event.h>

#include "base/clock.h"
#include "health/expect.h"
#include "health/probe_error.h"

enum {
	BODY_MAX = 64 * 1024,
	URL_MAX = 16 + 260 + 8 + 512,
	CONNECT_TO_MAX = 2 * 260 + 16,
	/* A resolver thread cannot be stopped: one that was given up goes on for up to this long
	 * (the C library asks three name servers twice, for 5 s each), and that many may. */
	RESOLVER_S = 30,
	GIVEN_UP_MAX = 256,
};

/* libcurl forgets old names by going through all that it remembers, at every check: so addresses,
 * which it remembers too, go through a multi handle of their own that remembers nothing. */
struct transfers {
	struct probe_pool *pool;
	CURLM *multi;
	struct event *timer;
	long dns_cache_s;
};

struct probe_pool {
	struct event_base *base;
	probe_done on_done;
	char *ca_file;
	struct transfers by_address;
	struct transfers by_name;
	struct probe *first;                /* of those under way */
	uint64_t given_up_ns[GIVEN_UP_MAX]; /* when, of the latest resolver threads given up: a ring
					     */
	uint32_t given_up_next;
};

struct probe {
	struct transfers *transfers;
	struct probe *next;
	struct probe **link;
	const struct health_origin *origin;
	void *owner;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	int socket_errno;
	bool failed; /* by itself, not by its timeout: nothing of it goes on */
	bool body_cut;
	bool body_found;
	uint32_t headers_missing; /* bit i: line i of those expected */
	size_t body_len;
	size_t tail_len;
	char tail[sizeof(
		((struct health_origin *)0)->expect_body)]; /* what a match may begin with */
	char detail[CURL_ERROR_SIZE];
};

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (uint64_t)ts.tv_sec * SW_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void count_if_given_up(struct probe *probe)
{
	struct probe_pool *pool = probe->transfers->pool;
	curl_off_t resolved_us = 0;
	if (probe->transfers != &pool->by_name)
		return;
	curl_easy_getinfo(probe->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
	if (resolved_us > 0 || probe->failed)
		return;
	pool->given_up_ns[pool->given_up_next] = now_ns();
	pool->given_up_next = (pool->given_up_next + 1) % GIVEN_UP_MAX;
}

static bool too_many_given_up(const struct probe_pool *pool)
{
	uint64_t oldest_ns = pool->given_up_ns[pool->given_up_next];
	return oldest_ns > 0 && now_ns() - oldest_ns < RESOLVER_S * SW_NS_PER_S;
}

static void probe_free(struct probe *probe)
{
	if (probe->link) {
		*probe->link = probe->next;
		if (probe->next)
			probe->next->link = probe->link;
	}
	if (probe->easy) {
		if (probe->link) {
			count_if_given_up(probe);
			curl_multi_remove_handle(probe->transfers->multi, probe->easy);
		}
		curl_easy_cleanup(probe->easy);
	}
	curl_slist_free_all(probe->headers);
	curl_slist_free_all(probe->connect_to);
	free(probe);
}

static void finish(struct transfers *transfers, CURL *easy, CURLcode code)
{
	struct probe *probe = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &probe);
	const struct probe_end end = {.easy = easy,
		.code = code,
		.detail = probe->detail,
		.socket_errno = probe->socket_errno,
		.body_cut = probe->body_cut,
		.body_found = probe->body_found,
		.headers_missing = probe->headers_missing};
	struct probe_result result;
	probe_judge(probe->origin, &end, &result);
	void *owner = probe->owner;
	probe->failed = code != CURLE_OPERATION_TIMEDOUT;
	probe_free(probe);
	transfers->pool->on_done(owner, &result);
}

/* on_done may cancel probes whose messages are still in the queue: libcurl takes them out of it. */
static void finish_all(struct transfers *transfers)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(transfers->multi, &left)))
		if (message->msg == CURLMSG_DONE)
			finish(transfers, message->easy_handle, message->data.result);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct transfers *transfers = arg;
	int running;
	int ready =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	curl_multi_socket_action(transfers->multi, fd, ready, &running);
	finish_all(transfers);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct transfers *transfers = arg;
	int running;
	(void)fd;
	(void)what;
	curl_multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all(transfers);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct transfers *transfers = arg;
	struct event *event = watch;
	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	int rc = 0;
	if (what != CURL_POLL_REMOVE) {
		short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
				       (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
		event = event_new(transfers->pool->base, fd, wanted, on_socket, transfers);
		/* Unwatched, the probe ends by its timeout, which is a timer. */
		if (!event || event_add(event, NULL) < 0)
			rc = -1;
	}
	curl_multi_assign(transfers->multi, fd, event);
	return rc;
}

static int watch_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct transfers *transfers = arg;
	(void)multi;
	if (timeout_ms < 0)
		return evtimer_del(transfers->timer);
	struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	return evtimer_add(transfers->timer, &tv);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct probe *probe = arg;
	(void)purpose;
	int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
	if (fd < 0)
		probe->socket_errno = errno;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* A match may lie across two pieces: the end of what came before is kept and looked at again. */
static void look_for_body(struct probe *probe, const char *bytes, size_t len)
{
	const char *wanted = probe->origin->expect_body;
	size_t wanted_len = strlen(wanted);
	if (wanted_len == 0 || probe->body_found)
		return;
	char seam[2 * sizeof(probe->tail)];
	size_t head_len = len < wanted_len - 1 ? len : wanted_len - 1;
	memcpy(seam, probe->tail, probe->tail_len);
	memcpy(seam + probe->tail_len, bytes, head_len);
	size_t seam_len = probe->tail_len + head_len;
	probe->body_found = memmem(seam, seam_len, wanted, wanted_len) ||
			    memmem(bytes, len, wanted, wanted_len);
	const char *all = len < wanted_len - 1 ? seam : bytes;
	size_t all_len = len < wanted_len - 1 ? seam_len : len;
	probe->tail_len = all_len < wanted_len - 1 ? all_len : wanted_len - 1;
	memcpy(probe->tail, all + all_len - probe->tail_len, probe->tail_len);
}

static size_t take_body(char *bytes, size_t one, size_t len, void *arg)
{
	struct probe *probe = arg;
	(void)one;
	size_t room = BODY_MAX - probe->body_len;
	size_t taken = len < room ? len : room;
	look_for_body(probe, bytes, taken);
	probe->body_len += taken;
	if (probe->body_len < BODY_MAX)
		return len;
	probe->body_cut = true;
	return 0; /* ends the transfer */
}

static size_t take_header(char *bytes, size_t one, size_t len, void *arg)
{
	struct probe *probe = arg;
	(void)one;
	headers_meet(probe->origin->expect_headers, bytes, len, &probe->headers_missing);
	return len;
}

static CURLcode set_common(struct probe *probe, const char *url)
{
	const struct health_origin *origin = probe->origin;
	CURL *easy = probe->easy;
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{CURLOPT_NOSIGNAL, 1},
		{CURLOPT_FRESH_CONNECT, 1},
		{CURLOPT_FORBID_REUSE, 1},
		{CURLOPT_FOLLOWLOCATION, 0},
		{CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
		{CURLOPT_PATH_AS_IS, 1},
		{CURLOPT_TIMEOUT_MS, (long)origin->timeout_ms},
		{CURLOPT_DNS_CACHE_TIMEOUT, probe->transfers->dns_cache_s},
		/* Without it, giving up on a name waits for its resolver thread. */
		{CURLOPT_QUICK_EXIT, 1},
		{CURLOPT_CONNECT_ONLY, origin->type == HEALTH_TCP},
		{CURLOPT_SSL_SESSIONID_CACHE, 0},
		{CURLOPT_SSL_VERIFYPEER, origin->verify_tls},
		{CURLOPT_SSL_VERIFYHOST, origin->verify_tls ? 2 : 0},
	};
	CURLcode code = CURLE_OK;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && code == CURLE_OK; i++)
		code = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_URL, url);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PROXY, "");
	/* libcurl keeps parsed certificates between checks only if they come from one file. */
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (code == CURLE_OK && probe->transfers->pool->ca_file)
		code = curl_easy_setopt(easy, CURLOPT_CAINFO, probe->transfers->pool->ca_file);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_USERAGENT, "swimlane");
	return code;
}

static CURLcode set_callbacks(struct probe *probe)
{
	CURL *easy = probe->easy;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, probe);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, probe->detail);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe);
	if (code == CURLE_OK && probe->headers_missing)
		code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	/* Data without a function would send the headers to take_body. */
	if (code == CURLE_OK && probe->headers_missing)
		code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, probe);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, probe);
	return code;
}

/* libcurl wants a semicolon behind the name of a header that is empty. */
static bool add_header(struct probe *probe, const char *name, const char *value)
{
	char line[HEALTH_HEADERS_BYTES + 8];
	(void)snprintf(line, sizeof(line), value[0] ? "%s: %s" : "%s;", name, value);
	struct curl_slist *longer = curl_slist_append(probe->headers, line);
	if (!longer)
		return false;
	probe->headers = longer;
	return true;
}

static CURLcode set_headers(struct probe *probe)
{
	const struct health_origin *origin = probe->origin;
	char name[HEALTH_HEADERS_BYTES], value[HEALTH_HEADERS_BYTES];
	size_t at = 0;
	if (origin->host[0] && !add_header(probe, "Host", origin->host))
		return CURLE_OUT_OF_MEMORY;
	while (headers_next(origin->headers, &at, name, value))
		if (!add_header(probe, name, value))
			return CURLE_OUT_OF_MEMORY;
	if (!probe->headers)
		return CURLE_OK;
	return curl_easy_setopt(probe->easy, CURLOPT_HTTPHEADER, probe->headers);
}

/* The URL's host gives SNI and the name in the certificate; where to connect is said beside it. */
static CURLcode set_place(struct probe *probe, const char *place)
{
	char connect_to[CONNECT_TO_MAX];
	snprintf(connect_to, sizeof(connect_to), "::%s:%u", place, probe->origin->port);
	probe->connect_to = curl_slist_append(NULL, connect_to);
	if (!probe->connect_to)
		return CURLE_OUT_OF_MEMORY;
	return curl_easy_setopt(probe->easy, CURLOPT_CONNECT_TO, probe->connect_to);
}

static CURLcode set_up(struct probe *probe)
{
	const struct health_origin *origin = probe->origin;
	char place[260], url[URL_MAX];
	bool v6 = strchr(origin->address, ':');
	snprintf(place, sizeof(place), v6 ? "[%s]" : "%s", origin->address);
	snprintf(url, sizeof(url), "%s://%s:%u%s", origin->type == HEALTH_HTTPS ? "https" : "http",
		origin->host[0] ? origin->host : place, origin->port, origin->path);
	CURLcode code = set_common(probe, url);
	if (code == CURLE_OK)
		code = set_callbacks(probe);
	if (code == CURLE_OK && origin->type != HEALTH_TCP)
		code = set_headers(probe);
	if (code == CURLE_OK && origin->host[0])
		code = set_place(probe, place);
	return code;
}

static bool is_numeric(const char *address)
{
	return strchr(address, ':') || address[strspn(address, "0123456789.")] == '\0';
}

struct probe *probe_start(struct probe_pool *pool, const struct health_origin *origin, void *owner)
{
	bool numeric = is_numeric(origin->address);
	if (!numeric && too_many_given_up(pool))
		return NULL;
	struct probe *probe = calloc(1, sizeof(*probe));
	if (!probe)
		return NULL;
	probe->transfers = numeric ? &pool->by_address : &pool->by_name;
	probe->origin = origin;
	probe->owner = owner;
	probe->headers_missing = (1u << headers_count(origin->expect_headers)) - 1;
	probe->easy = curl_easy_init();
	if (!probe->easy || set_up(probe) != CURLE_OK ||
		curl_multi_add_handle(probe->transfers->multi, probe->easy) != CURLM_OK) {
		probe_free(probe);
		return NULL;
	}
	probe->next = pool->first;
	probe->link = &pool->first;
	if (probe->next)
		probe->next->link = &probe->next;
	pool->first = probe;
	return probe;
}

void probe_cancel(struct probe *probe)
{
	probe_free(probe);
}

static int transfers_init(struct transfers *transfers, struct probe_pool *pool, long dns_cache_s)
{
	transfers->pool = pool;
	transfers->dns_cache_s = dns_cache_s;
	transfers->timer = evtimer_new(pool->base, on_timer, transfers);
	transfers->multi = curl_multi_init();
	if (!transfers->timer || !transfers->multi)
		return -ENOMEM;
	CURLMcode code = curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	if (code == CURLM_OK)
		code = curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
	if (code == CURLM_OK)
		code = curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, watch_timer);
	if (code == CURLM_OK)
		code = curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
	return code == CURLM_OK ? 0 : -EIO;
}

static void transfers_fini(struct transfers *transfers)
{
	if (transfers->multi)
		curl_multi_cleanup(transfers->multi);
	if (transfers->timer)
		event_free(transfers->timer);
}

int probe_pool_create(struct event_base *base, const char *ca_file, probe_done on_done,
	struct probe_pool **pool_out)
{
	enum { NAMES_KEPT_S = 60 };
	if (ca_file && access(ca_file, R_OK) < 0)
		return -errno;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -EIO;
	struct probe_pool *pool = calloc(1, sizeof(*pool));
	if (!pool) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	pool->base = base;
	pool->on_done = on_done;
	pool->ca_file = ca_file ? strdup(ca_file) : NULL;
	int rc = ca_file && !pool->ca_file ? -ENOMEM : 0;
	if (rc == 0)
		rc = transfers_init(&pool->by_address, pool, 0);
	if (rc == 0)
		rc = transfers_init(&pool->by_name, pool, NAMES_KEPT_S);
	if (rc < 0) {
		probe_pool_destroy(pool);
		return rc;
	}
	*pool_out = pool;
	return 0;
}

void probe_pool_destroy(struct probe_pool *pool)
{
	if (!pool)
		return;
	while (pool->first)
		probe_free(pool->first);
	transfers_fini(&pool->by_name);
	transfers_fini(&pool->by_address);
	free(pool->ca_file);
	free(pool);
	curl_global_cleanup();
}
