/* GET /metrics: every counter, in OpenMetrics 1.0 or, for who does not ask for that, in
 * Prometheus's text format 0.0.4. One family at a time, base units (seconds, bytes), counters end
 * in _total.
 *
 * Source: OpenMetrics 1.0.0, and Prometheus's exposition formats.
 */
#pragma once

#include <stdbool.h>

struct control;
struct evbuffer;

extern const char metrics_type_openmetrics[];
extern const char metrics_type_text[];

/* What this Accept header wants. */
bool metrics_wants_openmetrics(const char *accept);
void metrics_write(const struct control *control, struct evbuffer *out, bool openmetrics);
