/* Reads the files of tests/vectors. Each packet: `name = value` lines for its header and prelude,
 * then `message TYPE` with such lines for its fields, then its bytes in hexadecimal. '#' starts a
 * comment in the bytes, or a line of its own. A file is well-formed or the reader fails with its
 * line. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire_any.h"

enum { VECTOR_FIELDS_MAX = 160, VECTOR_MESSAGES_MAX = 4, VECTOR_LINE_MAX = 4096 };

struct vector_field {
	char name[32];
	char *value; /* owned */
};

/* Fields in the order of the file; message 0 is the packet itself. */
struct vector_section {
	char type[32];
	unsigned count;
	struct vector_field fields[VECTOR_FIELDS_MAX];
};

struct vector_packet {
	char name[64];
	unsigned sections; /* 1 + messages */
	struct vector_section section[1 + VECTOR_MESSAGES_MAX];
	uint8_t bytes[WIRE_PACKET_MAX];
	size_t len;
};

struct vector_file {
	FILE *stream;
	unsigned line;
	char text[VECTOR_LINE_MAX];
	const char *error; /* NULL: well-formed so far */
};

static inline void vector_packet_clear(struct vector_packet *p)
{
	for (unsigned s = 0; s < p->sections; s++)
		for (unsigned f = 0; f < p->section[s].count; f++)
			free(p->section[s].fields[f].value);
	memset(p, 0, sizeof(*p));
}

/* The next line without indent, line end and comment lines; NULL at the end. */
static inline char *vector_line(struct vector_file *file)
{
	while (fgets(file->text, sizeof(file->text), file->stream)) {
		file->line++;
		file->text[strcspn(file->text, "\n")] = '\0';
		char *text = file->text + strspn(file->text, " ");
		if (*text != '#' && *text != '\0')
			return text;
	}
	return NULL;
}

static inline bool vector_put_field(struct vector_section *s, const char *text)
{
	const char *equals = strstr(text, " =");
	if (equals == NULL || s->count == VECTOR_FIELDS_MAX)
		return false;
	struct vector_field *f = &s->fields[s->count];
	size_t len = (size_t)(equals - text);
	if (len >= sizeof(f->name))
		return false;
	memcpy(f->name, text, len);
	f->name[len] = '\0';
	f->value = strdup(equals[2] == ' ' ? equals + 3 : equals + 2);
	s->count++;
	return f->value != NULL;
}

static inline int vector_nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* Hexadecimal up to a blank, '#' or the end. The number of bytes, or -1. */
static inline int vector_hex(const char *text, uint8_t *bytes, size_t cap)
{
	size_t n = 0;
	for (; *text && *text != ' ' && *text != '#'; text += 2) {
		int high = vector_nibble(text[0]), low = high < 0 ? -1 : vector_nibble(text[1]);
		if (low < 0 || n == cap)
			return -1;
		bytes[n++] = (uint8_t)(high << 4 | low);
	}
	return (int)n;
}

static inline bool vector_read_bytes(struct vector_file *file, struct vector_packet *p)
{
	char *text;
	while ((text = vector_line(file)) && strcmp(text, "end") != 0) {
		int n = vector_hex(text, p->bytes + p->len, sizeof(p->bytes) - p->len);
		if (n < 0)
			return false;
		p->len += (size_t)n;
	}
	return text != NULL;
}

/* Reads the next packet. False at the end of the file or with file->error. */
static inline bool vector_next(struct vector_file *file, struct vector_packet *p)
{
	vector_packet_clear(p);
	char *text = vector_line(file);
	if (text == NULL)
		return false;
	if (sscanf(text, "packet %63s", p->name) != 1) {
		file->error = "wanted a packet";
		return false;
	}
	p->sections = 1;
	while ((text = vector_line(file)) && strcmp(text, "bytes") != 0) {
		struct vector_section *s = &p->section[p->sections - 1];
		if (strncmp(text, "message ", 8) == 0) {
			if (p->sections == 1 + VECTOR_MESSAGES_MAX) {
				file->error = "too many messages";
				return false;
			}
			s = &p->section[p->sections++];
			snprintf(s->type, sizeof(s->type), "%s", text + 8);
		} else if (!vector_put_field(s, text)) {
			file->error = "bad field";
			return false;
		}
	}
	if (text == NULL || !vector_read_bytes(file, p)) {
		file->error = "bad bytes";
		return false;
	}
	return true;
}

/* The i-th field of that name, or NULL. */
static inline const char *vector_text(const struct vector_section *s, const char *name, unsigned i)
{
	for (unsigned f = 0; f < s->count; f++)
		if (strcmp(s->fields[f].name, name) == 0 && i-- == 0)
			return s->fields[f].value;
	return NULL;
}
