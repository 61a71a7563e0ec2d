#include "config_value.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_memory.h"
#include "config_text.h"

/* Longest part of a value that a message repeats. */
#define SHOWN "%.60s"

static void format_ms(uint64_t us, char *text, size_t cap)
{
	uint64_t ms = us / 1000, fraction = us % 1000;
	int n = snprintf(text, cap, "%llu", (unsigned long long)ms);
	if (fraction == 0 || n < 0 || (size_t)n >= cap)
		return;
	(void)snprintf(text + n, cap - (size_t)n, ".%03u", (unsigned)fraction);
	for (size_t len = strlen(text); text[len - 1] == '0'; len--)
		text[len - 1] = '\0';
}

static void choices_words(const struct config_key *key, char *words, size_t cap)
{
	size_t at = 0;
	for (uint32_t i = 0; i < key->choice_count && at < cap; i++) {
		const char *glue = i == 0 ? "" : (i + 1 == key->choice_count ? " or " : ", ");
		int n = snprintf(words + at, cap - at, "%s%s", glue, key->choices[i].str);
		at += n < 0 ? cap : (size_t)n;
	}
}

const char *config_value_words(const struct config_key *key, char *words, size_t cap)
{
	char min[32], max[32];
	switch (key->type) {
	case KEY_SECTION: (void)snprintf(words, cap, "a section"); break;
	case KEY_SECTIONS: (void)snprintf(words, cap, "a list of sections"); break;
	case KEY_TEXT:
	case KEY_TEXTS:
		(void)snprintf(words, cap, "%llu to %llu bytes", (unsigned long long)key->min,
			(unsigned long long)key->max);
		break;
	case KEY_NUMBER:
	case KEY_NUMBERS:
		(void)snprintf(words, cap, "a number from %llu to %llu",
			(unsigned long long)key->min, (unsigned long long)key->max);
		break;
	case KEY_ID:
		(void)snprintf(words, cap, "a number from 1 to 2^64-1, decimal or 0x...");
		break;
	case KEY_MS:
		format_ms(key->min, min, sizeof(min));
		format_ms(key->max, max, sizeof(max));
		(void)snprintf(words, cap, "%s to %s, with up to three decimals", min, max);
		break;
	case KEY_SWITCH: (void)snprintf(words, cap, "true or false"); break;
	case KEY_CHOICE: choices_words(key, words, cap); break;
	}
	return words;
}

struct place {
	uint32_t line;
	const char *path;
	struct config_mistakes *mistakes;
};

static void check_text(const struct config_key *key, const char *text, const struct place *at)
{
	size_t len = strlen(text);
	if (len < key->min) {
		mistakes_add(at->mistakes, at->line, at->path,
			"is empty; give a value or remove the key");
		return;
	}
	if (len > key->max) {
		mistakes_add(at->mistakes, at->line, at->path,
			"'%.20s...' is %zu bytes long; give at most %llu", text, len,
			(unsigned long long)key->max);
		return;
	}
	const char *wrong = key->check == NULL ? NULL : key->check(text);
	if (wrong != NULL)
		mistakes_add(at->mistakes, at->line, at->path, "'" SHOWN "' %s", text, wrong);
}

static void check_range(const struct config_key *key, const char *text, const struct place *at)
{
	char words[128];
	uint64_t value;
	bool parsed = key->type == KEY_MS   ? config_parse_ms(text, &value)
		      : key->type == KEY_ID ? config_parse_id(text, &value)
					    : config_parse_number(text, &value);
	if (parsed && value >= key->min && value <= key->max)
		return;
	config_value_words(key, words, sizeof(words));
	mistakes_add(at->mistakes, at->line, at->path, "'" SHOWN "' is %s; give %s%s", text,
		parsed ? "out of range" : "not a number",
		key->type == KEY_MS ? "milliseconds from " : "", words);
}

static void check_switch(const struct config_key *key, const char *text, const struct place *at)
{
	bool value;
	if (!config_parse_switch(text, &value)) {
		mistakes_add(at->mistakes, at->line, at->path,
			"'" SHOWN "' is neither true nor false; write true or false", text);
		return;
	}
	const char *wrong = key->check == NULL ? NULL : key->check(text);
	if (wrong != NULL)
		mistakes_add(at->mistakes, at->line, at->path, "'%s' %s", text, wrong);
}

static void check_choice(const struct config_key *key, const char *text, const struct place *at)
{
	char words[128];
	for (uint32_t i = 0; i < key->choice_count; i++) {
		if (strcmp(key->choices[i].str, text) == 0)
			return;
	}
	const char *near = config_choice_nearest(key, text);
	config_value_words(key, words, sizeof(words));
	if (near != NULL)
		mistakes_add(at->mistakes, at->line, at->path,
			"'" SHOWN "' is unknown; did you mean %s? choose %s", text, near, words);
	else
		mistakes_add(at->mistakes, at->line, at->path, "'" SHOWN "' is unknown; choose %s",
			text, words);
}

static bool has_control_character(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return true;
	}
	return false;
}

void config_value_check(const struct config_key *key, const char *text, size_t len, uint32_t line,
	const char *path, struct config_mistakes *mistakes)
{
	struct place at = {line, path, mistakes};

	if (has_control_character(text, len)) {
		mistakes_add(mistakes, line, path,
			"has a control character or a line break; write one line of plain text");
		return;
	}
	switch (key->type) {
	case KEY_TEXT:
	case KEY_TEXTS: check_text(key, text, &at); break;
	case KEY_NUMBER:
	case KEY_NUMBERS:
	case KEY_ID:
	case KEY_MS: check_range(key, text, &at); break;
	case KEY_SWITCH: check_switch(key, text, &at); break;
	case KEY_CHOICE: check_choice(key, text, &at); break;
	case KEY_SECTION:
	case KEY_SECTIONS: break; /* no values */
	}
}

static void store_number(void *at, uint32_t size, uint64_t value)
{
	switch (size) {
	case 1: *(uint8_t *)at = (uint8_t)value; break;
	case 2: *(uint16_t *)at = (uint16_t)value; break;
	case 4: *(uint32_t *)at = (uint32_t)value; break;
	default: *(uint64_t *)at = value; break;
	}
}

int config_value_default(const struct config_key *key, void *base)
{
	void *at = (char *)base + key->offset;
	uint64_t value = 0;
	bool on = false;

	switch (key->type) {
	case KEY_TEXT:
		*(char **)at = config_memory_text(key->value);
		return *(char **)at == NULL ? -ENOMEM : 0;
	case KEY_NUMBER:
		(void)config_parse_number(key->value, &value); /* tests check every default */
		store_number(at, key->size, value);
		break;
	case KEY_MS:
		(void)config_parse_ms(key->value, &value);
		*(double *)at = (double)value / 1000;
		break;
	case KEY_SWITCH:
		(void)config_parse_switch(key->value, &on);
		*(bool *)at = on;
		break;
	case KEY_CHOICE:
		for (uint32_t i = 0; i < key->choice_count; i++) {
			if (strcmp(key->choices[i].str, key->value) == 0)
				*(int *)at = (int)key->choices[i].val;
		}
		break;
	case KEY_ID:
	case KEY_TEXTS:
	case KEY_NUMBERS:
	case KEY_SECTION:
	case KEY_SECTIONS: break; /* have no default of their own */
	}
	return 0;
}
