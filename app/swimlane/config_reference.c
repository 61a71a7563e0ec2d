#include "config.h"

#include <string.h>

#include "config_keys.h"
#include "config_value.h"

static void print_default(FILE *out, const struct config_key *key)
{
	if (key->required)
		fprintf(out, "required");
	else if (key->value != NULL)
		fprintf(out, "`%s`", key->value);
	else if (key->default_words != NULL)
		fprintf(out, "%s", key->default_words);
}

static void print_values(FILE *out, const struct config_key *key)
{
	char words[128];
	config_value_words(key, words, sizeof(words));
	switch (key->type) {
	case KEY_SECTION:
	case KEY_SECTIONS: fprintf(out, "%s", words); break;
	case KEY_TEXT: fprintf(out, "text, %s", words); break;
	case KEY_TEXTS: fprintf(out, "a list of at most %u texts", key->items_max); break;
	case KEY_NUMBERS:
		fprintf(out, "a list of %u to %u: each %s", key->items_min, key->items_max, words);
		break;
	default: fprintf(out, "%s", words); break;
	}
	if (key->unit != NULL)
		fprintf(out, " (%s)", key->unit);
}

void config_reference(FILE *out)
{
	fprintf(out, "| key | value | default | change | meaning |\n|---|---|---|---|---|\n");
	for (uint32_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		fprintf(out, "| `%s` | ", key->path);
		print_values(out, key);
		fprintf(out, " | ");
		print_default(out, key);
		bool section = key->type == KEY_SECTION || strstr(key->path, "[]") != NULL;
		fprintf(out, " | %s | %s |\n",
			section     ? ""
			: key->live ? "reload"
				    : "restart",
			key->help);
	}
}
