/* Who does a key's work (checks its origin) now: what one server decides for itself.
 *
 * The owner, the first in rank, does it. Around every change somebody must, and two may for a
 * moment; so the others follow these rules:
 *
 *   stand in    while all who rank before it are suspect, the next in rank does the work too, from
 *               the moment of the suspicion. If the suspicion is refuted it stops at once; if the
 *               suspect is dead, it is the owner or hands over. Where all whose ranks are kept are
 *               suspect (they are on the other side of a cut), it is the first of those who are
 *               not: nobody waits for a suspect to be declared dead.
 *   hand over   who did the work and is not the owner any more (it drains, somebody joined, weighs
 *               more or came back) goes on until the owner's first write about it is seen.
 *   claim       an owner that sees a newer write about its key by somebody else writes again what
 *               it finds next, so that whoever waits for it to write does not wait in vain.
 *
 * So in a settled view one server does the work of a key, and two while one stands in or hands
 * over. Suspects that are well work on, in their own eyes: so at most SW_OWNER_RANKS meet in one
 * view and one more if all of those are suspect, and twice that while two sides of a cut come
 * together. A gap is no longer
 * than from the last work to the suspicion. (Owners by rank: rendezvous.h. That two do harmless
 * work rather than none is section 7 of the design: no lock, no lease.)
 *
 * Pure: a function of what the caller knows; any core.
 */
#pragma once

#include <stdbool.h>

#include "causal/causal.h"
#include "rendezvous/table.h"

enum duty { DUTY_NONE, DUTY_OWNER, DUTY_STAND_IN, DUTY_HAND_OVER, DUTY_COUNT };

/* Of one key on one server; zeros at first. */
struct duty_state {
	enum duty duty;
	uint64_t owner_id; /* first in rank when it was decided */
};

struct duty_view {
	uint64_t self_id;
	struct rendezvous_ranks ranks;
	bool suspect[SW_OWNER_RANKS]; /* the server of this rank, in this server's eyes */
	uint64_t beyond_id; /* where duty_is_beyond(): the first in rank who is not suspect; or 0 */
	struct actor owner; /* the first in rank, as the member that it is now */
	struct actor writer; /* of the newest write about the key; id 0: none yet */
};

/* All whose ranks are kept are suspect: beyond_id is asked for. */
bool duty_is_beyond(const struct duty_view *view);

/* The first time and after every change of the view; the same view again changes nothing. */
enum duty duty_decide(struct duty_state *state, const struct duty_view *view);

/* What is to be written even if nothing changed: the owner's claim. */
bool duty_must_claim(const struct duty_state *state, const struct duty_view *view);

const char *duty_name(enum duty duty);
