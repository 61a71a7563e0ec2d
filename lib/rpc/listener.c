#include "rpc/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOCK_TRIES = 100, LOCK_TRY_US = 10000 };

static int fail(char *error, size_t error_len, int rc, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(char *error, size_t error_len, int rc, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(error, error_len, format, args); /* cut if long: it is for people */
	va_end(args);
	return rc;
}

int rpc_socket_address(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	size_t len = strlen(path);
	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, len + 1);
	return 0;
}

/* Two processes that start at once must not both take the file for stale: whoever looks and binds
 * holds a lock on the folder, which leaves no file behind and ends with its process. */
static int lock_folder(const char *path, char *error, size_t error_len)
{
	char folder[108];
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);
	if (slash == NULL)
		(void)strcpy(folder, ".");
	else if (len == 0)
		(void)strcpy(folder, "/");
	else
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)len, path);

	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(error, error_len, -errno,
			"control socket %s: cannot open the folder %s: %s; create it, or choose "
			"another "
			"path",
			path, folder, strerror(errno));
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		(void)usleep(LOCK_TRY_US);
	}
	int rc = -errno;
	(void)close(fd);
	return fail(error, error_len, rc, "control socket %s: cannot lock the folder %s: %s", path,
		folder, strerror(-rc));
}

/* 0: nobody is there any more, the file may be replaced. */
static int check_stale(
	const char *path, const struct sockaddr_un *address, char *error, size_t error_len)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : fail(error, error_len, -errno, "control socket %s: %s",
						 path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail(error, error_len, -EEXIST,
			"control socket %s: exists and is not a socket; remove it, or choose "
			"another path",
			path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(error, error_len, -errno, "control socket %s: socket: %s", path,
			strerror(errno));
	int rc = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	(void)close(fd);
	if (rc == -ECONNREFUSED || rc == -ENOENT)
		return 0;
	if (rc == 0 || rc == -EAGAIN)
		return fail(error, error_len, -EADDRINUSE,
			"control socket %s: another process answers there; stop it, or choose "
			"another path",
			path);
	return fail(error, error_len, rc,
		"control socket %s: exists, and cannot tell whether it is in use: %s", path,
		strerror(-rc));
}

/* The group's number; -1: there is no such group. */
static int64_t find_group(const char *group)
{
	char *end;
	const struct group *found = getgrnam(group);
	unsigned long number = strtoul(group, &end, 10);
	if (found != NULL)
		return found->gr_gid;
	return *group != '\0' && *end == '\0' && number < UINT32_MAX ? (int64_t)number : -1;
}

static int give_to_group(const char *path, const char *group)
{
	int64_t gid = group != NULL ? find_group(group) : 0;
	if (group == NULL)
		return 0;
	if (gid < 0)
		return -ENOENT;
	return chown(path, (uid_t)-1, (gid_t)gid) < 0 ? -errno : 0;
}

int rpc_listener_permit(const char *path, unsigned mode, const char *group)
{
	int rc = give_to_group(path, group);
	return rc == 0 && chmod(path, mode) < 0 ? -errno : rc;
}

static int bind_and_listen(struct rpc_listener *listener, const struct sockaddr_un *address,
	unsigned mode, const char *group, char *error, size_t error_len)
{
	struct stat st;
	const char *path = listener->path;
	const char *step = "bind";
	int rc = 0;
	if (bind(listener->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return fail(error, error_len, -errno, "control socket %s: bind: %s", path,
			strerror(errno));
	if (lstat(path, &st) < 0) {
		rc = -errno;
		step = "stat";
	} else if ((rc = give_to_group(path, group)) < 0) {
		step = rc == -ENOENT ? "no such group" : "chown to the group";
	} else if (chmod(path, mode) < 0) {
		rc = -errno;
		step = "chmod";
	} else if (listen(listener->fd, RPC_LISTEN_BACKLOG) < 0) {
		rc = -errno;
		step = "listen";
	}
	if (rc < 0) {
		(void)unlink(path);
		return fail(error, error_len, rc, "control socket %s: %s: %s", path, step,
			strerror(-rc));
	}
	listener->device = st.st_dev;
	listener->inode = st.st_ino;
	return 0;
}

int rpc_listener_open(struct rpc_listener *listener, const char *path, unsigned mode,
	const char *group, char *error, size_t error_len)
{
	struct sockaddr_un address;
	*listener = (struct rpc_listener){.fd = -1};
	int rc = rpc_socket_address(path, &address);
	if (rc < 0)
		return fail(error, error_len, rc,
			"control socket %s: the path must have 1 to %zu bytes", path,
			sizeof(address.sun_path) - 1);
	memcpy(listener->path, address.sun_path, sizeof(listener->path));

	int lock = lock_folder(path, error, error_len);
	if (lock < 0)
		return lock;
	rc = check_stale(path, &address, error, error_len);
	if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
		rc = fail(error, error_len, -errno,
			"control socket %s: cannot remove the old one: %s", path, strerror(errno));
	if (rc == 0) {
		listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (listener->fd < 0)
			rc = fail(error, error_len, -errno, "control socket %s: socket: %s", path,
				strerror(errno));
	}
	if (rc == 0)
		rc = bind_and_listen(listener, &address, mode, group, error, error_len);
	if (rc < 0 && listener->fd >= 0) {
		(void)close(listener->fd);
		listener->fd = -1;
	}
	(void)close(lock);
	return rc;
}

void rpc_listener_close(struct rpc_listener *listener)
{
	struct stat st;
	if (listener->fd < 0)
		return;
	if (lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
		st.st_ino == listener->inode)
		(void)unlink(listener->path);
	(void)close(listener->fd);
	listener->fd = -1;
}
