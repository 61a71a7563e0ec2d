#include "ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "rpc/rpc.h"
#include "text.h"
#include "units.h"

enum { ERROR_TEXT_MAX = 1024, OPTIONS_MAX = 32 };

static int stop_code;

static void complain(const struct ctl *ctl, const char *format, va_list args)
{
	char text[ERROR_TEXT_MAX];
	if (ctl->quiet)
		return;
	(void)vsnprintf(text, sizeof(text), format, args); /* cut if long: it is for people */
	char *safe = text_safe(text, strlen(text));
	(void)fprintf(stderr, "swimlanectl: %s%s%s\n",
		ctl->command != NULL ? ctl->command->name : "", ctl->command != NULL ? ": " : "",
		safe);
	free(safe);
}

int ctl_fail(const struct ctl *ctl, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	complain(ctl, format, args);
	va_end(args);
	return code;
}

int ctl_usage(const struct ctl *ctl, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	complain(ctl, format, args);
	va_end(args);
	if (ctl->command != NULL)
		(void)fprintf(stderr, "usage: swimlanectl %s%s%s (more: swimlanectl %s --help)\n",
			ctl->command->name, *ctl->command->arguments ? " " : "",
			ctl->command->arguments, ctl->command->name);
	else
		(void)fprintf(stderr, "Try: swimlanectl --help\n");
	return CTL_USAGE;
}

int ctl_stop_code(void)
{
	return stop_code;
}

static int stop(int code)
{
	stop_code = code;
	return CTL_OPTION_STOP;
}

int ctl_options(struct ctl *ctl, int argc, char **argv, const struct option *options)
{
	enum { OPTION_JSON = 1000, OPTION_TIMEOUT };
	/* The command's own come first: `origin add` has a --timeout of its own, and glibc takes
	 * the first of two equal names. */
	static const struct option global[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, OPTION_JSON},
		{"timeout", required_argument, NULL, OPTION_TIMEOUT},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct option all[OPTIONS_MAX];
	size_t count = 0;
	bool has_number = false; /* the one short option that a command may have: -n N */
	for (; options != NULL && options[count].name != NULL; count++)
		has_number = has_number || options[count].val == 'n';
	if (count > 0)
		memcpy(all, options, count * sizeof(*options));
	memcpy(all + count, global, sizeof(global));

	opterr = 0;
	for (;;) {
		int option = getopt_long(argc, argv, has_number ? ":s:hn:" : ":s:h", all, NULL);
		switch (option) {
		case 's': ctl->socket_path = optarg; break;
		case OPTION_JSON: ctl->json = true; break;
		case OPTION_TIMEOUT:
			if (!ctl_duration(ctl, "--timeout", optarg, &ctl->timeout_ms))
				return stop(CTL_USAGE);
			break;
		case 'h': help_print_command(stdout, ctl->command); return stop(CTL_OK);
		case ':': return stop(ctl_usage(ctl, "%s needs a value", argv[optind - 1]));
		case '?': return stop(ctl_usage(ctl, "unknown option %s", argv[optind - 1]));
		default: return option;
		}
	}
}

bool ctl_arguments(struct ctl *ctl, int argc, char **argv, int min, int max, int *code)
{
	if (ctl_options(ctl, argc, argv, NULL) == CTL_OPTION_STOP) {
		*code = ctl_stop_code();
		return false;
	}
	int given = argc - optind;
	if (given >= min && given <= max)
		return true;
	*code = given < min
			? ctl_usage(ctl, "an argument is missing")
			: ctl_usage(ctl, "too many arguments, from \"%s\" on", argv[optind + max]);
	return false;
}

bool ctl_number(const struct ctl *ctl, const char *option, const char *text, long min, long max,
	long *value)
{
	char *end;
	errno = 0;
	*value = strtol(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && *value >= min && *value <= max)
		return true;
	(void)ctl_usage(ctl, "%s: \"%s\" is not a number from %ld to %ld", option, text, min, max);
	return false;
}

bool ctl_duration(const struct ctl *ctl, const char *option, const char *text, int *ms)
{
	if (units_parse_duration(text, ms))
		return true;
	(void)ctl_usage(ctl, "%s: \"%s\" is not a time such as 500ms, 5s or 2m", option, text);
	return false;
}

static const char *hint(int code)
{
	switch (code) {
	case RPC_BUSY: return "; try again";
	case RPC_NOT_READY: return "; it is still joining: see `swimlanectl status`";
	case RPC_METHOD_NOT_FOUND: return "; is the server older than this swimlanectl?";
	default: return "";
	}
}

static int connect_server(struct ctl *ctl)
{
	char error[ERROR_TEXT_MAX];
	int rc = rpc_client_open(
		ctl->socket_path, ctl->timeout_ms, &ctl->client, error, sizeof(error));
	if (rc == 0)
		return CTL_OK;
	ctl->client = NULL;
	return ctl_fail(ctl, rc == -ETIMEDOUT ? CTL_TIMEOUT : CTL_CONNECTION, "%s", error);
}

int ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **result)
{
	char error[ERROR_TEXT_MAX];
	int code;
	int rc = ctl->client == NULL ? connect_server(ctl) : CTL_OK;
	if (rc != CTL_OK) {
		json_decref(params);
		return rc;
	}
	rc = rpc_client_call(ctl->client, method, params, result, &code, error, sizeof(error));
	switch (rc) {
	case 0: return CTL_OK;
	case -ETIMEDOUT:
		return ctl_fail(
			ctl, CTL_TIMEOUT, "%s; wait longer with --timeout, or see its log", error);
	case -EREMOTEIO:
		return ctl_fail(ctl, code == RPC_NOT_FOUND ? CTL_NOT_FOUND : CTL_REFUSED, "%s%s",
			error, hint(code));
	default: return ctl_fail(ctl, CTL_CONNECTION, "%s", error);
	}
}

int ctl_call_named(
	struct ctl *ctl, const char *method, const char *name, const char *text, json_t **result)
{
	json_t *params = NULL;
	if (text != NULL && (params = json_pack("{s:s}", name, text)) == NULL)
		return ctl_usage(ctl, "the %s is not UTF-8", name);
	return ctl_call(ctl, method, params, result);
}

void ctl_print_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	(void)printf("%s\n", text != NULL ? text : "null");
	free(text);
}

int ctl_follow(struct ctl *ctl, const char *method, json_t *params, struct ctl_limit limit,
	void (*print)(struct ctl *ctl, const char *method, const json_t *params))
{
	json_t *result;
	int rc = ctl_call(ctl, method, params, &result);
	if (rc != CTL_OK)
		return rc;
	json_decref(result);
	int64_t end_ms = limit.for_ms > 0 ? units_now_ms() + limit.for_ms : 0;
	for (unsigned long i = 0; limit.count == 0 || i < limit.count;) {
		json_t *message;
		int64_t left = end_ms > 0 ? end_ms - units_now_ms() : -1;
		if (end_ms > 0 && left < 0)
			left = 0;
		rc = rpc_client_next(ctl->client, (int)left, &message);
		if (rc == -ETIMEDOUT)
			return CTL_OK; /* --for is over */
		if (rc < 0)
			return ctl_fail(ctl, CTL_CONNECTION, "connection lost: %s", strerror(-rc));
		const char *name = json_string_value(json_object_get(message, "method"));
		if (limit.note == NULL ||
			!limit.note(ctl, name, json_object_get(message, "params"))) {
			i++;
			if (ctl->json)
				ctl_print_json(message);
			else
				print(ctl, name, json_object_get(message, "params"));
		}
		json_decref(message);
		if (fflush(stdout) != 0)
			break; /* nobody reads any more */
	}
	return CTL_OK;
}
