/* swimlane-bench: plays any number of authenticated peers and measures what a server makes of it.
 * docs/performance.md says what it measures and how. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "serf.h"
#include "source.h"

static bool parse_run(const char *line, struct run *run)
{
	static const char *const kinds[RUN_KINDS] = {"probes", "rtt", "junk", "deltas", "flows"};
	char word[64];
	int used = 0;
	*run = (struct run){.kind = RUN_PROBES,
		.ms = 1000,
		.flight = 256,
		.window_us = 250,
		.probe_rate = 1000,
		.timeout_ms = 20,
		.value_len = 32};
	if (sscanf(line, " %63s%n", word, &used) != 1 || strcmp(word, "run") != 0)
		return false;
	for (line += used; sscanf(line, " %63s%n", word, &used) == 1; line += used) {
		bool found = sscanf(word, "ms=%" SCNu32, &run->ms) == 1 ||
			     sscanf(word, "rate=%" SCNu64, &run->rate) == 1 ||
			     sscanf(word, "flight=%" SCNu32, &run->flight) == 1 ||
			     sscanf(word, "window_us=%" SCNu32, &run->window_us) == 1 ||
			     sscanf(word, "probe_rate=%" SCNu32, &run->probe_rate) == 1 ||
			     sscanf(word, "timeout_ms=%" SCNu32, &run->timeout_ms) == 1 ||
			     sscanf(word, "records=%" SCNu16, &run->records) == 1 ||
			     sscanf(word, "value=%" SCNu16, &run->value_len) == 1;
		for (unsigned k = 0; k < RUN_KINDS && strncmp(word, "kind=", 5) == 0; k++)
			if (strcmp(word + 5, kinds[k]) == 0) {
				run->kind = (enum run_kind)k;
				found = true;
			}
		if (!found)
			return false;
	}
	if (run->value_len > DELTAS_VALUE_MAX || run->records > deltas_most(run->value_len))
		return false;
	return run->ms > 0 && run->flight > 0 && run->flight <= 4096 && run->window_us > 0;
}

static int serve(struct source *source)
{
	char line[256];
	struct run run;
	printf("{\"ready\":true,\"crypto\":%s%s%s,\"frame_bytes\":%d,\"hz\":%" PRIu64 "}\n",
		source->identity.seal != NULL ? "\"" : "",
		source->identity.seal != NULL ? source->identity.crypto : "null",
		source->identity.seal != NULL ? "\"" : "", IDENTITY_FRAME_LEN, source->hz);
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (!parse_run(line, &run)) {
			(void)fprintf(stderr, "swimlane-bench: not a measurement: %s", line);
			return 2;
		}
		source_run(source, &run);
		meter_print(&source->meter, source->hz, run.window_us);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct source source;
	struct options options;
	if (argc > 1 && strcmp(argv[1], "serf") == 0)
		return serf_main(argc - 1, argv + 1);
	if (options_parse(argc, argv, &options) < 0)
		return 2;
	if (source_open(&options, &source) < 0)
		return 1;
	int rc = serve(&source);
	source_close(&source);
	return rc;
}
