/* One picture of `swimlanectl top`, from what the server answered. Pure: no terminal, no clock. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/* What was asked; NULL: not known. */
struct frame_answers {
	json_t *status, *members, *stats, *verdicts;
	double at_s; /* when */
};

/* At most `rows` lines of at most `columns` characters. `before` gives the rates; NULL: none yet.
 * `clear`: each line ends with the sequence that clears its rest. */
void frame_print(FILE *out, const struct frame_answers *before, const struct frame_answers *now,
	unsigned columns, unsigned rows, bool colour, bool clear);
