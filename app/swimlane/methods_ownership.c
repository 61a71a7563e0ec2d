#include "methods.h"
#include "rpc/rpc.h"

static const struct rpc_field owner_params[] = {
	{"key", "text", ""},
	{NULL, NULL, NULL},
};

static const struct rpc_field owner_result[] = {
	{"key", "text", ""},
	{"registered", "boolean", "It is in the ownership table; otherwise ranked for this answer"},
	{"owners[].name", "text", "First one first"},
	{"owners[].id", "id", ""},
	{"owners[].rank", "integer 1..3", "1: the owner"},
	{"owners[].live", "boolean", ""},
	{NULL, NULL, NULL},
};

static const struct rpc_field owned_params[] = {
	{"server", "text", "Name or id"},
	{NULL, NULL, NULL},
};

static const struct rpc_field owned_result[] = {
	{"server", "text", "Its name"},
	{"id", "id", ""},
	{"keys[]", "text", "Registered keys whose owner it is, sorted"},
	{"count", "integer", "How many"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error no_server[] = {
	{RPC_NOT_FOUND, "there is no such server"}, {0, NULL}};

const struct rpc_method_info methods_ownership[] = {
	{.name = "owner",
		.summary = "The servers that own a key, by rank",
		.params = owner_params,
		.result = owner_result,
		.example = "{\"key\":\"origin/shop\"}",
		.answer = "{\"key\":\"origin/"
			  "shop\",\"registered\":true,\"owners\":[{\"name\":\"edge-01\","
			  "\"id\":\"00000000000000a1\",\"rank\":1,\"live\":true}]}"},
	{.name = "owned",
		.summary = "The registered keys that a server owns",
		.params = owned_params,
		.result = owned_result,
		.errors = no_server,
		.example = "{\"server\":\"edge-01\"}",
		.answer = "{\"server\":\"edge-01\",\"id\":\"00000000000000a1\","
			  "\"keys\":[\"origin/shop\"],\"count\":1}"},
	{.name = NULL},
};
