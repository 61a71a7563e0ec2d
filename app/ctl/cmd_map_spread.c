/* map spread, map wait, map staleness */
#include "ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "table.h"
#include "text.h"
#include "units.h"

/* "server@epoch:seq", as map put prints it, or a key. NULL if it is neither. */
static json_t *write_params(const char *text)
{
	const char *at = strrchr(text, '@');
	char *epoch_end, *end;
	if (at == NULL || at == text)
		return json_pack("{s:s}", "key", text);
	unsigned long epoch = strtoul(at + 1, &epoch_end, 10);
	if (epoch_end == at + 1 || *epoch_end != ':')
		return json_pack("{s:s}", "key", text);
	unsigned long long seq = strtoull(epoch_end + 1, &end, 10);
	if (end == epoch_end + 1 || *end != '\0')
		return json_pack("{s:s}", "key", text);
	return json_pack("{s:{s:s%, s:I, s:I}}", "dot", "server", text, (size_t)(at - text),
		"epoch", (json_int_t)epoch, "seq", (json_int_t)seq);
}

static void print_spread(struct ctl *ctl, const json_t *result)
{
	char text[FIELD_TEXT_MAX];
	const json_t *m;
	size_t i;
	struct table *t = table_create("MEMBER|STATE|HOLDS|>TOLD");
	json_array_foreach(json_object_get(result, "members"), i, m)
	{
		bool holds = field_true(m, "holds");
		table_cell(t, STYLE_PLAIN, "%s", field_text(m, "name"));
		table_cell(t, STYLE_PLAIN, "%s", field_text(m, "state"));
		table_cell(t, holds ? STYLE_GOOD : STYLE_WARN, "%s", holds ? "yes" : "not known");
		table_cell(t, STYLE_DIM, "%s",
			field_given(m, "reported_ms")
				? units_age_ms(field_number(m, "reported_ms"), text)
				: "-");
	}
	table_print(t, stdout, ctl->colour);
	table_free(t);
	text_say("%s: held by %" PRId64 " of %" PRId64 "%s", field_dot(result, "dot", text),
		field_number(result, "holding"), field_number(result, "of"),
		field_true(result, "settled") ? ", settled" : "");
}

static int run_spread(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	json_t *params = write_params(argv[optind]);
	if (params == NULL)
		return ctl_usage(ctl, "the key is not UTF-8");
	code = ctl_call(ctl, "map.spread", params, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		print_spread(ctl, result);
	json_decref(result);
	return CTL_OK;
}

static int print_waited(struct ctl *ctl, const json_t *result)
{
	char text[FIELD_TEXT_MAX];
	const json_t *missing;
	size_t i;
	bool reached = field_true(result, "reached");
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		text_say("%s: held by %" PRId64 " of %" PRId64 " after %s",
			field_dot(result, "dot", text), field_number(result, "holding"),
			field_number(result, "of"),
			units_age_ms(field_number(result, "waited_ms"), (char[UNITS_TEXT_MAX]){0}));
		json_array_foreach(json_object_get(result, "missing"), i, missing)
			text_say("not known of %s", json_string_value(missing));
	}
	return reached ? CTL_OK : CTL_TIMEOUT;
}

static int run_wait(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"members", required_argument, NULL, 'm'},
		{"for", required_argument, NULL, 'f'}, {0}};
	json_t *result;
	long members = 0;
	int option, for_ms = 5000;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP)
			return ctl_stop_code();
		if (option == 'm' ? !ctl_number(ctl, "--members", optarg, 1, 256, &members)
				  : !ctl_duration(ctl, "--for", optarg, &for_ms))
			return CTL_USAGE;
	}
	if (argc - optind != 1)
		return ctl_usage(ctl, "wants one key or write");
	json_t *params = write_params(argv[optind]);
	if (params == NULL)
		return ctl_usage(ctl, "the key is not UTF-8");
	json_object_set_new(params, "timeout_ms", json_integer(for_ms));
	if (members > 0)
		json_object_set_new(params, "members", json_integer(members));
	if (ctl->timeout_ms < for_ms + 2000)
		ctl->timeout_ms = for_ms + 2000; /* the server's limit ends it, not ours */
	int code = ctl_call(ctl, "map.wait", params, &result);
	if (code != CTL_OK)
		return code;
	code = print_waited(ctl, result);
	json_decref(result);
	return code;
}

static void add_member(struct table *t, const json_t *m)
{
	char text[FIELD_TEXT_MAX];
	int64_t behind = field_number(m, "behind");
	table_cell(t, STYLE_PLAIN, "%s", field_text(m, "name"));
	table_cell(t, STYLE_PLAIN, "%s", field_text(m, "state"));
	table_cell(t, STYLE_PLAIN, "%s",
		field_given(m, "age_ms") ? units_age_ms(field_number(m, "age_ms"), text) : "-");
	table_cell(t, behind > 0 ? STYLE_WARN : STYLE_PLAIN, "%s", units_count(behind, text));
	table_cell(t, STYLE_DIM, "%s",
		field_given(m, "reported_ms") ? units_age_ms(field_number(m, "reported_ms"), text)
					      : "-");
	table_cell(t, field_number(m, "lacks") > 0 ? STYLE_WARN : STYLE_PLAIN, "%s",
		field_given(m, "lacks") ? units_count(field_number(m, "lacks"), text) : "-");
}

static int run_staleness(struct ctl *ctl, int argc, char **argv)
{
	char text[FIELD_TEXT_MAX];
	json_t *result;
	const json_t *m;
	size_t i;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, "map.staleness", NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		struct table *t = table_create("MEMBER|STATE|>AGE|>BEHIND|>TOLD|>LACKS");
		json_array_foreach(json_object_get(result, "members"), i, m) add_member(t, m);
		table_print(t, stdout, ctl->colour);
		table_free(t);
		if (field_given(result, "bound_ms"))
			text_say("Reads here are at most %s old; %s holds that back",
				units_age_ms(field_number(result, "bound_ms"), text),
				field_text(result, "by"));
	}
	json_decref(result);
	return CTL_OK;
}

const struct ctl_command ctl_spread_commands[] = {
	{"map spread", "KEY|WRITE", "Which members are known to hold a write",
		"A write is named as `map put` prints it, SERVER@EPOCH:SEQ; of a key it is the "
		"one\n"
		"that is read now.\n",
		run_spread, false},
	{"map wait", "KEY|WRITE", "Wait until members are known to hold a write",
		"  --members N   this many, this server among them, instead of all\n"
		"  --for TIME    no longer than this (default 5s); then the exit code is 4\n",
		run_wait, false},
	{"map staleness", "", "How old reads here may be, and who holds that back",
		"AGE: since this server last held everything that the member had written.\n"
		"BEHIND: writes of it that are not here. TOLD: since it last told what it holds.\n"
		"LACKS: writes of others that it did not hold then.\n",
		run_staleness, false},
	{0},
};
