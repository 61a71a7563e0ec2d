#include "epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define YEAR_2024_S 1704067200

static int fail(char *error, size_t error_len, const char *what, const char *path)
{
	int code = errno;
	(void)snprintf(error, error_len,
		"state_dir: cannot %s %s: %s; give a folder that this user can write", what, path,
		strerror(code));
	return -code;
}

static int read_epoch(const char *path, uint32_t *epoch, char *error, size_t error_len)
{
	FILE *f = fopen(path, "re");
	if (f == NULL && errno == ENOENT)
		return 0;
	if (f == NULL)
		return fail(error, error_len, "read", path);
	char text[32] = "", *end = text;
	unsigned long v = 0;
	if (fgets(text, sizeof(text), f) != NULL)
		v = strtoul(text, &end, 10);
	(void)fclose(f);
	if (end == text || (*end != '\n' && *end != '\0') || v >= UINT32_MAX) {
		(void)snprintf(error, error_len,
			"%s: not an epoch (one number is expected); remove the file: the wall "
			"clock and the other servers still keep epochs growing",
			path);
		return -EINVAL;
	}
	*epoch = (uint32_t)v;
	return 0;
}

int epoch_next(const char *state_dir, uint32_t *epoch, char *error, size_t error_len)
{
	char path[300];
	uint32_t remembered = 0;
	time_t now = time(NULL);
	*epoch = now > YEAR_2024_S ? (uint32_t)(now - YEAR_2024_S) : 1;
	if (state_dir[0] == '\0')
		return 0;
	(void)snprintf(path, sizeof(path), "%s/epoch", state_dir);
	int rc = read_epoch(path, &remembered, error, error_len);
	if (rc < 0)
		return rc;
	if (remembered >= *epoch)
		*epoch = remembered + 1;
	return epoch_remember(state_dir, *epoch, error, error_len);
}

int epoch_remember(const char *state_dir, uint32_t epoch, char *error, size_t error_len)
{
	char path[300], fresh[310];
	if (state_dir[0] == '\0')
		return 0;
	(void)snprintf(path, sizeof(path), "%s/epoch", state_dir);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return fail(error, error_len, "write", fresh);
	char text[16];
	int len = snprintf(text, sizeof(text), "%" PRIu32 "\n", epoch);
	bool ok = write(fd, text, (size_t)len) == len && fsync(fd) == 0;
	if (close(fd) < 0 || !ok)
		return fail(error, error_len, "write", fresh);
	if (rename(fresh, path) < 0)
		return fail(error, error_len, "rename to", path);
	return 0;
}
