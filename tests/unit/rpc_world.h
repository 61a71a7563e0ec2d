/* A server on a loop that the test turns by hand, and raw clients: for tests of lib/rpc. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>
#include <jansson.h>

#include "rpc/rpc.h"

enum { HELD_MAX = 128, RAW_BYTES_MAX = 1 << 20 };

struct world {
	char folder[64];
	char path[96];
	struct event_base *base;
	struct rpc_server *server;
	struct rpc_call *held[HELD_MAX]; /* calls that "hold" deferred */
	unsigned held_count;
	unsigned calls_gone;
	struct rpc_subscriber *subscribers[HELD_MAX]; /* in order of subscription; NULL: gone */
	unsigned subscriber_count;
	unsigned subscribers_gone;
	unsigned touched; /* calls of "touch" */
};

/* A server in a folder of its own, with the methods echo, fail, hold, forget, subscribe, touch,
 * big, stop. NULL: it could not be made, and the test has failed. */
struct world *world_open(const struct rpc_server_config *limits);
void world_close(struct world *w);
/* Turns the loop until nothing has happened for a moment. */
void world_turn(struct world *w);

/* A client's raw end; non-blocking. */
int raw_open(const struct world *w);
void raw_send(struct world *w, int fd, const char *text);
/* Everything that has come by now, after turning the loop; a static buffer. */
const char *raw_read(struct world *w, int fd);
/* The server has closed this connection. */
bool raw_closed(struct world *w, int fd);
