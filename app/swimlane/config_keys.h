/* Every key of the configuration, once: the table that the loader, the messages and the reference
 * in docs/operations.md are made from.
 *
 * Order: a section comes before its keys, and its keys follow it directly.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cyaml/cyaml.h>

enum config_key_type {
	KEY_SECTION,  /* a mapping of further keys */
	KEY_SECTIONS, /* a list of such mappings */
	KEY_TEXT,
	KEY_TEXTS, /* a list */
	KEY_NUMBER,
	KEY_NUMBERS, /* a list */
	KEY_ID,      /* 64 bits, decimal or 0x… */
	KEY_MS,      /* milliseconds with up to three decimals; min and max are microseconds */
	KEY_SWITCH,
	KEY_CHOICE,
};

enum { CONFIG_KEYS_MAX = 160, CONFIG_PATH_MAX = 64 };

struct config_key {
	const char *path; /* "port.udp_port"; "origins[].url": of each item of a list */
	enum config_key_type type;
	bool required;
	bool live;       /* a reload brings it into force; others wait for a restart */
	uint32_t offset; /* in struct config_file, or in the list's item */
	uint32_t size;   /* of the member; of lists: of one item */
	uint32_t count_offset;
	uint64_t min; /* of the value; of texts: of the length */
	uint64_t max;
	uint32_t items_min;
	uint32_t items_max;
	const char *unit;
	const cyaml_strval_t *choices;
	uint32_t choice_count;
	/* NULL, or what is wrong and how to mend it, to follow the quoted value. */
	const char *(*check)(const char *text);
	const char *value;         /* the default, set by the loader if given */
	const char *default_words; /* the default where it depends on other keys */
	const char *missing;       /* of required keys: how to mend */
	const char *help;
};

extern const struct config_key config_keys[];
extern const uint32_t config_key_count;

/* The row with this path, or NULL. */
const struct config_key *config_key_find(const char *path);

/* The child `name` of `section` (NULL: the top), or NULL. */
const struct config_key *config_key_child(const struct config_key *section, const char *name);

/* True if `key` lies directly in `section` (NULL: the top). */
bool config_key_in(const struct config_key *key, const struct config_key *section);

/* The last part of its path. */
const char *config_key_leaf(const struct config_key *key);

/* What the writer of an unknown key may have meant: a row of the same section that is spelled
 * alike, else a row of this very name elsewhere; NULL if nothing is near. */
const struct config_key *config_key_nearest(const struct config_key *section, const char *name);

/* The choice of `key` that is spelled most like `text`, or NULL if none is near. */
const char *config_choice_nearest(const struct config_key *key, const char *text);
