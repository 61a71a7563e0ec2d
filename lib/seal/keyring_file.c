#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seal/seal.h"

enum { FILE_BYTES_MAX = 8192, OTHERS = S_IRWXG | S_IRWXO };

static int refuse(char *error, int rc, const char *path, const char *what)
{
	(void)snprintf(error, SEAL_ERROR_MAX, "%.300s: %s", path, what);
	return rc;
}

static int fails(char *error, int number, const char *path, const char *verb)
{
	(void)snprintf(
		error, SEAL_ERROR_MAX, "%.300s: cannot be %s: %s", path, verb, strerror(number));
	return -number;
}

/* Of the open file, so that nobody can put another in its place between look and read. */
static int check_permissions(int fd, const char *path, char *error)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return fails(error, errno, path, "looked at");
	if (!S_ISREG(st.st_mode))
		return refuse(error, -EINVAL, path, "is no ordinary file");
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		(void)snprintf(error, SEAL_ERROR_MAX,
			"%s: belongs to user %u, who could change it; keys must belong to root or "
			"to the user that swimlane runs as (chown)",
			path, st.st_uid);
		return -EPERM;
	}
	if ((st.st_mode & OTHERS) != 0) {
		(void)snprintf(error, SEAL_ERROR_MAX,
			"%s: has mode %04o, others may use it; keys are for their owner alone: "
			"chmod 600 %s, and make new keys if strangers could read these",
			path, (unsigned)(st.st_mode & 07777), path);
		return -EPERM;
	}
	return 0;
}

static int read_text(int fd, const char *path, char *text, size_t *len, char *error)
{
	*len = 0;
	while (*len < FILE_BYTES_MAX) {
		ssize_t n = read(fd, text + *len, FILE_BYTES_MAX - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fails(error, errno, path, "read");
		if (n == 0)
			return 0;
		*len += (size_t)n;
	}
	return refuse(error, -EFBIG, path, "is larger than any keyring");
}

int seal_keyring_load(const char *path, struct seal_keyring *ring, char *error)
{
	char text[FILE_BYTES_MAX];
	size_t len = 0;
	*ring = (struct seal_keyring){.count = 0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fails(error, errno, path, "opened");
	int rc = check_permissions(fd, path, error);
	if (rc == 0)
		rc = read_text(fd, path, text, &len, error);
	(void)close(fd); /* was only read */
	if (rc == 0)
		rc = seal_keyring_parse(path, text, len, ring, error);
	explicit_bzero(text, sizeof(text));
	return rc;
}

static size_t print_ring(const struct seal_keyring *ring, char *text, size_t cap)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = (size_t)snprintf(text, cap,
		"# swimlane keyring: a key id, the key, and send behind the one used for "
		"sending.\n"
		"# Who reads this file can speak as any server of the cluster.\n");
	for (uint32_t i = 0; i < ring->count; i++) {
		const struct seal_key *key = &ring->keys[i];
		char hex[2 * SEAL_CLUSTER_KEY_LEN + 1] = "";
		for (size_t b = 0; b < SEAL_CLUSTER_KEY_LEN; b++) {
			hex[2 * b] = digits[key->bytes[b] >> 4];
			hex[2 * b + 1] = digits[key->bytes[b] & 15];
		}
		at += (size_t)snprintf(text + at, cap - at, "%u %s%s\n", key->id, hex,
			key->id == ring->send_id ? " send" : "");
		explicit_bzero(hex, sizeof(hex));
	}
	return at; /* four keys: far from the end */
}

static int write_all(int fd, const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, text + at, len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int seal_keyring_save(const char *path, const struct seal_keyring *ring, bool fresh, char *error)
{
	char text[FILE_BYTES_MAX], temporary[512];
	int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return refuse(error, -ENAMETOOLONG, path, "is too long a name");
	if (fresh && access(path, F_OK) == 0)
		return refuse(error, -EEXIST, path,
			"is there already; add a key to it with swimlanectl key add");
	int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return fails(error, errno, temporary, "made");
	size_t len = print_ring(ring, text, sizeof(text));
	int rc = write_all(fd, text, len);
	explicit_bzero(text, sizeof(text));
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	/* link() does not replace what somebody else put there meanwhile. */
	if (rc == 0 && (fresh ? link(temporary, path) : rename(temporary, path)) < 0)
		rc = -errno;
	if (rc < 0 || fresh)
		(void)unlink(temporary);
	return rc < 0 ? fails(error, -rc, path, "written") : 0;
}
