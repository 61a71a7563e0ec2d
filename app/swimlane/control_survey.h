/* All registered keys ranked over some set of servers, away from the keeper's own table: for
 * questions that begin with "what if", and for sums over all keys.
 *
 * A job (control_jobs.h): keys are ranked as they are collected, a slice at a time.
 */
#pragma once

#include "control.h"

struct survey {
	struct rendezvous_table *table;
	struct rendezvous_server servers[SW_MEMBERS_MAX]; /* that own keys now */
	uint32_t server_count;
	uint32_t keys;
	uint32_t *entries; /* of the table, by key */
	size_t *names;     /* where in text the key's own text begins */
	char *text;
	size_t text_len, text_cap;
	uint32_t cursor, cap;
	bool failed; /* no memory */
	/* Called once, with all keys in the table; answers the call. */
	void (*done)(struct control *control, struct rpc_call *call, struct survey *survey);
	void *context; /* the caller's; freed with free() */
};

/* Takes `context` in any case. */
void survey_start(struct control *control, struct rpc_call *call,
	void (*done)(struct control *control, struct rpc_call *call, struct survey *survey),
	void *context);
const char *survey_key(const struct survey *survey, uint32_t key);
/* The place of a key's owner in `servers`; -1: nobody. */
int survey_owner(const struct survey *survey, uint32_t key, const struct rendezvous_server *servers,
	uint32_t count);
/* What a server of this weight owns on average, and by how many standard deviations of the binomial
 * distribution `owned` is away from it. */
double survey_expected(uint64_t keys, uint32_t weight, uint64_t weights);
double survey_sigmas(uint64_t keys, uint32_t weight, uint64_t weights, uint64_t owned);
