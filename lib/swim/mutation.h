/* Rules of membership that a test build can break, one at a time, to show that breaking them is
 * noticed.
 *
 * SWIM_MUTANT(x) is the constant false but where SWIM_MUTATIONS is defined: no build that is
 * installed defines it. tests/model builds lib/swim anew with it.
 */
#pragma once

#include <stdbool.h>

enum swim_mutation {
	SWIM_MUTATION_NONE,
	SWIM_MUTATION_EPOCH_IGNORED,       /* records are compared without their epoch */
	SWIM_MUTATION_INCARNATION_IGNORED, /* and without their incarnation */
	SWIM_MUTATION_GRAVES_IGNORED,      /* reaped records are accepted again */
	SWIM_MUTATION_HEARSAY_CONFIRMS,    /* an accuser counts each time that it is heard of */
	SWIM_MUTATION_PAUSE_NOT_VOIDED,    /* verdicts across own pauses stand */
	SWIM_MUTATION_TABLE_IS_NEWS,       /* dead in a table page is dead at once */
	SWIM_MUTATION_DIGEST_BLIND,        /* the digest does not see incarnations */
	SWIM_MUTATION_NO_REFUTATION,       /* a server bears what is said of it */
	SWIM_MUTATION_JOIN_ACK_IGNORED,    /* what seeds remember of this id */
	SWIM_MUTATION_COUNT,
};

#ifdef SWIM_MUTATIONS
extern enum swim_mutation swim_mutation; /* of the tests' */
#define SWIM_MUTANT(x) (swim_mutation == SWIM_MUTATION_##x)
#else
#define SWIM_MUTANT(x) false
#endif
