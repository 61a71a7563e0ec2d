#include "config_mistakes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Room for the last line, "... and N more mistakes". */
enum { TAIL_LEN = 48 };

void mistakes_add(
	struct config_mistakes *m, uint32_t line, const char *key, const char *format, ...)
{
	uint32_t i = m->count++;
	if (i >= CONFIG_MISTAKES_MAX)
		return;

	char *text = m->kept[i].text;
	size_t cap = sizeof(m->kept[i].text);
	m->kept[i].line = line;
	size_t len = (size_t)snprintf(text, cap, "%s: ", key);
	if (len >= cap)
		return;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text + len, cap - len, format, args); /* too long: cut off */
	va_end(args);
}

static size_t print_one(const struct config_mistakes *m, uint32_t i, char *line, size_t cap)
{
	int n;
	if (m->kept[i].line == 0)
		n = snprintf(line, cap, "%s: %s\n", m->file, m->kept[i].text);
	else
		n = snprintf(line, cap, "%s:%u: %s\n", m->file, m->kept[i].line, m->kept[i].text);
	return n < 0 ? cap : (size_t)n;
}

/* The kept mistake that comes next by line, then by order of finding. */
static uint32_t next_in_order(const struct config_mistakes *m, uint32_t kept, const bool *told)
{
	uint32_t best = kept;
	for (uint32_t i = 0; i < kept; i++) {
		if (!told[i] && (best == kept || m->kept[i].line < m->kept[best].line))
			best = i;
	}
	return best;
}

void mistakes_print(const struct config_mistakes *m, char *error, size_t error_len)
{
	bool told[CONFIG_MISTAKES_MAX] = {false};
	uint32_t kept = m->count < CONFIG_MISTAKES_MAX ? m->count : CONFIG_MISTAKES_MAX;
	uint32_t printed = 0;
	size_t at = 0;

	error[0] = '\0';
	while (printed < kept) {
		uint32_t i = next_in_order(m, kept, told);
		size_t room = error_len - at;
		size_t len = print_one(m, i, error + at, room);
		bool last = printed + 1 == m->count;
		if (len >= room || (!last && len + TAIL_LEN >= room)) {
			error[at] = '\0';
			break;
		}
		told[i] = true;
		at += len;
		printed++;
	}
	if (printed < m->count)
		at += (size_t)snprintf(error + at, error_len - at, "... and %u more mistakes\n",
			m->count - printed);
	/* The last line ends without a line feed: the caller's print adds it. */
	size_t len = strlen(error);
	if (len > 0)
		error[len - 1] = '\0';
}
