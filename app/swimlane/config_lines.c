#include "config_lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "config.h"
#include "config_value.h"

/* Deeper than any key, and shallow enough for libyaml, whose work grows with depth times length. */
enum { NESTING_MAX = 16, PATH_TEXT_MAX = 256 };

struct reading {
	yaml_parser_t parser;
	yaml_event_t event; /* the latest one; owned */
	const char *text;
	size_t len;
	bool stopped; /* a mistake after which nothing can be read */
	uint32_t nesting;
	char path[PATH_TEXT_MAX];
	struct config_lines *lines;
	struct config_mistakes *mistakes;
	int error;
};

static uint32_t event_line(const struct reading *r)
{
	return (uint32_t)r->event.start_mark.line + 1;
}

static void stop(struct reading *r)
{
	r->stopped = true;
}

static void tell_syntax(struct reading *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem == NULL ? "unreadable" : p->problem;
	size_t line = p->problem_mark.line + 1;

	if (p->error == YAML_MEMORY_ERROR) {
		r->error = -ENOMEM;
		return;
	}
	if (p->error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < p->problem_offset && i < r->len; i++)
			line += r->text[i] == '\n';
		mistakes_add(r->mistakes, (uint32_t)line, "YAML",
			"%s; the file must be plain UTF-8 text", problem);
		return;
	}
	if (p->context == NULL)
		mistakes_add(r->mistakes, (uint32_t)line, "YAML",
			"%s; check indentation, quotes and brackets here", problem);
	else
		mistakes_add(r->mistakes, (uint32_t)line, "YAML",
			"%s, %s that began in line %zu; check indentation, quotes and brackets",
			problem, p->context, p->context_mark.line + 1);
}

static void check_plain(struct reading *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	const char *path = r->path[0] == '\0' ? "YAML" : r->path;
	if (anchor != NULL)
		mistakes_add(r->mistakes, event_line(r), path,
			"anchors (&%.20s) are not read; write the value out", (const char *)anchor);
	if (tag != NULL)
		mistakes_add(r->mistakes, event_line(r), path,
			"tags (%.40s) are not read; write the value without it", (const char *)tag);
}

/* Counts nesting, and refuses what the rest of the reader is not to see. */
static void look_at(struct reading *r)
{
	const yaml_event_t *e = &r->event;
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		mistakes_add(r->mistakes, event_line(r), r->path[0] == '\0' ? "YAML" : r->path,
			"aliases (*%.20s) are not read; write the value out",
			(const char *)e->data.alias.anchor);
		stop(r);
		break;
	case YAML_SCALAR_EVENT: check_plain(r, e->data.scalar.anchor, e->data.scalar.tag); break;
	case YAML_SEQUENCE_START_EVENT:
		check_plain(r, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		r->nesting++;
		break;
	case YAML_MAPPING_START_EVENT:
		check_plain(r, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		r->nesting++;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: r->nesting--; break;
	default: break;
	}
	if (r->nesting > NESTING_MAX) {
		mistakes_add(r->mistakes, event_line(r), r->path[0] == '\0' ? "YAML" : r->path,
			"nested too deeply; no key has more than three levels");
		stop(r);
	}
}

/* The next event; false if reading must end. */
static bool next(struct reading *r)
{
	yaml_event_delete(&r->event);
	if (r->stopped || yaml_parser_parse(&r->parser, &r->event) == 0) {
		if (!r->stopped)
			tell_syntax(r);
		stop(r);
		return false;
	}
	look_at(r);
	return !r->stopped;
}

static void skip(struct reading *r)
{
	uint32_t depth = 0;
	do {
		switch (r->event.type) {
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT: depth++; break;
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT: depth--; break;
		default: break;
		}
	} while (depth > 0 && next(r));
}

static size_t enter(struct reading *r, const char *part)
{
	size_t len = strlen(r->path);
	const char *dot = len > 0 && part[0] != '[' ? "." : "";
	(void)snprintf(r->path + len, sizeof(r->path) - len, "%s%.60s", dot, part);
	return len;
}

static size_t enter_item(struct reading *r, uint32_t index)
{
	char part[16];
	(void)snprintf(part, sizeof(part), "[%u]", index);
	return enter(r, part);
}

static const char *found_words(const struct reading *r)
{
	switch (r->event.type) {
	case YAML_MAPPING_START_EVENT: return "is a section of keys";
	case YAML_SEQUENCE_START_EVENT: return "is a list";
	default: return r->event.data.scalar.length == 0 ? "is empty" : "is a single value";
	}
}

/* "kind, interface, …": the keys that a section takes. */
static void child_words(const struct config_key *section, char *words, size_t cap)
{
	size_t at = 0;
	words[0] = '\0';
	for (uint32_t i = 0; i < config_key_count && at < cap; i++) {
		if (!config_key_in(&config_keys[i], section))
			continue;
		int n = snprintf(words + at, cap - at, "%s%s", at == 0 ? "" : ", ",
			config_key_leaf(&config_keys[i]));
		at += n < 0 ? cap : (size_t)n;
	}
}

static void tell_kind(struct reading *r, const struct config_key *key, bool item)
{
	char words[256];
	const char *found = found_words(r);
	switch (key->type) {
	case KEY_SECTION:
		child_words(key, words, sizeof(words));
		mistakes_add(r->mistakes, event_line(r), r->path,
			"%s; give keys below it (%s), or remove it", found, words);
		break;
	case KEY_SECTIONS:
		child_words(key, words, sizeof(words));
		mistakes_add(r->mistakes, event_line(r), r->path, "%s; give %s (%s)", found,
			item ? "the keys of one origin" : "a list, each item with its keys", words);
		break;
	case KEY_TEXTS:
	case KEY_NUMBERS:
		mistakes_add(r->mistakes, event_line(r), r->path, "%s; give %s", found,
			item ? "one plain value" : "a list: [a, b] or a line `- a` for each");
		break;
	default:
		mistakes_add(
			r->mistakes, event_line(r), r->path, "%s; give one plain value", found);
		break;
	}
	skip(r);
}

static void read_mapping(
	struct reading *r, const struct config_key *section, uint32_t *lines, uint32_t base);

static void read_scalar(struct reading *r, const struct config_key *key, bool item)
{
	if (r->event.type != YAML_SCALAR_EVENT) {
		tell_kind(r, key, item);
		return;
	}
	config_value_check(key, (const char *)r->event.data.scalar.value,
		r->event.data.scalar.length, event_line(r), r->path, r->mistakes);
}

static struct config_origin_lines *new_origin(struct reading *r)
{
	struct config_lines *l = r->lines;
	if (l->origin_count == l->origin_cap) {
		uint32_t cap = l->origin_cap == 0 ? 16 : l->origin_cap * 2;
		void *grown = realloc(l->origins, cap * sizeof(*l->origins));
		if (grown == NULL) {
			r->error = -ENOMEM;
			stop(r);
			return NULL;
		}
		l->origins = grown;
		l->origin_cap = cap;
	}
	struct config_origin_lines *origin = &l->origins[l->origin_count++];
	*origin = (struct config_origin_lines){.item = event_line(r)};
	return origin;
}

static uint32_t first_of_origins(void)
{
	return (uint32_t)(config_key_find("origins[].name") - config_keys);
}

static void read_item(struct reading *r, const struct config_key *key, uint32_t index)
{
	size_t len = enter_item(r, index);
	if (key->type != KEY_SECTIONS) {
		if (key->type == KEY_TEXTS && index < SW_SEEDS_MAX)
			r->lines->seeds[index] = event_line(r);
		read_scalar(r, key, true);
	} else if (r->event.type != YAML_MAPPING_START_EVENT) {
		tell_kind(r, key, true);
	} else {
		struct config_origin_lines *origin = new_origin(r);
		if (origin != NULL)
			read_mapping(r, key, origin->keys, first_of_origins());
	}
	r->path[len] = '\0';
}

static void read_list(struct reading *r, const struct config_key *key, uint32_t line)
{
	uint32_t count = 0;
	if (r->event.type != YAML_SEQUENCE_START_EVENT) {
		tell_kind(r, key, false);
		return;
	}
	while (next(r) && r->event.type != YAML_SEQUENCE_END_EVENT) {
		if (count < key->items_max)
			read_item(r, key, count);
		else
			skip(r);
		count++;
	}
	if (count > key->items_max)
		mistakes_add(r->mistakes, line, r->path, "has %u items; give at most %u", count,
			key->items_max);
	if (!r->stopped && count < key->items_min)
		mistakes_add(r->mistakes, line, r->path,
			"has no items; give at least %u or remove it", key->items_min);
}

/* `line`: of the key. */
static void read_value(struct reading *r, const struct config_key *key, uint32_t line)
{
	switch (key->type) {
	case KEY_SECTION:
		if (r->event.type == YAML_MAPPING_START_EVENT)
			read_mapping(r, key, r->lines->keys, 0);
		else
			tell_kind(r, key, false);
		break;
	case KEY_SECTIONS:
	case KEY_TEXTS:
	case KEY_NUMBERS: read_list(r, key, line); break;
	default: read_scalar(r, key, false); break;
	}
}

static void tell_unknown(
	struct reading *r, const struct config_key *section, const char *name, uint32_t line)
{
	char words[256];
	if (r->mistakes->count >= CONFIG_MISTAKES_MAX) { /* no text is kept: do not look for one */
		mistakes_add(r->mistakes, line, r->path, "unknown key");
		return;
	}
	const struct config_key *near = config_key_nearest(section, name);
	if (near != NULL) {
		mistakes_add(
			r->mistakes, line, r->path, "unknown key; did you mean %s?", near->path);
		return;
	}
	child_words(section, words, sizeof(words));
	mistakes_add(r->mistakes, line, r->path, "unknown key; the keys here are %s", words);
}

/* The key's text, made fit for a message. */
static void copy_key(const struct reading *r, char *name, size_t cap)
{
	(void)snprintf(name, cap, "%s", (const char *)r->event.data.scalar.value);
	for (char *c = name; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

static void read_pair(
	struct reading *r, const struct config_key *section, uint32_t *lines, uint32_t base)
{
	char name[CONFIG_PATH_MAX];
	uint32_t line = event_line(r);
	if (r->event.type != YAML_SCALAR_EVENT) {
		mistakes_add(r->mistakes, line, r->path[0] == '\0' ? "YAML" : r->path,
			"a key is not plain text; write `key: value`");
		stop(r);
		return;
	}
	copy_key(r, name, sizeof(name));
	/* The whole text: a key that only begins like a known one is unknown. */
	const struct config_key *key = strlen(name) == r->event.data.scalar.length
					       ? config_key_child(section, name)
					       : NULL;
	size_t len = enter(r, name);
	if (next(r)) {
		uint32_t *seen = key == NULL ? NULL : &lines[key - config_keys - base];
		if (key == NULL) {
			tell_unknown(r, section, name, line);
			skip(r);
		} else if (*seen != 0) {
			mistakes_add(r->mistakes, line, r->path,
				"given again, first in line %u; keep one of them", *seen);
			skip(r);
		} else {
			*seen = line;
			read_value(r, key, line);
		}
	}
	r->path[len] = '\0';
}

static void check_required(struct reading *r, const struct config_key *section,
	const uint32_t *lines, uint32_t base, uint32_t line)
{
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (!key->required || !config_key_in(key, section) || lines[i - base] != 0)
			continue;
		size_t len = enter(r, config_key_leaf(key));
		mistakes_add(r->mistakes, line, r->path, "is missing; %s", key->missing);
		r->path[len] = '\0';
	}
}

static void read_mapping(
	struct reading *r, const struct config_key *section, uint32_t *lines, uint32_t base)
{
	uint32_t line = event_line(r);
	while (next(r) && r->event.type != YAML_MAPPING_END_EVENT)
		read_pair(r, section, lines, base);
	if (!r->stopped)
		check_required(r, section, lines, base, line);
}

static void read_document(struct reading *r)
{
	r->lines->root = 1;
	if (!next(r) || !next(r)) /* start of stream, start of document */
		return;
	if (r->event.type == YAML_STREAM_END_EVENT) {
		mistakes_add(r->mistakes, 0, "YAML",
			"the file is empty; begin with name, cluster, seal and port");
		return;
	}
	if (!next(r))
		return;
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		mistakes_add(r->mistakes, event_line(r), "YAML",
			"this is not a list of keys; write a line `key: value` for each");
		return;
	}
	r->lines->root = event_line(r);
	read_mapping(r, NULL, r->lines->keys, 0);
	if (!r->stopped && next(r) && next(r) && r->event.type != YAML_STREAM_END_EVENT)
		mistakes_add(r->mistakes, event_line(r), "YAML",
			"a second document begins; keep one document in the file");
}

int config_lines_read(
	const char *text, size_t len, struct config_lines *lines, struct config_mistakes *mistakes)
{
	struct reading r = {.text = text, .len = len, .lines = lines, .mistakes = mistakes};
	*lines = (struct config_lines){.root = 1};
	if (yaml_parser_initialize(&r.parser) == 0)
		return -ENOMEM;
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	read_document(&r);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return r.error;
}

void config_lines_free(struct config_lines *lines)
{
	free(lines->origins);
	lines->origins = NULL;
}

uint32_t config_line(const struct config_lines *lines, const char *path)
{
	const struct config_key *key = config_key_find(path);
	return key == NULL ? 0 : lines->keys[key - config_keys];
}

uint32_t config_origin_line(const struct config_origin_lines *origin, const char *leaf)
{
	const struct config_key *key = config_key_child(config_key_find("origins"), leaf);
	return key == NULL ? 0 : origin->keys[key - config_keys - first_of_origins()];
}
