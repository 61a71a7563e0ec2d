#include "marks.h"

#include <string.h>

const char *mark_name(enum mark mark)
{
	static const char *const names[MARK_COUNT] = {
		[MARK_REFUTED] = "suspect refuted",
		[MARK_REFUTED_DEAD] = "refuted after dead",
		[MARK_REJOINED] = "rejoined after a partition",
		[MARK_TABLE_DEAD_ASKED] = "table page merged a dead as suspect",
		[MARK_EPOCH_TAKEN] = "epoch taken",
		[MARK_STOOD_DOWN] = "stood down",
		[MARK_LEFT] = "left",
		[MARK_FORGOTTEN] = "forgotten",
		[MARK_FORGOTTEN_BACK] = "forgotten came back under a new epoch",
		[MARK_REAPED] = "reaped",
		[MARK_GRAVE_TOLD] = "grave told",
		[MARK_ALONE] = "started alone",
		[MARK_INDIRECT] = "indirect probe",
		[MARK_NACK] = "nack",
		[MARK_CONFIRMED] = "suspicion confirmed",
		[MARK_PAUSE_NOTICED] = "own pause noticed",
		[MARK_PROBE_VOIDED] = "verdict across a pause voided",
		[MARK_ACK_STALE] = "stale ack",
		[MARK_DIRECT_OVER_BUDGET] = "direct dissemination over its budget",
		[MARK_SICK] = "local health at its worst",
		[MARK_TABLE_PAGE] = "table page",
		[MARK_SESSION_PACKET_AGAIN] = "session packet sent again",
		[MARK_SESSION_EXPIRED] = "session expired",
		[MARK_SESSION_REFUSED] = "session refused",
		[MARK_PULL_REFUSED] = "pull refused",
		[MARK_PULL_FAILED] = "pull failed",
		[MARK_PUSH_WHILE_STARTING] = "push refused while starting",
		[MARK_PUSH_GAP] = "push before its predecessor",
		[MARK_RIVALS] = "rivals settled by rendezvous",
		[MARK_FENCED] = "packet of an epoch that is over refused",
	};
	return names[mark];
}

void marks_event(struct marks *marks, const struct swim_event *event)
{
	switch (event->kind) {
	case SWIM_EVENT_REFUTED: marks->hits[MARK_REFUTED]++; break;
	case SWIM_EVENT_EPOCH: marks->hits[MARK_EPOCH_TAKEN]++; break;
	case SWIM_EVENT_STOOD_DOWN: marks->hits[MARK_STOOD_DOWN]++; break;
	case SWIM_EVENT_LEFT: marks->hits[MARK_LEFT]++; break;
	case SWIM_EVENT_FORGOTTEN: marks->hits[MARK_FORGOTTEN]++; break;
	case SWIM_EVENT_RUNNING: marks->hits[MARK_ALONE] += strstr(event->why, "alone") != NULL; break;
	default: break;
	}
	if (event->why == NULL)
		return;
	marks->hits[MARK_TABLE_DEAD_ASKED] += strncmp(event->why, "dead in another's table", 23) == 0;
	marks->hits[MARK_GRAVE_TOLD] += strncmp(event->why, "spoke from the grave", 20) == 0;
}

void marks_collect(struct marks *marks, struct sim *sim, uint32_t server)
{
	if (!sim_is_up(sim, server))
		return;
	const struct swim_counters *s = swim_counters(sim_swim(sim, server));
	marks->hits[MARK_INDIRECT] += s->probes_indirect;
	marks->hits[MARK_NACK] += s->nacks;
	marks->hits[MARK_CONFIRMED] += s->confirmations;
	marks->hits[MARK_PAUSE_NOTICED] += s->pauses;
	marks->hits[MARK_PROBE_VOIDED] += s->probes_voided;
	marks->hits[MARK_ACK_STALE] += s->acks_stale;
	marks->hits[MARK_DIRECT_OVER_BUDGET] += s->direct_over_budget;
	marks->hits[MARK_TABLE_PAGE] += s->table_pages;
	if (sim_map(sim, server) == NULL)
		return;
	const struct map_counters *m = map_counters(sim_map(sim, server));
	marks->hits[MARK_SESSION_PACKET_AGAIN] += m->session_packets_again;
	marks->hits[MARK_SESSION_EXPIRED] += m->sessions_expired;
	marks->hits[MARK_SESSION_REFUSED] += m->sessions_refused;
	marks->hits[MARK_PULL_REFUSED] += m->pulls_refused;
	marks->hits[MARK_PULL_FAILED] += m->pulls_failed;
	marks->hits[MARK_PUSH_WHILE_STARTING] += m->refused_starting;
	marks->hits[MARK_PUSH_GAP] += m->gaps;
	marks->hits[MARK_RIVALS] += m->rivals;
	marks->hits[MARK_FENCED] += m->refused_fenced;
}

void marks_add(struct marks *to, const struct marks *from)
{
	for (int i = 0; i < MARK_COUNT; i++)
		to->hits[i] += from->hits[i];
}
