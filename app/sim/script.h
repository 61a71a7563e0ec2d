/* A fault script: what happens to servers and network, and when.
 *
 * One step a line, `at TIME VERB ARGUMENTS`; without `at` it happens with the step before it. Times
 * count from the start of the run and never go back. `#` starts a comment. docs/simulator.md has the
 * verbs. Steps carry all they need: a script from which steps were taken away is a script.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	SCRIPT_STEPS_MAX = 4096,
	SCRIPT_KEY_MAX = 31,
	SCRIPT_VALUE_MAX = 127,
	SCRIPT_SET_MAX = 256, /* servers that a list can name: 0 … 255 of each group */
	SCRIPT_LINE_MAX = 2048,
	SCRIPT_ERROR_MAX = 256,
};

enum step_kind {
	STEP_CRASH,
	STEP_RESTART,
	STEP_TWIN,
	STEP_PAUSE,
	STEP_RESUME,
	STEP_BLOCK,
	STEP_UNBLOCK,
	STEP_STARVE,
	STEP_CLOCK,
	STEP_LEAVE,
	STEP_DRAIN,
	STEP_UNDRAIN,
	STEP_FORGET,
	STEP_CUT,
	STEP_MEND,
	STEP_SPLIT,
	STEP_ZONE,
	STEP_HEAL,
	STEP_LOSS,
	STEP_DUPLICATE,
	STEP_REORDER,
	STEP_CORRUPT,
	STEP_DELAY,
	STEP_SPREAD,
	STEP_PUT,
	STEP_DEL,
	STEP_RESTART_ALL,
};

struct step {
	uint64_t at_ns;
	enum step_kind kind;
	uint32_t server;
	uint32_t other;	      /* cut, mend, forget, twin, zone */
	uint32_t ppm;	      /* shares */
	int32_t rate_ppm;     /* clock */
	uint64_t ns;	      /* delay, spread, starve: runs; clock: offset */
	uint64_t period_ns;   /* starve; 0: no longer */
	bool amnesia;	      /* restart: knows nothing of its epoch */
	uint64_t set[SCRIPT_SET_MAX / 64];
	char key[SCRIPT_KEY_MAX + 1];
	char value[SCRIPT_VALUE_MAX + 1];
};

struct script {
	uint32_t count;
	uint32_t cap;
	struct step *steps;
};

void script_fini(struct script *script);
/* A copy is taken. Asserts that SCRIPT_STEPS_MAX is not passed and that time does not go back. */
void script_add(struct script *script, const struct step *step);
/* Copies all but `count` steps from `first`. */
void script_without(const struct script *from, uint32_t first, uint32_t count, struct script *to);

/* One line for a run with so many servers (and zones). False: *error says why. An empty line or a
 * comment is true with *empty set. `previous_ns` is the time of the step before it. */
bool script_parse_line(const char *line, uint32_t servers, uint32_t zones, uint64_t previous_ns, struct step *step,
	bool *empty, char error[SCRIPT_ERROR_MAX]);
/* A whole file. False: *error says which line and why. */
bool script_read(FILE *file, const char *name, uint32_t servers, uint32_t zones, struct script *script,
	char error[SCRIPT_ERROR_MAX]);
/* As script_parse_line() reads it; returns out. */
const char *script_print_step(const struct step *step, char out[SCRIPT_LINE_MAX]);
