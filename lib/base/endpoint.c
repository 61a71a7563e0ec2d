#include "base/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || v == 0 || v > 65535)
		return -EINVAL;
	*port = (uint16_t)v;
	return 0;
}

struct sw_endpoint sw_endpoint_from_ipv4(uint32_t addr_be, uint16_t port)
{
	struct sw_endpoint e = {.port = port};
	e.addr[10] = 0xff;
	e.addr[11] = 0xff;
	memcpy(e.addr + 12, &addr_be, sizeof(addr_be));
	return e;
}

int sw_endpoint_parse(const char *text, uint16_t port_default, struct sw_endpoint *out)
{
	char host[SW_ENDPOINT_TEXT_MAX];
	const char *host_at = text;
	const char *port_at = NULL;
	size_t host_len = strlen(text);

	if (text[0] == '[') {
		const char *close = strchr(text, ']');
		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return -EINVAL;
		host_at = text + 1;
		host_len = (size_t)(close - host_at);
		port_at = close[1] == ':' ? close + 2 : NULL;
	} else {
		const char *colon = strchr(text, ':');
		if (colon != NULL && strchr(colon + 1, ':') == NULL) {
			host_len = (size_t)(colon - text);
			port_at = colon + 1;
		}
	}
	if (host_len == 0 || host_len >= sizeof(host))
		return -EINVAL;
	memcpy(host, host_at, host_len);
	host[host_len] = '\0';

	uint16_t port = port_default;
	if (port_at != NULL && parse_port(port_at, &port) < 0)
		return -EINVAL;

	uint32_t v4;
	if (inet_pton(AF_INET, host, &v4) == 1) {
		*out = sw_endpoint_from_ipv4(v4, port);
		return 0;
	}
	struct sw_endpoint e = {.port = port};
	if (inet_pton(AF_INET6, host, e.addr) != 1)
		return -EINVAL;
	*out = e;
	return 0;
}

char *sw_endpoint_format_addr(const struct sw_endpoint *e, char *text)
{
	if (sw_endpoint_is_ipv4(e))
		inet_ntop(AF_INET, e->addr + 12, text, SW_ENDPOINT_TEXT_MAX);
	else
		inet_ntop(AF_INET6, e->addr, text, SW_ENDPOINT_TEXT_MAX);
	return text;
}

char *sw_endpoint_format(const struct sw_endpoint *e, char *text)
{
	char addr[SW_ENDPOINT_TEXT_MAX];
	const char *form = sw_endpoint_is_ipv4(e) ? "%s:%u" : "[%s]:%u";
	sw_endpoint_format_addr(e, addr);
	/* 45 bytes of address at most, brackets, colon and port: below 64. */
	(void)snprintf(text, SW_ENDPOINT_TEXT_MAX, form, addr, e->port);
	return text;
}
