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

/* Before that: asks the device to leave everything to the kernel but what rules will name. True: it
 * does, and `interface` (16 bytes) is the kernel's side of it. */
bool steer_isolate(struct nic_port *port, char *interface);

/* Of a started port (drivers forget rules made earlier, or refuse them): makes the rules; falls
 * back to RSS or software and says why. 0; or -errno with a message where there is no way back. */
int steer_apply(struct nic_port *port, char *error);

/* Takes the rules off again. */
void steer_release(struct nic_port *port);

/* Would the device take a rule that spreads our datagrams over `queues` lanes? 0 or -errno. */
int steer_validate(uint16_t port_id, uint16_t queues, bool ipv6, char *why);
