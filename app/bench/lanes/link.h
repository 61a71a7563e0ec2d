/* The source's port: one DPDK virtual device. */
#pragma once

#include <rte_mbuf.h>

#include "options.h"

enum { LINK_DESCRIPTORS = 1024, LINK_BURST = 32 };

struct link {
	uint16_t port;
	uint16_t queues;
	struct rte_mempool *pool;
};

/* EAL, pool and port. 0, or -errno after a line on stderr. */
int link_open(const struct options *o, struct link *link);
/* False if the other side did not come in time. */
bool link_await(const struct link *link, uint32_t ms);
void link_close(struct link *link);
