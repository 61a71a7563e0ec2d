#include "sw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "table.h"
#include "text.h"
#include "units.h"

struct number_row {
	const char *name;
	char *(*write)(int64_t value, char *text);
	int64_t value;
	const char *text;
};

static char *latency(int64_t value, char *text)
{
	return units_latency_us((double)value, text);
}

static const struct number_row number_rows[] = {
	{"microseconds", latency, 850, "850 us"},
	{"a millisecond", latency, 1000, "1.00 ms"},
	{"milliseconds", latency, 1250, "1.25 ms"},
	{"many milliseconds", latency, 250000, "250 ms"},
	{"seconds", latency, 3200000, "3.20 s"},
	{"age of a future", units_age_ms, -5, "0 ms"},
	{"age under a second", units_age_ms, 999, "999 ms"},
	{"age in seconds", units_age_ms, 3200, "3.2 s"},
	{"age in minutes", units_age_ms, 270000, "4.5 min"},
	{"age in hours", units_age_ms, 3 * 3600000LL, "3.0 h"},
	{"age in days", units_age_ms, 12 * 86400000LL, "12.0 d"},
	{"count of three digits", units_count, 999, "999"},
	{"count of thousands", units_count, 1000, "1,000"},
	{"count of millions", units_count, 1234567, "1,234,567"},
	{"negative count", units_count, -123456, "-123,456"},
	{"largest count", units_count, INT64_MAX, "9,223,372,036,854,775,807"},
	{"smallest count", units_count, INT64_MIN, "-9,223,372,036,854,775,808"},
	{"bytes", units_bytes, 1023, "1023 B"},
	{"kibibytes", units_bytes, 1536, "1.5 KiB"},
	{"gibibytes", units_bytes, 3LL << 30, "3.0 GiB"},
	{"a time before 1970", units_wall_ms, -1, "-"},
};

SW_TEST_TABLE(units, number_has_its_unit, const struct number_row *row, number_rows)
{
	char text[UNITS_TEXT_MAX];
	SW_EXPECT_STR(row->write(row->value, text), row->text);
}

struct duration_row {
	const char *text;
	int ms; /* 0: refused */
};

static const struct duration_row duration_rows[] = {
	{"5", 5000},
	{"5s", 5000},
	{"500ms", 500},
	{"1.5s", 1500},
	{"0.25", 250},
	{"2m", 120000},
	{"2min", 120000},
	{"1h", 3600000},
	{"", 0},
	{"0", 0},
	{"0ms", 0},
	{"-1", 0},
	{"+1", 0},
	{" 1", 0},
	{"1 s", 0},
	{"1us", 0},
	{"0x10", 0},
	{"nan", 0},
	{"inf", 0},
	{"s", 0},
	{"1e300", 0},
	{"9999999h", 0},
};

SW_TEST_TABLE(units, duration_is_read_or_refused, const struct duration_row *row, duration_rows)
{
	int ms = 0;
	SW_EXPECT_EQ((int)units_parse_duration(row->text, &ms), row->ms > 0);
	SW_EXPECT_EQ(ms, row->ms);
}

SW_TEST(base64, every_length_and_byte_comes_back)
{
	uint8_t bytes[300];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		size_t back_len = 0;
		char *text = base64_encode(bytes, len);
		SW_EXPECT_EQ(strlen(text), (len + 2) / 3 * 4);
		void *back = base64_decode(text, &back_len);
		SW_ASSERT_TRUE(back != NULL);
		SW_EXPECT_EQ(back_len, len);
		SW_EXPECT_MEM(back, bytes, len);
		free(back);
		free(text);
	}
}

SW_TEST(base64, known_text_and_what_is_not_base64)
{
	static const char *const bad[] = {
		"A", "AA", "AAA", "A===", "====", "AA=A", "A?==", "AAAA\n"};
	size_t len;
	char *text = base64_encode("foob", 4);
	SW_EXPECT_STR(text, "Zm9vYg==");
	free(text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		SW_EXPECT_TRUE(base64_decode(bad[i], &len) == NULL);
}

SW_TEST(text, control_characters_cannot_reach_a_terminal)
{
	static const char in[] = "a\033[31m\n\t\\\x7f\xc2\x9b"
				 "b\xc3\xa9";
	char *safe = text_safe(in, sizeof(in) - 1);
	SW_EXPECT_STR(safe, "a\\x1b[31m\\n\\t\\\\\\x7f\\x9b"
			    "b\xc3\xa9");
	free(safe);
}

SW_TEST(text, is_cut_between_characters)
{
	char *cut = text_cut("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 10, 5);
	SW_EXPECT_STR(cut, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
	free(cut);
	cut = text_cut("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 10, 4);
	SW_EXPECT_STR(cut, "\xc3\xa9...");
	SW_EXPECT_EQ(text_width(cut), 4u);
	free(cut);
}

static char *print(const struct table *t, bool colour)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	table_print(t, out, colour);
	(void)fclose(out);
	return text;
}

SW_TEST(table, columns_are_as_wide_as_their_widest_cell)
{
	struct table *t = table_create("NAME|>N|REST");
	table_cell(t, STYLE_PLAIN, "z\xc3\xa9ro");
	table_cell(t, STYLE_PLAIN, "%d", 7);
	table_cell(t, STYLE_GOOD, "x");
	table_cell(t, STYLE_PLAIN, "a");
	table_cell(t, STYLE_PLAIN, "%d", 1234);
	table_cell(t, STYLE_PLAIN, "y\n");
	table_sort(t);
	char *text = print(t, false);
	SW_EXPECT_STR(text, "NAME     N  REST\n"
			    "a     1234  y\\n\n"
			    "z\xc3\xa9ro     7  x\n");
	free(text);
	text = print(t, true);
	SW_EXPECT_TRUE(strstr(text, "\033[32mx\033[0m\n") != NULL);
	free(text);
	table_free(t);
}

SW_TEST(table, without_titles_or_rows_prints_what_there_is)
{
	struct table *t = table_create("|");
	char *text = print(t, false);
	SW_EXPECT_STR(text, "");
	free(text);
	table_cell(t, STYLE_PLAIN, "name");
	table_cell(t, STYLE_PLAIN, "value");
	text = print(t, false);
	SW_EXPECT_STR(text, "name  value\n");
	free(text);
	table_free(t);
}
