/* One check of one origin, through libcurl's multi interface on an event loop.
 *
 * A pool carries out any number of probes at once; each is a new connection and ends, by its
 * origin's timeout at the latest, with one call of on_done, unless it is cancelled. All calls from
 * the loop's thread; on_done may start and cancel probes.
 */
#pragma once

#include "health/verdict.h"

struct probe;
struct probe_pool;

typedef void (*probe_done)(void *owner, const struct probe_result *result);

/* ca_file: trusted certificates (PEM), or NULL for the system's. 0, -ENOMEM, -EIO,
 * -errno if it cannot be read. */
int probe_pool_create(
	struct event_base *base, const char *ca_file, probe_done on_done, struct probe_pool **pool);
/* Probes under way are cancelled. */
void probe_pool_destroy(struct probe_pool *pool);

/* The origin must stay as it is until the probe is done or cancelled. NULL: out of memory. */
struct probe *probe_start(struct probe_pool *pool, const struct health_origin *origin, void *owner);
void probe_cancel(struct probe *probe);
