#include "options.h"

#include <stdio.h>
#include <string.h>

#include "values.h"

static const struct option_row *find(const struct option_row *rows, const char *name, size_t len)
{
	for (; rows->name != NULL; rows++)
		if (strlen(rows->name) == len && strncmp(rows->name, name, len) == 0)
			return rows;
	return NULL;
}

static bool store(const struct option_row *row, const char *text)
{
	switch (row->kind) {
	case OPTION_FLAG: *(bool *)row->value = true; return true;
	case OPTION_TEXT: *(const char **)row->value = text; return true;
	case OPTION_U64: return value_u64(text, UINT64_MAX, row->value);
	case OPTION_DURATION: return value_duration(text, row->value);
	case OPTION_SHARE: return value_share(text, row->value);
	case OPTION_BITS: return value_bits_per_s(text, row->value);
	}
	return false;
}

bool options_read(const struct option_row *rows, int argc, char **argv, bool *help)
{
	static const char *const wants[] = {"", "text", "a number", "a time such as 10s", "a share such as 1%",
		"bits a second such as 10G"};
	*help = false;
	for (int i = 0; i < argc; i++) {
		const char *name = argv[i];
		if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
			*help = true;
			return false;
		}
		const char *equals = strchr(name, '=');
		size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
		const struct option_row *row = len > 2 && strncmp(name, "--", 2) == 0 ? find(rows, name + 2, len - 2) : NULL;
		if (row == NULL) {
			(void)fprintf(stderr, "swimlane-sim: there is no option %s\n", name);
			return false;
		}
		const char *text = equals != NULL ? equals + 1 : NULL;
		if (row->kind != OPTION_FLAG && text == NULL && i + 1 < argc)
			text = argv[++i];
		if ((row->kind == OPTION_FLAG) != (text == NULL) || !store(row, text)) {
			(void)fprintf(stderr, "swimlane-sim: --%s wants %s%s%s\n", row->name,
				row->kind == OPTION_FLAG ? "no value" : wants[row->kind], text != NULL ? ", not " : "",
				text != NULL ? text : "");
			return false;
		}
	}
	return true;
}

void options_print(const struct option_row *rows)
{
	for (; rows->name != NULL; rows++)
		(void)printf("  --%-22s %s\n", rows->name, rows->help);
}
