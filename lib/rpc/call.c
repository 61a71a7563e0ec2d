#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rpc/request.h"
#include "rpc/server.h"

static void free_call(struct rpc_call *call)
{
	TAILQ_REMOVE(&call->connection->calls, call, link);
	call->connection->in_flight--;
	json_decref(call->id);
	free(call);
}

static void end_call(struct rpc_call *call)
{
	struct rpc_connection *connection = call->connection;
	free_call(call);
	rpc_connection_call_ended(connection);
}

/* Every answered call passes here once. */
static void answered(struct rpc_call *call)
{
	assert(!call->answered);
	call->answered = true;
	if (!call->running)
		end_call(call);
}

void rpc_call_run(struct rpc_connection *connection, const struct rpc_method_entry *entry,
	json_t *id, json_t *params)
{
	struct rpc_call *call = calloc(1, sizeof(*call));
	if (call == NULL) {
		rpc_connection_refuse(connection, id, RPC_INTERNAL, "out of memory");
		return;
	}
	call->connection = connection;
	call->id = json_incref(id);
	TAILQ_INSERT_TAIL(&connection->calls, call, link);
	connection->in_flight++;

	call->running = true;
	entry->method(call, params, entry->context);
	if (!call->answered && !call->deferred)
		rpc_error(call, RPC_INTERNAL, "the method \"%s\" gave no answer", entry->name);
	call->running = false;
	if (call->answered)
		end_call(call);
}

void rpc_call_gone(struct rpc_call *call)
{
	if (call->on_gone != NULL)
		call->on_gone(call, call->context);
	free_call(call);
}

void rpc_defer(
	struct rpc_call *call, void (*on_gone)(struct rpc_call *call, void *context), void *context)
{
	assert(call->running && !call->answered);
	call->deferred = true;
	call->on_gone = on_gone;
	call->context = context;
}

void rpc_result(struct rpc_call *call, json_t *result)
{
	if (result == NULL)
		result = json_null();
	if (call->id != NULL) {
		json_t *answer = json_pack(
			"{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", call->id, "result", result);
		if (answer == NULL || rpc_connection_send(call->connection, answer) < 0)
			rpc_connection_refuse(call->connection, call->id, RPC_INTERNAL,
				"the answer cannot be written as JSON");
		json_decref(answer);
	}
	json_decref(result);
	answered(call);
}

void rpc_result_text(struct rpc_call *call, char *text, size_t len)
{
	if (call->id == NULL)
		free(text);
	else
		rpc_connection_send_result(call->connection, call->id, text, len);
	answered(call);
}

void rpc_error(struct rpc_call *call, int code, const char *format, ...)
{
	char text[RPC_ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* cut if long: it is for people */
	va_end(args);
	call->connection->server->stats.errors++;
	if (call->id != NULL)
		rpc_connection_refuse(call->connection, call->id, code, text);
	answered(call);
}
