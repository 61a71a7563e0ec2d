/* Which way a port's frames are spread over its lanes: the driver file's ways, tried in order.
 * Control.
 */
#pragma once

#include "nic/driver.h"

struct nic_port;
struct rte_eth_conf;
struct rte_eth_dev_info;

/* Before the device is configured: the first way that the device can go as far as that is known by
 * now, and what it needs in `conf`. */
enum nic_steering steer_choose(
	struct nic_port *port, const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf);

/* After the queues are set up: makes the rules; falls back to RSS or software and says why. */
enum nic_steering steer_apply(struct nic_port *port, enum nic_steering way);

/* Takes the rules off again. */
void steer_release(struct nic_port *port);

/* Would the device take a rule that spreads our datagrams over `queues` lanes? 0 or -errno. */
int steer_validate(uint16_t port_id, uint16_t queues, bool ipv6, char *why);
