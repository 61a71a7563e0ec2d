#include "sim.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct sim *sim_create(const struct sim_config *config)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	if (sim == NULL)
		return NULL;
	sim->config = *config;
	if (sim->config.group_size == 0)
		sim->config.group_size = config->servers;
	uint32_t size = sim->config.group_size;
	assert(config->servers > 0 && config->servers <= SIM_SERVERS_MAX && size <= SIM_GROUP_MAX);
	assert(config->servers % size == 0);
	sim->network = config->network;
	sim->random = sw_random_seed(config->seed);
	sim->now_ns = SW_NS_PER_S;
	sim->servers = calloc(config->servers, sizeof(sim->servers[0]));
	sim->cuts = calloc((size_t)config->servers / size, (size_t)size * size);
	if (sim->servers == NULL || sim->cuts == NULL) {
		sim_destroy(sim);
		return NULL;
	}
	for (uint32_t i = 0; i < config->servers; i++) {
		sim->servers[i].group = i / size;
		sim->servers[i].identity = i;
		sim->servers[i].clock_base_ns = sim->now_ns;
		sim->servers[i].clock_offset_ns = sim->now_ns;
		uint64_t at_ns =
			sim->now_ns + sw_random_below(&sim->random, config->start_spread_ns + 1);
		queue_push(sim, at_ns, EVENT_START, i, NULL);
	}
	return sim;
}

void sim_destroy(struct sim *sim)
{
	struct event e;
	if (sim == NULL)
		return;
	while (queue_pop(sim, SW_NEVER_NS, &e))
		free(e.packet);
	for (uint32_t i = 0; sim->servers != NULL && i < sim->config.servers; i++)
		server_stop(sim, i);
	while (sim->free_packets != NULL) {
		struct packet *next = sim->free_packets->next;
		free(sim->free_packets);
		sim->free_packets = next;
	}
	free(sim->heap);
	free(sim->cuts);
	free(sim->servers);
	free(sim);
}

void sim_observe(struct sim *sim, const struct sim_observer *observer)
{
	sim->observer = *observer;
}

static void starve_turn(struct sim *sim, uint32_t i)
{
	struct server *s = &sim->servers[i];
	if (!s->up || s->starve_period_ns == 0 || s->starve_turn_ns != sim->now_ns)
		return;
	s->starved = !s->starved;
	s->starve_turn_ns += s->starved ? s->starve_period_ns - s->starve_run_ns : s->starve_run_ns;
	queue_push(sim, s->starve_turn_ns, EVENT_STARVE, i, NULL);
	server_wake(sim, i);
}

static void dispatch(struct sim *sim, const struct event *e)
{
	switch (e->kind) {
	case EVENT_PACKET: server_receive(sim, e->packet); break;
	case EVENT_TIMER: server_timer(sim, e->server); break;
	case EVENT_START: sim_start(sim, e->server, 0); break;
	case EVENT_STARVE: starve_turn(sim, e->server); break;
	}
}

bool sim_run(struct sim *sim, uint64_t for_ns)
{
	uint64_t until_ns = sim->now_ns + for_ns;
	struct event e;
	while (!sim->stopped && queue_pop(sim, until_ns, &e)) {
		sim->now_ns = sw_max_u64(sim->now_ns, e.at_ns);
		sim->events_done++;
		dispatch(sim, &e);
		if (sim->observer.after_event != NULL &&
			!sim->observer.after_event(sim->observer.context, sim, e.server))
			sim->stopped = true;
	}
	if (!sim->stopped)
		sim->now_ns = until_ns;
	return !sim->stopped;
}

uint64_t sim_now(const struct sim *sim)
{
	return sim->now_ns;
}

uint64_t sim_events(const struct sim *sim)
{
	return sim->events_done;
}

uint64_t sim_packets(const struct sim *sim)
{
	return sim->packets;
}

struct sw_random *sim_random(struct sim *sim)
{
	return &sim->random;
}

const struct sim_config *sim_config(const struct sim *sim)
{
	return &sim->config;
}

/* ---- servers ---- */

bool sim_is_up(const struct sim *sim, uint32_t i)
{
	return sim->servers[i].up;
}

bool sim_is_healthy(const struct sim *sim, uint32_t i)
{
	const struct server *s = &sim->servers[i];
	return s->up && !s->paused && !s->blocked && s->starve_period_ns == 0;
}

void sim_crash(struct sim *sim, uint32_t i)
{
	if (sim->servers[i].up)
		server_stop(sim, i);
}

void sim_pause(struct sim *sim, uint32_t i, bool on)
{
	sim->servers[i].paused = on;
	if (!on)
		server_wake(sim, i);
}

void sim_block(struct sim *sim, uint32_t i, bool on)
{
	sim->servers[i].blocked = on;
	if (!on)
		server_wake(sim, i);
}

void sim_starve(struct sim *sim, uint32_t i, uint64_t run_ns, uint64_t period_ns)
{
	struct server *s = &sim->servers[i];
	assert(period_ns == 0 || (run_ns > 0 && run_ns < period_ns));
	s->starve_run_ns = run_ns;
	s->starve_period_ns = period_ns;
	s->starved = false;
	s->starve_turn_ns = sim->now_ns + run_ns;
	if (period_ns != 0)
		queue_push(sim, s->starve_turn_ns, EVENT_STARVE, i, NULL);
	server_wake(sim, i);
}

void sim_clock(struct sim *sim, uint32_t i, int32_t rate_ppm, uint64_t offset_ns)
{
	struct server *s = &sim->servers[i];
	uint64_t now_ns = server_now(sim, s);
	s->clock_base_ns = sim->now_ns;
	s->clock_offset_ns = now_ns + offset_ns;
	s->clock_ppm = rate_ppm;
	s->timer_ns = 0;
	server_wake(sim, i);
}

void sim_leave(struct sim *sim, uint32_t i)
{
	if (!sim->servers[i].up)
		return;
	swim_leave(sim->servers[i].swim, server_now(sim, &sim->servers[i]));
	server_wake(sim, i);
}

void sim_drain(struct sim *sim, uint32_t i, bool on)
{
	if (!sim->servers[i].up)
		return;
	swim_drain(sim->servers[i].swim, server_now(sim, &sim->servers[i]), on);
	server_wake(sim, i);
}

int sim_forget(struct sim *sim, uint32_t at, uint32_t server)
{
	struct server *s = &sim->servers[at];
	int rc = s->up ? swim_forget(s->swim, server_now(sim, s), sim_id(server)) : -ESRCH;
	server_wake(sim, at);
	return rc;
}

int sim_put(struct sim *sim, uint32_t i, const char *key, const char *value)
{
	struct server *s = &sim->servers[i];
	struct dot dot;
	if (s->map == NULL)
		return -ESRCH;
	int rc = map_put_owner(s->map, server_now(sim, s), sim->now_ns / SW_NS_PER_MS, key,
		strlen(key), value, strlen(value), &dot);
	server_wake(sim, i);
	return rc;
}

int sim_del(struct sim *sim, uint32_t i, const char *key)
{
	struct server *s = &sim->servers[i];
	struct dot dot;
	if (s->map == NULL)
		return -ESRCH;
	int rc = map_del_owner(
		s->map, server_now(sim, s), sim->now_ns / SW_NS_PER_MS, key, strlen(key), &dot);
	server_wake(sim, i);
	return rc;
}

const char *sim_get(struct sim *sim, uint32_t i, const char *key)
{
	static char text[MAP_PAYLOAD_MAX + 1];
	struct map_view view;
	if (sim->servers[i].map == NULL ||
		!map_get_reader(sim->servers[i].map, key, strlen(key), &view) || view.tombstone)
		return NULL;
	memcpy(text, view.value, view.value_len);
	text[view.value_len] = '\0';
	return text;
}

struct swim *sim_swim(struct sim *sim, uint32_t i)
{
	return sim->servers[i].swim;
}

struct map *sim_map(struct sim *sim, uint32_t i)
{
	return sim->servers[i].map;
}

uint32_t sim_identity(const struct sim *sim, uint32_t i)
{
	return sim->servers[i].identity;
}

uint64_t sim_instance(const struct sim *sim, uint32_t i)
{
	return sim->servers[i].instance;
}

uint32_t sim_group_first(const struct sim *sim, uint32_t i)
{
	return i - i % sim->config.group_size;
}

uint32_t sim_group_size(const struct sim *sim, uint32_t i)
{
	(void)i;
	return sim->config.group_size;
}

/* ---- looking in ---- */

int sim_state(struct sim *sim, uint32_t viewer, uint32_t server)
{
	static struct swim_member members[SW_MEMBERS_MAX];
	uint32_t n = swim_members(sim->servers[viewer].swim, members, SW_MEMBERS_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (members[i].record.actor.id == sim_id(server))
			return members[i].record.state;
	return -1;
}

/* This server's table holds for alive exactly those of its group that run and take part. */
static bool table_is_right(struct sim *sim, uint32_t viewer)
{
	static struct swim_member members[SW_MEMBERS_MAX];
	uint32_t n = swim_members(sim->servers[viewer].swim, members, SW_MEMBERS_MAX);
	uint32_t first = sim_group_first(sim, viewer), running = 0, alive = 0;
	bool runs[SIM_GROUP_MAX] = {false};
	for (uint32_t i = first; i < first + sim->config.group_size; i++) {
		const struct server *s = &sim->servers[i];
		if (!s->up || swim_phase(s->swim) != SWIM_RUNNING)
			continue;
		runs[s->identity - first] = true;
		running++;
	}
	for (uint32_t i = 0; i < n; i++) {
		bool up = runs[members[i].record.actor.id - sim_id(first)];
		if (members[i].record.state == WIRE_SUSPECT ||
			(members[i].record.state == WIRE_ALIVE) != up)
			return false;
		alive += up;
	}
	return alive == running;
}

bool sim_members_agree(struct sim *sim, uint32_t group)
{
	const struct swim *one = NULL;
	uint32_t first = group * sim->config.group_size;
	for (uint32_t i = first; i < first + sim->config.group_size; i++) {
		struct server *s = &sim->servers[i];
		if (!s->up || swim_phase(s->swim) > SWIM_RUNNING)
			continue;
		if (!table_is_right(sim, i) ||
			(one != NULL && swim_table_digest(one) != swim_table_digest(s->swim)))
			return false;
		one = s->swim;
	}
	return one != NULL;
}

/* Tombstones are collected sooner here and later there. */
static uint32_t live_records(const struct map *m)
{
	return map_record_count(m) - map_tombstone_count(m);
}

bool sim_maps_agree(struct sim *sim, uint32_t group)
{
	const struct map *one = NULL;
	uint32_t first = group * sim->config.group_size;
	for (uint32_t i = first; i < first + sim->config.group_size; i++) {
		const struct map *m = sim->servers[i].map;
		if (!sim->servers[i].up || m == NULL ||
			swim_phase(sim->servers[i].swim) > SWIM_RUNNING)
			continue;
		if (!map_ready(m))
			return false;
		if (one != NULL && (map_content_hash(one) != map_content_hash(m) ||
					   map_vector_hash(one) != map_vector_hash(m) ||
					   live_records(one) != live_records(m)))
			return false;
		one = m;
	}
	return one != NULL;
}
