/* balance: how many keys each server owns, against what the weights let one expect. */
#include <inttypes.h>

#include "control_survey.h"

static json_t *server_to_json(const struct control *control, const struct survey *s, uint32_t i,
	uint64_t owned, uint64_t weights)
{
	char name[64];
	const struct rendezvous_server *server = &s->servers[i];
	return json_pack("{s:s, s:o, s:i, s:I, s:f, s:f}", "name",
		server_name(control, server->id, name), "id",
		json_sprintf("%016" PRIx64, server->id), "weight", (int)server->weight, "owned",
		(json_int_t)owned, "expected", survey_expected(s->keys, server->weight, weights),
		"sigmas", survey_sigmas(s->keys, server->weight, weights, owned));
}

static void done(struct control *control, struct rpc_call *call, struct survey *s)
{
	uint64_t owned[SW_MEMBERS_MAX] = {0}, weights = 0;
	double most = 0, chi_square = 0;
	json_t *servers = json_array();
	for (uint32_t key = 0; key < s->keys; key++) {
		int owner = survey_owner(s, key, s->servers, s->server_count);
		if (owner >= 0)
			owned[owner]++;
	}
	for (uint32_t i = 0; i < s->server_count; i++)
		weights += s->servers[i].weight;
	for (uint32_t i = 0; i < s->server_count && s->keys > 0; i++) {
		double expected = survey_expected(s->keys, s->servers[i].weight, weights);
		double off = (double)owned[i] - expected;
		most = (double)owned[i] / expected > most ? (double)owned[i] / expected : most;
		chi_square += off * off / expected;
	}
	for (uint32_t i = 0; i < s->server_count; i++)
		json_array_append_new(servers, server_to_json(control, s, i, owned[i], weights));
	rpc_result(
		call, json_pack("{s:I, s:o, s:f, s:f, s:i}", "keys", (json_int_t)s->keys, "servers",
			      servers, "most_over_expected", most, "chi_square", chi_square,
			      "degrees", s->server_count > 0 ? (int)s->server_count - 1 : 0));
}

static void balance(struct control *control, struct rpc_call *call, json_t *params)
{
	(void)params;
	survey_start(control, call, done, NULL);
}

void balance_methods(struct control *control)
{
	control_add(control, "balance", balance);
}
