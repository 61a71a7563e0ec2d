#include "table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct cell {
	char *text;
	enum table_style style;
};

struct row {
	struct cell cells[TABLE_COLUMNS_MAX];
};

struct table {
	char *titles[TABLE_COLUMNS_MAX];
	bool right[TABLE_COLUMNS_MAX];
	bool titled;
	unsigned columns;
	struct row *rows;
	size_t row_count, row_capacity;
	unsigned filled; /* cells of the last row */
};

struct table *table_create(const char *titles)
{
	struct table *t = text_memory(NULL, sizeof(*t));
	memset(t, 0, sizeof(*t));
	for (const char *at = titles;; at++) {
		assert(t->columns < TABLE_COLUMNS_MAX);
		bool right = *at == '>';
		at += right;
		size_t len = strcspn(at, "|");
		t->right[t->columns] = right;
		t->titles[t->columns++] = text_copy(at, len);
		t->titled = t->titled || len > 0;
		at += len;
		if (*at == '\0')
			break;
	}
	t->filled = t->columns;
	return t;
}

void table_free(struct table *t)
{
	for (size_t r = 0; r < t->row_count; r++)
		for (unsigned c = 0; c < t->columns; c++)
			free(t->rows[r].cells[c].text);
	for (unsigned c = 0; c < t->columns; c++)
		free(t->titles[c]);
	free(t->rows);
	free(t);
}

static void begin_row(struct table *t)
{
	if (t->row_count == t->row_capacity) {
		t->row_capacity = t->row_capacity == 0 ? 64 : t->row_capacity * 2;
		t->rows = text_memory(t->rows, t->row_capacity * sizeof(*t->rows));
	}
	memset(&t->rows[t->row_count++], 0, sizeof(*t->rows));
	t->filled = 0;
}

void table_cell(struct table *t, enum table_style style, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		text = text_copy("", 0), len = 0;
	if (t->filled == t->columns)
		begin_row(t);
	struct cell *cell = &t->rows[t->row_count - 1].cells[t->filled++];
	cell->text = text_safe(text, (size_t)len);
	cell->style = style;
	free(text);
}

size_t table_rows(const struct table *t)
{
	return t->row_count;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return strcmp(x->cells[0].text, y->cells[0].text);
}

void table_sort(struct table *t)
{
	assert(t->filled == t->columns);
	if (t->row_count > 0)
		qsort(t->rows, t->row_count, sizeof(*t->rows), compare_rows);
}

const char *table_style_begin(enum table_style style, bool colour)
{
	if (!colour)
		return "";
	switch (style) {
	case STYLE_GOOD: return "\033[32m";
	case STYLE_WARN: return "\033[33m";
	case STYLE_BAD: return "\033[31m";
	case STYLE_DIM: return "\033[2m";
	case STYLE_TITLE: return "\033[1m";
	case STYLE_PLAIN: break;
	}
	return "";
}

const char *table_style_end(enum table_style style, bool colour)
{
	return colour && style != STYLE_PLAIN ? "\033[0m" : "";
}

static void print_cell(const struct table *t, unsigned column, size_t width, const char *text,
	enum table_style style, FILE *out, bool colour)
{
	int pad = (int)(width - text_width(text));
	bool last = column + 1 == t->columns;
	if (t->right[column])
		(void)fprintf(out, "%*s", pad, "");
	(void)fprintf(out, "%s%s%s", table_style_begin(style, colour), text,
		table_style_end(style, colour));
	if (!t->right[column] && !last)
		(void)fprintf(out, "%*s", pad, "");
	(void)fputs(last ? "\n" : "  ", out);
}

void table_print(const struct table *t, FILE *out, bool colour)
{
	size_t widths[TABLE_COLUMNS_MAX];
	assert(t->filled == t->columns);
	for (unsigned c = 0; c < t->columns; c++) {
		widths[c] = text_width(t->titles[c]);
		for (size_t r = 0; r < t->row_count; r++) {
			size_t width = text_width(t->rows[r].cells[c].text);
			widths[c] = width > widths[c] ? width : widths[c];
		}
	}
	for (unsigned c = 0; t->titled && c < t->columns; c++)
		print_cell(t, c, widths[c], t->titles[c], STYLE_TITLE, out, colour);
	for (size_t r = 0; r < t->row_count; r++)
		for (unsigned c = 0; c < t->columns; c++)
			print_cell(t, c, widths[c], t->rows[r].cells[c].text,
				t->rows[r].cells[c].style, out, colour);
}
