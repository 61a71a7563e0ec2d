#include "config_keys.h"

#include "config_file.h"
#include "config_text.h"
#include "rpc/http.h"

/* A row's place in struct config_file, or in a list's item. */
#define AT(type, path, struct_type, member)                                                        \
	path, type, .offset = offsetof(struct struct_type, member),                                \
		    .size = sizeof(((struct struct_type *)0)->member)
#define LIST(type, path, member)                                                                   \
	path, type, .offset = offsetof(struct config_file, member),                                \
		    .size = sizeof(*((struct config_file *)0)->member),                            \
		    .count_offset = offsetof(struct config_file, member##_count)

#define SECTION(path, member)     AT(KEY_SECTION, path, config_file, member)
#define TEXT(path, member, limit) AT(KEY_TEXT, path, config_file, member), .min = 1, .max = limit
#define NUMBER(path, member)      AT(KEY_NUMBER, path, config_file, member)
#define MS(path, member)          AT(KEY_MS, path, config_file, member), .unit = "ms"
#define SWITCH(path, member)      AT(KEY_SWITCH, path, config_file, member)
#define CHOICE(path, member, strings)                                                              \
	AT(KEY_CHOICE, path, config_file, member), .choices = strings,                             \
						   .choice_count = CYAML_ARRAY_LEN(strings)
#define ORIGIN(type, path, member) AT(type, "origins[]." path, config_file_origin, member)

#define AS_PROFILE "as the profile says"

enum { US_PER_MS = 1000, US_PER_S = 1000000, US_PER_MIN = 60 * US_PER_S };
#define US_PER_HOUR (60ULL * US_PER_MIN)

static const cyaml_strval_t profiles[] = {
	{"metal", PROFILE_METAL}, {"lan", PROFILE_LAN}, {"virtual", PROFILE_VIRTUAL}};
static const cyaml_strval_t kinds[] = {{"af_xdp", NIC_AF_XDP}, {"af_packet", NIC_AF_PACKET},
	{"memif", NIC_MEMIF}, {"pci", NIC_PCI}, {"vdev", NIC_VDEV}};
static const cyaml_strval_t roles[] = {{"server", 1}, {"client", 0}};
static const cyaml_strval_t idles[] = {{"spin", IDLE_SPIN}, {"pause", IDLE_PAUSE},
	{"sleep", IDLE_SLEEP}, {"interrupt", IDLE_INTERRUPT}};
static const cyaml_strval_t hugepages[] = {
	{"auto", HUGEPAGES_AUTO}, {"on", HUGEPAGES_ON}, {"off", HUGEPAGES_OFF}};
static const cyaml_strval_t opens[] = {
	{"nothing", OPEN_NOTHING}, {"healthz", OPEN_HEALTHZ}, {"metrics", OPEN_METRICS}};
static const cyaml_strval_t cryptos[] = {{"auto", SEAL_AUTO}, {"ipsec_mb", SEAL_IPSEC_MB},
	{"aesni_gcm", SEAL_AESNI_GCM}, {"aesni_mb", SEAL_AESNI_MB}, {"openssl", SEAL_OPENSSL}};
static const cyaml_strval_t levels[] = {
	{"error", LOG_ERROR}, {"warning", LOG_WARNING}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}};

/* clang-format off */
const struct config_key config_keys[] = {
	{TEXT("name", name, SW_NAME_MAX), .required = true, .check = config_check_name,
		.missing = "give this server a name of its own, e.g. name: web-1",
		.help = "Name of this server, unlike any other in the cluster"},
	{AT(KEY_ID, "id", config_file, id), .min = 1, .max = UINT64_MAX - 1,
		.default_words = "XXH3-64 of the name",
		.help = "Identity of this server; give it only to rename a server that keeps its identity"},
	{TEXT("cluster", cluster, SW_NAME_MAX), .required = true, .check = config_check_name,
		.missing = "give the name that all servers of this datacenter share, e.g. cluster: ams1",
		.help = "Name of the cluster; packets of other clusters are dropped"},
	{CHOICE("profile", profile, profiles), .value = "lan",
		.help = "Named set of times for membership and map, see Profiles"},
	{TEXT("zone", zone, SW_ZONE_MAX), .check = config_check_name, .default_words = "none",
		.help = "Failure zone (rack, room) of this server"},
	{NUMBER("weight", weight), .min = 1, .max = SW_WEIGHT_MAX, .value = "100", .live = true,
		.help = "Share of the keys that this server is to own, in proportion to the others' weights"},
	{TEXT("state_dir", state_dir, 255), .check = config_check_path, .default_words = "none",
		.help = "Folder (absolute path) where the epoch is kept over restarts; without it the others remember it"},
	{LIST(KEY_TEXTS, "seeds", seeds), .min = 1, .max = 63, .items_max = SW_SEEDS_MAX,
		.check = config_check_seed, .default_words = "none",
		.help = "Servers to join by, as address or address:port; the own address among them is ignored"},
	{SECTION("seal", seal), .default_words = "required, unless `insecure: true`",
		.help = "Encryption and authentication of all packets"},
	{TEXT("seal.keyring", seal.keyring, 255), .required = true, .check = config_check_path,
		.missing = "give the file of the cluster's keys, made with swimlanectl key new FILE",
		.help = "Keyring file (absolute path), the same on all servers; only its owner may read it"},
	{CHOICE("seal.crypto", seal.crypto, cryptos), .value = "auto",
		.help = "Crypto device; `auto`: the fastest that passes its self-test at start"},
	{SWITCH("insecure", insecure), .value = "false",
		.help = "`true`: packets in the clear, whoever can send to the UDP port can forge them; then no `seal`"},

	{SECTION("port", port), .required = true,
		.missing = "say which network port to use, e.g. port: {kind: af_xdp, interface: eth0}",
		.help = "Network port that swimlane sends and receives on"},
	{CHOICE("port.kind", port.kind, kinds), .required = true,
		.missing = "choose af_xdp, af_packet, memif, pci or vdev",
		.help = "How frames get here; with `af_xdp` and `af_packet` the kernel keeps the interface"},
	{TEXT("port.interface", port.interface, 63), .default_words = "required, but for memif",
		.help = "Kernel interface (`af_xdp`, `af_packet`), PCI address (`pci`) or device arguments (`vdev`)"},
	{TEXT("port.address", port.address, 63), .check = config_check_address,
		.default_words = "the interface's first; required for memif, pci and vdev",
		.help = "Own IP address, IPv4 or IPv6; all servers of a cluster use one family"},
	{NUMBER("port.prefix_len", port.prefix_len), .min = 1, .max = 128,
		.default_words = "24 (IPv6: 64)",
		.help = "Length of the own network's prefix; only for memif, pci and vdev"},
	{TEXT("port.gateway", port.gateway, 63), .check = config_check_address, .default_words = "none",
		.help = "Next hop to other networks; only for memif, pci and vdev"},
	{NUMBER("port.udp_port", port.udp_port), .min = 1, .max = 65535, .value = "7946",
		.help = "UDP port, the same on all servers"},
	{NUMBER("port.first_queue", port.first_queue), .max = 255, .value = "0",
		.help = "Interface queue of the first lane; the others follow; only for af_xdp"},
	{NUMBER("port.rx_descriptors", port.rx_descriptors), .min = 64, .max = 32768,
		.default_words = "the driver's choice",
		.help = "Length of each receive ring, a power of two"},
	{NUMBER("port.tx_descriptors", port.tx_descriptors), .min = 64, .max = 32768,
		.default_words = "the driver's choice",
		.help = "Length of each transmit ring, a power of two"},
	{NUMBER("port.vlan", port.vlan), .min = 1, .max = NIC_VLAN_MAX, .default_words = "untagged",
		.help = "802.1Q VLAN of all frames; only for memif, pci and vdev (else name the VLAN's interface)"},
	{NUMBER("port.dscp", port.dscp), .max = NIC_DSCP_MAX, .value = "0",
		.help = "Differentiated services code point of what is sent"},
	{NUMBER("port.mtu", port.mtu), .min = NIC_MTU, .max = NIC_MTU_MAX, .unit = "bytes", .value = "1500",
		.help = "Largest IP packet; above 1500 each peer's path is checked, and smaller ones go where it carries no more"},
	{SWITCH("port.take_over", port.take_over), .value = "false",
		.help = "Take even the interface that holds the default route from the kernel; only for pci and vdev"},
	{TEXT("port.drivers_dir", port.drivers_dir, 255), .check = config_check_path,
		.default_words = "built in",
		.help = "Folder (absolute path) of driver files that come before those built in"},
	{TEXT("port.xdp_program", port.xdp_program, 255), .check = config_check_path,
		.default_words = "built in",
		.help = "Compiled XDP program (absolute path) that steers the UDP port to the lanes; only for af_xdp"},
	{TEXT("port.mac", port.mac, 17), .check = config_check_mac, .default_words = "drawn from the address",
		.help = "Own MAC address, as 02:00:00:00:00:01; only for memif and vdev"},
	{SECTION("port.memif", port.memif), .default_words = "required for memif",
		.help = "Shared-memory link; only for memif"},
	{TEXT("port.memif.socket", port.memif.socket, 107), .required = true,
		.check = config_check_memif_socket,
		.missing = "give the path of the UNIX socket that both ends of the link name",
		.help = "UNIX socket that both ends name"},
	{CHOICE("port.memif.role", port.memif.role, roles), .required = true,
		.missing = "one end of the link is server, the other one client",
		.help = "The server makes the socket, the client connects to it"},
	{NUMBER("port.memif.id", port.memif.id), .max = UINT32_MAX, .value = "0",
		.help = "Number of the link on its socket, the same at both ends"},

	{SECTION("cores", cores), .help = "CPUs of lanes, keeper and control"},
	{LIST(KEY_NUMBERS, "cores.lanes", cores.lanes), .max = 1023, .items_min = 1,
		.items_max = SW_LANES_MAX, .unit = "CPU", .default_words = "one lane, unpinned",
		.help = "CPU of each lane; naming one twice makes lanes share it"},
	{NUMBER("cores.keeper", cores.keeper), .max = 1023, .unit = "CPU",
		.default_words = "required with lanes", .help = "CPU of the keeper"},
	{NUMBER("cores.control", cores.control), .max = 1023, .unit = "CPU",
		.default_words = "required with lanes", .help = "CPU of control"},
	{SECTION("cores.lane_idle", cores.lane_idle), .help = "What a lane does when there is no work"},
	{CHOICE("cores.lane_idle.policy", cores.lane_idle.policy, idles),
		.default_words = "spin on CPUs of its own, else sleep", .help = "See Idle policies"},
	{NUMBER("cores.lane_idle.ramp_us", cores.lane_idle.ramp_us), .max = US_PER_S, .unit = "us",
		.value = "50", .help = "But for `spin`: poll on for this long after work"},
	{NUMBER("cores.lane_idle.ceiling_us", cores.lane_idle.ceiling_us), .min = 1,
		.max = 100 * US_PER_MS, .unit = "us", .value = "200",
		.help = "With `sleep`: longest single sleep; sleeps double up to it"},
	{SECTION("cores.keeper_idle", cores.keeper_idle), .help = "The same for the keeper"},
	{CHOICE("cores.keeper_idle.policy", cores.keeper_idle.policy, idles),
		.default_words = "spin on a CPU of its own, else sleep", .help = "See Idle policies"},
	{NUMBER("cores.keeper_idle.ramp_us", cores.keeper_idle.ramp_us), .max = US_PER_S, .unit = "us",
		.value = "50", .help = "But for `spin`: poll on for this long after work"},
	{NUMBER("cores.keeper_idle.ceiling_us", cores.keeper_idle.ceiling_us), .min = 1,
		.max = 100 * US_PER_MS, .unit = "us", .value = "200",
		.help = "With `sleep`: longest single sleep; sleeps double up to it"},

	{SECTION("memory", memory), .help = "Packet and table memory"},
	{CHOICE("memory.hugepages", memory.hugepages, hugepages), .value = "auto",
		.help = "`on`: refuse to start without; `auto`: use them where there are enough"},
	{NUMBER("memory.megabytes", memory.megabytes), .min = 64, .max = 65536, .unit = "MiB",
		.value = "256", .help = "Memory that DPDK takes at start"},

	{SECTION("membership", membership), .help = "Overrides of the profile's membership times"},
	{MS("membership.probe_interval_ms", membership.probe_interval_ms), .min = 500,
		.max = US_PER_MIN, .default_words = AS_PROFILE,
		.help = "Time between probes; each probes one member"},
	{MS("membership.probe_timeout_ms", membership.probe_timeout_ms), .min = 100,
		.max = US_PER_MIN / 2, .default_words = AS_PROFILE,
		.help = "Wait for a direct answer before others are asked; at most half the interval"},
	{MS("membership.suspicion_ms", membership.suspicion_ms), .min = US_PER_MS, .max = US_PER_HOUR,
		.default_words = AS_PROFILE,
		.help = "Longest time from suspect to dead; shrinks as others confirm"},
	{NUMBER("membership.indirect_probes", membership.indirect_probes), .min = 1, .max = 16,
		.default_words = AS_PROFILE, .help = "Members asked to probe one that did not answer"},
	{MS("membership.table_sync_interval_ms", membership.table_sync_interval_ms), .min = US_PER_MS,
		.max = US_PER_HOUR, .default_words = AS_PROFILE,
		.help = "Time between exchanges of whole tables where two servers' tables differ"},
	{MS("membership.rejoin_interval_ms", membership.rejoin_interval_ms), .min = 10 * US_PER_MS,
		.max = US_PER_HOUR, .default_words = AS_PROFILE,
		.help = "Time between tries to reach seeds and lost members"},
	{NUMBER("membership.forget_after_s", membership.forget_after_s), .min = 1, .max = 31536000,
		.unit = "s", .value = "259200",
		.help = "A dead server is waited for this long; then it must take a new epoch to come back"},
	{NUMBER("membership.packets_per_s_max", membership.packets_per_s_max), .min = 100,
		.max = 10000000, .unit = "packets/s", .default_words = AS_PROFILE,
		.help = "Budget for telling changes directly"},

	{SECTION("map", map), .help = "The replicated map"},
	{NUMBER("map.records_max", map.records_max), .min = 1000, .max = 10000000, .value = "100000",
		.help = "Most records, tombstones among them"},
	{NUMBER("map.megabytes", map.megabytes), .min = 1, .max = 65536, .unit = "MiB", .value = "64",
		.help = "Memory of keys and values"},
	{MS("map.pull_interval_ms", map.pull_interval_ms), .min = US_PER_MS, .max = US_PER_MIN,
		.default_words = "metal 20, lan 100, virtual 500",
		.help = "Time between comparisons with a random member"},
	{NUMBER("map.push_flush_us", map.push_flush_us), .max = 100 * US_PER_MS, .unit = "us",
		.value = "50", .help = "Longest wait of a local write for others to share its packet"},
	{NUMBER("map.packets_per_s_max", map.packets_per_s_max), .min = 100, .max = 10000000,
		.unit = "packets/s", .value = "50000", .help = "Budget for pushes and sessions together"},
	{NUMBER("map.watches_max", map.watches_max), .min = 1, .max = 1024, .value = "64",
		.help = "Most watches (RPC `map.watch`) at once"},
	{NUMBER("map.watch_kib", map.watch_kib), .min = 16, .max = 4096, .unit = "KiB", .value = "1024",
		.help = "A watch whose client has more than this unread misses changes, and is told so"},
	{NUMBER("map.deletes_kept", map.deletes_kept), .min = 16, .max = 10000000, .value = "8192",
		.help = "Latest collected deletes that a watch can still be told of when it resumes"},
	{SWITCH("map.persist", map.persist), .value = "false",
		.help = "Keep a copy of the map in `state_dir`, and start from it"},
	{NUMBER("map.persist_interval_s", map.persist_interval_s), .min = 1, .max = 86400, .unit = "s",
		.value = "60", .help = "Time between copies, where the map has changed"},

	{SECTION("ownership", ownership), .help = "Who owns which key"},
	{MS("ownership.stable_ms", ownership.stable_ms), .max = US_PER_HOUR, .value = "10000",
		.help = "A server that came back owns nothing for this long"},
	{SWITCH("ownership.zone_aware", ownership.zone_aware), .value = "false",
		.help = "The second in rank lies in another zone than the owner; the same on all servers"},

	{SECTION("health", health), .help = "Checks of origins"},
	{SWITCH("health.enabled", health.enabled), .value = "true",
		.help = "`false`: this server checks no origins and serves the others' verdicts"},
	{NUMBER("health.checks_per_s_max", health.checks_per_s_max), .min = 1, .max = 100000, .live = true,
		.unit = "checks/s", .value = "1000", .help = "Rate cap of this server, whatever it owns"},
	{NUMBER("health.concurrent_max", health.concurrent_max), .min = 1, .max = 10000, .live = true,
		.value = "256", .help = "Most checks under way at once"},
	{NUMBER("health.refresh_ms", health.refresh_ms), .min = 1000, .max = 86400000, .unit = "ms", .live = true,
		.value = "10000", .help = "An unchanged verdict is told again after this long, or after the origin's interval if that is longer; after three times that in silence it is stale"},
	{TEXT("health.ca_file", health.ca_file, 255), .check = config_check_path,
		.default_words = "the system's",
		.help = "Certificates (PEM) that https origins' are checked against, instead of the system's"},

	{"origins", KEY_SECTIONS, .offset = offsetof(struct config_file, origins),
		.size = sizeof(struct config_file_origin),
		.count_offset = offsetof(struct config_file, origins_count),
		.items_max = CONFIG_ORIGINS_MAX, .default_words = "none", .live = true,
		.help = "Origins to put into the map at start; on one server is enough"},
	{ORIGIN(KEY_TEXT, "name", name), .min = 1, .max = HEALTH_NAME_MAX, .required = true,
		.check = config_check_name, .missing = "give the origin a name, e.g. name: shop",
		.help = "Name of the origin; its verdict is the map's `health/<name>`"},
	{ORIGIN(KEY_TEXT, "url", url), .min = 1, .max = 1023, .required = true,
		.missing = "say what to check, e.g. url: http://203.0.113.7/healthz",
		.help = "What to check: `http://`, `https://` or `tcp://`, host, port and path"},
	{ORIGIN(KEY_NUMBER, "interval_ms", interval_ms), .min = 100, .max = 3600000, .unit = "ms",
		.value = "5000", .help = "Time between checks"},
	{ORIGIN(KEY_NUMBER, "fast_interval_ms", fast_interval_ms), .min = 100, .max = 3600000,
		.unit = "ms", .default_words = "as `interval_ms`",
		.help = "Time between checks while the verdict is unknown or about to change; at most the interval"},
	{ORIGIN(KEY_NUMBER, "jitter_pct", jitter_pct), .max = 50, .unit = "% of the interval",
		.value = "10", .help = "Checks come up to this much earlier, at random"},
	{ORIGIN(KEY_NUMBER, "timeout_ms", timeout_ms), .min = 10, .max = 3600000, .unit = "ms",
		.value = "1000", .help = "Longest wait for the whole answer; at most the fast interval"},
	{ORIGIN(KEY_NUMBER, "rise", rise), .min = 1, .max = 100, .value = "2",
		.help = "Successes in a row that make it up"},
	{ORIGIN(KEY_NUMBER, "fall", fall), .min = 1, .max = 100, .value = "3",
		.help = "Failures in a row that make it down"},
	{ORIGIN(KEY_TEXT, "expect_status", expect_status), .min = 1, .max = 63,
		.default_words = "any 2xx or 3xx",
		.help = "HTTP statuses of a healthy answer, as in `200` or `200,204,300-399`"},
	{ORIGIN(KEY_TEXT, "expect_body", expect_body), .min = 1, .max = 127, .default_words = "any",
		.help = "Text that must occur in the first 64 KiB of the answer"},
	{ORIGIN(KEY_TEXT, "headers", headers), .min = 1, .max = HEALTH_HEADERS_BYTES - 1,
		.default_words = "none", .help = "Headers to send, `Name: value`, a line each, at most 8"},
	{ORIGIN(KEY_TEXT, "expect_headers", expect_headers), .min = 1, .max = HEALTH_HEADERS_BYTES - 1,
		.default_words = "any",
		.help = "Headers that the answer must have, `Name: text within its value`, a line each, at most 8"},
	{ORIGIN(KEY_TEXT, "host", host), .min = 1, .max = 255, .default_words = "the URL's host",
		.help = "Host header and TLS server name"},
	{ORIGIN(KEY_SWITCH, "verify_tls", verify_tls), .value = "true",
		.help = "Check the server's certificate"},

	{SECTION("control", control), .help = "Control RPC"},
	{TEXT("control.socket", control.socket, 107), .check = config_check_path,
		.value = "/run/swimlane/control.sock", .help = "UNIX socket of the control RPC"},
	{TEXT("control.mode", control.mode, 4), .check = config_check_mode, .value = "0660", .live = true,
		.help = "Octal file mode of that socket: who may command this server"},
	{TEXT("control.group", control.group, 32), .default_words = "as it comes", .live = true,
		.help = "Group of that socket, a name or a number; whoever runs swimlane must be in it, or root"},
	{SWITCH("control.capture_clear", control.capture_clear), .value = "false",
		.help = "Allow `capture` to show what is in sealed packets to whoever may use the control socket"},
	{SECTION("control.http", control.http), .default_words = "none",
		.help = "The same methods over HTTP, `/metrics` and `/healthz`"},
	{TEXT("control.http.listen", control.http.listen, 107), .required = true,
		.check = rpc_http_check_listen,
		.missing = "give an address and a port of this server, e.g. listen: 127.0.0.1:9946, or the path "
			   "of a UNIX socket",
		.help = "Numeric address and port, never a wildcard; or the absolute path of a UNIX socket"},
	{TEXT("control.http.token_file", control.http.token_file, 255), .check = config_check_path,
		.default_words = "required with an address", .live = true,
		.help = "File (mode 0600) whose first line is the token that clients show; read anew at a reload"},
	{CHOICE("control.http.without_token", control.http.without_token, opens), .value = "nothing",
		.help = "Pages that need no token; `metrics`: `/metrics` and `/healthz`"},

	{SECTION("log", log), .help = "Messages on standard error"},
	{CHOICE("log.level", log.level, levels), .value = "info", .live = true, .help = "Least severe message to print"},

	{SECTION("test", test), .help = "Fault injection"},
	{SWITCH("test.shim", test.shim), .value = "false",
		.help = "Allow the RPC `test.shim` to drop packets; never in production"},
};
/* clang-format on */

const uint32_t config_key_count = CYAML_ARRAY_LEN(config_keys);

_Static_assert(CYAML_ARRAY_LEN(config_keys) <= CONFIG_KEYS_MAX, "CONFIG_KEYS_MAX is too small");
