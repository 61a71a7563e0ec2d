#include "methods.h"
#include "rpc/rpc.h"

#define DOT(of)                                                                                    \
	{of "dot.server", "text", "Whose write it is, as versions count it"},                      \
		{of "dot.epoch", "integer", ""},                                                   \
	{                                                                                          \
		of "dot.seq", "integer", ""                                                        \
	}

#define RECORD(of)                                                                                 \
	{of "key?", "text", ""},                                                                   \
		{of "key_base64?", "base64", "Instead of a key that is not UTF-8"},                \
		{of "value?", "text", "Absent from a tombstone"},                                  \
		{of "value_base64?", "base64", "Instead of a value that is not UTF-8"},            \
		{of "tombstone", "boolean", "Deleted"}, {of "writer", "text", "Who wrote it"},     \
		DOT(of), {of "stamp.clock", "integer", "Lamport clock of the key"},                \
		{of "stamp.weight", "id", "Rendezvous weight of the writer for this key"},         \
		{of "stamp.server", "text", "The writer"}, {of "stamp.epoch", "integer", ""},      \
		{of "stamp.seq", "integer", ""},                                                   \
		{of "rival", "boolean",                                                            \
			"Rendezvous settled it against a write that knew nothing of it"},          \
	{                                                                                          \
		of "age_ms", "integer", "Since it was written, by the writer's wall clock"         \
	}

/* clang-format off */
static const struct rpc_field key_param[] = {
	{"key", "text", "1 to 255 bytes"},
	{NULL, NULL, NULL},
};

static const struct rpc_field put_params[] = {
	{"key", "text", "1 to 255 bytes"},
	{"value?", "text", "This or `value_base64`"},
	{"value_base64?", "base64", "Any bytes"},
	{NULL, NULL, NULL},
};

static const struct rpc_field written_result[] = {
	{"key", "text", ""},
	DOT(""),
	{NULL, NULL, NULL},
};

static const struct rpc_field record_result[] = {
	RECORD(""),
	{NULL, NULL, NULL},
};

static const struct rpc_field ls_params[] = {
	{"prefix?", "text", "Keys that begin with it; all unless given"},
	{"after?", "text", "`next` of the page before"},
	{"after_base64?", "base64", "`next_base64` of the page before"},
	{"limit?", "integer 1..10000", "Records of a page; 1,000 unless given"},
	{"tombstones?", "boolean", "Deleted keys too"},
	{NULL, NULL, NULL},
};

static const struct rpc_field ls_result[] = {
	RECORD("records[]."),
	{"next", "text | null", "`after` of the next page; null: this was the last one, or see `next_base64`"},
	{"next_base64?", "base64", "`after_base64` of the next page, where the key is not UTF-8"},
	{NULL, NULL, NULL},
};

static const struct rpc_field watch_params[] = {
	{"prefix?", "text", "Keys that begin with it; all unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field watch_result[] = {
	{"watching", "text", "The prefix"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error write_errors[] = {
	{RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"},
	{RPC_TOO_LARGE, "key and value are larger than one record, or the map is full"}, {0, NULL}};
static const struct rpc_method_error del_errors[] = {
	{RPC_NOT_FOUND, "there is no such key"}, {RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"}, {0, NULL}};
static const struct rpc_method_error get_errors[] = {
	{RPC_NOT_FOUND, "there is no such key"}, {0, NULL}};
static const struct rpc_method_error watch_errors[] = {
	{RPC_TOO_MANY, "as many subscribers as there may be"}, {0, NULL}};

#define ANSWER_DOT "\"dot\":{\"server\":\"edge-01\",\"epoch\":12,\"seq\":345}"
#define ANSWER_RECORD                                                                              \
	"{\"key\":\"greeting\",\"value\":\"hello\",\"tombstone\":false,\"writer\":\"edge-01\","        \
	ANSWER_DOT ",\"stamp\":{\"clock\":1,\"weight\":\"00000000000000aa\",\"server\":\"edge-01\","   \
	"\"epoch\":12,\"seq\":345},\"rival\":false,\"age_ms\":42}"

const struct rpc_method_info methods_map[] = {
	{.name = "map.put", .summary = "Write a record; answered once the keeper has written it",
		.params = put_params, .result = written_result, .errors = write_errors,
		.example = "{\"key\":\"greeting\",\"value\":\"hello\"}",
		.answer = "{\"key\":\"greeting\"," ANSWER_DOT "}", .writes = true},
	{.name = "map.get", .summary = "Read a record",
		.params = key_param, .result = record_result, .errors = get_errors,
		.example = "{\"key\":\"greeting\"}", .answer = ANSWER_RECORD},
	{.name = "map.ls", .summary = "List records, sorted by key, a page at a time",
		.params = ls_params, .result = ls_result,
		.example = "{\"prefix\":\"greet\",\"limit\":10}",
		.answer = "{\"records\":[" ANSWER_RECORD "],\"next\":null}"},
	{.name = "map.watch", .summary = "Tell each change of the keys with a prefix", .stream = true,
		.params = watch_params, .result = watch_result, .errors = watch_errors,
		.notes = "`map.change` has the fields of `map.get`; `map.missed {}` says that the server's own "
			 "queue of changes was full: list anew.",
		.example = "{\"prefix\":\"greet\"}", .answer = "{\"watching\":\"greet\"}"},
	{.name = "map.del", .summary = "Delete a key",
		.params = key_param, .result = written_result, .errors = del_errors,
		.example = "{\"key\":\"greeting\"}",
		.answer = "{\"key\":\"greeting\"," ANSWER_DOT "}", .writes = true},
	{.name = NULL},
};
