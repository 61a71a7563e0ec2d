#include "nic/qdisc.h"

#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

enum { ANSWER_BYTES = 32768 }; /* a link with many virtual functions is long */

static int take_attribute(const struct nlattr *attribute, void *none)
{
	if (mnl_attr_get_type(attribute) == IFLA_QDISC)
		*(bool *)none = strcmp(mnl_attr_get_str(attribute), "noqueue") == 0;
	return MNL_CB_OK;
}

static int take(const struct nlmsghdr *message, void *none)
{
	return mnl_attr_parse(message, sizeof(struct ifinfomsg), take_attribute, none);
}

bool qdisc_is_none(unsigned ifindex)
{
	char bytes[ANSWER_BYTES];
	bool none = false;
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (s == NULL)
		return false;
	struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST;
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(request, sizeof(*link));
	link->ifi_index = (int)ifindex;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 &&
		mnl_socket_sendto(s, request, request->nlmsg_len) > 0) {
		ssize_t len = mnl_socket_recvfrom(s, bytes, sizeof(bytes));
		if (len > 0)
			(void)mnl_cb_run(bytes, (size_t)len, 0, 0, take, &none);
	}
	(void)mnl_socket_close(s);
	return none;
}
