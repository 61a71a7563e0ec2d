/* Calls that are answered later, by another one, or never: two methods that the fuzzers of RPC
 * have. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "rpc/server.h"

enum { HELD_MAX = 16 };

static struct {
	struct rpc_call *calls[HELD_MAX];
	unsigned count;
} held;

/* Not assert(): must also hold in a build without assertions. */
static void check(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void forget_call(struct rpc_call *call, void *context)
{
	(void)context;
	for (unsigned i = 0; i < held.count; i++)
		if (held.calls[i] == call) {
			held.calls[i] = held.calls[--held.count];
			return;
		}
	check(false, "a call that nobody held has gone");
}

static void held_hold(struct rpc_call *call)
{
	if (held.count == HELD_MAX) {
		rpc_error(call, RPC_BUSY, "full");
		return;
	}
	held.calls[held.count++] = call;
	rpc_defer(call, forget_call, NULL);
}

static void method_answer(struct rpc_call *call, json_t *params, void *context)
{
	(void)params, (void)context;
	if (held.count > 0)
		rpc_result(held.calls[--held.count], json_true());
	rpc_result(call, NULL);
}
