/* What a run has shown: counted as it goes, printed at its end.
 *
 * A false positive is a dead verdict about a life that runs; `healthy`, about one that is neither paused,
 * blocked nor starved. Each viewer's verdict counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scene.h"

enum { REPORT_KINDS = SWIM_EVENT_STOOD_DOWN + 1, REPORT_SAMPLES_MAX = 2000, REPORT_CRASHES_MAX = 1000 };

struct report_crash {
	uint32_t server;
	uint64_t at_ns, suspected_ns, dead_first_ns, dead_last_ns; /* 0: not yet */
	uint32_t viewers;
};

struct report_sample {
	uint64_t at_ns, packets, bytes;
	double alive_share; /* of the pairs of servers that run */
	uint32_t running;
};

struct report {
	struct scene *scene;
	uint64_t events[REPORT_KINDS];
	uint64_t false_positives, false_positives_healthy, false_suspicions;
	uint64_t packets, bytes, membership_packets, membership_bytes;
	uint64_t server_ns; /* sum over servers of the time that they ran, at slices */
	uint32_t crash_count;
	struct report_crash crashes[REPORT_CRASHES_MAX];
	uint32_t sample_count;
	struct report_sample samples[REPORT_SAMPLES_MAX];
};

/* Hooks into the scene, before it runs. */
void report_begin(struct report *report, struct scene *scene);
void report_sample(struct report *report);
void report_table(const struct report *report, double real_s, FILE *out);
void report_json(const struct report *report, double real_s, FILE *out);
/* A picture of the samples by gnuplot. False: said why. */
bool report_plot(const struct report *report, const char *path);
