#include "methods.h"
#include "rpc/rpc.h"

/* clang-format off */
static const struct rpc_field methods_result[] = {
	{"methods[].name", "text", ""},
	{"methods[].summary?", "text", ""},
	{"methods[].params?", "object", "JSON Schema of the parameters"},
	{"methods[].result?", "object", "JSON Schema of the result"},
	{"methods[].errors?[].code", "integer", ""},
	{"methods[].errors[].when", "text", ""},
	{"methods[].stream?", "boolean", "Notifications follow"},
	{"methods[].writes?", "boolean", "Changes something"},
	{"methods[].example?", "object", "Parameters of a call that works"},
	{NULL, NULL, NULL},
};

static const struct rpc_field status_result[] = {
	{"version", "text", "Of the program"},
	{"name", "text", ""},
	{"id", "id", ""},
	{"epoch", "integer", "Number of this start"},
	{"instance", "id", "Drawn at this start"},
	{"cluster", "text", ""},
	{"address", "text", "address:port"},
	{"profile", "text", ""},
	{"state", "starting | joining | running | leaving | left | stood_down", ""},
	{"ready", "boolean", "Its map is complete: it takes writes"},
	{"drain", "boolean", "Owns nothing"},
	{"members", "integer", "Known, dead ones among them"},
	{"alive", "integer", "Alive or suspected"},
	{"local_health", "integer", "0: well"},
	{"table_digest", "id", "The same on servers with the same member table"},
	{"vector_hash", "id", "The same on servers with the same version vector"},
	{"content_hash", "id", "The same on servers with the same records"},
	{"records", "integer", ""},
	{"tombstones", "integer", ""},
	{"keys", "integer", "Registered: they have an owner"},
	{"uptime_ms", "integer", ""},
	{"suspicion_ms", "integer", "The longest that a suspect has to answer"},
	{"sealed", "boolean", "false: INSECURE, packets are in the clear"},
	{"capabilities[]", "text", "That any of its threads still holds: see [privileges](security.md#privileges)"},
	{"no_new_privileges", "boolean", "None can be gained, nor by a program that it would run"},
	{"port.name", "text", ""},
	{"port.driver", "text", ""},
	{"port.steering", "text", "How frames get here"},
	{"port.queues", "integer", ""},
	{"port.mac", "text", ""},
	{"port.mtu", "integer", ""},
	{"port.exclusive", "boolean", "The kernel does not see this port"},
	{"cores[].lcore", "integer", ""},
	{"cores[].cpu", "integer | text", "Or the CPUs that it may run on"},
	{"cores[].role", "control | keeper | lane", ""},
	{"cores[].idle", "text", ""},
	{NULL, NULL, NULL},
};

static const struct rpc_field stats_result[] = {
	{"cores[].lcore", "integer", ""},
	{"cores[].role", "keeper | lane", ""},
	{"cores[].loops", "integer", "Turns of its loop"},
	{"cores[].busy_cycles", "integer", "In turns that found work"},
	{"cores[].idle_cycles", "integer", "In turns that found none, without sleep"},
	{"cores[].asleep_us", "integer", "In sleeps; busy, idle and asleep together are the time since its start"},
	{"cores[].sleeps", "integer", ""},
	{"cores[].cycles_per_packet", "integer | null", "null: no packet yet"},
	{"cores[].rx_frames", "integer | null", "null: the keeper touches no port"},
	{"cores[].tx_frames", "integer | null", ""},
	{"cores[].rx_bytes", "integer | null", ""},
	{"cores[].tx_bytes", "integer | null", ""},
	{"cores[].drops.*", "integer", "Packets dropped, by reason; those that never happened are absent"},
	{"cores[].counters.*", "integer", "See [counters](operations.md#counters)"},
	{"cores[].cycles?", "object", "Of a lane"},
	{"cores[].cycles.turns", "integer", "A lane's turns that received frames and were not interrupted; the rest is of these"},
	{"cores[].cycles.interrupted", "integer", "Turns left out: they took so long that the kernel must have run something else"},
	{"cores[].cycles.frames", "integer", "Frames received"},
	{"cores[].cycles.answers", "integer", "Probes answered"},
	{"cores[].cycles.stages.*", "integer", "Cycles in `rx`, `check`, `open`, `decode`, `answer`, `other`, `seal` and `tx`: see [performance](performance.md)"},
	{"rpc.*", "integer", ""},
	{"health.*", "integer", ""},
	{"map.*", "integer", "Watches, waiting clients, and copies in the state folder"},
	{"tsc_hz", "integer", "Cycles of a second"},
	{NULL, NULL, NULL},
};

static const struct rpc_field reload_result[] = {
	{"file", "text", "What was read"},
	{"changed[].key", "text", "As in the configuration"},
	{"changed[].change", "in_force | restart | failed",
		"`restart`: told until then; `failed`: as it was, see `error`"},
	{"changed[].error?", "text", ""},
	{NULL, NULL, NULL},
};

static const struct rpc_field level_params[] = {
	{"level?", "error | warning | info | debug", "As it is unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field level_result[] = {
	{"level", "text", "Now, until a reload changes `log.level` or a restart"},
	{"before", "text", ""},
	{"configured", "text", ""},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error reload_errors[] = {
	{RPC_REFUSED, "the file has a mistake: nothing has changed, and the message has every one"}, {0, NULL}};

static const struct rpc_field shim_params[] = {
	{"drop_percent?", "integer 0..100", "Of received packets; as it is unless given"},
	{"block?[]", "text", "Servers or addresses whose packets are dropped; as they are unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field shim_result[] = {
	{"drop_percent", "integer", ""},
	{"block[]", "text", "Addresses"},
	{NULL, NULL, NULL},
};

static const struct rpc_field capture_params[] = {
	{"peer?", "text", "A server, by name or id: only packets from and to it"},
	{"types?[]", "text", "As in [the packet format](wire.md): only packets with such a message"},
	{"rate_max?", "integer 1..100000", "Packets a second and lane, 1,000 unless given"},
	{"clear?", "boolean", "Whole packets, deciphered; headers alone unless given"},
	{NULL, NULL, NULL},
};

static const struct rpc_field capture_result[] = {
	{"address", "text", "This server's end of every packet"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error capture_errors[] = {
	{RPC_BUSY, "there is a capture already"},
	{RPC_REFUSED, "packets are sealed, and `control.capture_clear` is not set"},
	{RPC_NOT_FOUND, "no such server"},
	{RPC_TOO_MANY, "as many subscriptions as there may be"}, {0, NULL}};

static const struct rpc_method_error events_errors[] = {
	{RPC_TOO_MANY, "as many subscribers as there may be"}, {0, NULL}};

const struct rpc_method_info methods_daemon[] = {
	{.name = "methods", .summary = "Every method, with JSON Schemas of its parameters and result",
		.result = methods_result,
		.answer = "{\"methods\":[{\"name\":\"leave\",\"summary\":\"Leave the cluster in order, and stop the server\","
			  "\"params\":{\"type\":\"object\",\"properties\":{},\"required\":[],\"additionalProperties\":false},"
			  "\"result\":{\"type\":\"object\"},\"errors\":[],\"stream\":false,\"writes\":true,\"example\":{}}]}"},
	{.name = "status", .summary = "How this server is",
		.result = status_result,
		.answer = "{\"version\":\"0.1.0\",\"name\":\"edge-01\",\"id\":\"00000000000000a1\",\"epoch\":12,"
			  "\"instance\":\"5d0c7a3be2f41c99\",\"cluster\":\"ams1\",\"address\":\"10.0.0.1:7946\","
			  "\"profile\":\"lan\",\"state\":\"running\",\"ready\":true,\"drain\":false,\"members\":5,"
			  "\"alive\":5,\"local_health\":0,\"table_digest\":\"91a2c8f20d5be7c4\","
			  "\"vector_hash\":\"0f3c5a7791be2d68\",\"content_hash\":\"77f0a1b2c3d4e5f6\","
			  "\"records\":12,\"tombstones\":0,\"keys\":6,\"uptime_ms\":86400000,\"sealed\":true,\"suspicion_ms\":500,"
			  "\"capabilities\":[\"CAP_NET_ADMIN\"],\"no_new_privileges\":true,"
			  "\"port\":{\"name\":\"eth0\",\"driver\":\"net_af_xdp\",\"steering\":\"XDP program\","
			  "\"queues\":1,\"mac\":\"02:00:00:00:00:01\",\"mtu\":1500,\"exclusive\":false},"
			  "\"cores\":[{\"lcore\":0,\"cpu\":0,\"role\":\"control\",\"idle\":\"event loop\"}]}"},
	{.name = "stats", .summary = "What each core has done",
		.result = stats_result,
		.notes = "The same counters, with units and one name each, are in `GET /metrics` and under "
			 "`/swimlane/` of DPDK's telemetry.",
		.answer = "{\"cores\":[{\"lcore\":2,\"role\":\"lane\",\"loops\":81234567,\"busy_cycles\":3012345,"
			  "\"idle_cycles\":90123456,\"asleep_us\":812345,\"sleeps\":40123,\"cycles_per_packet\":612,"
			  "\"rx_frames\":4922,\"tx_frames\":4922,\"rx_bytes\":512345,\"tx_bytes\":498123,"
			  "\"drops\":{\"magic\":2},\"counters\":{\"packets\":4920,\"answered\":1640}}],"
			  "\"rpc\":{\"requests\":17},\"health\":{\"origins\":3},\"map\":{\"watches\":2},\"tsc_hz\":2100000000}"},
	{.name = "events", .summary = "Tell what happens to members, origins and this server", .stream = true,
		.errors = events_errors,
		.notes = "`event {at_ms, kind, server, id, text}`, where `kind` is `alive`, `suspect`, `refuted`, "
			 "`dead`, `left`, `forgotten`, `changed`, `running`, `epoch`, `stand_down`, `ready`, "
			 "`verdict`, `taken_over` or `standing_in`.",
		.answer = "{}"},
	{.name = "capture", .summary = "Show packets that lanes take in and send", .stream = true,
		.params = capture_params, .result = capture_result, .errors = capture_errors,
		.notes = "`capture.packet {at_us, lane, sent, peer, length, base64}` and, when packets were missed "
			 "because of the rate or a full ring, `capture.missed {packets}`, the number so far. What was "
			 "received is told once it is opened: junk is counted by reason, and not shown. "
			 "In the clear the key id is 0 and the tag zeros, as `scripts/wireshark/swimlane.lua` reads it.",
		.example = "{\"types\":[\"PING\",\"ACK\"],\"rate_max\":100}", .answer = "{\"address\":\"10.0.0.1:7946\"}"},
	{.name = "reload", .summary = "Read the configuration again, and bring into force what can be",
		.result = reload_result, .errors = reload_errors,
		.notes = "The same as SIGHUP. Origins that are new in the file, or defined otherwise, are put into the "
			 "map; those that are gone from it stay there. The token's file is read again in any case.",
		.answer = "{\"file\":\"/etc/swimlane.yaml\",\"changed\":[{\"key\":\"log.level\",\"change\":\"in_force\"},"
			  "{\"key\":\"map.records_max\",\"change\":\"restart\"}]}", .writes = true},
	{.name = "log.level", .summary = "Which messages are logged; with a level, change it",
		.params = level_params, .result = level_result,
		.example = "{\"level\":\"warning\"}",
		.answer = "{\"level\":\"warning\",\"before\":\"info\",\"configured\":\"info\"}", .writes = true},
	{.name = "test.shim", .summary = "Lose packets on purpose",
		.params = shim_params, .result = shim_result,
		.notes = "Only where the configuration says `test: {shim: true}`.",
		.example = "{\"drop_percent\":0,\"block\":[]}",
		.answer = "{\"drop_percent\":0,\"block\":[]}", .writes = true},
	{.name = NULL},
};
