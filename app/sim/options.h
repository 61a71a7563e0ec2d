/* The command line of one command: long options from a table.
 *
 * Each option has a name, a type and where its value goes. Errors go to standard error, with the option.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_U64, OPTION_DURATION, OPTION_SHARE, OPTION_BITS };

struct option_row {
	const char *name; /* without -- ; NULL ends the table */
	enum option_kind kind;
	void *value; /* bool, const char *, uint64_t, uint64_t ns, uint32_t ppm, uint64_t bits/s */
	const char *help;
};

/* False: said why, or --help was asked for (*help). */
bool options_read(const struct option_row *rows, int argc, char **argv, bool *help);
void options_print(const struct option_row *rows);
