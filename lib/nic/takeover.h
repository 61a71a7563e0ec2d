/* What the kernel would lose: the interfaces behind a device, and whether the default route leads
 * over one. Control; reads /sys and /proc. */
#pragma once

#include <stdbool.h>

#include "nic/nic.h"

/* Does a default route, IPv4 or IPv6, lead over this kernel interface? `proc_net` is /proc/self/net
 * but in tests. */
bool takeover_has_default_route(const char *proc_net, const char *interface);

/* The kernel interface behind a PCI device; false: none, as of one bound to vfio-pci. `name` has 16
 * bytes. */
bool takeover_pci_interface(const char *pci_address, char *name);

/* Writes EAL arguments that show it those PCI NICs alone that are given to it (vfio-pci, uio, mlx's
 * own drivers): looking at one that the kernel uses could disturb it. The number written. */
int takeover_bound_devices(char (*args)[NIC_ERROR_MAX], int cap);

/* The NUMA node of the device behind this port, known before EAL starts; -1: unknown or none. `sys`
 * is /sys but in tests. */
int takeover_numa_node(const char *sys, const struct nic_config *config);

/* The value of `key` among a vdev's arguments, as iface=… ; false: absent or longer than `cap`. */
bool takeover_argument(const char *arguments, const char *key, char *value, unsigned cap);

/* An owned port must not be what the server is reached by, unless it was told to be. A device whose
 * kernel driver stays (mlx5) takes nothing by being probed: it is let through until it is known
 * that the `whole` port would be taken. 0 or -EPERM with a message. */
int takeover_check(const struct nic_config *config, bool whole, char *error);
