/* capture: what lanes took in and sent, packet by packet, to one client at a time. */
#include "control.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "rpc/base64.h"
#include "ticks.h"

enum { RATE = 1000, AT_ONCE = CAPTURE_SLOTS };

static void on_gone(struct rpc_subscriber *subscriber, void *context)
{
	struct control *control = context;
	(void)subscriber;
	control->capture_client = NULL; /* the next tick ends it */
}

static bool read_types(struct rpc_call *call, const json_t *types, uint64_t *bits)
{
	const json_t *item;
	size_t i;
	json_array_foreach(types, i, item)
	{
		int type = wire_type_of_name(json_string_value(item));
		if (type < 0) {
			rpc_error(call, RPC_INVALID_PARAMS, "types: \"%s\" is none",
				json_string_value(item));
			return false;
		}
		*bits |= UINT64_C(1) << type;
	}
	return true;
}

/* Checked by the method's table already: only what a table cannot say is looked at here. */
static bool read_filter(struct control *control, struct rpc_call *call, const json_t *params,
	struct capture_filter *f)
{
	const char *peer = json_string_value(json_object_get(params, "peer"));
	const json_t *rate = json_object_get(params, "rate_max");
	*f = (struct capture_filter){.rate = RATE};
	if (rate != NULL)
		f->rate = (uint32_t)json_integer_value(rate);
	f->clear = json_is_true(json_object_get(params, "clear"));
	if (f->clear && control->app->seal != NULL && !control->config->capture_clear) {
		rpc_error(call, RPC_REFUSED,
			"packets are sealed, and `control.capture_clear` does not allow to show "
			"what is in "
			"them");
		return false;
	}
	if (peer != NULL) {
		const struct swim_member *m = server_find(control, peer);
		if (m == NULL) {
			rpc_error(call, RPC_NOT_FOUND, "no server \"%s\"", peer);
			return false;
		}
		f->peer_id = m->record.actor.id;
	}
	return read_types(call, json_object_get(params, "types"), &f->types);
}

static void capture(struct control *control, struct rpc_call *call, json_t *params)
{
	struct appliance *app = control->app;
	struct capture_filter filter;
	char text[SW_ENDPOINT_TEXT_MAX];
	if (atomic_load(&app->capture) != NULL) {
		rpc_error(call, RPC_BUSY, "there is a capture already");
		return;
	}
	if (!read_filter(control, call, params, &filter))
		return;
	struct capture *c = capture_create(&filter, app->config->lane_count);
	if (c != NULL)
		control->capture_client = rpc_subscribe(call, on_gone, control);
	if (c == NULL || control->capture_client == NULL) {
		free(c);
		rpc_error(
			call, RPC_TOO_MANY, "no memory, or as many subscriptions as there may be");
		return;
	}
	control->capture_missed = 0;
	atomic_store_explicit(&app->capture, c, memory_order_release);
	log_line(LOG_WARNING, "capture: begins, of %s", filter.clear ? "whole packets" : "headers");
	rpc_result(call, json_pack("{s:s}", "address", sw_endpoint_format(&app->at, text)));
}

static void tell(struct control *control, uint16_t lane, const struct capture_slot *slot)
{
	char text[SW_ENDPOINT_TEXT_MAX];
	char *bytes = base64_encode(slot->bytes, slot->whole ? slot->len : WIRE_HEADER_LEN);
	if (bytes == NULL)
		return;
	uint64_t ago_ns = ticks_now_ns() - slot->at_ns;
	(void)rpc_notify(control->capture_client, "capture.packet",
		json_pack("{s:I, s:i, s:b, s:s, s:i, s:s}", "at_us",
			(json_int_t)(ticks_wall_us() - ago_ns / SW_NS_PER_US), "lane", (int)lane,
			"sent", (int)slot->sent, "peer", sw_endpoint_format(&slot->peer, text),
			"length", (int)slot->len, "base64", bytes));
	free(bytes);
}

static void end(struct control *control)
{
	struct capture *c = atomic_exchange(&control->app->capture, NULL);
	rte_rcu_qsbr_synchronize(control->app->rcu, RTE_QSBR_THRID_INVALID);
	free(c);
	log_line(LOG_INFO, "capture: over");
}

void capture_tick(struct control *control)
{
	struct capture *c = atomic_load_explicit(&control->app->capture, memory_order_relaxed);
	uint64_t missed = 0;
	if (c == NULL)
		return;
	for (uint16_t l = 0; l < c->lanes; l++) {
		struct capture_ring *ring = &c->rings[l];
		const struct capture_slot *slot;
		for (int i = 0; i < AT_ONCE && control->capture_client != NULL &&
				(slot = capture_front(ring)) != NULL;
			i++) {
			if (slot->len > 0)
				tell(control, l, slot);
			capture_pop(ring);
		}
		missed += atomic_load_explicit(&ring->missed, memory_order_relaxed);
	}
	if (control->capture_client == NULL) {
		end(control);
	} else if (missed > control->capture_missed) {
		control->capture_missed = missed;
		(void)rpc_notify(control->capture_client, "capture.missed",
			json_pack("{s:I}", "packets", (json_int_t)missed));
	}
}

void capture_methods(struct control *control)
{
	control_add(control, "capture", capture);
}
