#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "help.h"
#include "rpc/rpc.h"
#include "swimlane_version.h"

enum { TIMEOUT_DEFAULT_MS = 5000 };

static const char socket_default[] = "/run/swimlane/control.sock";

static bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");
	return isatty(STDOUT_FILENO) && (no_colour == NULL || *no_colour == '\0') &&
	       terminal != NULL && strcmp(terminal, "dumb") != 0;
}

/* Global options before the command. CTL_OK: go on at optind; otherwise *stop is set. */
static int global_options(struct ctl *ctl, int argc, char **argv, bool *stop)
{
	enum { OPTION_JSON = 1000, OPTION_TIMEOUT };
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, OPTION_JSON},
		{"timeout", required_argument, NULL, OPTION_TIMEOUT},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:s:hV", options, NULL)) != -1) {
		switch (option) {
		case 's': ctl->socket_path = optarg; continue;
		case OPTION_JSON: ctl->json = true; continue;
		case OPTION_TIMEOUT:
			if (ctl_duration(ctl, "--timeout", optarg, &ctl->timeout_ms))
				continue;
			*stop = true;
			return CTL_USAGE;
		case 'h': help_print(stdout); break;
		case 'V': (void)printf("swimlanectl %s\n", SWIMLANE_VERSION); break;
		case ':': *stop = true; return ctl_usage(ctl, "%s needs a value", argv[optind - 1]);
		default: *stop = true; return ctl_usage(ctl, "unknown option %s", argv[optind - 1]);
		}
		*stop = true;
		return CTL_OK;
	}
	return CTL_OK;
}

static int run_command(struct ctl *ctl, int argc, char **argv)
{
	int words;
	if (argc == 0) {
		help_print(stderr);
		return CTL_USAGE;
	}
	ctl->command = help_find(argv[0], argc > 1 ? argv[1] : NULL, &words);
	if (ctl->command == NULL && help_list_group(stderr, argv[0]))
		return CTL_USAGE;
	if (ctl->command == NULL)
		return ctl_usage(ctl, "unknown command \"%s\"", argv[0]);
	optind = 0; /* glibc: begin anew */
	return ctl->command->run(ctl, argc - words + 1, argv + words - 1);
}

int main(int argc, char **argv)
{
	const char *from_environment = getenv("SWIMLANE_SOCKET");
	struct ctl ctl = {
		.socket_path = from_environment != NULL && *from_environment != '\0'
				       ? from_environment
				       : socket_default,
		.timeout_ms = TIMEOUT_DEFAULT_MS,
		.colour = wants_colour(),
	};
	bool stop = false;
	(void)setlocale(LC_TIME, "");
	int code = global_options(&ctl, argc, argv, &stop);
	if (!stop)
		code = run_command(&ctl, argc - optind, argv + optind);
	rpc_client_close(ctl.client);
	if (fflush(stdout) != 0 || ferror(stdout))
		return ctl_fail(&ctl, CTL_REFUSED, "cannot write the answer");
	return code;
}
