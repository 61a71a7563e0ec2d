/* owner, owners, plan, balance, weight, duties */
#include "ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "table.h"
#include "units.h"

static void print_owners(const struct ctl *ctl, const json_t *result)
{
	const json_t *owner;
	size_t i;
	struct table *t = table_create(">RANK|SERVER|ID|LIVE");
	json_array_foreach(json_object_get(result, "owners"), i, owner)
	{
		bool live = field_true(owner, "live");
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(owner, "rank"));
		table_cell(t, STYLE_PLAIN, "%s", field_text(owner, "name"));
		table_cell(t, STYLE_PLAIN, "%s", field_text(owner, "id"));
		table_cell(t, live ? STYLE_GOOD : STYLE_BAD, "%s", live ? "yes" : "no");
	}
	table_print(t, stdout, ctl->colour);
	table_free(t);
	if (!field_true(result, "registered"))
		(void)fprintf(stderr, "This key is not registered: this is who would own it.\n");
}

static int run_owner(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"number", required_argument, NULL, 'n'}, {0}};
	json_t *result;
	long n = 0;
	int option;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP)
			return ctl_stop_code();
		if (!ctl_number(ctl, "--number", optarg, 1, 256, &n))
			return CTL_USAGE;
	}
	if (optind + 1 != argc)
		return ctl_usage(
			ctl, optind < argc ? "one key is all it takes" : "a key is missing");
	json_t *key = json_string(argv[optind]);
	if (key == NULL)
		return ctl_usage(ctl, "the key is not UTF-8");
	json_t *params = json_pack("{s:o}", "key", key);
	if (n > 0)
		json_object_set_new(params, "n", json_integer(n));
	int code = ctl_call(ctl, "owner", params, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		print_owners(ctl, result);
	json_decref(result);
	return CTL_OK;
}

/* "a,b" as a list of texts; NULL after saying what is wrong. */
static json_t *names_of(const struct ctl *ctl, const char *option, char *list)
{
	json_t *names = json_array();
	char *rest = list;
	for (char *name; (name = strsep(&rest, ",")) != NULL;)
		if (*name == '\0' || json_array_append_new(names, json_string(name)) < 0) {
			(void)ctl_usage(
				ctl, "%s: names with commas between them, as in a,b", option);
			json_decref(names);
			return NULL;
		}
	return names;
}

/* "c:200,d" as a list of {name, weight?}. */
static json_t *weighted_of(const struct ctl *ctl, char *list)
{
	json_t *names = names_of(ctl, "--with", list), *name, *servers = json_array();
	size_t i;
	bool ok = names != NULL;
	json_array_foreach(names, i, name)
	{
		char *text = strdup(json_string_value(name)), *colon = strrchr(text, ':');
		long weight = 0;
		if (colon != NULL) {
			*colon = '\0';
			ok = ok && ctl_number(ctl, "--with: weight", colon + 1, 1, 1000, &weight);
		}
		json_t *server = json_pack("{s:s}", "name", text);
		if (weight > 0)
			json_object_set_new(server, "weight", json_integer(weight));
		json_array_append_new(servers, server);
		free(text);
	}
	json_decref(names);
	if (ok)
		return servers;
	json_decref(servers);
	return NULL;
}

static void print_plan(const struct ctl *ctl, const json_t *result)
{
	const json_t *server, *move;
	size_t i;
	struct table *t =
		table_create("SERVER|>WEIGHT|>THEN|>KEYS|>THEN|>GAINS|>LOSES|>EXPECTED|>SIGMAS");
	json_array_foreach(json_object_get(result, "servers"), i, server)
	{
		int64_t gains = field_number(server, "gains"),
			loses = field_number(server, "loses");
		table_cell(t, STYLE_PLAIN, "%s", field_text(server, "name"));
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(server, "weight_before"));
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(server, "weight"));
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(server, "before"));
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(server, "after"));
		table_cell(t, gains > 0 ? STYLE_GOOD : STYLE_DIM, "%" PRId64, gains);
		table_cell(t, loses > 0 ? STYLE_WARN : STYLE_DIM, "%" PRId64, loses);
		table_cell(t, STYLE_PLAIN, "%.1f",
			json_number_value(json_object_get(server, "expected")));
		table_cell(t, STYLE_PLAIN, "%+.1f",
			json_number_value(json_object_get(server, "sigmas")));
	}
	table_print(t, stdout, ctl->colour);
	table_free(t);
	printf("\n%" PRId64 " of %" PRId64 " keys would move\n", field_number(result, "moved"),
		field_number(result, "keys"));
	if (json_array_size(json_object_get(result, "moves")) == 0)
		return;
	t = table_create("KEY|FROM|TO");
	json_array_foreach(json_object_get(result, "moves"), i, move)
	{
		table_cell(t, STYLE_PLAIN, "%s", field_text(move, "key"));
		table_cell(t, STYLE_PLAIN, "%s", field_text(move, "from"));
		table_cell(t, STYLE_PLAIN, "%s", field_text(move, "to"));
	}
	table_sort(t);
	table_print(t, stdout, ctl->colour);
	table_free(t);
}

static int run_plan(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"without", required_argument, NULL, 'o'},
		{"with", required_argument, NULL, 'w'}, {"moves", required_argument, NULL, 'm'},
		{0}};
	json_t *params = json_object(), *result, *list;
	int option;
	long limit;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP) {
			json_decref(params);
			return ctl_stop_code();
		}
		if (option == 'm' && ctl_number(ctl, "--moves", optarg, 0, 100000, &limit)) {
			json_object_set_new(params, "limit", json_integer(limit));
			continue;
		}
		list = option == 'o'   ? names_of(ctl, "--without", optarg)
		       : option == 'w' ? weighted_of(ctl, optarg)
				       : NULL;
		if (list == NULL) {
			json_decref(params);
			return CTL_USAGE;
		}
		json_object_set_new(params, option == 'o' ? "without" : "with", list);
	}
	if (optind < argc || json_object_size(params) == 0) {
		json_decref(params);
		return ctl_usage(ctl, "--without a,b or --with c:200 is needed, and nothing else");
	}
	int code = ctl_call(ctl, "plan", params, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		print_plan(ctl, result);
	json_decref(result);
	return CTL_OK;
}

static void print_balance(const struct ctl *ctl, const json_t *result)
{
	const json_t *server;
	size_t i;
	struct table *t = table_create("SERVER|>WEIGHT|>OWNED|>EXPECTED|>SIGMAS");
	json_array_foreach(json_object_get(result, "servers"), i, server)
	{
		table_cell(t, STYLE_PLAIN, "%s", field_text(server, "name"));
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(server, "weight"));
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(server, "owned"));
		table_cell(t, STYLE_PLAIN, "%.1f",
			json_number_value(json_object_get(server, "expected")));
		table_cell(t, STYLE_PLAIN, "%+.1f",
			json_number_value(json_object_get(server, "sigmas")));
	}
	table_sort(t);
	table_print(t, stdout, ctl->colour);
	table_free(t);
	printf("\n%" PRId64
	       " keys; the most is %.2f of what the weight lets one expect; chi-square "
	       "%.1f with %" PRId64 " degrees of freedom\n",
		field_number(result, "keys"),
		json_number_value(json_object_get(result, "most_over_expected")),
		json_number_value(json_object_get(result, "chi_square")),
		field_number(result, "degrees"));
}

static int run_balance(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, "balance", NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		print_balance(ctl, result);
	json_decref(result);
	return CTL_OK;
}

static int run_weight(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	long weight;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	if (!ctl_number(ctl, "weight", argv[optind], 1, 1000, &weight))
		return CTL_USAGE;
	code = ctl_call(ctl, "weight", json_pack("{s:i}", "weight", (int)weight), &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		printf("weighs %" PRId64 " until the next start\n", field_number(result, "weight"));
	json_decref(result);
	return CTL_OK;
}

static int run_duties(struct ctl *ctl, int argc, char **argv)
{
	static const char *const names[][2] = {{"owner", "owns them"},
		{"stand_in", "stands in for a suspect"}, {"hand_over", "hands them over"}};
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, "duties", NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		struct table *t = table_create("BECAUSE IT|>ORIGINS|>BEGUN|>CHECKS");
		for (int i = 0; i < 3; i++) {
			const json_t *duty = json_object_get(result, names[i][0]);
			table_cell(t, STYLE_PLAIN, "%s", names[i][1]);
			table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(duty, "now"));
			table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(duty, "begun"));
			table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(duty, "checks"));
		}
		table_print(t, stdout, ctl->colour);
		table_free(t);
	}
	json_decref(result);
	return CTL_OK;
}

static const char owner_help[] =
	"  -n, --number N   as many as that (default 3), if there are as many\n";

const struct ctl_command ctl_owners_commands[] = {
	{"owner", "[-n N] KEY", "Say which servers own a key, the first one first", owner_help,
		run_owner, false},
	{"owners", "[-n N] KEY", "The same as owner", owner_help, run_owner, true},
	{"plan", "[--without A,B] [--with C:WEIGHT,D]",
		"Say who would own what without some servers, and with others",
		"  --without A,B   as if these were gone\n"
		"  --with C:WEIGHT a member as if it weighed that (1 to 1000; 100 is the ordinary\n"
		"                  weight, and what is taken unless given), or a new server\n"
		"  --moves N       list at most so many moves (default 1000)\n"
		"Nothing changes.\n",
		run_plan, false},
	{"balance", "", "Say how many keys each server owns, against what is to be expected",
		"SIGMAS are standard deviations of the binomial distribution.\n", run_balance,
		false},
	{"weight", "WEIGHT", "Change this server's share of the keys, until its next start",
		"WEIGHT is from 1 to 1000; 100 is the ordinary one.\n", run_weight, false},
	{"duties", "", "Say which origins this server checks, and why", NULL, run_duties, false},
	{0},
};
