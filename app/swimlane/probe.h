/* swimlane --probe and --release: short lives of the program, without lanes. */
#pragma once

#include <stdbool.h>

/* Prints what each port offers; `extra` is for EAL, e.g. --vdev=net_null0. The exit code. */
int probe_run(bool json, int extra_count, char **extra);

/* Gives an interface back to the kernel. The exit code: 0 also if there was nothing to give. */
int probe_release(const char *interface);
