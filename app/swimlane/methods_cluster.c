#include "methods.h"
#include "rpc/rpc.h"

static const struct rpc_field members_result[] = {
	{"members[].name", "text", "As its configuration says"},
	{"members[].id", "id", ""},
	{"members[].epoch", "integer", "Number of its start"},
	{"members[].instance", "id", "Drawn at each start"},
	{"members[].incarnation", "integer", "Raised to refute a suspicion"},
	{"members[].state", "alive | suspect | dead | left | forgotten", ""},
	{"members[].drain", "boolean", "Stays a member and owns nothing"},
	{"members[].weight", "integer", "Its share of the keys, in proportion to the others'"},
	{"members[].zone", "text", "Empty: none"},
	{"members[].address", "text", "address:port"},
	{"members[].self", "boolean", "The server that was asked"},
	{"members[].since_ms", "integer", "When this state began"},
	{"members[].rtt_us", "integer | null", "Last probe's round trip; null: not probed yet"},
	{"members[].packet_max", "integer | null",
		"Bytes of the largest packet that goes there; 1448 goes everywhere"},
	{"members[].why", "text", "What made it so"},
	{"local_health", "integer", "0: well; each step makes this server's probes wait longer"},
	{NULL, NULL, NULL},
};

static const struct rpc_field drain_params[] = {
	{"on?", "boolean", "`false`: own a share again; true unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field drain_result[] = {
	{"drain", "boolean", "As asked"},
	{NULL, NULL, NULL},
};

static const struct rpc_field leave_result[] = {
	{"left", "boolean", "true: the others are told, then the process stops"},
	{NULL, NULL, NULL},
};

static const struct rpc_field server_param[] = {
	{"server", "text", "Name or id"},
	{NULL, NULL, NULL},
};

static const struct rpc_field forget_result[] = {
	{"forgotten", "text", "Name of the server"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error lane_busy[] = {
	{RPC_BUSY, "lane 0 has as many commands as it takes"}, {0, NULL}};
static const struct rpc_method_error forget_errors[] = {{RPC_NOT_FOUND, "there is no such server"},
	{RPC_REFUSED, "it is not dead"}, {RPC_BUSY, "lane 0 has as many commands as it takes"},
	{0, NULL}};

const struct rpc_method_info methods_cluster[] = {
	{.name = "members",
		.summary = "The servers that this one knows",
		.result = members_result,
		.answer = "{\"members\":[{\"name\":\"edge-01\",\"id\":\"00000000000000a1\","
			  "\"epoch\":12,"
			  "\"instance\":\"5d0c7a3be2f41c99\",\"incarnation\":1,\"state\":\"alive\","
			  "\"drain\":false,\"weight\":100,\"zone\":\"\",\"address\":\"10.0.0.1:"
			  "7946\","
			  "\"self\":true,\"since_ms\":1766428800000,\"rtt_us\":null,\"packet_max\":"
			  "null,\"why\":"
			  "\"joined\"}],"
			  "\"local_health\":0}"},
	{.name = "drain",
		.summary = "Own nothing from now on, and stay a member",
		.params = drain_params,
		.result = drain_result,
		.errors = lane_busy,
		.example = "{\"on\":true}",
		.answer = "{\"drain\":true}",
		.writes = true},
	{.name = "forget",
		.summary = "Wait no longer for a dead server: its epoch is over for good",
		.params = server_param,
		.result = forget_result,
		.errors = forget_errors,
		.example = "{\"server\":\"edge-03\"}",
		.answer = "{\"forgotten\":\"edge-03\"}",
		.writes = true},
	{.name = "leave",
		.summary = "Leave the cluster in order, and stop the server",
		.result = leave_result,
		.answer = "{\"left\":true}",
		.writes = true},
	{.name = NULL},
};
