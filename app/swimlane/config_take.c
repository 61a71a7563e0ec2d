#include "config_take.h"

#include <string.h>

#include <xxhash.h>

#include "base/clock.h"
#include "config_text.h"
#include "swim/swim.h"

enum { MAP_PULL_METAL_US = 20000, MAP_PULL_LAN_US = 100000, MAP_PULL_VIRTUAL_US = 500000 };

static const struct swim_profile *const swim_profiles[] = {
	[PROFILE_METAL] = &swim_profile_metal,
	[PROFILE_LAN] = &swim_profile_lan,
	[PROFILE_VIRTUAL] = &swim_profile_virtual,
};
static const uint32_t map_pull_us[] = {
	[PROFILE_METAL] = MAP_PULL_METAL_US,
	[PROFILE_LAN] = MAP_PULL_LAN_US,
	[PROFILE_VIRTUAL] = MAP_PULL_VIRTUAL_US,
};

/* The table bounds every text by its member; absent ones stay empty. */
static void copy(char *to, size_t cap, const char *from)
{
	size_t len = from == NULL ? 0 : strnlen(from, cap - 1);
	if (len > 0)
		memcpy(to, from, len);
	to[len] = '\0';
}

/* Times have at most three decimals, so that adding a half rounds to what was written. */
static uint32_t us_of_ms(double time_ms)
{
	return (uint32_t)(time_ms * 1000 + 0.5);
}

uint64_t config_id_of_name(const char *name)
{
	uint64_t id = XXH3_64bits(name, strlen(name));
	return id == 0 ? 1 : id;
}

static void take_identity(
	const struct config_file *file, const struct config_lines *lines, struct config *config)
{
	copy(config->name, sizeof(config->name), file->name);
	copy(config->cluster, sizeof(config->cluster), file->cluster);
	copy(config->zone, sizeof(config->zone), file->zone);
	copy(config->state_dir, sizeof(config->state_dir), file->state_dir);
	config->id = config_line(lines, "id") != 0 ? file->id : config_id_of_name(config->name);
	config->profile = (enum config_profile)file->profile;
	config->weight = file->weight;
	config->insecure = file->insecure;
	copy(config->keyring, sizeof(config->keyring), file->seal.keyring);
	config->crypto = (enum seal_driver)file->seal.crypto;
	for (uint32_t i = 0; i < file->seeds_count; i++)
		(void)sw_endpoint_parse(file->seeds[i], file->port.udp_port, &config->seeds[i]);
	config->seed_count = file->seeds_count;
}

static void take_port(const struct config_file *file, struct nic_config *port)
{
	const struct config_file_port *from = &file->port;
	port->kind = (enum nic_kind)from->kind;
	copy(port->interface, sizeof(port->interface), from->interface);
	copy(port->xdp_program, sizeof(port->xdp_program), from->xdp_program);
	if (from->address != NULL)
		(void)sw_endpoint_parse(from->address, from->udp_port, &port->address);
	port->address.port = from->udp_port;
	if (port->kind == NIC_MEMIF || port->kind == NIC_PCI || port->kind == NIC_VDEV) {
		uint8_t usual = sw_endpoint_is_ipv4(&port->address) ? 24 : 64;
		port->prefix_len = from->prefix_len != 0 ? from->prefix_len : usual;
	}
	if (from->gateway != NULL)
		(void)sw_endpoint_parse(from->gateway, 0, &port->gateway);
	/* The interface's own address is wanted in the family that the seeds speak. */
	struct sw_endpoint seed;
	port->want_ipv6 = file->seeds_count > 0 &&
			  sw_endpoint_parse(file->seeds[0], 1, &seed) == 0 &&
			  !sw_endpoint_is_ipv4(&seed);
	port->vlan = from->vlan;
	port->dscp = from->dscp;
	port->mtu = from->mtu;
	port->take_over = from->take_over;
	copy(port->drivers_dir, sizeof(port->drivers_dir), from->drivers_dir);
	port->first_queue = from->first_queue;
	port->rx_descriptors = from->rx_descriptors;
	port->tx_descriptors = from->tx_descriptors;
	copy(port->memif_socket, sizeof(port->memif_socket), from->memif.socket);
	port->memif_server = from->memif.role != 0;
	port->memif_id = from->memif.id;
	if (from->mac != NULL)
		(void)config_parse_mac(from->mac, port->mac);
}

static struct config_idle_policy take_idle(
	const struct config_file_idle *from, bool policy_given, bool cpu_to_itself)
{
	enum config_idle usual = cpu_to_itself ? IDLE_SPIN : IDLE_SLEEP;
	return (struct config_idle_policy){
		.policy = policy_given ? (enum config_idle)from->policy : usual,
		.ramp_us = from->ramp_us,
		.ceiling_us = from->ceiling_us,
	};
}

/* How many of lanes, keeper and control run on this CPU. */
static uint32_t roles_on(const struct config *config, uint16_t cpu)
{
	uint32_t roles = (config->keeper_cpu == cpu) + (config->control_cpu == cpu);
	for (uint16_t i = 0; i < config->lane_count; i++)
		roles += config->lane_cpus[i] == cpu;
	return roles;
}

static void take_cores(
	const struct config_file *file, const struct config_lines *lines, struct config *config)
{
	config->cpus_given = file->cores.lanes_count > 0;
	config->lane_count = config->cpus_given ? (uint16_t)file->cores.lanes_count : 1;
	for (uint32_t i = 0; i < file->cores.lanes_count; i++)
		config->lane_cpus[i] = file->cores.lanes[i];
	config->keeper_cpu = file->cores.keeper;
	config->control_cpu = file->cores.control;

	bool lanes_alone = config->cpus_given;
	for (uint16_t i = 0; i < config->lane_count; i++)
		lanes_alone = lanes_alone && roles_on(config, config->lane_cpus[i]) == 1;
	bool keeper_alone = config->cpus_given && roles_on(config, config->keeper_cpu) == 1;
	config->lane_idle = take_idle(&file->cores.lane_idle,
		config_line(lines, "cores.lane_idle.policy") != 0, lanes_alone);
	config->keeper_idle = take_idle(&file->cores.keeper_idle,
		config_line(lines, "cores.keeper_idle.policy") != 0, keeper_alone);
	config->port.queues = config->lane_count;
	config->port.interrupts = config->lane_idle.policy == IDLE_INTERRUPT;
}

void config_take(
	const struct config_file *file, const struct config_lines *lines, struct config *config)
{
	take_identity(file, lines, config);
	take_port(file, &config->port);
	take_cores(file, lines, config);
	config->hugepages = (enum config_hugepages)file->memory.hugepages;
	config->memory_mib = file->memory.megabytes;
	config->membership = (struct config_membership){
		.probe_interval_us = us_of_ms(file->membership.probe_interval_ms),
		.probe_timeout_us = us_of_ms(file->membership.probe_timeout_ms),
		.suspicion_us = us_of_ms(file->membership.suspicion_ms),
		.indirect_probes = file->membership.indirect_probes,
		.table_sync_interval_us = us_of_ms(file->membership.table_sync_interval_ms),
		.rejoin_interval_us = us_of_ms(file->membership.rejoin_interval_ms),
		.forget_after_s = file->membership.forget_after_s,
		.packets_per_s_max = file->membership.packets_per_s_max,
	};
	config->map_records_max = file->map.records_max;
	config->map_mib = file->map.megabytes;
	config->map_pull_interval_us = config_line(lines, "map.pull_interval_ms") != 0
					       ? us_of_ms(file->map.pull_interval_ms)
					       : map_pull_us[config->profile];
	config->map_push_flush_us = file->map.push_flush_us;
	config->map_packets_per_s_max = file->map.packets_per_s_max;
	config->map_watches_max = file->map.watches_max;
	config->map_watch_kib = file->map.watch_kib;
	config->map_deletes_kept = file->map.deletes_kept;
	config->map_persist = file->map.persist;
	config->map_persist_interval_s = file->map.persist_interval_s;
	config->ownership_stable_us = us_of_ms(file->ownership.stable_ms);
	config->ownership_zone_aware = file->ownership.zone_aware;
	config->health_enabled = file->health.enabled;
	config->health.checks_per_s_max = file->health.checks_per_s_max;
	config->health.concurrent_max = file->health.concurrent_max;
	config->health.refresh_ms = file->health.refresh_ms;
	copy(config->health_ca_file, sizeof(config->health_ca_file), file->health.ca_file);
	copy(config->control_socket, sizeof(config->control_socket), file->control.socket);
	(void)config_parse_mode(file->control.mode, &config->control_mode);
	copy(config->control_group, sizeof(config->control_group), file->control.group);
	copy(config->http_listen, sizeof(config->http_listen), file->control.http.listen);
	copy(config->http_token_file, sizeof(config->http_token_file),
		file->control.http.token_file);
	config->http_without_token = (enum config_open)file->control.http.without_token;
	config->log_level = (enum config_log)file->log.level;
	config->capture_clear = file->control.capture_clear;
	config->test_shim = file->test.shim;
}

static void override_us(uint64_t *ns, uint32_t us)
{
	if (us != 0)
		*ns = us * SW_NS_PER_US;
}

static void override_count(uint32_t *count, uint32_t given)
{
	if (given != 0)
		*count = given;
}

void config_membership_times(const struct config *config, struct swim_profile *times)
{
	const struct config_membership *m = &config->membership;
	const struct swim_profile *profile = swim_profiles[config->profile];

	*times = *profile;
	override_us(&times->probe_interval_ns, m->probe_interval_us);
	override_us(&times->probe_timeout_ns, m->probe_timeout_us);
	override_us(&times->suspicion_max_ns, m->suspicion_us);
	override_us(&times->table_sync_interval_ns, m->table_sync_interval_us);
	override_us(&times->rejoin_interval_ns, m->rejoin_interval_us);
	times->forget_after_ns = m->forget_after_s * SW_NS_PER_S;
	override_count(&times->indirect_probes, m->indirect_probes);
	override_count(&times->packets_per_s_max, m->packets_per_s_max);
	/* At most an hour times a few seconds, both in microseconds: fits 64 bits. */
	times->suspicion_min_ns = times->suspicion_max_ns / SW_NS_PER_US *
				  (profile->suspicion_min_ns / SW_NS_PER_US) /
				  (profile->suspicion_max_ns / SW_NS_PER_US) * SW_NS_PER_US;
}

const char *config_profile_name(enum config_profile profile)
{
	static const char *const names[] = {"metal", "lan", "virtual"};
	return names[profile];
}

const char *config_idle_name(enum config_idle idle)
{
	static const char *const names[] = {"spin", "pause", "sleep", "interrupt"};
	return names[idle];
}
