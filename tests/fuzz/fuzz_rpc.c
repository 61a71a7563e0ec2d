/* Arbitrary bytes as what a client sends, in arbitrary pieces, through the server's own framing,
 * request reading, calls, subscriptions and backlog; without a socket. Whatever comes, each line
 * that the server sends is JSON-RPC, all its connections end, and every deferred call and
 * subscriber is accounted for.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "held.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct {
	struct rpc_subscriber *newest;
	int count;
} subscribers;

static void forget_subscriber(struct rpc_subscriber *subscriber, void *context)
{
	(void)context;
	if (subscribers.newest == subscriber)
		subscribers.newest = NULL;
	subscribers.count--;
}

static void method_echo(struct rpc_call *call, json_t *params, void *context)
{
	(void)context;
	rpc_result(call, json_incref(params));
}

static void method_fail(struct rpc_call *call, json_t *params, void *context)
{
	(void)context;
	const char *text = json_string_value(json_object_get(params, "a"));
	rpc_error(call, RPC_REFUSED, "no: %.5s", text != NULL ? text : "because");
}

static void method_hold(struct rpc_call *call, json_t *params, void *context)
{
	(void)params, (void)context;
	held_hold(call);
}

static void method_watch(struct rpc_call *call, json_t *params, void *context)
{
	(void)params, (void)context;
	struct rpc_subscriber *s = rpc_subscribe(call, forget_subscriber, NULL);
	if (s != NULL) {
		subscribers.newest = s;
		subscribers.count++;
	}
	rpc_result(call, s != NULL ? json_true() : json_false());
}

static void method_tell(struct rpc_call *call, json_t *params, void *context)
{
	(void)context;
	for (int i = 0; i < 20 && subscribers.newest != NULL; i++)
		(void)rpc_notify(subscribers.newest, "told", json_incref(params));
	rpc_result(call, NULL);
}

static void check_answers(struct evbuffer *answers)
{
	char *line;
	while ((line = evbuffer_readln(answers, NULL, EVBUFFER_EOL_LF)) != NULL) {
		json_t *message = json_loads(line, 0, NULL);
		check(json_is_object(message), "an answer is no JSON object");
		const char *version = json_string_value(json_object_get(message, "jsonrpc"));
		check(version != NULL && strcmp(version, "2.0") == 0,
			"an answer without a version");
		check(json_object_get(message, "method") != NULL ||
				(json_object_get(message, "id") != NULL &&
					(json_object_get(message, "result") != NULL) !=
						(json_object_get(message, "error") != NULL)),
			"an answer that is neither a result nor an error nor a notification");
		json_decref(message);
		free(line);
	}
}

static void turn(struct event_base *base)
{
	for (int i = 0; i < 6; i++)
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
}

/* The first byte of each piece says how long it is, and whether the client reads afterwards. */
static void play(
	struct event_base *base, struct bufferevent *client, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		bool reads = (bytes[0] & 1) != 0;
		size_t piece = bytes[0] == 0xff ? len - 1 : bytes[0] >> 1;
		bytes++, len--;
		if (piece > len)
			piece = len;
		(void)bufferevent_write(client, bytes, piece);
		bytes += piece;
		len -= piece;
		turn(base);
		if (reads) {
			(void)bufferevent_enable(client, EV_READ);
			turn(base);
			check_answers(bufferevent_get_input(client));
			(void)bufferevent_disable(client, EV_READ);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct event_base *base;
	const struct rpc_server_config limits = {
		.request_bytes_max = 200,
		.in_flight_max = 3,
		.backlog_bytes_max = 500,
	};
	struct rpc_server *server;
	struct bufferevent *ends[2];
	if (base == NULL)
		base = event_base_new();
	memset(&held, 0, sizeof(held));
	memset(&subscribers, 0, sizeof(subscribers));
	check(rpc_server_create_unbound(base, &limits, &server) == 0, "no server");
	check(rpc_server_method(server, "e", method_echo, NULL) == 0, "no method");
	check(rpc_server_method(server, "f", method_fail, NULL) == 0, "no method");
	check(rpc_server_method(server, "h", method_hold, NULL) == 0, "no method");
	check(rpc_server_method(server, "a", method_answer, NULL) == 0, "no method");
	check(rpc_server_method(server, "w", method_watch, NULL) == 0, "no method");
	check(rpc_server_method(server, "t", method_tell, NULL) == 0, "no method");

	check(bufferevent_pair_new(base, 0, ends) == 0, "no pair");
	check(rpc_connection_open(server, ends[0]) == 0, "no connection");
	(void)bufferevent_enable(ends[1], EV_WRITE);
	play(base, ends[1], bytes, len);
	(void)bufferevent_flush(ends[1], EV_WRITE, BEV_FINISHED);
	turn(base);
	bufferevent_free(ends[1]);
	turn(base);

	rpc_server_destroy(server);
	check(held.count == 0, "a deferred call outlived its server");
	check(subscribers.count == 0, "a subscriber outlived its server");
	turn(base);
	return 0;
}
