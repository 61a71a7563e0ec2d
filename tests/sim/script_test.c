#include "script.h"

#include <string.h>

#include "sw_test.h"

struct line {
	const char *name;
	const char *text;
	const char *expected; /* as printed again; or in the error */
};

static const struct line good[] = {
	{"crash", "at 1.5s crash 3", "at 1500ms crash 3"},
	{"restart", "restart 3", "at 7ms restart 3"},
	{"amnesia", "at 8ms restart 3 amnesia", "at 8ms restart 3 amnesia"},
	{"twin", "twin 1 2", "at 7ms twin 1 2"},
	{"pause", "pause 3", "at 7ms pause 3"},
	{"resume", "resume 3", "at 7ms resume 3"},
	{"block", "block 0", "at 7ms block 0"},
	{"unblock", "unblock 0", "at 7ms unblock 0"},
	{"starve", "starve 3 5ms/20ms", "at 7ms starve 3 5ms/20ms"},
	{"starve_no", "starve 3 no", "at 7ms starve 3 no"},
	{"clock", "clock 2 +200ppm", "at 7ms clock 2 +200ppm 0s"},
	{"clock_offset", "clock 2 -1% 3s", "at 7ms clock 2 -10000ppm 3s"},
	{"leave", "leave 4", "at 7ms leave 4"},
	{"drain", "drain 4", "at 7ms drain 4"},
	{"undrain", "undrain 4", "at 7ms undrain 4"},
	{"forget", "forget 1 3", "at 7ms forget 1 3"},
	{"cut", "cut 1 2", "at 7ms cut 1 2"},
	{"mend", "mend 1 2", "at 7ms mend 1 2"},
	{"split", "split 2,0,1", "at 7ms split 0,1,2"},
	{"zone", "zone 1", "at 7ms zone 1"},
	{"heal", "heal # all of it", "at 7ms heal"},
	{"loss", "loss 10%", "at 7ms loss 10%"},
	{"duplicate", "duplicate 150ppm", "at 7ms duplicate 150ppm"},
	{"reorder", "reorder 1%", "at 7ms reorder 1%"},
	{"corrupt", "corrupt 0.5%", "at 7ms corrupt 5000ppm"},
	{"delay", "delay 50us", "at 7ms delay 50us"},
	{"spread", "spread 0", "at 7ms spread 0s"},
	{"put", "put 2 key value", "at 7ms put 2 key value"},
	{"del", "\tdel  2   key\n", "at 7ms del 2 key"},
	{"restart_all", "restart-all", "at 7ms restart-all"},
};

static const struct line bad[] = {
	{"verb", "at 1s explode 3", "there is no step 'explode'"},
	{"no_verb", "at 1s", "lacks a step"},
	{"time", "at 1x crash 3", "wants a time such as 1.5s after 'at', not '1x'"},
	{"no_time", "at", "wants a time"},
	{"back", "at 1ms crash 3", "time goes back to '1ms'"},
	{"server", "crash 5", "there is no server '5'"},
	{"no_server", "crash", "it reads: crash SERVER"},
	{"negative", "crash -1", "wants the number of a server, not '-1'"},
	{"too_much", "crash 1 2", "does not know '2'"},
	{"share", "loss 101%", "wants a share such as 1%, not '101%'"},
	{"unit", "loss 10", "wants a share"},
	{"starve", "starve 1 20ms/5ms", "RUN must be above 0 and below PERIOD"},
	{"starve_word", "starve 1 maybe", "wants RUN/PERIOD, not 'maybe'"},
	{"rate", "clock 1 +60%", "wants a rate from -50% to +50%, not '+60%'"},
	{"set", "split 1,9", "there is no server '9'"},
	{"zone", "zone 2", "there is no zone '2'"},
	{"value", "put 1 key", "lacks a word after 'put'"},
	{"key", "put 1 a-key-that-is-longer-than-a-key-may-be value", "too long"},
	{"memory", "restart 1 please", "does not know 'please'"},
};

SW_TEST_TABLE(script, a_step_is_read_and_printed_again, const struct line *line, good)
{
	struct step step, again;
	char error[SCRIPT_ERROR_MAX] = "", printed[SCRIPT_LINE_MAX], twice[SCRIPT_LINE_MAX];
	bool empty;
	SW_ASSERT_TRUE(script_parse_line(line->text, 5, 2, 7000000, &step, &empty, error));
	SW_ASSERT_TRUE(!empty);
	SW_EXPECT_STR(script_print_step(&step, printed), line->expected);
	SW_ASSERT_TRUE(script_parse_line(printed, 5, 2, 0, &again, &empty, error));
	SW_EXPECT_STR(script_print_step(&again, twice), line->expected);
	SW_EXPECT_MEM(&step, &again, sizeof(step));
}

SW_TEST_TABLE(
	script, a_wrong_step_is_refused_with_the_word_that_is_wrong, const struct line *line, bad)
{
	struct step step;
	char error[SCRIPT_ERROR_MAX] = "";
	bool empty;
	SW_ASSERT_TRUE(!script_parse_line(line->text, 5, 2, 7000000, &step, &empty, error));
	if (strstr(error, line->expected) == NULL)
		SW_FAIL("'%s' does not say '%s'", error, line->expected);
}

static bool read_text(const char *text, struct script *script, char *error)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	bool ok = script_read(f, "faults", 5, 0, script, error);
	(void)fclose(f);
	return ok;
}

SW_TEST(script, a_file_is_read_with_its_comments_and_a_step_without_time_follows_at_once)
{
	struct script s = {0};
	char error[SCRIPT_ERROR_MAX];
	SW_ASSERT_TRUE(
		read_text("# two servers\n\nat 10ms crash 1\ncrash 2\nat 20ms heal\n", &s, error));
	SW_ASSERT_EQ(s.count, 3u);
	SW_EXPECT_EQ(s.steps[1].at_ns, 10000000u);
	SW_EXPECT_EQ(s.steps[2].at_ns, 20000000u);
	script_fini(&s);
}

SW_TEST(script, an_error_names_file_and_line)
{
	struct script s = {0};
	char error[SCRIPT_ERROR_MAX];
	SW_ASSERT_TRUE(!read_text("at 10ms crash 1\n\nat 5ms crash 2\n", &s, error));
	SW_EXPECT_STR(error, "faults:3: time goes back to '5ms'");
	script_fini(&s);
}
