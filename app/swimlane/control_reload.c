/* reload: the configuration is read again, by RPC or SIGHUP, and what can be brought into force
 * without a restart is. A file with a mistake changes nothing. */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_changes.h"
#include "log.h"
#include "rpc/http.h"
#include "rpc/listener.h"

typedef int (*apply)(struct control *control, const struct config *wanted, char *error);

static int apply_log(struct control *control, const struct config *wanted, char *error)
{
	(void)error;
	control->config->log_level = wanted->log_level;
	log_level_everywhere(wanted->log_level);
	return 0;
}

static int apply_socket(struct control *control, const struct config *wanted, char *error)
{
	int rc = rpc_listener_permit(wanted->control_socket, wanted->control_mode,
		wanted->control_group[0] != '\0' ? wanted->control_group : NULL);
	if (rc < 0) {
		(void)snprintf(error, CONFIG_ERROR_MAX, "%s: %s", wanted->control_socket,
			rc == -ENOENT  ? "no such group"
			: rc == -EPERM ? "a group that this process is not in: add its user to it, "
					 "or restart as root"
				       : strerror(-rc));
		return rc;
	}
	control->config->control_mode = wanted->control_mode;
	memcpy(control->config->control_group, wanted->control_group,
		sizeof(wanted->control_group));
	return 0;
}

static int apply_token(struct control *control, const struct config *wanted, char *error)
{
	if (control->http == NULL)
		return 0;
	int rc = rpc_http_token_reload(
		control->http, wanted->http_token_file, error, CONFIG_ERROR_MAX);
	if (rc == 0)
		memcpy(control->config->http_token_file, wanted->http_token_file,
			sizeof(wanted->http_token_file));
	return rc;
}

static int apply_health(struct control *control, const struct config *wanted, char *error)
{
	(void)error;
	struct health_config *running = &control->config->health;
	running->checks_per_s_max = wanted->health.checks_per_s_max;
	running->concurrent_max = wanted->health.concurrent_max;
	running->refresh_ms = wanted->health.refresh_ms;
	if (control->checker != NULL)
		health_checker_limits(control->checker, running->checks_per_s_max,
			running->concurrent_max, running->refresh_ms);
	return 0;
}

static int apply_origins(struct control *control, const struct config *wanted, char *error)
{
	size_t bytes = wanted->origin_count * sizeof(wanted->origins[0]);
	struct health_origin *list = malloc(bytes > 0 ? bytes : 1);
	if (list == NULL) {
		(void)snprintf(error, CONFIG_ERROR_MAX, "no memory");
		return -ENOMEM;
	}
	if (bytes > 0)
		memcpy(list, wanted->origins, bytes);
	origins_reload(control, list, wanted->origin_count);
	return 0;
}

static int apply_weight(struct control *control, const struct config *wanted, char *error)
{
	if (control_lane(control, LANE_WEIGHT, wanted->weight))
		return 0;
	(void)snprintf(error, CONFIG_ERROR_MAX, "lane 0 has as many commands as it takes");
	return -EBUSY;
}

/* Keys that the table calls live; those of one function lie together. */
static const struct {
	const char *key;
	apply apply;
} live[] = {
	{"weight", apply_weight},
	{"health.checks_per_s_max", apply_health},
	{"health.concurrent_max", apply_health},
	{"health.refresh_ms", apply_health},
	{"origins", apply_origins},
	{"control.mode", apply_socket},
	{"control.group", apply_socket},
	{"control.http.token_file", apply_token},
	{"log.level", apply_log},
};

static apply find(const struct config_key *key)
{
	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		if (strcmp(live[i].key, key->path) == 0)
			return live[i].apply;
	return NULL;
}

bool reload_is_live(const char *key)
{
	const struct config_key *row = config_key_find(key);
	return row != NULL && find(row) != NULL;
}

static json_t *take(struct control *control, const struct config *wanted,
	const struct config_key *const *changed, int count)
{
	json_t *list = json_array();
	apply last = NULL;
	char error[CONFIG_ERROR_MAX] = "";
	int rc = 0;
	for (int i = 0; i < count; i++) {
		const struct config_key *key = changed[i];
		apply now = find(key);
		if (now != NULL && now != last)
			rc = now(control, wanted, error);
		last = now;
		const char *what = now == NULL ? "restart" : rc < 0 ? "failed" : "in_force";
		json_t *j = json_pack("{s:s, s:s}", "key", key->path, "change", what);
		if (now != NULL && rc < 0)
			json_object_set_new(j, "error", json_string(error));
		json_array_append_new(list, j);
		if (now == NULL)
			log_line(LOG_WARNING, "reload: %s waits for a restart", key->path);
		else if (rc < 0)
			log_line(LOG_ERROR, "reload: %s is as it was: %s", key->path, error);
		else
			log_line(LOG_INFO, "reload: %s is in force", key->path);
	}
	return list;
}

/* The files of the token and of the keys are read again even if their names are the same. */
static void renew_secrets(struct control *control)
{
	char error[512];
	(void)keys_renew(control, error);
	if (control->http != NULL &&
		rpc_http_token_reload(control->http, NULL, error, sizeof(error)) < 0)
		log_line(LOG_ERROR, "reload: the token is as it was: %s", error);
}

/* What waits for a restart is told against the file of the start, so that it is told until then;
 * what is live, against what was last brought into force. */
static int compare(const struct control *control, const struct config *wanted,
	const struct config_key **changed)
{
	const struct config_key *since_start[CONFIG_KEYS_MAX], *since_last[CONFIG_KEYS_MAX];
	const struct config *c = control->config;
	const char *last = control->reloaded != NULL ? control->reloaded : c->text;
	size_t last_len = control->reloaded != NULL ? control->reloaded_len : c->text_len;
	int start =
		config_changes(c->text, c->text_len, wanted->text, wanted->text_len, since_start);
	int recent = config_changes(last, last_len, wanted->text, wanted->text_len, since_last);
	int count = 0;
	if (start < 0 || recent < 0)
		return start < 0 ? start : recent;
	for (int i = 0; i < start; i++)
		if (find(since_start[i]) == NULL)
			changed[count++] = since_start[i];
	for (int i = 0; i < recent; i++)
		if (find(since_last[i]) != NULL)
			changed[count++] = since_last[i];
	return count;
}

/* NULL with a message: nothing has changed. */
static json_t *reload(struct control *control, char *error)
{
	struct config wanted;
	const struct config_key *changed[2 * CONFIG_KEYS_MAX];
	const struct config *running = control->config;
	if (running->path == NULL) {
		(void)snprintf(error, CONFIG_ERROR_MAX, "this server was started without a file");
		return NULL;
	}
	if (config_load(running->path, &wanted, error) < 0)
		return NULL;
	int count = compare(control, &wanted, changed);
	if (count < 0) {
		(void)snprintf(error, CONFIG_ERROR_MAX, "%s: %s", running->path, strerror(-count));
		config_free(&wanted);
		return NULL;
	}
	renew_secrets(control);
	json_t *list = take(control, &wanted, changed, count);
	if (count == 0)
		log_line(LOG_INFO, "reload: %s says what it said before", running->path);
	free(control->reloaded);
	control->reloaded = wanted.text;
	control->reloaded_len = wanted.text_len;
	wanted.text = NULL;
	config_free(&wanted);
	return list;
}

void reload_by_signal(struct control *control)
{
	char error[CONFIG_ERROR_MAX];
	control_online(control);
	json_t *list = reload(control, error);
	control_offline(control);
	if (list == NULL)
		log_line(LOG_ERROR, "reload: nothing has changed: %s", error);
	json_decref(list);
}

static void on_reload(struct control *control, struct rpc_call *call, json_t *params)
{
	char error[CONFIG_ERROR_MAX];
	(void)params;
	json_t *list = reload(control, error);
	if (list == NULL)
		rpc_error(call, RPC_REFUSED, "nothing has changed: %s", error);
	else
		rpc_result(call,
			json_pack("{s:s, s:o}", "file", control->config->path, "changed", list));
}

void reload_methods(struct control *control)
{
	control_add(control, "reload", on_reload);
}
