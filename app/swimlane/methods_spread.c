#include "methods.h"
#include "rpc/rpc.h"

/* clang-format off */
#define DOT_PARAM                                                                                  \
	{"key?", "text", "The write that is read under it now, or its delete; this or `dot`"},     \
	{"dot?", "object", "The write itself, as `map.put` answers it"},                           \
	{"dot.server", "text", "A name or an id"},                                                 \
	{"dot.epoch", "integer", ""},                                                              \
	{"dot.seq", "integer", ""}

#define DOT                                                                                        \
	{"dot.server", "text", ""},                                                                \
	{"dot.epoch", "integer", ""},                                                              \
	{"dot.seq", "integer", ""}

#define ANSWER_DOT "\"dot\":{\"server\":\"edge-01\",\"epoch\":12,\"seq\":345}"

static const struct rpc_field spread_params[] = {DOT_PARAM, {NULL, NULL, NULL}};

static const struct rpc_field spread_result[] = {
	DOT,
	{"members[].name", "text", ""},
	{"members[].state", "alive | suspect | dead", ""},
	{"members[].self", "boolean", ""},
	{"members[].holds", "boolean", "Known to hold that write, or something newer"},
	{"members[].reported_ms", "integer | null", "Since it last told what it holds; null: never"},
	{"holding", "integer", "Members that are known to hold it"},
	{"of", "integer", "Members that are waited for: neither left nor forgotten"},
	{"settled", "boolean", "All of them do"},
	{NULL, NULL, NULL},
};

static const struct rpc_field wait_params[] = {
	DOT_PARAM,
	{"members?", "integer 1..256", "How many are to hold it, this server among them; all unless given"},
	{"timeout_ms?", "integer 0..3600000", "5,000 unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field wait_result[] = {
	DOT,
	{"reached", "boolean", "false: not known of enough members within the time"},
	{"holding", "integer", ""},
	{"of", "integer", ""},
	{"missing[]", "text", "Members of whom it is not known"},
	{"waited_ms", "integer", ""},
	{NULL, NULL, NULL},
};

static const struct rpc_field staleness_result[] = {
	{"bound_ms", "integer | null", "What others had written this long ago is here; null: not certain of anything yet"},
	{"by", "text | null", "The member that holds it back; null: there is no other"},
	{"members[].name", "text", ""},
	{"members[].state", "alive | suspect | dead", ""},
	{"members[].age_ms", "integer | null", "Since everything that it had written, as it said, was here"},
	{"members[].behind", "integer", "Writes that it is known to have made and that are not here"},
	{"members[].reported_ms", "integer | null", "Since it last told what it holds; null: never"},
	{"members[].lacks", "integer | null", "Writes that are here and that it did not hold then"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error which_errors[] = {
	{RPC_NOT_FOUND, "there is no such key"}, {0, NULL}};
static const struct rpc_method_error wait_errors[] = {
	{RPC_NOT_FOUND, "there is no such key"}, {RPC_BUSY, "64 others wait already"}, {0, NULL}};

const struct rpc_method_info methods_spread[] = {
	{.name = "map.spread", .summary = "Tell which members are known to hold a write",
		.params = spread_params, .result = spread_result, .errors = which_errors,
		.example = "{\"key\":\"greeting\"}",
		.answer = "{" ANSWER_DOT ",\"members\":[{\"name\":\"edge-01\",\"state\":\"alive\",\"self\":true,"
			  "\"holds\":true,\"reported_ms\":0}],\"holding\":1,\"of\":1,\"settled\":true}"},
	{.name = "map.wait", .summary = "Answer when members are known to hold a write, or the time is over",
		.params = wait_params, .result = wait_result, .errors = wait_errors,
		.example = "{\"key\":\"greeting\",\"members\":1}",
		.answer = "{" ANSWER_DOT ",\"reached\":true,\"holding\":1,\"of\":1,\"missing\":[],\"waited_ms\":0}"},
	{.name = "map.staleness", .summary = "Tell how old reads here may be, and who holds that back",
		.result = staleness_result,
		.notes = "By the packets of each member, which tell its last write. The time that a packet was "
			 "on its way comes on top.",
		.answer = "{\"bound_ms\":4,\"by\":\"edge-02\",\"members\":[{\"name\":\"edge-02\",\"state\":\"alive\","
			  "\"age_ms\":4,\"behind\":0,\"reported_ms\":60,\"lacks\":0}]}"},
	{.name = NULL},
};
