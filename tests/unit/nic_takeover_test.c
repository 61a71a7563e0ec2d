#include "sw_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nic/takeover.h"

static const char route4[] =
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	"eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
	"eth1\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
	"eth2\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n";
#define ZERO6 "00000000000000000000000000000000"
static const char route6[] = ZERO6
	" 00 " ZERO6
	" 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth3\n" ZERO6
	" 00 " ZERO6 " 00 " ZERO6 " ffffffff 00000001 00000000 00200200       lo\n"
	"fd770000000000000000000000000000 40 " ZERO6 " 00 " ZERO6
	" 00000100 00000001 00000000 00000001     eth1\n";

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (text == NULL) {
		(void)unlink(path);
		return;
	}
	FILE *f = fopen(path, "we");
	SW_ASSERT_TRUE(f != NULL);
	(void)fputs(text, f);
	(void)fclose(f);
}

SW_TEST(nic_takeover, default_routes_of_both_families_are_found_and_no_other)
{
	char folder[] = "/tmp/nic_takeover_test.XXXXXX";
	SW_ASSERT_TRUE(mkdtemp(folder) != NULL);
	SW_EXPECT_FALSE(takeover_has_default_route(folder, "eth0"));
	write_file(folder, "route", route4);
	write_file(folder, "ipv6_route", route6);
	SW_EXPECT_TRUE(takeover_has_default_route(folder, "eth0"));
	SW_EXPECT_FALSE(takeover_has_default_route(folder, "eth1"));
	SW_EXPECT_FALSE(takeover_has_default_route(folder, "eth2")); /* 0.0.0.0/1 */
	SW_EXPECT_TRUE(takeover_has_default_route(folder, "eth3"));
	SW_EXPECT_FALSE(takeover_has_default_route(folder, "lo")); /* unreachable */
	SW_EXPECT_FALSE(takeover_has_default_route(folder, "eth"));
	write_file(folder, "route", NULL);
	write_file(folder, "ipv6_route", NULL);
	(void)rmdir(folder);
}

SW_TEST(nic_takeover, a_device_s_arguments_are_read)
{
	char value[16];
	SW_ASSERT_TRUE(takeover_argument(
		"net_af_packet0,iface=eth0,qpairs=2", "iface", value, sizeof(value)));
	SW_EXPECT_STR(value, "eth0");
	SW_ASSERT_TRUE(
		takeover_argument("net_tap0,iface=t0,remote=eth7", "remote", value, sizeof(value)));
	SW_EXPECT_STR(value, "eth7");
	SW_EXPECT_FALSE(takeover_argument("net_null0", "iface", value, sizeof(value)));
	SW_EXPECT_FALSE(takeover_argument("net_x0,myiface=eth0", "iface", value, sizeof(value)));
	SW_EXPECT_FALSE(takeover_argument(
		"net_x0,iface=an-interface-too-long", "iface", value, sizeof(value)));
}

SW_TEST(nic_takeover, the_node_of_a_port_is_read_before_it_is_taken)
{
	char sys[] = "/tmp/nic_takeover_test.XXXXXX", path[160];
	static const char *const folders[] = {"bus", "bus/pci", "bus/pci/devices",
		"bus/pci/devices/0000:3b:00.0", "class", "class/net", "class/net/eth5",
		"class/net/eth5/device"};
	struct nic_config pci = {.kind = NIC_PCI, .interface = "0000:3b:00.0"};
	struct nic_config xdp = {.kind = NIC_AF_XDP, .interface = "eth5"};
	struct nic_config vdev = {.kind = NIC_VDEV, .interface = "net_af_packet0,iface=eth5"};
	struct nic_config memif = {.kind = NIC_MEMIF};
	const unsigned count = sizeof(folders) / sizeof(folders[0]);
	SW_ASSERT_TRUE(mkdtemp(sys) != NULL);
	SW_EXPECT_EQ(takeover_numa_node(sys, &pci), -1);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", sys, folders[i]);
		SW_ASSERT_EQ(mkdir(path, 0700), 0);
	}
	write_file(sys, "bus/pci/devices/0000:3b:00.0/numa_node", "1\n");
	write_file(sys, "class/net/eth5/device/numa_node", "2\n");
	SW_EXPECT_EQ(takeover_numa_node(sys, &pci), 1);
	SW_EXPECT_EQ(takeover_numa_node(sys, &xdp), 2);
	SW_EXPECT_EQ(takeover_numa_node(sys, &vdev), 2);
	SW_EXPECT_EQ(takeover_numa_node(sys, &memif), -1);
	write_file(sys, "bus/pci/devices/0000:3b:00.0/numa_node", NULL);
	write_file(sys, "class/net/eth5/device/numa_node", NULL);
	for (unsigned i = count; i-- > 0;) {
		(void)snprintf(path, sizeof(path), "%s/%s", sys, folders[i]);
		(void)rmdir(path);
	}
	(void)rmdir(sys);
}
