/* The configuration file: YAML through libcyaml, checked whole before anything starts.
 *
 * Every error names file, line and key. Unknown keys are errors. What is not given gets the default
 * that docs/operations.md lists; a default never depends on the machine. Control core, at start.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/endpoint.h"
#include "base/limits.h"
#include "health/health.h"
#include "nic/nic.h"
#include "seal/seal.h"

struct swim_profile;

enum config_profile { PROFILE_METAL, PROFILE_LAN, PROFILE_VIRTUAL };
enum config_idle { IDLE_SPIN, IDLE_PAUSE, IDLE_SLEEP, IDLE_INTERRUPT };
enum config_hugepages { HUGEPAGES_AUTO, HUGEPAGES_ON, HUGEPAGES_OFF };
enum config_open { OPEN_NOTHING, OPEN_HEALTHZ, OPEN_METRICS }; /* each with those before */
enum config_log { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

enum { CONFIG_ERROR_MAX = 4096, CONFIG_ORIGINS_MAX = 100000, CONFIG_BYTES_MAX = 16 << 20 };

struct config_idle_policy {
	enum config_idle policy;
	uint32_t ramp_us;    /* busy-poll this long after work before sleeping at all */
	uint32_t ceiling_us; /* longest single sleep; it doubles up to this */
};

/* Zero: as the profile says. */
struct config_membership {
	uint32_t probe_interval_us;
	uint32_t probe_timeout_us;
	uint32_t suspicion_us; /* longest; shrinks as others confirm */
	uint32_t indirect_probes;
	uint32_t table_sync_interval_us;
	uint32_t rejoin_interval_us;
	uint32_t forget_after_s;
	uint32_t packets_per_s_max; /* budget for direct dissemination */
};

struct config {
	char name[SW_NAME_MAX + 1];
	uint64_t id; /* XXH3 of the name unless given */
	char cluster[SW_NAME_MAX + 1];
	enum config_profile profile;
	char zone[SW_ZONE_MAX + 1];
	uint16_t weight;
	char state_dir[256]; /* empty: none */
	struct sw_endpoint seeds[SW_SEEDS_MAX];
	uint32_t seed_count;
	bool insecure;
	char keyring[256]; /* path; empty: insecure */
	enum seal_driver crypto;

	struct nic_config port; /* queues = number of lanes */

	uint16_t lane_cpus[SW_LANES_MAX];
	uint16_t lane_count;
	uint16_t keeper_cpu;
	uint16_t control_cpu;
	bool cpus_given; /* false: chosen from the process's affinity */
	struct config_idle_policy lane_idle;
	struct config_idle_policy keeper_idle;

	enum config_hugepages hugepages;
	uint32_t memory_mib;

	struct config_membership membership;

	uint32_t map_records_max;
	uint32_t map_mib;
	uint32_t map_pull_interval_us;
	uint32_t map_push_flush_us;
	uint32_t map_packets_per_s_max; /* budget for pushes and sessions together */
	uint32_t map_watches_max;
	uint32_t map_watch_kib; /* unread by a watch's client, at most */
	uint32_t map_deletes_kept;
	bool map_persist;
	uint32_t map_persist_interval_s;

	uint32_t ownership_stable_us; /* a member that came back owns nothing this long */
	bool ownership_zone_aware;

	struct health_config health; /* callbacks unset */
	bool health_enabled;
	char health_ca_file[256];      /* path; empty: the system's certificates */
	struct health_origin *origins; /* from the file; freed by config_free() */
	uint32_t origin_count;

	char control_socket[108];
	uint32_t control_mode;
	char control_group[33]; /* empty: as it comes */
	char http_listen[108];  /* empty: no HTTP */
	char http_token_file[256];
	enum config_open http_without_token;

	enum config_log log_level;
	bool capture_clear;
	bool test_shim;

	char *path; /* of the file, and what it said; NULL: from memory */
	char *text;
	size_t text_len;
};

/* Loads and checks. 0; or -errno with `error` (CONFIG_ERROR_MAX bytes) of one line for each
 * mistake: "FILE:LINE: key: what is wrong; how to mend it". -EINVAL: the content is wrong; anything
 * else: the file could not be read. Mistakes in single keys are all told at once; those between
 * keys are looked for once every key is right by itself. Call config_free() after success. */
int config_load(const char *path, struct config *config, char *error);

/* The same from memory; `name` stands for the file in messages. */
int config_load_text(
	const char *name, const char *text, size_t len, struct config *config, char *error);

void config_free(struct config *config);

/* Every key with its values, default and meaning, as a Markdown table. */
void config_reference(FILE *out);

/* The same as the manual page swimlane.yaml(5), in mdoc(7). */
void config_manual(FILE *out);

/* The membership times in force: the profile's, with what the file overrides. A shorter or longer
 * suspicion_us moves the profile's shortest suspicion in proportion. */
void config_membership_times(const struct config *config, struct swim_profile *times);

/* The id of a server that is given none. */
uint64_t config_id_of_name(const char *name);

const char *config_profile_name(enum config_profile profile);
const char *config_idle_name(enum config_idle idle);
