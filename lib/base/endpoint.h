/* A UDP endpoint: an IPv6 address (IPv4 as ::ffff:a.b.c.d) and a port. Pure; any core. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sw_endpoint {
	uint8_t addr[16]; /* network order */
	uint16_t port;    /* host order */
};

enum { SW_ENDPOINT_TEXT_MAX = 64 };

/* "10.0.0.1:7946", "[2001:db8::1]:7946", or without a port (then port_default). 0 or -EINVAL. */
int sw_endpoint_parse(const char *text, uint16_t port_default, struct sw_endpoint *out);

/* Writes the text form into `text` (SW_ENDPOINT_TEXT_MAX bytes) and returns it. */
char *sw_endpoint_format(const struct sw_endpoint *e, char *text);

/* The address alone, without the port. */
char *sw_endpoint_format_addr(const struct sw_endpoint *e, char *text);

struct sw_endpoint sw_endpoint_from_ipv4(uint32_t addr_be, uint16_t port);

static inline bool sw_endpoint_is_ipv4(const struct sw_endpoint *e)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return memcmp(e->addr, mapped, sizeof(mapped)) == 0;
}

/* The IPv4 address in network order; only if sw_endpoint_is_ipv4(). */
static inline uint32_t sw_endpoint_ipv4(const struct sw_endpoint *e)
{
	uint32_t a;
	memcpy(&a, e->addr + 12, sizeof(a));
	return a;
}

static inline bool sw_endpoint_same_addr(const struct sw_endpoint *a, const struct sw_endpoint *b)
{
	return memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static inline bool sw_endpoint_equal(const struct sw_endpoint *a, const struct sw_endpoint *b)
{
	return sw_endpoint_same_addr(a, b) && a->port == b->port;
}
