/* origin add, origin rm, origin list, health */
#include "ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "table.h"
#include "text.h"
#include "units.h"

enum { NUMBER_RISE_MAX = 100, NUMBER_JITTER_MAX = 50 };

/* Another line of "Name: value" to those that were given. */
static bool add_line(struct ctl *ctl, json_t *origin, const char *option, const char *key)
{
	const char *lines = json_string_value(json_object_get(origin, key));
	json_t *longer = json_sprintf("%s%s\n", lines != NULL ? lines : "", optarg);
	if (longer != NULL && json_object_set_new(origin, key, longer) == 0)
		return true;
	(void)ctl_usage(ctl, "%s: not UTF-8", option);
	return false;
}

/* One option of `origin add` into the origin's JSON. */
static bool set_option(struct ctl *ctl, json_t *origin, int option)
{
	long number;
	int ms;
	switch (option) {
	case 'i':
		return ctl_duration(ctl, "--interval", optarg, &ms) &&
		       json_object_set_new(origin, "interval_ms", json_integer(ms)) == 0;
	case 't':
		return ctl_duration(ctl, "--timeout", optarg, &ms) &&
		       json_object_set_new(origin, "timeout_ms", json_integer(ms)) == 0;
	case 'r':
		return ctl_number(ctl, "--rise", optarg, 1, NUMBER_RISE_MAX, &number) &&
		       json_object_set_new(origin, "rise", json_integer(number)) == 0;
	case 'f':
		return ctl_number(ctl, "--fall", optarg, 1, NUMBER_RISE_MAX, &number) &&
		       json_object_set_new(origin, "fall", json_integer(number)) == 0;
	case 'F':
		return ctl_duration(ctl, "--fast-interval", optarg, &ms) &&
		       json_object_set_new(origin, "fast_interval_ms", json_integer(ms)) == 0;
	case 'j':
		return ctl_number(ctl, "--jitter", optarg, 0, NUMBER_JITTER_MAX, &number) &&
		       json_object_set_new(origin, "jitter_pct", json_integer(number)) == 0;
	case 'h': return add_line(ctl, origin, "--header", "headers");
	case 'x': return add_line(ctl, origin, "--expect-header", "expect_headers");
	case 'n': return json_object_set_new(origin, "verify_tls", json_false()) == 0;
	default: break;
	}
	const char *name = option == 'b' ? "expect_body" : option == 'e' ? "expect_status" : "host";
	if (json_object_set_new(origin, name, json_string(optarg)) == 0)
		return true;
	(void)ctl_usage(ctl, "%s: not UTF-8", name);
	return false;
}

static int add_origin(struct ctl *ctl, const char *name, const char *url, json_t *origin)
{
	json_t *result, *params;
	if (json_object_set_new(origin, "url", json_string(url)) < 0 ||
		(params = json_pack("{s:s, s:O}", "name", name, "origin", origin)) == NULL)
		return ctl_usage(ctl, "NAME and URL must be UTF-8");
	int code = ctl_call(ctl, "origin.add", params, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		text_say("added %s", field_text(result, "name"));
	json_decref(result);
	return CTL_OK;
}

static int run_origin_add(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"interval", required_argument, NULL, 'i'},
		{"fast-interval", required_argument, NULL, 'F'},
		{"jitter", required_argument, NULL, 'j'},
		{"header", required_argument, NULL, 'h'},
		{"expect-header", required_argument, NULL, 'x'},
		{"timeout", required_argument, NULL, 't'},
		{"rise", required_argument, NULL, 'r'},
		{"fall", required_argument, NULL, 'f'},
		{"expect-status", required_argument, NULL, 'e'},
		{"expect-body", required_argument, NULL, 'b'},
		{"host", required_argument, NULL, 'H'},
		{"no-verify", no_argument, NULL, 'n'},
		{0},
	};
	json_t *origin = json_object();
	int option, code;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option != CTL_OPTION_STOP && set_option(ctl, origin, option))
			continue;
		code = option == CTL_OPTION_STOP ? ctl_stop_code() : CTL_USAGE;
		json_decref(origin);
		return code;
	}
	if (argc - optind != 2)
		code = ctl_usage(ctl, "wants a name and a URL");
	else
		code = add_origin(ctl, argv[optind], argv[optind + 1], origin);
	json_decref(origin);
	return code;
}

static int run_origin_rm(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	code = ctl_call_named(ctl, "origin.rm", "name", argv[optind], &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		text_say("removed %s", field_text(result, "name"));
	json_decref(result);
	return CTL_OK;
}

static int run_origin_maintenance(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"end", no_argument, NULL, 'e'}, {0}};
	json_t *result, *params;
	bool end = false;
	int option;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP)
			return ctl_stop_code();
		end = true;
	}
	if (argc - optind != (end ? 1 : 2))
		return ctl_usage(ctl, end ? "wants a name" : "wants a name and a reason, or --end");
	params = json_pack(
		"{s:s, s:s}", "name", argv[optind], "reason", end ? "" : argv[optind + 1]);
	if (params == NULL)
		return ctl_usage(ctl, "NAME and REASON must be UTF-8");
	int code = ctl_call(ctl, "origin.maintenance", params, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		text_say("%s is %s", field_text(result, "name"),
			end ? "checked again" : "in maintenance");
	json_decref(result);
	return CTL_OK;
}

static void add_target(struct table *t, const json_t *origin)
{
	const char *url = json_string_value(json_object_get(origin, "url"));
	if (url != NULL)
		table_cell(t, STYLE_PLAIN, "%s", url);
	else
		table_cell(t, STYLE_PLAIN, "%s://%s:%" PRId64 "%s", field_text(origin, "type"),
			field_text(origin, "address"), field_number(origin, "port"),
			field_given(origin, "path") ? field_text(origin, "path") : "");
}

static int run_origin_list(struct ctl *ctl, int argc, char **argv)
{
	char text[UNITS_TEXT_MAX];
	json_t *result, *entry;
	size_t i;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, "origin.list", NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		struct table *t =
			table_create("NAME|TARGET|>EVERY|>TIMEOUT|>RISE|>FALL|OWNER|MAINTENANCE");
		json_array_foreach(json_object_get(result, "origins"), i, entry)
		{
			const json_t *origin = json_object_get(entry, "origin");
			table_cell(t, STYLE_PLAIN, "%s", field_text(entry, "name"));
			add_target(t, origin);
			table_cell(t, STYLE_PLAIN, "%s",
				units_age_ms(field_number(origin, "interval_ms"), text));
			table_cell(t, STYLE_PLAIN, "%s",
				units_age_ms(field_number(origin, "timeout_ms"), text));
			table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(origin, "rise"));
			table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(origin, "fall"));
			table_cell(t, STYLE_PLAIN, "%s", field_text(entry, "owner"));
			table_cell(t, STYLE_WARN, "%s", field_text(origin, "maintenance"));
		}
		table_print(t, stdout, ctl->colour);
		table_free(t);
	}
	json_decref(result);
	return CTL_OK;
}

static enum table_style health_style(const char *state)
{
	return strcmp(state, "up") == 0     ? STYLE_GOOD
	       : strcmp(state, "down") == 0 ? STYLE_BAD
					    : STYLE_WARN;
}

static void add_verdict(struct table *t, const json_t *origin)
{
	char text[FIELD_TEXT_MAX];
	const char *state = field_text(origin, "state");
	int64_t latency_us = field_number(origin, "latency_us");
	int64_t average_us = field_number(origin, "latency_avg_us");
	table_cell(t, STYLE_PLAIN, "%s", field_text(origin, "name"));
	table_cell(t, health_style(state), "%s%s", state,
		field_true(origin, "stale") ? " (stale)" : "");
	table_cell(t, STYLE_PLAIN, "%s", field_ago(origin, "since_ms", text));
	table_cell(t, STYLE_PLAIN, "%s", field_ago(origin, "checked_ms", text));
	table_cell(t, STYLE_PLAIN, "%s",
		latency_us > 0 ? units_latency_us((double)latency_us, text) : "-");
	table_cell(t, STYLE_PLAIN, "%s",
		average_us > 0 ? units_latency_us((double)average_us, text) : "-");
	table_cell(t, STYLE_PLAIN, "%s", units_count(field_number(origin, "checks"), text));
	table_cell(t, STYLE_PLAIN, "%s%s", field_text(origin, "owner"),
		field_true(origin, "checking") ? " *" : "");
	table_cell(t, STYLE_PLAIN, "%s", field_text(origin, "writer"));
	table_cell(t, STYLE_DIM, "%s", field_text(origin, "error"));
}

static int run_health(struct ctl *ctl, int argc, char **argv)
{
	json_t *result, *origin;
	size_t i;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 1, &code))
		return code;
	code = ctl_call_named(ctl, "health", "name", optind < argc ? argv[optind] : NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		struct table *t = table_create(
			"NAME|STATE|>SINCE|>CHECKED|>LATENCY|>AVERAGE|>CHECKS|OWNER|WRITER|"
			"ERROR");
		json_array_foreach(json_object_get(result, "origins"), i, origin)
			add_verdict(t, origin);
		table_print(t, stdout, ctl->colour);
		table_free(t);
	}
	json_decref(result);
	return CTL_OK;
}

const struct ctl_command ctl_origin_commands[] = {
	{"origin add", "NAME URL", "Have an origin checked",
		"URL is http://HOST[:PORT][/PATH], https://... or tcp://HOST:PORT.\n"
		"  --interval TIME       check this often (5s)\n"
		"  --fast-interval TIME  and this often while the verdict may change (the "
		"interval)\n"
		"  --jitter PERCENT      of the interval, by which checks come early (10)\n"
		"  --timeout TIME        a check fails after this long (1s)\n"
		"  --rise N              successes in a row until it is up (2)\n"
		"  --fall N              failures in a row until it is down (3)\n"
		"  --expect-status LIST  wanted HTTP statuses, as in 200,300-399 (any 2xx or 3xx)\n"
		"  --expect-body TEXT    must occur in the body\n"
		"  --expect-header LINE  \"Name: text\": the answer's header must hold the text\n"
		"  --header LINE         \"Name: value\" to send; both may be given up to 8 times\n"
		"  --host H              Host header and TLS server name (the URL's host)\n"
		"  --no-verify           do not check the certificate\n"
		"Here --timeout is the check's; give the global one before the command.\n",
		run_origin_add, false},
	{"origin rm", "NAME", "Stop checking an origin", NULL, run_origin_rm, false},
	{"origin maintenance", "NAME REASON | --end NAME", "Have an origin not checked for a while",
		"Everybody sees the state `maintenance` with the reason until --end.\n",
		run_origin_maintenance, false},
	{"origin list", "", "List the origins, how they are checked and by whom", NULL,
		run_origin_list, false},
	{"health", "[NAME]", "Say which origins are up",
		"SINCE is the age of the state, CHECKED that of the last check that its owner told "
		"of:\n"
		"at every change, and each health.refresh_ms. An asterisk at OWNER: the server "
		"that\n"
		"was asked checks this origin itself. (stale): nothing was told for three times "
		"that.\n",
		run_health, false},
	{0},
};
