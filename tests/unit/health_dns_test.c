#include "sw_test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "health/health.h"

enum { NAMES = 600, RUN_S = 3, CONCURRENT_MAX = 256, GIVEN_UP_MAX = 256 };

/* What a child saw in namespaces of its own, where the only name server never answers. */
struct report {
	int failed_at; /* errno of what could not be set up, or 0 */
	struct health_stats stats;
	uint32_t address_told;
	uint32_t name_told;
	uint32_t threads_max;
	uint32_t gap_ms_max; /* between two rounds of the loop */
	uint32_t destroy_ms;
	char name_error[HEALTH_ERROR_MAX];
	uint64_t last_ms;
};

static uint64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool raise_loopback(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	close(fd);
	return up;
}

static bool use_silent_name_server(void)
{
	char path[] = "/tmp/health_dns_XXXXXX";
	int file = mkstemp(path);
	bool mounted = file >= 0 && dprintf(file, "nameserver 127.0.0.1\n") > 0 &&
		       mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
	unlink(path);
	close(file);
	int fd =
		socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* open as long as the child lives */
	struct sockaddr_in addr = {.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return mounted && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
}

static bool enter_namespaces(void)
{
	int what = CLONE_NEWNET | CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
	return unshare(what) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       raise_loopback() && use_silent_name_server();
}

static uint32_t count_threads(void)
{
	uint32_t count = 0;
	DIR *tasks = opendir("/proc/self/task");
	for (const struct dirent *task = readdir(tasks); task; task = readdir(tasks))
		count += task->d_name[0] != '.';
	closedir(tasks);
	return count;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct report *report = arg;
	uint64_t now = now_ms();
	uint32_t threads = count_threads();
	(void)fd;
	(void)what;
	if (now - report->last_ms > report->gap_ms_max)
		report->gap_ms_max = (uint32_t)(now - report->last_ms);
	if (threads > report->threads_max)
		report->threads_max = threads;
	report->last_ms = now;
}

static void on_verdict(
	void *context, const char *name, const struct health_verdict *verdict, bool changed)
{
	struct report *report = context;
	(void)changed;
	if (strcmp(name, "address") == 0) {
		report->address_told++;
		return;
	}
	report->name_told++;
	memcpy(report->name_error, verdict->error, sizeof(report->name_error));
}

static void put_origin(
	struct health_checker *checker, const char *name, const char *address, uint32_t interval_ms)
{
	struct health_origin origin = {.type = HEALTH_TCP,
		.port = 9,
		.interval_ms = interval_ms,
		.timeout_ms = 100,
		.rise = 1,
		.fall = 1};
	snprintf(origin.name, sizeof(origin.name), "%s", name);
	snprintf(origin.address, sizeof(origin.address), "%s", address);
	health_checker_put(checker, &origin, NULL);
}

static void check_names(struct report *report)
{
	struct event_base *base = event_base_new();
	struct health_checker *checker = NULL;
	const struct health_config config = {.on_verdict = on_verdict,
		.context = report,
		.refresh_ms = 1,
		.checks_per_s_max = 2000,
		.concurrent_max = CONCURRENT_MAX};
	health_checker_create(base, &config, &checker);
	put_origin(checker, "address", "127.0.0.1", 100);
	for (int i = 0; i < NAMES; i++) {
		char name[32];
		snprintf(name, sizeof(name), "host-%d.example.com", i);
		put_origin(checker, name, name, 500);
	}
	struct event *tick = event_new(base, -1, EV_PERSIST, on_tick, report);
	const struct timeval every = {0, 5000}, end = {RUN_S, 0};
	report->last_ms = now_ms();
	event_add(tick, &every);
	event_base_loopexit(base, &end);
	event_base_dispatch(base);
	health_checker_stats(checker, &report->stats);
	uint64_t start_ms = now_ms();
	health_checker_destroy(checker);
	report->destroy_ms = (uint32_t)(now_ms() - start_ms);
	event_free(tick);
	event_base_free(base);
}

static bool run_child(struct report *report)
{
	int ends[2];
	if (pipe(ends) < 0)
		return false;
	pid_t pid = fork();
	if (pid == 0) {
		struct report seen = {0};
		if (enter_namespaces())
			check_names(&seen);
		else
			seen.failed_at = errno;
		_exit(write(ends[1], &seen, sizeof(seen)) == sizeof(seen) ? 0 : 1);
	}
	close(ends[1]);
	bool got = read(ends[0], report, sizeof(*report)) == sizeof(*report);
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return got;
}

SW_TEST(dns, silent_name_server_stalls_nothing_and_leaves_few_threads_behind)
{
	struct report report;
	SW_ASSERT_TRUE(run_child(&report));
	if (report.failed_at) {
		sw_test_note("not run: no namespaces here (%s)", strerror(report.failed_at));
		return;
	}
	/* The address is checked at its pace all the while, and the loop goes round. */
	SW_EXPECT_GE(report.address_told, RUN_S * 10 / 2);
	SW_EXPECT_LT(report.gap_ms_max, 1000);
	SW_EXPECT_LT(report.destroy_ms, 1000);
	/* Names fail by their timeout, until too many threads are left behind. */
	SW_EXPECT_GE(report.name_told, GIVEN_UP_MAX);
	SW_EXPECT_LE(report.name_told, GIVEN_UP_MAX + CONCURRENT_MAX);
	SW_EXPECT_MEM(report.name_error, "resolve host-", 13);
	SW_EXPECT_GE(report.stats.unjudged, NAMES);
	SW_EXPECT_LE(report.threads_max, GIVEN_UP_MAX + CONCURRENT_MAX + 1);
	sw_test_note("%u threads at most, rounds at most %u ms apart, %lu checks unjudged",
		report.threads_max, report.gap_ms_max, report.stats.unjudged);
}
