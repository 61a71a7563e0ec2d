/* Gives swimlane its own UDP datagrams and leaves everything else on the interface to the kernel.
 *
 * Taken: unfragmented UDP over IPv4 or IPv6 to exactly the configured address and port, untagged or
 * with a priority tag (VLAN 0), on an interface queue that a lane has opened. Passed on: everything
 * else (ARP, ICMP, ssh, fragments, other addresses, ports and VLANs, the other family, IPv6 with
 * extension headers), and also our datagrams on
 * queues without a lane: the kernel drops those silently, because swimlane holds the UDP port
 * there.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "nic/xdp_steering.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, XDP_STEERING_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

const volatile struct xdp_steering steering = {.magic = XDP_STEERING_MAGIC};

struct vlan_tag {
	__be16 tci;
	__be16 type;
};

/* A volatile read: the compiler must not take the zeros of the unpatched object for the truth. */
static __always_inline __be32 own_word(int n)
{
	return *(const volatile __be32 *)&steering.addr[4 * n];
}

static __always_inline int is_ours(const struct iphdr *ip, const void *end)
{
	__be32 own = own_word(3);
	const struct udphdr *udp;

	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return 0;
	if (own_word(2) != bpf_htonl(0xffff)) /* our address is an IPv6 one */
		return 0;
	if (ip->daddr != own || ip->protocol != IPPROTO_UDP)
		return 0;
	if (ip->frag_off & bpf_htons(0x3fff)) /* more fragments, or not the first */
		return 0;
	udp = (const void *)((const __u8 *)ip + ip->ihl * 4);
	return (const void *)(udp + 1) <= end && udp->dest == steering.port;
}

static __always_inline int is_ours6(const struct ipv6hdr *ip, const void *end)
{
	const struct udphdr *udp = (const void *)(ip + 1);
	const __be32 *to = (const __be32 *)&ip->daddr;

	if ((const void *)(udp + 1) > end || ip->version != 6 || ip->nexthdr != IPPROTO_UDP)
		return 0;
	if (to[0] != own_word(0) || to[1] != own_word(1) || to[2] != own_word(2) ||
		to[3] != own_word(3))
		return 0;
	return udp->dest == steering.port;
}

SEC("xdp")
int swimlane_lane(struct xdp_md *ctx)
{
	const void *end = (const void *)(long)ctx->data_end;
	const struct ethhdr *eth = (const void *)(long)ctx->data;
	const void *next = eth + 1;
	__be16 type;

	if (next > end)
		return XDP_PASS;
	type = eth->h_proto;
	if (type == bpf_htons(ETH_P_8021Q)) {
		const struct vlan_tag *tag = next;
		if ((const void *)(tag + 1) > end || (tag->tci & bpf_htons(0x0fff)) != 0)
			return XDP_PASS;
		type = tag->type;
		next = tag + 1;
	}
	if (type == bpf_htons(ETH_P_IP) ? !is_ours(next, end)
					: type != bpf_htons(ETH_P_IPV6) || !is_ours6(next, end))
		return XDP_PASS;
	return (int)bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
