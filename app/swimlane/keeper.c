#include "appliance.h"

#include <errno.h>
#include <string.h>

#include "base/prefetch.h"
#include "ticks.h"

/* Packets whose records' memory is fetched together. */
struct group {
	uint32_t count;
	struct wire_header headers[MAP_AHEAD_PACKETS];
	struct wire_prelude preludes[MAP_AHEAD_PACKETS];
	struct sw_endpoint peers[MAP_AHEAD_PACKETS];
	struct sw_reader bodies[MAP_AHEAD_PACKETS];
};

/* The lane has opened it; reading the header again is cheaper than carrying it along. */
static bool open_packet(
	const struct keeper *keeper, struct rte_mbuf *m, struct group *g, uint32_t at)
{
	const struct packet_meta *meta = packet_meta(m);
	const uint8_t *payload = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->payload_offset);
	if (wire_read_header(payload, meta->payload_len, keeper->app->cluster_tag, &g->headers[at],
		    &g->bodies[at]) != WIRE_OK)
		return false;
	wire_get_prelude(&g->bodies[at], &g->preludes[at]);
	g->peers[at] = meta->peer;
	return true;
}

/* The lanes' cores have written them: each line of them is far away. */
static void fetch_packets(struct rte_mbuf **burst, unsigned count)
{
	for (unsigned i = 0; i < count && i < MAP_AHEAD_PACKETS; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(burst[i], const uint8_t *);
		sw_prefetch(packet_meta(burst[i]));
		for (uint32_t at = 0; at < rte_pktmbuf_data_len(burst[i]);
			at += RTE_CACHE_LINE_SIZE)
			sw_prefetch(data + at);
	}
}

/* Returns how many packets of the burst are used up. */
static unsigned open_group(
	struct keeper *keeper, struct rte_mbuf **burst, unsigned count, struct group *g)
{
	unsigned i = 0;
	for (g->count = 0; i < count && g->count < MAP_AHEAD_PACKETS; i++)
		g->count += open_packet(keeper, burst[i], g, g->count);
	map_ahead_owner(keeper->app->map, g->bodies, g->count);
	return i;
}

/* While a group is merged, the memory that the next one will touch is on its way. */
static void input_packets(
	struct keeper *keeper, uint64_t now_ns, struct rte_mbuf **burst, unsigned count)
{
	struct map *map = keeper->app->map;
	struct group groups[2];
	for (unsigned i = 0; i < count; i++)
		sw_prefetch(burst[i]);
	unsigned at = open_group(keeper, burst, count, &groups[0]);
	fetch_packets(burst + at, count - at);
	for (int i = 0; i < MAP_AHEAD_STEPS; i++)
		map_ahead_step_owner(map);
	for (unsigned turn = 0; groups[turn % 2].count > 0; turn++) {
		struct group *g = &groups[turn % 2];
		at += open_group(keeper, burst + at, count - at, &groups[(turn + 1) % 2]);
		fetch_packets(burst + at, count - at);
		for (uint32_t i = 0; i < g->count; i++) {
			map_input_owner(map, now_ns, &g->headers[i], &g->preludes[i], &g->peers[i],
				&g->bodies[i]);
			map_ahead_step_owner(map);
		}
		keeper->counters.packets += g->count;
	}
}

static bool take_packets(struct keeper *keeper, uint64_t now_ns)
{
	struct rte_mbuf *burst[BURST];
	bool worked = false;
	for (uint16_t l = 0; l < keeper->app->config->lane_count; l++) {
		unsigned n = rte_ring_sc_dequeue_burst(
			keeper->app->lanes[l].to_keeper, (void **)burst, BURST, NULL);
		input_packets(keeper, now_ns, burst, n);
		if (n > 0)
			rte_pktmbuf_free_bulk(burst, n);
		worked |= n > 0;
	}
	uint64_t hint = atomic_exchange_explicit(&keeper->app->hint, 0, memory_order_relaxed);
	if (hint != 0)
		map_hint_owner(keeper->app->map, now_ns, hint);
	if (keeper->repairs.count > 0)
		typed_repair_owner(
			&keeper->repairs, keeper->app->map, now_ns, ticks_wall_ms_at(now_ns));
	return worked;
}

static bool owns(struct keeper *keeper, struct keeper_command *c)
{
	const struct appliance *app = keeper->app;
	uint64_t hash = rendezvous_key_hash(app->cluster_seed, c->key, c->key_len);
	uint64_t first = ownership_first(keeper->ownership, hash);
	if (first == map_self(app->map).id)
		return true;
	c->number = (int64_t)first;
	c->result = -EPERM;
	keeper->counters.not_owner++;
	return false;
}

static void execute(struct keeper *keeper, uint64_t now_ns, struct keeper_command *c)
{
	struct map *map = keeper->app->map;
	struct map_view view;
	switch (c->kind) {
	case KEEPER_ADD:
		c->result = typed_add_owner(map, now_ns, c->wall_ms, c->key, c->key_len, c->number,
			&c->dot, &c->number);
		return;
	case KEEPER_FOLD:
		c->result = typed_fold_owner(
			map, now_ns, c->wall_ms, c->key, c->key_len, (uint32_t)c->number, &c->dot);
		return;
	case KEEPER_RETIRE:
		c->result = typed_retire_owner(
			map, now_ns, c->wall_ms, c->key, c->key_len, (uint32_t)c->number, &c->dot);
		return;
	case KEEPER_PUT_IF_OWNER:
		if (owns(keeper, c))
			c->result = map_put_owner(map, now_ns, c->wall_ms, c->key, c->key_len,
				c->value, c->value_len, &c->dot);
		return;
	case KEEPER_PUT_IF_ABSENT:
		if (map_get_reader(map, c->key, c->key_len, &view)) {
			c->result = -EEXIST;
			return;
		}
		__attribute__((fallthrough));
	case KEEPER_PUT:
		c->result = map_put_owner(map, now_ns, c->wall_ms, c->key, c->key_len, c->value,
			c->value_len, &c->dot);
		return;
	case KEEPER_DEL:
		c->result = map_del_owner(map, now_ns, c->wall_ms, c->key, c->key_len, &c->dot);
		return;
	}
}

static bool take_commands(struct keeper *keeper, uint64_t now_ns)
{
	struct appliance *app = keeper->app;
	struct keeper_command *burst[BURST];
	unsigned n = rte_ring_sc_dequeue_burst(app->commands, (void **)burst, BURST, NULL);
	for (unsigned i = 0; i < n; i++)
		execute(keeper, now_ns, burst[i]);
	/* As long as the commands there are: cannot be full. */
	if (n > 0)
		(void)rte_ring_sp_enqueue_bulk(app->commands_done, (void **)burst, n, NULL);
	keeper->counters.commands += n;
	return n > 0;
}

/* A full ring of free changes: control is told that it missed some. */
static struct map_change *take_change(struct keeper *keeper, const struct map_view *view)
{
	struct map_change *change;
	if (rte_ring_sc_dequeue(keeper->app->changes_free, (void **)&change) != 0) {
		keeper->counters.changes_missed++;
		return NULL;
	}
	change->at_ns = ticks_now_ns();
	change->view = *view;
	change->kind = CHANGE_RECORD;
	if (view->key_len > 0)
		memcpy(change->bytes, view->key, view->key_len);
	if (view->value_len > 0)
		memcpy(change->bytes + view->key_len, view->value, view->value_len);
	change->view.key = change->bytes;
	change->view.value = change->bytes + view->key_len;
	return change;
}

/* A record entered the map: control hears of it, and the ownership table if it is a registered key.
 */
void keeper_changed(void *context, const struct map_view *view, bool local)
{
	struct keeper *keeper = context;
	(void)local;
	if (ownership_is_registered_prefix(view->key, view->key_len)) {
		ownership_key(keeper->ownership, view);
		atomic_fetch_add_explicit(&keeper->ownership_version, 1, memory_order_release);
	}
	struct map_change *change = take_change(keeper, view);
	if (change != NULL) /* as long as the changes there are: cannot be full */
		(void)rte_ring_sp_enqueue(keeper->app->changes, change);
}

void keeper_collected(void *context, const struct map_view *tombstone)
{
	struct keeper *keeper = context;
	struct map_change *change = take_change(keeper, tombstone);
	if (change == NULL)
		return;
	change->kind = CHANGE_COLLECTED;
	(void)rte_ring_sp_enqueue(keeper->app->changes, change);
}

void keeper_event(void *context, const struct map_event *event)
{
	struct keeper *keeper = context;
	struct map_view view = {.key = event->key, .key_len = event->key_len};
	struct map_change *change = take_change(keeper, &view);
	if (change == NULL)
		return;
	change->kind = CHANGE_EVENT;
	change->event = *event;
	change->event.key = change->bytes;
	(void)rte_ring_sp_enqueue(keeper->app->changes, change);
}

void keeper_displaced(
	void *context, const struct map_view *kept, const struct map_view *displaced, bool rival)
{
	struct keeper *keeper = context;
	if (typed_is_reserved(displaced->key, displaced->key_len))
		typed_displaced(&keeper->repairs, map_self(keeper->app->map), displaced);
	if (!rival)
		return;
	struct map_change *change = take_change(keeper, displaced);
	if (change == NULL)
		return;
	change->kind = CHANGE_DISPLACED;
	change->by = kept->dot;
	(void)rte_ring_sp_enqueue(keeper->app->changes, change);
}

/* Who is dead is waited for until membership forgets it. */
static enum map_peer_state peer_state(uint8_t state)
{
	if (state <= WIRE_SUSPECT)
		return MAP_PEER_LIVE;
	return state == WIRE_DEAD ? MAP_PEER_DEAD : MAP_PEER_OVER;
}

static void follow_members(struct keeper *keeper, uint64_t now_ns)
{
	struct appliance *app = keeper->app;
	if (view_version(app->board) == keeper->view_version && now_ns < keeper->eligible_ns)
		return;
	const struct members_view *view = view_get_reader(app->board);
	struct map_peer peers[SW_MEMBERS_MAX];
	uint32_t n = 0;
	keeper->view_version = view->version;
	for (uint32_t i = 0; i < view->count; i++) {
		const struct swim_member *m = &view->members[i];
		if (m->self)
			map_self_owner(app->map, m->record.actor);
		else
			peers[n++] = (struct map_peer){m->record.actor, m->record.at,
				peer_state(m->record.state), view->packet_max[i]};
	}
	map_peers_owner(app->map, now_ns, peers, n, view->phase == SWIM_RUNNING);
	keeper->eligible_ns = ownership_members(keeper->ownership, now_ns, view);
	atomic_fetch_add_explicit(&keeper->ownership_version, 1, memory_order_release);
}

/* Only as many as the ring takes: a packet of a session must not be taken out and dropped. */
static bool send_packets(struct keeper *keeper, uint64_t now_ns)
{
	struct appliance *app = keeper->app;
	struct rte_mbuf *burst[BURST];
	unsigned room = rte_ring_free_count(app->keeper_to_lane), n = 0;
	room = room < BURST ? room : BURST;
	while (n < room) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(app->pool);
		uint64_t to_id;
		if (m == NULL) {
			keeper->counters.no_mbuf++;
			break;
		}
		uint8_t *packet = rte_pktmbuf_mtod(m, uint8_t *);
		struct packet_meta *meta = packet_meta(m);
		struct sw_writer w = sw_writer_init(packet + WIRE_HEADER_LEN + WIRE_PRELUDE_LEN,
			app->packet_max - (size_t)WIRE_AROUND_MESSAGES);
		if (!map_output_owner(app->map, now_ns, &w, &to_id, &meta->peer)) {
			rte_pktmbuf_free(m);
			break;
		}
		lane_prelude(app, packet, to_id);
		meta->payload_len = (uint16_t)(w.at - packet - WIRE_HEADER_LEN);
		burst[n++] = m;
	}
	if (n > 0)
		(void)rte_ring_sp_enqueue_bulk(app->keeper_to_lane, (void **)burst, n, NULL);
	keeper->counters.sent += n;
	return n > 0;
}

/* Gives back what readers can no longer hold. Never waits for them. */
static void reclaim(struct keeper *keeper)
{
	struct appliance *app = keeper->app;
	if (keeper->rcu_waiting) {
		if (rte_rcu_qsbr_check(app->rcu, keeper->rcu_token, false) != 1)
			return;
		map_free_owner(app->map);
		keeper->rcu_waiting = false;
	}
	if (map_has_retired_owner(app->map)) {
		map_seal_owner(app->map);
		keeper->rcu_token = rte_rcu_qsbr_start(app->rcu);
		keeper->rcu_waiting = true;
	}
}

int keeper_run(void *arg)
{
	struct keeper *keeper = arg;
	struct appliance *app = keeper->app;
	uint64_t deadline_ns = 0;
	idle_begin(&keeper->idle);
	while (!atomic_load_explicit(&app->stop, memory_order_relaxed)) {
		uint64_t now_ns = ticks_now_ns();
		follow_members(keeper, now_ns);
		bool worked = take_packets(keeper, now_ns);
		worked |= take_commands(keeper, now_ns);
		if (worked || now_ns >= deadline_ns)
			map_tick_owner(app->map, now_ns);
		worked |= send_packets(keeper, now_ns);
		reclaim(keeper);
		if (worked)
			idle_wake(&app->lanes[0].idle);
		deadline_ns = map_deadline(app->map);
		idle_turn(&keeper->idle, worked, now_ns,
			sw_min_u64(deadline_ns, keeper->eligible_ns));
	}
	idle_end(&keeper->idle);
	return 0;
}
