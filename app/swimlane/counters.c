#include "counters.h"

#include <stddef.h>

#include "appliance.h"
#include "control.h"
#include "health/health.h"
#include "persist.h"
#include "rpc/rpc.h"
#include "watch.h"

#define COUNTS(kind, member, text)                                                                 \
	{                                                                                          \
#member, offsetof(struct OF, member), COUNTER_##kind, text                         \
	}

/* clang-format off */
#define OF idle
const struct counter counters_core[] = {
	COUNTS(EVENTS, loops, "Turns of the loop"),
	COUNTS(CYCLES, busy_cycles, "Spent in turns that found work"),
	COUNTS(CYCLES, idle_cycles, "Spent in turns that found none, without sleep"),
	COUNTS(EVENTS, sleeps, "Times the core slept"),
	COUNTS(NS, asleep_ns, "Time asleep"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF nic_stats
const struct counter counters_nic[] = {
	COUNTS(EVENTS, rx_frames, "Frames received from the port"),
	COUNTS(BYTES, rx_bytes, "Bytes of them"),
	COUNTS(EVENTS, rx_datagrams, "UDP datagrams among them that were meant for this server"),
	COUNTS(EVENTS, rx_answered, "ARP requests and pings answered by the port itself"),
	COUNTS(EVENTS, tx_frames, "Frames handed to the port"),
	COUNTS(BYTES, tx_bytes, "Bytes of them"),
	COUNTS(DROPS, tx_full, "The transmit ring stayed full"),
	COUNTS(DROPS, tx_no_neighbour, "The next hop's address is not known yet"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF lane_counters
const struct counter counters_lane[] = {
	COUNTS(EVENTS, packets, "Packets opened and taken"),
	COUNTS(EVENTS, answered, "Probes answered in place"),
	COUNTS(EVENTS, to_keeper, "Packets handed to the keeper"),
	COUNTS(EVENTS, sent, "Packets made and sent"),
	COUNTS(DROPS, no_mbuf, "No packet buffer was free"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF swim_counters
const struct counter counters_membership[] = {
	COUNTS(EVENTS, probes, "Probes begun"),
	COUNTS(EVENTS, probes_failed, "Probes that nobody answered"),
	COUNTS(EVENTS, probes_indirect, "Requests to others to probe a member"),
	COUNTS(EVENTS, probes_voided, "Verdicts that fell into a pause of this server and are void"),
	COUNTS(EVENTS, pauses, "Pauses of lane 0 that were longer than a probe may take"),
	COUNTS(EVENTS, acks, "Answers to probes"),
	COUNTS(EVENTS, acks_stale, "Answers that came after their probe was over"),
	COUNTS(EVENTS, nacks, "Helpers that say that they were not answered either"),
	COUNTS(EVENTS, suspicions, "Members that this server began to suspect"),
	COUNTS(EVENTS, confirmations, "Suspicions that others confirmed"),
	COUNTS(EVENTS, refutations, "Suspicions about this server that it refuted"),
	COUNTS(EVENTS, table_requests, "Member tables asked for"),
	COUNTS(EVENTS, table_pages, "Pages of the member table sent"),
	COUNTS(EVENTS, direct_sent, "Changes told directly"),
	COUNTS(EVENTS, direct_over_budget, "Changes left to gossip: over the packet budget"),
	COUNTS(DROPS, output_full, "Messages dropped because the output queue was full; gossip comes again"),
	COUNTS(DROPS, events_lost, "Events that control did not take in time"),
	COUNTS(DROPS, members_refused, "Members refused: the table is full"),
	COUNTS(DROPS, malformed, "Messages that could not be read"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF path_counters
const struct counter counters_path[] = {
	COUNTS(EVENTS, size_probes, "Packets sent to find out how large ones a path carries"),
	COUNTS(EVENTS, size_answers, "Answers to them"),
	COUNTS(EVENTS, size_lost, "Those of them that were not answered in time"),
	COUNTS(EVENTS, size_raised, "Times that a path was found to carry larger packets"),
	COUNTS(EVENTS, size_fallbacks, "Times that a path carried large packets no longer"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF keeper_counters
const struct counter counters_keeper[] = {
	COUNTS(EVENTS, packets, "Packets merged"),
	COUNTS(EVENTS, sent, "Packets made"),
	COUNTS(EVENTS, commands, "Local writes"),
	COUNTS(EVENTS, not_owner, "Writes refused because another server owns the key"),
	COUNTS(DROPS, no_mbuf, "No packet buffer was free"),
	COUNTS(DROPS, changes_missed, "Changes that control did not take in time: watchers list anew"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF watch_counters
const struct counter counters_watch[] = {
	COUNTS(EVENTS, watches_told, "Changes told to watches"),
	COUNTS(EVENTS, watches_behind, "Times that a watch's client had too much unread"),
	COUNTS(EVENTS, watches_missed, "Watches told that they missed changes, and where to resume"),
	COUNTS(EVENTS, watches_resumed, "Watches resumed from a vector"),
	COUNTS(EVENTS, watches_refused, "Watches refused: as many as there may be"),
	COUNTS(EVENTS, displaced_told, "Writes told as displaced by concurrent ones"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF persist_counters
const struct counter counters_persist[] = {
	COUNTS(EVENTS, copies, "Copies of the map written to the state folder"),
	COUNTS(EVENTS, copies_failed, "Copies that could not be written"),
	COUNTS(EVENTS, copies_again, "Copies begun anew because a full-state join came in between"),
	COUNTS(GAUGE, copy_bytes, "Bytes of the last copy"),
	COUNTS(GAUGE, copy_records, "Records in the map when the last copy was done"),
	COUNTS(GAUGE_MS, copy_took_ms, "Milliseconds that the last copy took, with the disk"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF map_counters
const struct counter counters_map[] = {
	COUNTS(EVENTS, puts, "Local writes"),
	COUNTS(EVENTS, deletes, "Local deletes"),
	COUNTS(EVENTS, merged, "Records taken from others"),
	COUNTS(EVENTS, older, "Records that were known, or older than what is held"),
	COUNTS(EVENTS, rivals, "Concurrent writes that rendezvous settled"),
	COUNTS(DROPS, refused_full, "Records refused: no room; they are asked for again"),
	COUNTS(DROPS, refused_starting, "Pushes before the first session"),
	COUNTS(DROPS, refused_floor, "Records of absent keys at or below the floor"),
	COUNTS(DROPS, refused_fenced, "Records of an epoch that is over"),
	COUNTS(DROPS, refused_actors, "Records of a server that the full vector has no room for"),
	COUNTS(EVENTS, pushes, "Packets pushed"),
	COUNTS(EVENTS, pushes_joined, "Packets' worth of pushes that rode along in another packet"),
	COUNTS(EVENTS, pushes_skipped, "Writes left to pull: queue full or over the budget"),
	COUNTS(EVENTS, gaps, "Pushes that came before their predecessor"),
	COUNTS(EVENTS, pulls, "Pulls begun"),
	COUNTS(EVENTS, pulls_done, "Pulls that ended whole"),
	COUNTS(EVENTS, pulls_failed, "Pulls given up"),
	COUNTS(EVENTS, pulls_refused, "Pulls that the other one refused"),
	COUNTS(EVENTS, sessions, "Sessions served"),
	COUNTS(DROPS, sessions_refused, "Sessions refused, for whatever reason"),
	COUNTS(DROPS, sessions_busy, "Sessions refused: as many as there may be"),
	COUNTS(EVENTS, sessions_expired, "Sessions whose other end went silent"),
	COUNTS(EVENTS, session_packets, "Packets of sessions"),
	COUNTS(EVENTS, session_packets_again, "Packets of sessions that were asked for again"),
	COUNTS(DROPS, malformed, "Messages that could not be read"),
	COUNTS(DROPS, output_full, "Messages dropped because the output queue was full"),
	COUNTS(EVENTS, absent_covered, "Records that came again after they had been collected"),
	COUNTS(EVENTS, collected, "Tombstones collected"),
	COUNTS(EVENTS, reports, "Vectors sent to servers that had not heard one for long"),
	COUNTS(EVENTS, closed, "Epochs closed, here or by others"),
	COUNTS(EVENTS, adopted, "Records of closed epochs that this server took over"),
	COUNTS(EVENTS, markers, "Marks that others must reconcile, for what was collected beyond a cap"),
	COUNTS(EVENTS, dropped_actors, "Entries of closed epochs that left the vector"),
	COUNTS(EVENTS, own_closed, "Times that this server went on under a new epoch"),
	COUNTS(EVENTS, reconciles, "Reconciliations done"),
	COUNTS(EVENTS, reconcile_told, "Servers that were told to reconcile"),
	COUNTS(EVENTS, reconcile_dropped, "Records dropped by reconciliation"),
	COUNTS(EVENTS, reconcile_skipped, "Records not taken by reconciliation"),
	COUNTS(EVENTS, lifted, "Records that reconciliation wrote anew"),
	COUNTS(EVENTS, stale, "Servers that were not merged from before they reconciled"),
	COUNTS(EVENTS, relayed, "Pushes handed on"),
	COUNTS(EVENTS, alarms, "Servers with the same vector and other content"),
	COUNTS(EVENTS, repairs, "Repairs by comparison"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF rpc_server_stats
const struct counter counters_rpc[] = {
	COUNTS(GAUGE, clients, "Clients of the control RPC now"),
	COUNTS(EVENTS, clients_refused, "Clients refused: as many as there may be"),
	COUNTS(EVENTS, requests, "Requests"),
	COUNTS(EVENTS, errors, "Error answers"),
	COUNTS(EVENTS, notifications, "Notifications sent"),
	COUNTS(EVENTS, notifications_missed, "Notifications that a slow client missed"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF health_stats
const struct counter counters_health[] = {
	COUNTS(GAUGE, origins, "Origins that this server checks now"),
	COUNTS(EVENTS, checks, "Checks done"),
	COUNTS(EVENTS, failures, "Checks that failed"),
	COUNTS(EVENTS, transitions, "Changes of state"),
	COUNTS(EVENTS, late, "Checks begun more than a tenth of the interval late"),
	COUNTS(EVENTS, deferred, "Checks held back by the rate or concurrency cap"),
	COUNTS(EVENTS, unjudged, "Checks that failed for want of this server's own means"),
	COUNTS(GAUGE, in_flight, "Checks under way now"),
	{NULL, 0, 0, NULL},
};
#undef OF

#define OF duty_totals
const struct counter counters_duty[] = {
	COUNTS(GAUGE, owned, "Origins that this server checks because it owns them"),
	COUNTS(GAUGE, standing_in, "Origins that it checks because those who rank before it are suspect"),
	COUNTS(GAUGE, handing_over, "Origins that it checks until their owner has written"),
	COUNTS(EVENTS, stand_ins, "Times that it began to stand in for an origin's owner"),
	COUNTS(EVENTS, hand_overs, "Times that it began to hand an origin over"),
	COUNTS(EVENTS, checks_owned, "Checks of origins that it owned"),
	COUNTS(EVENTS, checks_standing_in, "Checks while it stood in"),
	COUNTS(EVENTS, checks_handing_over, "Checks while it handed over"),
	{NULL, 0, 0, NULL},
};
#undef OF
/* clang-format on */

static void print_group(FILE *out, const char *where, const struct counter *list)
{
	for (; list->name != NULL; list++)
		(void)fprintf(out, "| %s | `%s` | %s |\n", where, list->name, list->help);
}

void counters_reference(FILE *out)
{
	(void)fputs("| of | counter | counts |\n|---|---|---|\n", out);
	print_group(out, "a core", counters_core);
	print_group(out, "a lane's queue", counters_nic);
	print_group(out, "a lane", counters_lane);
	print_group(out, "membership", counters_membership);
	print_group(out, "the paths", counters_path);
	print_group(out, "the keeper", counters_keeper);
	print_group(out, "the map", counters_map);
	print_group(out, "watches", counters_watch);
	print_group(out, "the map's copies", counters_persist);
	print_group(out, "the RPC", counters_rpc);
	print_group(out, "health", counters_health);
	print_group(out, "duties", counters_duty);
}
