/* Breaks one rule of the map after the other and shows that the swarm or the explorer notices. With
 * no rule broken neither notices anything. Prints what caught which, and how many scripts or states
 * it took. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deltamap/mutation.h"
#include "map_explore.h"
#include "map_swarm.h"

enum map_mutation map_mutation;

struct mutant {
	const char *name;
	bool is_efficiency; /* on its own: nothing is expected to notice */
};

static const struct mutant mutants[MAP_MUTATION_COUNT] = {
	[MAP_MUTATION_NONE] = {"none", true},
	[MAP_MUTATION_VECTOR_BEFORE_END] = {"the vector is joined before the session is whole"},
	[MAP_MUTATION_SNAPSHOTS_MIXED] = {"packets of two snapshots are mixed"},
	[MAP_MUTATION_NONCE_IGNORED] = {"packets of another session are taken"},
	[MAP_MUTATION_ENCODED_ANEW] = {"lost packets are encoded anew"},
	[MAP_MUTATION_PUSH_OVER_GAP] = {"a push moves the vector over a gap"},
	[MAP_MUTATION_NO_FIRST_SESSION] = {"no first session", true},
	[MAP_MUTATION_NO_EPOCH] = {"who starts anew takes its old epoch"},
	[MAP_MUTATION_NO_FENCE] = {"packets of epochs that are over are taken", true},
	[MAP_MUTATION_NO_TOMBSTONE] = {"a delete leaves no tombstone"},
	[MAP_MUTATION_COLLECT_UNSTABLE] = {"tombstones are collected before all have them"},
	[MAP_MUTATION_COLLECT_PREVIOUS_UNSEEN] =
		{"tombstones are collected without having seen what they replaced"},
	[MAP_MUTATION_COLLECT_IN_SESSION] =
		{"tombstones are collected while a session is under way", true},
	[MAP_MUTATION_NO_FLOOR_AT_BIRTH] = {"new keys start at clock 1"},
	[MAP_MUTATION_NO_FLOOR_AT_PUSH] = {"pushes at or below the floor make keys"},
	[MAP_MUTATION_NO_FLOOR_IN_HEADERS] = {"the senders' floors are not adopted", true},
	[MAP_MUTATION_ABSENT_COVERED_TAKEN] = {"what is absent and covered is taken", true},
	[MAP_MUTATION_NO_RECONCILE] = {"no reconciliation"},
	[MAP_MUTATION_STALE_NOT_REFUSED] = {"who must reconcile is merged from"},
	[MAP_MUTATION_RECONCILE_NO_DROP] = {"reconciliation keeps what the other collected"},
	[MAP_MUTATION_RECONCILE_NO_SKIP] = {"reconciliation takes what was collected here"},
	[MAP_MUTATION_RECONCILE_NO_LIFT] = {"reconciliation lifts nothing above the floor"},
	[MAP_MUTATION_NO_AUTHOR_DOT] = {"reconciliation looks at the present dot alone"},
	[MAP_MUTATION_NO_ADOPTION] = {"records beyond a cap keep their dots"},
	[MAP_MUTATION_NO_MARKER] = {"no markers"},
	[MAP_MUTATION_OWN_CLOSED_KEPT] = {"an own closed epoch is kept"},
	[MAP_MUTATION_CLOSURES_NOT_LEARNED] = {"closures are not learned before a delta"},
	[MAP_MUTATION_CLOSE_UNEQUAL] = {"epochs are closed before all have the same", true},
};

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* The first script that breaks; how often they do in as many again. */
static bool try_swarm(const char *name, uint64_t runs)
{
	static struct map_script script;
	static struct map_result result;
	const char *broken = NULL;
	uint64_t needed = 0, times = 0, of = 0;
	for (uint64_t i = 0; i < runs && (broken == NULL || i < 1000); i++) {
		map_swarm_play(1 + i, &script, &result);
		of++;
		if (result.broken == NULL)
			continue;
		times++;
		if (broken == NULL) {
			broken = result.broken;
			needed = i + 1;
		}
	}
	if (broken != NULL)
		printf("| %s | swarm: %s | %" PRIu64 " | %" PRIu64 " of %" PRIu64 " |", name,
			broken, needed, times, of);
	return broken != NULL;
}

static bool try_explorer(uint64_t states_max)
{
	static struct map_explored e;
	uint64_t states = 0;
	for (int i = 0; i < MAP_SCOPES; i++) {
		if (map_explore(&map_scopes[i], states_max, &e) != 0)
			abort();
		states += e.states;
		if (e.broken == NULL)
			continue;
		printf(" \"%s\": %s, %" PRIu64 " |\n", map_scopes[i].name, e.broken, states);
		return true;
	}
	printf(" not |\n");
	return false;
}

static bool try_all(const char *name, uint64_t runs, uint64_t states)
{
	bool caught = try_swarm(name, runs);
	if (!caught)
		printf("| %s | not by %" PRIu64 " scripts | | |", name, runs);
	caught |= try_explorer(states);
	fflush(stdout);
	return caught;
}

/* In a process of its own: an assertion of the library notices a broken rule too. */
static bool try_apart(const char *name, uint64_t runs, uint64_t states)
{
	int status;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(try_all(name, runs, states) ? 0 : 1);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		abort();
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == 0;
	printf("| %s | an assertion of the library | | | |\n", name);
	return true;
}

int main(void)
{
	uint64_t runs = from_environment("SW_MUTANT_RUNS", 200000),
		 few = from_environment("SW_MUTANT_RUNS_UNNOTICED", 20000),
		 states = from_environment("SW_MUTANT_STATES", 2000);
	int wrong = 0;
	printf("| rule switched off | caught by | scripts needed | broken | explorer, states |\n"
	       "|---|---|---|---|---|\n");
	for (int m = MAP_MUTATION_NONE; m < MAP_MUTATION_COUNT; m++) {
		map_mutation = (enum map_mutation)m;
		bool unnoticed = mutants[m].is_efficiency;
		wrong += try_apart(mutants[m].name, unnoticed ? few : runs, states) == unnoticed;
	}
	return wrong == 0 ? 0 : 1;
}
