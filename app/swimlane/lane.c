#include "appliance.h"
#include "ticks.h"

enum { TURN_US_MAX = 200 }; /* of a burst; an interrupt or another thread takes longer */

const char *drop_name(unsigned drop)
{
	static const char *const names[] = {
		[DROP_OTHER_SERVER] = "other_server",
		[DROP_OWN] = "own",
		[DROP_OLD_EPOCH] = "old_epoch",
		[DROP_COVERED] = "covered",
		[DROP_KEEPER_FULL] = "keeper_full",
		[DROP_LANE_FULL] = "lane_full",
		[DROP_SHIM] = "shim",
		[DROP_TAG] = "tag",
		[DROP_REPLAY] = "replay",
		[DROP_NEW_SENDER] = "new_sender",
		[DROP_NO_SENDER] = "no_sender",
		[DROP_EXHAUSTED] = "exhausted",
	};
	return drop < DROP_OTHER_SERVER ? wire_error_name((enum wire_error)(drop - DROP_WIRE))
					: names[drop];
}

static bool receive_burst(struct lane *lane, uint64_t now_ns, uint64_t begin)
{
	struct nic_datagram burst[NIC_BURST];
	uint16_t n = nic_rx(lane->app->port, lane->index, burst);
	uint64_t received = nic_received_tsc(lane->app->port, lane->index);
	if (received != 0)
		lane_clock_start(&lane->clock, begin, received);
	lane_stage(lane, STAGE_CHECK);
	lane_receive(lane, now_ns, burst, n);
	return n > 0;
}

/* Packets of senders that were new, and that control has let in. */
static bool receive_admitted(struct lane *lane, uint64_t now_ns)
{
	struct rte_mbuf *burst[BURST];
	if (lane->app->seal == NULL)
		return false;
	unsigned n = rte_ring_sc_dequeue_burst(lane->from_control, (void **)burst, BURST, NULL);
	if (n > 0)
		lane_receive_admitted(lane, now_ns, burst, (uint16_t)n);
	return n > 0;
}

/* Lane 0: what other lanes took in that is membership's. */
static bool receive_from_lanes(struct lane *lane, uint64_t now_ns)
{
	struct rte_mbuf *burst[BURST];
	bool worked = false;
	for (uint16_t l = 1; l < lane->app->config->lane_count; l++) {
		unsigned n = rte_ring_sc_dequeue_burst(
			lane->app->lanes[l].to_lane0, (void **)burst, BURST, NULL);
		for (unsigned i = 0; i < n; i++)
			lane_membership(lane, now_ns, burst[i]);
		worked |= n > 0;
	}
	return worked;
}

static bool take_commands(struct lane *lane, uint64_t now_ns)
{
	struct swim *swim = lane->app->swim;
	struct lane_command command;
	if (rte_ring_sc_dequeue_elem(lane->app->lane_commands, &command, sizeof(command)) != 0)
		return false;
	switch (command.kind) {
	case LANE_DRAIN: swim_drain(swim, now_ns, true); break;
	case LANE_UNDRAIN: swim_drain(swim, now_ns, false); break;
	case LANE_LEAVE: swim_leave(swim, now_ns); break;
	case LANE_WEIGHT: swim_set_weight(swim, now_ns, (uint16_t)command.server_id); break;
	case LANE_FORGET:
		/* Control has looked: it is dead, or came back meanwhile, and then there is nothing
		 * to forget. */
		(void)swim_forget(swim, now_ns, command.server_id);
		break;
	}
	return true;
}

static void report_events(struct lane *lane)
{
	struct swim_event event;
	/* A full ring keeps them in the machine, which counts what it loses. */
	while (rte_ring_free_count(lane->app->events) > 0 &&
		swim_next_event(lane->app->swim, &event))
		(void)rte_ring_sp_enqueue_elem(lane->app->events, &event, sizeof(event));
}

/* Lane 0, after everything that can change membership. */
static void run_membership(struct lane *lane, uint64_t now_ns, uint64_t *publish_ns)
{
	struct appliance *app = lane->app;
	swim_set_map_hashes(app->swim, map_vector_hash(app->map), map_settled_hash(app->map));
	uint32_t closed_epoch = map_closed_epoch(app->map);
	if (closed_epoch != 0)
		swim_renew(app->swim, now_ns, closed_epoch);
	swim_tick(app->swim, now_ns);
	lane_send_membership(lane, now_ns);
	lane_path_tick(lane, now_ns);
	report_events(lane);
	/* Round trip times change without a version: shown anew ten times a second. */
	if (view_is_old_owner(app->board, app->swim) || now_ns >= *publish_ns)
		if (view_publish_owner(app->board, app->swim)) {
			*publish_ns = now_ns + 100 * SW_NS_PER_MS;
			idle_wake(&app->keeper.idle);
		}
	if (swim_phase(app->swim) == SWIM_LEFT && !swim_has_output(app->swim))
		atomic_store_explicit(&app->left, true, memory_order_release);
}

/* Whoever this turn may have left something for. */
static void wake_others(const struct lane *lane, bool worked)
{
	const struct appliance *app = lane->app;
	if (!worked)
		return;
	idle_wake(&app->keeper.idle);
	if (lane->index != 0)
		idle_wake(&app->lanes[0].idle);
}

int lane_run(void *arg)
{
	struct lane *lane = arg;
	struct appliance *app = lane->app;
	uint64_t publish_ns = 0, deadline_ns = 0;
	bool first = lane->index == 0;
	lane->clock.limit = rte_get_tsc_hz() / 1000000 * TURN_US_MAX;
	idle_begin(&lane->idle);
	while (!atomic_load_explicit(&app->stop, memory_order_relaxed)) {
		uint64_t begin = rte_rdtsc(), now_ns = ticks_to_ns(begin);
		lane->capture = atomic_load_explicit(&app->capture, memory_order_acquire);
		bool worked = receive_burst(lane, now_ns, begin);
		worked |= receive_admitted(lane, now_ns);
		if (first) {
			worked |= receive_from_lanes(lane, now_ns);
			worked |= take_commands(lane, now_ns);
			if (worked || now_ns >= deadline_ns || now_ns >= publish_ns) {
				run_membership(lane, now_ns, &publish_ns);
				deadline_ns = sw_min_u64(swim_deadline(app->swim),
					sw_min_u64(publish_ns, lane_path_deadline(lane)));
			}
			worked |= lane_send_keeper(lane) > 0;
		}
		lane_flush(lane);
		lane_clock_stop(&lane->clock, &lane->cycles,
			nic_port_stats(app->port, lane->index)->rx_frames, lane->counters.answered);
		wake_others(lane, worked);
		idle_turn(&lane->idle, worked, now_ns, first ? deadline_ns : SW_NEVER_NS);
	}
	idle_end(&lane->idle);
	return 0;
}
