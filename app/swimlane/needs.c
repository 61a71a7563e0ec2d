#include "needs.h"

#include <string.h>

#include "nic/takeover.h"

static const char *kind_name(enum nic_kind kind)
{
	switch (kind) {
	case NIC_AF_XDP: return "af_xdp";
	case NIC_AF_PACKET: return "af_packet";
	case NIC_MEMIF: return "memif";
	case NIC_PCI: return "pci";
	case NIC_VDEV: break;
	}
	return "vdev";
}

static const char *hugepages_name(enum config_hugepages hugepages)
{
	switch (hugepages) {
	case HUGEPAGES_ON: return "on";
	case HUGEPAGES_OFF: return "off";
	case HUGEPAGES_AUTO: break;
	}
	return "auto";
}

/* The kernel's name of the interface; empty: the kernel has none. */
static void find_interface(const struct nic_config *port, char name[16])
{
	name[0] = '\0';
	if (port->kind == NIC_AF_XDP || port->kind == NIC_AF_PACKET)
		(void)snprintf(name, 16, "%.15s", port->interface);
	else if (port->kind == NIC_PCI && !takeover_pci_interface(port->interface, name))
		name[0] = '\0';
}

void needs_print(FILE *out, const struct config *config)
{
	const struct nic_config *port = &config->port;
	char interface[16];
	find_interface(port, interface);
	(void)fprintf(out,
		"name=%s\nport.kind=%s\nport.device=%s\nport.interface=%s\nport.udp_port=%u\n"
		"port.first_queue=%u\nport.mtu=%u\nlanes=%u\nmemory.hugepages=%s\nmemory.megabytes="
		"%u\n",
		config->name, kind_name(port->kind), port->interface, interface, port->address.port,
		port->first_queue, port->mtu, config->lane_count, hugepages_name(config->hugepages),
		config->memory_mib);
	(void)fprintf(out, "state_dir=%s\nkeyring=%s\nhttp_token_file=%s\ncontrol.socket=%s\ncpus=",
		config->state_dir, config->keyring, config->http_token_file,
		config->control_socket);
	if (config->cpus_given) {
		(void)fprintf(out, "%u %u", config->control_cpu, config->keeper_cpu);
		for (uint16_t i = 0; i < config->lane_count; i++)
			(void)fprintf(out, " %u", config->lane_cpus[i]);
	}
	(void)fputc('\n', out);
}
