#include "nic/takeover.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nic/port.h"

enum { LINE_MAX_BYTES = 512, RTF_UP_FLAG = 1, RTF_REJECT_FLAG = 0x200 };

/* Columns of /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask … */
static bool is_default4(const char *line, const char *interface)
{
	char name[IFNAMSIZ + 1];
	unsigned destination, gateway, flags, mask;
	if (sscanf(line, "%16s %x %x %x %*d %*d %*d %x", name, &destination, &gateway, &flags,
		    &mask) != 5)
		return false;
	return destination == 0 && mask == 0 && (flags & RTF_UP_FLAG) != 0 &&
	       strcmp(name, interface) == 0;
}

/* Columns of /proc/net/ipv6_route: destination prefix source prefix gateway metric refs use flags
 * name, all in hexadecimal. */
static bool is_default6(const char *line, const char *interface)
{
	char name[IFNAMSIZ + 1], destination[33];
	unsigned prefix, flags;
	if (sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %x %16s", destination, &prefix, &flags,
		    name) != 4)
		return false;
	return prefix == 0 && strspn(destination, "0") == 32 && (flags & RTF_UP_FLAG) != 0 &&
	       (flags & RTF_REJECT_FLAG) == 0 && strcmp(name, interface) == 0;
}

static bool any_line(const char *proc_net, const char *file, const char *interface,
	bool (*is_default)(const char *line, const char *interface))
{
	char path[256], line[LINE_MAX_BYTES];
	bool found = false;
	(void)snprintf(path, sizeof(path), "%s/%s", proc_net, file);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false; /* a kernel without that family */
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = is_default(line, interface);
	(void)fclose(f);
	return found;
}

bool takeover_has_default_route(const char *proc_net, const char *interface)
{
	return any_line(proc_net, "route", interface, is_default4) ||
	       any_line(proc_net, "ipv6_route", interface, is_default6);
}

bool takeover_pci_interface(const char *pci_address, char *name)
{
	char path[256];
	bool found = false;
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.63s/net", pci_address);
	DIR *folder = opendir(path);
	if (folder == NULL)
		return false;
	for (const struct dirent *d; !found && (d = readdir(folder)) != NULL;) {
		if (d->d_name[0] == '.')
			continue;
		(void)snprintf(name, IFNAMSIZ, "%.15s", d->d_name);
		found = true;
	}
	(void)closedir(folder);
	return found;
}

int takeover_numa_node(const char *sys, const struct nic_config *config)
{
	char path[256] = "", name[IFNAMSIZ];
	int node = -1;
	if (config->kind == NIC_PCI)
		(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%.63s/numa_node", sys,
			config->interface);
	else if (nic_kind_is_shared(config->kind))
		(void)snprintf(path, sizeof(path), "%s/class/net/%.15s/device/numa_node", sys,
			config->interface);
	else if (config->kind == NIC_VDEV &&
		 takeover_argument(config->interface, "iface", name, sizeof(name)))
		(void)snprintf(path, sizeof(path), "%s/class/net/%s/device/numa_node", sys, name);
	FILE *f = path[0] != '\0' ? fopen(path, "re") : NULL;
	if (f == NULL)
		return -1;
	if (fscanf(f, "%d", &node) != 1)
		node = -1;
	(void)fclose(f);
	return node;
}

static bool is_ours_to_probe(const char *pci_address)
{
	static const char *const given[] = {
		"vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core", "mlx4_core"};
	char path[128], driver[128];
	unsigned class = 0;
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.63s/class", pci_address);
	FILE *f = fopen(path, "re");
	bool is_nic = f != NULL && fscanf(f, "%x", &class) == 1 && class >> 16 == 0x02;
	if (f != NULL)
		(void)fclose(f);
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.63s/driver", pci_address);
	ssize_t len = is_nic ? readlink(path, driver, sizeof(driver) - 1) : -1;
	if (len <= 0)
		return false;
	driver[len] = '\0';
	const char *slash = strrchr(driver, '/');
	for (unsigned i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (strcmp(slash != NULL ? slash + 1 : driver, given[i]) == 0)
			return true;
	return false;
}

int takeover_bound_devices(char (*args)[NIC_ERROR_MAX], int cap)
{
	int count = 0;
	DIR *folder = opendir("/sys/bus/pci/devices");
	for (const struct dirent *d;
		folder != NULL && count < cap && (d = readdir(folder)) != NULL;)
		if (d->d_name[0] != '.' && is_ours_to_probe(d->d_name))
			(void)snprintf(args[count++], NIC_ERROR_MAX, "--allow=%.63s", d->d_name);
	if (folder != NULL)
		(void)closedir(folder);
	if (count == 0 && cap > 0)
		(void)snprintf(args[count++], NIC_ERROR_MAX, "--no-pci");
	return count;
}

bool takeover_argument(const char *arguments, const char *key, char *value, unsigned cap)
{
	size_t key_len = strlen(key);
	const char *at = strchr(arguments, ',');
	for (; at != NULL; at = strchr(at, ',')) {
		at++;
		size_t len = strcspn(at, ",");
		if (strncmp(at, key, key_len) != 0 || at[key_len] != '=')
			continue;
		len -= key_len + 1;
		if (len >= cap)
			return false;
		memcpy(value, at + key_len + 1, len);
		value[len] = '\0';
		return true;
	}
	return false;
}

static bool driver_stays(const char *pci_address)
{
	char path[128], driver[128];
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.63s/driver", pci_address);
	ssize_t len = readlink(path, driver, sizeof(driver) - 1);
	driver[len > 0 ? len : 0] = '\0';
	return strstr(driver, "/mlx5_core") != NULL || strstr(driver, "/mlx4_core") != NULL;
}

int takeover_check(const struct nic_config *config, bool whole, char *error)
{
	char name[IFNAMSIZ] = "";
	bool found = false;
	if (config->kind == NIC_PCI)
		found = takeover_pci_interface(config->interface, name);
	else if (config->kind == NIC_VDEV)
		found = takeover_argument(config->interface, "iface", name, sizeof(name)) ||
			takeover_argument(config->interface, "remote", name, sizeof(name));
	if (!whole && config->kind == NIC_PCI && driver_stays(config->interface))
		return 0;
	if (!found || config->take_over || !takeover_has_default_route("/proc/self/net", name))
		return 0;
	return nic_fail(error, -EPERM,
		"port: %.63s is %s, which the default route leads over: this server would be cut "
		"off; give swimlane another port, use kind af_xdp, which leaves it to the kernel, "
		"or "
		"set port.take_over: true",
		config->interface, name);
}
