#include <errno.h>
#include <stdlib.h>

#include "rpc/server.h"

struct rpc_subscriber *rpc_subscribe(struct rpc_call *call,
	void (*on_gone)(struct rpc_subscriber *subscriber, void *context), void *context)
{
	struct rpc_connection *connection = call->connection;
	if (connection->io == NULL || connection->subscriptions >= RPC_SUBSCRIPTIONS_MAX)
		return NULL;
	struct rpc_subscriber *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->connection = connection;
	s->on_gone = on_gone;
	s->context = context;
	TAILQ_INSERT_TAIL(&connection->subscribers, s, link);
	connection->subscriptions++;
	return s;
}

void rpc_subscriber_gone(struct rpc_subscriber *s)
{
	TAILQ_REMOVE(&s->connection->subscribers, s, link);
	s->connection->subscriptions--;
	if (s->on_gone != NULL)
		s->on_gone(s, s->context);
	free(s);
}

void rpc_subscriber_catch_up(struct rpc_subscriber *s)
{
	if (s->missed == 0 ||
		rpc_connection_backlog(s->connection) > rpc_connection_backlog_low(s->connection))
		return;
	json_t *message = json_pack("{s:s, s:s, s:{s:I}}", "jsonrpc", "2.0", "method", "missed",
		"params", "count", (json_int_t)s->missed);
	if (message != NULL && rpc_connection_send(s->connection, message) == 0)
		s->missed = 0;
	json_decref(message);
}

static bool miss(struct rpc_subscriber *s)
{
	s->missed++;
	s->connection->server->stats.notifications_missed++;
	/* Nothing may be on its way out that would wake us later. */
	rpc_subscriber_catch_up(s);
	return false;
}

bool rpc_notify(struct rpc_subscriber *s, const char *method, json_t *params)
{
	struct rpc_connection *c = s->connection;
	if (s->missed > 0 || rpc_connection_backlog(c) >= c->server->config.backlog_bytes_max) {
		json_decref(params);
		return miss(s);
	}
	json_t *message =
		json_pack("{s:s, s:s, s:o*}", "jsonrpc", "2.0", "method", method, "params", params);
	int rc = message == NULL ? -ENOMEM : rpc_connection_send(c, message);
	json_decref(message);
	if (rc < 0)
		return miss(s);
	c->server->stats.notifications++;
	return true;
}

size_t rpc_subscriber_backlog(const struct rpc_subscriber *s)
{
	return rpc_connection_backlog(s->connection);
}

bool rpc_subscriber_is_of(const struct rpc_subscriber *s, const struct rpc_call *call)
{
	return s->connection == call->connection;
}
