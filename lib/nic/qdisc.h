/* Inside of lib/nic: whether the kernel has a queue in front of an interface. Control; blocks for a
 * few short system calls. */
#pragma once

#include <stdbool.h>

/* The interface hands what is sent to its driver at once, as veth does unless told otherwise. What
 * such a driver drops AF_PACKET tries again, for ever, before anything that is behind it: packets
 * that the other end may not take must not be sent there. */
bool qdisc_is_none(unsigned ifindex);
