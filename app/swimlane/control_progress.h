/* Whether lanes and keeper go on: their loops are looked at every tick of the port (100 ms). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control;

enum { PROGRESS_STUCK_MS = 1000 };

void progress_tick(struct control *control, uint64_t now_ns);
/* True once every lane and the keeper have turned. */
bool progress_begun(const struct control *control);
/* True if every lane and the keeper turned within PROGRESS_STUCK_MS; otherwise `who` names one. */
bool progress_made(const struct control *control, uint64_t now_ns, char *who, size_t who_len);
