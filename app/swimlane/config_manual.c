#include "config.h"

#include <string.h>

#include "config_keys.h"
#include "config_value.h"

enum { LINE_COLUMNS = 64 };

/* Text of the table, which is Markdown, in mdoc(7): `word` is set off, lines are short, and nothing
 * begins a request. */
static void print_text(FILE *out, const char *text)
{
	bool inside = false;
	unsigned column = 0;
	for (; *text != '\0'; text++, column++) {
		if (column == 0 && (*text == '.' || *text == '\''))
			(void)fputs("\\&", out);
		if (*text == '`') {
			(void)fputs(inside ? "\\fP" : "\\fB", out);
			inside = !inside;
		} else if (*text == '\\') {
			(void)fputs("\\e", out);
		} else if (*text == '-') {
			(void)fputs("\\-", out);
		} else if (*text == ' ' && column >= LINE_COLUMNS) {
			(void)fputc('\n', out);
			column = UINT32_MAX; /* 0 for the next one */
		} else {
			(void)fputc(*text, out);
		}
	}
}

static void print_values(FILE *out, const struct config_key *key)
{
	char words[128], text[512];
	const char *more = key->default_words != NULL ? key->default_words : "none";
	config_value_words(key, words, sizeof(words));
	int len = snprintf(text, sizeof(text), "%s%s%s%s", words, key->unit != NULL ? " (" : "",
		key->unit != NULL ? key->unit : "", key->unit != NULL ? ")" : "");
	if (key->type == KEY_TEXTS || key->type == KEY_NUMBERS)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "; a list of at most %u",
			key->items_max);
	if (key->required)
		(void)snprintf(text + len, sizeof(text) - (size_t)len, "; required.");
	else
		(void)snprintf(text + len, sizeof(text) - (size_t)len, "; default: %s.",
			key->value != NULL ? key->value : more);
	print_text(out, text);
	(void)fputc('\n', out);
}

static void print_key(FILE *out, const struct config_key *key)
{
	bool section = key->type == KEY_SECTION || key->type == KEY_SECTIONS;
	(void)fprintf(out, ".It Cm %s\n", key->path);
	print_text(out, key->help);
	(void)fputs(".\n", out);
	if (section && key->type == KEY_SECTION)
		return;
	(void)fputs(".br\n", out);
	print_values(out, key);
	if (key->live)
		(void)fputs("A reload brings a change into force.\n", out);
}

void config_manual(FILE *out)
{
	(void)fputs(".Dd November 22, 2026\n"
		    ".Dt SWIMLANE.YAML 5\n"
		    ".Os\n"
		    ".Sh NAME\n"
		    ".Nm swimlane.yaml\n"
		    ".Nd configuration of swimlane(8)\n"
		    ".Sh DESCRIPTION\n"
		    "One YAML file, without anchors, aliases, tags or a second document.\n"
		    "Each key may stand once; an unknown key is a mistake.\n"
		    "Every mistake is told with its line by\n"
		    ".Ql swimlane --check Ar file .\n"
		    ".Pp\n"
		    "A key with a dot stands inside the section of the name before it;\n"
		    ".Cm origins[]\n"
		    "are the items of a list.\n"
		    "What a change of a key needs is a restart, unless it says that a reload\n"
		    ".Pq Li SIGHUP No or Li swimlanectl reload\n"
		    "will do.\n"
		    ".Sh KEYS\n"
		    ".Bl -tag -width Ds\n",
		out);
	for (uint32_t i = 0; i < config_key_count; i++)
		print_key(out, &config_keys[i]);
	(void)fputs(".El\n"
		    ".Sh EXAMPLES\n"
		    "The least that is needed:\n"
		    ".Bd -literal -offset indent\n"
		    "name: web-1\n"
		    "cluster: ams1\n"
		    "seal: {keyring: /etc/swimlane/keyring}\n"
		    "port: {kind: af_xdp, interface: eth0}\n"
		    ".Ed\n"
		    ".Sh SEE ALSO\n"
		    ".Xr swimlanectl 1 ,\n"
		    ".Xr swimlane 8\n",
		out);
}
