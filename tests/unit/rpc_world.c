#include "rpc_world.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sw_test.h"

static void method_echo(struct rpc_call *call, json_t *params, void *context)
{
	(void)context;
	rpc_result(call, json_incref(params));
}

static void method_fail(struct rpc_call *call, json_t *params, void *context)
{
	(void)context;
	const char *text = json_string_value(json_object_get(params, "text"));
	rpc_error(call, RPC_REFUSED, "no: %s", text != NULL ? text : "\xff");
}

static void call_gone(struct rpc_call *call, void *context)
{
	struct world *w = context;
	w->calls_gone++;
	for (unsigned i = 0; i < w->held_count; i++)
		if (w->held[i] == call)
			w->held[i] = NULL;
}

static void method_hold(struct rpc_call *call, json_t *params, void *context)
{
	struct world *w = context;
	(void)params;
	w->held[w->held_count++ % HELD_MAX] = call;
	rpc_defer(call, call_gone, w);
}

static void method_forget(struct rpc_call *call, json_t *params, void *context)
{
	(void)call, (void)params, (void)context;
}

static void subscriber_gone(struct rpc_subscriber *subscriber, void *context)
{
	struct world *w = context;
	w->subscribers_gone++;
	for (unsigned i = 0; i < w->subscriber_count; i++)
		if (w->subscribers[i] == subscriber)
			w->subscribers[i] = NULL;
}

static void method_subscribe(struct rpc_call *call, json_t *params, void *context)
{
	struct world *w = context;
	(void)params;
	struct rpc_subscriber *s = rpc_subscribe(call, subscriber_gone, w);
	if (s == NULL) {
		rpc_error(call, RPC_TOO_MANY, "too many subscriptions");
		return;
	}
	w->subscribers[w->subscriber_count++ % HELD_MAX] = s;
	rpc_result(call, NULL);
}

static void method_touch(struct rpc_call *call, json_t *params, void *context)
{
	struct world *w = context;
	(void)params;
	w->touched++;
	rpc_result(call, NULL);
}

static void method_big(struct rpc_call *call, json_t *params, void *context)
{
	(void)context;
	size_t len = (size_t)json_integer_value(json_object_get(params, "bytes"));
	char *text = malloc(len + 1);
	memset(text, 'x', len);
	rpc_result(call, json_stringn(text, len));
	free(text);
}

static void method_stop(struct rpc_call *call, json_t *params, void *context)
{
	const struct timeval soon = {.tv_usec = 20000}; /* time to send the answer */
	struct world *w = context;
	(void)params;
	rpc_result(call, json_true());
	(void)event_base_loopexit(w->base, &soon);
}

struct world *world_open(const struct rpc_server_config *limits)
{
	static const struct {
		const char *name;
		rpc_method method;
	} methods[] = {
		{"echo", method_echo},
		{"fail", method_fail},
		{"hold", method_hold},
		{"forget", method_forget},
		{"subscribe", method_subscribe},
		{"touch", method_touch},
		{"big", method_big},
		{"stop", method_stop},
	};
	char error[512] = "";
	struct world *w = calloc(1, sizeof(*w));
	struct rpc_server_config config = {0};
	if (limits != NULL)
		config = *limits;
	(void)snprintf(w->folder, sizeof(w->folder), "/tmp/rpc_test.XXXXXX");
	if (mkdtemp(w->folder) == NULL) {
		SW_FAIL("no folder: %s", strerror(errno));
		free(w);
		return NULL;
	}
	(void)snprintf(w->path, sizeof(w->path), "%s/s", w->folder);
	config.socket_path = w->path;
	config.socket_mode = 0600;
	w->base = event_base_new();
	if (rpc_server_create(w->base, &config, &w->server, error, sizeof(error)) < 0) {
		SW_FAIL("no server: %s", error);
		world_close(w);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		SW_EXPECT_EQ(
			rpc_server_method(w->server, methods[i].name, methods[i].method, w), 0);
	return w;
}

void world_close(struct world *w)
{
	if (w == NULL)
		return;
	rpc_server_destroy(w->server);
	event_base_free(w->base);
	(void)unlink(w->path);
	(void)rmdir(w->folder);
	free(w);
}

void world_turn(struct world *w)
{
	/* All sockets are local: what is sent is readable at once, and each turn moves at least one
	 * step. */
	for (int i = 0; i < 12; i++)
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
}

int raw_open(const struct world *w)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		SW_FAIL("connect: %s", strerror(errno));
	return fd;
}

void raw_send(struct world *w, int fd, const char *text)
{
	size_t left = strlen(text);
	for (int tries = 0; left > 0 && tries < 10000; tries++) {
		ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			break;
		if (sent > 0) {
			text += sent;
			left -= (size_t)sent;
		}
		world_turn(w);
	}
	SW_EXPECT_EQ(left, 0u);
}

const char *raw_read(struct world *w, int fd)
{
	static char text[RAW_BYTES_MAX + 1];
	size_t len = 0;
	for (int quiet = 0; quiet < 2 && len < RAW_BYTES_MAX;) {
		world_turn(w);
		ssize_t got = recv(fd, text + len, RAW_BYTES_MAX - len, 0);
		quiet = got > 0 ? 0 : quiet + 1;
		len += got > 0 ? (size_t)got : 0;
	}
	text[len] = '\0';
	return text;
}

bool raw_closed(struct world *w, int fd)
{
	char byte;
	world_turn(w);
	ssize_t got = recv(fd, &byte, 1, MSG_PEEK);
	return got == 0 || (got < 0 && errno != EAGAIN);
}
