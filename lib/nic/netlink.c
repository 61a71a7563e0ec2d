#include "nic/netlink.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/clock.h"
#include "nic/port.h"

enum {
	RECEIVES_MAX = 64,  /* at a time: each is a batch of messages */
	REQUESTS_MAX = 128, /* of one round */
	MESSAGE_MAX = 512,
	RECEIVE_BYTES = 32768,
	SEQ_DUMP = NEIGHBOUR_SLOTS, /* sequence numbers below it are slots whose way was asked */
};

#define ROUTE_RECHECK_NS   (30 * SW_NS_PER_S) /* notifications come first; this is for those lost */
#define ROUTE_RETRY_NS     (1 * SW_NS_PER_S)
#define RESOLVE_RETRY_NS   (500 * SW_NS_PER_MS)
#define RESOLVE_RETRY_MAX  (16 * SW_NS_PER_S)
#define RESOLVE_REFRESH_NS (20 * SW_NS_PER_S) /* a stale entry: have the kernel confirm it */

struct peer {
	uint8_t hop[16]; /* all zero: no way known */
	uint64_t route_due_ns;
	uint64_t resolve_due_ns;
	uint64_t resolve_wait_ns;
};

struct netlink {
	struct nic_port *port;
	struct mnl_socket *socket;
	uint32_t socket_id;
	uint8_t family;    /* the port's: AF_INET or AF_INET6 */
	uint8_t addr_at;   /* where in 16 bytes an address of that family begins … */
	uint8_t addr_len;  /* … and how long it is */
	bool routes_stale; /* look every way up again */
	bool dump_due;     /* read the kernel's whole neighbour table */
	bool may_resolve;  /* false: no CAP_NET_ADMIN, a datagram to the discard port must do */
	uint64_t now_ns;
	struct peer peers[NEIGHBOUR_SLOTS]; /* of the neighbour table's slots */
	uint16_t used[NEIGHBOURS_MAX];      /* slots in use, oldest first */
	uint32_t used_count;
	uint8_t bytes[RECEIVE_BYTES];
};

static const uint8_t zero[16];

static const uint8_t *slot_addr(const struct netlink *nl, int slot)
{
	return nl->port->neighbours.slots[slot].addr;
}

static bool has_hop(const struct peer *peer)
{
	return memcmp(peer->hop, zero, sizeof(zero)) != 0;
}

static void put_addr(
	struct netlink *nl, struct nlmsghdr *message, uint16_t type, const uint8_t addr[16])
{
	mnl_attr_put(message, type, nl->addr_len, addr + nl->addr_at);
}

/* An attribute's address in 16 bytes; false: not one of the port's family. */
static bool take_addr(const struct netlink *nl, const struct nlattr *attr, uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	if (mnl_attr_get_payload_len(attr) != nl->addr_len)
		return false;
	memcpy(addr, mapped, sizeof(mapped));
	memcpy(addr + nl->addr_at, mnl_attr_get_payload(attr), nl->addr_len);
	return true;
}

static uint64_t slot_word(const struct netlink *nl, int slot)
{
	return atomic_load_explicit(&nl->port->neighbours.slots[slot].word, memory_order_relaxed);
}

static const struct nlattr *first_attr(const struct nlmsghdr *message, size_t header_len)
{
	return mnl_nlmsg_get_payload_offset(message, header_len);
}

static bool attr_ok(const struct nlmsghdr *message, const struct nlattr *attr)
{
	const char *end = mnl_nlmsg_get_payload_tail(message);
	return mnl_attr_ok(attr, (int)(end - (const char *)attr));
}

static void send_message(struct netlink *nl, const struct nlmsghdr *message)
{
	/* A full socket buffer is a message lost: the due times bring it again. */
	(void)mnl_socket_sendto(nl->socket, message, message->nlmsg_len);
}

static void ask_dump(struct netlink *nl)
{
	uint8_t buffer[MESSAGE_MAX] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = RTM_GETNEIGH;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = SEQ_DUMP;
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(message, sizeof(*nd));
	nd->ndm_family = nl->family;
	mnl_attr_put_u32(message, NDA_IFINDEX, nl->port->ifindex);
	send_message(nl, message);
	nl->dump_due = false;
}

static void ask_route(struct netlink *nl, int slot)
{
	uint8_t buffer[MESSAGE_MAX] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = (uint32_t)slot;
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(message, sizeof(*rt));
	rt->rtm_family = nl->family;
	rt->rtm_dst_len = (uint8_t)(8 * nl->addr_len);
	rt->rtm_src_len =
		rt->rtm_dst_len; /* the own address decides too, where policy routing is in use */
	put_addr(nl, message, RTA_DST, slot_addr(nl, slot));
	put_addr(nl, message, RTA_SRC, nl->port->info.address.addr);
	send_message(nl, message);
	nl->peers[slot].route_due_ns = nl->now_ns + ROUTE_RECHECK_NS;
}

/* Without CAP_NET_ADMIN: the kernel resolves whatever one sends to. Port 9 is discard (RFC 863). */
static void resolve_by_datagram(struct netlink *nl, int slot)
{
	struct sw_endpoint e = {.port = 9};
	struct sockaddr_storage to;
	memcpy(e.addr, slot_addr(nl, slot), sizeof(e.addr));
	socklen_t to_len = nic_sockaddr(&e, nl->port->ifindex, &to);
	if (nl->port->silent_fd >= 0)
		(void)sendto(nl->port->silent_fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL,
			(const struct sockaddr *)&to, to_len);
}

static void ask_resolve(struct netlink *nl, int slot)
{
	struct peer *peer = &nl->peers[slot];
	/* Told so, the kernel asks for an IPv6 neighbour from a link-local address alone, and an
	 * interface may have none; for a datagram of ours it asks from our address. */
	if (!nl->may_resolve || (nl->family == AF_INET6 && peer->resolve_wait_ns != 0))
		resolve_by_datagram(nl, slot);
	if (!nl->may_resolve)
		return;
	uint8_t buffer[MESSAGE_MAX] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = RTM_NEWNEIGH;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
	message->nlmsg_seq = SEQ_DUMP + 1;
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(message, sizeof(*nd));
	nd->ndm_family = nl->family;
	nd->ndm_ifindex = (int)nl->port->ifindex;
	nd->ndm_state = NUD_NONE;
	nd->ndm_flags = NTF_USE;
	put_addr(nl, message, NDA_DST, peer->hop);
	send_message(nl, message);
}

static void set_hop(struct netlink *nl, int slot, const uint8_t hop[16])
{
	struct peer *peer = &nl->peers[slot];
	if (memcmp(peer->hop, hop, sizeof(peer->hop)) == 0)
		return;
	memcpy(peer->hop, hop, sizeof(peer->hop));
	peer->resolve_due_ns = nl->now_ns;
	peer->resolve_wait_ns = 0;
	neighbour_set_owner(&nl->port->neighbours, slot, NEIGHBOUR_UNKNOWN, NULL);
	/* The next hop may be known already, to another peer or to the kernel. */
	for (uint32_t i = 0; has_hop(peer) && i < nl->used_count; i++) {
		int other = nl->used[i];
		uint64_t word = slot_word(nl, other);
		if (other != slot && memcmp(nl->peers[other].hop, hop, sizeof(peer->hop)) == 0 &&
			neighbour_word_state(word) >= NEIGHBOUR_KNOWN) {
			uint8_t mac[6];
			neighbour_word_mac(word, mac);
			neighbour_set_owner(
				&nl->port->neighbours, slot, neighbour_word_state(word), mac);
			return;
		}
	}
	nl->dump_due |= has_hop(peer);
}

static void route_answer(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	uint8_t gateway[16] = {0}, dst[16] = {0};
	uint32_t oif = 0;
	bool foreign_gateway = false;
	int slot = (int)message->nlmsg_seq;
	if (message->nlmsg_seq >= SEQ_DUMP || slot_word(nl, slot) == 0 ||
		rt->rtm_family != nl->family)
		return;
	for (attr = first_attr(message, sizeof(*rt)); attr_ok(message, attr);
		attr = mnl_attr_next(attr)) {
		uint16_t type = mnl_attr_get_type(attr);
		if (type == RTA_VIA)
			foreign_gateway = true; /* IPv4 over an IPv6 next hop: not served */
		else if (type == RTA_DST)
			(void)take_addr(nl, attr, dst);
		else if (type == RTA_GATEWAY)
			(void)take_addr(nl, attr, gateway);
		else if (type == RTA_OIF && mnl_attr_get_payload_len(attr) == sizeof(oif))
			oif = mnl_attr_get_u32(attr);
	}
	struct sw_endpoint to = {.port = 0};
	memcpy(to.addr, slot_addr(nl, slot), sizeof(to.addr));
	if (memcmp(dst, to.addr, sizeof(dst)) != 0)
		return; /* an answer to an older question */
	const uint8_t *hop = zero;
	if (rt->rtm_type == RTN_UNICAST && oif == nl->port->ifindex && !foreign_gateway)
		hop = memcmp(gateway, zero, sizeof(gateway)) != 0 ? gateway : to.addr;
	else if (rt->rtm_type == RTN_UNICAST && nic_is_on_link(nl->port, &to))
		hop = to.addr; /* two interfaces in one network: it is on our wire too */
	set_hop(nl, slot, hop);
	if (hop == zero)
		nl->peers[slot].route_due_ns = nl->now_ns + ROUTE_RETRY_NS;
}

/* The kernel's view of one of its neighbours, for every peer behind it. */
static void neighbour_news(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	uint8_t addr[16] = {0};
	bool addressed = false;
	const uint8_t *mac = NULL;
	if (nd->ndm_family != nl->family || nd->ndm_ifindex != (int)nl->port->ifindex)
		return;
	for (attr = first_attr(message, sizeof(*nd)); attr_ok(message, attr);
		attr = mnl_attr_next(attr)) {
		uint16_t type = mnl_attr_get_type(attr);
		if (type == NDA_DST)
			addressed = take_addr(nl, attr, addr);
		else if (type == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
			mac = mnl_attr_get_payload(attr);
	}
	bool fresh = message->nlmsg_type == RTM_NEWNEIGH && mac != NULL &&
		     (nd->ndm_state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)) != 0;
	bool usable = message->nlmsg_type == RTM_NEWNEIGH && mac != NULL &&
		      (nd->ndm_state & (NUD_STALE | NUD_DELAY | NUD_PROBE)) != 0;
	for (uint32_t i = 0; addressed && i < nl->used_count; i++) {
		int slot = nl->used[i];
		struct peer *peer = &nl->peers[slot];
		uint8_t old[6];
		uint64_t word = slot_word(nl, slot);
		if (memcmp(peer->hop, addr, sizeof(addr)) != 0)
			continue;
		if (fresh || usable) {
			neighbour_set_owner(&nl->port->neighbours, slot,
				fresh ? NEIGHBOUR_KNOWN : NEIGHBOUR_DOUBTED, mac);
			peer->resolve_wait_ns = 0;
			peer->resolve_due_ns = nl->now_ns + RESOLVE_REFRESH_NS;
		} else if (neighbour_word_state(word) != NEIGHBOUR_UNKNOWN &&
			   peer->resolve_wait_ns == 0) {
			/* Gone or failed. The old MAC stays in use while the kernel is asked again:
			 * a lost ARP exchange must not look like a dead peer. */
			neighbour_word_mac(word, old);
			neighbour_set_owner(&nl->port->neighbours, slot, NEIGHBOUR_DOUBTED, old);
			peer->resolve_due_ns = nl->now_ns + RESOLVE_RETRY_NS;
		}
	}
}

static void link_news(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	if (link->ifi_index != (int)nl->port->ifindex)
		return;
	for (attr = first_attr(message, sizeof(*link)); attr_ok(message, attr);
		attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) != IFLA_ADDRESS || mnl_attr_get_payload_len(attr) != 6)
			continue;
		const uint8_t *mac = mnl_attr_get_payload(attr);
		memcpy(nl->port->info.mac, mac, 6);
		atomic_store_explicit(&nl->port->own_mac, neighbour_word(NEIGHBOUR_KNOWN, mac),
			memory_order_relaxed);
	}
	nl->routes_stale = true;
}

/* What was asked for in vain is asked for at once. */
static void resolve_otherwise(struct netlink *nl)
{
	if (!nl->may_resolve)
		return;
	nl->may_resolve = false;
	for (uint32_t i = 0; i < nl->used_count; i++) {
		nl->peers[nl->used[i]].resolve_due_ns = nl->now_ns;
		nl->peers[nl->used[i]].resolve_wait_ns = 0;
	}
}

static void error_news(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	if (message->nlmsg_len < mnl_nlmsg_size(sizeof(*error)) || error->error == 0)
		return;
	if (message->nlmsg_seq < SEQ_DUMP && slot_word(nl, (int)message->nlmsg_seq) != 0) {
		set_hop(nl, (int)message->nlmsg_seq, zero); /* no route */
		nl->peers[message->nlmsg_seq].route_due_ns = nl->now_ns + ROUTE_RETRY_NS;
	} else if (message->nlmsg_seq == SEQ_DUMP + 1 && error->error == -EPERM) {
		resolve_otherwise(nl);
	} else if (message->nlmsg_seq == SEQ_DUMP && error->error == -EBUSY) {
		nl->dump_due = true;
	}
}

static void take_message(struct netlink *nl, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case NLMSG_ERROR: error_news(nl, message); break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (message->nlmsg_len >= mnl_nlmsg_size(sizeof(struct ndmsg)))
			neighbour_news(nl, message);
		break;
	case RTM_NEWLINK:
		if (message->nlmsg_len >= mnl_nlmsg_size(sizeof(struct ifinfomsg)))
			link_news(nl, message);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (message->nlmsg_pid == nl->socket_id &&
			message->nlmsg_len >= mnl_nlmsg_size(sizeof(struct rtmsg)))
			route_answer(nl, message);
		else
			nl->routes_stale = true;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR: nl->routes_stale = true; break;
	default: break;
	}
}

static void receive_all(struct netlink *nl)
{
	for (int i = 0; i < RECEIVES_MAX; i++) {
		ssize_t got = mnl_socket_recvfrom(nl->socket, nl->bytes, sizeof(nl->bytes));
		if (got < 0 && errno == ENOBUFS) {
			nl->routes_stale = true; /* news was lost: read everything again */
			nl->dump_due = true;
			continue;
		}
		if (got <= 0)
			return;
		int left = (int)got;
		const struct nlmsghdr *message = (const struct nlmsghdr *)nl->bytes;
		while (mnl_nlmsg_ok(message, left)) {
			take_message(nl, message);
			message = mnl_nlmsg_next(message, &left);
		}
	}
}

/* Asks about one peer what is due; the number of requests made. */
static int refresh_peer(struct netlink *nl, int slot)
{
	struct peer *peer = &nl->peers[slot];
	int requests = 0;
	uint64_t word = slot_word(nl, slot);
	if (nl->now_ns >= peer->route_due_ns) {
		ask_route(nl, slot);
		requests++;
	}
	if (has_hop(peer) && neighbour_word_state(word) != NEIGHBOUR_KNOWN &&
		nl->now_ns >= peer->resolve_due_ns) {
		ask_resolve(nl, slot);
		requests++;
		peer->resolve_wait_ns =
			peer->resolve_wait_ns == 0
				? RESOLVE_RETRY_NS
				: sw_min_u64(2 * peer->resolve_wait_ns, RESOLVE_RETRY_MAX);
		peer->resolve_due_ns = nl->now_ns + peer->resolve_wait_ns;
	}
	return requests;
}

void netlink_tick(struct netlink *nl, uint64_t now_ns)
{
	nl->now_ns = now_ns;
	receive_all(nl);
	if (nl->routes_stale) {
		for (uint32_t i = 0; i < nl->used_count; i++)
			nl->peers[nl->used[i]].route_due_ns = now_ns;
		nl->routes_stale = false;
	}
	/* The kernel answers in the system call that asks. So a second round can have the next hops
	 * resolved that the first one found. */
	for (int round = 0; round < 2; round++) {
		int requests = 0;
		for (uint32_t i = 0; i < nl->used_count && requests < REQUESTS_MAX; i++)
			requests += refresh_peer(nl, nl->used[i]);
		if (requests > 0)
			receive_all(nl);
		if (nl->dump_due) {
			ask_dump(nl);
			receive_all(nl);
		}
	}
}

int netlink_want(struct netlink *nl, const uint8_t addr[16])
{
	uint32_t known = nl->port->neighbours.count;
	int slot = neighbour_claim_owner(&nl->port->neighbours, addr);
	if (slot < 0)
		return slot;
	if (nl->port->neighbours.count == known)
		return 0;
	assert(nl->used_count < NEIGHBOURS_MAX);
	nl->used[nl->used_count++] = (uint16_t)slot;
	nl->peers[slot] = (struct peer){0};
	return 0;
}

int netlink_create(struct nic_port *port, struct netlink **out, char *error)
{
	const bool ipv6 = port->self.ipv6;
	const int groups[] = {RTNLGRP_NEIGH, RTNLGRP_LINK,
		ipv6 ? RTNLGRP_IPV6_ROUTE : RTNLGRP_IPV4_ROUTE,
		ipv6 ? RTNLGRP_IPV6_IFADDR : RTNLGRP_IPV4_IFADDR};
	struct netlink *nl = calloc(1, sizeof(*nl));
	if (nl == NULL)
		return nic_fail(error, -ENOMEM, "netlink: no memory");
	nl->port = port;
	nl->family = ipv6 ? AF_INET6 : AF_INET;
	nl->addr_at = ipv6 ? 0 : 12;
	nl->addr_len = (uint8_t)(16 - nl->addr_at);
	nl->may_resolve = true;
	nl->dump_due = true;
	nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (nl->socket == NULL || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		goto failed;
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];
		if (mnl_socket_setsockopt(
			    nl->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			goto failed;
	}
	nl->socket_id = mnl_socket_get_portid(nl->socket);
	*out = nl;
	return 0;
failed:;
	int rc = -errno;
	netlink_destroy(nl);
	return nic_fail(error, rc,
		"netlink: the kernel's routes and neighbours cannot be followed: %s",
		strerror(-rc));
}

void netlink_destroy(struct netlink *nl)
{
	if (nl == NULL)
		return;
	if (nl->socket != NULL)
		(void)mnl_socket_close(nl->socket);
	free(nl);
}
