/* The allocator of struct config_file: libcyaml's, and the defaults' that are put beside.
 *
 * libcyaml grows a list by one item at a time; blocks here grow by half, so that a long list of
 * origins costs time in proportion to its length.
 */
#pragma once

#include <stddef.h>

/* As realloc(); size 0 frees. A cyaml_mem_fn_t; `context` is not used. */
void *config_memory(void *context, void *block, size_t size);

/* A copy of the text in a block of its own, or NULL. */
char *config_memory_text(const char *text);
