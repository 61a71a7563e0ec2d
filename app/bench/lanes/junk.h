/* Frames that swimlane must drop, of every kind that it tells apart. */
#pragma once

#include "identity.h"
#include "link.h"

enum { JUNK_FRAMES = 1024 };

/* Fills `frames`: random bytes, another cluster, keys not held, lives never heard of, forged tags
 * of known peers, and, if sealed, replays. 0 or -ENOMEM. */
int junk_create(
	struct identity *identity, const struct link *link, struct rte_mbuf *frames[JUNK_FRAMES]);
