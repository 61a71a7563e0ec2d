#include "health/probe_error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "health/expect.h"

__attribute__((format(printf, 2, 3))) static void fail(
	struct probe_result *result, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(result->error, sizeof(result->error), format, args);
	va_end(args);
	for (char *c = result->error; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	result->ok = false;
}

static const char *without_prefix(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(text, prefix, len) == 0 ? text + len : text;
}

/* "1,000": a timeout is an hour at most. */
static const char *in_thousands(uint32_t number, char text[16])
{
	if (number < 1000)
		snprintf(text, 16, "%u", number);
	else if (number < 1000000)
		snprintf(text, 16, "%u,%03u", number / 1000, number % 1000);
	else
		snprintf(text, 16, "%u,%03u,%03u", number / 1000000, number / 1000 % 1000,
			number % 1000);
	return text;
}

/* "10.1.0.7:80", "[2001:db8::1]:80" */
static const char *place_of(const struct health_origin *origin, char text[300])
{
	const char *format = strchr(origin->address, ':') ? "[%s]:%u" : "%s:%u";
	snprintf(text, 300, format, origin->address, origin->port);
	return text;
}

static const char *errno_words(int number, char text[96])
{
	char buffer[96];
	snprintf(text, 96, "%s", strerror_r(number, buffer, sizeof(buffer)));
	text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

static bool is_own_shortage(int number)
{
	return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM ||
	       number == EADDRNOTAVAIL;
}

static curl_off_t time_of(CURL *easy, CURLINFO info)
{
	curl_off_t us = 0;
	curl_easy_getinfo(easy, info, &us);
	return us;
}

static void fail_timeout(const struct health_origin *origin, const struct probe_end *end,
	long status, struct probe_result *result)
{
	char ms[16], place[300];
	long local_port =
		0; /* known once TCP is connected; libcurl's connect time only after TLS */
	curl_easy_getinfo(end->easy, CURLINFO_LOCAL_PORT, &local_port);
	in_thousands(origin->timeout_ms, ms);
	place_of(origin, place);
	if (time_of(end->easy, CURLINFO_NAMELOOKUP_TIME_T) == 0)
		fail(result, "resolve %s: no answer within %s ms", origin->address, ms);
	else if (local_port == 0)
		fail(result, "connect to %s: no answer within %s ms", place, ms);
	else if (origin->type == HEALTH_HTTPS &&
		 time_of(end->easy, CURLINFO_APPCONNECT_TIME_T) == 0)
		fail(result, "tls: no answer within %s ms", ms);
	else if (status == 0)
		fail(result, "no answer within %s ms", ms);
	else
		fail(result, "answer not complete within %s ms", ms);
}

static void fail_connect(const struct health_origin *origin, const struct probe_end *end,
	struct probe_result *result)
{
	char place[300], words[96];
	long number = 0;
	curl_easy_getinfo(end->easy, CURLINFO_OS_ERRNO, &number);
	if (end->socket_errno)
		number = end->socket_errno;
	result->unjudged = is_own_shortage((int)number);
	place_of(origin, place);
	if (number)
		fail(result, "connect to %s: %s", place, errno_words((int)number, words));
	else
		fail(result, "connect to %s: failed", place);
}

static void fail_transfer(const struct health_origin *origin, const struct probe_end *end,
	long status, struct probe_result *result)
{
	const char *words, *detail = end->detail[0] ? end->detail : curl_easy_strerror(end->code);
	switch (end->code) {
	case CURLE_OPERATION_TIMEDOUT: fail_timeout(origin, end, status, result); break;
	case CURLE_COULDNT_CONNECT: fail_connect(origin, end, result); break;
	case CURLE_COULDNT_RESOLVE_HOST:
		fail(result, "resolve %s: no such host, or no resolver", origin->address);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		detail = without_prefix(detail, "SSL certificate problem: ");
		fail(result, "certificate: %s", without_prefix(detail, "SSL: "));
		break;
	case CURLE_SSL_CONNECT_ERROR:
		/* "OpenSSL/3.0: error:0A00010B:SSL routines::wrong version number" */
		words = strstr(detail, "::");
		fail(result, "tls: %s", words ? words + 2 : detail);
		break;
	case CURLE_GOT_NOTHING: fail(result, "connection closed without an answer"); break;
	case CURLE_PARTIAL_FILE: fail(result, "connection closed before the answer's end"); break;
	case CURLE_SSL_CACERT_BADFILE:
		result->unjudged = true;
		fail(result, "trusted certificates: cannot be read");
		break;
	case CURLE_OUT_OF_MEMORY:
		result->unjudged = true;
		fail(result, "out of memory");
		break;
	default: fail(result, "%s", detail); break;
	}
}

static void fail_status(
	const struct health_origin *origin, long status, struct probe_result *result)
{
	char expected[HEALTH_STATUS_RANGES_MAX * 12];
	expect_status_words(origin, expected, sizeof(expected));
	fail(result, "status %ld, expected %s", status, expected);
}

static void fail_header(
	const struct health_origin *origin, uint32_t missing, struct probe_result *result)
{
	char name[HEALTH_HEADERS_BYTES], value[HEALTH_HEADERS_BYTES];
	size_t at = 0;
	uint32_t i = 0;
	while (headers_next(origin->expect_headers, &at, name, value) && !(missing >> i & 1))
		i++;
	if (value[0])
		fail(result, "header %.60s does not contain \"%.120s\"", name, value);
	else
		fail(result, "header %.60s is missing", name);
}

void probe_judge(const struct health_origin *origin, const struct probe_end *end,
	struct probe_result *result)
{
	long status = 0;
	bool http = origin->type != HEALTH_TCP;
	*result = (struct probe_result){.ok = true};
	result->latency_us = (uint32_t)time_of(end->easy, CURLINFO_TOTAL_TIME_T);
	if (http)
		curl_easy_getinfo(end->easy, CURLINFO_RESPONSE_CODE, &status);
	/* A wrong status says more than how the rest of that answer ended. */
	if (http && status >= 200 && !expect_status_has(origin, status))
		fail_status(origin, status, result);
	else if (end->code != CURLE_OK && !end->body_cut)
		fail_transfer(origin, end, status, result);
	else if (http && end->headers_missing)
		fail_header(origin, end->headers_missing, result);
	else if (http && origin->expect_body[0] && !end->body_found)
		fail(result, "body does not contain \"%s\"", origin->expect_body);
}
