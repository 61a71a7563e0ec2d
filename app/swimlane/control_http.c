/* The RPC over HTTP, /metrics and /healthz. */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "control_progress.h"
#include "log.h"
#include "metrics.h"
#include "rpc/http.h"
#include "ticks.h"

static void on_metrics(struct rpc_http_answer *answer, const char *accept, void *context)
{
	struct control *control = context;
	bool openmetrics = metrics_wants_openmetrics(accept);
	answer->type = openmetrics ? metrics_type_openmetrics : metrics_type_text;
	control_online(control);
	metrics_write(control, answer->body, openmetrics);
	control_offline(control);
}

json_t *control_reasons(struct control *control)
{
	const struct appliance *app = control->app;
	char who[32];
	json_t *list = json_array();
	control_online(control);
	enum swim_phase phase = view_get_reader(app->board)->phase;
	control_offline(control);
	if (phase == SWIM_STOOD_DOWN)
		json_array_append_new(list, json_string("stood down: another server has this id"));
	else if (control->leaving || phase == SWIM_LEFT)
		json_array_append_new(list, json_string("leaving"));
	else if (phase == SWIM_JOINING)
		json_array_append_new(list, json_string("joining: no seed has answered yet"));
	else if (!map_ready(app->map))
		json_array_append_new(
			list, json_string("starting: the map's first session is not complete"));
	if (!progress_made(control, ticks_now_ns(), who, sizeof(who)))
		json_array_append_new(list,
			json_sprintf("stuck: %s has not turned for %d ms", who, PROGRESS_STUCK_MS));
	return list;
}

static void on_healthz(struct rpc_http_answer *answer, const char *accept, void *context)
{
	json_t *list = control_reasons(context);
	bool well = json_array_size(list) == 0;
	json_t *j = json_pack("{s:b, s:o}", "ok", (int)well, "reasons", list);
	char *text = json_dumps(j, JSON_COMPACT);
	(void)accept;
	answer->status = well ? 200 : 503;
	answer->type = "application/json";
	if (text != NULL)
		(void)evbuffer_add_printf(answer->body, "%s\n", text);
	free(text);
	json_decref(j);
}

int http_open(struct control *control)
{
	const struct config *c = control->app->config;
	const struct rpc_http_config config = {
		.listen = c->http_listen,
		.token_file = c->http_token_file[0] != '\0' ? c->http_token_file : NULL,
		.socket_mode = c->control_mode,
		.socket_group = c->control_group[0] != '\0' ? c->control_group : NULL,
	};
	char error[512];
	if (c->http_listen[0] == '\0')
		return 0;
	int rc = rpc_http_create(
		control->base, control->rpc, &config, &control->http, error, sizeof(error));
	if (rc < 0) {
		log_line(LOG_ERROR, "%s", error);
		return rc;
	}
	bool metrics = c->http_without_token == OPEN_METRICS;
	rc = rpc_http_page_add(control->http, "/metrics", metrics, on_metrics, control);
	if (rc == 0)
		rc = rpc_http_page_add(control->http, "/healthz",
			c->http_without_token != OPEN_NOTHING, on_healthz, control);
	log_line(LOG_INFO, "control over HTTP on %s", c->http_listen);
	return rc;
}
