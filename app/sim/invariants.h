/* What must hold after every event, checked for the server that the event was at.
 *
 * Membership, of each record in each table, against what the table held before:
 *  - it never goes down in the lattice (epoch, forgotten, instance, incarnation, state), unless it
 * was reaped: only who left or is forgotten is, and only under a larger epoch, or as forgotten,
 * does it come back;
 *  - nobody is LEFT who was not told to leave, nor FORGOTTEN where nobody forgets;
 *  - nobody knows more of a life than that life has said of itself.
 * The map (design: the invariant that everything hangs on): a replica whose vector covers a write
 * holds it, or one with a larger stamp, or a tombstone with a larger one has been collected.
 *
 * A check costs a comparison of two numbers unless the table or the map has changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "marks.h"
#include "sim.h"

enum { VIOLATION_TEXT_MAX = 512, INVARIANT_WRITES_MAX = 8192 };

struct invariants;

struct violation {
	char text[VIOLATION_TEXT_MAX];
	uint32_t servers[2]; /* concerned */
};

/* `forgets`: the run may forget servers. `marks` counts what changes of records show. */
struct invariants *invariants_create(const struct sim *sim, bool forgets, struct marks *marks);
void invariants_destroy(struct invariants *inv);
/* False: *violation says what broke. */
bool invariants_check(
	struct invariants *inv, struct sim *sim, uint32_t server, struct violation *violation);
void invariants_may_leave(struct invariants *inv, uint32_t server);
/* Some server collected this tombstone. */
void invariants_collected(struct invariants *inv, const struct map_view *tombstone);
/* A write that a server has just made. */
void invariants_written(struct invariants *inv, struct sim *sim, uint32_t server, const char *key);
/* As if the write that the server holds under `key` had been of `as`: for tests of the invariant
 * itself. */
void invariants_claim(
	struct invariants *inv, struct sim *sim, uint32_t server, const char *key, const char *as);
