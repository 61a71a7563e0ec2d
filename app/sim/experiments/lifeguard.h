/* False positives and detection under anomalies: Dadgar, Phillips, Currey: Lifeguard, 2017, section
 * V.
 *
 * 128 servers under memberlist's LAN times. An anomaly blocks a server's packets in both directions
 * while its timers run; what arrives waits, what is to be sent waits. It strikes C servers at once.
 *   interval: each anomaly lasts D, the next one begins I after its end, for at least 120 s.
 * Counted are false positives: a server without anomalies declared dead; at all servers, and at
 * those without anomalies. Packets and bytes are counted here too. threshold: one anomaly, long
 * enough to be detected. Measured for each server that has it: when the first one without anomaly
 * declared it dead, and when the last one did.
 */
#pragma once

#include <stdbool.h>

#include "samples.h"
#include "swim/swim.h"

enum {
	LIFEGUARD_CONFIGURATIONS = 6,
	LIFEGUARD_SERVERS = 128,
	LIFEGUARD_SWIM = 0,
	LIFEGUARD_OURS = 5
};

struct lifeguard_configuration {
	const char *name;
	struct swim_features features;
	/* The paper's shares of plain SWIM; negative: it has none. */
	double paper_fp_all, paper_fp_healthy, paper_packets, paper_bytes;
};
extern const struct lifeguard_configuration lifeguard_configurations[LIFEGUARD_CONFIGURATIONS];

enum lifeguard_anomaly { LIFEGUARD_BLOCKED, LIFEGUARD_PAUSED };

struct lifeguard_plan {
	const uint32_t *c, *d_ms, *i_ms; /* of the interval experiment: all combinations */
	uint32_t c_count, d_count, i_count;
	const uint32_t *threshold_c;
	uint32_t threshold_c_count, threshold_runs; /* of each */
	uint32_t runs;                              /* of each combination */
	uint64_t seed;
	enum lifeguard_anomaly anomaly;
	bool trace; /* each false positive on standard error */
};
extern const struct lifeguard_plan lifeguard_quick, lifeguard_full;

struct lifeguard_result {
	uint64_t fp_all, fp_healthy, packets, bytes;
	uint32_t undetected; /* anomalies of the threshold experiment that not all saw */
	struct samples first_s, all_s;
	uint32_t runs_failed; /* the servers did not find each other */
};

/* One configuration through the whole plan. `progress` may be NULL; it is told after each run. */
void lifeguard_run(const struct lifeguard_plan *plan, uint32_t configuration,
	struct lifeguard_result *result, void (*progress)(void *context), void *context);
/* All configurations, several at once in processes of their own. False: one of them failed. */
bool lifeguard_run_all(const struct lifeguard_plan *plan, uint32_t processes,
	struct lifeguard_result results[LIFEGUARD_CONFIGURATIONS], void (*progress)(void *context),
	void *context);
uint32_t lifeguard_run_count(const struct lifeguard_plan *plan);
void lifeguard_result_free(struct lifeguard_result *result);

/* The table, ours beside the paper's. */
void lifeguard_print(struct lifeguard_result results[LIFEGUARD_CONFIGURATIONS]);
/* a / b; 0 if both are 0, and -1 if only b is. */
double lifeguard_share(uint64_t a, uint64_t b);
