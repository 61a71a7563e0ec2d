#include "rendezvous/duty.h"

static bool same_actor(struct actor a, struct actor b)
{
	return a.id == b.id && a.epoch == b.epoch;
}

bool duty_is_beyond(const struct duty_view *v)
{
	uint32_t i = 0;
	while (i < v->ranks.count && v->suspect[i])
		i++;
	return i > 0 && i == v->ranks.count;
}

/* All who rank before this server are suspect, and it is not. */
static bool stands_in(const struct duty_view *v)
{
	for (uint32_t i = 0; i < v->ranks.count; i++) {
		if (v->ranks.ids[i] == v->self_id)
			return i > 0;
		if (!v->suspect[i])
			return false;
	}
	return v->ranks.count > 0 && v->beyond_id == v->self_id;
}

static enum duty decide(const struct duty_state *before, const struct duty_view *v)
{
	bool has_owner = v->ranks.count > 0;
	if (has_owner && v->ranks.ids[0] == v->self_id)
		return DUTY_OWNER;
	if (stands_in(v))
		return DUTY_STAND_IN;
	if (before->duty == DUTY_NONE)
		return DUTY_NONE;
	if (!has_owner)
		return DUTY_HAND_OVER; /* to whoever comes */
	if (before->duty == DUTY_STAND_IN && before->owner_id == v->ranks.ids[0])
		return DUTY_NONE; /* refuted: it never stopped */
	return same_actor(v->owner, v->writer) ? DUTY_NONE : DUTY_HAND_OVER;
}

enum duty duty_decide(struct duty_state *state, const struct duty_view *view)
{
	state->duty = decide(state, view);
	state->owner_id = view->ranks.count > 0 ? view->ranks.ids[0] : 0;
	return state->duty;
}

bool duty_must_claim(const struct duty_state *state, const struct duty_view *view)
{
	return state->duty == DUTY_OWNER && view->writer.id != 0 &&
	       !same_actor(view->owner, view->writer);
}

const char *duty_name(enum duty duty)
{
	static const char *const names[] = {"none", "owner", "stand_in", "hand_over"};
	return names[duty];
}
