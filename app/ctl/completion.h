/* Completion scripts, written from the table of commands: names, and the options that a command's
 * help tells. */
#pragma once

#include <stdio.h>

void completion_bash(FILE *out);
void completion_zsh(FILE *out);
