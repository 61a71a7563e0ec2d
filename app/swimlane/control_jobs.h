/* Answers that take longer than one turn of the loop may: worked off in steps, between which other
 * clients are served.
 *
 * A job answers one call. Its step runs online in RCU, and what it reads there is gone when it
 * returns; it returns false when job_over() says that its slice is over, to be called again in the
 * loop's next turn, and true once it has answered. When the client goes first, or after the last
 * step, `end` frees the context; a client that is gone is not answered.
 */
#pragma once

#include "control.h"

enum { JOBS_MAX = 64, JOB_SLICE_US = 250 };

struct job;

/* Takes the call in any case: answers RPC_BUSY, and ends the context, if there are JOBS_MAX. */
void job_start(struct control *control, struct rpc_call *call,
	bool (*step)(struct job *job, struct rpc_call *call, void *context),
	void (*end)(void *context), void *context);
bool job_over(const struct job *job);
struct control *job_control(const struct job *job);

int jobs_init(struct control *control);
void jobs_fini(struct control *control);
