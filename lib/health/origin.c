#include "health/health.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "health/expect.h"
#include "health/origin_text.h"

enum {
	INTERVAL_MS_MIN = 100,
	INTERVAL_MS_MAX = 3600000,
	INTERVAL_MS_DEFAULT = 5000,
	TIMEOUT_MS_MIN = 10,
	TIMEOUT_MS_DEFAULT = 1000,
	RISE_DEFAULT = 2,
	FALL_DEFAULT = 3,
	IN_A_ROW_MAX = 100,
	JITTER_PCT_DEFAULT = 10,
	JITTER_PCT_MAX = 50,
};

static const char *const type_names[] = {
	[HEALTH_TCP] = "tcp",
	[HEALTH_HTTP] = "http",
	[HEALTH_HTTPS] = "https",
};
static const uint16_t type_ports[] = {[HEALTH_TCP] = 0, [HEALTH_HTTP] = 80, [HEALTH_HTTPS] = 443};

static const char *const known_keys[] = {"url", "type", "address", "port", "path", "host",
	"interval_ms", "fast_interval_ms", "jitter_pct", "timeout_ms", "rise", "fall",
	"expect_status", "expect_body", "headers", "expect_headers", "verify_tls", "maintenance"};

static int check_keys(const struct parse *parse)
{
	const char *key;
	json_t *value;
	json_object_foreach(parse->json, key, value)
	{
		bool known = false;
		for (size_t i = 0; i < sizeof(known_keys) / sizeof(known_keys[0]) && !known; i++)
			known = strcmp(key, known_keys[i]) == 0;
		if (!known)
			return origin_refuse(parse, "%.64s: unknown key", key);
	}
	return 0;
}

static int get_port(
	const struct parse *parse, const char *key, uint32_t min, uint32_t max, uint16_t *port)
{
	uint32_t number = *port;
	int rc = origin_number(parse, key, min, max, &number);
	*port = (uint16_t)number;
	return rc;
}

static int type_of(const char *name, enum health_type *type)
{
	for (int i = HEALTH_TCP; i <= HEALTH_HTTPS; i++) {
		if (strcmp(name, type_names[i]) == 0) {
			*type = (enum health_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_host_name(const char *text)
{
	if (strlen(text) > 253 || !isalnum((unsigned char)text[0]))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
			return false;
	return true;
}

static bool is_address(const char *text)
{
	struct in6_addr addr;
	return is_host_name(text) || inet_pton(AF_INET6, text, &addr) == 1;
}

/* What could end a request line or be cut off by the URL's own grammar does not belong into a path.
 */
static bool is_path(const char *text)
{
	if (text[0] != '/')
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || *text == '#')
			return false;
	return true;
}

static int copy_part(CURLU *url, CURLUPart part, char *text, size_t cap)
{
	char *value = NULL;
	if (curl_url_get(url, part, &value, 0) != CURLUE_OK || strlen(value) >= cap) {
		curl_free(value);
		return -EINVAL;
	}
	snprintf(text, cap, "%s", value);
	curl_free(value);
	return 0;
}

static bool has_part(CURLU *url, CURLUPart part)
{
	char *value = NULL;
	CURLUcode code = curl_url_get(url, part, &value, 0);
	curl_free(value);
	return code == CURLUE_OK;
}

static int take_url_path(const struct parse *parse, CURLU *url, struct health_origin *origin)
{
	char query[sizeof(origin->path)];
	if (copy_part(url, CURLUPART_PATH, origin->path, sizeof(origin->path)) < 0)
		return origin_refuse(
			parse, "url: its path must be at most %zu bytes", sizeof(origin->path) - 1);
	if (has_part(url, CURLUPART_QUERY)) {
		size_t len = strlen(origin->path);
		size_t room = sizeof(origin->path) - len;
		if (copy_part(url, CURLUPART_QUERY, query, sizeof(query)) < 0 ||
			strlen(query) + 1 >= room)
			return origin_refuse(parse, "url: its path must be at most %zu bytes",
				sizeof(origin->path) - 1);
		origin->path[len] = '?';
		memcpy(origin->path + len + 1, query, strlen(query) + 1);
	}
	if (origin->type != HEALTH_TCP)
		return 0;
	if (strcmp(origin->path, "/") != 0 && origin->path[0])
		return origin_refuse(parse, "url: tcp has no path");
	origin->path[0] = '\0';
	return 0;
}

static int take_url_parts(const struct parse *parse, CURLU *url, struct health_origin *origin)
{
	char scheme[16], host[sizeof(origin->address) + 2], port[8];
	if (copy_part(url, CURLUPART_SCHEME, scheme, sizeof(scheme)) < 0 ||
		type_of(scheme, &origin->type) < 0)
		return origin_refuse(parse, "url: must begin with http://, https:// or tcp://");
	if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		return origin_refuse(parse, "url: must not hold a user or password");
	if (has_part(url, CURLUPART_FRAGMENT))
		return origin_refuse(parse, "url: must not hold a fragment (#)");
	if (copy_part(url, CURLUPART_HOST, host, sizeof(host)) < 0)
		return origin_refuse(parse, "url: holds no host, or a too long one");
	size_t len = strlen(host);
	bool bracketed = host[0] == '[' && host[len - 1] == ']';
	host[len - bracketed] = '\0';
	if (len - 2 * bracketed >= sizeof(origin->address))
		return origin_refuse(parse, "url: holds no host, or a too long one");
	memcpy(origin->address, host + bracketed, len - 2 * bracketed + 1);
	origin->port = type_ports[origin->type];
	if (copy_part(url, CURLUPART_PORT, port, sizeof(port)) == 0)
		origin->port = (uint16_t)strtoul(port, NULL, 10);
	if (!is_address(origin->address))
		return origin_refuse(parse, "url: its host is not a host name or IP address");
	if (origin->port == 0)
		return origin_refuse(parse, "url: must hold a port");
	int rc = take_url_path(parse, url, origin);
	if (rc == 0 && origin->type != HEALTH_TCP && !is_path(origin->path))
		return origin_refuse(
			parse, "url: its path must be printable ASCII without spaces or #");
	return rc;
}

static int get_url(const struct parse *parse, struct health_origin *origin)
{
	static const char *const excluded[] = {"type", "address", "port", "path"};
	for (size_t i = 0; i < sizeof(excluded) / sizeof(excluded[0]); i++)
		if (json_object_get(parse->json, excluded[i]))
			return origin_refuse(parse, "%s: is already said by url", excluded[i]);
	char text[1024] = "";
	int rc = origin_text(parse, "url", text, sizeof(text));
	if (rc < 0)
		return rc;
	CURLU *url = curl_url();
	if (!url)
		return origin_refuse(parse, "url: out of memory");
	CURLUcode code =
		curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS);
	if (code != CURLUE_OK)
		rc = origin_refuse(parse, "url: %s", curl_url_strerror(code));
	else
		rc = take_url_parts(parse, url, origin);
	curl_url_cleanup(url);
	return rc;
}

static int get_place(const struct parse *parse, struct health_origin *origin)
{
	if (json_object_get(parse->json, "url"))
		return get_url(parse, origin);
	char type[8] = "";
	int rc = origin_text(parse, "type", type, sizeof(type));
	if (rc < 0 || type_of(type, &origin->type) < 0)
		return origin_refuse(
			parse, "type: must be \"tcp\", \"http\" or \"https\" (or give a url)");
	rc = origin_text(parse, "address", origin->address, sizeof(origin->address));
	if (rc < 0)
		return rc;
	if (!is_address(origin->address))
		return origin_refuse(parse, "address: must be a host name or IP address");
	origin->port = type_ports[origin->type];
	rc = get_port(parse, "port", 1, UINT16_MAX, &origin->port);
	if (rc < 0)
		return rc;
	if (origin->port == 0)
		return origin_refuse(parse, "port: is missing");
	if (origin->type == HEALTH_TCP)
		return 0;
	strcpy(origin->path, "/");
	rc = origin_text(parse, "path", origin->path, sizeof(origin->path));
	if (rc == 0 && !is_path(origin->path))
		return origin_refuse(parse,
			"path: must begin with / and be printable ASCII without "
			"spaces or #");
	return rc;
}

/* A key that the type has no use for is a mistake of the writer, who would wait for its effect. */
static int check_useless(const struct parse *parse, enum health_type type)
{
	static const char *const http_keys[] = {
		"path", "host", "expect_status", "expect_body", "headers", "expect_headers"};
	for (size_t i = 0; type == HEALTH_TCP && i < sizeof(http_keys) / sizeof(http_keys[0]); i++)
		if (json_object_get(parse->json, http_keys[i]))
			return origin_refuse(parse, "%s: tcp has none", http_keys[i]);
	if (type != HEALTH_HTTPS && json_object_get(parse->json, "verify_tls"))
		return origin_refuse(parse, "verify_tls: only for https");
	return 0;
}

static int get_pace(const struct parse *parse, struct health_origin *origin)
{
	origin->interval_ms = INTERVAL_MS_DEFAULT;
	origin->rise = RISE_DEFAULT;
	origin->fall = FALL_DEFAULT;
	int rc = origin_number(
		parse, "interval_ms", INTERVAL_MS_MIN, INTERVAL_MS_MAX, &origin->interval_ms);
	if (rc < 0)
		return rc;
	origin->fast_interval_ms = origin->interval_ms;
	rc = origin_number(parse, "fast_interval_ms", INTERVAL_MS_MIN, origin->interval_ms,
		&origin->fast_interval_ms);
	if (rc < 0)
		return rc;
	origin->jitter_pct = JITTER_PCT_DEFAULT;
	rc = origin_number(parse, "jitter_pct", 0, JITTER_PCT_MAX, &origin->jitter_pct);
	if (rc < 0)
		return rc;
	origin->timeout_ms = TIMEOUT_MS_DEFAULT;
	if (origin->timeout_ms > origin->fast_interval_ms)
		origin->timeout_ms = origin->fast_interval_ms;
	rc = origin_number(
		parse, "timeout_ms", TIMEOUT_MS_MIN, origin->fast_interval_ms, &origin->timeout_ms);
	if (rc == 0)
		rc = origin_number(parse, "rise", 1, IN_A_ROW_MAX, &origin->rise);
	if (rc == 0)
		rc = origin_number(parse, "fall", 1, IN_A_ROW_MAX, &origin->fall);
	return rc;
}

static int get_expectations(const struct parse *parse, struct health_origin *origin)
{
	int rc = origin_text(parse, "host", origin->host, sizeof(origin->host));
	if (rc == 0 && origin->host[0] && !is_host_name(origin->host))
		rc = origin_refuse(parse, "host: must be a host name");
	if (rc == 0)
		rc = expect_status_from_json(parse, origin);
	if (rc == 0)
		rc = headers_from_json(parse, "headers", origin->headers);
	if (rc == 0)
		rc = headers_from_json(parse, "expect_headers", origin->expect_headers);
	if (rc == 0)
		rc = origin_text(
			parse, "maintenance", origin->maintenance, sizeof(origin->maintenance));
	if (rc == 0)
		rc = origin_text(
			parse, "expect_body", origin->expect_body, sizeof(origin->expect_body));
	json_t *verify_tls = json_object_get(parse->json, "verify_tls");
	if (rc == 0 && verify_tls && !json_is_boolean(verify_tls))
		rc = origin_refuse(parse, "verify_tls: must be true or false");
	origin->verify_tls = origin->type == HEALTH_HTTPS && !json_is_false(verify_tls);
	return rc;
}

bool health_is_name(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > HEALTH_NAME_MAX)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

int health_origin_from_json(
	const char *name, json_t *json, struct health_origin *origin, char *error, size_t error_len)
{
	const struct parse parse = {json, error, error_len};
	struct health_origin o = {0};
	if (!health_is_name(name))
		return origin_refuse(
			&parse, "name: must be 1 to %d letters, digits or ._-", HEALTH_NAME_MAX);
	if (!json_is_object(json))
		return origin_refuse(&parse, "origin: must be an object");
	strcpy(o.name, name);
	int rc = check_keys(&parse);
	if (rc == 0)
		rc = get_place(&parse, &o);
	if (rc == 0)
		rc = check_useless(&parse, o.type);
	if (rc == 0)
		rc = get_pace(&parse, &o);
	if (rc == 0)
		rc = get_expectations(&parse, &o);
	if (rc == 0)
		*origin = o;
	return rc;
}

static int set_text(json_t *json, const char *key, const char *text)
{
	return text[0] ? json_object_set_new(json, key, json_string(text)) : 0;
}

json_t *health_origin_to_json(const struct health_origin *o)
{
	json_t *json = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "type",
		type_names[o->type], "address", o->address, "port", (int)o->port, "interval_ms",
		(int)o->interval_ms, "fast_interval_ms", (int)o->fast_interval_ms, "jitter_pct",
		(int)o->jitter_pct, "timeout_ms", (int)o->timeout_ms, "rise", (int)o->rise, "fall",
		(int)o->fall);
	if (!json)
		return NULL;
	int failed = set_text(json, "maintenance", o->maintenance);
	if (o->type != HEALTH_TCP) {
		failed |= json_object_set_new(json, "path", json_string(o->path));
		failed |= set_text(json, "host", o->host);
		failed |= json_object_set_new(json, "expect_status", expect_status_to_json(o));
		failed |= set_text(json, "expect_body", o->expect_body);
		failed |= headers_to_json(json, "headers", o->headers);
		failed |= headers_to_json(json, "expect_headers", o->expect_headers);
	}
	if (o->type == HEALTH_HTTPS)
		failed |= json_object_set_new(json, "verify_tls", json_boolean(o->verify_tls));
	if (failed) {
		json_decref(json);
		return NULL;
	}
	return json;
}

bool health_origin_equal(const struct health_origin *a, const struct health_origin *b)
{
	return a->type == b->type && a->port == b->port && a->interval_ms == b->interval_ms &&
	       a->fast_interval_ms == b->fast_interval_ms && a->jitter_pct == b->jitter_pct &&
	       a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall &&
	       a->verify_tls == b->verify_tls && expect_status_equal(a, b) &&
	       strcmp(a->address, b->address) == 0 && strcmp(a->path, b->path) == 0 &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->expect_body, b->expect_body) == 0 &&
	       strcmp(a->headers, b->headers) == 0 &&
	       strcmp(a->expect_headers, b->expect_headers) == 0 &&
	       strcmp(a->maintenance, b->maintenance) == 0;
}

uint64_t health_refresh_ms(uint32_t interval_ms, uint32_t refresh_ms)
{
	if (refresh_ms == 0)
		refresh_ms = HEALTH_REFRESH_MS;
	return refresh_ms > interval_ms ? refresh_ms : interval_ms;
}

uint64_t health_stale_after_ms(uint32_t interval_ms, uint32_t refresh_ms)
{
	return 3 * health_refresh_ms(interval_ms, refresh_ms);
}
