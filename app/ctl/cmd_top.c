/* top */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "terminal.h"
#include "units.h"

enum { INTERVAL_DEFAULT_MS = 1000, COLUMNS_ONCE = 80, ROWS_ONCE = 24, NOT_UP_MAX = 20 };

static void forget(struct frame_answers *a)
{
	json_decref(a->status);
	json_decref(a->members);
	json_decref(a->stats);
	json_decref(a->verdicts);
	memset(a, 0, sizeof(*a));
}

static int ask(struct ctl *ctl, struct frame_answers *a)
{
	int code = ctl_call(ctl, "status", NULL, &a->status);
	if (code == CTL_OK)
		code = ctl_call(ctl, "members", NULL, &a->members);
	if (code == CTL_OK)
		code = ctl_call(ctl, "stats", NULL, &a->stats);
	if (code == CTL_OK)
		code = ctl_call(ctl, "health.summary", json_pack("{s:i}", "limit", (int)NOT_UP_MAX),
			&a->verdicts);
	a->at_s = (double)units_now_ms() / 1000;
	return code;
}

static void draw(
	const struct ctl *ctl, const struct frame_answers *before, const struct frame_answers *now)
{
	unsigned columns, rows;
	terminal_size(&columns, &rows);
	(void)fputs("\033[H", stdout);
	frame_print(stdout, before, now, columns, rows, ctl->colour, true);
	(void)fputs("\033[J", stdout);
	(void)fflush(stdout);
}

/* Until the next picture is due, or the end. */
static bool wait_for_next(const struct ctl *ctl, const struct frame_answers *before,
	const struct frame_answers *now, int interval_ms)
{
	int64_t due_ms = units_now_ms() + interval_ms, left_ms = interval_ms;
	do {
		enum terminal_key key = terminal_wait((int)left_ms);
		if (key == TERMINAL_QUIT)
			return false;
		if (key == TERMINAL_REDRAW)
			draw(ctl, before, now);
		left_ms = due_ms - units_now_ms();
	} while (left_ms > 0);
	return true;
}

static int show(struct ctl *ctl, int interval_ms)
{
	struct frame_answers before = {0}, now = {0};
	int code = ask(ctl, &now);
	if (code != CTL_OK) {
		forget(&now);
		return code;
	}
	if (terminal_enter() < 0) {
		forget(&now);
		return ctl_usage(ctl, "standard input and output are no terminal; see --once");
	}
	do {
		draw(ctl, before.status != NULL ? &before : NULL, &now);
		if (!wait_for_next(ctl, before.status != NULL ? &before : NULL, &now, interval_ms))
			break;
		forget(&before);
		before = now;
		memset(&now, 0, sizeof(now));
		/* What goes wrong is said on the ordinary screen. */
		ctl->quiet = true;
		code = ask(ctl, &now);
		ctl->quiet = false;
	} while (code == CTL_OK);
	terminal_leave();
	if (code != CTL_OK)
		(void)ctl_fail(ctl, code, "the server does not answer any more");
	forget(&before);
	forget(&now);
	return terminal_signal() > 0 && code == CTL_OK ? 128 + terminal_signal() : code;
}

static int print_once(struct ctl *ctl)
{
	struct frame_answers now = {0};
	int code = ask(ctl, &now);
	if (code == CTL_OK)
		frame_print(stdout, NULL, &now, COLUMNS_ONCE, ROWS_ONCE, ctl->colour, false);
	forget(&now);
	return code;
}

static int run_top(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"interval", required_argument, NULL, 'i'},
		{"once", no_argument, NULL, 'o'},
		{0},
	};
	int option, interval_ms = INTERVAL_DEFAULT_MS;
	bool once = false;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP)
			return ctl_stop_code();
		once = once || option == 'o';
		if (option == 'i' && !ctl_duration(ctl, "--interval", optarg, &interval_ms))
			return CTL_USAGE;
	}
	if (optind < argc)
		return ctl_usage(ctl, "too many arguments, from \"%s\" on", argv[optind]);
	if (ctl->json)
		return ctl_usage(ctl, "is for people; ask status, members, stats and health");
	return once ? print_once(ctl) : show(ctl, interval_ms);
}

const struct ctl_command ctl_top_commands[] = {
	{"top", "", "Show members, cores, map and verdicts live; q ends it",
		"  --interval TIME   between two pictures (1s)\n"
		"  --once            one picture of 80 columns and 24 rows, for no terminal\n",
		run_top, false},
	{0},
};
