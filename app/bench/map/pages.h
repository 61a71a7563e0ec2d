/* Memory as the appliance gives it to the map: touched beforehand, on large pages where the kernel
 * has them (transparent ones here, so that the bench changes nothing about the machine).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "deltamap/deltamap.h"

void *pages_take(size_t bytes); /* zeroed, aligned to 64; NULL if there is none */
void *pages_or_die(size_t bytes);
void pages_free(void *block, size_t bytes);
/* The same for a map. */
extern const struct map_memory pages_for_map;

/* The memory that DPDK took, which rte_hash lives in: on the same pages. */
void pages_enlarge_eal(void);
/* Of this process: how much of it stands on large pages, in MiB. */
uint64_t pages_large_mib(void);
