#include "control.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "control_jobs.h"
#include "control_progress.h"
#include "epoch.h"
#include "log.h"
#include "sealing.h"
#include "methods.h"
#include "rpc/http.h"
#include "ticks.h"

enum { TICK_US = 2000, SOON_US = 100, PORT_MS = 100, LEAVE_MS = 2000 };

void control_online(struct control *control)
{
	rte_rcu_qsbr_thread_online(control->app->rcu, control->app->control_thread);
}

void control_offline(struct control *control)
{
	rte_rcu_qsbr_thread_offline(control->app->rcu, control->app->control_thread);
}

static void again_in(struct control *control, long us)
{
	struct timeval t = {0, us};
	(void)event_add(
		control->tick, &t); /* fails only without memory: the next call tries again */
}

void control_soon(struct control *control)
{
	again_in(control, SOON_US);
}

void control_stop(struct control *control, int exit_code)
{
	control->exit_code = exit_code;
	(void)event_base_loopbreak(control->base);
}

bool control_lane(struct control *control, enum lane_command_kind kind, uint64_t server_id)
{
	struct lane_command command = {server_id, kind};
	if (rte_ring_sp_enqueue_elem(control->app->lane_commands, &command, sizeof(command)) != 0)
		return false;
	idle_wake(&control->app->lanes[0].idle);
	return true;
}

void control_leave(struct control *control)
{
	if (control->leaving)
		return;
	control->leaving = true;
	notify_stopping(control);
	control->leave_deadline_ns = ticks_now_ns() + LEAVE_MS * SW_NS_PER_MS;
	log_line(LOG_INFO, "leaving: telling the others");
	(void)control_lane(control, LANE_LEAVE, 0); /* a full ring: they find out by themselves */
	control_soon(control);
}

static void finish_leave(struct control *control)
{
	bool left = atomic_load_explicit(&control->app->left, memory_order_acquire);
	if (!left && ticks_now_ns() < control->leave_deadline_ns)
		return;
	if (left)
		log_line(LOG_INFO, "left");
	else
		log_line(LOG_WARNING,
			"left without telling everybody: lane 0 did not answer in %d ms", LEAVE_MS);
	control_stop(control, 0);
}

/* Not while online: the disk may take its time, and nothing is reclaimed meanwhile. */
static void remember_epoch(struct control *control)
{
	char error[256];
	if (control->epoch <= control->epoch_written)
		return;
	control->epoch_written = control->epoch;
	if (epoch_remember(control->app->config->state_dir, control->epoch, error, sizeof(error)) <
		0)
		log_line(LOG_WARNING, "%s", error);
}

/* Peers for the port, the epoch for the state folder. */
static void follow_members(struct control *control)
{
	const struct members_view *view = view_get_reader(control->app->board);
	if (view->version == control->members_seen)
		return;
	control->epoch = view->self.epoch;
	control->members_seen = view->version;
	for (uint32_t i = 0; i < view->count; i++)
		if (!view->members[i].self &&
			nic_want_peer(control->app->port, &view->members[i].record.at) == -ENOSPC)
			log_line(LOG_WARNING, "no room in the neighbour table for %s",
				view->members[i].record.name);
	if (view->phase == SWIM_STOOD_DOWN) {
		log_line(LOG_ERROR, "another live server has the id of this one and a newer life: "
				    "this one stands down; "
				    "give each server a name or id of its own");
		control_stop(control, EXIT_STOOD_DOWN);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;
	uint64_t now_ns = ticks_now_ns();
	(void)fd;
	(void)what;
	again_in(control, TICK_US);
	control_online(control);
	commands_drain(control);
	events_drain(control);
	changes_drain(control);
	follow_members(control);
	sealing_tick(control->app, now_ns);
	typed_tick(control, now_ns);
	spread_tick(control, now_ns);
	origins_tick(control);
	control_offline(control);
	capture_tick(control);
	remember_epoch(control);
	persist_tick(control, now_ns);
	if (now_ns >= control->next_port_ns) {
		control->next_port_ns = now_ns + PORT_MS * SW_NS_PER_MS;
		nic_control_tick(control->app->port, now_ns);
		progress_tick(control, now_ns);
		notify_tick(control, now_ns);
	}
	if (control->leaving)
		finish_leave(control);
	if (control->app->sealing != NULL && control->app->sealing->exhausted)
		control_stop(control, 1); /* a supervisor starts the next instance */
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct control *control = arg;
	(void)what;
	if (number == SIGHUP) {
		reload_by_signal(control);
		return;
	}
	/* The second one ends the process at once; the first after a `leave` by RPC is not the
	 * second. */
	if (control->signalled) {
		log_line(LOG_ERROR, "second signal: stopping without leaving");
		(void)signal((int)number, SIG_DFL);
		(void)raise((int)number);
		_exit(1);
	}
	control->signalled = true;
	control_leave(control);
}

static void call_method(struct rpc_call *call, json_t *params, void *context)
{
	struct method *method = context;
	control_online(method->control);
	method->run(method->control, call, params);
	control_offline(method->control);
}

void control_add(struct control *control, const char *name, control_method run)
{
	assert(control->method_count < CONTROL_METHODS_MAX);
	struct method *method = &control->methods[control->method_count++];
	const struct rpc_method_info *info = methods_find(name);
	*method = (struct method){control, run};
	int rc = info != NULL ? rpc_server_method_info(control->rpc, info, call_method, method)
			      : rpc_server_method(control->rpc, name, call_method, method);
	assert(rc == 0);
	(void)rc;
}

const char *control_text(struct rpc_call *call, json_t *params, const char *name)
{
	const char *text = json_string_value(json_object_get(params, name));
	if (text == NULL)
		rpc_error(call, RPC_INVALID_PARAMS, "%s: a text is needed, as in {\"%s\": \"…\"}",
			name, name);
	return text;
}

bool control_text_or(struct rpc_call *call, json_t *params, const char *name, const char **text)
{
	json_t *value = json_object_get(params, name);
	if (value == NULL || json_is_null(value))
		return true;
	*text = json_string_value(value);
	if (*text == NULL)
		rpc_error(call, RPC_INVALID_PARAMS, "%s: must be a text", name);
	return *text != NULL;
}

static int open_rpc(struct control *control)
{
	const struct config *c = control->app->config;
	struct rpc_server_config config = {.socket_path = c->control_socket,
		.socket_mode = c->control_mode,
		.socket_group = c->control_group[0] != '\0' ? c->control_group : NULL};
	char error[512];
	int rc = rpc_server_create(control->base, &config, &control->rpc, error, sizeof(error));
	if (rc < 0) {
		log_line(LOG_ERROR, "%s", error);
		return rc;
	}
	daemon_methods(control);
	log_methods(control);
	reload_methods(control);
	cluster_methods(control);
	map_methods(control);
	ls_methods(control);
	watch_methods(control);
	typed_methods(control);
	spread_methods(control);
	events_methods(control);
	origins_methods(control);
	duties_methods(control);
	keys_methods(control);
	ownership_methods(control);
	plan_methods(control);
	balance_methods(control);
	stats_methods(control);
	capture_methods(control);
	if (c->test_shim)
		shim_methods(control);
	return http_open(control);
}

static int open_loop(struct control *control)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	control->base = event_base_new();
	if (control->base == NULL)
		return -ENOMEM;
	control->tick = event_new(control->base, -1, 0, on_tick, control);
	if (control->tick == NULL)
		return -ENOMEM;
	for (int i = 0; i < 3; i++) {
		control->signals[i] = evsignal_new(control->base, numbers[i], on_signal, control);
		if (control->signals[i] == NULL || event_add(control->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void close_control(struct control *control)
{
	rpc_http_destroy(control->http);
	if (control->rpc != NULL)
		rpc_server_destroy(control->rpc);
	persist_fini(control);
	watch_fini(control); /* after the server, which tells them that their clients are gone */
	jobs_fini(control);
	origins_fini(control);
	for (int i = 0; i < 3; i++)
		if (control->signals[i] != NULL)
			event_free(control->signals[i]);
	if (control->tick != NULL)
		event_free(control->tick);
	if (control->base != NULL)
		event_base_free(control->base);
	free(control->reloaded);
	free(control->reloaded_origins);
	free(control);
}

/* Sockets are bound, memory is taken: what is left to do needs what the port needs. */
static void give_up_privileges(struct control *control)
{
	struct privileges *p = &control->privileges;
	struct nic_info port;
	char held[512];
	nic_port_info(control->app->port, &port);
	int rc = privileges_drop(port.capabilities, p);
	privileges_text(p->held, held, sizeof(held));
	if (rc == 0)
		log_line(LOG_INFO,
			"capabilities: %s kept, of %d at the start; none of %u threads can gain "
			"any",
			held, __builtin_popcountll(p->before), p->threads);
	else
		log_line(LOG_ERROR,
			"capabilities: not all of %u threads gave up theirs (%s): held are %s",
			p->threads, strerror(-rc), held);
}

int control_run(struct appliance *app, const struct start_info *info)
{
	struct control *control = calloc(1, sizeof(*control));
	char error[CONFIG_ERROR_MAX];
	if (control == NULL)
		return 1;
	control->app = app;
	/* Not const where it came from: main() has it. */
	control->config = (struct config *)(uintptr_t)app->config;
	control->info = info;
	control->exit_code = 1;
	control->epoch_written = info->epoch; /* at the start */
	commands_init(control);
	notify_init(control);
	if (open_loop(control) == 0 && jobs_init(control) == 0 && watch_init(control) == 0 &&
		persist_init(control) == 0 && origins_init(control) == 0 &&
		open_rpc(control) == 0) {
		give_up_privileges(control);
		if (appliance_launch(app, error) < 0) {
			log_line(LOG_ERROR, "%s", error);
		} else {
			log_line(LOG_INFO, "running; swimlanectl --socket %s status",
				app->config->control_socket);
			again_in(control, 0);
			(void)event_base_dispatch(control->base); /* until control_stop() */
		}
	}
	int exit_code = control->exit_code;
	notify_stopping(control);
	appliance_stop(app);
	persist_finish(control);
	close_control(control);
	return exit_code;
}
