/* Three servers, each the real membership machine, as a state that can be copied, hashed and
 * compared.
 *
 * Between two steps a machine is written down as what matters of it: its phase, its records, who
 * accused whom, its graves. Time is taken out: a step chooses the moment that it needs (a verdict
 * comes due, a join has waited enough), so that every order of events is reached whatever the
 * profile says. The network only grows: whatever was said once can arrive at any later step, any
 * number of times, or never. That is loss, duplication and reordering at once. What is said is what
 * the machines send, packets as bytes, each message of them on its own.
 */
#pragma once

#include "swim/internal.h"

enum { SERVERS = 3, SAID_MAX = 512, FIRST_INSTANCE = 8 };

struct rec {
	uint8_t server, epoch, instance, incarnation, state;
	uint8_t accuser; /* 0: nobody, else server + 1 */
};

struct view {
	uint8_t used;
	struct rec rec;
	uint8_t accusers; /* bit i: server i */
	uint8_t grave;    /* largest epoch that was reaped */
};

struct node {
	uint8_t up, phase, remembered, answered, starts;
	uint8_t seen_epoch; /* the largest of other lives that a seed told this one; for the checks
			       alone */
	struct view views[SERVERS];
	struct rec buried[SERVERS]; /* largest dead, left or forgotten that this life held; for the
				       checks alone */
};

struct budget {
	uint8_t suspicions, crashes, leaves, forgets, reaps, events;
};

struct state {
	struct node nodes[SERVERS];
	uint8_t accused[SERVERS]; /* bit i: server i did accuse it, by its own probe */
	struct budget left;
	uint64_t said[SAID_MAX / 64];
};

enum step_kind {
	STEP_SUSPECT, /* a's probe of b failed */
	STEP_VERDICT, /* a's suspicion of b came due */
	STEP_CRASH,
	STEP_START,  /* empty, with a smaller (b = 0) or larger instance than before */
	STEP_JOINED, /* a has waited enough for its seeds */
	STEP_LEAVE,
	STEP_FORGET, /* an operator at a, or 72 hours: b is forgotten */
	STEP_REAP,
	STEP_DELIVER, /* what to a */
};

struct step {
	enum step_kind kind;
	uint8_t a, b;
	uint16_t what;
};

/* Whom events may strike, in bits. */
struct scope {
	uint8_t accusers, accused, crashing, leaving;
};

extern const struct swim_profile cluster_profile;

/* The machines are kept between calls; one cluster at a time. */
void cluster_init(void);
void cluster_fini(void);
/* All three run and hold each other for alive; or all three are about to ask each other. */
void cluster_start(struct state *s, bool joined, const struct budget *budget);
/* False: cannot happen in this state. Else *s is the next one, and *broken is what no longer holds,
 * or NULL. */
bool cluster_step(
	struct state *s, const struct scope *scope, const struct step *step, const char **broken);
uint32_t cluster_said_count(void);
/* All but what is said. */
uint64_t cluster_hash(const struct state *s);
/* The nodes alone: where they would go if the network lost all that is under way. */
uint64_t cluster_hash_nodes(const struct state *s);
/* Lets time pass without faults from this state, everything else lost, until all agree. NULL, or
 * what is wrong at the end of max_ns. */
const char *cluster_settle(const struct state *s, uint64_t max_ns, uint64_t *took_ns);
void cluster_describe(const struct step *step, char *text, size_t size);
void cluster_describe_state(const struct state *s, char *text, size_t size);
