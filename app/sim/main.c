#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "swimlane_version.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"run", cmd_run, "servers in virtual time, with a fault script"},
	{"swarm", cmd_swarm, "many short runs with random fault scripts; invariants and convergence"},
	{"replay", cmd_replay, "one run of a swarm again, with every event"},
	{"shrink", cmd_shrink, "the shortest script with which a run of a swarm still fails"},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void usage(FILE *out)
{
	(void)fprintf(out, "swimlane-sim: whole swimlane servers in virtual time\n\n"
			   "  swimlane-sim COMMAND [--option value ...]; COMMAND --help for its options\n\n");
	for (int i = 0; i < COMMANDS; i++)
		(void)fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
}

int main(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		usage(stdout);
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		(void)puts("swimlane-sim " SWIMLANE_VERSION);
		return 0;
	}
	for (int i = 0; argc > 1 && i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	if (argc > 1)
		(void)fprintf(stderr, "swimlane-sim: there is no command %s\n", argv[1]);
	usage(stderr);
	return 2;
}
