/* rpc-load: one client of the control RPC that asks as fast as it may, for scripts/bench/rpc.
 *
 *   rpc-load SOCKET LINE REQUESTS WINDOW [PAUSE_US]
 *
 * Sends the request LINE (its id is put in front) REQUESTS times, with at most WINDOW of them
 * unanswered, and prints how long they took as one JSON object. PAUSE_US: so long between an answer
 * and the next request; the window is then 1. With REQUESTS 0: until standard input ends.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW_MAX = 64, LINE_BYTES_MAX = 4096, INPUT_BYTES = 1 << 20, SAMPLES_MAX = 4 << 20 };

struct load {
	int fd;
	char line[LINE_BYTES_MAX];
	size_t line_len;
	uint64_t wanted; /* 0: until standard input ends */
	unsigned window;
	unsigned pause_us;
	uint64_t sent, answered, errors;
	uint64_t sent_ns[WINDOW_MAX];
	uint32_t *samples_ns; /* cut at 4 s */
};

static uint64_t now_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	(void)fprintf(stderr, "rpc-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_socket(struct load *load, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	load->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (load->fd < 0 || connect(load->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(path);
}

static bool goes_on(const struct load *load)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	if (load->wanted > 0)
		return load->sent < load->wanted;
	return load->sent < SAMPLES_MAX && poll(&in, 1, 0) == 0;
}

/* As many as the window has room for, in one write. */
static void send_some(struct load *load)
{
	static char text[WINDOW_MAX * LINE_BYTES_MAX];
	size_t len = 0;
	uint64_t now = now_ns();
	while (load->sent - load->answered < load->window && goes_on(load)) {
		memcpy(text + len, load->line, load->line_len);
		len += load->line_len;
		load->sent_ns[load->sent++ % WINDOW_MAX] = now;
	}
	for (size_t at = 0; at < len;) {
		ssize_t n = write(load->fd, text + at, len - at);
		if (n < 0 && errno != EINTR)
			fail("write");
		at += n > 0 ? (size_t)n : 0;
	}
}

static void take_answers(struct load *load)
{
	static char input[INPUT_BYTES];
	static size_t len;
	ssize_t n = read(load->fd, input + len, sizeof(input) - len);
	if (n <= 0)
		fail(n == 0 ? "closed" : "read");
	len += (size_t)n;
	uint64_t now = now_ns();
	char *at = input, *end;
	while ((end = memchr(at, '\n', len - (size_t)(at - input))) != NULL) {
		uint64_t took = now - load->sent_ns[load->answered % WINDOW_MAX];
		load->samples_ns[load->answered++ % SAMPLES_MAX] =
			took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
		load->errors += memmem(at, (size_t)(end - at), "\"error\":{", 9) != NULL;
		at = end + 1;
	}
	len -= (size_t)(at - input);
	memmove(input, at, len);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void report(struct load *load, uint64_t took_ns)
{
	uint64_t n = load->answered < SAMPLES_MAX ? load->answered : SAMPLES_MAX;
	if (n == 0) {
		(void)printf("{\"requests\": 0}\n");
		return;
	}
	qsort(load->samples_ns, n, sizeof(load->samples_ns[0]), by_value);
	(void)printf("{\"requests\": %" PRIu64 ", \"errors\": %" PRIu64
		     ", \"requests_s\": %.0f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"p999_ms\": "
		     "%.4f, \"max_ms\": %.4f}\n",
		load->answered, load->errors, (double)load->answered * 1e9 / (double)took_ns,
		load->samples_ns[n / 2] / 1e6, load->samples_ns[n * 99 / 100] / 1e6,
		load->samples_ns[n * 999 / 1000] / 1e6, load->samples_ns[n - 1] / 1e6);
}

int main(int argc, char **argv)
{
	static struct load load;
	if (argc < 5 || argc > 6) {
		(void)fprintf(stderr, "usage: rpc-load SOCKET LINE REQUESTS WINDOW [PAUSE_US]\n");
		return 2;
	}
	int len = snprintf(load.line, sizeof(load.line), "{\"jsonrpc\":\"2.0\",\"id\":1,%s\n",
		argv[2] + strspn(argv[2], "{ "));
	load.line_len = (size_t)len;
	load.wanted = strtoull(argv[3], NULL, 10);
	load.window = (unsigned)strtoul(argv[4], NULL, 10);
	load.pause_us = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0;
	load.samples_ns = malloc(SAMPLES_MAX * sizeof(load.samples_ns[0]));
	if (len < 0 || load.line_len >= sizeof(load.line) || load.window < 1 ||
		load.window > WINDOW_MAX || load.wanted > SAMPLES_MAX || load.samples_ns == NULL) {
		(void)fprintf(stderr, "rpc-load: a window of 1 to %d, at most %d requests\n",
			WINDOW_MAX, SAMPLES_MAX);
		return 2;
	}
	open_socket(&load, argv[1]);
	uint64_t start_ns = now_ns();
	while (load.answered < load.sent || goes_on(&load)) {
		send_some(&load);
		if (load.answered < load.sent)
			take_answers(&load);
		if (load.pause_us > 0)
			(void)usleep(load.pause_us);
	}
	report(&load, now_ns() - start_ns);
	free(load.samples_ns);
	(void)close(load.fd);
	return 0;
}
