/* How many origins one core checks: the checker of the control core on CPU 0, origins that answer
 * at once (HTTP, on loopback) in a process of their own on the other CPUs. Some origins go down and
 * come back in the middle. For scripts/bench/health. */
#include <getopt.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "base/clock.h"
#include "health/health.h"

/* As many ports as keep the sockets in TIME_WAIT (60 s) below the local ports that there are. */
enum { PORTS = 16, SICK_EVERY = 100 };

struct bench {
	struct event_base *base;
	struct health_checker *checker;
	uint32_t origins, interval_ms, seconds;
	bool json;
	uint16_t ports[PORTS];
	uint64_t down, up_again;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts); /* cannot fail with these clocks */
	return (uint64_t)ts.tv_sec * SW_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void pin(int first, int last)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (int i = first; i <= last; i++)
		CPU_SET((size_t)i, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

/* ---- the origins ---- */

static bool sick; /* the share of them that is to be down, is */

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	(void)arg;
	sick = !sick;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	(void)arg;
	unsigned long number = strtoul(evhttp_request_get_uri(request) + 1, NULL, 10);
	struct evbuffer *body = evbuffer_new();
	evbuffer_add(body, "all is ok", 9);
	if (sick && number % SICK_EVERY == 0)
		evhttp_send_reply(request, 503, "down", body);
	else
		evhttp_send_reply(request, 200, "ok", body);
	evbuffer_free(body);
}

static void serve(const int *sockets)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus > 1)
		pin(1, (int)cpus - 1);
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct event *flip = evsignal_new(base, SIGUSR1, on_signal, NULL);
	event_add(flip, NULL);
	evhttp_set_gencb(http, on_request, NULL);
	for (int i = 0; i < PORTS; i++)
		if (evhttp_accept_socket(http, sockets[i]) < 0)
			die("evhttp_accept_socket");
	event_base_dispatch(base);
	exit(0);
}

static pid_t start_origins(struct bench *b)
{
	int sockets[PORTS];
	for (int i = 0; i < PORTS; i++) {
		struct sockaddr_in at = {
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof(at);
		sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0 || bind(sockets[i], (struct sockaddr *)&at, sizeof(at)) < 0 ||
			listen(sockets[i], 1024) < 0 ||
			getsockname(sockets[i], (struct sockaddr *)&at, &len) < 0)
			die("socket of an origin");
		b->ports[i] = ntohs(at.sin_port);
	}
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		serve(sockets);
	for (int i = 0; i < PORTS; i++)
		close(sockets[i]);
	return pid;
}

/* ---- the checker ---- */

static void on_verdict(
	void *context, const char *name, const struct health_verdict *verdict, bool changed)
{
	struct bench *b = context;
	(void)name;
	b->down += changed && verdict->state == HEALTH_DOWN;
	b->up_again += changed && verdict->state == HEALTH_UP && verdict->checks > 1;
}

static void put_origins(struct bench *b)
{
	for (uint32_t i = 0; i < b->origins; i++) {
		struct health_origin o = {.type = HEALTH_HTTP,
			.address = "127.0.0.1",
			.port = b->ports[i % PORTS],
			.interval_ms = b->interval_ms,
			.jitter_pct = 10,
			.timeout_ms = 1000,
			.rise = 1,
			.fall = 1,
			.expect_body = "ok"};
		(void)snprintf(o.name, sizeof(o.name), "origin-%u", i);
		(void)snprintf(o.path, sizeof(o.path), "/%u", i);
		if (health_checker_put(b->checker, &o, NULL) < 0)
			die("health_checker_put");
	}
}

static void run_for(struct bench *b, uint64_t ms)
{
	struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
	event_base_loopexit(b->base, &tv);
	event_base_dispatch(b->base);
}

static void report(const struct bench *b, const struct health_stats *before,
	const struct health_stats *after, uint64_t wall_ns, uint64_t cpu_ns)
{
	double checks = (double)(after->checks - before->checks);
	double late = (double)(after->late - before->late), seconds = (double)wall_ns / 1e9;
	double us = checks > 0 ? (double)cpu_ns / 1e3 / checks : 0;
	uint64_t sick_origins = (b->origins + SICK_EVERY - 1) / SICK_EVERY;
	printf("origins                       %10u, every %u ms\n", b->origins, b->interval_ms);
	printf("checks                        %10.0f, %.0f a second\n", checks, checks / seconds);
	printf("late (by a tenth of the interval) %6.3f %%\n",
		checks > 0 ? 100 * late / checks : 0);
	printf("of one core                   %10.1f %%, %.1f us a check\n",
		100.0 * (double)cpu_ns / (double)wall_ns, us);
	printf("went down and came back       %10llu and %llu of %llu\n",
		(unsigned long long)b->down, (unsigned long long)b->up_again,
		(unsigned long long)sick_origins);
	printf("not judged                    %10llu\n",
		(unsigned long long)(after->unjudged - before->unjudged));
	if (!b->json)
		return;
	printf("{\"origins\": %u, \"interval_ms\": %u, \"checks_s\": %.1f, \"late_pct\": %.4f, "
	       "\"core_pct\": %.1f, \"us_a_check\": %.1f, \"failures\": %llu, \"unjudged\": %llu, "
	       "\"down\": %llu, \"up_again\": %llu, \"sick\": %llu}\n",
		b->origins, b->interval_ms, checks / seconds, checks > 0 ? 100 * late / checks : 0,
		100.0 * (double)cpu_ns / (double)wall_ns, us,
		(unsigned long long)(after->failures - before->failures),
		(unsigned long long)(after->unjudged - before->unjudged),
		(unsigned long long)b->down, (unsigned long long)b->up_again,
		(unsigned long long)sick_origins);
}

static void measure(struct bench *b, pid_t origins)
{
	struct health_stats before, after;
	struct health_config config = {.on_verdict = on_verdict,
		.context = b,
		.checks_per_s_max = 4 * b->origins / (b->interval_ms / 1000 + 1) + 1000,
		.concurrent_max = 1000,
		.seed = 1};
	b->base = event_base_new();
	if (health_checker_create(b->base, &config, &b->checker) < 0)
		die("health_checker_create");
	put_origins(b);
	/* All at once at first; from the second interval on they are spread. */
	run_for(b, 2 * b->interval_ms);
	health_checker_stats(b->checker, &before);
	uint64_t wall_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	kill(origins, SIGUSR1);
	run_for(b, b->seconds * 500ULL);
	kill(origins, SIGUSR1);
	run_for(b, b->seconds * 500ULL);
	wall_ns = clock_ns(CLOCK_MONOTONIC) - wall_ns;
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	health_checker_stats(b->checker, &after);
	health_checker_destroy(b->checker);
	event_base_free(b->base);
	report(b, &before, &after, wall_ns, cpu_ns);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"origins", required_argument, NULL, 'o'},
		{"interval", required_argument, NULL, 'i'},
		{"seconds", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}, {0}};
	struct bench b = {.origins = 10000, .interval_ms = 10000, .seconds = 60};
	struct rlimit files = {65536, 65536};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'o': b.origins = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'i': b.interval_ms = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 's': b.seconds = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'j': b.json = true; break;
		default:
			fputs("bench-health [--origins N] [--interval MS] [--seconds S] [--json]\n",
				stderr);
			return 2;
		}
	}
	(void)setrlimit(RLIMIT_NOFILE, &files); /* as many as it gets */
	signal(SIGPIPE, SIG_IGN);
	pid_t origins = start_origins(&b);
	pin(0, 0);
	measure(&b, origins);
	kill(origins, SIGTERM);
	waitpid(origins, NULL, 0);
	return 0;
}
