/* swimlanectl: what its commands share. One thread, one connection, one command a run.
 *
 * A command parses its own options (ctl_options), asks the server (ctl_call), and prints what came:
 * one JSON line if ctl->json, otherwise for people. It returns an exit code.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

struct rpc_client;

enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1, /* the server said no, or the answer could not be used */
	CTL_USAGE = 2,
	CTL_CONNECTION = 3, /* cannot connect, or connection lost */
	CTL_TIMEOUT = 4,
	CTL_NOT_FOUND = 5,
};

struct ctl {
	const char *socket_path;
	int timeout_ms;
	bool json;
	bool colour;
	bool quiet; /* complain about nothing */
	const struct ctl_command *command;
	struct rpc_client *client; /* NULL: not connected yet */
};

struct ctl_command {
	const char *name; /* "map put" */
	const char *arguments;
	const char *summary;
	const char *help; /* its options and remarks; may be NULL */
	int (*run)(struct ctl *ctl, int argc, char **argv);
	bool hidden; /* not in the list of commands */
};

/* Ends with a NULL name. */
extern const struct ctl_command ctl_cluster_commands[];
extern const struct ctl_command ctl_owners_commands[];
extern const struct ctl_command ctl_origin_commands[];
extern const struct ctl_command ctl_key_commands[];
extern const struct ctl_command ctl_map_commands[];
extern const struct ctl_command ctl_spread_commands[];
extern const struct ctl_command ctl_typed_commands[];
extern const struct ctl_command ctl_stats_commands[];
extern const struct ctl_command ctl_capture_commands[];
extern const struct ctl_command ctl_top_commands[];
extern const struct ctl_command ctl_daemon_commands[];
extern const struct ctl_command ctl_raw_commands[];

/* The next option of `options` (ended by a zero entry), as getopt_long() gives it; -1 after the
 * last; CTL_OPTION_STOP if the command is to return ctl_stop_code(). Global options are dealt with
 * inside. */
enum { CTL_OPTION_STOP = -2 };
int ctl_options(struct ctl *ctl, int argc, char **argv, const struct option *options);
int ctl_stop_code(void);

/* For a command without options: 0 if there are `min` to `max` arguments; then *arguments are they.
 */
bool ctl_arguments(struct ctl *ctl, int argc, char **argv, int min, int max, int *code);

/* Prints "swimlanectl: COMMAND: ..." and where help is; returns CTL_USAGE. */
int ctl_usage(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints "swimlanectl: COMMAND: ..."; returns code. */
int ctl_fail(const struct ctl *ctl, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Calls, connecting first if need be. 0 and a new reference; or an exit code, after saying why.
 * Takes the reference to params (may be NULL). */
int ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **result);

/* The same with one text parameter, or none if text is NULL. A usage error if it is not UTF-8. */
int ctl_call_named(
	struct ctl *ctl, const char *method, const char *name, const char *text, json_t **result);

/* The result as one line of JSON. */
void ctl_print_json(const json_t *value);

/* What a stream of notifications is cut off by; 0: never. */
struct ctl_limit {
	unsigned long count;
	int for_ms;
	/* NULL, or told first of each notification; true: it is neither printed nor counted. */
	bool (*note)(struct ctl *ctl, const char *method, const json_t *params);
};

/* Subscribes with method, then gives every notification to `print` (or prints it as JSON) until the
 * limit is reached or the connection is lost. */
int ctl_follow(struct ctl *ctl, const char *method, json_t *params, struct ctl_limit limit,
	void (*print)(struct ctl *ctl, const char *method, const json_t *params));

/* Numbers from the command line; on failure the usage error is printed and false returned. */
bool ctl_number(const struct ctl *ctl, const char *option, const char *text, long min, long max,
	long *value);
bool ctl_duration(const struct ctl *ctl, const char *option, const char *text, int *ms);
