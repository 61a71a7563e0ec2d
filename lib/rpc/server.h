/* The server's inside: what server.c, connection.c, call.c and subscriber.c share. Loop's thread
 * only.
 *
 * server 1 - n connection 1 - n call, subscriber. A connection owns its calls and subscribers and
 * tells their holders (on_gone) when it goes.
 */
#pragma once

#include <sys/queue.h>

#include <event2/event.h>

#include "rpc/listener.h"
#include "rpc/rpc.h"

struct bufferevent;

enum {
	RPC_METHODS_MAX = 128,
	RPC_METHOD_NAME_MAX = 63,
	RPC_SUBSCRIPTIONS_MAX = 16, /* of one connection */
	RPC_ERROR_TEXT_MAX = 512,
};

struct rpc_method_entry {
	char name[RPC_METHOD_NAME_MAX + 1];
	rpc_method method;
	void *context;
	const struct rpc_method_info *info; /* NULL: not described */
	json_t *params;                     /* its schema; NULL: not checked */
};

struct rpc_call {
	TAILQ_ENTRY(rpc_call) link;
	struct rpc_connection *connection;
	json_t *id;   /* NULL: a notification, which is never answered */
	bool running; /* its method is on the stack: who answers must not free it */
	bool answered;
	bool deferred;
	void (*on_gone)(struct rpc_call *call, void *context);
	void *context;
};

struct rpc_subscriber {
	TAILQ_ENTRY(rpc_subscriber) link;
	struct rpc_connection *connection;
	uint64_t missed; /* since it was last told */
	void (*on_gone)(struct rpc_subscriber *subscriber, void *context);
	void *context;
};

struct rpc_connection {
	TAILQ_ENTRY(rpc_connection) link;
	struct rpc_server *server;
	struct bufferevent *io; /* NULL: of one request, which came otherwise */
	struct evbuffer *reply; /* of that one */
	void (*on_finished)(struct rpc_connection *connection, void *context);
	void *context, *owner;
	bool taking; /* that one is being read */
	TAILQ_HEAD(, rpc_call) calls;
	unsigned in_flight;
	TAILQ_HEAD(, rpc_subscriber) subscribers;
	unsigned subscriptions;
	bool paused;  /* too much unread output: no request is read */
	bool ended;   /* the client will send no more, but may still read */
	bool closing; /* to be closed once the output is out */
};

struct rpc_server {
	struct event_base *base;
	struct rpc_server_config config; /* limits filled in; socket_path is NULL */
	struct rpc_listener listener;
	struct event *accepting; /* NULL: no socket (driven by a test) */
	struct event *sweep;
	bool accepting_paused; /* out of file descriptors: until the next sweep */
	struct rpc_method_entry methods[RPC_METHODS_MAX];
	unsigned method_count;
	TAILQ_HEAD(, rpc_connection) connections;
	struct rpc_server_stats stats;
};

/* A server without a socket: connections come from rpc_connection_open() alone. 0 or -ENOMEM. */
int rpc_server_create_unbound(struct event_base *base, const struct rpc_server_config *config,
	struct rpc_server **server);

const struct rpc_method_entry *rpc_server_find(const struct rpc_server *server, const char *name);

/* Takes io, also on failure (-ENOMEM). */
int rpc_connection_open(struct rpc_server *server, struct bufferevent *io);
void rpc_connection_drop(struct rpc_connection *connection);

/* Of one request that came over another protocol: on_finished is called once it is answered, with
 * the answer (none for a notification) in rpc_connection_output(), and drops the connection; not
 * called if it is dropped before. NULL without memory. */
struct rpc_connection *rpc_connection_of_one(struct rpc_server *server,
	void (*on_finished)(struct rpc_connection *connection, void *context), void *context,
	void *owner);
void rpc_connection_take_one(struct rpc_connection *connection, const char *text, size_t len);
void *rpc_connection_owner(const struct rpc_connection *connection);
struct evbuffer *rpc_connection_output(const struct rpc_connection *connection);
/* A call of it is gone: it may be finished. connection may be gone afterwards. */
void rpc_connection_call_ended(struct rpc_connection *connection);

/* Drops it if there is nothing left to do for it; connection may be gone afterwards. */
void rpc_connection_settle(struct rpc_connection *connection);
/* The same for one whose client has hung up meanwhile, which no event tells once reading has ended.
 */
void rpc_connection_sweep(struct rpc_connection *connection);

/* Adds one line to the output. 0, or -EINVAL if the message cannot be written as JSON. */
int rpc_connection_send(struct rpc_connection *connection, const json_t *message);
/* An answer whose result is text already; takes the memory. Without memory the client times out. */
void rpc_connection_send_result(
	struct rpc_connection *connection, const json_t *id, char *text, size_t len);
size_t rpc_connection_backlog(const struct rpc_connection *connection);
/* At or below this much backlog a slow client is served again. */
size_t rpc_connection_backlog_low(const struct rpc_connection *connection);

/* The answer to a line that did not become a call; id may be NULL. */
void rpc_connection_refuse(
	struct rpc_connection *connection, json_t *id, int code, const char *text);

/* Runs the method of a request as a call. */
void rpc_call_run(struct rpc_connection *connection, const struct rpc_method_entry *entry,
	json_t *id, json_t *params);
void rpc_call_gone(struct rpc_call *call);

void rpc_subscriber_gone(struct rpc_subscriber *subscriber);
/* Tells it what it missed, if anything and if there is room again. */
void rpc_subscriber_catch_up(struct rpc_subscriber *subscriber);
