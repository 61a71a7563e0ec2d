/* The map's memory: taken at start, on the keeper's NUMA node, on large pages where there are.
 *
 * With DPDK on hugepages blocks come from DPDK's memory of that node. Without, or where that has no
 * more room, they are mapped, bound to the node, offered to the kernel for transparent large pages,
 * and touched at once: the keeper takes no page fault afterwards. Main thread, before the cores run
 * and after they ended.
 */
#pragma once

#include <stdbool.h>

#include "deltamap/deltamap.h"

enum {
	MAP_PAGES_ANY_NODE = -1, /* as SOCKET_ID_ANY */
	MAP_PAGES_BLOCKS_MAX = 64,
};

struct map_pages {
	int node; /* MAP_PAGES_ANY_NODE: wherever */
	bool hugepages;
	uint32_t count;
	struct {
		void *at;
		bool mapped;
	} blocks[MAP_PAGES_BLOCKS_MAX];
};

/* `pages` must stay as long as the map. */
struct map_memory map_pages_init(struct map_pages *pages, int node, bool hugepages);
/* How many of the blocks came from DPDK. */
uint32_t map_pages_from_dpdk(const struct map_pages *pages);
