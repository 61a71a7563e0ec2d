#include "methods.h"
#include "rpc/rpc.h"

/* clang-format off */
static const struct rpc_field name_param[] = {
	{"name", "text", "1 to 200 letters, digits and `._-`"},
	{NULL, NULL, NULL},
};

static const struct rpc_field add_params[] = {
	{"name", "text", "1 to 200 letters, digits and `._-`"},
	{"origin", "object", "As `origins[]` of the configuration: `url`, `interval_ms`, …"},
	{NULL, NULL, NULL},
};

static const struct rpc_field maintenance_params[] = {
	{"name", "text", ""},
	{"reason?", "text", "Why it is not to be checked, at most 127 bytes; empty or absent: it is checked again"},
	{NULL, NULL, NULL},
};

static const struct rpc_field written_result[] = {
	{"name", "text", ""},
	{"dot.server", "text", "Whose write it is, as versions count it"},
	{"dot.epoch", "integer", ""},
	{"dot.seq", "integer", ""},
	{NULL, NULL, NULL},
};

static const struct rpc_field list_result[] = {
	{"origins[].name", "text", ""},
	{"origins[].origin", "object | null", "Its definition; null: not to be read"},
	{"origins[].owner", "text | null", "Who is to check it; null: nobody owns it"},
	{NULL, NULL, NULL},
};

static const struct rpc_field health_params[] = {
	{"name?", "text", "All unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field health_result[] = {
	{"origins[].name", "text", ""},
	{"origins[].state", "up | down | maintenance | unknown", ""},
	{"origins[].since_ms", "integer", "When the state began"},
	{"origins[].checked_ms", "integer", "The last check"},
	{"origins[].latency_us", "integer", "Of the last check"},
	{"origins[].latency_avg_us", "integer", "Moving average of the checks that succeeded"},
	{"origins[].checks", "integer", "Done so far, over all owners"},
	{"origins[].error", "text", "Why the last check failed, or why it is in maintenance; else empty"},
	{"origins[].age_ms", "integer | null", "Since the last check; null: no verdict yet"},
	{"origins[].stale", "boolean", "No news of it for three intervals (each at least `health.refresh_ms`)"},
	{"origins[].writer", "text | null", "Who wrote the verdict"},
	{"origins[].owner", "text | null", "Who is to check it"},
	{"origins[].checking", "boolean", "This very server is checking it"},
	{NULL, NULL, NULL},
};

static const struct rpc_field summary_params[] = {
	{"limit?", "integer 0..1000", "Most origins in `not_up`; 10 unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field summary_result[] = {
	{"up", "integer", "Origins by their last verdict"},
	{"down", "integer", ""},
	{"unknown", "integer", ""},
	{"maintenance", "integer", ""},
	{"not_up[].name", "text", "Some of them"},
	{"not_up[].state", "down | unknown | maintenance", ""},
	{"not_up[].since_ms?", "integer", "When the state began"},
	{"not_up[].error?", "text", "Why the last check failed"},
	{"not_up[].writer?", "text", "Who wrote the verdict"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error write_errors[] = {
	{RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"},
	{RPC_TOO_LARGE, "the map is full"}, {0, NULL}};
static const struct rpc_method_error rm_errors[] = {
	{RPC_NOT_FOUND, "there is no such origin"}, {RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"}, {0, NULL}};
static const struct rpc_method_error no_origin[] = {
	{RPC_NOT_FOUND, "there is no such origin"}, {0, NULL}};

#define ANSWER_DOT "\"dot\":{\"server\":\"edge-01\",\"epoch\":12,\"seq\":346}"

const struct rpc_method_info methods_origins[] = {
	{.name = "origin.add", .summary = "Have an origin checked, or change how it is checked",
		.params = add_params, .result = written_result, .errors = write_errors,
		.notes = "A definition with a mistake is refused with -32602 and the key that is wrong.",
		.example = "{\"name\":\"shop\",\"origin\":{\"url\":\"http://127.0.0.1:9/health\",\"interval_ms\":2000}}",
		.answer = "{\"name\":\"shop\"," ANSWER_DOT "}", .writes = true},
	{.name = "origin.list", .summary = "The origins, how they are checked and by whom",
		.result = list_result,
		.answer = "{\"origins\":[{\"name\":\"shop\",\"origin\":{\"type\":\"http\",\"address\":\"127.0.0.1\","
			  "\"port\":9,\"path\":\"/health\",\"interval_ms\":2000},\"owner\":\"edge-01\"}]}"},
	{.name = "health", .summary = "Which origins are up, and how old that knowledge is",
		.params = health_params, .result = health_result, .errors = no_origin,
		.example = "{\"name\":\"shop\"}",
		.answer = "{\"origins\":[{\"name\":\"shop\",\"state\":\"down\",\"since_ms\":1766428800000,"
			  "\"checked_ms\":1766428804000,\"latency_us\":210,\"latency_avg_us\":0,\"checks\":3,"
			  "\"error\":\"connection refused\",\"age_ms\":12,\"stale\":false,\"writer\":\"edge-01\","
			  "\"owner\":\"edge-01\",\"checking\":true}]}"},
	{.name = "health.summary", .summary = "How many origins are up, and some that are not",
		.params = summary_params, .result = summary_result, .example = "{\"limit\":5}",
		.answer = "{\"up\":117,\"down\":1,\"unknown\":0,\"maintenance\":0,\"not_up\":[{\"name\":\"shop\",\"state\":\"down\","
			  "\"since_ms\":1766428800000,\"error\":\"connection refused\",\"writer\":\"edge-01\"}]}"},
	{.name = "origin.maintenance", .summary = "Put an origin into maintenance, or end it",
		.params = maintenance_params, .result = written_result, .errors = rm_errors,
		.notes = "An origin in maintenance is not checked; everybody sees the state `maintenance` with the reason.",
		.example = "{\"name\":\"shop\",\"reason\":\"new disks\"}",
		.answer = "{\"name\":\"shop\"," ANSWER_DOT "}", .writes = true},
	{.name = "origin.rm", .summary = "Stop checking an origin",
		.params = name_param, .result = written_result, .errors = rm_errors,
		.example = "{\"name\":\"shop\"}", .answer = "{\"name\":\"shop\"," ANSWER_DOT "}", .writes = true},
	{.name = NULL},
};
