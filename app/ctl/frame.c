#include "frame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "table.h"
#include "text.h"
#include "units.h"

enum { ROWS_OF_HEAD = 4, MEMBERS_LEAST = 3, VERDICTS_MOST = 5 };

struct frame {
	const struct frame_answers *before, *now;
	double seconds; /* between them; 0: no rates */
	bool colour;
	FILE *text;
};

static enum table_style style_of(const char *state)
{
	if (strcmp(state, "alive") == 0 || strcmp(state, "running") == 0 ||
		strcmp(state, "up") == 0)
		return STYLE_GOOD;
	if (strcmp(state, "dead") == 0 || strcmp(state, "stood_down") == 0 ||
		strcmp(state, "down") == 0)
		return STYLE_BAD;
	return strcmp(state, "left") == 0 ? STYLE_DIM : STYLE_WARN;
}

/* ---- head ---- */

static void say(struct frame *f, enum table_style style, const char *text)
{
	char *safe = text_safe(text, strlen(text));
	(void)fprintf(f->text, "%s%s%s", table_style_begin(style, f->colour), safe,
		table_style_end(style, f->colour));
	free(safe);
}

static void print_head(struct frame *f)
{
	const json_t *s = f->now->status, *v = f->now->verdicts;
	char a[FIELD_TEXT_MAX], b[FIELD_TEXT_MAX], c[FIELD_TEXT_MAX];
	const char *state = field_text(s, "state");
	say(f, STYLE_TITLE, field_text(s, "name"));
	(void)fputs("  ", f->text);
	say(f, style_of(state), state);
	(void)fprintf(f->text, "%s%s, up %s  cluster ",
		field_true(s, "ready") ? ", ready" : ", not ready",
		field_true(s, "drain") ? ", draining" : "",
		units_age_ms(field_number(s, "uptime_ms"), a));
	say(f, STYLE_PLAIN, field_text(s, "cluster"));
	(void)fprintf(f->text, "  %s\n", field_text(s, "address"));
	(void)fprintf(f->text,
		"members  %" PRId64 " known, %" PRId64 " alive, local health %" PRId64 " of 8\n",
		field_number(s, "members"), field_number(s, "alive"),
		field_number(s, "local_health"));
	(void)fprintf(f->text, "map      %s records, %s tombstones, %s keys with an owner\n",
		units_count(field_number(s, "records"), a),
		units_count(field_number(s, "tombstones"), b),
		units_count(field_number(s, "keys"), c));
	(void)fprintf(f->text, "origins  %s up, %s down, %s unknown\n",
		units_count(field_number(v, "up"), a), units_count(field_number(v, "down"), b),
		units_count(field_number(v, "unknown"), c));
}

/* ---- cores ---- */

static const json_t *core_before(const struct frame *f, int64_t lcore)
{
	const json_t *core;
	size_t i;
	if (f->before == NULL || f->seconds <= 0)
		return NULL;
	json_array_foreach(json_object_get(f->before->stats, "cores"), i, core)
	{
		if (field_number(core, "lcore") == lcore)
			return core;
	}
	return NULL;
}

static double grown(const json_t *before, const json_t *now, const char *name)
{
	return json_number_value(json_object_get(now, name)) -
	       json_number_value(json_object_get(before, name));
}

static double drops_of(const json_t *core)
{
	const char *name;
	json_t *count;
	double sum = 0;
	/* jansson's iteration takes no const object. */
	json_object_foreach(json_object_get((json_t *)core, "drops"), name, count)
	{
		sum += json_number_value(count);
	}
	return sum;
}

static void rate(struct table *t, const struct frame *f, const json_t *before, double count)
{
	char text[UNITS_TEXT_MAX];
	if (before == NULL)
		table_cell(t, STYLE_PLAIN, "-");
	else
		table_cell(t, STYLE_PLAIN, "%s",
			units_count((int64_t)(count / f->seconds + 0.5), text));
}

static void add_core(struct frame *f, struct table *t, const json_t *core)
{
	const json_t *before = core_before(f, field_number(core, "lcore"));
	double busy = grown(before, core, "busy_cycles");
	double all = busy + grown(before, core, "idle_cycles");
	double asleep = before != NULL ? grown(before, core, "asleep_us") / f->seconds / 1e4 : 0;
	asleep = asleep > 100 ? 100 : asleep; /* the two clocks are not one */
	bool port = field_given(core, "rx_frames");
	double drops = drops_of(core) - drops_of(before);
	table_cell(t, STYLE_PLAIN, "%s %" PRId64, field_text(core, "role"),
		field_number(core, "lcore"));
	if (before == NULL || all <= 0)
		table_cell(t, STYLE_PLAIN, "-");
	else
		table_cell(t, STYLE_PLAIN, "%.0f %%", (100 - asleep) * busy / all);
	if (before == NULL)
		table_cell(t, STYLE_PLAIN, "-");
	else
		table_cell(t, STYLE_PLAIN, "%.0f %%", asleep);
	rate(t, f, before, grown(before, core, "loops"));
	rate(t, f, port ? before : NULL, grown(before, core, "rx_frames"));
	rate(t, f, port ? before : NULL, grown(before, core, "tx_frames"));
	rate(t, f, before, drops);
}

static struct table *cores(struct frame *f)
{
	struct table *t = table_create("CORE|>BUSY|>ASLEEP|>TURNS/S|>RX/S|>TX/S|>DROPS/S");
	const json_t *core;
	size_t i;
	json_array_foreach(json_object_get(f->now->stats, "cores"), i, core)
	{
		add_core(f, t, core);
	}
	return t;
}

/* ---- members, verdicts ---- */

/* Who is not well comes first, so that it is seen where there is room for few. */
static int by_worry(const void *a, const void *b)
{
	static const char *const order[] = {"dead", "suspect", "alive", "left", "forgotten"};
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	size_t i = 0, j = 0;
	while (i < 4 && strcmp(field_text(x, "state"), order[i]) != 0)
		i++;
	while (j < 4 && strcmp(field_text(y, "state"), order[j]) != 0)
		j++;
	return i != j ? (int)i - (int)j : strcmp(field_text(x, "name"), field_text(y, "name"));
}

static void add_member(struct table *t, const json_t *m)
{
	char text[FIELD_TEXT_MAX];
	const char *state = field_text(m, "state");
	int64_t rtt_us = field_number(m, "rtt_us");
	table_cell(
		t, STYLE_PLAIN, "%s%s", field_text(m, "name"), field_true(m, "self") ? " *" : "");
	table_cell(t, style_of(state), "%s%s", state, field_true(m, "drain") ? ", draining" : "");
	table_cell(t, STYLE_PLAIN, "%s", field_ago(m, "since_ms", text));
	table_cell(t, STYLE_PLAIN, "%s", rtt_us > 0 ? units_latency_us((double)rtt_us, text) : "-");
	table_cell(t, STYLE_PLAIN, "%s", field_text(m, "address"));
	table_cell(t, STYLE_DIM, "%s", field_text(m, "why"));
}

static struct table *members(struct frame *f, size_t most, size_t *left_out)
{
	struct table *t = table_create("MEMBER|STATE|>SINCE|>RTT|ADDRESS|WHY");
	json_t *list = json_object_get(f->now->members, "members");
	size_t n = json_array_size(list);
	json_t **sorted = text_memory(NULL, (n + 1) * sizeof(json_t *));
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(list, i);
	qsort(sorted, n, sizeof(sorted[0]), by_worry);
	for (size_t i = 0; i < n && i < most; i++)
		add_member(t, sorted[i]);
	free(sorted);
	*left_out = n > most ? n - most : 0;
	return t;
}

static struct table *verdicts(struct frame *f, size_t most)
{
	struct table *t = table_create("NOT UP|STATE|>SINCE|CHECKED BY|ERROR");
	const json_t *one;
	size_t i;
	char text[FIELD_TEXT_MAX];
	json_array_foreach(json_object_get(f->now->verdicts, "not_up"), i, one)
	{
		if (i >= most)
			break;
		const char *state = field_text(one, "state");
		table_cell(t, STYLE_PLAIN, "%s", field_text(one, "name"));
		table_cell(t, style_of(state), "%s", state);
		table_cell(t, STYLE_PLAIN, "%s", field_ago(one, "since_ms", text));
		table_cell(t, STYLE_PLAIN, "%s", field_text(one, "writer"));
		table_cell(t, STYLE_PLAIN, "%s", field_text(one, "error"));
	}
	return t;
}

static void print_table(struct frame *f, struct table *t)
{
	if (table_rows(t) > 0) {
		(void)fputc('\n', f->text);
		table_print(t, f->text, f->colour);
	}
	table_free(t);
}

static void compose(struct frame *f, unsigned rows)
{
	size_t lcores = json_array_size(json_object_get(f->now->stats, "cores"));
	size_t bad = json_array_size(json_object_get(f->now->verdicts, "not_up"));
	size_t used = ROWS_OF_HEAD + 2 + lcores, left_out;
	bad = bad < VERDICTS_MOST ? bad : VERDICTS_MOST;
	size_t for_bad = bad > 0 ? bad + 2 : 0;
	size_t room = rows > used + for_bad + 3 ? rows - used - for_bad - 3 : MEMBERS_LEAST;
	print_head(f);
	print_table(f, cores(f));
	print_table(f, members(f, room, &left_out));
	if (left_out > 0)
		(void)fprintf(f->text, "and %zu more\n", left_out);
	print_table(f, verdicts(f, bad));
}

/* ---- cut to the terminal ---- */

/* Escape sequences take no column, and go on behind the cut: they end what they began. */
static void print_line(FILE *out, const char *line, size_t len, unsigned columns)
{
	unsigned column = 0;
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\033') {
			size_t n = strcspn(line + i, "m");
			(void)fprintf(out, "%.*s", (int)(n + 1), line + i);
			i += n;
			continue;
		}
		bool starts = ((unsigned char)line[i] & 0xc0) != 0x80;
		column += starts;
		if (column <= columns)
			(void)fputc(line[i], out);
	}
}

void frame_print(FILE *out, const struct frame_answers *before, const struct frame_answers *now,
	unsigned columns, unsigned rows, bool colour, bool clear)
{
	char *text = NULL;
	size_t len = 0;
	struct frame f = {.before = before, .now = now, .colour = colour};
	f.seconds = before != NULL ? now->at_s - before->at_s : 0;
	f.text = open_memstream(&text, &len);
	if (f.text == NULL)
		return;
	compose(&f, rows);
	(void)fclose(f.text);
	const char *at = text;
	for (unsigned row = 0; row < rows && *at != '\0'; row++) {
		size_t n = strcspn(at, "\n");
		print_line(out, at, n, columns);
		at += n + (at[n] == '\n');
		if (clear)
			(void)fputs("\033[K", out);
		if (row + 1 < rows)
			(void)fputc('\n', out);
	}
	free(text);
}
