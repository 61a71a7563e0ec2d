/* A table for people: columns as wide as their widest cell, numbers to the right, colours on a
 * terminal. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

enum table_style { STYLE_PLAIN, STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_DIM, STYLE_TITLE };

enum { TABLE_COLUMNS_MAX = 16 };

struct table;

/* Titles separated by "|", right-aligned if they begin with ">": "NAME|>RTT". Titles all empty
 * ("|"): no line of titles. */
struct table *table_create(const char *titles);
void table_free(struct table *table);

/* Adds a cell; the table begins a new row when the last one is full. The text is made safe to
 * print. */
void table_cell(struct table *table, enum table_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t table_rows(const struct table *table);
/* Rows sorted by the text of their first column. */
void table_sort(struct table *table);
void table_print(const struct table *table, FILE *out, bool colour);

/* The escape sequences around coloured text; both empty without colour. */
const char *table_style_begin(enum table_style style, bool colour);
const char *table_style_end(enum table_style style, bool colour);
