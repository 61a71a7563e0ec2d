/* One process a configuration: the simulator has one thread, and configurations share nothing. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lifeguard.h"

enum { TELL_PROGRESS = 'p', TELL_RESULT = 'r' };

static bool write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, void *bytes, size_t len)
{
	char *at = bytes;
	while (len > 0) {
		ssize_t n = read(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool read_samples(int fd, struct samples *s, uint32_t count)
{
	double value;
	*s = (struct samples){NULL, 0, 0};
	for (uint32_t i = 0; i < count; i++) {
		if (!read_all(fd, &value, sizeof(value)))
			return false;
		samples_add(s, value);
	}
	return true;
}

static bool write_samples(int fd, const struct samples *s)
{
	return write_all(fd, s->values, s->count * sizeof(s->values[0]));
}

static void tell_progress(void *context)
{
	const char byte = TELL_PROGRESS;
	(void)write_all(
		*(int *)context, &byte, 1); /* the result tells whether the reader is gone */
}

static int child(const struct lifeguard_plan *plan, uint32_t configuration, int fd)
{
	struct lifeguard_result r;
	const char byte = TELL_RESULT;
	lifeguard_run(plan, configuration, &r, tell_progress, &fd);
	return write_all(fd, &byte, 1) && write_all(fd, &r, sizeof(r)) &&
			       write_samples(fd, &r.first_s) && write_samples(fd, &r.all_s)
		       ? 0
		       : 1;
}

/* Returns where to read from, or -1. */
static int start(const struct lifeguard_plan *plan, uint32_t configuration, pid_t *pid)
{
	int ends[2];
	if (pipe(ends) != 0)
		return -1;
	*pid = fork();
	if (*pid == 0) {
		close(ends[0]);
		_exit(child(plan, configuration, ends[1]));
	}
	close(ends[1]);
	if (*pid > 0)
		return ends[0];
	close(ends[0]);
	return -1;
}

static bool collect(
	int fd, struct lifeguard_result *r, void (*progress)(void *context), void *context)
{
	char byte;
	while (read_all(fd, &byte, 1)) {
		if (byte == TELL_RESULT)
			return read_all(fd, r, sizeof(*r)) &&
			       read_samples(fd, &r->first_s, r->first_s.count) &&
			       read_samples(fd, &r->all_s, r->all_s.count);
		if (progress != NULL)
			progress(context);
	}
	return false;
}

bool lifeguard_run_all(const struct lifeguard_plan *plan, uint32_t processes,
	struct lifeguard_result results[LIFEGUARD_CONFIGURATIONS], void (*progress)(void *context),
	void *context)
{
	int fds[LIFEGUARD_CONFIGURATIONS];
	pid_t pids[LIFEGUARD_CONFIGURATIONS];
	uint32_t started = 0;
	bool fine = true;
	for (uint32_t i = 0; i < LIFEGUARD_CONFIGURATIONS; i++) {
		for (; started < LIFEGUARD_CONFIGURATIONS &&
			started < i + (processes > 0 ? processes : 1);
			started++)
			fds[started] = start(plan, started, &pids[started]);
		if (fds[i] < 0) {
			fine = false;
			continue;
		}
		fine &= collect(fds[i], &results[i], progress, context);
		close(fds[i]);
		int status;
		while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
			;
		fine &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	return fine;
}
