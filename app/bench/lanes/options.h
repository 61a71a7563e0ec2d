/* What swimlane-bench is told on its command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "seal/seal.h"

enum { BENCH_VDEV_MAX = 256, BENCH_QUEUES_MAX = 8 };

struct options {
	char vdev[BENCH_VDEV_MAX];
	char keyring[256]; /* empty: in the clear */
	char cluster[64];
	struct sw_endpoint from; /* of the first peer; peer i has this address + i */
	struct sw_endpoint to;
	uint8_t mac[6];
	uint8_t to_mac[6];
	uint16_t peers;
	uint16_t queues;
	uint32_t memory_mib;
	int cpu;
	bool echo; /* the other side sends frames back as they are: no packet is opened */
	enum seal_driver crypto;
};

/* 0, or -EINVAL after a line on stderr. */
int options_parse(int argc, char **argv, struct options *o);
void options_usage(void);
