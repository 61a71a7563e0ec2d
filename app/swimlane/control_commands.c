#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ticks.h"

void commands_init(struct control *control)
{
	for (uint32_t i = 0; i < COMMANDS_MAX; i++)
		control->free_commands[control->free_count++] = &control->app->command_pool[i];
}

int commands_submit(struct control *control, enum keeper_command_kind kind, const char *key,
	const void *value, size_t value_len, void (*done)(struct keeper_command *command),
	void *context)
{
	return commands_submit_bytes(
		control, kind, key, strlen(key), value, value_len, 0, done, context);
}

int commands_submit_bytes(struct control *control, enum keeper_command_kind kind, const void *key,
	size_t key_len, const void *value, size_t value_len, int64_t number,
	void (*done)(struct keeper_command *command), void *context)
{
	if (key_len > SW_KEY_MAX || value_len > MAP_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (control->free_count == 0)
		return -EBUSY;
	struct keeper_command *c = control->free_commands[--control->free_count];
	c->kind = kind;
	c->wall_ms = ticks_wall_ms();
	c->key_len = (uint16_t)key_len;
	c->value_len = (uint16_t)value_len;
	c->number = number;
	memcpy(c->key, key, key_len);
	if (value_len > 0)
		memcpy(c->value, value, value_len);
	c->done = done;
	c->context = context;
	/* The ring is as long as the commands are many: cannot be full. */
	(void)rte_ring_sp_enqueue(control->app->commands, c);
	idle_wake(&control->app->keeper.idle);
	control_soon(control);
	return 0;
}

void commands_drain(struct control *control)
{
	struct keeper_command *c;
	while (rte_ring_sc_dequeue(control->app->commands_done, (void **)&c) == 0) {
		if (c->done != NULL)
			c->done(c);
		control->free_commands[control->free_count++] = c;
	}
	if (control->free_count < COMMANDS_MAX)
		control_soon(control);
}

void commands_rpc_error(struct rpc_call *call, const char *key, int result)
{
	switch (result) {
	case -EAGAIN:
		rpc_error(call, RPC_NOT_READY,
			"this server has not completed its first session yet; try again in a "
			"moment");
		break;
	case -EBUSY:
		rpc_error(call, RPC_BUSY, "%d writes are under way; try again", COMMANDS_MAX);
		break;
	case -ENOENT: rpc_error(call, RPC_NOT_FOUND, "nothing is known as %s", key); break;
	case -EMSGSIZE:
		rpc_error(call, RPC_TOO_LARGE,
			"a key has at most %d bytes, key and value together %d: a record is never "
			"split over packets",
			SW_KEY_MAX, MAP_PAYLOAD_MAX);
		break;
	case -ENOSPC:
		rpc_error(call, RPC_TOO_LARGE,
			"the map is full; raise map.records_max or map.megabytes, or delete "
			"something");
		break;
	case -EINVAL: rpc_error(call, RPC_INVALID_PARAMS, "key: must not be empty"); break;
	default: rpc_error(call, RPC_INTERNAL, "%s: %s", key, strerror(-result)); break;
	}
}

static void not_owner(
	const struct control *control, struct rpc_call *call, const char *key, uint64_t owner_id)
{
	char name[64];
	if (owner_id == 0)
		rpc_error(call, RPC_REFUSED,
			"nobody owns %s in this server's view yet; try again in a moment", key);
	else
		rpc_error(call, RPC_REFUSED, "%s owns %s in this server's view",
			server_name(control, owner_id, name), key);
}

/* A write whose caller waits for it. If the caller goes first, `call` is cleared. */
struct write {
	struct control *control;
	struct rpc_call *call;
	const char *label;
	char text[SW_KEY_MAX + 1];
};

static void on_gone(struct rpc_call *call, void *context)
{
	struct write *w = context;
	(void)call;
	w->call = NULL;
}

static void on_written(struct keeper_command *command)
{
	struct write *w = command->context;
	if (w->call != NULL && command->result == -EPERM)
		not_owner(w->control, w->call, w->text, (uint64_t)command->number);
	else if (w->call != NULL && command->result < 0)
		commands_rpc_error(w->call, w->text, command->result);
	else if (w->call != NULL)
		rpc_result(w->call, json_pack("{s:s, s:o}", w->label, w->text, "dot",
					    dot_to_json(w->control, command->dot)));
	free(w);
}

void commands_write(struct control *control, struct rpc_call *call, enum keeper_command_kind kind,
	const char *key, const void *value, size_t value_len, const char *label, const char *text)
{
	struct write *w = calloc(1, sizeof(*w));
	if (w == NULL) {
		rpc_error(call, RPC_INTERNAL, "no memory");
		return;
	}
	w->control = control;
	w->call = call;
	w->label = label;
	(void)snprintf(w->text, sizeof(w->text), "%s", text);
	int rc = commands_submit(control, kind, key, value, value_len, on_written, w);
	if (rc == 0) {
		rpc_defer(call, on_gone, w);
		return;
	}
	commands_rpc_error(call, text, rc);
	free(w);
}

json_t *dot_to_json(const struct control *control, struct dot dot)
{
	char name[64];
	return json_pack("{s:s, s:I, s:I}", "server", server_name(control, dot.actor.id, name),
		"epoch", (json_int_t)dot.actor.epoch, "seq", (json_int_t)dot.seq);
}
