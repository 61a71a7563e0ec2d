#include "sw_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "epoch.h"

/* A folder of its own for each test, and what is in its file. */
struct folder {
	char path[64];
	char file[80];
	char fresh[90];
};

static char error[512];

static struct folder folder_create(void)
{
	struct folder f = {.path = "/tmp/swimlane_epoch_XXXXXX"};
	SW_EXPECT_TRUE(mkdtemp(f.path) != NULL);
	snprintf(f.file, sizeof(f.file), "%s/epoch", f.path);
	snprintf(f.fresh, sizeof(f.fresh), "%s.new", f.file);
	error[0] = '\0';
	return f;
}

static void folder_destroy(const struct folder *f)
{
	(void)unlink(f->file);
	(void)unlink(f->fresh);
	SW_EXPECT_EQ(rmdir(f->path), 0);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	SW_ASSERT_TRUE(file != NULL);
	(void)fputs(text, file);
	SW_EXPECT_EQ(fclose(file), 0);
}

static unsigned long read_file(const char *path)
{
	char text[32] = "";
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	(void)fclose(file);
	return strtoul(text, NULL, 10);
}

SW_TEST(epoch, without_a_folder_it_is_the_clock)
{
	uint32_t first = 0, second = 0;
	SW_EXPECT_EQ(epoch_next("", &first, error, sizeof(error)), 0);
	SW_EXPECT_EQ(epoch_next("", &second, error, sizeof(error)), 0);
	SW_EXPECT_GE(first, 1u);
	SW_EXPECT_GE(second, first);
	SW_EXPECT_EQ(epoch_remember("", 7, error, sizeof(error)), 0);
}

SW_TEST(epoch, first_start_is_remembered)
{
	struct folder f = folder_create();
	uint32_t epoch = 0;
	SW_EXPECT_EQ(epoch_next(f.path, &epoch, error, sizeof(error)), 0);
	SW_EXPECT_GE(epoch, 1u);
	SW_EXPECT_EQ(read_file(f.file), (unsigned long)epoch);
	SW_EXPECT_NE(access(f.fresh, F_OK), 0);
	folder_destroy(&f);
}

SW_TEST(epoch, grows_with_each_start_even_within_a_second)
{
	struct folder f = folder_create();
	uint32_t last = 0;
	for (int i = 0; i < 20; i++) {
		uint32_t epoch = 0;
		SW_ASSERT_EQ(epoch_next(f.path, &epoch, error, sizeof(error)), 0);
		SW_EXPECT_GT(epoch, last);
		last = epoch;
	}
	folder_destroy(&f);
}

SW_TEST(epoch, grows_when_the_clock_went_back)
{
	struct folder f = folder_create();
	uint32_t epoch = 0;
	SW_EXPECT_EQ(epoch_remember(f.path, 4000000000u, error, sizeof(error)), 0);
	SW_EXPECT_EQ(epoch_next(f.path, &epoch, error, sizeof(error)), 0);
	SW_EXPECT_EQ(epoch, 4000000001u);
	SW_EXPECT_EQ(epoch_next(f.path, &epoch, error, sizeof(error)), 0);
	SW_EXPECT_EQ(epoch, 4000000002u);
	folder_destroy(&f);
}

SW_TEST(epoch, the_clock_counts_when_it_is_ahead_of_what_is_remembered)
{
	struct folder f = folder_create();
	uint32_t clock = 0, epoch = 0;
	SW_EXPECT_EQ(epoch_next("", &clock, error, sizeof(error)), 0);
	SW_EXPECT_EQ(epoch_remember(f.path, 1, error, sizeof(error)), 0);
	SW_EXPECT_EQ(epoch_next(f.path, &epoch, error, sizeof(error)), 0);
	SW_EXPECT_GE(epoch, clock);
	SW_EXPECT_GT(epoch, 2u);
	folder_destroy(&f);
}

SW_TEST(epoch, what_a_crash_left_beside_the_file_does_not_matter)
{
	struct folder f = folder_create();
	uint32_t epoch = 0;
	write_file(f.file, "4000000000\n");
	write_file(f.fresh, "40000000"); /* cut off before the rename */
	SW_EXPECT_EQ(epoch_next(f.path, &epoch, error, sizeof(error)), 0);
	SW_EXPECT_EQ(epoch, 4000000001u);
	SW_EXPECT_EQ(read_file(f.file), 4000000001ul);
	folder_destroy(&f);
}

struct damage_row {
	const char *name;
	const char *text;
};

static const struct damage_row damage_rows[] = {
	{"an empty file", ""},
	{"no number", "epoch\n"},
	{"more than a number", "12 monkeys\n"},
	{"a negative number", "-7\n"},
	{"the largest number, above which there is none", "4294967295\n"},
	{"a number of 64 bits", "18446744073709551615\n"},
};

SW_TEST_TABLE(
	epoch, damaged_file_is_told_and_not_written_over, const struct damage_row *row, damage_rows)
{
	struct folder f = folder_create();
	uint32_t epoch = 0;
	write_file(f.file, row->text);
	unsigned long before = read_file(f.file);
	SW_EXPECT_EQ(epoch_next(f.path, &epoch, error, sizeof(error)), -EINVAL);
	SW_EXPECT_TRUE(strstr(error, f.file) != NULL);
	SW_EXPECT_TRUE(strstr(error, "remove the file") != NULL);
	SW_EXPECT_EQ(read_file(f.file), before);
	folder_destroy(&f);
}

SW_TEST(epoch, folder_that_is_missing_is_told)
{
	struct folder f = folder_create();
	char missing[80];
	uint32_t epoch = 0;
	snprintf(missing, sizeof(missing), "%s/none", f.path);
	SW_EXPECT_EQ(epoch_next(missing, &epoch, error, sizeof(error)), -ENOENT);
	SW_EXPECT_TRUE(strstr(error, "state_dir") != NULL && strstr(error, missing) != NULL);
	SW_EXPECT_EQ(epoch_remember(missing, 5, error, sizeof(error)), -ENOENT);
	folder_destroy(&f);
}

SW_TEST(epoch, folder_that_is_a_file_is_told)
{
	struct folder f = folder_create();
	uint32_t epoch = 0;
	write_file(f.file, "1\n");
	SW_EXPECT_EQ(epoch_next(f.file, &epoch, error, sizeof(error)), -ENOTDIR);
	SW_EXPECT_TRUE(strstr(error, "state_dir") != NULL);
	SW_EXPECT_EQ(epoch_remember(f.file, 5, error, sizeof(error)), -ENOTDIR);
	folder_destroy(&f);
}
