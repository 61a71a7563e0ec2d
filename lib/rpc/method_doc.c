#include <string.h>

#include "rpc/method.h"

json_t *rpc_method_to_json(const struct rpc_method_info *info)
{
	json_t *errors = json_array(), *j;
	for (unsigned i = 0; info->errors != NULL && info->errors[i].code != 0; i++)
		json_array_append_new(errors, json_pack("{s:i, s:s}", "code", info->errors[i].code,
						      "when", info->errors[i].when));
	j = json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:b}", "name", info->name, "summary",
		info->summary, "params", rpc_fields_schema(info->params), "result",
		rpc_fields_schema(info->result), "errors", errors, "stream", (int)info->stream,
		"writes", (int)info->writes);
	json_object_set_new(j, "example",
		info->example != NULL ? json_loads(info->example, 0, NULL) : json_object());
	return j;
}

/* A "|" would end the table's cell. */
static void print_cell(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		(void)fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void print_fields(FILE *out, const char *title, const struct rpc_field *fields)
{
	if (fields == NULL || fields->path == NULL)
		return;
	(void)fprintf(out, "\n| %s | type | meaning |\n|---|---|---|\n", title);
	for (; fields->path != NULL; fields++) {
		(void)fprintf(out, "| `%s` | ", fields->path);
		print_cell(out, fields->type);
		(void)fputs(" | ", out);
		print_cell(out, fields->help);
		(void)fputs(" |\n", out);
	}
}

void rpc_method_print(FILE *out, const struct rpc_method_info *info)
{
	(void)fprintf(out, "### `%s`\n\n%s.%s\n", info->name, info->summary,
		info->stream ? " Notifications follow, until the connection ends." : "");
	if (info->notes != NULL)
		(void)fprintf(out, "\n%s\n", info->notes);
	print_fields(out, "parameter", info->params);
	print_fields(out, "result", info->result);
	for (unsigned i = 0; info->errors != NULL && info->errors[i].code != 0; i++)
		(void)fprintf(out, "%s%d %s%s", i == 0 ? "\nErrors: " : "; ", info->errors[i].code,
			info->errors[i].when, info->errors[i + 1].code == 0 ? ".\n" : "");
	(void)fprintf(out,
		"\n```json-rpc\n> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"%s%s}\n",
		info->name, info->example != NULL ? ",\"params\":" : "",
		info->example != NULL ? info->example : "");
	(void)fprintf(out, "< {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}\n```\n\n",
		info->answer != NULL ? info->answer : "{}");
}
