/* map put, map get, map del, map ls */
#include "ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/base64.h"
#include "cmd_watch.h"
#include "fields.h"
#include "table.h"
#include "text.h"
#include "units.h"

enum {
	VALUE_BYTES_MAX = 1 << 20, /* the server's own limit is lower, and says what it is */
	VALUE_COLUMNS = 48,
	PAGE_MAX = 1000,
};

static char *read_stdin(struct ctl *ctl, size_t *len)
{
	char *bytes = text_memory(NULL, VALUE_BYTES_MAX + 1);
	*len = fread(bytes, 1, VALUE_BYTES_MAX + 1, stdin);
	if (!ferror(stdin) && *len <= VALUE_BYTES_MAX)
		return bytes;
	(void)ctl_usage(ctl, "standard input: %s",
		ferror(stdin) ? strerror(errno) : "over 1 MiB: too large for a value");
	free(bytes);
	return NULL;
}

/* Text goes as text, everything else as base64. */
static json_t *put_params(const char *key, const char *bytes, size_t len)
{
	json_t *params = json_pack("{s:s}", "key", key);
	json_t *value = memchr(bytes, '\0', len) == NULL ? json_stringn(bytes, len) : NULL;
	const char *name = value != NULL ? "value" : "value_base64";
	if (value == NULL) {
		char *base64 = base64_encode(bytes, len);
		value = json_string(base64);
		free(base64);
	}
	if (json_object_set_new(params, name, value) == 0)
		return params;
	json_decref(params);
	return NULL;
}

static int run_put(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"if-owner", no_argument, NULL, 'o'}, {0}};
	bool if_owner = false;
	int option;
	char dot[FIELD_TEXT_MAX];
	json_t *result;
	size_t len;
	int code;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP)
			return ctl_stop_code();
		if_owner = true;
	}
	if (argc - optind != 2)
		return ctl_usage(ctl, "wants a key and a value");
	const char *key = argv[optind], *value = argv[optind + 1];
	bool piped = strcmp(value, "-") == 0;
	char *bytes = piped ? read_stdin(ctl, &len) : text_copy(value, len = strlen(value));
	if (bytes == NULL)
		return CTL_USAGE;
	json_t *params = put_params(key, bytes, len);
	free(bytes);
	if (params == NULL)
		return ctl_usage(ctl, "the key is not UTF-8");
	if (if_owner)
		json_object_set_new(params, "if_owner", json_true());
	code = ctl_call(ctl, "map.put", params, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		text_say("written as %s", field_dot(result, "dot", dot));
	json_decref(result);
	return CTL_OK;
}

static void print_meta(struct ctl *ctl, const json_t *record, size_t len)
{
	char text[FIELD_TEXT_MAX];
	const json_t *stamp = json_object_get(record, "stamp");
	struct table *t = table_create("|");
	table_cell(t, STYLE_DIM, "key");
	table_cell(t, STYLE_TITLE, "%s", field_text(record, "key"));
	table_cell(t, STYLE_DIM, "writer");
	table_cell(t, STYLE_PLAIN, "%s", field_text(record, "writer"));
	table_cell(t, STYLE_DIM, "dot");
	table_cell(t, STYLE_PLAIN, "%s", field_dot(record, "dot", text));
	table_cell(t, STYLE_DIM, "stamp");
	table_cell(t, STYLE_PLAIN, "clock %" PRId64 ", weight %s, %s", field_number(stamp, "clock"),
		field_text(stamp, "weight"), field_dot(record, "stamp", text));
	table_cell(t, STYLE_DIM, "age");
	table_cell(t, STYLE_PLAIN, "%s",
		field_given(record, "age_ms") ? units_age_ms(field_number(record, "age_ms"), text)
					      : "-");
	table_cell(t, STYLE_DIM, "value");
	table_cell(t, STYLE_PLAIN, "%s", units_bytes((int64_t)len, text));
	table_print(t, stderr, ctl->colour && isatty(STDERR_FILENO));
	table_free(t);
}

static int print_record(struct ctl *ctl, const json_t *record, bool verbose)
{
	size_t len = 0;
	char *bytes = field_value_bytes(record, &len);
	if (bytes == NULL)
		return ctl_fail(ctl, CTL_REFUSED, "the server's answer holds no value");
	if (verbose)
		print_meta(ctl, record, len);
	(void)fwrite(bytes, 1, len, stdout); /* main() looks at stdout's errors */
	if (isatty(STDOUT_FILENO))
		(void)putchar('\n');
	free(bytes);
	return CTL_OK;
}

static int run_get(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"verbose", no_argument, NULL, 'v'}, {0}};
	json_t *record;
	bool verbose = false;
	int option;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP)
			return ctl_stop_code();
		verbose = true;
	}
	if (argc - optind != 1)
		return ctl_usage(ctl, "wants one key");
	int code = ctl_call_named(ctl, "map.get", "key", argv[optind], &record);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(record);
	else
		code = print_record(ctl, record, verbose);
	json_decref(record);
	return code;
}

static int run_del(struct ctl *ctl, int argc, char **argv)
{
	char dot[FIELD_TEXT_MAX];
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	code = ctl_call_named(ctl, "map.del", "key", argv[optind], &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		text_say("deleted as %s", field_dot(result, "dot", dot));
	json_decref(result);
	return CTL_OK;
}

struct listing {
	json_t *params; /* of the next page */
	bool all, verbose;
	json_t *records;
	json_t *next; /* where the listing stopped; NULL: at the end */
	bool next_is_base64;
};

static bool listing_option(struct ctl *ctl, struct listing *l, int option)
{
	long number;
	switch (option) {
	case 'a': l->all = true; return true;
	case 'v': l->verbose = true; return true;
	case 't': return json_object_set_new(l->params, "tombstones", json_true()) == 0;
	case 'l':
		return ctl_number(ctl, "--limit", optarg, 1, PAGE_MAX, &number) &&
		       json_object_set_new(l->params, "limit", json_integer(number)) == 0;
	default: break;
	}
	if (json_object_set_new(l->params, "after", json_string(optarg)) == 0)
		return true;
	(void)ctl_usage(ctl, "--after: not UTF-8");
	return false;
}

static int fetch_listing(struct ctl *ctl, struct listing *l)
{
	for (;;) {
		json_t *page;
		int code = ctl_call(ctl, "map.ls", json_copy(l->params), &page);
		if (code != CTL_OK)
			return code;
		json_t *base64 = json_object_get(page, "next_base64");
		l->next_is_base64 = json_is_string(base64);
		const char *name = l->next_is_base64 ? "after_base64" : "after";
		json_t *next = l->next_is_base64 ? base64 : json_object_get(page, "next");
		json_t *after = json_object_get(l->params, name);
		/* Pages that do not advance would go on for ever. */
		bool advances = json_is_string(next) && !json_equal(next, after);
		(void)json_array_extend(l->records, json_object_get(page, "records"));
		json_decref(l->next);
		l->next = json_is_string(next) ? json_incref(next) : NULL;
		if (l->all && advances) {
			(void)json_object_del(l->params, "after");
			(void)json_object_del(l->params, "after_base64");
			(void)json_object_set(l->params, name, next);
		}
		json_decref(page);
		if (!l->all || !advances)
			return CTL_OK;
	}
}

static void add_record(struct table *t, const json_t *record, bool verbose)
{
	char text[FIELD_TEXT_MAX];
	enum table_style style = field_true(record, "tombstone") ? STYLE_DIM : STYLE_PLAIN;
	char *value = watch_value(record, VALUE_COLUMNS);
	table_cell(t, STYLE_PLAIN, "%s", field_text(record, "key"));
	table_cell(t, style, "%s", value);
	table_cell(t, STYLE_PLAIN, "%s", field_text(record, "writer"));
	table_cell(t, STYLE_PLAIN, "%s",
		field_given(record, "age_ms") ? units_age_ms(field_number(record, "age_ms"), text)
					      : "-");
	if (verbose) {
		table_cell(t, STYLE_PLAIN, "%s", field_dot(record, "dot", text));
		table_cell(t, STYLE_PLAIN, "%" PRId64,
			field_number(json_object_get(record, "stamp"), "clock"));
	}
	free(value);
}

static void print_listing(struct ctl *ctl, const struct listing *l)
{
	const json_t *record;
	size_t i;
	if (ctl->json) {
		json_t *whole = json_pack("{s:O, s:O?}", "records", l->records,
			l->next_is_base64 ? "next_base64" : "next", l->next);
		ctl_print_json(whole);
		json_decref(whole);
		return;
	}
	struct table *t = table_create(
		l->verbose ? "KEY|VALUE|WRITER|>AGE|DOT|>CLOCK" : "KEY|VALUE|WRITER|>AGE");
	json_array_foreach(l->records, i, record) add_record(t, record, l->verbose);
	table_print(t, stdout, ctl->colour);
	table_free(t);
	if (l->next != NULL && l->next_is_base64) {
		(void)fprintf(stderr, "There is more: --all\n");
	} else if (l->next != NULL) {
		char *after = text_safe(json_string_value(l->next), json_string_length(l->next));
		(void)fprintf(stderr, "There is more: --all, or --after '%s'\n", after);
		free(after);
	}
}

static int run_ls(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{"after", required_argument, NULL, 'A'},
		{"limit", required_argument, NULL, 'l'},
		{"tombstones", no_argument, NULL, 't'},
		{"verbose", no_argument, NULL, 'v'},
		{0},
	};
	struct listing l = {.params = json_object(), .records = json_array()};
	int option, code = CTL_OK;
	while (code == CTL_OK && (option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP) {
			code = ctl_stop_code();
			goto out;
		}
		code = listing_option(ctl, &l, option) ? CTL_OK : CTL_USAGE;
	}
	if (code == CTL_OK && argc - optind > 1)
		code = ctl_usage(ctl, "wants one prefix at most");
	if (code == CTL_OK && optind < argc &&
		json_object_set_new(l.params, "prefix", json_string(argv[optind])) < 0)
		code = ctl_usage(ctl, "the prefix is not UTF-8");
	if (code == CTL_OK)
		code = fetch_listing(ctl, &l);
	if (code == CTL_OK)
		print_listing(ctl, &l);
out:
	json_decref(l.params);
	json_decref(l.records);
	json_decref(l.next);
	return code;
}

const struct ctl_command ctl_map_commands[] = {
	{"map put", "KEY VALUE|-", "Write a value (-: standard input, any bytes)",
		"A value that begins with a dash goes behind \"--\": map put -- KEY -5\n"
		"  --if-owner   only if this server owns the key in its own view\n",
		run_put, false},
	{"map get", "KEY", "Print a value",
		"The bytes as they are; a newline is added on a terminal only.\n"
		"  --verbose   writer, dot, stamp and age too, on standard error\n",
		run_get, false},
	{"map del", "KEY", "Delete a key", NULL, run_del, false},
	{"map ls", "[PREFIX]", "List keys and values",
		"  --all          every page, not the first one only\n"
		"  --after KEY    begin after this key\n"
		"  --limit N      keys in a page\n"
		"  --tombstones   deleted keys too\n"
		"  --verbose      dots and clocks too\n",
		run_ls, false},
	{"map watch", "[PREFIX]", "Print changes of the map as they happen", watch_map_help,
		watch_run_map, false},
	{"watch", "[PREFIX]", "Print events and changes of the map as they happen", watch_help,
		watch_run_all, false},
	{"events", "", "Print members' changes and verdicts as they happen", watch_help,
		watch_run_events, false},
	{0},
};
