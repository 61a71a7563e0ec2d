/* What the checker keeps beside the replicas (the history of records, what was collected, which
 * write replaced which), each content once, by number. */
#pragma once

#include "map_local.h"

uint32_t ledger_first(const struct world *w);
/* After this step, which led from one state of a replica to another. */
uint32_t ledger_step(uint32_t ledger, const struct step *step, uint32_t from, uint32_t edge);
/* All of the world but the replicas' memory: the ledger, and each replica as it is. */
void ledger_load(uint32_t ledger, const uint32_t states[REPLICAS_MAX], struct world *w);
/* The invariant, of one replica: NULL, or what is broken. */
const char *ledger_check(uint32_t ledger, const uint32_t states[REPLICAS_MAX], uint32_t a);
uint32_t ledger_count(void);
void ledgers_end(void);
