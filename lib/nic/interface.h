/* A kernel interface as the kernel shows it: asked before EAL starts, and once more at creation.
 * Control; blocks for a few short system calls. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"

struct interface {
	char name[16];
	unsigned ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	bool up;
	uint32_t queues; /* combined channels; 1 where the driver has none */
	bool addressed;
	struct sw_endpoint address; /* the wanted one, or the first of the family; port 0 */
	uint8_t prefix_len;
};

/* True if the endpoint says "any address": all zero, or 0.0.0.0. */
bool interface_address_is_any(const struct sw_endpoint *e);

/* `wanted`: the address to look for; any: the first of the family, link-local ones left out. 0 or
 * -errno with a message. An address that is missing is no error here: `addressed` is false. */
int interface_query(const char *name, const struct sw_endpoint *wanted, bool want_ipv6,
	struct interface *out, char *error);
