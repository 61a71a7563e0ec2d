#include "nic/driver.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>
#include <linux/capability.h>

#include "nic/port.h"

#include "driver_files.h"

enum { ITEMS_MAX = 16, FILE_MAX = 64 * 1024, TEXT_MAX = 400 };

static const cyaml_strval_t accesses[] = {{"bound", NIC_ACCESS_BOUND},
	{"bifurcated", NIC_ACCESS_BIFURCATED}, {"interface", NIC_ACCESS_INTERFACE},
	{"virtual", NIC_ACCESS_VIRTUAL}};
static const cyaml_strval_t keeps[] = {{"nothing", NIC_KEEPS_NOTHING},
	{"the_rest", NIC_KEEPS_THE_REST}, {"everything", NIC_KEEPS_EVERYTHING}};
static const cyaml_strval_t steerings[] = {{"isolate", NIC_STEER_ISOLATE},
	{"flow_rules", NIC_STEER_FLOW_RULES}, {"xdp", NIC_STEER_XDP}, {"rss", NIC_STEER_RSS},
	{"software", NIC_STEER_SOFTWARE}};
static const cyaml_strval_t offloads[] = {
	{"ipv4_checksum", NIC_OFFLOAD_IPV4_CHECKSUM}, {"udp_checksum", NIC_OFFLOAD_UDP_CHECKSUM}};
static const cyaml_strval_t quirks[] = {
	{"all_multicast", NIC_QUIRK_ALL_MULTICAST}, {"tx_prepare", NIC_QUIRK_TX_PREPARE}};
static const cyaml_strval_t capabilities[] = {{"CAP_NET_ADMIN", 1 << CAP_NET_ADMIN},
	{"CAP_NET_RAW", 1 << CAP_NET_RAW}, {"CAP_IPC_LOCK", 1 << CAP_IPC_LOCK},
	{"CAP_SYS_RAWIO", 1 << CAP_SYS_RAWIO}, {"CAP_SYS_ADMIN", 1 << CAP_SYS_ADMIN}};

static const cyaml_schema_value_t text_item = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, TEXT_MAX)};
static const cyaml_schema_value_t steering_item = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, int, steerings, CYAML_ARRAY_LEN(steerings))};

#define TEXT(member)                                                                               \
	CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER, struct nic_driver, member, 1, TEXT_MAX)
#define NUMBER(member) CYAML_FIELD_UINT(#member, CYAML_FLAG_DEFAULT, struct nic_driver, member)
#define FLAGS(member, strings)                                                                     \
	CYAML_FIELD_FLAGS(#member, CYAML_FLAG_STRICT, struct nic_driver, member, strings,          \
		CYAML_ARRAY_LEN(strings))
#define CHOICE(member, strings)                                                                    \
	CYAML_FIELD_ENUM(#member, CYAML_FLAG_STRICT, struct nic_driver, member, strings,           \
		CYAML_ARRAY_LEN(strings))

/* Every key is required: a file says all of it, and nothing is left to guess. */
static const cyaml_schema_field_t fields[] = {
	TEXT(family),
	TEXT(about),
	CYAML_FIELD_SEQUENCE("drivers", CYAML_FLAG_POINTER, struct nic_driver, drivers, &text_item,
		1, ITEMS_MAX),
	CYAML_FIELD_SEQUENCE("kernel_drivers", CYAML_FLAG_POINTER, struct nic_driver,
		kernel_drivers, &text_item, 0, ITEMS_MAX),
	CHOICE(access, accesses),
	CHOICE(kernel_keeps, keeps),
	CYAML_FIELD_SEQUENCE("steering", CYAML_FLAG_POINTER, struct nic_driver, steering,
		&steering_item, 1, ITEMS_MAX),
	FLAGS(rx_offloads, offloads),
	FLAGS(tx_offloads, offloads),
	NUMBER(rx_descriptors),
	NUMBER(tx_descriptors),
	NUMBER(mtu_max),
	CYAML_FIELD_BOOL("rx_interrupts", CYAML_FLAG_DEFAULT, struct nic_driver, rx_interrupts),
	FLAGS(quirks, quirks),
	FLAGS(capabilities, capabilities),
	TEXT(take),
	TEXT(check),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct nic_driver, fields)};

/* libcyaml's words: what is wrong, and where. */
struct complaint {
	char what[160];
	char where[160];
};

static void hear(cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct complaint *c = context;
	char line[160];
	(void)level;
	(void)vsnprintf(line, sizeof(line), format, args); /* longer ones are cut off */
	line[strcspn(line, "\n")] = '\0';
	char *to = c->what[0] == '\0'                              ? c->what
		   : strstr(line, "line:") != NULL && !c->where[0] ? c->where
								   : NULL;
	if (to != NULL)
		memcpy(to, line, sizeof(line));
}

static cyaml_config_t quiet(struct complaint *complaint)
{
	return (cyaml_config_t){
		.log_fn = hear,
		.log_ctx = complaint,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

int nic_driver_parse(const char *name, const char *text, struct nic_driver **out, char *error)
{
	struct complaint complaint = {.what = ""};
	cyaml_config_t config = quiet(&complaint);
	cyaml_data_t *data = NULL;
	cyaml_err_t err =
		cyaml_load_data((const uint8_t *)text, strlen(text), &config, &schema, &data, NULL);
	*out = data;
	if (err == CYAML_OK && data != NULL)
		return 0;
	return nic_fail(error, err == CYAML_ERR_OOM ? -ENOMEM : -EINVAL,
		"driver file %s: %s %s (%s); drivers-config/README.md explains each key", name,
		complaint.what, complaint.where, cyaml_strerror(err));
}

void nic_driver_free(struct nic_driver *driver)
{
	struct complaint complaint = {.what = ""};
	cyaml_config_t config = quiet(&complaint);
	if (driver != NULL)
		(void)cyaml_free(&config, &schema, driver, 0); /* fails on a NULL schema alone */
}

struct wanted {
	const char *name;
	bool kernels; /* a kernel driver's name */
};

static bool serves(const struct nic_driver *driver, const struct wanted *wanted)
{
	char **names = wanted->kernels ? driver->kernel_drivers : driver->drivers;
	uint32_t count = wanted->kernels ? driver->kernel_drivers_count : driver->drivers_count;
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(names[i], wanted->name) == 0)
			return true;
	return false;
}

/* 1: found; 0: it is another driver's; -errno. */
static int try_text(const char *name, const char *text, const struct wanted *wanted,
	struct nic_driver **out, char *from, char *error)
{
	struct nic_driver *driver;
	int rc = nic_driver_parse(name, text, &driver, error);
	if (rc < 0)
		return rc;
	if (!serves(driver, wanted)) {
		nic_driver_free(driver);
		return 0;
	}
	(void)snprintf(from, NIC_ERROR_MAX, "%s", name);
	*out = driver;
	return 1;
}

static int try_file(const char *folder, const char *name, const struct wanted *wanted,
	struct nic_driver **out, char *from, char *error)
{
	char path[NIC_ERROR_MAX];
	static char text[FILE_MAX];
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return nic_fail(error, -ENAMETOOLONG, "driver file %s: its path is too long", name);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return nic_fail(error, -errno, "driver file %s: %s", path, strerror(errno));
	size_t len = fread(text, 1, sizeof(text) - 1, f);
	bool whole = feof(f) != 0;
	(void)fclose(f);
	if (!whole)
		return nic_fail(error, -EFBIG,
			"driver file %s: cannot be read whole; %d bytes are the limit", path,
			FILE_MAX - 1);
	text[len] = '\0';
	return try_text(path, text, wanted, out, from, error);
}

static int search_folder(const char *folder, const struct wanted *wanted, struct nic_driver **out,
	char *from, char *error)
{
	struct dirent **names;
	int rc = 0, count = scandir(folder, &names, NULL, alphasort);
	if (count < 0)
		return nic_fail(error, -errno, "driver files: %s: %s; correct port.drivers_dir",
			folder, strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *end = strrchr(names[i]->d_name, '.');
		if (rc == 0 && end != NULL && strcmp(end, ".yaml") == 0)
			rc = try_file(folder, names[i]->d_name, wanted, out, from, error);
		free(names[i]);
	}
	free(names);
	return rc;
}

static int find(const char *folder, const struct wanted *wanted, struct nic_driver **out,
	char *from, char *error)
{
	int rc = folder[0] == '\0' ? 0 : search_folder(folder, wanted, out, from, error);
	for (unsigned i = 0; rc == 0 && i < sizeof(driver_files) / sizeof(driver_files[0]); i++)
		rc = try_text(driver_files[i].name, driver_files[i].text, wanted, out, from, error);
	if (rc == 0)
		return nic_fail(error, -ENOENT, "no driver file serves %s", wanted->name);
	return rc < 0 ? rc : 0;
}

int nic_driver_find(const char *folder, const char *driver_name, struct nic_driver **out,
	char *from, char *error)
{
	return find(folder, &(struct wanted){driver_name, false}, out, from, error);
}

int nic_driver_find_kernel(const char *folder, const char *kernel_driver, struct nic_driver **out,
	char *from, char *error)
{
	return find(folder, &(struct wanted){kernel_driver, true}, out, from, error);
}

const char *nic_steering_name(enum nic_steering steering)
{
	return steerings[steering].str;
}

const char *nic_keeps_name(enum nic_keeps kept)
{
	return keeps[kept].str;
}
