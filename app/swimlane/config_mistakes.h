/* The mistakes found in one configuration, collected so that all are told at once.
 *
 * Bounded: the first CONFIG_MISTAKES_MAX are kept with their text, the others are counted.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { CONFIG_MISTAKES_MAX = 64, CONFIG_MISTAKE_TEXT_MAX = 400 };

struct config_mistakes {
	const char *file;
	uint32_t count;
	struct {
		uint32_t line; /* 0: of the whole file */
		char text[CONFIG_MISTAKE_TEXT_MAX];
	} kept[CONFIG_MISTAKES_MAX];
};

/* `key`: its full path. The format says "what is wrong; how to mend it". */
void mistakes_add(struct config_mistakes *m, uint32_t line, const char *key, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* One line each, in order of the file's lines; says how many did not fit. */
void mistakes_print(const struct config_mistakes *m, char *error, size_t error_len);
