#include "control_jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "ticks.h"

struct job {
	TAILQ_ENTRY(job) link;
	struct jobs *jobs;
	struct rpc_call *call; /* NULL: its client is gone */
	bool (*step)(struct job *job, struct rpc_call *call, void *context);
	void (*end)(void *context);
	void *context;
};

struct jobs {
	struct control *control;
	struct event *turn;
	TAILQ_HEAD(, job) list;
	unsigned count;
	uint64_t slice_end_ns;
};

struct control *job_control(const struct job *job)
{
	return job->jobs->control;
}

bool job_over(const struct job *job)
{
	return ticks_now_ns() >= job->jobs->slice_end_ns;
}

static void end_job(struct job *job)
{
	TAILQ_REMOVE(&job->jobs->list, job, link);
	job->jobs->count--;
	if (job->end != NULL)
		job->end(job->context);
	free(job);
}

static void on_gone(struct rpc_call *call, void *context)
{
	struct job *job = context;
	(void)call;
	job->call = NULL; /* the next turn ends it */
}

/* One job a turn, each in its turn: however many there are, other clients wait for one slice. */
static void on_turn(evutil_socket_t fd, short what, void *context)
{
	const struct timeval at_once = {0, 0};
	struct jobs *jobs = context;
	struct job *job = TAILQ_FIRST(&jobs->list);
	(void)fd, (void)what;
	if (job == NULL)
		return;
	bool done = job->call == NULL;
	if (!done) {
		jobs->slice_end_ns = ticks_now_ns() + JOB_SLICE_US * SW_NS_PER_US;
		control_online(jobs->control);
		done = job->step(job, job->call, job->context);
		control_offline(jobs->control);
	}
	if (done) {
		end_job(job);
	} else {
		TAILQ_REMOVE(&jobs->list, job, link);
		TAILQ_INSERT_TAIL(&jobs->list, job, link);
	}
	if (!TAILQ_EMPTY(&jobs->list))
		(void)event_add(jobs->turn, &at_once); /* fails only without memory: the next job */
}

void job_start(struct control *control, struct rpc_call *call,
	bool (*step)(struct job *job, struct rpc_call *call, void *context),
	void (*end)(void *context), void *context)
{
	const struct timeval at_once = {0, 0};
	struct jobs *jobs = control->jobs;
	struct job *job = jobs->count < JOBS_MAX ? calloc(1, sizeof(*job)) : NULL;
	if (job == NULL || event_add(jobs->turn, &at_once) < 0) {
		rpc_error(call, RPC_BUSY, "%d long answers are under way; try again", JOBS_MAX);
		free(job);
		if (end != NULL)
			end(context);
		return;
	}
	*job = (struct job){
		.jobs = jobs, .call = call, .step = step, .end = end, .context = context};
	TAILQ_INSERT_TAIL(&jobs->list, job, link);
	jobs->count++;
	rpc_defer(call, on_gone, job);
}

int jobs_init(struct control *control)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	if (jobs == NULL)
		return -ENOMEM;
	jobs->control = control;
	TAILQ_INIT(&jobs->list);
	control->jobs = jobs;
	jobs->turn = event_new(control->base, -1, 0, on_turn, jobs);
	return jobs->turn != NULL ? 0 : -ENOMEM;
}

/* After the server is gone: no job has a client any more. */
void jobs_fini(struct control *control)
{
	struct jobs *jobs = control->jobs;
	if (jobs == NULL)
		return;
	while (!TAILQ_EMPTY(&jobs->list))
		end_job(TAILQ_FIRST(&jobs->list));
	if (jobs->turn != NULL)
		event_free(jobs->turn);
	free(jobs);
	control->jobs = NULL;
}
