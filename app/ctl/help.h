/* The list of commands, and what --help prints. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct ctl_command;

/* The command that begins with these words, of which it takes *words; NULL if there is none. */
const struct ctl_command *help_find(const char *first, const char *second, int *words);

/* Every command, in the order of --help. */
void help_each(void (*visit)(const struct ctl_command *command, void *context), void *context);

/* No command before it begins with the same word. */
bool help_is_first(const struct ctl_command *command);

void help_print(FILE *out);
void help_print_command(FILE *out, const struct ctl_command *command);
/* The commands whose first word this is; false if there is none. */
bool help_list_group(FILE *out, const char *first);
