#include "cmd_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "fields.h"
#include "table.h"
#include "text.h"
#include "units.h"

enum { CHANGE_COLUMNS = 80 };

const char watch_help[] = "Until it is interrupted. With --json, one line for each notification.\n"
			  "  --count N    stop after N of them\n"
			  "  --for TIME   stop after this long\n";

const char watch_map_help[] =
	"Until it is interrupted. With --json, one line for each notification.\n"
	"  --count N       stop after N of them\n"
	"  --for TIME      stop after this long\n"
	"  --resume FILE   begin with what changed since the vector in this file, if it is\n"
	"                  there, and keep the vector in it\n";

static const char *resume_path; /* one watch a run */

char *watch_value(const json_t *record, size_t columns)
{
	char text[FIELD_TEXT_MAX], size[UNITS_TEXT_MAX];
	const json_t *value = json_object_get(record, "value");
	if (field_true(record, "tombstone"))
		return text_copy("(deleted)", strlen("(deleted)"));
	if (json_is_string(value))
		return text_cut(json_string_value(value), json_string_length(value), columns);
	size_t len = 0;
	char *bytes = field_value_bytes(record, &len);
	if (bytes == NULL)
		return text_copy("-", 1);
	free(bytes);
	int written = snprintf(text, sizeof(text), "(binary, %s)", units_bytes((int64_t)len, size));
	return text_copy(text, (size_t)written);
}

static void print_now(void)
{
	char now[UNITS_TEXT_MAX];
	(void)printf("%s  ", units_wall_ms(units_now_ms(), now));
}

/* Notifications were lost, here or in the server: what is printed from now on has a gap. */
static void print_missed(struct ctl *ctl, const json_t *params)
{
	int64_t count = field_number(params, "count");
	print_now();
	(void)printf("%smissed", table_style_begin(STYLE_WARN, ctl->colour));
	if (count > 0)
		(void)printf(" %" PRId64, count);
	(void)printf("%s  (read faster, or list anew)\n", table_style_end(STYLE_WARN, ctl->colour));
}

static bool is_missed(const char *method)
{
	return method != NULL &&
	       (strcmp(method, "missed") == 0 || strcmp(method, "map.missed") == 0);
}

static char *safe_field(const json_t *object, const char *name)
{
	const char *text = field_text(object, name);
	return text_safe(text, strlen(text));
}

static void print_change(struct ctl *ctl, const char *method, const json_t *params)
{
	char dot[FIELD_TEXT_MAX];
	if (is_missed(method)) {
		print_missed(ctl, params);
		return;
	}
	if (method != NULL && strcmp(method, "map.displaced") == 0) {
		char *lost = safe_field(params, "key");
		print_now();
		(void)printf("%s  %sa write of %s gave way to %s%s\n", lost,
			table_style_begin(STYLE_DIM, ctl->colour), field_dot(params, "dot", dot),
			field_dot(params, "by", (char[FIELD_TEXT_MAX]){0}),
			table_style_end(STYLE_DIM, ctl->colour));
		free(lost);
		return;
	}
	bool deleted = field_true(params, "tombstone");
	enum table_style style = deleted ? STYLE_DIM : STYLE_PLAIN;
	char *plain = watch_value(params, CHANGE_COLUMNS);
	char *value = text_safe(plain, strlen(plain));
	char *key = safe_field(params, "key");
	char *writer = safe_field(params, "writer");
	(void)field_dot(params, "dot", dot);
	char *safe_dot = text_safe(dot, strlen(dot));
	print_now();
	(void)printf("%s  %s%s%s  %sby %s, %s%s\n", key, table_style_begin(style, ctl->colour),
		value, table_style_end(style, ctl->colour),
		table_style_begin(STYLE_DIM, ctl->colour), writer, safe_dot,
		table_style_end(STYLE_DIM, ctl->colour));
	free(plain);
	free(value);
	free(key);
	free(writer);
	free(safe_dot);
}

static enum table_style event_style(const char *kind)
{
	static const struct {
		const char *kind;
		enum table_style style;
	} styles[] = {
		{"alive", STYLE_GOOD},
		{"ready", STYLE_GOOD},
		{"refuted", STYLE_GOOD},
		{"suspect", STYLE_WARN},
		{"dead", STYLE_BAD},
		{"stand_down", STYLE_BAD},
		{"left", STYLE_DIM},
	};
	for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++)
		if (strcmp(styles[i].kind, kind) == 0)
			return styles[i].style;
	return STYLE_PLAIN;
}

static void print_event(struct ctl *ctl, const char *method, const json_t *params)
{
	char at[UNITS_TEXT_MAX];
	if (is_missed(method)) {
		print_missed(ctl, params);
		return;
	}
	const char *plain = field_text(params, "kind");
	enum table_style style = event_style(plain);
	char *kind = text_safe(plain, strlen(plain));
	char *server =
		text_safe(field_text(params, "server"), strlen(field_text(params, "server")));
	char *text = text_safe(field_text(params, "text"), strlen(field_text(params, "text")));
	(void)printf("%s  %s%-10s%s  %-16s  %s\n", units_wall_ms(field_number(params, "at_ms"), at),
		table_style_begin(style, ctl->colour), kind, table_style_end(style, ctl->colour),
		server, text);
	free(kind);
	free(server);
	free(text);
}

/* CTL_OK, and the stream's limit and at most `arguments` arguments from optind on. Otherwise *stop.
 */
static int watch_options(
	struct ctl *ctl, int argc, char **argv, int arguments, struct ctl_limit *limit, bool *stop)
{
	static const struct option options[] = {
		{"count", required_argument, NULL, 'c'},
		{"for", required_argument, NULL, 'f'},
		{"resume", required_argument, NULL, 'r'},
		{0},
	};
	long count;
	int option;
	*stop = true;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		switch (option) {
		case 'c':
			if (!ctl_number(ctl, "--count", optarg, 1, INT32_MAX, &count))
				return CTL_USAGE;
			limit->count = (unsigned long)count;
			break;
		case 'f':
			if (!ctl_duration(ctl, "--for", optarg, &limit->for_ms))
				return CTL_USAGE;
			break;
		case 'r':
			if (arguments == 0)
				return ctl_usage(ctl, "events cannot be resumed");
			resume_path = optarg;
			break;
		default: return ctl_stop_code();
		}
	}
	if (argc - optind > arguments)
		return ctl_usage(
			ctl, "too many arguments, from \"%s\" on", argv[optind + arguments]);
	*stop = false;
	return CTL_OK;
}

/* Written beside, then renamed: a watch that is killed leaves the last one whole. */
static void keep_vector(struct ctl *ctl, const json_t *vector)
{
	size_t len = strlen(resume_path);
	char *fresh = text_memory(NULL, len + sizeof(".new"));
	memcpy(fresh, resume_path, len);
	memcpy(fresh + len, ".new", sizeof(".new"));
	if (json_dump_file(vector, fresh, JSON_COMPACT) < 0 || rename(fresh, resume_path) < 0)
		(void)ctl_fail(
			ctl, CTL_REFUSED, "cannot write %s: %s", resume_path, strerror(errno));
	free(fresh);
}

/* Vectors are for programs: they are kept, or shown with --json only. */
static bool note_vector(struct ctl *ctl, const char *method, const json_t *params)
{
	if (method == NULL || strcmp(method, "map.vector") != 0)
		return false;
	if (resume_path != NULL)
		keep_vector(ctl, json_object_get(params, "vector"));
	if (ctl->json) {
		json_t *whole = json_pack("{s:s, s:O}", "method", method, "params", params);
		ctl_print_json(whole);
		json_decref(whole);
	}
	return true;
}

/* False after saying what is wrong with the file. */
static bool add_vector(struct ctl *ctl, json_t *params)
{
	json_error_t why;
	if (resume_path == NULL || access(resume_path, F_OK) != 0)
		return true;
	json_t *vector = json_load_file(resume_path, 0, &why);
	if (json_is_object(vector))
		return json_object_set_new(params, "vector", vector) == 0;
	json_decref(vector);
	(void)ctl_usage(
		ctl, "%s: holds no vector (%s); remove it to begin anew", resume_path, why.text);
	return false;
}

int watch_run_map(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_limit limit = {.note = note_vector};
	bool stop;
	int code = watch_options(ctl, argc, argv, 1, &limit, &stop);
	if (stop)
		return code;
	json_t *params = json_object();
	if (optind < argc && json_object_set_new(params, "prefix", json_string(argv[optind])) < 0)
		code = ctl_usage(ctl, "the prefix is not UTF-8");
	else if (!add_vector(ctl, params))
		code = CTL_USAGE;
	else
		return ctl_follow(ctl, "map.watch", params, limit, print_change);
	json_decref(params);
	return code;
}

int watch_run_events(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_limit limit = {0};
	bool stop;
	int code = watch_options(ctl, argc, argv, 0, &limit, &stop);
	return stop ? code : ctl_follow(ctl, "events", NULL, limit, print_event);
}

static void print_any(struct ctl *ctl, const char *method, const json_t *params)
{
	if (method != NULL && strcmp(method, "event") == 0)
		print_event(ctl, method, params);
	else
		print_change(ctl, method, params);
}

int watch_run_all(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_limit limit = {0};
	json_t *params = json_object(), *result;
	bool stop;
	int code = watch_options(ctl, argc, argv, 1, &limit, &stop);
	if (!stop && optind < argc &&
		json_object_set_new(params, "prefix", json_string(argv[optind])) < 0) {
		code = ctl_usage(ctl, "the prefix is not UTF-8");
		stop = true;
	}
	if (!stop && (code = ctl_call(ctl, "events", NULL, &result)) == CTL_OK) {
		json_decref(result);
		return ctl_follow(ctl, "map.watch", params, limit, print_any);
	}
	json_decref(params);
	return code;
}
