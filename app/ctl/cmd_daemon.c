/* reload, log, methods, completion */
#include "ctl.h"

#include <string.h>

#include "completion.h"
#include "fields.h"
#include "table.h"
#include "text.h"

static int run_reload(struct ctl *ctl, int argc, char **argv)
{
	json_t *result, *changed, *one;
	bool failed = false;
	size_t i;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, "reload", NULL, &result);
	if (code != CTL_OK)
		return code;
	changed = json_object_get(result, "changed");
	if (ctl->json) {
		ctl_print_json(result);
	} else if (json_array_size(changed) == 0) {
		text_say("%s says what it said before", field_text(result, "file"));
	} else {
		struct table *t = table_create("KEY|CHANGE|ERROR");
		json_array_foreach(changed, i, one)
		{
			const char *what = field_text(one, "change");
			bool in_force = strcmp(what, "in_force") == 0;
			failed = failed || strcmp(what, "failed") == 0;
			table_cell(t, STYLE_PLAIN, "%s", field_text(one, "key"));
			table_cell(t, in_force ? STYLE_GOOD : STYLE_WARN, "%s",
				in_force                       ? "in force"
				: strcmp(what, "restart") == 0 ? "waits for a restart"
							       : what);
			table_cell(t, STYLE_PLAIN, "%s", field_text(one, "error"));
		}
		table_print(t, stdout, ctl->colour);
		table_free(t);
	}
	json_decref(result);
	return failed ? CTL_REFUSED : CTL_OK;
}

static int run_log(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 1, &code))
		return code;
	code = ctl_call_named(
		ctl, "log.level", "level", optind < argc ? argv[optind] : NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		text_say("%s (the configuration says %s)", field_text(result, "level"),
			field_text(result, "configured"));
	json_decref(result);
	return CTL_OK;
}

/* "key, limit?": the parameters of a schema. */
static void add_params(struct table *t, const json_t *schema)
{
	char text[FIELD_TEXT_MAX] = "";
	const json_t *required = json_object_get(schema, "required"), *one;
	const char *name;
	json_t *value;
	size_t len = 0, i;
	/* jansson's iteration takes no const object. */
	json_object_foreach(json_object_get((json_t *)schema, "properties"), name, value)
	{
		bool optional = true;
		json_array_foreach(required, i, one)
		{
			optional = optional && strcmp(json_string_value(one), name) != 0;
		}
		int more = snprintf(text + len, sizeof(text) - len, "%s%s%s", len > 0 ? ", " : "",
			name, optional ? "?" : "");
		len = more > 0 && len + (size_t)more < sizeof(text) ? len + (size_t)more : len;
	}
	table_cell(t, STYLE_PLAIN, "%s", len > 0 ? text : "-");
}

static int run_methods(struct ctl *ctl, int argc, char **argv)
{
	json_t *result, *method;
	size_t i;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, "methods", NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		struct table *t = table_create("METHOD|PARAMETERS|DOES");
		json_array_foreach(json_object_get(result, "methods"), i, method)
		{
			table_cell(t, STYLE_PLAIN, "%s", field_text(method, "name"));
			add_params(t, json_object_get(method, "params"));
			table_cell(t, STYLE_PLAIN, "%s", field_text(method, "summary"));
		}
		table_sort(t);
		table_print(t, stdout, ctl->colour);
		table_free(t);
	}
	json_decref(result);
	return CTL_OK;
}

static int run_completion(struct ctl *ctl, int argc, char **argv)
{
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	if (strcmp(argv[optind], "bash") == 0)
		completion_bash(stdout);
	else if (strcmp(argv[optind], "zsh") == 0)
		completion_zsh(stdout);
	else
		return ctl_usage(ctl, "\"%s\" is neither bash nor zsh", argv[optind]);
	return CTL_OK;
}

const struct ctl_command ctl_daemon_commands[] = {
	{"reload", "", "Have the configuration read again; says what waits for a restart", NULL,
		run_reload, false},
	{"log", "[LEVEL]", "Say which messages are logged, or change it",
		"LEVEL is error, warning, info or debug; until the next start.\n", run_log, false},
	{"methods", "", "List the methods of the control RPC", NULL, run_methods, false},
	{"completion", "bash|zsh", "Print the shell's completion script",
		"Installed already where the package's own folders are used.\n", run_completion,
		false},
	{0},
};
