#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "counters.h"
#include "log.h"
#include "methods.h"
#include "needs.h"
#include "probe.h"
#include "screen.h"
#include "swimlane_version.h"

enum { EXIT_USAGE = 2, EXIT_CONFIG = 3 };

struct options {
	const char *config;
	const char *release;
	bool needs;
	bool check;
	bool probe;
	bool json;
	int extra_count; /* behind -- */
	char **extra;
};

static void usage(FILE *out)
{
	(void)fputs(
		"usage: swimlane --config FILE [-- EAL-ARGUMENT ...]\n"
		"       swimlane --check FILE\n"
		"       swimlane --probe [--json] [-- EAL-ARGUMENT ...]\n"
		"       swimlane --release INTERFACE\n"
		"       swimlane --needs FILE\n"
		"       swimlane --config-reference | --rpc-reference | --counter-reference |\n"
		"                --config-manual | --version | --help\n"
		"\n"
		"Runs the gossip appliance of this server: membership, ownership and the "
		"replicated map,\n"
		"on NIC queues of its own.\n"
		"\n"
		"  -c, --config FILE      run with this configuration (YAML)\n"
		"  -t, --check FILE       only say whether it is right\n"
		"      --probe            print what each port of this machine offers\n"
		"      --json             ... as JSON\n"
		"      --release IFACE    take off what a crashed swimlane left on an interface\n"
		"      --needs FILE       what this configuration asks of the machine, a line "
		"each: key=value\n"
		"      --config-reference print every key of the configuration as a Markdown "
		"table\n"
		"      --rpc-reference    print every method of the control RPC as Markdown\n"
		"      --counter-reference print every counter as a Markdown table\n"
		"      --config-manual    print the manual page swimlane.yaml(5)\n"
		"  -V, --version\n"
		"  -h, --help\n"
		"\n"
		"What stands behind -- is given to DPDK's EAL, after swimlane's own arguments.\n"
		"SIGTERM or SIGINT: leave and stop; a second one stops at once.\n"
		"Exit: 0 stopped as asked, 1 failed, 2 usage, 3 configuration, 4 stood down: "
		"another\n"
		"live server has this id. See swimlane(8).\n",
		out);
}

/* The exit code if the program is done with, or -1. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option list[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", required_argument, NULL, 't'},
		{"config-reference", no_argument, NULL, 'r'},
		{"probe", no_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"release", required_argument, NULL, 'l'},
		{"needs", required_argument, NULL, 'n'},
		{"rpc-reference", no_argument, NULL, 'm'},
		{"counter-reference", no_argument, NULL, 'k'},
		{"config-manual", no_argument, NULL, '5'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;
	while ((c = getopt_long(argc, argv, "+c:t:Vh", list, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 't':
			o->config = optarg;
			o->check = true;
			break;
		case 'n':
			o->config = optarg;
			o->needs = true;
			break;
		case 'p': o->probe = true; break;
		case 'j': o->json = true; break;
		case 'l': o->release = optarg; break;
		case 'r': config_reference(stdout); return 0;
		case 'm': methods_reference(stdout); return 0;
		case 'k': counters_reference(stdout); return 0;
		case '5': config_manual(stdout); return 0;
		case 'V': printf("swimlane %s\n", SWIMLANE_VERSION); return 0;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return EXIT_USAGE;
		}
	}
	o->extra_count = argc - optind;
	o->extra = argv + optind;
	if (o->release != NULL)
		return probe_release(o->release);
	bool separated = optind > 0 && strcmp(argv[optind - 1], "--") == 0;
	if (o->probe && o->config == NULL && (o->extra_count == 0 || separated))
		return probe_run(o->json, o->extra_count, o->extra);
	if (o->config == NULL || o->json ||
		(o->extra_count > 0 && (!separated || o->check || o->needs))) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return -1;
}

/* EAL cannot be started twice in a process: the second try is a new one. */
#define NO_HUGEPAGES "SWIMLANE_NO_HUGEPAGES"

static void start_again_without_hugepages(char **argv)
{
	log_line(LOG_WARNING, "memory: somebody else took the hugepages meanwhile; starting again "
			      "on ordinary pages");
	if (setenv(NO_HUGEPAGES, "1", 1) == 0)
		(void)execv("/proc/self/exe", argv);
	log_line(LOG_ERROR, "cannot start again: %s", strerror(errno));
}

static int run(const struct config *config, const struct options *o, char **argv)
{
	static struct appliance app;
	static struct start_info info;
	char error[CONFIG_ERROR_MAX];
	int code = 1;
	if (appliance_create(&app, config, o->extra_count, o->extra, &info, error) < 0) {
		if (info.hugepages_gone)
			start_again_without_hugepages(argv);
		log_line(LOG_ERROR, "%s", error);
	} else {
		screen_print(stderr, &app, &info);
		code = control_run(&app, &info);
	}
	appliance_destroy(&app, &info);
	return code;
}

static bool check_keyring(const struct config *config, char *error)
{
	struct seal_keyring ring;
	if (config->keyring[0] == '\0')
		return true;
	int rc = seal_keyring_load(config->keyring, &ring, error);
	if (rc < 0)
		(void)fprintf(stderr, "%s\n", error);
	seal_keyring_wipe(&ring);
	return rc == 0;
}

int main(int argc, char **argv)
{
	static struct config config;
	struct options o = {.config = NULL};
	char error[CONFIG_ERROR_MAX];
	int code = parse(argc, argv, &o);
	if (code >= 0)
		return code;
	int rc = config_load(o.config, &config, error);
	if (rc < 0) {
		(void)fprintf(stderr, "%s%s\n", rc == -EINVAL ? "" : "error: ", error);
		return rc == -EINVAL ? EXIT_CONFIG : 1;
	}
	if (o.needs) {
		needs_print(stdout, &config);
		code = 0;
	} else if (o.check) {
		code = check_keyring(&config, error) ? 0 : EXIT_CONFIG;
		if (code == 0)
			printf("%s: correct\n", o.config);
	} else {
		log_open();
		log_level(config.log_level);
		/* Until control is there to read configuration and keyring again. */
		(void)signal(SIGHUP, SIG_IGN);
		if (getenv(NO_HUGEPAGES) != NULL)
			config.hugepages = HUGEPAGES_OFF;
		code = run(&config, &o, argv);
	}
	config_free(&config);
	return code;
}
