/* stats */
#include "ctl.h"

#include <inttypes.h>

#include "fields.h"
#include "table.h"
#include "units.h"

static void add_share(struct table *t, double part, double all)
{
	if (all > 0)
		table_cell(t, STYLE_PLAIN, "%.1f %%", 100 * part / all);
	else
		table_cell(t, STYLE_PLAIN, "-");
}

/* Of the time since its start: at work, looking for work, and not running at all. */
static void add_shares(struct table *t, const json_t *core, double tsc_hz)
{
	double busy = json_number_value(json_object_get(core, "busy_cycles"));
	double idle = json_number_value(json_object_get(core, "idle_cycles"));
	double asleep = json_number_value(json_object_get(core, "asleep_us")) / 1e6 * tsc_hz;
	double all = busy + idle + asleep;
	add_share(t, busy, all);
	add_share(t, idle, all);
	add_share(t, asleep, all);
}

static void add_core(struct table *t, const json_t *core, double tsc_hz)
{
	char text[FIELD_TEXT_MAX];
	table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(core, "lcore"));
	table_cell(t, STYLE_PLAIN, "%s", field_text(core, "role"));
	table_cell(t, STYLE_PLAIN, "%s", units_count(field_number(core, "loops"), text));
	add_shares(t, core, tsc_hz);
	table_cell(t, STYLE_PLAIN, "%s", units_count(field_number(core, "sleeps"), text));
	table_cell(t, STYLE_PLAIN, "%s", field_any(core, "cycles_per_packet", text));
	table_cell(t, STYLE_PLAIN, "%s", units_count(field_number(core, "rx_frames"), text));
	table_cell(t, STYLE_PLAIN, "%s", units_count(field_number(core, "tx_frames"), text));
	table_cell(t, STYLE_PLAIN, "%s", units_bytes(field_number(core, "rx_bytes"), text));
	table_cell(t, STYLE_PLAIN, "%s", units_bytes(field_number(core, "tx_bytes"), text));
}

static void add_counts(struct table *t, const char *where, const char *kind, const json_t *counts)
{
	char text[FIELD_TEXT_MAX];
	const char *name;
	json_t *value;
	/* jansson's iteration takes no const object. */
	json_object_foreach((json_t *)counts, name, value)
	{
		table_cell(t, STYLE_PLAIN, "%s", where);
		table_cell(t, STYLE_DIM, "%s", kind);
		table_cell(t, STYLE_PLAIN, "%s", name);
		if (json_is_integer(value))
			table_cell(t, STYLE_PLAIN, "%s",
				units_count((int64_t)json_integer_value(value), text));
		else
			table_cell(t, STYLE_PLAIN, "%s", field_value_text(value, text));
	}
}

static void print_counts(struct ctl *ctl, const json_t *stats)
{
	char where[64], lcore[FIELD_TEXT_MAX];
	const json_t *core;
	size_t i;
	struct table *t = table_create("WHERE|KIND|NAME|>COUNT");
	json_array_foreach(json_object_get(stats, "cores"), i, core)
	{
		(void)snprintf(
			where, sizeof(where), "lcore %.20s", field_any(core, "lcore", lcore));
		add_counts(t, where, "drop", json_object_get(core, "drops"));
		add_counts(t, where, "counter", json_object_get(core, "counters"));
	}
	add_counts(t, "rpc", "counter", json_object_get(stats, "rpc"));
	add_counts(t, "health", "counter", json_object_get(stats, "health"));
	if (table_rows(t) > 0) {
		(void)putchar('\n');
		table_print(t, stdout, ctl->colour);
	}
	table_free(t);
}

/* One lane: each stage's cycles a frame, and its share. */
static void add_cycles(struct table *t, const json_t *core)
{
	const json_t *cycles = json_object_get(core, "cycles"), *value;
	double frames = json_number_value(json_object_get(cycles, "frames")), all = 0;
	const char *name;
	json_object_foreach((json_t *)json_object_get(cycles, "stages"), name, value) all +=
		json_number_value(value);
	json_object_foreach((json_t *)json_object_get(cycles, "stages"), name, value)
	{
		double spent = json_number_value(value);
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(core, "lcore"));
		table_cell(t, STYLE_PLAIN, "%s", name);
		table_cell(t, STYLE_PLAIN, "%.0f", frames > 0 ? spent / frames : 0);
		add_share(t, spent, all);
	}
	table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(core, "lcore"));
	table_cell(t, STYLE_PLAIN, "all");
	table_cell(t, STYLE_PLAIN, "%.0f", frames > 0 ? all / frames : 0);
	add_share(t, all, all);
}

static void print_cycles(struct ctl *ctl, const json_t *stats)
{
	struct table *t = table_create(">LCORE|STAGE|>CYCLES/FRAME|>SHARE");
	const json_t *core;
	size_t i;
	json_array_foreach(json_object_get(stats, "cores"), i,
		core) if (json_object_get(core, "cycles") != NULL) add_cycles(t, core);
	table_print(t, stdout, ctl->colour);
	table_free(t);
}

static void print_cores(struct ctl *ctl, const json_t *stats)
{
	struct table *t = table_create(">LCORE|ROLE|>LOOPS|>BUSY|>IDLE|>ASLEEP|>SLEEPS|"
				       ">CYCLES/PACKET|>RX|>TX|>RX BYTES|>TX BYTES");
	double tsc_hz = json_number_value(json_object_get(stats, "tsc_hz"));
	const json_t *core;
	size_t i;
	json_array_foreach(json_object_get(stats, "cores"), i, core) add_core(t, core, tsc_hz);
	table_print(t, stdout, ctl->colour);
	table_free(t);
	print_counts(ctl, stats);
}

static int run_stats(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"cycles", no_argument, NULL, 'c'}, {0}};
	json_t *stats;
	bool cycles = false;
	int code;
	while ((code = ctl_options(ctl, argc, argv, options)) != -1) {
		if (code == CTL_OPTION_STOP)
			return ctl_stop_code();
		cycles = true;
	}
	if (optind != argc)
		return ctl_usage(ctl, "takes no arguments");
	code = ctl_call(ctl, "stats", NULL, &stats);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(stats);
	else if (cycles)
		print_cycles(ctl, stats);
	else
		print_cores(ctl, stats);
	json_decref(stats);
	return CTL_OK;
}

const struct ctl_command ctl_stats_commands[] = {
	{"stats", "[--cycles]", "Print what each core has done",
		"  --cycles  where each lane's cycles go, stage by stage, since its start\n",
		run_stats, false},
	{0},
};
