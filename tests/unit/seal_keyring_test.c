#include "sw_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seal/seal.h"

#define KEY1 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY2 "FFEEDDCCBBAA99887766554433221100ffeeddccbbaa99887766554433221100"

static char error[SEAL_ERROR_MAX];

static int parse(const char *text, struct seal_keyring *ring)
{
	error[0] = '\0';
	return seal_keyring_parse("ring", text, strlen(text), ring, error);
}

SW_TEST(seal_keyring, lines_are_keys_and_one_is_for_sending)
{
	struct seal_keyring ring;
	SW_ASSERT_EQ(parse("# ours\n\n 1 " KEY1 "  # old\n\t255 " KEY2 " send\r\n", &ring), 0);
	SW_ASSERT_EQ(ring.count, 2u);
	SW_EXPECT_EQ(ring.send_id, 255);
	SW_EXPECT_EQ(ring.keys[0].id, 1);
	SW_EXPECT_EQ(ring.keys[1].id, 255);
	for (unsigned i = 0; i < SEAL_CLUSTER_KEY_LEN; i++)
		SW_EXPECT_EQ(ring.keys[0].bytes[i], i);
	SW_EXPECT_EQ(ring.keys[1].bytes[0], 0xff);
	SW_EXPECT_EQ(ring.keys[1].bytes[31], 0);
	SW_EXPECT_TRUE(seal_keyring_find(&ring, 255) == &ring.keys[1]);
	SW_EXPECT_TRUE(seal_keyring_find(&ring, 2) == NULL);
}

struct mistake {
	const char *name;
	const char *text;
	const char *error;
};

static const struct mistake mistakes[] = {
	{"empty", "", "ring: holds no key; make one with swimlanectl key new"},
	{"only_comments", "# nothing\n", "ring: holds no key; make one with swimlanectl key new"},
	{"none_for_sending", "1 " KEY1 "\n",
		"ring: no key is marked send; mark one with swimlanectl key use FILE ID"},
	{"two_for_sending", "1 " KEY1 " send\n2 " KEY2 " send\n",
		"ring:2: keys 1 and 2 are both for sending; mark one"},
	{"id_twice", "1 " KEY1 " send\n1 " KEY2 "\n",
		"ring:2: key 1 is there twice; give each key an id of its own"},
	{"key_twice", "1 " KEY1 " send\n2 " KEY1 "\n",
		"ring:2: keys 1 and 2 are the same; make a new one"},
	{"id_zero", "0 " KEY1 " send\n",
		"ring:1: does not begin with a key id from 1 to 255; a line is ID HEX, and send "
		"behind the key that is used for sending"},
	{"id_too_large", "256 " KEY1 " send\n",
		"ring:1: does not begin with a key id from 1 to 255; a line is ID HEX, and send "
		"behind the key that is used for sending"},
	{"key_alone", KEY1 "\n",
		"ring:1: does not begin with a key id from 1 to 255; a line is ID HEX, and send "
		"behind the key that is used for sending"},
	{"no_key", "7\n", "ring:1: key 7 is not 64 hexadecimal digits"},
	{"short_key", "7 " KEY1 "\b send\n", "ring:1: key 7 is not 64 hexadecimal digits"},
	{"no_hex", "\n7 x" KEY1 " send\n", "ring:2: key 7 is not 64 hexadecimal digits"},
	{"another_word", "7 " KEY1 " sent\n",
		"ring:1: behind key 7 may stand nothing but the word send"},
	{"a_word_too_many", "7 " KEY1 " send it\n",
		"ring:1: behind key 7 may stand nothing but the word send"},
};

SW_TEST_TABLE(seal_keyring, mistake_is_told_without_the_key, const struct mistake *row, mistakes)
{
	struct seal_keyring ring;
	SW_EXPECT_EQ(parse(row->text, &ring), -EINVAL);
	SW_EXPECT_STR(error, row->error);
	SW_EXPECT_EQ(ring.count, 0u);
	SW_EXPECT_TRUE(strstr(error, "0102030405") == NULL);
}

SW_TEST(seal_keyring, line_too_long_and_zero_byte_are_refused)
{
	struct seal_keyring ring;
	char text[600];
	memset(text, ' ', sizeof(text));
	SW_EXPECT_EQ(seal_keyring_parse("ring", text, sizeof(text), &ring, error), -EINVAL);
	SW_EXPECT_STR(error, "ring:1: is no line of a keyring");
	SW_EXPECT_EQ(seal_keyring_parse("ring", "1\0 2", 4, &ring, error), -EINVAL);
	SW_EXPECT_STR(error, "ring:1: is no line of a keyring");
}

SW_TEST(seal_keyring, fifth_key_is_refused)
{
	struct seal_keyring ring = {.count = 0};
	uint8_t id = 0;
	for (unsigned i = 1; i <= SEAL_KEYS_MAX; i++) {
		SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
		SW_EXPECT_EQ(id, i);
	}
	SW_EXPECT_EQ(ring.send_id, 1);
	SW_EXPECT_EQ(seal_keyring_add(&ring, &id, error), -ENOSPC);
	for (unsigned i = 1; i < SEAL_KEYS_MAX; i++)
		SW_EXPECT_NE(
			memcmp(ring.keys[0].bytes, ring.keys[i].bytes, SEAL_CLUSTER_KEY_LEN), 0);
}

SW_TEST(seal_keyring, ids_go_on_from_the_largest_and_begin_again_behind_the_last)
{
	struct seal_keyring ring = {.count = 1, .send_id = 254, .keys = {{.id = 254}}};
	uint8_t id = 0;
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	SW_EXPECT_EQ(id, 255);
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	SW_EXPECT_EQ(id, 1);
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	SW_EXPECT_EQ(id, 2);
}

/* ---- files ---- */

static char folder[64];

static const char *path_of(const char *name)
{
	static char path[128];
	if (folder[0] == '\0') {
		(void)snprintf(folder, sizeof(folder), "/tmp/seal_keyring_XXXXXX");
		SW_EXPECT_TRUE(mkdtemp(folder) != NULL);
	}
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

SW_TEST(seal_keyring, saved_ring_is_for_its_owner_alone_and_comes_back)
{
	struct seal_keyring ring = {.count = 0}, again;
	struct stat st;
	uint8_t id;
	const char *path = path_of("saved");
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	ring.send_id = 2;
	(void)umask(0);
	SW_ASSERT_EQ(seal_keyring_save(path, &ring, true, error), 0);
	SW_ASSERT_EQ(stat(path, &st), 0);
	SW_EXPECT_EQ(st.st_mode & 07777, 0600u);
	SW_ASSERT_EQ(seal_keyring_load(path, &again, error), 0);
	SW_EXPECT_MEM(&again, &ring, sizeof(ring));
	SW_EXPECT_EQ(seal_keyring_save(path, &ring, true, error), -EEXIST);
	ring.send_id = 1;
	SW_ASSERT_EQ(seal_keyring_save(path, &ring, false, error), 0);
	SW_ASSERT_EQ(seal_keyring_load(path, &again, error), 0);
	SW_EXPECT_EQ(again.send_id, 1);
	(void)unlink(path);
	(void)rmdir(folder);
	folder[0] = '\0';
}

struct mode_row {
	const char *name;
	mode_t mode;
	int rc;
};

static const struct mode_row modes[] = {{"owner", 0600, 0}, {"owner_reads", 0400, 0},
	{"group_reads", 0640, -EPERM}, {"others_read", 0604, -EPERM},
	{"group_writes", 0620, -EPERM}, {"others_search", 0601, -EPERM},
	{"everybody", 0666, -EPERM}};

SW_TEST_TABLE(seal_keyring, loose_permissions_are_refused, const struct mode_row *row, modes)
{
	struct seal_keyring ring = {.count = 0}, again;
	uint8_t id;
	const char *path = path_of("mode");
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	SW_ASSERT_EQ(seal_keyring_save(path, &ring, true, error), 0);
	SW_ASSERT_EQ(chmod(path, row->mode), 0);
	SW_EXPECT_EQ(seal_keyring_load(path, &again, error), row->rc);
	if (row->rc < 0) {
		SW_EXPECT_TRUE(strstr(error, "chmod 600") != NULL);
		SW_EXPECT_EQ(again.count, 0u);
	}
	(void)unlink(path);
	(void)rmdir(folder);
	folder[0] = '\0';
}

SW_TEST(seal_keyring, somebody_elses_file_is_refused)
{
	struct seal_keyring ring = {.count = 0};
	uint8_t id;
	const char *path = path_of("owner");
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	SW_ASSERT_EQ(seal_keyring_save(path, &ring, true, error), 0);
	if (geteuid() == 0) { /* nobody else can give files away */
		SW_ASSERT_EQ(chown(path, 65534, 65534), 0);
		SW_EXPECT_EQ(seal_keyring_load(path, &ring, error), -EPERM);
		SW_EXPECT_TRUE(strstr(error, "belongs to user 65534") != NULL);
	}
	(void)unlink(path);
	(void)rmdir(folder);
	folder[0] = '\0';
}

SW_TEST(seal_keyring, folder_device_and_absent_file_are_refused)
{
	struct seal_keyring ring;
	SW_EXPECT_EQ(seal_keyring_load("/", &ring, error), -EINVAL);
	SW_EXPECT_STR(error, "/: is no ordinary file");
	SW_EXPECT_EQ(seal_keyring_load("/dev/zero", &ring, error), -EINVAL);
	SW_EXPECT_EQ(seal_keyring_load("/nowhere/ring", &ring, error), -ENOENT);
	SW_EXPECT_STR(error, "/nowhere/ring: cannot be opened: No such file or directory");
}

SW_TEST(seal_keyring, fingerprints_tell_keys_apart)
{
	struct seal_keyring ring = {.count = 0};
	char a[SEAL_FINGERPRINT_MAX], b[SEAL_FINGERPRINT_MAX];
	uint8_t id;
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	SW_ASSERT_EQ(seal_keyring_add(&ring, &id, error), 0);
	seal_fingerprint(&ring.keys[0], a);
	seal_fingerprint(&ring.keys[1], b);
	SW_EXPECT_EQ(strlen(a), 16u);
	SW_EXPECT_NE(strcmp(a, b), 0);
	seal_fingerprint(&ring.keys[0], b);
	SW_EXPECT_STR(a, b);
}
