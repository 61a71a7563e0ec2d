/* A listening UNIX socket at a path of the file system. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

enum { RPC_LISTEN_BACKLOG = 128 };

struct rpc_listener {
	int fd; /* non-blocking */
	char path[108];
	dev_t device; /* of the socket file: it is removed only if it is still ours */
	ino_t inode;
};

/* Replaces the socket file of a process that is gone; refuses when somebody answers there
 * (-EADDRINUSE), when the path is something else than a socket (-EEXIST), or otherwise with the
 * system's -errno. Who may connect is settled (mode, and group unless NULL: a name or a number)
 * before anybody can. */
int rpc_listener_open(struct rpc_listener *listener, const char *path, unsigned mode,
	const char *group, char *error, size_t error_len);
/* Mode and group of a socket that is open. 0, -ENOENT without such a group, -errno. */
int rpc_listener_permit(const char *path, unsigned mode, const char *group);
void rpc_listener_close(struct rpc_listener *listener);

/* sun_path from `path`; -ENAMETOOLONG if it does not fit, -EINVAL if empty. */
struct sockaddr_un;
int rpc_socket_address(const char *path, struct sockaddr_un *address);
