/* ARP on exclusive IPv4 ports: its messages (RFC 826; RFC 5227 for announcing). When they are sent
 * is the resolver's to say. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nic_port;
struct frame;

/* Lane of `queue`: a received ARP frame. True: it has become a reply to be sent. */
bool arp_input(struct nic_port *port, uint16_t queue, uint8_t *bytes, const struct frame *received);

/* Lane 0: asks everybody who has this address; for the own address, that announces it. False: no
 * mbuf. */
bool arp_ask(struct nic_port *port, uint32_t target_be);
