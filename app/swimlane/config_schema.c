#include "config_schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_memory.h"
#include "config_value.h"

/* A section's fields lie together and end with an empty one. */
struct schema {
	cyaml_schema_value_t top;
	cyaml_schema_value_t items[CONFIG_KEYS_MAX];
	cyaml_schema_field_t fields[2 * CONFIG_KEYS_MAX];
	uint32_t field_count;
};

static enum cyaml_type scalar_type(enum config_key_type type)
{
	switch (type) {
	case KEY_TEXT:
	case KEY_TEXTS: return CYAML_STRING;
	case KEY_MS: return CYAML_FLOAT;
	case KEY_SWITCH: return CYAML_BOOL;
	case KEY_CHOICE: return CYAML_ENUM;
	default: return CYAML_UINT;
	}
}

static cyaml_schema_value_t scalar_schema(const struct config_key *key)
{
	cyaml_schema_value_t value = {
		.type = scalar_type(key->type),
		.flags = CYAML_FLAG_OPTIONAL,
		.data_size = key->size,
	};
	if (value.type == CYAML_STRING) {
		value.flags |= CYAML_FLAG_POINTER;
		value.string.max = (uint32_t)key->max;
	} else if (value.type == CYAML_ENUM) {
		value.flags |= CYAML_FLAG_STRICT;
		value.enumeration.strings = key->choices;
		value.enumeration.count = key->choice_count;
	}
	return value;
}

static const cyaml_schema_field_t *section_fields(
	struct schema *s, const struct config_key *section, uint32_t base);

static cyaml_schema_value_t list_schema(struct schema *s, const struct config_key *key)
{
	cyaml_schema_value_t *item = &s->items[key - config_keys];
	if (key->type == KEY_SECTIONS) {
		*item = (cyaml_schema_value_t){.type = CYAML_MAPPING, .data_size = key->size};
		item->mapping.fields = section_fields(s, key, 0);
	} else {
		*item = scalar_schema(key);
	}
	cyaml_schema_value_t list = {
		.type = CYAML_SEQUENCE,
		.flags = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER,
		.data_size = key->size,
	};
	list.sequence.entry = item;
	list.sequence.max = key->items_max;
	return list;
}

static cyaml_schema_value_t value_schema(struct schema *s, const struct config_key *key)
{
	switch (key->type) {
	case KEY_SECTION: {
		cyaml_schema_value_t section = {
			.type = CYAML_MAPPING,
			.flags = CYAML_FLAG_OPTIONAL,
			.data_size = key->size,
		};
		section.mapping.fields = section_fields(s, key, key->offset);
		return section;
	}
	case KEY_SECTIONS:
	case KEY_TEXTS:
	case KEY_NUMBERS: return list_schema(s, key);
	default: return scalar_schema(key);
	}
}

/* libcyaml counts offsets within the section's own struct, which begins at `base`. */
static const cyaml_schema_field_t *section_fields(
	struct schema *s, const struct config_key *section, uint32_t base)
{
	uint32_t first = s->field_count, count = 0;
	for (uint32_t i = 0; i < config_key_count; i++)
		count += config_key_in(&config_keys[i], section);
	s->field_count += count + 1;

	cyaml_schema_field_t *field = &s->fields[first];
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (!config_key_in(key, section))
			continue;
		*field++ = (cyaml_schema_field_t){
			.key = config_key_leaf(key),
			.data_offset = key->offset - base,
			.count_offset = key->count_offset - base,
			.count_size = sizeof(uint32_t),
			.value = value_schema(s, key),
		};
	}
	*field = (cyaml_schema_field_t){.key = NULL};
	return &s->fields[first];
}

static void build_schema(struct schema *s)
{
	*s = (struct schema){.top = {.type = CYAML_MAPPING,
				     .flags = CYAML_FLAG_POINTER,
				     .data_size = sizeof(struct config_file)}};
	s->top.mapping.fields = section_fields(s, NULL, 0);
}

/* libcyaml's words: the first line says what, the backtrace where. */
struct complaint {
	char what[160];
	unsigned line;
};

static void listen(cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct complaint *c = context;
	char text[256];
	(void)level;
	(void)vsnprintf(text, sizeof(text), format, args); /* longer ones are cut off */
	text[strcspn(text, "\n")] = '\0';
	const char *line = strstr(text, "(line: ");
	if (c->what[0] == '\0')
		(void)snprintf(c->what, sizeof(c->what), "%.150s", text);
	else if (line != NULL && c->line == 0)
		(void)sscanf(line, "(line: %u", &c->line);
}

static const cyaml_config_t *quiet(cyaml_config_t *config, struct complaint *complaint)
{
	*config = (cyaml_config_t){
		.log_fn = listen,
		.log_ctx = complaint,
		.mem_fn = config_memory,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	return config;
}

static int set_defaults(struct config_file *file, const struct config_lines *lines)
{
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		bool of_item = strstr(key->path, "[]") != NULL; /* health knows those */
		if (key->value == NULL || of_item || lines->keys[i] != 0)
			continue;
		int rc = config_value_default(key, file);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int config_file_load(const char *text, size_t len, const struct config_lines *lines,
	struct config_file **file, struct config_mistakes *mistakes)
{
	struct schema schema;
	struct complaint complaint = {.line = 0};
	cyaml_config_t config;
	cyaml_data_t *data = NULL;

	build_schema(&schema);
	cyaml_err_t err = cyaml_load_data(
		(const uint8_t *)text, len, quiet(&config, &complaint), &schema.top, &data, NULL);
	/* libyaml has read this very text before: it can only have run out of memory. */
	if (err == CYAML_ERR_OOM || err == CYAML_ERR_LIBYAML_PARSER ||
		err == CYAML_ERR_LIBYAML_PARSER_INIT)
		return -ENOMEM;
	if (err != CYAML_OK || data == NULL) {
		mistakes_add(mistakes, complaint.line, "YAML",
			"%s (%s); check the value in this line",
			complaint.what[0] == '\0' ? "cannot be loaded" : complaint.what,
			cyaml_strerror(err));
		return -EINVAL;
	}
	*file = data;
	int rc = set_defaults(*file, lines);
	if (rc < 0)
		config_file_free(*file);
	return rc;
}

void config_file_free(struct config_file *file)
{
	struct schema schema;
	struct complaint complaint = {.line = 0};
	cyaml_config_t config;

	build_schema(&schema);
	/* Fails only for a schema or a pointer that is NULL. */
	(void)cyaml_free(quiet(&config, &complaint), &schema.top, file, 0);
}
