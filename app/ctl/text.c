#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *text_memory(void *old, size_t len)
{
	void *memory = realloc(old, len == 0 ? 1 : len);
	if (memory == NULL) {
		(void)fprintf(stderr, "swimlanectl: out of memory\n");
		exit(EXIT_FAILURE);
	}
	return memory;
}

char *text_copy(const char *text, size_t len)
{
	char *copy = text_memory(NULL, len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t text_width(const char *text)
{
	size_t width = 0;
	for (; *text != '\0'; text++)
		width += !is_continuation(*text);
	return width;
}

static const char *short_escape(unsigned char c)
{
	switch (c) {
	case '\n': return "\\n";
	case '\r': return "\\r";
	case '\t': return "\\t";
	case '\\': return "\\\\";
	default: return NULL;
	}
}

char *text_safe(const char *text, size_t len)
{
	char *safe = text_memory(NULL, len * 4 + 1), *at = safe;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		const char *escape = short_escape(c);
		/* U+0080 to U+009F steer a terminal as much as the escape character does. */
		bool c1 = c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0;
		if (escape != NULL)
			at += sprintf(at, "%s", escape);
		else if (c < 0x20 || c == 0x7f)
			at += sprintf(at, "\\x%02x", c);
		else if (c1)
			at += sprintf(at, "\\x%02x", (unsigned char)text[++i]);
		else
			*at++ = (char)c;
	}
	*at = '\0';
	return safe;
}

void text_say(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		return;
	char *safe = text_safe(text, (size_t)len);
	(void)puts(safe);
	free(safe);
	free(text);
}

char *text_cut(const char *text, size_t len, size_t columns)
{
	char *cut = text_copy(text, len);
	if (text_width(cut) <= columns)
		return cut;
	char *at = cut;
	for (size_t left = columns > 3 ? columns - 3 : 0; left > 0; left--) {
		at++;
		while (is_continuation(*at))
			at++;
	}
	at[0] = '\0';
	cut = text_memory(cut, strlen(cut) + 4);
	return strcat(cut, "...");
}
