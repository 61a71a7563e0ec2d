/* Driver files: how queues are taken from each family of NICs, as data.
 *
 * A file of drivers-config/ says for one family which DPDK drivers it serves, which ways of
 * steering to try, which offloads to use, how long the rings are, and what the driver needs
 * besides. All of them are built in; a file in a folder of the operator's that names the same
 * driver comes first. Control, before the lanes run.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum nic_access {
	NIC_ACCESS_BOUND,
	NIC_ACCESS_BIFURCATED,
	NIC_ACCESS_INTERFACE,
	NIC_ACCESS_VIRTUAL
};

enum nic_keeps { NIC_KEEPS_NOTHING, NIC_KEEPS_THE_REST, NIC_KEEPS_EVERYTHING };

enum nic_steering {
	NIC_STEER_ISOLATE,    /* flow rules beside the kernel (rte_flow_isolate) */
	NIC_STEER_FLOW_RULES, /* a rule that spreads our datagrams over the lanes, on an owned port
			       */
	NIC_STEER_XDP,        /* an XDP program redirects our datagrams */
	NIC_STEER_RSS,        /* the device spreads everything by a hash of its addresses */
	NIC_STEER_SOFTWARE,   /* as it comes; every lane sorts out what is not ours */
};

enum nic_offload { NIC_OFFLOAD_IPV4_CHECKSUM = 1, NIC_OFFLOAD_UDP_CHECKSUM = 2 };

enum nic_quirk {
	NIC_QUIRK_ALL_MULTICAST = 1, /* has no filter for single multicast groups */
	NIC_QUIRK_TX_PREPARE = 2,    /* wants to see frames whose sums it finishes first */
};

struct nic_driver {
	char *family;
	char *about;
	char **drivers;
	uint32_t drivers_count;
	char **kernel_drivers;
	uint32_t kernel_drivers_count;
	int access; /* enum nic_access */
	int kernel_keeps;
	int *steering; /* enum nic_steering, best first */
	uint32_t steering_count;
	uint32_t rx_offloads; /* of enum nic_offload */
	uint32_t tx_offloads;
	uint16_t rx_descriptors; /* 0: as the driver likes */
	uint16_t tx_descriptors;
	uint16_t mtu_max;
	bool rx_interrupts;
	uint32_t quirks;       /* of enum nic_quirk */
	uint32_t capabilities; /* 1 << CAP_…: kept while it runs */
	char *take;
	char *check;
};

/* A driver file from memory; `name` stands for it in messages. 0; or -errno with a message in
 * `error` (NIC_ERROR_MAX bytes). nic_driver_free() after success. */
int nic_driver_parse(const char *name, const char *text, struct nic_driver **out, char *error);
void nic_driver_free(struct nic_driver *driver);

/* The file that serves DPDK's driver `driver_name`: in `folder` (empty: none), then built in.
 * `from` (NIC_ERROR_MAX bytes) gets the file's name. -ENOENT: no file serves it. */
int nic_driver_find(const char *folder, const char *driver_name, struct nic_driver **out,
	char *from, char *error);
/* The same by the kernel's driver. */
int nic_driver_find_kernel(const char *folder, const char *kernel_driver, struct nic_driver **out,
	char *from, char *error);

const char *nic_steering_name(enum nic_steering steering);
const char *nic_keeps_name(enum nic_keeps keeps);
