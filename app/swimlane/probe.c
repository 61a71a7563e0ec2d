#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "nic/nic.h"
#include "nic/probe.h"
#include "nic/takeover.h"

enum { ARGS_MAX = 64, PCI_MAX = 32 };

static int start_eal(int extra_count, char **extra)
{
	static char prefix[40], lcores[40], pci[PCI_MAX][NIC_ERROR_MAX];
	char *args[ARGS_MAX] = {"swimlane", "--no-huge", "--no-shconf", "--no-telemetry", "-m",
		"64", "--log-level=lib.eal:4"};
	int n = 7;
	(void)snprintf(prefix, sizeof(prefix), "--file-prefix=probe-%d", (int)getpid());
	(void)snprintf(
		lcores, sizeof(lcores), "--lcores=0@(0-%ld)", sysconf(_SC_NPROCESSORS_CONF) - 1);
	args[n++] = prefix;
	if (sysconf(_SC_NPROCESSORS_CONF) > 1)
		args[n++] = lcores;
	int pci_count = takeover_bound_devices(pci, PCI_MAX);
	for (int i = 0; i < pci_count; i++)
		args[n++] = pci[i];
	for (int i = 0; i < extra_count && n < ARGS_MAX - 1; i++)
		args[n++] = extra[i];
	return rte_eal_init(n, args);
}

static json_t *offer_to_json(const struct nic_offer *o)
{
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:b, s:b}",
		"name", o->name, "driver", o->driver, "family", o->family, "kinds", o->kinds,
		"steering", o->steering, "refused", o->refused, "kernel_keeps", o->keeps,
		"offloads", o->offloads, "take", o->take, "queues", (int)o->queues, "mtu",
		(int)o->mtu, "numa_node", o->numa_node, "up", o->up, "default_route",
		o->default_route, "rx_interrupts", o->interrupts);
}

static void print_json(const struct nic_offer *list, uint32_t count)
{
	json_t *ports = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(ports, offer_to_json(&list[i]));
	json_t *all = json_pack("{s:o}", "ports", ports);
	(void)json_dumpf(all, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(all);
}

static const char *or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

static void print_table(const struct nic_offer *list, uint32_t count)
{
	printf("%-16s %-16s %-11s %-4s %-4s %6s %6s  %-16s %-22s %-10s %-27s %s\n", "PORT",
		"DRIVER", "FAMILY", "LINK", "NUMA", "QUEUES", "MTU", "KIND", "STEERING", "KERNEL",
		"OFFLOADS", "WAKES");
	for (uint32_t i = 0; i < count; i++) {
		const struct nic_offer *o = &list[i];
		char node[12] = "-";
		if (o->numa_node >= 0)
			(void)snprintf(node, sizeof(node), "%d", o->numa_node);
		printf("%-16s %-16s %-11s %-4s %-4s %6u %6u  %-16s %-22s %-10s %-27s %s\n", o->name,
			or_dash(o->driver), or_dash(o->family), o->up ? "up" : "down", node,
			o->queues, o->mtu, or_dash(o->kinds), or_dash(o->steering),
			or_dash(o->keeps), or_dash(o->offloads), o->interrupts ? "yes" : "no");
		if (o->default_route)
			printf("%16s holds the default route: beside the kernel only, unless "
			       "port.take_over is true\n",
				"");
		if (o->refused[0] != '\0')
			printf("%16s refused: %s\n", "", o->refused);
		if (o->take[0] != '\0')
			printf("%16s to own it: %s\n", "", o->take);
	}
}

int probe_run(bool json, int extra_count, char **extra)
{
	struct nic_offer *list = calloc(NIC_OFFERS_MAX, sizeof(*list));
	if (list == NULL)
		return 1;
	uint32_t count = nic_probe_interfaces("", list, NIC_OFFERS_MAX);
	bool eal = start_eal(extra_count, extra) >= 0;
	if (eal)
		count += nic_probe_devices("", list + count, NIC_OFFERS_MAX - count);
	else
		(void)fprintf(stderr, "warning: DPDK did not start (%s): kernel interfaces alone\n",
			rte_strerror(rte_errno));
	if (json)
		print_json(list, count);
	else
		print_table(list, count);
	free(list);
	if (eal)
		(void)rte_eal_cleanup(); /* the process ends */
	return eal ? 0 : 1;
}

int probe_release(const char *interface)
{
	char error[NIC_ERROR_MAX];
	int rc = nic_release(interface, error);
	if (rc < 0)
		(void)fprintf(stderr, "error: %s\n", error);
	else
		printf("%s: %s\n", interface,
			rc == 0 ? "nothing of swimlane's is on it"
				: "swimlane's XDP program is off");
	return rc < 0;
}
