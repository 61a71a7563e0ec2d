/* Capabilities that were needed to start and are needed no more are given up, by every thread and
 * for good, and none can be gained any more.
 *
 * Control, once: when ports, sockets and memory are set up, before keeper and lanes run.
 * Capabilities belong to a thread, and by then DPDK has made several: each is interrupted by a
 * signal and gives up its own, then the kernel is asked whether all have (/proc/self/task). As
 * libpsx does it; but that knows only threads whose making it saw, which a shared library's are
 * not. See capabilities(7).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Capabilities are bits 1 << CAP_… of linux/capability.h. */
struct privileges {
	uint64_t before; /* permitted to this thread */
	uint64_t held;   /* permitted to, inheritable by or ambient of any thread, afterwards */
	uint32_t threads;
	bool fixed; /* no thread can gain any: no_new_privs */
};

/* Gives up all but `keep`. 0; -ETIMEDOUT: a thread did not, see `held` and `fixed`; -errno. */
int privileges_drop(uint64_t keep, struct privileges *privileges);

/* "CAP_NET_ADMIN CAP_NET_RAW", "none". */
void privileges_text(uint64_t capabilities, char *text, size_t text_len);
/* The same as an array of texts. */
json_t *privileges_json(uint64_t capabilities);
