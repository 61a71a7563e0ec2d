/* Marks: rare branches of membership and map that a suite must have been in.
 *
 * Counted from outside, by the events, the changes of records and the counters that the appliance has too.
 */
#pragma once

#include <stdint.h>

#include "sim.h"

enum mark {
	MARK_REFUTED,
	MARK_REFUTED_DEAD,
	MARK_REJOINED,
	MARK_TABLE_DEAD_ASKED,
	MARK_EPOCH_TAKEN,
	MARK_STOOD_DOWN,
	MARK_LEFT,
	MARK_FORGOTTEN,
	MARK_FORGOTTEN_BACK,
	MARK_REAPED,
	MARK_GRAVE_TOLD,
	MARK_ALONE,
	MARK_INDIRECT,
	MARK_NACK,
	MARK_CONFIRMED,
	MARK_PAUSE_NOTICED,
	MARK_PROBE_VOIDED,
	MARK_ACK_STALE,
	MARK_DIRECT_OVER_BUDGET,
	MARK_SICK,
	MARK_TABLE_PAGE,
	MARK_SESSION_PACKET_AGAIN,
	MARK_SESSION_EXPIRED,
	MARK_SESSION_REFUSED,
	MARK_PULL_REFUSED,
	MARK_PULL_FAILED,
	MARK_PUSH_WHILE_STARTING,
	MARK_PUSH_GAP,
	MARK_RIVALS,
	MARK_FENCED,
	MARK_COUNT,
};

struct marks {
	uint64_t hits[MARK_COUNT];
};

const char *mark_name(enum mark mark);
void marks_event(struct marks *marks, const struct swim_event *event);
/* Of a server that is about to stop, or at the end: what its counters say. */
void marks_collect(struct marks *marks, struct sim *sim, uint32_t server);
void marks_add(struct marks *to, const struct marks *from);
