/* Shared ports: the kernel's routes and neighbours of the peers that are wanted (rtnetlink, RFC
 * 3549).
 *
 * One non-blocking socket, opened once. Each peer's way is looked up as the kernel would send to
 * it, and its next hop's MAC is followed through notifications; what the kernel does not know it is
 * asked to resolve (NTF_USE), so that it does its own ARP and keeps its own timers. Control only.
 */
#pragma once

#include <stdint.h>

#include "base/endpoint.h"

struct netlink;
struct nic_port;

/* 0 or -errno with a message. */
int netlink_create(struct nic_port *port, struct netlink **out, char *error);
void netlink_destroy(struct netlink *nl);

/* Idempotent. 0; -ENOSPC. Its way is looked up at the next tick. */
int netlink_want(struct netlink *nl, const uint8_t addr[16]);

void netlink_tick(struct netlink *nl, uint64_t now_ns);
