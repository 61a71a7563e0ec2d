/* A machine back into its state, and what must hold of it. */
#include "internal.h"

static const char *check_accusers(const struct state *s, const struct member *m, uint8_t *mask)
{
	uint32_t server = cluster_server_of(m->record.actor.id);
	*mask = 0;
	for (uint32_t i = 0; i < m->accuser_count; i++) {
		uint8_t bit = (uint8_t)(1u << cluster_server_of(m->accusers[i]));
		if (*mask & bit)
			return "an accuser is counted once";
		if ((s->accused[server] & bit) == 0)
			return "hearsay is not counted as an accusation of one's own";
		*mask |= bit;
	}
	return NULL;
}

static const char *check_record(struct node *n, const struct view *before, const struct rec *now)
{
	struct rec *buried = &n->buried[now->server];
	if (before->used && rec_compare(&before->rec, now) > 0)
		return "a record never goes back in its order";
	bool live = now->state <= WIRE_SUSPECT;
	if (live && buried->epoch != 0) {
		struct rec life = *now, grave = *buried;
		life.state = grave.state = 0;
		if (buried->state >= WIRE_LEFT)
			life.incarnation = grave.incarnation = 0;
		if (rec_compare(&life, &grave) <= 0)
			return buried->state >= WIRE_LEFT
				       ? "who left or was forgotten comes back under a new epoch "
					 "only"
				       : "the dead come back under a larger incarnation only";
	}
	if (live && now->epoch <= before->grave)
		return "what was reaped does not come back";
	if (!live && rec_compare(now, buried) > 0)
		*buried = *now;
	return NULL;
}

const char *cluster_save(struct state *s, uint32_t server)
{
	struct swim *w = cluster_machine(server);
	struct node *n = &s->nodes[server], before = *n;
	const char *broken = NULL, *what;
	n->phase = (uint8_t)w->phase;
	n->answered = w->join_acks > 0;
	n->remembered = w->remembered;
	for (uint32_t i = 0; i < SERVERS; i++) {
		n->views[i].used = 0;
		n->views[i].accusers = 0;
		n->views[i].rec = (struct rec){.server = (uint8_t)i};
	}
	for (uint32_t i = 0; i < w->member_count; i++) {
		const struct member *m = &w->members[i];
		if (!m->used)
			continue;
		struct rec rec = rec_of(&m->record);
		struct view *v = &n->views[rec.server];
		v->used = 1;
		v->rec = rec;
		if ((what = check_record(n, &before.views[rec.server], &rec)) != NULL)
			broken = what;
		if (rec.state == WIRE_SUSPECT &&
			(what = check_accusers(s, m, &v->accusers)) != NULL)
			broken = what;
	}
	for (uint32_t i = 0; i < w->grave_count; i++) {
		struct view *v = &n->views[cluster_server_of(w->graves[i].id)];
		v->grave = (uint8_t)(w->graves[i].epoch > v->grave ? w->graves[i].epoch : v->grave);
	}
	if (w->phase == SWIM_STOOD_DOWN)
		return "nobody stands down where no id is used twice";
	if (w->phase == SWIM_RUNNING && n->seen_epoch >= n->views[server].rec.epoch)
		return "a new life runs above each epoch that its seeds told it of";
	return broken;
}
