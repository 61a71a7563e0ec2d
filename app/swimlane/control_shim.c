/* test.shim: loses packets and cuts links, for tests on real processes. Only where the
 * configuration allows it. */
#include "control.h"

#include <stdlib.h>

#include "log.h"

static bool add_block(const struct control *control, struct shim *shim, const char *text)
{
	const struct swim_member *m = server_find(control, text);
	struct sw_endpoint *e = &shim->block[shim->block_count];
	if (shim->block_count == SHIM_BLOCKS_MAX)
		return false;
	if (m != NULL)
		*e = m->record.at;
	else if (sw_endpoint_parse(text, 1, e) < 0)
		return false;
	shim->block_count++;
	return true;
}

/* The old one is freed when no lane can be reading it any more. Control waits for that, at most for
 * one turn of a lane. */
static void replace(struct control *control, struct shim *shim)
{
	struct shim *old = atomic_exchange(&control->app->shim, shim);
	control_offline(control);
	rte_rcu_qsbr_synchronize(control->app->rcu, RTE_QSBR_THRID_INVALID);
	control_online(control);
	free(old);
}

static json_t *shim_to_json(const struct shim *shim)
{
	json_t *block = json_array();
	char text[SW_ENDPOINT_TEXT_MAX];
	for (uint32_t i = 0; i < shim->block_count; i++)
		json_array_append_new(
			block, json_string(sw_endpoint_format_addr(&shim->block[i], text)));
	return json_pack("{s:i, s:o}", "drop_percent", (int)shim->drop_percent, "block", block);
}

static void set_shim(struct control *control, struct rpc_call *call, json_t *params)
{
	const struct shim *now = atomic_load(&control->app->shim);
	json_t *percent = json_object_get(params, "drop_percent"),
	       *block = json_object_get(params, "block"), *item;
	struct shim *shim = calloc(1, sizeof(*shim));
	size_t i;
	if (shim == NULL) {
		rpc_error(call, RPC_INTERNAL, "no memory");
		return;
	}
	if (now != NULL)
		*shim = *now;
	json_int_t p =
		percent != NULL ? json_integer_value(percent) : (json_int_t)shim->drop_percent;
	if ((percent != NULL && !json_is_integer(percent)) || p < 0 || p > 100 ||
		(block != NULL && !json_is_array(block))) {
		rpc_error(call, RPC_INVALID_PARAMS,
			"drop_percent: 0 to 100; block: a list of servers or addresses");
		free(shim);
		return;
	}
	shim->drop_percent = (uint32_t)p;
	if (block != NULL)
		shim->block_count = 0;
	json_array_foreach(block, i, item)
	{
		const char *text = json_string_value(item);
		if (text == NULL || !add_block(control, shim, text)) {
			rpc_error(call, RPC_INVALID_PARAMS,
				"block: entry %zu is no server or address, or above %d", i,
				SHIM_BLOCKS_MAX);
			free(shim);
			return;
		}
	}
	log_line(LOG_WARNING, "test shim: losing %u %% of received packets, blocking %u addresses",
		shim->drop_percent, shim->block_count);
	replace(control, shim);
	rpc_result(call, shim_to_json(shim));
}

void shim_methods(struct control *control)
{
	control_add(control, "test.shim", set_shim);
}
