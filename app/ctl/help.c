#include "help.h"

#include <string.h>

#include "ctl.h"

static const struct ctl_command *const groups[] = {
	ctl_cluster_commands,
	ctl_owners_commands,
	ctl_origin_commands,
	ctl_map_commands,
	ctl_key_commands,
	ctl_spread_commands,
	ctl_typed_commands,
	ctl_stats_commands,
	ctl_capture_commands,
	ctl_top_commands,
	ctl_daemon_commands,
	ctl_raw_commands,
};

enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

static bool is_named(const struct ctl_command *command, const char *first, const char *second)
{
	size_t len = strlen(first);
	if (strncmp(command->name, first, len) != 0)
		return false;
	if (second == NULL)
		return command->name[len] == '\0';
	return command->name[len] == ' ' && strcmp(command->name + len + 1, second) == 0;
}

const struct ctl_command *help_find(const char *first, const char *second, int *words)
{
	for (*words = second != NULL ? 2 : 1; *words > 0; (*words)--)
		for (int g = 0; g < GROUPS; g++)
			for (const struct ctl_command *c = groups[g]; c->name != NULL; c++)
				if (is_named(c, first, *words == 2 ? second : NULL))
					return c;
	return NULL;
}

void help_each(void (*visit)(const struct ctl_command *command, void *context), void *context)
{
	for (int g = 0; g < GROUPS; g++)
		for (const struct ctl_command *c = groups[g]; c->name != NULL; c++)
			visit(c, context);
}

bool help_is_first(const struct ctl_command *command)
{
	size_t len = strcspn(command->name, " ");
	for (int g = 0; g < GROUPS; g++)
		for (const struct ctl_command *c = groups[g]; c->name != NULL; c++) {
			if (c == command)
				return true;
			if (!c->hidden && strcspn(c->name, " ") == len &&
				memcmp(c->name, command->name, len) == 0)
				return false;
		}
	return true;
}

static void print_line(FILE *out, const struct ctl_command *c)
{
	char usage[64];
	(void)snprintf(
		usage, sizeof(usage), "%s%s%s", c->name, *c->arguments ? " " : "", c->arguments);
	(void)fprintf(out, "  %-26s %s\n", usage, c->summary);
}

bool help_list_group(FILE *out, const char *first)
{
	size_t len = strlen(first);
	bool found = false;
	for (int g = 0; g < GROUPS; g++)
		for (const struct ctl_command *c = groups[g]; c->name != NULL; c++) {
			if (strncmp(c->name, first, len) != 0 || c->name[len] != ' ')
				continue;
			if (!found)
				(void)fprintf(out, "swimlanectl: %s: which of these?\n", first);
			found = true;
			print_line(out, c);
		}
	return found;
}

void help_print(FILE *out)
{
	(void)fputs(
		"usage: swimlanectl [OPTION]... COMMAND [ARGUMENT]...\n"
		"Asks and steers the swimlane server on this machine through its control socket.\n"
		"\n"
		"Commands:\n",
		out);
	for (int g = 0; g < GROUPS; g++)
		for (const struct ctl_command *c = groups[g]; c->name != NULL; c++)
			if (!c->hidden)
				print_line(out, c);
	(void)fputs(
		"\n"
		"Options, before or after the command:\n"
		"  -s, --socket PATH    control socket (default: $SWIMLANE_SOCKET, or\n"
		"                       /run/swimlane/control.sock)\n"
		"      --json           print the result as one line of JSON\n"
		"      --timeout TIME   wait this long for an answer, in seconds or with a unit\n"
		"                       (default 5; before the command for `origin add`)\n"
		"  -h, --help           this text; after a command, its own\n"
		"  -V, --version        the version (before the command)\n"
		"\n"
		"Exit codes: 0 done, 1 the server said no, 2 usage, 3 cannot connect or "
		"connection\n"
		"lost, 4 no answer in time, 5 not found.\n"
		"Colours only on a terminal, and not if NO_COLOR is set.\n",
		out);
}

void help_print_command(FILE *out, const struct ctl_command *command)
{
	(void)fprintf(out, "usage: swimlanectl [OPTION]... %s%s%s\n%s.\n", command->name,
		*command->arguments ? " " : "", command->arguments, command->summary);
	if (command->help != NULL)
		(void)fprintf(out, "\n%s", command->help);
	(void)fputs("\nGlobal options and exit codes: swimlanectl --help\n", out);
}
