/* The driver files of drivers-config/: each is right, and what is wrong in one is said. */
#include "sw_test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nic/driver.h"
#include "nic/nic.h"

static const char *const served[] = {"mlx5_pci", "net_ice", "net_i40e", "net_iavf", "net_ixgbe",
	"net_ixgbe_vf", "net_e1000_em", "net_e1000_igb", "net_igc", "net_bnxt", "net_ena",
	"net_gve", "net_virtio", "net_vmxnet3", "net_af_xdp", "net_af_packet", "net_memif",
	"net_tap", "net_virtio_user", "net_null", "net_ring"};

static char text[65536];

static bool load(const char *path)
{
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	return fclose(f) == 0;
}

SW_TEST(nic_driver, every_file_of_the_folder_loads_and_its_name_is_its_family)
{
	char path[512], error[NIC_ERROR_MAX] = "";
	const char *source = getenv("SW_SOURCE");
	SW_ASSERT_TRUE(source != NULL);
	(void)snprintf(path, sizeof(path), "%s/drivers-config", source);
	DIR *folder = opendir(path);
	SW_ASSERT_TRUE(folder != NULL);
	int count = 0;
	for (struct dirent *d; (d = readdir(folder)) != NULL;) {
		char *end = strstr(d->d_name, ".yaml");
		struct nic_driver *driver;
		if (end == NULL)
			continue;
		(void)snprintf(path, sizeof(path), "%s/drivers-config/%.200s", source, d->d_name);
		SW_ASSERT_TRUE(load(path));
		if (nic_driver_parse(d->d_name, text, &driver, error) < 0) {
			SW_FAIL("%s", error);
			continue;
		}
		*end = '\0';
		SW_EXPECT_STR(driver->family, d->d_name);
		SW_EXPECT_GE(driver->mtu_max, 1460);
		count++;
		nic_driver_free(driver);
	}
	(void)closedir(folder);
	SW_EXPECT_EQ(count, 20);
}

SW_TEST(nic_driver, each_driver_that_is_promised_is_served_by_what_is_built_in)
{
	char from[NIC_ERROR_MAX], error[NIC_ERROR_MAX];
	for (unsigned i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
		struct nic_driver *driver;
		if (nic_driver_find("", served[i], &driver, from, error) < 0)
			SW_FAIL("%s", error);
		else
			nic_driver_free(driver);
	}
	struct nic_driver *driver;
	SW_EXPECT_EQ(nic_driver_find("", "net_nosuch", &driver, from, error), -ENOENT);
	SW_ASSERT_EQ(nic_driver_find_kernel("", "mlx5_core", &driver, from, error), 0);
	SW_EXPECT_STR(driver->family, "mlx5");
	SW_EXPECT_EQ(driver->steering[0], NIC_STEER_ISOLATE);
	nic_driver_free(driver);
}

SW_TEST(nic_driver, a_file_of_the_operator_s_comes_first)
{
	char folder[] = "/tmp/nic_driver_test.XXXXXX", path[64], from[NIC_ERROR_MAX];
	char error[NIC_ERROR_MAX];
	struct nic_driver *driver;
	SW_ASSERT_TRUE(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/drivers-config/null.yaml", ".");
	char source[512];
	(void)snprintf(source, sizeof(source), "%s/drivers-config/null.yaml", getenv("SW_SOURCE"));
	SW_ASSERT_TRUE(load(source));
	char *family = strstr(text, "family: null");
	SW_ASSERT_TRUE(family != NULL);
	memcpy(family + 8, "mine", 4);
	(void)snprintf(path, sizeof(path), "%s/mine.yaml", folder);
	FILE *f = fopen(path, "we");
	SW_ASSERT_TRUE(f != NULL);
	(void)fputs(text, f);
	(void)fclose(f);
	SW_ASSERT_EQ(nic_driver_find(folder, "net_null", &driver, from, error), 0);
	SW_EXPECT_STR(driver->family, "mine");
	SW_EXPECT_STR(from, path);
	nic_driver_free(driver);
	SW_ASSERT_EQ(nic_driver_find(folder, "net_ring", &driver, from, error), 0);
	nic_driver_free(driver);
	(void)unlink(path);
	(void)rmdir(folder);
	SW_EXPECT_EQ(nic_driver_find(folder, "net_null", &driver, from, error), -ENOENT);
}

struct mistake_row {
	const char *name;
	const char *from;
	const char *to;
	const char *says;
};

static const struct mistake_row mistake_rows[] = {
	{"unknown_key", "about:", "abuot:", "abuot"},
	{"missing_key", "mtu_max: 9000", "", "mtu_max"},
	{"steering_that_is_none", "steering: [software]", "steering: [magic]", "magic"},
	{"capability_that_is_none", "capabilities: []", "capabilities: [CAP_MAGIC]", "CAP_MAGIC"},
	{"number_too_large", "mtu_max: 9000", "mtu_max: 90000", "90000"},
	{"no_driver", "drivers: [net_null]", "drivers: []", "drivers"},
};

SW_TEST_TABLE(nic_driver, mistake_is_told, const struct mistake_row *row, mistake_rows)
{
	char source[512], wrong[65536], error[NIC_ERROR_MAX] = "";
	struct nic_driver *driver;
	(void)snprintf(source, sizeof(source), "%s/drivers-config/null.yaml", getenv("SW_SOURCE"));
	SW_ASSERT_TRUE(load(source));
	char *at = strstr(text, row->from);
	SW_ASSERT_TRUE(at != NULL);
	(void)snprintf(wrong, sizeof(wrong), "%.*s%s%s", (int)(at - text), text, row->to,
		at + strlen(row->from));
	SW_ASSERT_EQ(nic_driver_parse("null.yaml", wrong, &driver, error), -EINVAL);
	if (strstr(error, row->says) == NULL)
		SW_FAIL("\"%s\" does not say \"%s\"", error, row->says);
}
