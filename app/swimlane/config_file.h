/* The configuration as libcyaml loads it: one member for each key, before it is checked as a whole.
 *
 * Texts are NULL where the key is absent; times are milliseconds as written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct config_file_idle {
	int policy;
	uint32_t ramp_us;
	uint32_t ceiling_us;
};

struct config_file_port {
	int kind;
	char *interface;
	char *address;
	uint8_t prefix_len;
	char *gateway;
	uint16_t udp_port;
	uint16_t first_queue;
	uint16_t rx_descriptors;
	uint16_t tx_descriptors;
	uint16_t vlan;
	uint8_t dscp;
	uint16_t mtu;
	bool take_over;
	char *drivers_dir;
	char *xdp_program;
	char *mac;
	struct {
		char *socket;
		int role;
		uint32_t id;
	} memif;
};

struct config_file_origin {
	char *name;
	char *url;
	char *host;
	char *expect_status;
	char *expect_body;
	char *headers;
	char *expect_headers;
	uint32_t interval_ms;
	uint32_t fast_interval_ms;
	uint32_t jitter_pct;
	uint32_t timeout_ms;
	uint32_t rise;
	uint32_t fall;
	bool verify_tls;
};

struct config_file {
	char *name;
	uint64_t id;
	char *cluster;
	int profile;
	char *zone;
	uint16_t weight;
	char *state_dir;
	char **seeds;
	uint32_t seeds_count;
	bool insecure;
	struct {
		char *keyring;
		int crypto;
	} seal;
	struct config_file_port port;
	struct {
		uint16_t *lanes;
		uint32_t lanes_count;
		uint16_t keeper;
		uint16_t control;
		struct config_file_idle lane_idle;
		struct config_file_idle keeper_idle;
	} cores;
	struct {
		int hugepages;
		uint32_t megabytes;
	} memory;
	struct {
		double probe_interval_ms;
		double probe_timeout_ms;
		double suspicion_ms;
		uint32_t indirect_probes;
		double table_sync_interval_ms;
		double rejoin_interval_ms;
		uint32_t forget_after_s;
		uint32_t packets_per_s_max;
	} membership;
	struct {
		uint32_t records_max;
		uint32_t megabytes;
		double pull_interval_ms;
		uint32_t push_flush_us;
		uint32_t packets_per_s_max;
		uint32_t watches_max;
		uint32_t watch_kib;
		uint32_t deletes_kept;
		bool persist;
		uint32_t persist_interval_s;
	} map;
	struct {
		double stable_ms;
		bool zone_aware;
	} ownership;
	struct {
		bool enabled;
		uint32_t checks_per_s_max;
		uint32_t concurrent_max;
		uint32_t refresh_ms;
		char *ca_file;
	} health;
	struct config_file_origin *origins;
	uint32_t origins_count;
	struct {
		char *socket;
		char *mode;
		char *group;
		struct {
			char *listen;
			char *token_file;
			int without_token;
		} http;
		bool capture_clear;
	} control;
	struct {
		int level;
	} log;
	struct {
		bool shim;
	} test;
};
