#include "rpc/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/bufferevent.h>

#include "rpc/method.h"

enum {
	CLIENTS_DEFAULT = 256,
	REQUEST_BYTES_DEFAULT = 65536,
	IN_FLIGHT_DEFAULT = 64,
	BACKLOG_BYTES_DEFAULT = 4 << 20,
	ACCEPTS_MAX = 64, /* in one turn of the loop */
	SWEEP_MS = 500,
};

static void refuse_client(struct rpc_server *server, int fd)
{
	char text[160];
	int len = snprintf(text, sizeof(text),
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,\"message\":"
		"\"too many clients (%u): close one and try again\"}}\n",
		RPC_TOO_MANY, server->config.clients_max);
	server->stats.clients_refused++;
	/* A new socket has room for one line; if not, the closed connection has to say it all. */
	(void)send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

static void take_client(struct rpc_server *server, int fd)
{
	if (server->stats.clients >= server->config.clients_max) {
		refuse_client(server, fd);
		return;
	}
	struct bufferevent *io = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (io == NULL)
		(void)close(fd);
	else
		(void)rpc_connection_open(server, io); /* out of memory: the client is closed */
}

static void on_accept(evutil_socket_t listening, short what, void *context)
{
	struct rpc_server *server = context;
	(void)what;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			take_client(server, fd);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		/* Out of descriptors or memory: the loop would spin on a socket that stays
		 * readable. */
		if (errno != EAGAIN && event_del(server->accepting) == 0)
			server->accepting_paused = true;
		return;
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct rpc_server *server = context;
	(void)fd, (void)what;
	if (server->accepting_paused && event_add(server->accepting, NULL) == 0)
		server->accepting_paused = false;
	struct rpc_connection *next;
	for (struct rpc_connection *c = TAILQ_FIRST(&server->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		rpc_connection_sweep(c);
	}
}

static unsigned or_default(unsigned value, unsigned fallback)
{
	return value != 0 ? value : fallback;
}

int rpc_server_create_unbound(
	struct event_base *base, const struct rpc_server_config *config, struct rpc_server **server)
{
	const struct timeval period = {.tv_usec = SWEEP_MS * 1000};
	struct rpc_server *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->base = base;
	s->config = *config;
	s->config.socket_path = NULL;
	s->config.clients_max = or_default(config->clients_max, CLIENTS_DEFAULT);
	s->config.request_bytes_max = or_default(config->request_bytes_max, REQUEST_BYTES_DEFAULT);
	s->config.in_flight_max = or_default(config->in_flight_max, IN_FLIGHT_DEFAULT);
	s->config.backlog_bytes_max = or_default(config->backlog_bytes_max, BACKLOG_BYTES_DEFAULT);
	s->listener.fd = -1;
	TAILQ_INIT(&s->connections);
	s->sweep = event_new(base, -1, EV_PERSIST, on_sweep, s);
	if (s->sweep == NULL || event_add(s->sweep, &period) < 0) {
		rpc_server_destroy(s);
		return -ENOMEM;
	}
	*server = s;
	return 0;
}

int rpc_server_create(struct event_base *base, const struct rpc_server_config *config,
	struct rpc_server **server, char *error, size_t error_len)
{
	struct rpc_server *s;
	int rc = rpc_server_create_unbound(base, config, &s);
	if (rc < 0) {
		(void)snprintf(
			error, error_len, "control socket %s: out of memory", config->socket_path);
		return rc;
	}
	rc = rpc_listener_open(&s->listener, config->socket_path, config->socket_mode,
		config->socket_group, error, error_len);
	if (rc < 0)
		goto fail;

	/* libevent writes with writev(), which knows no MSG_NOSIGNAL. */
	struct sigaction action;
	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		(void)signal(SIGPIPE, SIG_IGN);

	s->accepting = event_new(base, s->listener.fd, EV_READ | EV_PERSIST, on_accept, s);
	if (s->accepting == NULL || event_add(s->accepting, NULL) < 0) {
		rc = -ENOMEM;
		(void)snprintf(error, error_len, "control socket %s: cannot watch it for clients",
			config->socket_path);
		goto fail;
	}
	*server = s;
	return 0;
fail:
	rpc_server_destroy(s);
	return rc;
}

void rpc_server_destroy(struct rpc_server *server)
{
	if (server == NULL)
		return;
	if (server->accepting != NULL)
		event_free(server->accepting);
	rpc_listener_close(&server->listener);
	struct rpc_connection *c;
	while ((c = TAILQ_FIRST(&server->connections)) != NULL)
		rpc_connection_drop(c);
	if (server->sweep != NULL)
		event_free(server->sweep);
	for (unsigned i = 0; i < server->method_count; i++)
		json_decref(server->methods[i].params);
	free(server);
}

int rpc_server_method(struct rpc_server *server, const char *name, rpc_method method, void *context)
{
	size_t len = strlen(name);
	if (len == 0 || len > RPC_METHOD_NAME_MAX)
		return -EINVAL;
	if (rpc_server_find(server, name) != NULL)
		return -EEXIST;
	if (server->method_count == RPC_METHODS_MAX)
		return -ENOSPC;
	struct rpc_method_entry *entry = &server->methods[server->method_count++];
	memcpy(entry->name, name, len + 1);
	entry->method = method;
	entry->context = context;
	return 0;
}

int rpc_server_method_info(struct rpc_server *server, const struct rpc_method_info *info,
	rpc_method method, void *context)
{
	json_t *schema = rpc_fields_schema(info->params);
	int rc = schema != NULL ? rpc_server_method(server, info->name, method, context) : -EINVAL;
	if (rc < 0) {
		json_decref(schema);
		return rc;
	}
	struct rpc_method_entry *entry = &server->methods[server->method_count - 1];
	entry->info = info;
	entry->params = schema;
	return 0;
}

json_t *rpc_server_methods(const struct rpc_server *server)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < server->method_count; i++) {
		const struct rpc_method_entry *entry = &server->methods[i];
		json_array_append_new(list, entry->info != NULL
						    ? rpc_method_to_json(entry->info)
						    : json_pack("{s:s}", "name", entry->name));
	}
	return list;
}

const struct rpc_method_entry *rpc_server_find(const struct rpc_server *server, const char *name)
{
	for (unsigned i = 0; i < server->method_count; i++)
		if (strcmp(server->methods[i].name, name) == 0)
			return &server->methods[i];
	return NULL;
}

void rpc_server_stats(const struct rpc_server *server, struct rpc_server_stats *stats)
{
	*stats = server->stats;
}
