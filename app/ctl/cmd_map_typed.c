/* counter add, counter get, set add, set remove, set members */
#include "ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "table.h"
#include "text.h"
#include "units.h"

static int print_written(struct ctl *ctl, json_t *result, const char *what)
{
	char dot[FIELD_TEXT_MAX];
	if (ctl->json)
		ctl_print_json(result);
	else
		text_say("%s as %s", what, field_dot(result, "dot", dot));
	json_decref(result);
	return CTL_OK;
}

static int run_counter_add(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 2, &code))
		return code;
	const char *by_text = optind + 1 < argc ? argv[optind + 1] : "1";
	char *end;
	errno = 0;
	long long by = strtoll(by_text, &end, 10);
	if (*by_text == '\0' || *end != '\0' || errno != 0)
		return ctl_usage(ctl, "%s: a whole number is needed", by_text);
	json_t *params = json_pack("{s:s, s:I}", "name", argv[optind], "by", (json_int_t)by);
	if (params == NULL)
		return ctl_usage(ctl, "the name is not UTF-8");
	code = ctl_call(ctl, "counter.add", params, &result);
	return code == CTL_OK ? print_written(ctl, result, "added") : code;
}

static int run_counter_get(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	code = ctl_call_named(ctl, "counter.get", "name", argv[optind], &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		(void)printf("%" PRId64 "\n", field_number(result, "value"));
	json_decref(result);
	return CTL_OK;
}

static int element_write(
	struct ctl *ctl, int argc, char **argv, const char *method, const char *what)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 2, 2, &code))
		return code;
	json_t *params = json_pack("{s:s, s:s}", "name", argv[optind], "element", argv[optind + 1]);
	if (params == NULL)
		return ctl_usage(ctl, "name or element are not UTF-8");
	code = ctl_call(ctl, method, params, &result);
	return code == CTL_OK ? print_written(ctl, result, what) : code;
}

static int run_set_add(struct ctl *ctl, int argc, char **argv)
{
	return element_write(ctl, argc, argv, "set.add", "added");
}

static int run_set_remove(struct ctl *ctl, int argc, char **argv)
{
	return element_write(ctl, argc, argv, "set.remove", "removed");
}

/* All pages. */
static int fetch_members(struct ctl *ctl, const char *name, json_t *elements)
{
	json_t *params = json_pack("{s:s}", "name", name);
	if (params == NULL)
		return ctl_usage(ctl, "the name is not UTF-8");
	for (;;) {
		json_t *page;
		int code = ctl_call(ctl, "set.members", json_copy(params), &page);
		if (code != CTL_OK) {
			json_decref(params);
			return code;
		}
		json_t *next = json_object_get(page, "next");
		bool advances =
			json_is_string(next) && !json_equal(next, json_object_get(params, "after"));
		(void)json_array_extend(elements, json_object_get(page, "elements"));
		(void)json_object_set(params, "after", next);
		json_decref(page);
		if (!advances)
			break;
	}
	json_decref(params);
	return CTL_OK;
}

static int run_set_members(struct ctl *ctl, int argc, char **argv)
{
	const json_t *element;
	size_t i;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	json_t *elements = json_array();
	code = fetch_members(ctl, argv[optind], elements);
	if (code == CTL_OK && ctl->json) {
		json_t *whole = json_pack("{s:s, s:O}", "name", argv[optind], "elements", elements);
		ctl_print_json(whole);
		json_decref(whole);
	} else if (code == CTL_OK) {
		json_array_foreach(elements, i, element) text_say("%s", json_string_value(element));
	}
	json_decref(elements);
	return code;
}

const struct ctl_command ctl_typed_commands[] = {
	{"counter add", "NAME [BY]", "Add to a counter",
		"By 1, or by any whole number; a negative one goes behind \"--\": counter add -- n "
		"-5\n",
		run_counter_add, false},
	{"counter get", "NAME", "Print a counter", NULL, run_counter_get, false},
	{"set add", "NAME ELEMENT", "Add an element to a set", NULL, run_set_add, false},
	{"set remove", "NAME ELEMENT", "Remove an element from a set", NULL, run_set_remove, false},
	{"set members", "NAME", "Print the elements of a set, one on each line", NULL,
		run_set_members, false},
	{0},
};
