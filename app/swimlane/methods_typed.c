#include "methods.h"
#include "rpc/rpc.h"

/* clang-format off */
#define DOT                                                                                        \
	{"dot.server", "text", "Whose write it is, as versions count it"},                         \
	{"dot.epoch", "integer", ""},                                                              \
	{"dot.seq", "integer", ""}

#define ANSWER_DOT "\"dot\":{\"server\":\"edge-01\",\"epoch\":12,\"seq\":346}"

static const struct rpc_field name_param[] = {
	{"name", "text", "1 to 240 bytes; a space of names of its own"},
	{NULL, NULL, NULL},
};

static const struct rpc_field add_params[] = {
	{"name", "text", "1 to 240 bytes; a space of names of its own"},
	{"by?", "integer", "May be negative; 1 unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field add_result[] = {
	{"name", "text", ""},
	DOT,
	{"own", "integer", "What this life of this server has added in all"},
	{NULL, NULL, NULL},
};

static const struct rpc_field counter_result[] = {
	{"name", "text", ""},
	{"value", "integer", "The sum of what this server has heard of; 0 if nobody has added"},
	{"parts", "integer", "Servers' lives that it is made of"},
	{NULL, NULL, NULL},
};

static const struct rpc_field element_params[] = {
	{"name", "text", "Of the set"},
	{"element", "text", "With the name 252 bytes at most"},
	{NULL, NULL, NULL},
};

static const struct rpc_field element_result[] = {
	{"element", "text", ""},
	DOT,
	{NULL, NULL, NULL},
};

static const struct rpc_field members_params[] = {
	{"name", "text", "Of the set"},
	{"after?", "text", "`next` of the page before"},
	{"limit?", "integer 1..10000", "Elements of a page; 1,000 unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field members_result[] = {
	{"name", "text", ""},
	{"elements[]", "text", "Sorted"},
	{"next", "text | null", "`after` of the next page; null: this was the last one"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error add_errors[] = {
	{RPC_REFUSED, "the sum would not fit 64 bits"},
	{RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"},
	{RPC_TOO_LARGE, "the name is too long, or the map is full"}, {0, NULL}};
static const struct rpc_method_error counter_errors[] = {
	{RPC_REFUSED, "the sum does not fit 64 bits"}, {0, NULL}};
static const struct rpc_method_error set_add_errors[] = {
	{RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"},
	{RPC_TOO_LARGE, "name and element are too long, or the map is full"}, {0, NULL}};
static const struct rpc_method_error set_remove_errors[] = {
	{RPC_NOT_FOUND, "this server knows no such element"},
	{RPC_NOT_READY, "before the first complete session"},
	{RPC_BUSY, "as many writes are under way as there may be"}, {0, NULL}};

const struct rpc_method_info methods_typed[] = {
	{.name = "counter.add", .summary = "Add to a counter; no add is lost or counted twice",
		.params = add_params, .result = add_result, .errors = add_errors,
		.example = "{\"name\":\"hits\",\"by\":3}",
		.answer = "{\"name\":\"hits\"," ANSWER_DOT ",\"own\":3}", .writes = true},
	{.name = "counter.get", .summary = "Read a counter",
		.params = name_param, .result = counter_result, .errors = counter_errors,
		.example = "{\"name\":\"hits\"}",
		.answer = "{\"name\":\"hits\",\"value\":3,\"parts\":1}"},
	{.name = "set.add", .summary = "Add an element to a set",
		.params = element_params, .result = element_result, .errors = set_add_errors,
		.example = "{\"name\":\"blocked\",\"element\":\"203.0.113.7\"}",
		.answer = "{\"element\":\"203.0.113.7\"," ANSWER_DOT "}", .writes = true},
	{.name = "set.members", .summary = "List the elements of a set, a page at a time",
		.params = members_params, .result = members_result,
		.example = "{\"name\":\"blocked\"}",
		.answer = "{\"name\":\"blocked\",\"elements\":[\"203.0.113.7\"],\"next\":null}"},
	{.name = "set.remove", .summary = "Remove an element from a set",
		.params = element_params, .result = element_result, .errors = set_remove_errors,
		.notes = "Removes the adds that this server knows of; of an add elsewhere that neither knew of the "
			 "other, the larger stamp wins, as of any two writes.",
		.example = "{\"name\":\"blocked\",\"element\":\"203.0.113.7\"}",
		.answer = "{\"element\":\"203.0.113.7\"," ANSWER_DOT "}", .writes = true},
	{.name = NULL},
};
