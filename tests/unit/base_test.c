#include "sw_test.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/random.h"

SW_TEST(bytes, integers_are_big_endian_and_come_back)
{
	uint8_t buf[15];
	struct sw_writer w = sw_writer_init(buf, sizeof(buf));
	sw_put_u8(&w, 0x01);
	sw_put_u16(&w, 0x0203);
	sw_put_u32(&w, 0x04050607);
	sw_put_u64(&w, 0x08090a0b0c0d0e0fULL);
	SW_EXPECT_FALSE(w.failed);
	for (unsigned i = 0; i < sizeof(buf); i++)
		SW_EXPECT_EQ(buf[i], i + 1u);

	struct sw_reader r = sw_reader_init(buf, sizeof(buf));
	SW_EXPECT_EQ(sw_get_u8(&r), 0x01u);
	SW_EXPECT_EQ(sw_get_u16(&r), 0x0203u);
	SW_EXPECT_EQ(sw_get_u32(&r), 0x04050607u);
	SW_EXPECT_EQ(sw_get_u64(&r), 0x08090a0b0c0d0e0fULL);
	SW_EXPECT_FALSE(r.failed);
	SW_EXPECT_EQ(sw_reader_left(&r), 0u);
}

SW_TEST(bytes, reading_past_the_end_fails_for_good_and_gives_zeros)
{
	uint8_t buf[3] = {1, 2, 3};
	struct sw_reader r = sw_reader_init(buf, sizeof(buf));
	SW_EXPECT_EQ(sw_get_u32(&r), 0u);
	SW_EXPECT_TRUE(r.failed);
	SW_EXPECT_EQ(sw_get_u8(&r), 0u);
	SW_EXPECT_EQ(sw_reader_left(&r), 0u);
}

SW_TEST(bytes, writing_past_the_end_fails_for_good_and_writes_nothing)
{
	uint8_t buf[4] = {9, 9, 9, 9};
	struct sw_writer w = sw_writer_init(buf, 3);
	sw_put_u32(&w, 0);
	SW_EXPECT_TRUE(w.failed);
	sw_put_u8(&w, 0);
	for (unsigned i = 0; i < sizeof(buf); i++)
		SW_EXPECT_EQ(buf[i], 9u);
}

struct endpoint_row {
	const char *text;
	const char *printed; /* NULL: refused */
};

static const struct endpoint_row endpoint_rows[] = {
	{"10.0.0.1:7946", "10.0.0.1:7946"},
	{"10.0.0.1", "10.0.0.1:4000"},
	{"[2001:db8::1]:80", "[2001:db8::1]:80"},
	{"2001:db8::1", "[2001:db8::1]:4000"},
	{"[::1]", "[::1]:4000"},
	{"", NULL},
	{"host", NULL},
	{"10.0.0.1:", NULL},
	{"10.0.0.1:0", NULL},
	{"10.0.0.1:65536", NULL},
	{"10.0.0.1:+1", NULL},
	{"10.0.0.1:80x", NULL},
	{"10.0.0.256", NULL},
	{"[::1", NULL},
	{"[::1]x", NULL},
	{"[]:1", NULL},
};

SW_TEST_TABLE(endpoint, parses_or_refuses, const struct endpoint_row *row, endpoint_rows)
{
	struct sw_endpoint e;
	char text[SW_ENDPOINT_TEXT_MAX];
	int rc = sw_endpoint_parse(row->text, 4000, &e);
	if (row->printed == NULL) {
		SW_EXPECT_EQ(rc, -EINVAL);
		return;
	}
	SW_ASSERT_EQ(rc, 0);
	SW_EXPECT_STR(sw_endpoint_format(&e, text), row->printed);
}

SW_TEST(random, same_seed_same_run_other_seed_another)
{
	struct sw_random a = sw_random_seed(7), b = sw_random_seed(7), c = sw_random_seed(8);
	int same = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t x = sw_random_u64(&a);
		SW_EXPECT_EQ(x, sw_random_u64(&b));
		same += x == sw_random_u64(&c);
	}
	SW_EXPECT_EQ(same, 0);
}

SW_TEST(random, below_is_in_range_and_even)
{
	struct sw_random r = sw_random_seed(1);
	unsigned seen[10] = {0};
	for (int i = 0; i < 100000; i++) {
		uint64_t v = sw_random_below(&r, 10);
		SW_ASSERT_TRUE(v < 10);
		seen[v]++;
	}
	for (int i = 0; i < 10; i++) { /* 10,000 each, six standard deviations either way */
		SW_EXPECT_GT(seen[i], 9430u);
		SW_EXPECT_LT(seen[i], 10570u);
	}
}
