/* Inside of lib/nic: what is particular to each kind of device. Control. */
#pragma once

#include <stdint.h>

#include "nic/driver.h"
#include "nic/interface.h"
#include "nic/nic.h"

#define DEVICE_AF_XDP    "net_af_xdp0"
#define DEVICE_AF_PACKET "net_af_packet0"
#define DEVICE_MEMIF     "net_memif0"

enum {
	DEVICE_DESCRIPTORS = 1024, /* of rings whose driver says nothing */
};

/* The interface can carry this port, or -errno with a message. */
int device_check_interface(
	const struct nic_config *config, struct interface *interface, char *error);

/* The MTU in use. */
uint16_t device_mtu(const struct nic_config *config);
/* Bytes that a frame and what the driver puts around it take in an mbuf, without headroom. */
uint16_t device_data_room(const struct nic_config *config);
/* Of AF_PACKET's rings: bytes of a frame, and of a block, which is a whole number of both frames
 * and pages; and how many frames there are. */
uint32_t device_af_packet_frame(const struct nic_config *config);
uint32_t device_af_packet_block(const struct nic_config *config);
uint32_t device_af_packet_frames(const struct nic_config *config);
/* Bytes of memif's buffers. */
uint32_t device_memif_buffer(const struct nic_config *config);
uint32_t device_memif_ring_log2(const struct nic_config *config);

/* The configured MAC, or one drawn from the address: locally administered, the same at each start.
 */
void device_own_mac(const struct nic_config *config, uint8_t mac[6]);

/* EAL's name of the device. */
void device_name(const struct nic_config *config, char name[64]);

/* Which frames come here and why: for the start screen. `way` is what was chosen, `tried` which
 * better ones the device refused. `text` has 256 bytes. */
void device_describe_steering(const struct nic_config *config, const struct interface *interface,
	enum nic_steering way, const char *tried, char *text);
