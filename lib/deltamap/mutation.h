/* Rules of the map that a test build can break, one at a time, to show that breaking them is
 * noticed.
 *
 * MAP_MUTANT(x) is the constant false but where MAP_MUTATIONS is defined: no build that is
 * installed defines it. Who tests builds lib/deltamap anew with it. What each rule is for:
 * docs/map.md.
 */
#pragma once

#include <stdbool.h>

enum map_mutation {
	MAP_MUTATION_NONE,
	MAP_MUTATION_VECTOR_BEFORE_END, /* joined at the first packet of a session */
	MAP_MUTATION_SNAPSHOTS_MIXED,   /* packets of any snapshot count for a session */
	MAP_MUTATION_NONCE_IGNORED,     /* and those of any session with that peer */
	MAP_MUTATION_ENCODED_ANEW,      /* lost packets, from the map as it is by then */
	MAP_MUTATION_PUSH_OVER_GAP,     /* a push moves the vector over a gap */
	MAP_MUTATION_NO_FIRST_SESSION,  /* pushes are taken and served before it is whole */
	MAP_MUTATION_NO_EPOCH,          /* the test starts servers anew under their old epoch */
	MAP_MUTATION_NO_FENCE,          /* packets of epochs that are over are taken */
	MAP_MUTATION_NO_TOMBSTONE,      /* a delete removes the record, and that is all */
	MAP_MUTATION_COLLECT_UNSTABLE,  /* tombstones, before all have reported them */
	MAP_MUTATION_COLLECT_PREVIOUS_UNSEEN, /* without having seen what they replaced */
	MAP_MUTATION_COLLECT_IN_SESSION,      /* while a session is under way */
	MAP_MUTATION_NO_FLOOR_AT_BIRTH,       /* new keys start at clock 1 */
	MAP_MUTATION_NO_FLOOR_AT_PUSH,        /* pushes below the floor make keys */
	MAP_MUTATION_NO_FLOOR_IN_HEADERS,     /* the senders' floors are not adopted */
	MAP_MUTATION_ABSENT_COVERED_TAKEN,    /* an absent record that the vector covers is taken */
	MAP_MUTATION_NO_RECONCILE,         /* whoever does not cover what was collected is served */
	MAP_MUTATION_STALE_NOT_REFUSED,    /* and merged from */
	MAP_MUTATION_RECONCILE_NO_DROP,    /* keeps what the other collected */
	MAP_MUTATION_RECONCILE_NO_SKIP,    /* takes what was collected here */
	MAP_MUTATION_RECONCILE_NO_LIFT,    /* leaves what it keeps below the floor */
	MAP_MUTATION_NO_AUTHOR_DOT,        /* looks at the present dot alone */
	MAP_MUTATION_NO_ADOPTION,          /* records beyond a cap keep their dots */
	MAP_MUTATION_NO_MARKER,            /* what was collected beyond a cap is not marked */
	MAP_MUTATION_OWN_CLOSED_KEPT,      /* goes on under its own closed epoch */
	MAP_MUTATION_CLOSURES_NOT_LEARNED, /* before a delta is computed */
	MAP_MUTATION_CLOSE_UNEQUAL,        /* epochs are closed without all having the same */
	MAP_MUTATION_COUNT,
};

#ifdef MAP_MUTATIONS
extern enum map_mutation map_mutation; /* of the tests' */
#define MAP_MUTANT(x) (map_mutation == MAP_MUTATION_##x)
#else
#define MAP_MUTANT(x) false
#endif
