#include "cluster.h"

static void on_event(
	void *context, struct sim *sim, uint32_t viewer, const struct swim_event *event)
{
	struct cluster *c = context;
	uint32_t subject = (uint32_t)(event->record.actor.id - sim_id(0));
	(void)sim;
	if (c->on_event != NULL && subject != viewer && subject < c->servers)
		c->on_event(c->context, viewer, subject, event);
}

static void on_packet(
	void *context, struct sim *sim, uint32_t from, uint16_t bytes, bool membership)
{
	struct cluster *c = context;
	(void)sim;
	(void)from;
	if (membership) {
		c->packets++;
		c->bytes += bytes;
	}
}

bool cluster_settle(struct cluster *c, uint64_t limit_ns)
{
	uint64_t step_ns = sim_config(c->sim)->profile.probe_interval_ns;
	for (uint64_t ns = 0; ns < limit_ns; ns += step_ns) {
		sim_run(c->sim, step_ns);
		if (sim_members_agree(c->sim, 0))
			return true;
	}
	return false;
}

bool cluster_create(struct cluster *c, const struct cluster_config *config)
{
	uint64_t interval_ns = config->profile.probe_interval_ns;
	struct sim_config sc = {
		.servers = config->servers,
		.seed = config->seed,
		.profile = config->profile,
		.features = config->features,
		.network = {.delay_min_ns = config->link_ns,
			.delay_spread_ns = config->link_ns / 10},
		.records_max = config->records_max,
		.push = config->push,
		.start_spread_ns = config->servers * interval_ns / 6,
	};
	*c = (struct cluster){.sim = sim_create(&sc), .servers = config->servers};
	if (c->sim == NULL)
		return false;
	struct sim_observer observer = {.context = c, .on_event = on_event, .on_packet = on_packet};
	sim_observe(c->sim, &observer);
	sim_run(c->sim, sc.start_spread_ns + config->profile.join_wait_ns);
	if (!cluster_settle(c, 60 * SW_NS_PER_S + 100 * interval_ns)) {
		cluster_destroy(c);
		return false;
	}
	sim_run(c->sim, 20 * interval_ns);
	cluster_reset(c);
	return true;
}

void cluster_destroy(struct cluster *c)
{
	sim_destroy(c->sim);
	c->sim = NULL;
}

void cluster_reset(struct cluster *c)
{
	c->packets = c->bytes = 0;
}
