#include "nic/xdp.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>

#include "nic/port.h"
#include "nic/xdp_steering.h"

#include "xdp_lane_object.h"

enum { XDP_OBJECT_MAX = 1 << 20, FD_MAX = 1024 };

/* The object's copy, from nic_eal_arguments() to the end of nic_port_create(): the driver opens it
 * by its path in between. */
static int program_fd = -1;

int xdp_permitted(char *error)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "swimlane_probe", 4, 4, 1, NULL);
	if (fd >= 0) {
		(void)close(fd);
		return 0;
	}
	int rc = -errno;
	if (rc == -EPERM || rc == -EACCES)
		return nic_fail(error, rc,
			"AF_XDP: this process may not load XDP programs; run it as root or with "
			"CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW and CAP_IPC_LOCK, or use "
			"kind "
			"af_packet");
	return nic_fail(error, rc,
		"AF_XDP: this kernel makes no XSKMAP (%s); it needs CONFIG_XDP_SOCKETS, or use "
		"kind "
		"af_packet",
		strerror(-rc));
}

/* The whole object in memory; the caller frees it. */
static int read_object(const char *path, uint8_t **bytes, size_t *len, char *error)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
		st.st_size > XDP_OBJECT_MAX) {
		int rc = fd < 0 ? -errno : -EINVAL;
		if (fd >= 0)
			(void)close(fd);
		return nic_fail(error, rc,
			"XDP program %s: %s; leave it out to use the one built in", path,
			rc == -EINVAL ? "is no compiled object" : strerror(-rc));
	}
	*len = (size_t)st.st_size;
	*bytes = malloc(*len);
	ssize_t got = *bytes == NULL ? -1 : read(fd, *bytes, *len);
	(void)close(fd);
	if (got == (ssize_t)*len)
		return 0;
	free(*bytes);
	return nic_fail(error, -EIO, "XDP program %s: cannot be read whole", path);
}

static int patch_steering(uint8_t *bytes, size_t len, const struct sw_endpoint *self)
{
	const uint64_t magic = XDP_STEERING_MAGIC;
	uint8_t *at = memmem(bytes, len, &magic, sizeof(magic));
	if (at == NULL || (size_t)(bytes + len - at) < sizeof(struct xdp_steering))
		return -ENOENT;
	struct xdp_steering steering = {
		.magic = magic,
		.port = htobe16(self->port),
	};
	memcpy(steering.addr, self->addr, sizeof(steering.addr));
	memcpy(at, &steering, sizeof(steering));
	return 0;
}

static int write_copy(const uint8_t *bytes, size_t len, char *path, char *error)
{
	xdp_program_close();
	program_fd = memfd_create("swimlane-xdp", MFD_CLOEXEC);
	if (program_fd < 0 || write(program_fd, bytes, len) != (ssize_t)len) {
		int rc = errno != 0 ? -errno : -EIO;
		xdp_program_close();
		return nic_fail(
			error, rc, "XDP program: no memory file for its copy: %s", strerror(-rc));
	}
	(void)snprintf(path, 64, "/proc/self/fd/%d", program_fd);
	return 0;
}

int xdp_program_open(
	const struct nic_config *config, const struct sw_endpoint *self, char *path, char *error)
{
	const char *name = config->xdp_program[0] != '\0' ? config->xdp_program : "(built in)";
	uint8_t *bytes = NULL;
	size_t len = 0;
	int rc;
	if (config->xdp_program[0] != '\0') {
		rc = read_object(config->xdp_program, &bytes, &len, error);
		if (rc < 0)
			return rc;
	} else {
		len = sizeof(xdp_lane_object);
		bytes = malloc(len);
		if (bytes == NULL)
			return nic_fail(error, -ENOMEM, "XDP program: no memory for its copy");
		memcpy(bytes, xdp_lane_object, len);
	}
	rc = patch_steering(bytes, len, self);
	if (rc < 0)
		(void)nic_fail(error, rc,
			"XDP program %s: has no `struct xdp_steering`; compile it from "
			"drivers-config/xdp_lane.bpf.c",
			name);
	else
		rc = write_copy(bytes, len, path, error);
	free(bytes);
	return rc;
}

void xdp_program_close(void)
{
	if (program_fd >= 0)
		(void)close(program_fd);
	program_fd = -1;
}

int xdp_lock(const char *interface, char *error)
{
	/* Abstract names belong to the network namespace, as interfaces do, and die with their
	 * owner. */
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int len = snprintf(
		name.sun_path + 1, sizeof(name.sun_path) - 1, "swimlane/xdp/%s", interface);
	socklen_t name_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&name, name_len) == 0)
		return fd;
	int rc = -errno;
	if (fd >= 0)
		(void)close(fd);
	if (rc == -EADDRINUSE)
		return nic_fail(error, -EBUSY,
			"interface %s: another swimlane runs AF_XDP on it; stop that one, or give "
			"this "
			"one an interface of its own",
			interface);
	return nic_fail(error, rc, "interface %s: cannot be locked: %s", interface, strerror(-rc));
}

static uint32_t mode_flags(uint8_t attach_mode)
{
	switch (attach_mode) {
	case XDP_ATTACHED_SKB: return XDP_FLAGS_SKB_MODE;
	case XDP_ATTACHED_HW: return XDP_FLAGS_HW_MODE;
	default: return XDP_FLAGS_DRV_MODE;
	}
}

/* Is this program one of ours? -errno if it may not be looked at. */
static int program_is_ours(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return -errno;
	int rc = bpf_obj_get_info_by_fd(fd, &info, &len);
	(void)close(fd);
	if (rc < 0)
		return -errno;
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	name[BPF_OBJ_NAME_LEN - 1] = '\0';
	return strcmp(name, XDP_STEERING_PROGRAM) == 0;
}

int xdp_clear(const char *interface, unsigned ifindex, char *error)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	char name[BPF_OBJ_NAME_LEN] = "?";
	int rc = bpf_xdp_query((int)ifindex, 0, &query);
	if (rc < 0)
		return nic_fail(error, rc, "interface %s: cannot be asked for its XDP program: %s",
			interface, strerror(-rc));
	if (query.attach_mode == XDP_ATTACHED_NONE)
		return 0;
	int ours = query.prog_id != 0 ? program_is_ours(query.prog_id, name) : 0;
	if (ours <= 0)
		return nic_fail(error, -EBUSY,
			"interface %s: an XDP program that is not swimlane's is attached (id %u, "
			"name "
			"%s%s); take it off with `ip link set dev %s xdp off`, or use kind "
			"af_packet",
			interface, query.prog_id, name,
			ours == -EPERM ? "; CAP_SYS_ADMIN is needed to look at it" : "", interface);
	rc = bpf_xdp_detach((int)ifindex, mode_flags(query.attach_mode), NULL);
	if (rc < 0)
		return nic_fail(error, rc,
			"interface %s: the XDP program of a swimlane that crashed cannot be taken "
			"off: "
			"%s; do it with `ip link set dev %s xdp off`",
			interface, strerror(-rc), interface);
	return 0;
}

int xdp_release(const char *interface, unsigned ifindex, char *error)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	char name[BPF_OBJ_NAME_LEN] = "?";
	int rc = bpf_xdp_query((int)ifindex, 0, &query);
	if (rc < 0)
		return nic_fail(error, rc, "interface %s: cannot be asked for its XDP program: %s",
			interface, strerror(-rc));
	if (query.attach_mode == XDP_ATTACHED_NONE || program_is_ours(query.prog_id, name) <= 0)
		return 0;
	rc = xdp_clear(interface, ifindex, error);
	return rc < 0 ? rc : 1;
}

uint32_t xdp_attached(unsigned ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	return bpf_xdp_query((int)ifindex, 0, &query) < 0 ? 0 : query.prog_id;
}

void xdp_detach(unsigned ifindex, uint32_t id)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	if (id == 0 || bpf_xdp_query((int)ifindex, 0, &query) < 0 || query.prog_id != id)
		return;
	/* Refused: the driver tries too, and the stop step finds it. */
	(void)bpf_xdp_detach((int)ifindex, mode_flags(query.attach_mode), NULL);
}

bool xdp_is_zero_copy(void)
{
	for (int fd = 0; fd < FD_MAX; fd++) {
		struct xdp_options options = {0};
		socklen_t len = sizeof(options);
		int domain = 0;
		socklen_t domain_len = sizeof(domain);
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) == 0 &&
			domain == AF_XDP &&
			getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &len) == 0)
			return (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
	}
	return false;
}
