/* Which device: tested, then measured. Private to lib/seal. */
#pragma once

#include "seal/device.h"

/* Opens the fastest device that passes its self-test, or the one asked for. `choice` says in words
 * which and why. 0 or -errno with `error`. */
int choose_device(const struct seal_config *config, uint32_t sessions, struct device *d,
	char *choice, char *error);

/* The self-test alone: -EBADMSG if the device does not agree with the reference. */
int choose_test(struct device *d, struct rte_mempool *mbufs);
