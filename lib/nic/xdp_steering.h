/* What the XDP program is told, and how it is told: the constants are patched into a copy of the
 * compiled object before it is loaded, found by their magic. A map would need CAP_SYS_ADMIN to be
 * found again once the driver has loaded the program. Shared with drivers-config/xdp_lane.bpf.c.
 */
#pragma once

#include <linux/types.h>

#define XDP_STEERING_MAGIC 0x656e616c6d697773ULL /* "swimlane" */
#define XDP_STEERING_PROGRAM                                                                       \
	"swimlane_lane"         /* the program's name in the kernel, 15 bytes at most */
#define XDP_STEERING_QUEUES 256 /* of an interface: entries of xsks_map */

struct xdp_steering {
	__u64 magic;
	__u8 addr[16]; /* own address, network order; IPv4 as ::ffff:a.b.c.d */
	__be16 port;   /* own UDP port */
	__u8 unused[6];
};
