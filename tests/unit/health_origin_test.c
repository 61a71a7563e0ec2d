#include "sw_test.h"

#include <errno.h>
#include <string.h>

#include "health/verdict.h"

struct bad_row {
	const char *name;
	const char *json;
	const char *error; /* what its error must begin with */
};

static const struct bad_row bad_rows[] = {
	{"not_an_object", "[1]", "origin: "},
	{"unknown_key", "{\"url\": \"http://a/\", \"tries\": 3}", "tries: unknown key"},
	{"nothing", "{}", "type: "},
	{"type", "{\"type\": \"ftp\", \"address\": \"a\"}", "type: "},
	{"type_number", "{\"type\": 1, \"address\": \"a\"}", "type: "},
	{"no_address", "{\"type\": \"http\"}", "address: "},
	{"address_number", "{\"type\": \"http\", \"address\": 1}", "address: "},
	{"address_blank", "{\"type\": \"http\", \"address\": \"a b\"}", "address: "},
	{"address_option", "{\"type\": \"http\", \"address\": \"-a\"}", "address: "},
	{"address_bad_ipv6", "{\"type\": \"http\", \"address\": \"fe80::g\"}", "address: "},
	{"no_port", "{\"type\": \"tcp\", \"address\": \"a\"}", "port: "},
	{"port_0", "{\"type\": \"http\", \"address\": \"a\", \"port\": 0}", "port: "},
	{"port_65536", "{\"type\": \"http\", \"address\": \"a\", \"port\": 65536}", "port: "},
	{"port_text", "{\"type\": \"http\", \"address\": \"a\", \"port\": \"80\"}", "port: "},
	{"path_relative", "{\"type\": \"http\", \"address\": \"a\", \"path\": \"x\"}", "path: "},
	{"path_blank", "{\"type\": \"http\", \"address\": \"a\", \"path\": \"/a b\"}", "path: "},
	{"path_line", "{\"type\": \"http\", \"address\": \"a\", \"path\": \"/a\\r\\nX: y\"}",
		"path: "},
	{"path_fragment", "{\"type\": \"http\", \"address\": \"a\", \"path\": \"/a#b\"}", "path: "},
	{"path_of_tcp", "{\"type\": \"tcp\", \"address\": \"a\", \"port\": 1, \"path\": \"/\"}",
		"path: "},
	{"host_of_tcp", "{\"url\": \"tcp://a:1\", \"host\": \"b\"}", "host: "},
	{"status_of_tcp", "{\"url\": \"tcp://a:1\", \"expect_status\": 200}", "expect_status: "},
	{"body_of_tcp", "{\"url\": \"tcp://a:1\", \"expect_body\": \"x\"}", "expect_body: "},
	{"tls_of_http", "{\"url\": \"http://a/\", \"verify_tls\": false}", "verify_tls: "},
	{"tls_text", "{\"url\": \"https://a/\", \"verify_tls\": \"no\"}", "verify_tls: "},
	{"host_line", "{\"url\": \"http://a/\", \"host\": \"b\\r\\nX: y\"}", "host: "},
	{"interval_99", "{\"url\": \"http://a/\", \"interval_ms\": 99}", "interval_ms: "},
	{"interval_hours", "{\"url\": \"http://a/\", \"interval_ms\": 3600001}", "interval_ms: "},
	{"interval_real", "{\"url\": \"http://a/\", \"interval_ms\": 500.5}", "interval_ms: "},
	{"interval_negative", "{\"url\": \"http://a/\", \"interval_ms\": -500}", "interval_ms: "},
	{"timeout_9", "{\"url\": \"http://a/\", \"timeout_ms\": 9}", "timeout_ms: "},
	{"timeout_over_interval",
		"{\"url\": \"http://a/\", \"interval_ms\": 500, \"timeout_ms\": 501}",
		"timeout_ms: "},
	{"rise_0", "{\"url\": \"http://a/\", \"rise\": 0}", "rise: "},
	{"rise_101", "{\"url\": \"http://a/\", \"rise\": 101}", "rise: "},
	{"fall_0", "{\"url\": \"http://a/\", \"fall\": 0}", "fall: "},
	{"fall_huge", "{\"url\": \"http://a/\", \"fall\": 4294967297}", "fall: "},
	{"status_199", "{\"url\": \"http://a/\", \"expect_status\": 199}", "expect_status: "},
	{"status_600", "{\"url\": \"http://a/\", \"expect_status\": 600}", "expect_status: "},
	{"status_list", "{\"url\": \"http://a/\", \"expect_status\": \"200;204\"}",
		"expect_status: "},
	{"status_list_end", "{\"url\": \"http://a/\", \"expect_status\": \"200,\"}",
		"expect_status: "},
	{"status_list_down", "{\"url\": \"http://a/\", \"expect_status\": \"299-200\"}",
		"expect_status: "},
	{"status_list_out", "{\"url\": \"http://a/\", \"expect_status\": \"200-600\"}",
		"expect_status: "},
	{"status_list_long",
		"{\"url\": \"http://a/\", \"expect_status\": "
		"\"200,201,202,203,204,205,206,207,208\"}",
		"expect_status: more than 8"},
	{"fast_over_interval",
		"{\"url\": \"http://a/\", \"interval_ms\": 500, \"fast_interval_ms\": 501}",
		"fast_interval_ms: "},
	{"timeout_over_fast",
		"{\"url\": \"http://a/\", \"fast_interval_ms\": 500, \"timeout_ms\": 501}",
		"timeout_ms: "},
	{"jitter_51", "{\"url\": \"http://a/\", \"jitter_pct\": 51}", "jitter_pct: "},
	{"headers_number", "{\"url\": \"http://a/\", \"headers\": 1}", "headers: "},
	{"header_number", "{\"url\": \"http://a/\", \"headers\": {\"A\": 1}}", "headers: A "},
	{"header_name", "{\"url\": \"http://a/\", \"headers\": {\"A b\": \"1\"}}", "headers: "},
	{"header_no_name", "{\"url\": \"http://a/\", \"headers\": {\"\": \"1\"}}", "headers: "},
	{"header_line", "{\"url\": \"http://a/\", \"headers\": {\"A\": \"1\\r\\nB: 2\"}}",
		"headers: "},
	{"header_host", "{\"url\": \"http://a/\", \"headers\": {\"host\": \"b\"}}",
		"headers: Host "},
	{"header_text", "{\"url\": \"http://a/\", \"headers\": \"A: 1\\nB\"}", "headers: \"B\""},
	{"headers_of_tcp", "{\"url\": \"tcp://a:1\", \"headers\": {\"A\": \"1\"}}", "headers: "},
	{"too_many_headers",
		"{\"url\": \"http://a/\", \"expect_headers\": "
		"\"A:1\\nB:1\\nC:1\\nD:1\\nE:1\\nF:1\\nG:1\\nH:1\\nI:1\"}",
		"expect_headers: more than 8"},
	{"maintenance_switch", "{\"url\": \"http://a/\", \"maintenance\": true}", "maintenance: "},
	{"body_number", "{\"url\": \"http://a/\", \"expect_body\": 1}", "expect_body: "},
	{"url_number", "{\"url\": 1}", "url: "},
	{"url_empty", "{\"url\": \"\"}", "url: "},
	{"url_scheme", "{\"url\": \"gopher://a/\"}", "url: "},
	{"url_no_scheme", "{\"url\": \"a/b\"}", "url: "},
	{"url_tcp_no_port", "{\"url\": \"tcp://a\"}", "url: "},
	{"url_tcp_path", "{\"url\": \"tcp://a:1/x\"}", "url: "},
	{"url_user", "{\"url\": \"http://u:p@a/\"}", "url: "},
	{"url_fragment", "{\"url\": \"http://a/#b\"}", "url: "},
	{"url_port", "{\"url\": \"http://a:99999/\"}", "url: "},
	{"url_port_0", "{\"url\": \"http://a:0/\"}", "url: "},
	{"url_line", "{\"url\": \"http://a/b\\r\\nX: y\"}", "url: "},
	{"url_and_type", "{\"url\": \"http://a/\", \"type\": \"http\"}", "type: "},
	{"url_and_address", "{\"url\": \"http://a/\", \"address\": \"b\"}", "address: "},
	{"url_and_port", "{\"url\": \"http://a/\", \"port\": 80}", "port: "},
	{"url_and_path", "{\"url\": \"http://a/\", \"path\": \"/\"}", "path: "},
};

SW_TEST_TABLE(origin, bad_definition_is_refused_by_key, const struct bad_row *row, bad_rows)
{
	struct health_origin origin;
	memset(&origin, 0x5a, sizeof(origin));
	struct health_origin before = origin;
	char error[128] = "";
	json_t *json = json_loads(row->json, 0, NULL);
	SW_ASSERT_TRUE(json != NULL);
	SW_EXPECT_EQ(health_origin_from_json("o", json, &origin, error, sizeof(error)), -EINVAL);
	SW_EXPECT_MEM(error, row->error, strlen(row->error));
	SW_EXPECT_MEM(&origin, &before, sizeof(origin));
	json_decref(json);
}

struct name_row {
	const char *name;
	const char *text;
};

static const struct name_row name_rows[] = {{"empty", ""}, {"blank", "a b"}, {"slash", "a/b"},
	{"accent", "caf\xc3\xa9"}, {"line", "a\n"},
	{"long", "0123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890"}};

SW_TEST_TABLE(origin, bad_name_is_refused, const struct name_row *row, name_rows)
{
	struct health_origin origin;
	char error[128] = "";
	json_t *json = json_pack("{s:s}", "url", "http://a/");
	SW_EXPECT_EQ(
		health_origin_from_json(row->text, json, &origin, error, sizeof(error)), -EINVAL);
	SW_EXPECT_MEM(error, "name: ", 6);
	json_decref(json);
}

SW_TEST(origin, too_long_texts_are_refused_by_key)
{
	static const struct {
		const char *key;
		size_t len;
	} rows[] = {{"address", 256}, {"path", 512}, {"host", 256}, {"expect_body", 128}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct health_origin origin;
		char text[600], error[128] = "";
		memset(text, 'a', sizeof(text));
		text[0] = i == 1 ? '/' : 'a';
		text[rows[i].len] = '\0';
		json_t *json = json_pack("{s:s, s:s}", "type", "http", "address", "a");
		json_object_set_new(json, rows[i].key, json_string(text));
		SW_EXPECT_EQ(
			health_origin_from_json("o", json, &origin, error, sizeof(error)), -EINVAL);
		SW_EXPECT_MEM(error, rows[i].key, strlen(rows[i].key));
		json_decref(json);
	}
}

static void parse(const char *text, struct health_origin *origin)
{
	char error[128] = "";
	json_t *json = json_loads(text, 0, NULL);
	SW_ASSERT_TRUE(json != NULL);
	SW_EXPECT_EQ(
		health_origin_from_json("web-1.example_", json, origin, error, sizeof(error)), 0);
	SW_EXPECT_STR(error, "");
	json_decref(json);
}

SW_TEST(origin, defaults_are_filled_in)
{
	struct health_origin o;
	parse("{\"type\": \"https\", \"address\": \"origin.example\"}", &o);
	SW_EXPECT_STR(o.name, "web-1.example_");
	SW_EXPECT_EQ(o.type, HEALTH_HTTPS);
	SW_EXPECT_STR(o.address, "origin.example");
	SW_EXPECT_EQ(o.port, 443);
	SW_EXPECT_STR(o.path, "/");
	SW_EXPECT_STR(o.host, "");
	SW_EXPECT_EQ(o.interval_ms, 5000);
	SW_EXPECT_EQ(o.timeout_ms, 1000);
	SW_EXPECT_EQ(o.rise, 2);
	SW_EXPECT_EQ(o.fall, 3);
	SW_EXPECT_EQ(o.expect_status_count, 0);
	SW_EXPECT_STR(o.expect_body, "");
	SW_EXPECT_TRUE(o.verify_tls);
	parse("{\"type\": \"http\", \"address\": \"10.1.0.7\", \"interval_ms\": 300}", &o);
	SW_EXPECT_EQ(o.port, 80);
	SW_EXPECT_EQ(o.timeout_ms, 300);
	SW_EXPECT_FALSE(o.verify_tls);
}

struct url_row {
	const char *name;
	const char *url;
	enum health_type type;
	const char *address;
	uint16_t port;
	const char *path;
};

static const struct url_row url_rows[] = {
	{"http", "http://a.example", HEALTH_HTTP, "a.example", 80, "/"},
	{"https_port", "https://a.example:8443/x/y?z=1&q=%20", HEALTH_HTTPS, "a.example", 8443,
		"/x/y?z=1&q=%20"},
	{"http_ipv4", "http://10.0.0.1:81/a/../b", HEALTH_HTTP, "10.0.0.1", 81, "/a/../b"},
	{"http_ipv6", "http://[2001:db8::1]/", HEALTH_HTTP, "2001:db8::1", 80, "/"},
	{"tcp_name", "tcp://a:25", HEALTH_TCP, "a", 25, ""},
	{"tcp_ipv6", "tcp://[::1]:6379", HEALTH_TCP, "::1", 6379, ""},
};

SW_TEST_TABLE(origin, url_gives_type_address_port_and_path, const struct url_row *row, url_rows)
{
	struct health_origin o;
	char error[128] = "";
	json_t *json = json_pack("{s:s}", "url", row->url);
	SW_EXPECT_EQ(health_origin_from_json("o", json, &o, error, sizeof(error)), 0);
	SW_EXPECT_STR(error, "");
	json_decref(json);
	SW_EXPECT_EQ(o.type, row->type);
	SW_EXPECT_STR(o.address, row->address);
	SW_EXPECT_EQ(o.port, row->port);
	SW_EXPECT_STR(o.path, row->path);
}

SW_TEST(origin, json_round_trips)
{
	static const char *const texts[] = {
		"{\"url\": \"tcp://10.0.0.1:25\", \"rise\": 100, \"fall\": 1}",
		"{\"url\": \"http://a:81/x?y\", \"host\": \"b.example\", \"expect_status\": 204, "
		"\"interval_ms\": 3600000, \"timeout_ms\": 3600000}",
		"{\"url\": \"https://[::1]/\", \"verify_tls\": false, \"expect_body\": "
		"\"caf\\u00e9\"}",
		"{\"type\": \"https\", \"address\": \"a\", \"interval_ms\": 100, \"timeout_ms\": "
		"10}",
		"{\"url\": \"http://a/\", \"expect_status\": \"200,204,300-399\", "
		"\"fast_interval_ms\": 1000, \"jitter_pct\": 0, \"maintenance\": \"new disks\"}",
		"{\"url\": \"http://a/\", \"expect_status\": \"200\", \"headers\": "
		"\"X-A:  1 \\nX-B:\", \"expect_headers\": {\"Server\": \"\"}}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct health_origin origin, again;
		char error[128] = "";
		parse(texts[i], &origin);
		json_t *json = health_origin_to_json(&origin);
		SW_ASSERT_TRUE(json != NULL);
		SW_EXPECT_EQ(
			health_origin_from_json(origin.name, json, &again, error, sizeof(error)),
			0);
		SW_EXPECT_STR(error, "");
		SW_EXPECT_MEM(&origin, &again, sizeof(origin));
		json_decref(json);
	}
}

SW_TEST(verdict, json_round_trips)
{
	struct health_verdict verdict = {HEALTH_DOWN, 1700000000123, 1700000001123, UINT32_MAX, 77,
		INT64_MAX, "connect to 10.1.0.7:80: connection refused"};
	struct health_verdict again;
	json_t *json = health_verdict_to_json(&verdict);
	SW_EXPECT_EQ(health_verdict_from_json(json, &again), 0);
	SW_EXPECT_MEM(&verdict, &again, sizeof(verdict));
	json_object_set_new(json, "from_the_future", json_true());
	SW_EXPECT_EQ(health_verdict_from_json(json, &again), 0);
	json_decref(json);
}

SW_TEST(verdict, error_that_is_no_utf8_still_becomes_json)
{
	struct health_verdict verdict = {.state = HEALTH_DOWN, .error = "caf\xc3"}, again;
	json_t *json = health_verdict_to_json(&verdict);
	SW_EXPECT_EQ(health_verdict_from_json(json, &again), 0);
	SW_EXPECT_STR(again.error, "caf?");
	json_decref(json);
}

static const char *const verdict_keys[] = {
	"state", "since_ms", "checked_ms", "latency_us", "checks", "error"};

SW_TEST(verdict, json_without_a_key_or_with_a_wrong_one_is_refused)
{
	const struct health_verdict verdict = {.state = HEALTH_UP};
	struct health_verdict again;
	for (size_t i = 0; i < sizeof(verdict_keys) / sizeof(verdict_keys[0]); i++) {
		json_t *json = health_verdict_to_json(&verdict);
		json_object_set_new(json, verdict_keys[i], json_true());
		SW_EXPECT_EQ(health_verdict_from_json(json, &again), -EINVAL);
		json_object_del(json, verdict_keys[i]);
		SW_EXPECT_EQ(health_verdict_from_json(json, &again), -EINVAL);
		json_decref(json);
	}
	json_t *json = health_verdict_to_json(&verdict);
	json_object_set_new(json, "state", json_string("sideways"));
	SW_EXPECT_EQ(health_verdict_from_json(json, &again), -EINVAL);
	json_object_set_new(json, "state", json_string("up"));
	json_object_set_new(json, "latency_us", json_integer(4294967296));
	SW_EXPECT_EQ(health_verdict_from_json(json, &again), -EINVAL);
	json_object_set_new(json, "latency_us", json_integer(-1));
	SW_EXPECT_EQ(health_verdict_from_json(json, &again), -EINVAL);
	json_decref(json);
	SW_EXPECT_EQ(health_verdict_from_json(NULL, &again), -EINVAL);
}

SW_TEST(verdict, latency_is_averaged_over_successes)
{
	struct health_origin origin = {.rise = 1, .fall = 1};
	struct health_verdict verdict = {0};
	uint32_t streak = 0;
	struct probe_result fast = {.ok = true, .latency_us = 800},
			    slow = {.ok = true, .latency_us = 1600},
			    failed = {.latency_us = 100000, .error = "why"};
	(void)verdict_take(&verdict, &streak, &origin, &fast, 1);
	SW_EXPECT_EQ(verdict.latency_avg_us, 800);
	(void)verdict_take(&verdict, &streak, &origin, &slow, 2);
	SW_EXPECT_EQ(verdict.latency_avg_us, 900);
	SW_EXPECT_EQ(verdict.latency_us, 1600);
	(void)verdict_take(&verdict, &streak, &origin, &failed, 3);
	SW_EXPECT_EQ(verdict.latency_avg_us, 900);
	for (int i = 0; i < 200; i++)
		(void)verdict_take(&verdict, &streak, &origin, &fast, 4);
	SW_EXPECT_LE(verdict.latency_avg_us, 807); /* integers: within an eighth of the step */
	SW_EXPECT_GE(verdict.latency_avg_us, 800);
}

SW_TEST(verdict, maintenance_ends_with_the_next_result)
{
	struct health_origin origin = {.rise = 5, .fall = 5, .maintenance = "new disks"};
	struct health_verdict verdict = {.state = HEALTH_UP, .checks = 9};
	struct probe_result failed = {.error = "why"};
	uint32_t streak = 0;
	SW_EXPECT_TRUE(verdict_rest(&verdict, &origin, 10));
	SW_EXPECT_FALSE(verdict_rest(&verdict, &origin, 11));
	SW_EXPECT_EQ(verdict.state, HEALTH_MAINTENANCE);
	SW_EXPECT_EQ(verdict.since_ms, 10);
	SW_EXPECT_EQ(verdict.checks, 9);
	SW_EXPECT_STR(verdict.error, "new disks");
	SW_EXPECT_TRUE(verdict_take(&verdict, &streak, &origin, &failed, 12));
	SW_EXPECT_EQ(verdict.state, HEALTH_DOWN);
}

struct sequence_row {
	const char *name;
	enum health_state first;
	uint32_t rise, fall;
	const char *results; /* + success, - failure */
	const char *states;  /* after each: u, d */
};

static const struct sequence_row sequence_rows[] = {
	{"first_success_makes_up", HEALTH_UNKNOWN, 2, 3, "+", "u"},
	{"first_failure_makes_down", HEALTH_UNKNOWN, 2, 3, "-", "d"},
	{"third_failure_in_a_row_makes_down", HEALTH_UP, 2, 3, "---", "uud"},
	{"success_starts_the_count_anew", HEALTH_UP, 2, 3, "--+--+---", "uuuuuuuud"},
	{"second_success_in_a_row_makes_up", HEALTH_DOWN, 2, 3, "++", "du"},
	{"failure_starts_the_count_anew", HEALTH_DOWN, 2, 3, "+-+-++", "dddddu"},
	{"one_is_enough_at_1", HEALTH_UP, 1, 1, "-+-+", "dudu"},
	{"there_and_back", HEALTH_UNKNOWN, 2, 3, "+---++---", "uuudduuud"},
};

SW_TEST_TABLE(verdict, rise_and_fall_hold_it, const struct sequence_row *row, sequence_rows)
{
	struct health_origin origin = {.rise = row->rise, .fall = row->fall};
	struct health_verdict verdict = {.state = row->first, .since_ms = 5};
	uint32_t streak = 0;
	uint64_t since_ms = 5;
	for (uint32_t i = 0; row->results[i]; i++) {
		bool ok = row->results[i] == '+';
		struct probe_result result = {.ok = ok, .latency_us = i};
		strcpy(result.error, ok ? "" : "why");
		enum health_state before = verdict.state;
		bool changed = verdict_take(&verdict, &streak, &origin, &result, 1000 + i);
		SW_EXPECT_EQ(verdict.state, row->states[i] == 'u' ? HEALTH_UP : HEALTH_DOWN);
		SW_EXPECT_EQ(changed, verdict.state != before);
		since_ms = changed ? 1000 + i : since_ms;
		SW_EXPECT_EQ(verdict.since_ms, since_ms);
		SW_EXPECT_EQ(verdict.checked_ms, 1000 + i);
		SW_EXPECT_EQ(verdict.latency_us, i);
		SW_EXPECT_EQ(verdict.checks, i + 1);
		SW_EXPECT_STR(verdict.error, ok ? "" : "why");
	}
}
