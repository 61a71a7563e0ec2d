/* Why a check failed, in words. Pure, but for what libcurl remembers of the transfer. */
#pragma once

#include <curl/curl.h>

#include "health/verdict.h"

struct probe_end {
	CURL *easy;
	CURLcode code;
	const char *detail;       /* libcurl's own words, may be empty */
	int socket_errno;         /* of a socket that could not be made; 0 if all could */
	bool body_cut;            /* we stopped reading at the bound */
	bool body_found;          /* what was expected occurred */
	uint32_t headers_missing; /* bit i: line i of those expected did not come */
};

/* Fills all of the result. */
void probe_judge(const struct health_origin *origin, const struct probe_end *end,
	struct probe_result *result);
