/* owner, weight */
#include "control.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static json_t *owner_to_json(const struct control *control, uint64_t id, uint32_t rank)
{
	const struct swim_member *m = view_find(view_get_reader(control->app->board), id);
	char name[64];
	return json_pack("{s:s, s:o, s:i, s:b}", "name", server_name(control, id, name), "id",
		json_sprintf("%016" PRIx64, id), "rank", (int)rank, "live",
		m != NULL && m->record.state <= WIRE_SUSPECT);
}

/* Ranked here and now, over the servers of the keeper's table: any key, any number. */
static uint32_t rank_now(
	const struct appliance *app, uint64_t key_hash, uint32_t want, uint64_t *ids)
{
	struct rendezvous_server servers[SW_MEMBERS_MAX];
	uint32_t order[SW_MEMBERS_MAX];
	uint32_t n = ownership_servers_reader(app->keeper.ownership, servers);
	n = app->config->ownership_zone_aware
		    ? rendezvous_rank_zones(key_hash, servers, n, order, want)
		    : rendezvous_rank(key_hash, servers, n, order, want);
	for (uint32_t i = 0; i < n; i++)
		ids[i] = servers[order[i]].id;
	return n;
}

static void owner(struct control *control, struct rpc_call *call, json_t *params)
{
	const struct appliance *app = control->app;
	const char *key = control_text(call, params, "key");
	const json_t *n = json_object_get(params, "n");
	uint64_t ids[SW_MEMBERS_MAX];
	struct rendezvous_ranks ranks;
	if (key == NULL)
		return;
	uint32_t want = n != NULL ? (uint32_t)json_integer_value(n) : SW_OWNER_RANKS;
	uint64_t hash = rendezvous_key_hash(app->cluster_seed, key, strlen(key));
	bool registered = ownership_read_reader(app->keeper.ownership, hash, &ranks);
	uint32_t count = rank_now(app, hash, want, ids);
	if (registered && want <= SW_OWNER_RANKS) {
		count = want < ranks.count ? want : ranks.count;
		memcpy(ids, ranks.ids, count * sizeof(ids[0]));
	}
	json_t *owners = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(owners, owner_to_json(control, ids[i], i + 1));
	rpc_result(call, json_pack("{s:s, s:b, s:o}", "key", key, "registered", (int)registered,
				 "owners", owners));
}

static void weight(struct control *control, struct rpc_call *call, json_t *params)
{
	json_int_t wanted = json_integer_value(json_object_get(params, "weight"));
	if (control_lane(control, LANE_WEIGHT, (uint64_t)wanted))
		rpc_result(call, json_pack("{s:I}", "weight", wanted));
	else
		rpc_error(call, RPC_BUSY, "lane 0 has as many commands as it takes; try again");
}

void ownership_methods(struct control *control)
{
	control_add(control, "owner", owner);
	control_add(control, "weight", weight);
}
