#include "sw_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config.h"
#include "config_keys.h"
#include "config_value.h"
#include "swim/swim.h"

/* Four lines that are enough; what a row adds begins in line 5. */
#define TOP  "name: web-1\ncluster: ams1\ninsecure: true\n"
#define BASE TOP "port: {kind: af_xdp, interface: eth0}\n"
#define VDEV TOP "port:\n  kind: vdev\n  interface: net_ring0\n" /* more of port from line 7 */

static char error[CONFIG_ERROR_MAX];

static int load(const char *text, struct config *config)
{
	return config_load_text("f", text, strlen(text), config, error);
}

/* The only thing looked at is the message; a text that loads has none. */
static const char *told(const char *text)
{
	struct config config;
	int rc = load(text, &config);
	SW_EXPECT_EQ(rc, error[0] == '\0' ? 0 : -EINVAL);
	config_free(&config);
	return error;
}

SW_TEST(config, defaults_are_those_of_the_reference)
{
	struct config c;
	SW_ASSERT_EQ(load(BASE, &c), 0);
	SW_EXPECT_STR(error, "");
	SW_EXPECT_STR(c.name, "web-1");
	SW_EXPECT_EQ(c.id, XXH3_64bits("web-1", 5));
	SW_EXPECT_STR(c.cluster, "ams1");
	SW_EXPECT_EQ(c.profile, PROFILE_LAN);
	SW_EXPECT_STR(c.zone, "");
	SW_EXPECT_EQ(c.weight, 100);
	SW_EXPECT_STR(c.state_dir, "");
	SW_EXPECT_EQ(c.seed_count, 0u);
	SW_EXPECT_TRUE(c.insecure);
	SW_EXPECT_STR(c.keyring, "");
	SW_EXPECT_EQ(c.crypto, SEAL_AUTO);
	SW_EXPECT_EQ(c.port.kind, NIC_AF_XDP);
	SW_EXPECT_STR(c.port.interface, "eth0");
	SW_EXPECT_EQ(c.port.address.port, 7946);
	SW_EXPECT_EQ(c.port.prefix_len, 0);
	SW_EXPECT_EQ(c.port.queues, 1);
	SW_EXPECT_EQ(c.port.first_queue, 0);
	SW_EXPECT_EQ(c.port.rx_descriptors, 0);
	SW_EXPECT_FALSE(c.cpus_given);
	SW_EXPECT_EQ(c.lane_count, 1);
	SW_EXPECT_EQ(c.lane_idle.policy, IDLE_SLEEP);
	SW_EXPECT_EQ(c.lane_idle.ramp_us, 50u);
	SW_EXPECT_EQ(c.lane_idle.ceiling_us, 200u);
	SW_EXPECT_EQ(c.keeper_idle.policy, IDLE_SLEEP);
	SW_EXPECT_EQ(c.hugepages, HUGEPAGES_AUTO);
	SW_EXPECT_EQ(c.memory_mib, 256u);
	SW_EXPECT_EQ(c.membership.probe_interval_us, 0u);
	SW_EXPECT_EQ(c.map_records_max, 100000u);
	SW_EXPECT_EQ(c.map_mib, 64u);
	SW_EXPECT_EQ(c.map_pull_interval_us, 100000u);
	SW_EXPECT_EQ(c.map_push_flush_us, 50u);
	SW_EXPECT_EQ(c.map_packets_per_s_max, 50000u);
	SW_EXPECT_EQ(c.ownership_stable_us, 10000000u);
	SW_EXPECT_TRUE(c.health_enabled);
	SW_EXPECT_EQ(c.health.checks_per_s_max, 1000u);
	SW_EXPECT_EQ(c.health.concurrent_max, 256u);
	SW_EXPECT_EQ(c.health.refresh_ms, 10000u);
	SW_EXPECT_EQ(c.origin_count, 0u);
	SW_EXPECT_STR(c.control_socket, "/run/swimlane/control.sock");
	SW_EXPECT_EQ(c.control_mode, 0660u);
	SW_EXPECT_EQ(c.log_level, LOG_INFO);
	SW_EXPECT_FALSE(c.test_shim);
	config_free(&c);
}

SW_TEST(config, exclusive_port_is_taken_over)
{
	struct config c;
	SW_ASSERT_EQ(
		load(VDEV "  address: 10.0.0.1\n  gateway: 10.0.0.254\n  mac: 02:00:00:00:0A:ff\n",
			&c),
		0);
	SW_EXPECT_EQ(c.port.prefix_len, 24);
	SW_EXPECT_TRUE(sw_endpoint_is_ipv4(&c.port.gateway));
	SW_EXPECT_EQ(c.port.mac[4], 0x0a);
	SW_EXPECT_EQ(c.port.mac[5], 0xff);
	config_free(&c);
}

SW_TEST(config, memif_port_is_taken_over)
{
	struct config c;
	SW_ASSERT_EQ(load(TOP "port: {kind: memif, address: 10.0.0.1, prefix_len: 16,\n"
			      "  memif: {socket: /run/m.sock, role: server, id: 4294967295}}\n",
			     &c),
		0);
	SW_EXPECT_EQ(c.port.kind, NIC_MEMIF);
	SW_EXPECT_STR(c.port.memif_socket, "/run/m.sock");
	SW_EXPECT_TRUE(c.port.memif_server);
	SW_EXPECT_EQ(c.port.memif_id, UINT32_MAX);
	SW_EXPECT_EQ(c.port.prefix_len, 16);
	config_free(&c);
}

SW_TEST(config, seeds_get_the_ports_port_unless_they_have_their_own)
{
	struct config c;
	char text[SW_ENDPOINT_TEXT_MAX];
	SW_ASSERT_EQ(
		load(TOP "port: {kind: af_xdp, interface: e, udp_port: 4000, address: 10.0.0.1}\n"
			 "seeds: [10.0.0.1, '10.0.0.2:4001']\n",
			&c),
		0);
	SW_ASSERT_EQ(c.seed_count, 2u);
	SW_EXPECT_STR(sw_endpoint_format(&c.seeds[0], text), "10.0.0.1:4000");
	SW_EXPECT_STR(sw_endpoint_format(&c.seeds[1], text), "10.0.0.2:4001");
	SW_EXPECT_STR(sw_endpoint_format(&c.port.address, text), "10.0.0.1:4000");
	config_free(&c);
}

SW_TEST(config, ids_are_decimal_or_hexadecimal)
{
	struct config c;
	SW_ASSERT_EQ(load(BASE "id: 0xFFFFFFFFFFFFFFFE\n", &c), 0);
	SW_EXPECT_EQ(c.id, UINT64_MAX - 1);
	config_free(&c);
	SW_ASSERT_EQ(load(BASE "id: 18446744073709551614\n", &c), 0);
	SW_EXPECT_EQ(c.id, UINT64_MAX - 1);
	config_free(&c);
	SW_EXPECT_TRUE(load(BASE "id: 18446744073709551615\n", &c) != 0); /* the horizon's */
	SW_ASSERT_EQ(load(BASE "id: 0x1a2b\n", &c), 0);
	SW_EXPECT_EQ(c.id, 0x1a2bu);
	config_free(&c);
}

SW_TEST(config, roles_spin_on_cpus_of_their_own_and_sleep_on_shared_ones)
{
	struct config c;
	SW_ASSERT_EQ(load(BASE "cores: {lanes: [1, 2], keeper: 3, control: 0}\n", &c), 0);
	SW_EXPECT_TRUE(c.cpus_given);
	SW_EXPECT_EQ(c.lane_count, 2);
	SW_EXPECT_EQ(c.port.queues, 2);
	SW_EXPECT_EQ(c.lane_cpus[1], 2);
	SW_EXPECT_EQ(c.keeper_cpu, 3);
	SW_EXPECT_EQ(c.control_cpu, 0);
	SW_EXPECT_EQ(c.lane_idle.policy, IDLE_SPIN);
	SW_EXPECT_EQ(c.keeper_idle.policy, IDLE_SPIN);
	config_free(&c);

	SW_ASSERT_EQ(load(BASE "cores: {lanes: [1, 1], keeper: 2, control: 0}\n", &c), 0);
	SW_EXPECT_EQ(c.lane_idle.policy, IDLE_SLEEP);
	SW_EXPECT_EQ(c.keeper_idle.policy, IDLE_SPIN);
	config_free(&c);

	SW_ASSERT_EQ(
		load(BASE
			"cores: {lanes: [1], keeper: 0, control: 0,\n"
			"  lane_idle: {policy: sleep}, keeper_idle: {policy: spin, ramp_us: 0}}\n",
			&c),
		0);
	SW_EXPECT_EQ(c.lane_idle.policy, IDLE_SLEEP);
	SW_EXPECT_EQ(c.keeper_idle.policy, IDLE_SPIN);
	SW_EXPECT_EQ(c.keeper_idle.ramp_us, 0u);
	config_free(&c);
}

SW_TEST(config, profile_sets_the_times_and_the_file_overrides_them)
{
	struct config c;
	struct swim_profile times;
	SW_ASSERT_EQ(load(BASE "profile: metal\nmembership: {probe_interval_ms: 7.125, "
			       "suspicion_ms: 100}\n",
			     &c),
		0);
	SW_EXPECT_EQ(c.map_pull_interval_us, 20000u);
	SW_EXPECT_EQ(c.membership.probe_interval_us, 7125u);
	config_membership_times(&c, &times);
	SW_EXPECT_EQ(times.probe_interval_ns, 7125000u);
	SW_EXPECT_EQ(times.probe_timeout_ns, swim_profile_metal.probe_timeout_ns);
	SW_EXPECT_EQ(times.suspicion_max_ns, 100000000u);
	SW_EXPECT_EQ(times.suspicion_min_ns, swim_profile_metal.suspicion_min_ns * 2);
	config_free(&c);

	SW_ASSERT_EQ(load(BASE "profile: virtual\nmap: {pull_interval_ms: 1}\n", &c), 0);
	SW_EXPECT_EQ(c.map_pull_interval_us, 1000u);
	config_membership_times(&c, &times);
	SW_EXPECT_MEM(&times, &swim_profile_virtual, sizeof(times));
	config_free(&c);
}

SW_TEST(config, origins_take_healths_defaults_and_what_is_given)
{
	struct config c;
	SW_ASSERT_EQ(load(BASE "origins:\n- name: a\n  url: https://h.example:8443/p?q\n"
			       "- {name: b, url: 'tcp://10.0.0.9:25', interval_ms: 200, "
			       "timeout_ms: 200, rise: 1, fall: 100}\n",
			     &c),
		0);
	SW_ASSERT_EQ(c.origin_count, 2u);
	SW_EXPECT_STR(c.origins[0].name, "a");
	SW_EXPECT_EQ(c.origins[0].type, HEALTH_HTTPS);
	SW_EXPECT_EQ(c.origins[0].port, 8443);
	SW_EXPECT_STR(c.origins[0].path, "/p?q");
	SW_EXPECT_EQ(c.origins[1].type, HEALTH_TCP);
	SW_EXPECT_EQ(c.origins[1].interval_ms, 200u);
	SW_EXPECT_EQ(c.origins[1].fall, 100u);
	config_free(&c);
}

/* The reference tells origins' defaults, lib/health applies them: they must be the same. */
SW_TEST(config, origins_defaults_told_are_those_of_health)
{
	struct config plain, told_ones;
	char text[1024] = BASE "origins:\n- name: a\n  url: https://h/\n";
	SW_ASSERT_EQ(load(text, &plain), 0);
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		size_t len = strlen(text);
		if (strncmp(key->path, "origins[].", 10) == 0 && key->value != NULL)
			(void)snprintf(text + len, sizeof(text) - len, "  %s: %s\n",
				config_key_leaf(key), key->value);
	}
	SW_ASSERT_EQ(load(text, &told_ones), 0);
	SW_EXPECT_MEM(&plain.origins[0], &told_ones.origins[0], sizeof(struct health_origin));
	config_free(&plain);
	config_free(&told_ones);
}

/* A file with one more key, its sections opened and closed around it. */
static void write_key(const struct config_key *key, const char *value, char *text, size_t cap)
{
	char path[CONFIG_PATH_MAX], *rest = path, *part;
	const char *closing = "\n";
	bool in_port = strncmp(key->path, "port.", 5) == 0;
	FILE *out = fmemopen(text, cap, "w");

	fputs(in_port ? TOP "port: {kind: af_xdp, interface: eth0, " : BASE, out);
	(void)snprintf(path, sizeof(path), "%s", in_port ? key->path + 5 : key->path);
	if (in_port)
		closing = "}\n";
	while ((part = strsep(&rest, ".")) != NULL && rest != NULL) {
		if (strcmp(part, "origins[]") == 0) {
			fputs("origins: [{name: a, url: 'https://h/', ", out);
			closing = "}]\n";
		} else {
			fprintf(out, "%s: {", part);
			closing = strcmp(closing, "}\n") == 0 ? "}}\n" : "}\n";
		}
	}
	fprintf(out, key->type == KEY_NUMBERS ? "%s: [%s]%s" : "%s: %s%s", part, value, closing);
	fclose(out);
}

static bool refused(const struct config_key *key, uint64_t value)
{
	char text[512], number[32], wanted[64];
	if (key->type == KEY_MS)
		(void)snprintf(number, sizeof(number), "%llu.%03u",
			(unsigned long long)(value / 1000), (unsigned)(value % 1000));
	else
		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
	write_key(key, number, text, sizeof(text));
	(void)snprintf(wanted, sizeof(wanted), "'%s' is out of range", number);
	const char *message = told(text);
	/* The key was found where the test wrote it. */
	if (strstr(message, "unknown key") != NULL || strstr(message, "YAML") != NULL)
		SW_FAIL("%s: %s in %s", key->path, message, text);
	return strstr(message, wanted) != NULL;
}

SW_TEST(config, every_range_ends_where_the_reference_says)
{
	uint32_t ranges = 0;
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->type != KEY_NUMBER && key->type != KEY_MS && key->type != KEY_NUMBERS)
			continue;
		ranges++;
		if (refused(key, key->min) || refused(key, key->max))
			SW_FAIL("%s: refuses an end of its own range: %s", key->path, error);
		if (!refused(key, key->max + 1))
			SW_FAIL("%s: takes %llu", key->path, (unsigned long long)key->max + 1);
		if (key->min > 0 && !refused(key, key->min - 1))
			SW_FAIL("%s: takes %llu", key->path, (unsigned long long)key->min - 1);
	}
	SW_EXPECT_GT(ranges, 30u);
}

/* A value beyond its member would be cut off without a word. */
SW_TEST(config, every_range_fits_its_member)
{
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->type != KEY_NUMBER && key->type != KEY_NUMBERS)
			continue;
		if (key->size < 8 && key->max >> (8 * key->size) != 0)
			SW_FAIL("%s: %llu does not fit %u bytes", key->path,
				(unsigned long long)key->max, key->size);
		if (key->min > key->max)
			SW_FAIL("%s: empty range", key->path);
	}
}

SW_TEST(config, every_default_passes_its_own_check)
{
	static struct config_mistakes mistakes;
	uint32_t defaults = 0;
	mistakes = (struct config_mistakes){.file = "f"};
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->value == NULL)
			continue;
		defaults++;
		config_value_check(key, key->value, strlen(key->value), 1, key->path, &mistakes);
	}
	mistakes_print(&mistakes, error, sizeof(error));
	SW_EXPECT_STR(error, "");
	SW_EXPECT_GT(defaults, 20u);
}

SW_TEST(config, a_hundred_thousand_origins_load_and_one_more_is_refused)
{
	struct config c;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	fputs(BASE "origins:\n", out);
	for (int i = 0; i < CONFIG_ORIGINS_MAX; i++)
		fprintf(out, "- {name: o-%d, url: \"http://203.0.113.1/%d\", fall: 7}\n", i, i);
	fflush(out);
	SW_EXPECT_EQ(config_load_text("f", text, len, &c, error), 0);
	SW_EXPECT_EQ(c.origin_count, (uint32_t)CONFIG_ORIGINS_MAX);
	if (c.origin_count > 0) {
		SW_EXPECT_STR(c.origins[c.origin_count - 1].path, "/99999");
		SW_EXPECT_EQ(c.origins[c.origin_count - 1].fall, 7u);
	}
	config_free(&c);
	fprintf(out, "- {name: more, url: http://203.0.113.1/}\n");
	fclose(out);
	SW_EXPECT_STR(told(text), "f:5: origins: has 100001 items; give at most 100000");
	free(text);
}
static char *read_source(const char *path)
{
	char full[512];
	char *text = NULL;
	size_t cap = 0;
	(void)snprintf(full, sizeof(full), "%s/%s", getenv("SW_SOURCE"), path);
	FILE *in = fopen(full, "r");
	if (in == NULL || getdelim(&text, &cap, '\0', in) < 0)
		SW_FAIL("%s cannot be read", full);
	if (in != NULL)
		fclose(in);
	return text;
}

SW_TEST(config, example_of_the_documentation_loads)
{
	struct config c;
	char *text = read_source("docs/swimlane.example.yaml");
	SW_ASSERT_TRUE(text != NULL);
	SW_EXPECT_EQ(config_load_text("example", text, strlen(text), &c, error), 0);
	SW_EXPECT_STR(error, "");
	config_free(&c);
	free(text);
}

/* After a change: swimlane --config-reference prints what belongs between the two marks. */
SW_TEST(config, reference_of_the_documentation_is_the_programs)
{
	static const char begin_mark[] = "<!-- config reference: begin -->\n";
	static const char end_mark[] = "<!-- config reference: end -->";
	char *reference = NULL;
	size_t len = 0;
	char *text = read_source("docs/operations.md");
	SW_ASSERT_TRUE(text != NULL);
	char *begin = strstr(text, begin_mark), *end = strstr(text, end_mark);
	SW_ASSERT_TRUE(begin != NULL && end != NULL);
	*end = '\0';

	FILE *out = open_memstream(&reference, &len);
	config_reference(out);
	fclose(out);
	SW_EXPECT_STR(begin + strlen(begin_mark), reference);
	free(reference);
	free(text);
}
