/* The last events of a run, kept to be told if something breaks.
 *
 * A ring: the newest TRACE_MAX are kept. With a file, each is also printed as it comes.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "sim.h"

enum { TRACE_MAX = 4096, TRACE_STEP_MAX = 96 };

struct trace_entry {
	uint64_t at_ns;
	uint32_t server;
	uint32_t about; /* server index by the id in the record */
	bool step;	/* of the script: text */
	enum swim_event_kind kind;
	uint32_t epoch, incarnation;
	const char *why;
	char text[TRACE_STEP_MAX];
};

struct trace {
	uint64_t count;
	FILE *file; /* or NULL */
	struct trace_entry entries[TRACE_MAX];
};

const char *trace_kind_name(enum swim_event_kind kind);
void trace_event(struct trace *trace, uint64_t at_ns, uint32_t server, const struct swim_event *event);
void trace_step(struct trace *trace, uint64_t at_ns, const char *text);
/* The last `count` steps and events at or about these servers. */
void trace_tell(const struct trace *trace, const uint32_t servers[2], uint32_t count, FILE *out);
