/* The XDP program beside the kernel: prepared before EAL starts, loaded and attached by the AF_XDP
 * driver, and taken off again, also when a crashed predecessor could not. Control only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nic/nic.h"

/* May this process load XDP programs? 0 or -errno with a message. */
int xdp_permitted(char *error);

/* Writes the path of an object that steers `self` (address and port) into `path` (64 bytes): a copy
 * in memory, of config->xdp_program or of the one built in. One at a time; gone after
 * xdp_program_close(). */
int xdp_program_open(
	const struct nic_config *config, const struct sw_endpoint *self, char *path, char *error);
void xdp_program_close(void);

/* Holds the interface against a second swimlane in this network namespace; a crash releases it. The
 * file descriptor or -errno with a message. */
int xdp_lock(const char *interface, char *error);

/* Takes off what a crashed swimlane left on the interface; refuses if anybody else's program is
 * there. The caller holds the lock. */
int xdp_clear(const char *interface, unsigned ifindex, char *error);

/* Takes off our program alone: 1; 0: none is there, or somebody else's. The caller holds the lock.
 */
int xdp_release(const char *interface, unsigned ifindex, char *error);

/* The id of the program on the interface; 0: none. */
uint32_t xdp_attached(unsigned ifindex);

/* Takes the program of this id off, and no other: whose it is need not be asked, which takes
 * CAP_SYS_ADMIN. */
void xdp_detach(unsigned ifindex, uint32_t id);

/* Do this process's AF_XDP sockets work without a copy in the kernel? */
bool xdp_is_zero_copy(void);
