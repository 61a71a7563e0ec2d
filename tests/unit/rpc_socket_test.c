#include "sw_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rpc_world.h"

/* Another server at w's path (or `path`), on w's loop. */
static int second(struct world *w, const char *path, struct rpc_server **server, char *error)
{
	const struct rpc_server_config config = {.socket_path = path, .socket_mode = 0660};
	return rpc_server_create(w->base, &config, server, error, 512);
}

/* The socket file of a process that died without removing it. */
static void leave_stale_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	SW_EXPECT_EQ(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	SW_EXPECT_EQ(listen(fd, 1), 0);
	(void)close(fd);
}

SW_TEST(rpc_socket, live_socket_is_refused_with_a_clear_message)
{
	struct world *w = world_open(NULL);
	struct rpc_server *server = NULL;
	char error[512] = "";
	SW_ASSERT_TRUE(w != NULL);
	SW_EXPECT_EQ(second(w, w->path, &server, error), -EADDRINUSE);
	SW_EXPECT_TRUE(strstr(error, w->path) != NULL);
	SW_EXPECT_TRUE(strstr(error, "another process answers there; stop it") != NULL);
	int fd = raw_open(w); /* the first one is unharmed */
	raw_send(w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"touch\"}\n");
	SW_EXPECT_EQ(w->touched, 1u);
	(void)close(fd);
	world_close(w);
}

SW_TEST(rpc_socket, stale_socket_is_replaced)
{
	struct world *w = world_open(NULL);
	struct rpc_server *server = NULL;
	char error[512] = "", path[128];
	SW_ASSERT_TRUE(w != NULL);
	(void)snprintf(path, sizeof(path), "%s/t", w->folder);
	leave_stale_socket(path);
	SW_EXPECT_EQ(second(w, path, &server, error), 0);
	SW_EXPECT_STR(error, "");
	rpc_server_destroy(server);
	SW_EXPECT_NE(access(path, F_OK), 0);
	world_close(w);
}

SW_TEST(rpc_socket, file_that_is_no_socket_is_left_alone)
{
	struct world *w = world_open(NULL);
	struct rpc_server *server = NULL;
	char error[512] = "", path[128];
	SW_ASSERT_TRUE(w != NULL);
	(void)snprintf(path, sizeof(path), "%s/t", w->folder);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	SW_EXPECT_EQ(second(w, path, &server, error), -EEXIST);
	SW_EXPECT_TRUE(strstr(error, "is not a socket") != NULL);
	SW_EXPECT_EQ(access(path, F_OK), 0);
	(void)close(fd);
	(void)unlink(path);
	world_close(w);
}

SW_TEST(rpc_socket, missing_folder_and_long_path_are_said)
{
	struct world *w = world_open(NULL);
	struct rpc_server *server = NULL;
	char error[512] = "", path[300];
	SW_ASSERT_TRUE(w != NULL);
	(void)snprintf(path, sizeof(path), "%s/none/s", w->folder);
	SW_EXPECT_EQ(second(w, path, &server, error), -ENOENT);
	SW_EXPECT_TRUE(strstr(error, "/none: No such file or directory; create it") != NULL);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	SW_EXPECT_EQ(second(w, path, &server, error), -ENAMETOOLONG);
	SW_EXPECT_EQ(second(w, "", &server, error), -EINVAL);
	world_close(w);
}

SW_TEST(rpc_socket, permissions_are_as_asked_whatever_the_umask)
{
	struct world *w = world_open(NULL);
	struct rpc_server *server = NULL;
	struct stat st;
	char error[512] = "", path[128];
	SW_ASSERT_TRUE(w != NULL);
	SW_EXPECT_EQ(stat(w->path, &st), 0);
	SW_EXPECT_EQ(st.st_mode & 07777, 0600u);
	(void)snprintf(path, sizeof(path), "%s/t", w->folder);
	mode_t before = umask(077);
	SW_EXPECT_EQ(second(w, path, &server, error), 0);
	(void)umask(before);
	SW_EXPECT_EQ(stat(path, &st), 0);
	SW_EXPECT_EQ(st.st_mode & 07777, 0660u);
	rpc_server_destroy(server);
	world_close(w);
}

SW_TEST(rpc_socket, socket_that_another_took_over_is_not_removed)
{
	struct world *w = world_open(NULL);
	SW_ASSERT_TRUE(w != NULL);
	SW_EXPECT_EQ(unlink(w->path), 0);
	leave_stale_socket(w->path);
	rpc_server_destroy(w->server);
	w->server = NULL;
	SW_EXPECT_EQ(access(w->path, F_OK), 0);
	world_close(w);
}

/* One of many processes that start at once: waits for the word (the end of a pipe), starts a
 * server, tells how that went, and keeps it until the test has heard all of them. */
static void start_at_once(const char *path, int word, int end, int told)
{
	const struct rpc_server_config config = {.socket_path = path, .socket_mode = 0600};
	struct rpc_server *server = NULL;
	char error[512], byte;
	struct event_base *base = event_base_new();
	(void)read(word, &byte, 1);
	int rc = rpc_server_create(base, &config, &server, error, sizeof(error));
	(void)write(told, &rc, sizeof(rc));
	(void)read(end, &byte, 1);
	_exit(0);
}

SW_TEST(rpc_socket, of_many_that_start_at_once_on_a_stale_socket_one_gets_it)
{
	enum { STARTERS = 8, ROUNDS = 10 };
	struct world *w = world_open(NULL);
	char path[128];
	SW_ASSERT_TRUE(w != NULL);
	(void)snprintf(path, sizeof(path), "%s/t", w->folder);
	for (int round = 0; round < ROUNDS; round++) {
		int word[2], end[2], told[2], started = 0, refused = 0, rc;
		pid_t children[STARTERS];
		leave_stale_socket(path);
		SW_ASSERT_EQ(pipe(word), 0);
		SW_ASSERT_EQ(pipe(end), 0);
		SW_ASSERT_EQ(pipe(told), 0);
		for (int i = 0; i < STARTERS; i++) {
			children[i] = fork();
			if (children[i] == 0) {
				(void)close(word[1]);
				(void)close(end[1]);
				start_at_once(path, word[0], end[0], told[1]);
			}
			SW_ASSERT_TRUE(children[i] > 0);
		}
		(void)close(word[1]);
		for (int i = 0; i < STARTERS; i++) {
			SW_EXPECT_EQ(read(told[0], &rc, sizeof(rc)), (ssize_t)sizeof(rc));
			started += rc == 0;
			refused += rc == -EADDRINUSE;
		}
		SW_EXPECT_EQ(started, 1);
		SW_EXPECT_EQ(refused, STARTERS - 1);
		(void)close(end[1]);
		for (int i = 0; i < STARTERS; i++)
			SW_EXPECT_EQ(waitpid(children[i], NULL, 0), children[i]);
		(void)close(word[0]);
		(void)close(end[0]);
		(void)close(told[0]);
		(void)close(told[1]);
		(void)unlink(path);
	}
	world_close(w);
}

static void nothing(struct rpc_call *call, json_t *params, void *context)
{
	(void)params, (void)context;
	rpc_result(call, NULL);
}

SW_TEST(rpc_socket, methods_are_registered_once_and_bounded)
{
	struct world *w = world_open(NULL);
	char name[80];
	int rc = 0, added = 0;
	SW_ASSERT_TRUE(w != NULL);
	SW_EXPECT_EQ(rpc_server_method(w->server, "echo", nothing, NULL), -EEXIST);
	SW_EXPECT_EQ(rpc_server_method(w->server, "", nothing, NULL), -EINVAL);
	memset(name, 'a', 64);
	name[64] = '\0';
	SW_EXPECT_EQ(rpc_server_method(w->server, name, nothing, NULL), -EINVAL);
	while (rc == 0 && added < 1000) {
		(void)snprintf(name, sizeof(name), "m%d", added++);
		rc = rpc_server_method(w->server, name, nothing, NULL);
	}
	SW_EXPECT_EQ(rc, -ENOSPC);
	SW_EXPECT_EQ(added, 128 - 8 + 1);
	world_close(w);
}
