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
	{"if_owner?", "boolean", "Only if this server owns the key in its own view"},
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
	{"reserved?", "boolean", "Counters' and sets' records too, as they are stored"},
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
	{"vector?", "object", "Resume from here: the last `vector` that was told"},
	{"reserved?", "boolean", "Counters' and sets' records too, as they are stored"},
	{NULL, NULL, NULL},
};

static const struct rpc_field watch_result[] = {
	{"watching", "text", "The prefix"},
	{"resuming", "boolean", "What the vector does not cover follows"},
	{"vector.*", "integer", "What is covered up to here, as \"id@epoch\": seq; keep it as it is"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error write_errors[] = {
	{RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"},
	{RPC_TOO_LARGE, "key and value are larger than one record, or the map is full"},
	{RPC_REFUSED, "`if_owner`: another server owns the key; the message says which"}, {0, NULL}};
static const struct rpc_method_error del_errors[] = {
	{RPC_NOT_FOUND, "there is no such key"}, {RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"}, {0, NULL}};
static const struct rpc_method_error get_errors[] = {
	{RPC_NOT_FOUND, "there is no such key"}, {0, NULL}};
static const struct rpc_method_error watch_errors[] = {
	{RPC_TOO_MANY, "as many watches as there may be (`map.watches_max`), or 16 on this connection"},
	{RPC_REFUSED, "`vector` does not cover deletes that were collected here: list anew"}, {0, NULL}};

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
		.notes = "`map.change` has the fields of `map.get`, in the order in which changes came to this "
			 "server. `map.vector {watching, vector}` comes within a second of a change: all that "
			 "this vector covers has been told, and `vector` of a later `map.watch`, on this server or "
			 "another one, resumes from there; what it does not cover is told then, each key as it is "
			 "by then. `map.missed {watching, count, vector}` says that changes were not told, "
			 "because this client has more than `map.watch_kib` unread or the server's own queue was "
			 "full: resume from its vector; new changes are told meanwhile, vectors are not. "
			 "`map.displaced` has the fields of `map.get` and `by`: a write that gave way to one that "
			 "did not know of it. A second watch of one prefix on one connection takes the place of "
			 "the first.",
		.example = "{\"prefix\":\"greet\"}",
		.answer = "{\"watching\":\"greet\",\"resuming\":false,\"vector\":{\"00000000000000a1@12\":345}}"},
	{.name = "map.del", .summary = "Delete a key",
		.params = key_param, .result = written_result, .errors = del_errors,
		.example = "{\"key\":\"greeting\"}",
		.answer = "{\"key\":\"greeting\"," ANSWER_DOT "}", .writes = true},
	{.name = NULL},
};
