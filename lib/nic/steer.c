#include "nic/steer.h"

#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_flow.h>

#include "nic/port.h"
#include "nic/takeover.h"

#define RSS_WANTED (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP)

enum { WHY_MAX = 96 };

/* Our datagrams, over the lanes by addresses and ports: a flow stays on its lane. */
struct rule {
	struct rte_flow_attr attr;
	struct rte_flow_item_ipv4 ipv4, ipv4_mask;
	struct rte_flow_item_ipv6 ipv6, ipv6_mask;
	struct rte_flow_item_udp udp, udp_mask;
	struct rte_flow_item pattern[4];
	struct rte_flow_action_rss rss;
	uint16_t queues[SW_LANES_MAX];
	struct rte_flow_action actions[2];
};

static void write_rule(struct rule *r, const struct frame_self *self, uint16_t queues)
{
	*r = (struct rule){.attr = {.ingress = 1}};
	r->pattern[0].type = RTE_FLOW_ITEM_TYPE_ETH;
	if (self->ipv6) {
		memcpy(r->ipv6.hdr.dst_addr, self->addr6, 16);
		memset(r->ipv6_mask.hdr.dst_addr, 0xff, 16);
		r->pattern[1] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV6, .spec = &r->ipv6, .mask = &r->ipv6_mask};
	} else {
		r->ipv4.hdr.dst_addr = self->addr_be;
		r->ipv4_mask.hdr.dst_addr = UINT32_MAX;
		r->pattern[1] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &r->ipv4, .mask = &r->ipv4_mask};
	}
	r->udp.hdr.dst_port = self->port_be;
	r->udp_mask.hdr.dst_port = UINT16_MAX;
	r->pattern[2] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &r->udp, .mask = &r->udp_mask};
	r->pattern[3].type = RTE_FLOW_ITEM_TYPE_END;
	for (uint16_t q = 0; q < queues; q++)
		r->queues[q] = q;
	r->rss = (struct rte_flow_action_rss){
		.types = RSS_WANTED, .queue_num = queues, .queue = r->queues};
	r->actions[0] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &r->rss};
	r->actions[1].type = RTE_FLOW_ACTION_TYPE_END;
}

static int validate(uint16_t port_id, const struct rule *r, char *why)
{
	struct rte_flow_error error = {.message = NULL};
	int rc = rte_flow_validate(port_id, &r->attr, r->pattern, r->actions, &error);
	if (rc < 0)
		(void)snprintf(why, WHY_MAX, "%.60s",
			error.message != NULL ? error.message : rte_strerror(-rc));
	return rc;
}

int steer_validate(uint16_t port_id, uint16_t queues, bool ipv6, char *why)
{
	struct rule r;
	struct frame_self self = {
		.ipv6 = ipv6, .addr_be = htobe32(0x0a000001), .port_be = htobe16(7946)};
	write_rule(&r, &self, queues);
	return validate(port_id, &r, why);
}

static void note_refusal(struct nic_port *port, const char *way, const char *why)
{
	size_t len = strlen(port->tried);
	(void)snprintf(port->tried + len, sizeof(port->tried) - len, "%s%s (%s)",
		len > 0 ? ", " : "", way, why);
}

static bool can_rss(const struct rte_eth_dev_info *dev)
{
	return (dev->flow_type_rss_offloads & RSS_WANTED) != 0;
}

enum nic_steering steer_choose(
	struct nic_port *port, const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf)
{
	const struct nic_driver *driver = port->driver;
	enum nic_steering way = NIC_STEER_SOFTWARE;
	for (uint32_t i = driver->steering_count; i > 0; i--) {
		enum nic_steering one = (enum nic_steering)driver->steering[i - 1];
		/* What rules the device takes is known once it runs. */
		if (one == NIC_STEER_ISOLATE ? port->isolated
					     : one != NIC_STEER_RSS || can_rss(dev))
			way = one;
	}
	/* One lane has nothing to spread; a driver without RSS refuses to be asked for it. */
	if (port->config.queues > 1 && can_rss(dev) && way != NIC_STEER_XDP &&
		way != NIC_STEER_SOFTWARE) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = RSS_WANTED & dev->flow_type_rss_offloads;
	}
	return way;
}

static int add_rule(struct nic_port *port, char *why)
{
	struct rule r;
	struct rte_flow_error error = {.message = NULL};
	write_rule(&r, &port->self, port->config.queues);
	int rc = validate(port->port_id, &r, why);
	if (rc < 0)
		return rc;
	port->flow = rte_flow_create(port->port_id, &r.attr, r.pattern, r.actions, &error);
	if (port->flow != NULL)
		return 0;
	(void)snprintf(
		why, WHY_MAX, "%.60s", error.message != NULL ? error.message : "not created");
	return -EIO;
}

static bool wants(const struct nic_driver *driver, enum nic_steering way)
{
	for (uint32_t i = 0; i < driver->steering_count; i++)
		if (driver->steering[i] == (int)way)
			return true;
	return false;
}

bool steer_isolate(struct nic_port *port, char *interface)
{
	struct rte_flow_error error = {.message = NULL};
	if (!wants(port->driver, NIC_STEER_ISOLATE))
		return false;
	if (!takeover_pci_interface(port->config.interface, interface)) {
		note_refusal(port, "isolate", "no kernel interface is behind it");
		return false;
	}
	int rc = rte_flow_isolate(port->port_id, 1, &error);
	if (rc < 0)
		note_refusal(
			port, "isolate", error.message != NULL ? error.message : rte_strerror(-rc));
	return rc == 0;
}

int steer_apply(struct nic_port *port, char *error)
{
	char why[WHY_MAX] = "";
	struct rte_eth_rss_conf rss = {.rss_key = NULL};
	if (port->way == NIC_STEER_ISOLATE && add_rule(port, why) < 0)
		return nic_fail(error, -EIO,
			"device %s: beside the kernel it refuses the rule that names our "
			"datagrams: "
			"%s",
			port->info.name, why);
	if (port->way != NIC_STEER_FLOW_RULES)
		return 0;
	if (port->config.queues > 1 && add_rule(port, why) == 0)
		return 0;
	if (port->config.queues > 1)
		note_refusal(port, "flow_rules", why);
	port->way = rte_eth_dev_rss_hash_conf_get(port->port_id, &rss) == 0 ? NIC_STEER_RSS
									    : NIC_STEER_SOFTWARE;
	return 0;
}

void steer_release(struct nic_port *port)
{
	struct rte_flow_error error;
	if (port->flow != NULL)
		(void)rte_flow_destroy(port->port_id, port->flow, &error); /* closed next */
	port->flow = NULL;
}
