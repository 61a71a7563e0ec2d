/* How a check's outcome moves a verdict: rise/fall hysteresis. Pure. */
#pragma once

#include "health/health.h"

struct probe_result {
	bool ok;
	bool unjudged; /* failed for want of this server's own means: says nothing about the origin
			*/
	uint32_t latency_us;
	char error[HEALTH_ERROR_MAX]; /* empty if ok */
};

/* Takes a result into the verdict. `streak`: results in a row that speak against the state, kept by
 * the caller, 0 at first. True if the state changed. */
bool verdict_take(struct health_verdict *verdict, uint32_t *streak,
	const struct health_origin *origin, const struct probe_result *result, uint64_t now_ms);

/* In maintenance: not checked, and told as that. True if the state changed. */
bool verdict_rest(
	struct health_verdict *verdict, const struct health_origin *origin, uint64_t now_ms);
