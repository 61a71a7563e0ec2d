/* test-shim, rpc */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "text.h"

/* "a,b" into ["a","b"]; "" into []; NULL if not UTF-8. */
static json_t *split(const char *list)
{
	json_t *array = json_array();
	while (array != NULL && *list != '\0') {
		size_t len = strcspn(list, ",");
		if (len > 0 && json_array_append_new(array, json_stringn(list, len)) < 0) {
			json_decref(array);
			return NULL;
		}
		list += len + (list[len] == ',');
	}
	return array;
}

static bool shim_option(struct ctl *ctl, json_t *params, int option)
{
	long number;
	if (option == 'd')
		return ctl_number(ctl, "--drop-percent", optarg, 0, 100, &number) &&
		       json_object_set_new(params, "drop_percent", json_integer(number)) == 0;
	if (json_object_set_new(params, "block", split(optarg)) == 0)
		return true;
	(void)ctl_usage(ctl, "--block: not UTF-8");
	return false;
}

static int run_test_shim(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"drop-percent", required_argument, NULL, 'd'},
		{"block", required_argument, NULL, 'b'},
		{0},
	};
	char percent[FIELD_TEXT_MAX], block[FIELD_TEXT_MAX];
	json_t *params = json_object(), *result;
	int option, code;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option != CTL_OPTION_STOP && shim_option(ctl, params, option))
			continue;
		code = option == CTL_OPTION_STOP ? ctl_stop_code() : CTL_USAGE;
		json_decref(params);
		return code;
	}
	if (optind < argc) {
		json_decref(params);
		return ctl_usage(ctl, "too many arguments, from \"%s\" on", argv[optind]);
	}
	code = ctl_call(ctl, "test.shim", params, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		text_say("dropping %s %%, blocking %s", field_any(result, "drop_percent", percent),
			field_any(result, "block", block));
	json_decref(result);
	return CTL_OK;
}

static int run_rpc(struct ctl *ctl, int argc, char **argv)
{
	json_error_t why;
	json_t *params = NULL, *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 2, &code))
		return code;
	json_t *method = json_string(argv[optind]);
	if (method == NULL)
		return ctl_usage(ctl, "the method is not UTF-8");
	json_decref(method);
	if (argc - optind == 2) {
		params = json_loads(argv[optind + 1], JSON_REJECT_DUPLICATES, &why);
		if (params == NULL)
			return ctl_usage(ctl, "the parameters are not JSON: %s at column %d",
				why.text, why.column);
	}
	code = ctl_call(ctl, argv[optind], params, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		char *text = json_dumps(result, JSON_INDENT(2) | JSON_ENCODE_ANY);
		(void)puts(text != NULL ? text : "null");
		free(text);
	}
	json_decref(result);
	return CTL_OK;
}

const struct ctl_command ctl_raw_commands[] = {
	{"rpc", "METHOD [JSON]", "Call any method; docs/rpc.md lists them",
		"JSON is an object: swimlanectl rpc map.get '{\"key\":\"a\"}'\n", run_rpc, false},
	{"test-shim", "", "Lose packets on purpose; only where the configuration allows it",
		"  --drop-percent N   drop so many of all packets\n"
		"  --block S,...      drop everything from and to these servers; empty: none\n",
		run_test_shim, true},
	{0},
};
