/* JSON-RPC 2.0, one message a line, over a UNIX socket: server and client.
 *
 * The server lives on an event loop (libevent) and belongs to that loop's thread, the control core.
 * A method gets its parameters as JSON and answers at once, later (rpc_defer), or with an error; a
 * method that defers keeps the call until it answers or the client is gone. Clients can subscribe:
 * the server then sends notifications until the client closes.
 *
 * Bounds, each with its own error or counter: clients, bytes of a request line, requests in flight
 * a client, bytes waiting to be read by a slow client (a subscriber above it is told
 * {"method":"missed","params":{"count":n}} once there is room again, and gets nothing in between).
 * Other clients that do not read their answers are not read from until they do. A line ends with a
 * newline; the last one of a client that shuts its sending side down needs none, and is still
 * answered.
 *
 * rpc_server_create() sets SIGPIPE to be ignored, if nobody handles it.
 *
 * Source of the protocol: JSON-RPC 2.0 Specification (2013), without batches.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct event_base;
struct rpc_server;
struct rpc_call;
struct rpc_subscriber;
struct rpc_method_info;

enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL = -32603,
	/* swimlane's own */
	RPC_NOT_FOUND = -32001, /* no such key, server, origin */
	RPC_BUSY = -32002,      /* a bounded queue is full: try again */
	RPC_NOT_READY = -32003, /* before the first complete session */
	RPC_TOO_LARGE = -32004, /* key or value over its limit, table full */
	RPC_REFUSED = -32005,   /* understood, and not done: the message says why */
	RPC_TOO_MANY = -32006,  /* clients or requests in flight */
};

struct rpc_server_config {
	const char *socket_path;
	unsigned socket_mode;       /* permissions of the socket file, e.g. 0660 */
	const char *socket_group;   /* name or number; NULL: as it comes */
	unsigned clients_max;       /* 0: 256 */
	unsigned request_bytes_max; /* 0: 65,536 */
	unsigned in_flight_max;     /* for each client; 0: 64 */
	unsigned backlog_bytes_max; /* unread output of one client; 0: 4 MiB */
};

struct rpc_server_stats {
	uint64_t clients; /* now */
	uint64_t clients_refused;
	uint64_t requests;
	uint64_t errors; /* error answers, and those that a notification did not get */
	uint64_t notifications;
	uint64_t notifications_missed;
};

/* params is an object (empty if none were sent) and is borrowed for the time of the call;
 * rpc_defer() does not keep it. Answer exactly once with rpc_result() or rpc_error(), now or later.
 */
typedef void (*rpc_method)(struct rpc_call *call, json_t *params, void *context);

/* 0 or -errno, with a message for people in `error` (what, where, how to mend it). The socket file
 * of a process that is gone is replaced; where somebody still answers it is -EADDRINUSE. */
int rpc_server_create(struct event_base *base, const struct rpc_server_config *config,
	struct rpc_server **server, char *error, size_t error_len);

/* Closes clients and removes the socket file; unsent answers are lost. Not from inside a method. */
void rpc_server_destroy(struct rpc_server *server);

/* 0; -EEXIST, -ENOSPC (128 methods) or -EINVAL (name of 1 to 63 bytes). */
int rpc_server_method(
	struct rpc_server *server, const char *name, rpc_method method, void *context);
/* The same with what the method takes (rpc/method.h): its parameters are checked before it runs,
 * and a stream is refused to who cannot get notifications. `info` is kept. -EINVAL also if a row of
 * it cannot be read. */
int rpc_server_method_info(struct rpc_server *server, const struct rpc_method_info *info,
	rpc_method method, void *context);
/* What `methods` answers: all methods by name, those without info with their name alone. */
json_t *rpc_server_methods(const struct rpc_server *server);
void rpc_server_stats(const struct rpc_server *server, struct rpc_server_stats *stats);

/* Take the reference to result (may be NULL: null). After these the call is gone. */
void rpc_result(struct rpc_call *call, json_t *result);
/* The same with the result as JSON text of len bytes; takes the memory of malloc(). For large
 * results: nothing is copied. */
void rpc_result_text(struct rpc_call *call, char *text, size_t len);
void rpc_error(struct rpc_call *call, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Says that the answer comes later. If the client goes first, on_gone is called and the call is no
 * longer valid. */
void rpc_defer(struct rpc_call *call, void (*on_gone)(struct rpc_call *call, void *context),
	void *context);

/* Makes the caller a subscriber (the call itself is still to be answered). on_gone is called once
 * when its connection ends; the subscriber is then no longer valid. NULL if this connection has 16
 * already, or no memory: answer RPC_TOO_MANY. */
struct rpc_subscriber *rpc_subscribe(struct rpc_call *call,
	void (*on_gone)(struct rpc_subscriber *subscriber, void *context), void *context);

/* Bytes that its client has not read yet, of answers and of all its subscriptions. */
size_t rpc_subscriber_backlog(const struct rpc_subscriber *subscriber);
/* Did that call come on its connection? */
bool rpc_subscriber_is_of(const struct rpc_subscriber *subscriber, const struct rpc_call *call);

/* Sends {"jsonrpc":"2.0","method":method,"params":params}; takes the reference (NULL: none). False
 * if the subscriber's backlog was full and it missed this. */
bool rpc_notify(struct rpc_subscriber *subscriber, const char *method, json_t *params);

/* ---- client: blocking, for programs such as swimlanectl ---- */

struct rpc_client;

/* 0 or -errno, with a message for people in `error` (what, where, how to mend it). timeout_ms
 * bounds the opening and each call. */
int rpc_client_open(const char *socket_path, int timeout_ms, struct rpc_client **client,
	char *error, size_t error_len);
void rpc_client_close(struct rpc_client *client);

/* 0 and *result (a new reference); or -EREMOTEIO with the server's error code and message; or
 * another -errno when the connection failed (-ETIMEDOUT, -ECONNRESET, …; code is then 0).
 * Notifications that come in between are kept for rpc_client_next(). Takes the reference to params
 * (may be NULL). */
int rpc_client_call(struct rpc_client *client, const char *method, json_t *params, json_t **result,
	int *code, char *error, size_t error_len);

/* Waits for the next notification. 0 and a new reference to the whole message, -ETIMEDOUT,
 * -ECONNRESET if the server went away, or another -errno. timeout_ms < 0: for ever. */
int rpc_client_next(struct rpc_client *client, int timeout_ms, json_t **message);
