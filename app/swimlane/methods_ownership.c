#include "methods.h"
#include "rpc/rpc.h"

static const struct rpc_field owner_params[] = {
	{"key", "text", ""},
	{"n?", "integer 1..256", "How many, if there are as many; 3 unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field owner_result[] = {
	{"key", "text", ""},
	{"registered", "boolean", "It is in the ownership table; otherwise ranked for this answer"},
	{"owners[].name", "text", "First one first"},
	{"owners[].id", "id", ""},
	{"owners[].rank", "integer 1..256", "1: the owner"},
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

#define DUTY(name, why)                                                                            \
	{name ".now", "integer", why}, {name ".begun", "integer", "How often that began"},         \
	{                                                                                          \
		name ".checks", "integer", "Checks carried out so"                                 \
	}

static const struct rpc_field duties_result[] = {
	DUTY("owner", "Origins that this server checks because it owns them"),
	DUTY("stand_in", "Because those who rank before it are suspect"),
	DUTY("hand_over", "Until the first write of their owner is seen"),
	{NULL, NULL, NULL},
};

static const struct rpc_field plan_params[] = {
	{"without?[]", "text", "Servers that would be gone, by name or id"},
	{"with?[].name", "text", "A server that would be there"},
	{"with?[].weight?", "integer 1..1000",
		"As it is unless given; 100 of one that is not here"},
	{"with?[].zone?", "text", ""},
	{"limit?", "integer 0..100000", "Most moves to list; 1,000 unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field plan_result[] = {
	{"keys", "integer", "Registered"},
	{"moved", "integer", "How many would have another owner"},
	{"servers[].name", "text", ""},
	{"servers[].id", "id", ""},
	{"servers[].weight_before", "integer", "0: owns nothing now"},
	{"servers[].weight", "integer", "0: would own nothing"},
	{"servers[].before", "integer", "Keys"},
	{"servers[].after", "integer", ""},
	{"servers[].gains", "integer", ""},
	{"servers[].loses", "integer", ""},
	{"servers[].expected", "number", "Afterwards, by its weight"},
	{"servers[].sigmas", "number", "How far `after` is from that"},
	{"moves[].key", "text", ""},
	{"moves[].from", "text | null", "null: nobody owns it now"},
	{"moves[].to", "text | null", ""},
	{NULL, NULL, NULL},
};

static const struct rpc_field balance_result[] = {
	{"keys", "integer", "Registered"},
	{"servers[].name", "text", ""},
	{"servers[].id", "id", ""},
	{"servers[].weight", "integer", ""},
	{"servers[].owned", "integer", "Keys"},
	{"servers[].expected", "number", "keys * weight / all weights"},
	{"servers[].sigmas", "number", "How far `owned` is from that"},
	{"most_over_expected", "number", "The largest of owned / expected"},
	{"chi_square", "number", ""},
	{"degrees", "integer", "Of freedom: servers less one"},
	{NULL, NULL, NULL},
};

static const struct rpc_field weight_params[] = {
	{"weight", "integer 1..1000", "100 is the ordinary one"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error weight_errors[] = {
	{RPC_BUSY, "lane 0 has as many commands as it takes"}, {0, NULL}};

const struct rpc_method_info methods_ownership[] = {
	{.name = "duties",
		.summary = "Which origins this server checks now, and why",
		.result = duties_result,
		.notes = "A drain is complete when `hand_over.now` is 0.",
		.answer =
			"{\"owner\":{\"now\":12,\"begun\":12,\"checks\":4120},\"stand_in\":{"
			"\"now\":0,\"begun\":3,\"checks\":4},\"hand_over\":{\"now\":0,\"begun\":2,"
			"\"checks\":3}}"},
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
	{.name = "plan",
		.summary = "Who would own what without some servers, and with others",
		.params = plan_params,
		.result = plan_result,
		.errors = no_server,
		.notes =
			"`with` names a member, which then counts with that weight whatever it is "
			"now, or a server that is not here yet and has the id of its name. Nothing "
			"changes.",
		.example = "{\"without\":[\"edge-01\"],\"with\":[{\"name\":\"edge-09\","
			   "\"weight\":200}]}",
		.answer = "{\"keys\":6,\"moved\":1,\"servers\":[{\"name\":\"edge-09\","
			  "\"id\":\"00000000000000a9\",\"weight_before\":0,\"weight\":200,"
			  "\"before\":0,\"after\":1,\"gains\":1,\"loses\":0,\"expected\":1.2,"
			  "\"sigmas\":-0.2}],\"moves\":[{\"key\":\"origin/shop\",\"from\":"
			  "\"edge-01\",\"to\":\"edge-09\"}]}"},
	{.name = "balance",
		.summary =
			"How many keys each server owns, against what the weights let one expect",
		.result = balance_result,
		.notes =
			"`sigmas` are standard deviations of the binomial distribution: of 64 "
			"servers one beyond 3.5 either way is rare. `chi_square` over `degrees` of "
			"freedom tells of all together.",
		.answer = "{\"keys\":6,\"servers\":[{\"name\":\"edge-01\",\"id\":"
			  "\"00000000000000a1\",\"weight\":100,\"owned\":2,\"expected\":1.2,"
			  "\"sigmas\":0.8}],\"most_over_expected\":1.7,\"chi_square\":2.1,"
			  "\"degrees\":4}"},
	{.name = "weight",
		.summary = "This server's share of the keys, in proportion to the others' weights, "
			   "from "
			   "now on",
		.params = weight_params,
		.result = weight_params,
		.errors = weight_errors,
		.notes = "Until the next start, which takes the configuration's.",
		.example = "{\"weight\":100}",
		.answer = "{\"weight\":100}",
		.writes = true},
	{.name = NULL},
};
