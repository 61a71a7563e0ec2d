/* Any bytes as a configuration file: it is taken or refused, never both, and what is taken keeps
 * its bounds. Seeds: tests/fuzz/config-corpus; words: tests/fuzz/config.dict. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "swim/swim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): must also hold in a build without assertions. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_taken(const struct config *c)
{
	struct swim_profile times;
	must(c->name[0] != '\0' && c->cluster[0] != '\0' && c->id != 0 &&
		c->insecure == (c->keyring[0] == '\0'));
	must(c->weight >= 1 && c->weight <= SW_WEIGHT_MAX);
	must(c->seed_count <= SW_SEEDS_MAX && c->origin_count <= CONFIG_ORIGINS_MAX);
	must(c->lane_count >= 1 && c->lane_count <= SW_LANES_MAX);
	must(c->port.queues == c->lane_count && c->port.address.port != 0);
	for (uint32_t i = 0; i < c->seed_count; i++)
		must(c->seeds[i].port != 0);
	for (uint32_t i = 0; i < c->origin_count; i++)
		must(c->origins[i].name[0] != '\0' && c->origins[i].port != 0);
	config_membership_times(c, &times);
	must(times.probe_timeout_ns * 2 <= times.probe_interval_ns);
	must(times.suspicion_min_ns > 0 && times.suspicion_min_ns <= times.suspicion_max_ns);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Each line begins with the file's name, and none has libcyaml's words: what it would refuse was
 * refused before, with better ones. */
static void check_refused(const char *error)
{
	must(error[0] != '\0' && strlen(error) < CONFIG_ERROR_MAX);
	must(!ends_with(error, "; check the value in this line"));
	for (const char *line = error; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		must(strncmp(line, "f:", 2) == 0 || strncmp(line, "... and ", 8) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char error[CONFIG_ERROR_MAX];
	struct config config;
	int rc = config_load_text("f", (const char *)data, size, &config, error);

	must(rc == 0 || rc == -EINVAL);
	if (rc == 0) {
		must(error[0] == '\0');
		check_taken(&config);
	} else {
		check_refused(error);
		must(config.origins == NULL);
	}
	config_free(&config);
	return 0;
}
