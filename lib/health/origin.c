#include "health/health.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

enum {
	INTERVAL_MS_MIN = 100,
	INTERVAL_MS_MAX = 3600000,
	INTERVAL_MS_DEFAULT = 5000,
	TIMEOUT_MS_MIN = 10,
	TIMEOUT_MS_DEFAULT = 1000,
	RISE_DEFAULT = 2,
	FALL_DEFAULT = 3,
	IN_A_ROW_MAX = 100,
};

struct parse {
	json_t *json;
	char *error;
	size_t error_len;
};

static const char *const type_names[] = {
	[HEALTH_TCP] = "tcp",
	[HEALTH_HTTP] = "http",
	[HEALTH_HTTPS] = "https",
};
static const uint16_t type_ports[] = {[HEALTH_TCP] = 0, [HEALTH_HTTP] = 80, [HEALTH_HTTPS] = 443};

static const char *const known_keys[] = {"url", "type", "address", "port", "path", "host",
	"interval_ms", "timeout_ms", "rise", "fall", "expect_status", "expect_body", "verify_tls"};

__attribute__((format(printf, 2, 3))) static int refuse(
	const struct parse *parse, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(parse->error, parse->error_len, format, args);
	va_end(args);
	return -EINVAL;
}

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
			return refuse(parse, "%.64s: unknown key", key);
	}
	return 0;
}

/* An absent key leaves what is there. */
static int get_text(const struct parse *parse, const char *key, char *text, size_t cap)
{
	json_t *field = json_object_get(parse->json, key);
	if (!field)
		return 0;
	if (!json_is_string(field))
		return refuse(parse, "%s: must be a text", key);
	size_t len = json_string_length(field);
	if (len >= cap || strlen(json_string_value(field)) != len)
		return refuse(parse, "%s: must be at most %zu bytes, none of them 0", key, cap - 1);
	memcpy(text, json_string_value(field), len + 1);
	return 0;
}

static int get_number(
	const struct parse *parse, const char *key, uint32_t min, uint32_t max, uint32_t *number)
{
	json_t *field = json_object_get(parse->json, key);
	if (!field)
		return 0;
	json_int_t value = json_integer_value(field);
	if (!json_is_integer(field) || value < min || value > max)
		return refuse(parse, "%s: must be a number from %u to %u", key, min, max);
	*number = (uint32_t)value;
	return 0;
}

static int get_port(
	const struct parse *parse, const char *key, uint32_t min, uint32_t max, uint16_t *port)
{
	uint32_t number = *port;
	int rc = get_number(parse, key, min, max, &number);
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
		return refuse(
			parse, "url: its path must be at most %zu bytes", sizeof(origin->path) - 1);
	if (has_part(url, CURLUPART_QUERY)) {
		size_t len = strlen(origin->path);
		size_t room = sizeof(origin->path) - len;
		if (copy_part(url, CURLUPART_QUERY, query, sizeof(query)) < 0 ||
			strlen(query) + 1 >= room)
			return refuse(parse, "url: its path must be at most %zu bytes",
				sizeof(origin->path) - 1);
		origin->path[len] = '?';
		memcpy(origin->path + len + 1, query, strlen(query) + 1);
	}
	if (origin->type != HEALTH_TCP)
		return 0;
	if (strcmp(origin->path, "/") != 0 && origin->path[0])
		return refuse(parse, "url: tcp has no path");
	origin->path[0] = '\0';
	return 0;
}

static int take_url_parts(const struct parse *parse, CURLU *url, struct health_origin *origin)
{
	char scheme[16], host[sizeof(origin->address) + 2], port[8];
	if (copy_part(url, CURLUPART_SCHEME, scheme, sizeof(scheme)) < 0 ||
		type_of(scheme, &origin->type) < 0)
		return refuse(parse, "url: must begin with http://, https:// or tcp://");
	if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		return refuse(parse, "url: must not hold a user or password");
	if (has_part(url, CURLUPART_FRAGMENT))
		return refuse(parse, "url: must not hold a fragment (#)");
	if (copy_part(url, CURLUPART_HOST, host, sizeof(host)) < 0)
		return refuse(parse, "url: holds no host, or a too long one");
	size_t len = strlen(host);
	bool bracketed = host[0] == '[' && host[len - 1] == ']';
	host[len - bracketed] = '\0';
	if (len - 2 * bracketed >= sizeof(origin->address))
		return refuse(parse, "url: holds no host, or a too long one");
	memcpy(origin->address, host + bracketed, len - 2 * bracketed + 1);
	origin->port = type_ports[origin->type];
	if (copy_part(url, CURLUPART_PORT, port, sizeof(port)) == 0)
		origin->port = (uint16_t)strtoul(port, NULL, 10);
	if (!is_address(origin->address))
		return refuse(parse, "url: its host is not a host name or IP address");
	if (origin->port == 0)
		return refuse(parse, "url: must hold a port");
	int rc = take_url_path(parse, url, origin);
	if (rc == 0 && origin->type != HEALTH_TCP && !is_path(origin->path))
		return refuse(parse, "url: its path must be printable ASCII without spaces or #");
	return rc;
}

static int get_url(const struct parse *parse, struct health_origin *origin)
{
	static const char *const excluded[] = {"type", "address", "port", "path"};
	for (size_t i = 0; i < sizeof(excluded) / sizeof(excluded[0]); i++)
		if (json_object_get(parse->json, excluded[i]))
			return refuse(parse, "%s: is already said by url", excluded[i]);
	char text[1024] = "";
	int rc = get_text(parse, "url", text, sizeof(text));
	if (rc < 0)
		return rc;
	CURLU *url = curl_url();
	if (!url)
		return refuse(parse, "url: out of memory");
	CURLUcode code =
		curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS);
	if (code != CURLUE_OK)
		rc = refuse(parse, "url: %s", curl_url_strerror(code));
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
	int rc = get_text(parse, "type", type, sizeof(type));
	if (rc < 0 || type_of(type, &origin->type) < 0)
		return refuse(
			parse, "type: must be \"tcp\", \"http\" or \"https\" (or give a url)");
	rc = get_text(parse, "address", origin->address, sizeof(origin->address));
	if (rc < 0)
		return rc;
	if (!is_address(origin->address))
		return refuse(parse, "address: must be a host name or IP address");
	origin->port = type_ports[origin->type];
	rc = get_port(parse, "port", 1, UINT16_MAX, &origin->port);
	if (rc < 0)
		return rc;
	if (origin->port == 0)
		return refuse(parse, "port: is missing");
	if (origin->type == HEALTH_TCP)
		return 0;
	strcpy(origin->path, "/");
	rc = get_text(parse, "path", origin->path, sizeof(origin->path));
	if (rc == 0 && !is_path(origin->path))
		return refuse(parse, "path: must begin with / and be printable ASCII without "
				     "spaces or #");
	return rc;
}

/* A key that the type has no use for is a mistake of the writer, who would wait for its effect. */
static int check_useless(const struct parse *parse, enum health_type type)
{
	static const char *const http_keys[] = {"path", "host", "expect_status", "expect_body"};
	for (size_t i = 0; type == HEALTH_TCP && i < sizeof(http_keys) / sizeof(http_keys[0]); i++)
		if (json_object_get(parse->json, http_keys[i]))
			return refuse(parse, "%s: tcp has none", http_keys[i]);
	if (type != HEALTH_HTTPS && json_object_get(parse->json, "verify_tls"))
		return refuse(parse, "verify_tls: only for https");
	return 0;
}

static int get_pace(const struct parse *parse, struct health_origin *origin)
{
	origin->interval_ms = INTERVAL_MS_DEFAULT;
	origin->rise = RISE_DEFAULT;
	origin->fall = FALL_DEFAULT;
	int rc = get_number(
		parse, "interval_ms", INTERVAL_MS_MIN, INTERVAL_MS_MAX, &origin->interval_ms);
	if (rc < 0)
		return rc;
	origin->timeout_ms = TIMEOUT_MS_DEFAULT;
	if (origin->timeout_ms > origin->interval_ms)
		origin->timeout_ms = origin->interval_ms;
	rc = get_number(
		parse, "timeout_ms", TIMEOUT_MS_MIN, origin->interval_ms, &origin->timeout_ms);
	if (rc == 0)
		rc = get_number(parse, "rise", 1, IN_A_ROW_MAX, &origin->rise);
	if (rc == 0)
		rc = get_number(parse, "fall", 1, IN_A_ROW_MAX, &origin->fall);
	return rc;
}

static int get_expectations(const struct parse *parse, struct health_origin *origin)
{
	int rc = get_text(parse, "host", origin->host, sizeof(origin->host));
	if (rc == 0 && origin->host[0] && !is_host_name(origin->host))
		rc = refuse(parse, "host: must be a host name");
	if (rc == 0)
		rc = get_port(parse, "expect_status", 0, 599, &origin->expect_status);
	if (rc == 0 && origin->expect_status > 0 && origin->expect_status < 200)
		rc = refuse(parse, "expect_status: must be 0 (any 2xx or 3xx) or 200 to 599");
	if (rc == 0)
		rc = get_text(
			parse, "expect_body", origin->expect_body, sizeof(origin->expect_body));
	json_t *verify_tls = json_object_get(parse->json, "verify_tls");
	if (rc == 0 && verify_tls && !json_is_boolean(verify_tls))
		rc = refuse(parse, "verify_tls: must be true or false");
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
		return refuse(
			&parse, "name: must be 1 to %d letters, digits or ._-", HEALTH_NAME_MAX);
	if (!json_is_object(json))
		return refuse(&parse, "origin: must be an object");
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

json_t *health_origin_to_json(const struct health_origin *o)
{
	json_t *json = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i}", "type", type_names[o->type],
		"address", o->address, "port", (int)o->port, "interval_ms", (int)o->interval_ms,
		"timeout_ms", (int)o->timeout_ms, "rise", (int)o->rise, "fall", (int)o->fall);
	if (!json || o->type == HEALTH_TCP)
		return json;
	int failed = json_object_set_new(json, "path", json_string(o->path));
	if (o->host[0])
		failed |= json_object_set_new(json, "host", json_string(o->host));
	failed |= json_object_set_new(json, "expect_status", json_integer(o->expect_status));
	if (o->expect_body[0])
		failed |= json_object_set_new(json, "expect_body", json_string(o->expect_body));
	if (o->type == HEALTH_HTTPS)
		failed |= json_object_set_new(json, "verify_tls", json_boolean(o->verify_tls));
	if (failed) {
		json_decref(json);
		return NULL;
	}
	return json;
}
