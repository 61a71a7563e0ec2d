#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "rpc/method.h"
#include "rpc/request.h"
#include "rpc/server.h"

enum { CLOSING_WAIT_S = 5 };

struct evbuffer *rpc_connection_output(const struct rpc_connection *c)
{
	return c->io != NULL ? bufferevent_get_output(c->io) : c->reply;
}

void *rpc_connection_owner(const struct rpc_connection *c)
{
	return c->owner;
}

size_t rpc_connection_backlog(const struct rpc_connection *c)
{
	return evbuffer_get_length(rpc_connection_output(c));
}

size_t rpc_connection_backlog_low(const struct rpc_connection *c)
{
	return c->server->config.backlog_bytes_max / 2;
}

int rpc_connection_send(struct rpc_connection *c, const json_t *message)
{
	struct evbuffer *output = rpc_connection_output(c);
	char *text = json_dumps(message, JSON_COMPACT);
	if (text == NULL)
		return -EINVAL;
	size_t len = strlen(text);
	text[len] = '\n'; /* over its NUL: one addition, so that a line is whole or absent */
	int rc = evbuffer_add(output, text, len + 1);
	free(text);
	return rc < 0 ? -ENOMEM : 0;
}

static void free_text(const void *text, size_t len, void *context)
{
	(void)text, (void)len;
	free(context);
}

void rpc_connection_send_result(struct rpc_connection *c, const json_t *id, char *text, size_t len)
{
	struct evbuffer *line = evbuffer_new();
	char *number = json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY);
	bool ok =
		line != NULL && number != NULL &&
		evbuffer_add_printf(line, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", number) > 0;
	if (!ok || evbuffer_add_reference(line, text, len, free_text, text) < 0)
		free(text);
	else if (evbuffer_add(line, "}\n", 2) == 0)
		(void)evbuffer_add_buffer(rpc_connection_output(c), line);
	free(number);
	if (line != NULL)
		evbuffer_free(line);
}

void rpc_connection_refuse(struct rpc_connection *c, json_t *id, int code, const char *text)
{
	json_t *answer = json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "error",
		rpc_error_object(code, text));
	if (answer != NULL)
		(void)rpc_connection_send(c, answer); /* out of memory: the client times out */
	json_decref(answer);
}

static void take_line(struct rpc_connection *c, const char *line, size_t len)
{
	struct rpc_server *server = c->server;
	char error[RPC_ERROR_TEXT_MAX];
	struct rpc_request request;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0)
		return;

	const struct rpc_method_entry *entry = NULL;
	int code = rpc_request_parse(line, len, &request, error, sizeof(error));
	bool silent = request.id == NULL && code != RPC_PARSE_ERROR && code != RPC_INVALID_REQUEST;
	server->stats.requests++;
	if (code == 0) {
		entry = rpc_server_find(server, request.method);
		if (entry == NULL) {
			code = RPC_METHOD_NOT_FOUND;
			(void)snprintf(
				error, sizeof(error), "unknown method \"%.64s\"", request.method);
		} else if (c->in_flight >= server->config.in_flight_max) {
			code = RPC_TOO_MANY;
			(void)snprintf(error, sizeof(error),
				"too many requests in flight (%u): wait for an answer",
				server->config.in_flight_max);
		} else if (entry->params != NULL &&
			   !rpc_schema_check(entry->params, request.params, error, sizeof(error))) {
			code = RPC_INVALID_PARAMS;
		} else if (c->io == NULL && entry->info != NULL && entry->info->stream) {
			code = RPC_REFUSED;
			(void)snprintf(error, sizeof(error),
				"%s sends notifications: ask it over the control socket",
				entry->name);
		}
	}
	if (code != 0) {
		server->stats.errors++;
		if (!silent)
			rpc_connection_refuse(c, request.id, code, error);
	} else {
		rpc_call_run(c, entry, request.id, request.params);
	}
	rpc_request_fini(&request);
}

/* Nothing more is read from this client; it goes when it has what is on its way to it. */
static void close_when_sent(struct rpc_connection *c)
{
	const struct timeval patience = {.tv_sec = CLOSING_WAIT_S};
	c->closing = true;
	(void)bufferevent_disable(c->io, EV_READ);
	bufferevent_setwatermark(c->io, EV_WRITE, 0, 0);
	(void)bufferevent_set_timeouts(c->io, NULL, &patience);
}

static void refuse_long_line(struct rpc_connection *c)
{
	char error[RPC_ERROR_TEXT_MAX];
	(void)snprintf(error, sizeof(error), "a request line has at most %u bytes: closing",
		c->server->config.request_bytes_max);
	c->server->stats.requests++;
	c->server->stats.errors++;
	rpc_connection_refuse(c, NULL, RPC_TOO_LARGE, error);
	close_when_sent(c);
}

/* A client that sends and does not read is not read from either, until it has caught up. */
static bool pause_if_slow(struct rpc_connection *c)
{
	if (rpc_connection_backlog(c) <= c->server->config.backlog_bytes_max)
		return false;
	c->paused = true;
	(void)bufferevent_disable(c->io, EV_READ);
	return true;
}

static void take_lines(struct rpc_connection *c)
{
	struct evbuffer *input = bufferevent_get_input(c->io);
	while (!c->closing && !c->paused) {
		size_t len;
		char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);
		if (line == NULL)
			break;
		take_line(c, line, len);
		free(line);
		(void)pause_if_slow(c);
	}
	if (c->closing || c->paused)
		return;
	size_t rest = evbuffer_get_length(input);
	if (rest > c->server->config.request_bytes_max) {
		refuse_long_line(c);
	} else if (c->ended && rest > 0) {
		/* The last line of a client that is done needs no newline. */
		take_line(c, (const char *)evbuffer_pullup(input, -1), rest);
		(void)evbuffer_drain(input, rest);
	}
}

static bool hung_up(const struct rpc_connection *c)
{
	struct pollfd fd = {.fd = bufferevent_getfd(c->io)};
	return fd.fd < 0 || (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0);
}

void rpc_connection_settle(struct rpc_connection *c)
{
	if (c->io == NULL || rpc_connection_backlog(c) > 0)
		return;
	if (c->closing || (c->ended && c->in_flight == 0 && c->subscriptions == 0))
		rpc_connection_drop(c);
}

void rpc_connection_sweep(struct rpc_connection *c)
{
	if (c->ended && hung_up(c))
		rpc_connection_drop(c);
	else
		rpc_connection_settle(c);
}

static void on_read(struct bufferevent *io, void *context)
{
	(void)io;
	take_lines(context);
}

static void on_written(struct bufferevent *io, void *context)
{
	struct rpc_connection *c = context;
	struct rpc_subscriber *s;
	(void)io;
	TAILQ_FOREACH (s, &c->subscribers, link)
		rpc_subscriber_catch_up(s);
	if (c->paused && !c->closing &&
		rpc_connection_backlog(c) <= rpc_connection_backlog_low(c)) {
		c->paused = false;
		if (!c->ended)
			(void)bufferevent_enable(c->io, EV_READ);
		take_lines(c);
	}
	rpc_connection_settle(c);
}

static void on_event(struct bufferevent *io, short what, void *context)
{
	struct rpc_connection *c = context;
	(void)io;
	if ((what & BEV_EVENT_EOF) == 0) {
		rpc_connection_drop(c);
		return;
	}
	c->ended = true;
	bufferevent_setwatermark(c->io, EV_WRITE, 0, 0);
	take_lines(c);
	/* Half closed (`printf ... | nc -U`) it still waits for answers; closed, nobody does. */
	if (hung_up(c))
		rpc_connection_drop(c);
	else
		rpc_connection_settle(c);
}

int rpc_connection_open(struct rpc_server *server, struct bufferevent *io)
{
	struct rpc_connection *c = calloc(1, sizeof(*c));
	if (c == NULL) {
		bufferevent_free(io);
		return -ENOMEM;
	}
	c->server = server;
	c->io = io;
	TAILQ_INIT(&c->calls);
	TAILQ_INIT(&c->subscribers);
	TAILQ_INSERT_TAIL(&server->connections, c, link);
	server->stats.clients++;
	bufferevent_setcb(io, on_read, on_written, on_event, c);
	/* The longest line and its newline: one byte more without a newline is a line too long. */
	bufferevent_setwatermark(io, EV_READ, 0, (size_t)server->config.request_bytes_max + 1);
	bufferevent_setwatermark(io, EV_WRITE, rpc_connection_backlog_low(c), 0);
	if (bufferevent_enable(io, EV_READ | EV_WRITE) < 0) {
		rpc_connection_drop(c);
		return -ENOMEM;
	}
	return 0;
}

struct rpc_connection *rpc_connection_of_one(struct rpc_server *server,
	void (*on_finished)(struct rpc_connection *connection, void *context), void *context,
	void *owner)
{
	struct rpc_connection *c = calloc(1, sizeof(*c));
	if (c == NULL || (c->reply = evbuffer_new()) == NULL) {
		free(c);
		return NULL;
	}
	c->server = server;
	c->on_finished = on_finished;
	c->context = context;
	c->owner = owner;
	TAILQ_INIT(&c->calls);
	TAILQ_INIT(&c->subscribers);
	TAILQ_INSERT_TAIL(&server->connections, c, link);
	server->stats.clients++;
	return c;
}

void rpc_connection_take_one(struct rpc_connection *c, const char *text, size_t len)
{
	c->taking = true;
	take_line(c, len > 0 ? text : " ", len > 0 ? len : 1); /* nothing is not JSON */
	c->taking = false;
	rpc_connection_call_ended(c);
}

void rpc_connection_call_ended(struct rpc_connection *c)
{
	if (c->io == NULL && !c->taking && c->in_flight == 0 && c->on_finished != NULL)
		c->on_finished(c, c->context);
}

void rpc_connection_drop(struct rpc_connection *c)
{
	struct rpc_call *call;
	struct rpc_subscriber *subscriber;
	TAILQ_REMOVE(&c->server->connections, c, link);
	c->server->stats.clients--;
	while ((call = TAILQ_FIRST(&c->calls)) != NULL)
		rpc_call_gone(call);
	while ((subscriber = TAILQ_FIRST(&c->subscribers)) != NULL)
		rpc_subscriber_gone(subscriber);
	if (c->io != NULL)
		bufferevent_free(c->io);
	else
		evbuffer_free(c->reply);
	free(c);
}
