/* The traffic source: one loop that sends, receives and measures. */
#pragma once

#include "deltas.h"
#include "identity.h"
#include "junk.h"
#include "link.h"
#include "meter.h"

enum run_kind {
	RUN_PROBES, /* counted; one answer of each burst is opened */
	RUN_RTT,    /* every answer is opened and timed */
	RUN_JUNK,   /* junk at the rate given, or as fast as it goes, and timed probes beside it */
	RUN_DELTAS, /* packets of records, the same way */
	RUN_FLOWS, /* each peer's probes over one queue; every answer is opened, its order looked at
		    */
	RUN_KINDS,
};

struct run {
	enum run_kind kind;
	uint32_t ms;
	uint64_t rate;   /* packets a second; 0: as fast as answers come */
	uint32_t flight; /* most probes under way */
	uint32_t window_us;
	uint32_t probe_rate;         /* beside junk and deltas, a second; 0: none */
	uint32_t timeout_ms;         /* an answer after that is late */
	uint16_t records, value_len; /* of a packet of deltas; 0 records: as many as fit */
};

struct source {
	const struct options *options;
	struct identity identity;
	struct link link;
	struct meter meter;
	struct deltas deltas;
	struct rte_mbuf *junk[JUNK_FRAMES];
	struct rte_mbuf *ready[JUNK_FRAMES]; /* PINGs that may be sent again: in the clear */
	uint64_t hz;
	uint32_t next_seq, next_peer, next_frame;
};

/* 0, or -errno after a line on stderr. Returns when every peer has been answered once. */
int source_open(const struct options *o, struct source *source);
void source_run(struct source *source, const struct run *run);
void source_close(struct source *source);
