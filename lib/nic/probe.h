/* What each port of this machine offers: for `swimlane --probe`. Control, in a process of its own:
 * nic_probe_devices() configures devices without starting them, and leaves them closed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { NIC_OFFERS_MAX = 256 };

struct nic_offer {
	char name[64];     /* kernel interface, PCI address or virtual device */
	char driver[32];   /* the kernel's, or DPDK's */
	char family[32];   /* the driver file's; empty: none serves it */
	char kinds[32];    /* the values of port.kind that fit */
	char steering[64]; /* ways to take queues that were found to work */
	char refused[128]; /* and those that were not, with the reason */
	char keeps[16];    /* what the kernel keeps */
	char offloads[64];
	char take[400]; /* what to run before the start */
	uint32_t queues;
	uint32_t mtu;
	int numa_node; /* -1: unknown */
	bool up;
	bool default_route;
	bool interrupts;
};

/* Kernel interfaces. The number of offers written, at most `cap`. */
uint32_t nic_probe_interfaces(const char *drivers_dir, struct nic_offer *list, uint32_t cap);

/* DPDK's ports, after rte_eal_init(). */
uint32_t nic_probe_devices(const char *drivers_dir, struct nic_offer *list, uint32_t cap);

/* Takes off what a crashed swimlane left on a kernel interface. 1: it was there; 0: nothing to do;
 * -errno with a message in `error` (NIC_ERROR_MAX bytes): -EBUSY if a swimlane is running on it. */
int nic_release(const char *interface, char *error);
