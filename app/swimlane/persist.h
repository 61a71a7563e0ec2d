/* The map's copy in the state folder (map.persist): written beside and renamed, so that there is
 * always a whole one, and taken up again at the next start. What was acknowledged since the last
 * copy is in it only if this server was stopped in order; the other servers have it in any case.
 *
 * Control core. Written in steps of one turn of the loop each; the disk is waited for by the C
 * library's threads (aio), never by the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct control;
struct map;
struct config;
struct persist;

struct persist_counters {
	uint64_t copies;
	uint64_t copies_failed;
	uint64_t copies_again;             /* begun anew: a full-state join came in between */
	uint64_t copy_bytes, copy_records; /* of the last one */
	uint64_t copy_took_ms;             /* from its begin to the disk's word */
};

/* At the start, before the map is used: *epoch is raised above the copy's, and the map is restored.
 * A copy that cannot be taken up is set aside, and said so; nothing of it is in the map then. */
void persist_load(const struct config *config, uint64_t cluster_seed, uint32_t *epoch);
void persist_restore(const struct config *config, struct map *map);
/* Between the two only: frees what persist_load() holds. */
void persist_forget(void);

int persist_init(struct control *control); /* 0 or -ENOMEM; also if it is off */
void persist_tick(struct control *control, uint64_t now_ns);
/* The other cores have stopped: a last copy, waited for. */
void persist_finish(struct control *control);
void persist_fini(struct control *control);
const struct persist_counters *persist_counters(const struct control *control);
