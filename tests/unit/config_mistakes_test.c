#include "sw_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

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

struct bad_row {
	const char *name;
	const char *text;
	const char *error;
};

static const struct bad_row bad_rows[] = {
	{"nothing_at_all", "",
		"f: YAML: the file is empty; begin with name, cluster, seal and port"},
	{"only_a_comment", "# nothing\n",
		"f: YAML: the file is empty; begin with name, cluster, seal and port"},
	{"not_a_mapping", "- a\n",
		"f:1: YAML: this is not a list of keys; write a line `key: value` for each"},
	{"plain_text", "hello\n",
		"f:1: YAML: this is not a list of keys; write a line `key: value` for each"},
	{"all_required_keys_missing", "\nzone: r1\n",
		"f:2: name: is missing; give this server a name of its own, e.g. name: web-1\n"
		"f:2: cluster: is missing; give the name that all servers of this datacenter "
		"share, e.g. "
		"cluster: ams1\n"
		"f:2: port: is missing; say which network port to use, e.g. port: {kind: af_xdp, "
		"interface: eth0}"},
	{"neither_sealed_nor_insecure",
		"name: a\ncluster: b\ninsecure: false\nport: {kind: af_xdp, interface: eth0}\n",
		"f:1: seal: is missing; make a key with swimlanectl key new /etc/swimlane/keyring "
		"and give seal: {keyring: /etc/swimlane/keyring}, or, if whoever can send to the "
		"UDP port may forge members and records, say insecure: true"},
	{"both_sealed_and_insecure", BASE "seal: {keyring: /etc/swimlane/keyring}\n",
		"f:3: insecure: is true although there is a keyring; remove it (packets are "
		"sealed), or remove seal (packets are in the clear)"},
	{"sealed_without_a_keyring",
		"name: a\ncluster: b\nseal: {}\nport: {kind: af_xdp, interface: eth0}\n",
		"f:3: seal.keyring: is missing; give the file of the cluster's keys, made with "
		"swimlanectl key new FILE"},
	{"keyring_with_a_relative_path",
		"name: a\ncluster: b\nseal: {keyring: keys}\n"
		"port: {kind: af_xdp, interface: eth0}\n",
		"f:3: seal.keyring: 'keys' is not an absolute path; let it begin with /"},
	{"several_mistakes_are_told_in_order_of_lines",
		"name: a b\nclustr: c\ninsecure: yes\nport:\n  kind: afxdp\n  udp_port: 0\n",
		"f:1: name: 'a b' has a character that a name cannot have; use letters, digits, "
		"'.', '_' "
		"and '-'\n"
		"f:1: cluster: is missing; give the name that all servers of this datacenter "
		"share, e.g. "
		"cluster: ams1\n"
		"f:2: clustr: unknown key; did you mean cluster?\n"
		"f:3: insecure: 'yes' is neither true nor false; write true or false\n"
		"f:5: port.kind: 'afxdp' is unknown; did you mean af_xdp? choose af_xdp, "
		"af_packet, memif, "
		"pci or vdev\n"
		"f:6: port.udp_port: '0' is out of range; give a number from 1 to 65535"},

	/* keys */
	{"unknown_key_elsewhere", BASE "interface: eth0\n",
		"f:5: interface: unknown key; did you mean port.interface?"},
	{"unknown_key_without_unit", BASE "membership:\n  probe_interval: 5\n",
		"f:6: membership.probe_interval: unknown key; did you mean "
		"membership.probe_interval_ms?"},
	{"unknown_key_swapped_letters", BASE "map: {megabtyes: 5}\n",
		"f:5: map.megabtyes: unknown key; did you mean map.megabytes?"},
	{"unknown_key_far_from_all", BASE "ownership: {quorum: {a: [b, {c: d}]}}\nweight: 0\n",
		"f:5: ownership.quorum: unknown key; the keys here are stable_ms, zone_aware\n"
		"f:6: weight: '0' is out of range; give a number from 1 to 1000"},
	{"unknown_key_of_an_origin", BASE "origins:\n- name: a\n  url: http://a/\n  interval: 5\n",
		"f:8: origins[0].interval: unknown key; did you mean origins[].interval_ms?"},
	{"key_that_only_begins_like_a_known_one", BASE "\"zone\\0x\": a\n",
		"f:5: zone: unknown key; did you mean zone?"},
	{"repeated_key", BASE "zone: a\nzone: b\n",
		"f:6: zone: given again, first in line 5; keep one of them"},
	{"repeated_section", BASE "port: {kind: vdev}\n",
		"f:5: port: given again, first in line 4; keep one of them"},
	{"key_that_is_a_list", BASE "? [a, b]\n: c\n",
		"f:5: YAML: a key is not plain text; write `key: value`"},

	/* kinds of values */
	{"section_where_a_value_belongs", BASE "zone: {a: b}\n",
		"f:5: zone: is a section of keys; give one plain value"},
	{"list_where_a_value_belongs", BASE "weight: [1, 2]\n",
		"f:5: weight: is a list; give one plain value"},
	{"value_where_a_section_belongs", BASE "ownership: 5\n",
		"f:5: ownership: is a single value; give keys below it (stable_ms, zone_aware), or "
		"remove it"},
	{"empty_section", BASE "log:\nzone: a\n",
		"f:5: log: is empty; give keys below it (level), or remove it"},
	{"value_where_a_list_belongs", BASE "seeds: 10.0.0.1\n",
		"f:5: seeds: is a single value; give a list: [a, b] or a line `- a` for each"},
	{"list_in_a_list", BASE "seeds: [[10.0.0.1]]\n",
		"f:5: seeds[0]: is a list; give one plain value"},
	{"origin_that_is_text", BASE "origins: [http://a/]\n",
		"f:5: origins[0]: is a single value; give the keys of one origin (name, url, "
		"interval_ms, fast_interval_ms, jitter_pct, timeout_ms, rise, fall, expect_status, "
		"expect_body, headers, expect_headers, host, verify_tls)"},
	{"origins_by_name", BASE "origins: {a: {url: http://a/}}\n",
		"f:5: origins: is a section of keys; give a list, each item with its keys (name, "
		"url, "
		"interval_ms, fast_interval_ms, jitter_pct, timeout_ms, rise, fall, expect_status, "
		"expect_body, headers, expect_headers, host, verify_tls)"},
	{"empty_value", BASE "zone:\n", "f:5: zone: is empty; give a value or remove the key"},
	{"empty_number", BASE "weight:\n",
		"f:5: weight: '' is not a number; give a number from 1 to 1000"},
	{"null_is_no_number", BASE "weight: null\n",
		"f:5: weight: 'null' is not a number; give a number from 1 to 1000"},
	{"line_break_in_a_value", BASE "state_dir: |\n  /a\n  /b\n",
		"f:5: state_dir: has a control character or a line break; write one line of plain "
		"text"},
	{"zero_byte_in_a_value", BASE "zone: \"a\\0b\"\n",
		"f:5: zone: has a control character or a line break; write one line of plain text"},

	/* YAML itself */
	{"broken_indentation", "name: a\n  cluster: b\n",
		"f:1: name: 'a cluster' has a character that a name cannot have; use letters, "
		"digits, '.', "
		"'_' and '-'\n"
		"f:2: YAML: mapping values are not allowed in this context; check indentation, "
		"quotes and "
		"brackets here"},
	{"unclosed_bracket", BASE "seeds: [10.0.0.1,\nzone: a\n",
		"f:6: seeds[1]: is a section of keys; give one plain value\n"
		"f:7: YAML: did not find expected ',' or ']', while parsing a flow sequence that "
		"began in "
		"line 5; check indentation, quotes and brackets"},
	{"tab_as_indentation", TOP "port:\n\tkind: vdev\n",
		"f:5: YAML: found character that cannot start any token, while scanning for the "
		"next token "
		"that began in line 5; check indentation, quotes and brackets"},
	{"not_utf8", "name: \xff\xfe\n",
		"f:1: YAML: invalid leading UTF-8 octet; the file must be plain UTF-8 text"},
	{"binary",
		"name: a\n\x7f"
		"ELF\x02\x01\x01",
		"f:2: YAML: control characters are not allowed; the file must be plain UTF-8 text"},
	{"second_document", BASE "---\nname: b\n",
		"f:5: YAML: a second document begins; keep one document in the file"},
	{"alias", BASE "zone: &z a\nstate_dir: *z\n",
		"f:5: zone: anchors (&z) are not read; write the value out\n"
		"f:6: state_dir: aliases (*z) are not read; write the value out"},
	{"tag", BASE "weight: !!int 5\n",
		"f:5: weight: tags (tag:yaml.org,2002:int) are not read; write the value without "
		"it"},
	{"nested_too_deeply",
		BASE "x: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
		"f:5: x: unknown key; the keys here are name, id, cluster, profile, zone, weight, "
		"state_dir, seeds, seal, insecure, port, cores, memory, membership, map, "
		"ownership, "
		"health, "
		"origins, control, log, test\n"
		"f:5: x: nested too deeply; no key has more than three levels"},

	/* single values */
	{"number_with_a_sign", BASE "weight: -1\n",
		"f:5: weight: '-1' is not a number; give a number from 1 to 1000"},
	{"number_in_octal", BASE "weight: 0100\n",
		"f:5: weight: '0100' is not a number; give a number from 1 to 1000"},
	{"number_beyond_64_bits", BASE "weight: 18446744073709551617\n",
		"f:5: weight: '18446744073709551617' is not a number; give a number from 1 to "
		"1000"},
	{"number_with_a_unit", BASE "memory: {megabytes: 256M}\n",
		"f:5: memory.megabytes: '256M' is not a number; give a number from 64 to 65536"},
	{"id_of_zero", BASE "id: 0\n",
		"f:5: id: '0' is out of range; give a number from 1 to 2^64-1, decimal or 0x..."},
	{"id_too_long", BASE "id: 0x10000000000000000\n",
		"f:5: id: '0x10000000000000000' is not a number; give a number from 1 to 2^64-1, "
		"decimal or "
		"0x..."},
	{"name_too_long", BASE "zone: abcdefghijklmnopqrstuvwxyzabcdef\n",
		"f:5: zone: 'abcdefghijklmnopqrst...' is 32 bytes long; give at most 31"},
	{"time_with_four_decimals", BASE "ownership: {stable_ms: 2.5001}\n",
		"f:5: ownership.stable_ms: '2.5001' is not a number; give milliseconds from 0 to "
		"3600000, "
		"with up to three decimals"},
	{"time_out_of_range", BASE "membership: {probe_timeout_ms: 0.05}\n",
		"f:5: membership.probe_timeout_ms: '0.05' is out of range; give milliseconds from "
		"0.1 to "
		"30000, with up to three decimals"},
	{"seed_is_a_host_name", BASE "seeds: [10.0.0.1, web-2]\n",
		"f:5: seeds[1]: 'web-2' is not an address; write 10.0.0.1:7946 or "
		"[2001:db8::1]:7946 (names "
		"are not resolved)"},
	{"seed_is_multicast", BASE "seeds: ['224.0.0.1:7946']\n",
		"f:5: seeds[0]: '224.0.0.1:7946' is a multicast, reserved or broadcast address; "
		"give a "
		"server's own address"},
	{"seed_is_multicast_ipv6", BASE "seeds: ['ff02::1']\n",
		"f:5: seeds[0]: 'ff02::1' is a multicast address; give a server's own address"},
	{"seed_is_unspecified", BASE "seeds: [0.0.0.0]\n",
		"f:5: seeds[0]: '0.0.0.0' is the unspecified address; give a server's own address"},
	{"address_with_a_port", TOP "port: {kind: af_xdp, interface: e, address: '10.0.0.1:80'}\n",
		"f:4: port.address: '10.0.0.1:80' has a port; write the address alone, and the "
		"port as "
		"port.udp_port"},
	{"address_with_a_prefix", TOP "port: {kind: af_xdp, interface: e, address: 10.0.0.1/24}\n",
		"f:4: port.address: '10.0.0.1/24' is not an address; write it like 10.0.0.1 or "
		"2001:db8::1"},
	{"mac_malformed", VDEV "  address: 10.0.0.1\n  mac: 02-00-00-00-00-01\n",
		"f:8: port.mac: '02-00-00-00-00-01' is not a MAC address; write it like "
		"02:00:00:00:00:01"},
	{"mac_is_multicast", VDEV "  address: 10.0.0.1\n  mac: 01:00:00:00:00:01\n",
		"f:8: port.mac: '01:00:00:00:00:01' is not one station's address; the first byte "
		"must be "
		"even, and not all be zero"},
	{"path_is_relative", BASE "state_dir: var\n",
		"f:5: state_dir: 'var' is not an absolute path; let it begin with /"},
	{"mode_not_octal", BASE "control: {mode: rw-}\n",
		"f:5: control.mode: 'rw-' is not a file mode; write three octal digits like "
		"\"0660\""},
	{"mode_shuts_itself_out", BASE "control: {mode: \"0060\"}\n",
		"f:5: control.mode: '0060' shuts out its own user; the first digit must be 6 or 7"},
	{"level_misspelt", BASE "log: {level: warn}\n",
		"f:5: log.level: 'warn' is unknown; choose error, warning, info or debug"},
	{"lanes_empty", BASE "cores: {lanes: [], keeper: 1, control: 0}\n",
		"f:5: cores.lanes: has no items; give at least 1 or remove it"},
	{"lanes_too_many",
		BASE "cores: {lanes: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1], keeper: 1, control: 0}\n",
		"f:5: cores.lanes: has 17 items; give at most 16"},
	{"lane_on_no_cpu", BASE "cores: {lanes: [1, 1024], keeper: 1, control: 0}\n",
		"f:5: cores.lanes[1]: '1024' is out of range; give a number from 0 to 1023"},

	/* relations */
	{"interface_missing", TOP "port: {kind: af_packet}\n",
		"f:4: port.interface: is missing; give the kernel interface, e.g. interface: eth0"},
	{"interface_too_long", TOP "port: {kind: af_xdp, interface: abcdefghijklmnop}\n",
		"f:4: port.interface: 'abcdefghijklmnop' is longer than 15 bytes; give the "
		"interface's name "
		"as `ip link` shows it"},
	{"interface_is_no_pci_address",
		TOP "port: {kind: pci, interface: eth0, address: 10.0.0.1}\n",
		"f:4: port.interface: 'eth0' is not a PCI address; write it like 0000:3b:00.0, as "
		"`dpdk-devbind.py --status` shows it"},
	{"exclusive_without_an_address", VDEV,
		"f:4: port.address: is missing; the kernel has no address for this port, give it "
		"here"},
	{"keys_of_exclusive_ports_on_a_shared_one",
		TOP "port:\n  kind: af_xdp\n  interface: e\n  prefix_len: 24\n  gateway: 10.0.0.1\n"
		    "  mac: 02:00:00:00:00:01\n  memif: {socket: /a, role: client}\n",
		"f:7: port.prefix_len: is only for memif, pci and vdev (the kernel knows the "
		"network); "
		"remove it or change port.kind\n"
		"f:8: port.gateway: is only for memif, pci and vdev (the kernel knows the routes); "
		"remove "
		"it or change port.kind\n"
		"f:9: port.mac: is only for memif and vdev (the device has its own); remove it or "
		"change "
		"port.kind\n"
		"f:10: port.memif: is only for memif; remove it or change port.kind"},
	{"keys_of_af_xdp_elsewhere",
		VDEV "  address: 10.0.0.1\n  first_queue: 1\n  xdp_program: /a\n",
		"f:8: port.first_queue: is only for af_xdp; remove it or change port.kind\n"
		"f:9: port.xdp_program: is only for af_xdp; remove it or change port.kind"},
	{"memif_without_a_link", TOP "port: {kind: memif, interface: a, address: 10.0.0.1}\n",
		"f:4: port.interface: is not for memif; remove it, port.memif.socket names the "
		"link\n"
		"f:4: port.memif: is missing; give the link's socket and role"},
	{"memif_socket_with_a_comma",
		TOP
		"port: {kind: memif, address: 10.0.0.1, memif: {socket: '/a,b', role: client}}\n",
		"f:4: port.memif.socket: '/a,b' has a comma, which DPDK takes for the end of the "
		"path; give "
		"one without"},
	{"interface_with_a_comma", TOP "port: {kind: af_xdp, interface: 'e,x'}\n",
		"f:4: port.interface: 'e,x' is no name of an interface; give it as `ip link` shows "
		"it"},
	{"memif_without_a_role",
		TOP "port: {kind: memif, address: 10.0.0.1,\n  memif: {socket: /a}}\n",
		"f:5: port.memif.role: is missing; one end of the link is server, the other one "
		"client"},
	{"ring_of_no_power_of_two",
		TOP "port: {kind: af_xdp, interface: e, rx_descriptors: 1000}\n",
		"f:4: port.rx_descriptors: 1000 is not a power of two; give 64, 128, ... 32768"},
	{"prefix_too_long_for_ipv4", VDEV "  address: 10.0.0.1\n  prefix_len: 33\n",
		"f:8: port.prefix_len: 33 is out of range; an IPv4 prefix has 1 to 32 bits"},
	{"gateway_outside", VDEV "  address: 10.0.0.1\n  gateway: 10.0.1.254\n",
		"f:8: port.gateway: '10.0.1.254' is not in the network of port.address/24; give a "
		"router of "
		"that network, or correct prefix_len"},
	{"gateway_outside_ipv6", VDEV "  address: 2001:db8::1\n  gateway: 2001:db8:0:1::1\n",
		"f:8: port.gateway: '2001:db8:0:1::1' is not in the network of port.address/64; "
		"give a "
		"router of that network, or correct prefix_len"},
	{"gateway_is_oneself", VDEV "  address: 10.0.0.1\n  gateway: 10.0.0.1\n",
		"f:8: port.gateway: '10.0.0.1' is port.address itself; give the router's address"},
	{"families_mixed",
		VDEV "  address: 10.0.0.1\n  gateway: 2001:db8::1\nseeds:\n- 10.0.0.2\n- '::2'\n",
		"f:8: port.gateway: '2001:db8::1' is IPv6 and port.address is IPv4; use one "
		"address family\n"
		"f:11: seeds[1]: '::2' is IPv6 and port.address is IPv4; use one address family"},
	{"families_mixed_in_seeds", BASE "seeds: ['::2', 10.0.0.2]\n",
		"f:5: seeds[1]: '10.0.0.2' is IPv4 and seeds[0] is IPv6; use one address family"},
	{"cores_in_part", BASE "cores:\n  lanes: [1]\n",
		"f:5: cores.keeper: is missing although cores.lanes is given; give lanes, keeper "
		"and "
		"control, or none of them\n"
		"f:5: cores.control: is missing although cores.lanes is given; give lanes, keeper "
		"and "
		"control, or none of them"},
	{"timeout_beyond_half_the_interval",
		BASE "membership:\n  probe_interval_ms: 10\n  probe_timeout_ms: 5.001\n",
		"f:7: membership.probe_timeout_ms: the probe timeout (5.001 ms) is more than half "
		"of the "
		"interval (10 ms), with profile lan; indirect probes need the other half, set "
		"both"},
	{"interval_too_short_for_the_profiles_timeout",
		BASE "membership: {probe_interval_ms: 30}\n",
		"f:5: membership.probe_interval_ms: the probe timeout (20 ms) is more than half of "
		"the "
		"interval (30 ms), with profile lan; indirect probes need the other half, set "
		"both"},
	{"suspicion_shorter_than_a_probe", BASE "membership: {suspicion_ms: 49.999}\n",
		"f:5: membership.suspicion_ms: suspicion (49.999 ms) is shorter than the probe "
		"interval "
		"(50 ms), with profile lan; the accused needs that time to refute, set both"},
	{"sleeps_longer_than_the_timeout", BASE "cores: {lane_idle: {ceiling_us: 10001}}\n",
		"f:5: cores.lane_idle.ceiling_us: a sleep of 10001 us is more than half of the "
		"probe timeout "
		"(20 ms); answers would wait too long, give a ceiling_us of at most 10000"},

	/* origins */
	{"origin_without_keys", BASE "origins:\n- {}\n",
		"f:6: origins[0].name: is missing; give the origin a name, e.g. name: shop\n"
		"f:6: origins[0].url: is missing; say what to check, e.g. url: "
		"http://203.0.113.7/healthz"},
	{"origin_with_a_wrong_url", BASE "origins:\n- name: a\n  url: ftp://a/\n",
		"f:7: origins[0].url: must begin with http://, https:// or tcp://; correct it"},
	{"origin_whose_timeout_is_too_long",
		BASE "origins:\n- {name: a, url: http://a/}\n- name: b\n  url: http://a/\n"
		     "  interval_ms: 500\n  timeout_ms: 501\n",
		"f:10: origins[1].timeout_ms: must be a number from 10 to 500; correct it"},
	{"origin_with_a_status_that_no_answer_has",
		BASE "origins:\n- {name: a, url: http://a/, expect_status: 199}\n",
		"f:6: origins[0].expect_status: \"199\" is not a list of statuses from 200 to 599, "
		"as in \"200,204,300-399\"; correct it"},
	{"origin_with_keys_that_its_type_lacks",
		BASE "origins:\n- name: a\n  url: tcp://a:25\n  expect_status: 200\n",
		"f:8: origins[0].expect_status: tcp has none; correct it"},
	{"origin_named_twice",
		BASE "origins:\n- {name: a, url: http://a/}\n- {name: b, url: http://a/}\n"
		     "- {name: a, url: http://b/}\n",
		"f:8: origins[2].name: 'a' is the name of origins[0] (line 6) too; give each its "
		"own"},
};

SW_TEST_TABLE(
	config_mistakes, bad_file_is_told_with_line_and_key, const struct bad_row *row, bad_rows)
{
	SW_EXPECT_STR(told(row->text), row->error);
}

SW_TEST(config_mistakes, too_many_mistakes_are_counted)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	fputs(BASE, out);
	for (int i = 0; i < 1000; i++)
		fprintf(out, "unknown-%d: 1\n", i);
	fclose(out);
	const char *message = told(text);
	SW_EXPECT_LT(strlen(message), (size_t)CONFIG_ERROR_MAX);
	const char *last = strrchr(message, '\n');
	uint32_t lines = 0, more = 0;
	for (const char *c = message; *c != '\0'; c++)
		lines += *c == '\n';
	SW_ASSERT_TRUE(last != NULL && sscanf(last, "\n... and %u more mistakes", &more) == 1);
	SW_EXPECT_EQ(lines + more, 1000u);
	free(text);
}

SW_TEST(config_mistakes, file_that_cannot_be_read_is_told)
{
	char folder[] = "/tmp/sw-config-XXXXXX", path[64], wanted[256];
	struct config c;
	SW_ASSERT_TRUE(mkdtemp(folder) != NULL);

	SW_EXPECT_EQ(config_load(folder, &c, error), -EISDIR);
	(void)snprintf(wanted, sizeof(wanted), "%s: is a directory; give the path of a file in it",
		folder);
	SW_EXPECT_STR(error, wanted);

	(void)snprintf(path, sizeof(path), "%s/none", folder);
	SW_EXPECT_EQ(config_load(path, &c, error), -ENOENT);
	(void)snprintf(wanted, sizeof(wanted),
		"%s: cannot be read: No such file or directory; check the path and its permissions",
		path);
	SW_EXPECT_STR(error, wanted);

	SW_EXPECT_EQ(config_load("/dev/zero", &c, error), -EINVAL);
	SW_EXPECT_STR(error, "/dev/zero: YAML: is larger than 16 MiB; add origins with "
			     "`swimlanectl origin add` instead");
	SW_EXPECT_EQ(config_load("/proc/self/mem", &c, error), -EIO);
	SW_EXPECT_STR(error, "/proc/self/mem: cannot be read: Input/output error; check the file");
	rmdir(folder);
}
