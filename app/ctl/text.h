/* Text from others, for a terminal; and memory that is there or ends the program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A copy in which control characters are written as escapes, so that a name or a value from another
 * server cannot steer the terminal. To be freed. */
char *text_safe(const char *text, size_t len);

/* Prints a line to standard output, made safe. */
void text_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A copy as it is, cut to `columns` characters with "..." at the end. To be freed. */
char *text_cut(const char *text, size_t len, size_t columns);

/* Characters, not bytes. */
size_t text_width(const char *text);

/* Like realloc(), but ends the program if there is no memory. */
void *text_memory(void *old, size_t len);
char *text_copy(const char *text, size_t len);
