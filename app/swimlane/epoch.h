/* The epoch of this start: larger than that of every earlier one, as far as this machine can know.
 *
 * The largest of: what the state folder remembers + 1, and the wall clock (seconds since 2024). The
 * join may raise it further: see swim. Control core, at start and when the epoch changed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* state_dir may be empty. 0, or -errno with a message if the folder is there and cannot be used. */
int epoch_next(const char *state_dir, uint32_t *epoch, char *error, size_t error_len);
/* Remembers it (written beside, then renamed). Nothing to do without a folder. */
int epoch_remember(const char *state_dir, uint32_t epoch, char *error, size_t error_len);
