#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"
#include "swarm.h"

enum { JOBS_MAX = 64, FAILURES_TOLD_MAX = 5 };

/* What a worker says of each run: before it with `done` false, so that a crash is known by its
 * seed. */
struct report {
	uint64_t seed;
	bool done, failed, unseen, within_claim;
	uint64_t virtual_ns, events, part_ns, members_ns, maps_ns;
	double members_share; /* of the bound */
	struct marks marks;
};

_Static_assert(sizeof(struct report) <= 4096, "a report is written to a pipe at once");

struct options {
	uint64_t runs, seed, jobs;
	bool json, quiet, marks_required;
};

struct totals {
	uint64_t runs, failed, unseen, within_claim, virtual_ns, events,
		failures[FAILURES_TOLD_MAX];
	uint64_t part_ns, members_ns, maps_ns, slowest_seed;
	double members_share;
	struct marks marks;
};

static double real_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock exists */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(int fd, const struct report *report)
{
	if (write(fd, report, sizeof(*report)) != (ssize_t)sizeof(*report))
		_exit(1); /* nobody listens any more */
}

static void work(int fd, const struct options *o, uint64_t job)
{
	for (uint64_t seed = o->seed + job; seed < o->seed + o->runs; seed += o->jobs) {
		struct report report = {.seed = seed};
		struct swarm_plan plan;
		struct swarm_result result;
		say(fd, &report);
		swarm_draw(seed, &plan);
		swarm_play(&plan, NULL, NULL, &result);
		report = (struct report){seed, true, result.failed, result.unseen > 0,
			result.members_ns <= scene_claim_ns(&plan.config), result.virtual_ns,
			result.events, result.part_ns, result.members_ns, result.maps_ns,
			(double)result.members_ns /
				(double)scene_bound_ns(&plan.config, result.unseen),
			result.marks};
		say(fd, &report);
		swarm_plan_fini(&plan);
	}
}

static void failed(struct totals *t, uint64_t seed)
{
	if (t->failed < FAILURES_TOLD_MAX)
		t->failures[t->failed] = seed;
	t->failed++;
}

static void take(struct totals *t, const struct report *r)
{
	t->runs++;
	t->unseen += r->unseen;
	t->within_claim += r->within_claim && !r->failed;
	t->virtual_ns += r->virtual_ns;
	t->events += r->events;
	t->part_ns = sw_max_u64(t->part_ns, r->part_ns);
	t->members_ns = sw_max_u64(t->members_ns, r->members_ns);
	t->maps_ns = sw_max_u64(t->maps_ns, r->maps_ns);
	if (r->members_share > t->members_share) {
		t->members_share = r->members_share;
		t->slowest_seed = r->seed;
	}
	marks_add(&t->marks, &r->marks);
	if (r->failed)
		failed(t, r->seed);
}

/* In a process of its own: it may have died. */
static void explain(uint64_t seed)
{
	struct swarm_plan plan;
	struct swarm_result result;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid != 0) {
		if (pid > 0)
			(void)waitpid(pid, NULL, 0);
		return;
	}
	swarm_draw(seed, &plan);
	(void)printf("seed %" PRIu64 " failed; the last events of the servers concerned:\n", seed);
	swarm_play(&plan, NULL, stdout, &result);
	(void)printf("seed %" PRIu64 ": %s\n  again: swimlane-sim replay --seed %" PRIu64
		     "; shorter: swimlane-sim shrink --seed %" PRIu64 "\n",
		seed, result.text, seed, seed);
	(void)fflush(stdout);
	_exit(0);
}

/* All workers share the pipe: reports are written at once, so they do not mix. */
static void collect(int fd, const struct options *o, const pid_t *pids, struct totals *t)
{
	uint64_t running[JOBS_MAX] = {0}; /* seed + 1 */
	struct report r;
	double began_s = real_s(), told_s = began_s;
	while (read(fd, &r, sizeof(r)) == (ssize_t)sizeof(r)) {
		running[(r.seed - o->seed) % o->jobs] = r.done ? 0 : r.seed + 1;
		if (!r.done)
			continue;
		take(t, &r);
		double now_s = real_s();
		if (!o->quiet && isatty(STDERR_FILENO) && now_s - told_s > 0.5) {
			(void)fprintf(stderr,
				"\r%" PRIu64 " of %" PRIu64 " runs, %" PRIu64
				" failed, %.0f runs/s ",
				t->runs, o->runs, t->failed, (double)t->runs / (now_s - began_s));
			told_s = now_s;
		}
	}
	if (!o->quiet && isatty(STDERR_FILENO))
		(void)fputc('\n', stderr);
	for (uint64_t i = 0; i < o->jobs; i++) {
		int status;
		if (waitpid(pids[i], &status, 0) == pids[i] && status == 0)
			continue;
		(void)printf("seed %" PRIu64 ": its process ended with status %d\n", running[i] - 1,
			status);
		failed(t, running[i] - 1);
	}
}

static void print_table(const struct options *o, const struct totals *t, double took_s)
{
	(void)printf(
		"%-44s %" PRIu64 "\n%-44s %" PRIu64 "\n", "runs", t->runs, "failed", t->failed);
	(void)printf("%-44s %" PRIu64 " to %" PRIu64 "\n", "seeds", o->seed, o->seed + o->runs - 1);
	(void)printf("%-44s %.1f s, %.0f runs/s\n", "time", took_s, (double)t->runs / took_s);
	(void)printf("%-44s %.0f s in %" PRIu64 " events\n", "virtual time",
		(double)t->virtual_ns / 1e9, t->events);
	(void)printf("%-44s %.3f s\n", "a part agreed after, at worst", (double)t->part_ns / 1e9);
	(void)printf("%-44s %.3f s; %.0f %% of the bound (seed %" PRIu64 ")\n",
		"all agreed after, at worst", (double)t->members_ns / 1e9, 100 * t->members_share,
		t->slowest_seed);
	(void)printf("%-44s %" PRIu64 " runs; %" PRIu64 " must\n",
		"within 10 intervals and the suspicion time", t->within_claim, t->runs - t->unseen);
	(void)printf(
		"%-44s %.3f s\n", "maps were equal after that, at worst", (double)t->maps_ns / 1e9);
	for (int i = 0; i < MARK_COUNT; i++)
		(void)printf("  %-42s %" PRIu64 "\n", mark_name(i), t->marks.hits[i]);
}

static void print_json(const struct options *o, const struct totals *t, double took_s)
{
	(void)printf("{\"runs\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"seed\": %" PRIu64
		     ", \"time_s\": %.2f, \"virtual_s\": %.1f, \"events\": %" PRIu64
		     ", \"within_claim\": %" PRIu64 ", \"must_keep_claim\": %" PRIu64
		     ", \"part_agreed_s_max\": %.4f"
		     ", \"all_agreed_s_max\": %.4f, \"all_agreed_share_of_bound_max\": %.3f, "
		     "\"maps_equal_s_max\": %.4f, \"marks\": {",
		t->runs, t->failed, o->seed, took_s, (double)t->virtual_ns / 1e9, t->events,
		t->within_claim, t->runs - t->unseen, (double)t->part_ns / 1e9,
		(double)t->members_ns / 1e9, t->members_share, (double)t->maps_ns / 1e9);
	for (int i = 0; i < MARK_COUNT; i++)
		(void)printf(
			"%s\"%s\": %" PRIu64, i > 0 ? ", " : "", mark_name(i), t->marks.hits[i]);
	(void)printf("}}\n");
}

static bool start_workers(const struct options *o, pid_t *pids, int *fd)
{
	int ends[2];
	if (pipe(ends) < 0)
		return false;
	(void)fflush(NULL);
	for (uint64_t i = 0; i < o->jobs; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return false;
		if (pids[i] == 0) {
			(void)close(ends[0]);
			work(ends[1], o, i);
			_exit(0);
		}
	}
	(void)close(ends[1]);
	*fd = ends[0];
	return true;
}

static int swarm(const struct options *o)
{
	static struct totals t;
	pid_t pids[JOBS_MAX];
	int fd, missed = 0;
	double began_s = real_s();
	if (!start_workers(o, pids, &fd)) {
		perror("swimlane-sim: starting workers");
		return 1;
	}
	collect(fd, o, pids, &t);
	(void)close(fd);
	if (o->json)
		print_json(o, &t, real_s() - began_s);
	else
		print_table(o, &t, real_s() - began_s);
	for (uint64_t i = 0; i < t.failed && i < FAILURES_TOLD_MAX; i++)
		if (t.failures[i] != UINT64_MAX)
			explain(t.failures[i]);
	for (int i = 0; o->marks_required && i < MARK_COUNT; i++)
		if (t.marks.hits[i] == 0) {
			(void)fprintf(stderr, "swimlane-sim: no run came to this branch: %s\n",
				mark_name(i));
			missed++;
		}
	return t.failed > 0 || t.runs != o->runs || missed > 0 ? 1 : 0;
}

int cmd_swarm(int argc, char **argv)
{
	struct options o = {.runs = 1000, .seed = 1, .jobs = 1};
	const struct option_row rows[] = {
		{"runs", OPTION_U64, &o.runs, "how many runs (1000)"},
		{"seed", OPTION_U64, &o.seed, "of the first; the others follow (1)"},
		{"jobs", OPTION_U64, &o.jobs, "processes (1)"},
		{"require-marks", OPTION_FLAG, &o.marks_required,
			"fail if a rare branch was never reached"},
		{"json", OPTION_FLAG, &o.json, "one JSON object"},
		{"quiet", OPTION_FLAG, &o.quiet, "no progress"},
		{NULL, OPTION_FLAG, NULL, NULL},
	};
	bool help;
	if (!options_read(rows, argc, argv, &help)) {
		if (help)
			options_print(rows);
		return help ? 0 : 2;
	}
	if (o.jobs < 1 || o.jobs > JOBS_MAX || o.runs < 1 || o.seed > UINT64_MAX / 2 ||
		o.runs > UINT64_MAX / 2) {
		(void)fprintf(
			stderr, "swimlane-sim: --jobs is 1 to %d, --runs at least 1\n", JOBS_MAX);
		return 2;
	}
	return swarm(&o);
}

static bool read_seed(int argc, char **argv, uint64_t *seed, int *code)
{
	const struct option_row rows[] = {
		{"seed", OPTION_U64, seed, "of the run"},
		{NULL, OPTION_FLAG, NULL, NULL},
	};
	bool help;
	if (options_read(rows, argc, argv, &help))
		return true;
	if (help)
		options_print(rows);
	*code = help ? 0 : 2;
	return false;
}

int cmd_replay(int argc, char **argv)
{
	struct swarm_plan plan;
	struct swarm_result result;
	uint64_t seed = 1;
	int code;
	if (!read_seed(argc, argv, &seed, &code))
		return code;
	swarm_draw(seed, &plan);
	swarm_print(&plan, stdout);
	swarm_play(&plan, stdout, NULL, &result);
	if (result.failed)
		(void)printf("seed %" PRIu64 " failed: %s\n", seed, result.text);
	else
		(void)printf("seed %" PRIu64 " passed: a part agreed after %.3f s, all after %.3f "
			     "s, maps %.3f s later\n",
			seed, (double)result.part_ns / 1e9, (double)result.members_ns / 1e9,
			(double)result.maps_ns / 1e9);
	swarm_plan_fini(&plan);
	return result.failed ? 1 : 0;
}

static bool still_fails(void *context, const struct script *script)
{
	struct swarm_plan plan = *(const struct swarm_plan *)context;
	struct swarm_result result;
	plan.script = *script;
	swarm_play(&plan, NULL, NULL, &result);
	return result.failed;
}

int cmd_shrink(int argc, char **argv)
{
	struct swarm_plan plan;
	struct swarm_result result;
	uint64_t seed = 1;
	int code;
	if (!read_seed(argc, argv, &seed, &code))
		return code;
	swarm_draw(seed, &plan);
	uint32_t steps = plan.script.count;
	if (!still_fails(&plan, &plan.script)) {
		(void)fprintf(stderr,
			"swimlane-sim: seed %" PRIu64 " passes: there is nothing to shrink\n",
			seed);
		swarm_plan_fini(&plan);
		return 2;
	}
	scene_shrink(&plan.script, still_fails, &plan);
	swarm_print(&plan, stdout);
	swarm_play(&plan, NULL, stdout, &result);
	(void)printf("# %" PRIu32 " steps, %" PRIu32 " of them needed: %s\n", steps,
		plan.script.count, result.text);
	swarm_plan_fini(&plan);
	return 1;
}
