#include "rpc/request.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rpc/rpc.h"

static int refuse(char *error, size_t error_len, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(char *error, size_t error_len, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(error, error_len, format, args); /* cut if long: it is for people */
	va_end(args);
	return code;
}

static bool is_id(const json_t *id)
{
	return json_is_string(id) || json_is_number(id) || json_is_null(id);
}

int rpc_request_parse(
	const char *line, size_t len, struct rpc_request *request, char *error, size_t error_len)
{
	json_error_t why;
	*request = (struct rpc_request){0};
	request->root = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (request->root == NULL)
		return refuse(error, error_len, RPC_PARSE_ERROR, "not JSON: %s at column %d",
			why.text, why.column);
	if (json_is_array(request->root))
		return refuse(error, error_len, RPC_INVALID_REQUEST,
			"batches are not taken: send one request a line");
	if (!json_is_object(request->root))
		return refuse(error, error_len, RPC_INVALID_REQUEST, "a request is an object");

	json_t *id = json_object_get(request->root, "id");
	if (id != NULL && !is_id(id))
		return refuse(error, error_len, RPC_INVALID_REQUEST,
			"\"id\" must be a string, a number or null");
	request->id = id;

	const char *version = json_string_value(json_object_get(request->root, "jsonrpc"));
	if (version == NULL || strcmp(version, "2.0") != 0)
		return refuse(error, error_len, RPC_INVALID_REQUEST, "\"jsonrpc\" must be \"2.0\"");
	const char *method = json_string_value(json_object_get(request->root, "method"));
	if (method == NULL || *method == '\0')
		return refuse(error, error_len, RPC_INVALID_REQUEST,
			"\"method\" must be the name of a method");

	json_t *params = json_object_get(request->root, "params");
	if (params != NULL && !json_is_object(params))
		return refuse(error, error_len, RPC_INVALID_PARAMS,
			"parameters are passed by name: \"params\" must be an object%s",
			json_is_array(params) ? ", not an array" : "");
	request->params = params != NULL ? json_incref(params) : json_object();
	request->method = method;
	return 0;
}

void rpc_request_fini(struct rpc_request *request)
{
	json_decref(request->params);
	json_decref(request->root);
	*request = (struct rpc_request){0};
}

json_t *rpc_text(const char *text)
{
	json_t *value = json_string(text);
	if (value != NULL)
		return value;
	char plain[512];
	size_t len = strnlen(text, sizeof(plain));
	for (size_t i = 0; i < len; i++)
		plain[i] = text[i] < 0 ? '?' : text[i];
	return json_stringn(plain, len);
}

json_t *rpc_error_object(int code, const char *text)
{
	return json_pack("{s:i, s:o}", "code", code, "message", rpc_text(text));
}
