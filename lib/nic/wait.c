/* What wakes a lane that sleeps: the device's receive interrupt, or the socket behind the device.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_packet.h>
#include <rte_ethdev.h>

#include "nic/driver.h"
#include "nic/port.h"

enum { FD_MAX = 4096 };

static bool socket_is(int fd, int domain, unsigned ifindex)
{
	struct sockaddr_ll name = {.sll_ifindex = 0};
	socklen_t name_len = sizeof(name), len = sizeof(int);
	int found = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &found, &len) < 0 || found != domain)
		return false;
	if (domain != AF_PACKET)
		return true;
	/* The driver has another one, unbound, to ask about the interface. */
	return getsockname(fd, (struct sockaddr *)&name, &name_len) == 0 &&
	       name.sll_ifindex == (int)ifindex;
}

/* The drivers show their sockets to nobody; they open them queue by queue, so they are found in
 * that order. */
static int find_socket(const struct nic_port *port, uint16_t queue, int domain)
{
	for (int fd = 0; fd < FD_MAX; fd++)
		if (socket_is(fd, domain, port->ifindex) && queue-- == 0)
			return fd;
	return -ENOTSUP;
}

int nic_wait_fd(const struct nic_port *port, uint16_t queue, bool *drain)
{
	*drain = false;
	if (port->config.kind == NIC_AF_XDP)
		return find_socket(port, queue, AF_XDP);
	if (port->config.kind == NIC_AF_PACKET)
		return find_socket(port, queue, AF_PACKET);
	if (!port->interrupts)
		return -ENOTSUP;
	int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port->port_id, queue);
	if (fd < 0 || rte_eth_dev_rx_intr_enable(port->port_id, queue) < 0)
		return -ENOTSUP;
	*drain = true; /* an event counter */
	return fd;
}

void nic_wait_arm(struct nic_port *port, uint16_t queue, bool on)
{
	if (!port->interrupts)
		return;
	/* It worked at the start; where it fails now, the wait's own limit ends it. */
	if (on)
		(void)rte_eth_dev_rx_intr_enable(port->port_id, queue);
	else
		(void)rte_eth_dev_rx_intr_disable(port->port_id, queue);
}
