/* status, members, owned, drain, leave */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fields.h"
#include "table.h"
#include "units.h"

enum { WAIT_MAX_MS = 60000, CAPABILITIES_SHOWN = 5 };

static enum table_style state_style(const char *state)
{
	if (strcmp(state, "alive") == 0 || strcmp(state, "running") == 0)
		return STYLE_GOOD;
	if (strcmp(state, "dead") == 0 || strcmp(state, "stood_down") == 0)
		return STYLE_BAD;
	if (strcmp(state, "left") == 0)
		return STYLE_DIM;
	return STYLE_WARN;
}

static void add_line(struct table *t, const char *name, const json_t *status, const char *field)
{
	char text[FIELD_TEXT_MAX];
	table_cell(t, STYLE_DIM, "%s", name);
	table_cell(t, STYLE_PLAIN, "%s", field_any(status, field, text));
}

static void add_server(struct table *t, const json_t *status)
{
	char text[FIELD_TEXT_MAX], instance[FIELD_TEXT_MAX];
	const char *state = field_text(status, "state");
	table_cell(t, STYLE_DIM, "server");
	table_cell(t, STYLE_TITLE, "%s (id %s, epoch %" PRId64 ", instance %s)",
		field_text(status, "name"), field_text(status, "id"), field_number(status, "epoch"),
		field_any(status, "instance", instance));
	table_cell(t, STYLE_DIM, "state");
	table_cell(t, state_style(state), "%s%s%s", state,
		field_true(status, "ready") ? ", ready" : ", not ready yet",
		field_true(status, "drain") ? ", draining" : "");
	table_cell(t, STYLE_DIM, "up for");
	table_cell(t, STYLE_PLAIN, "%s", units_age_ms(field_number(status, "uptime_ms"), text));
	add_line(t, "cluster", status, "cluster");
	add_line(t, "address", status, "address");
	add_line(t, "profile", status, "profile");
	/* Older servers do not say. */
	if (json_is_boolean(json_object_get(status, "sealed"))) {
		bool sealed = field_true(status, "sealed");
		table_cell(t, STYLE_DIM, "packets");
		table_cell(t, sealed ? STYLE_PLAIN : STYLE_BAD, "%s",
			sealed ? "sealed"
			       : "INSECURE: in the clear, anybody on this network can forge them");
	}
	add_line(t, "version", status, "version");
	table_cell(t, STYLE_DIM, "members");
	table_cell(t, STYLE_PLAIN, "%" PRId64 ", %" PRId64 " of them alive",
		field_number(status, "members"), field_number(status, "alive"));
}

static void add_map(struct table *t, const json_t *status)
{
	char records[FIELD_TEXT_MAX], tombstones[FIELD_TEXT_MAX], keys[FIELD_TEXT_MAX];
	table_cell(t, STYLE_DIM, "map");
	table_cell(t, STYLE_PLAIN, "%s records, %s tombstones; %s keys with an owner",
		units_count(field_number(status, "records"), records),
		units_count(field_number(status, "tombstones"), tombstones),
		units_count(field_number(status, "keys"), keys));
	table_cell(t, STYLE_DIM, "hashes");
	table_cell(t, STYLE_PLAIN, "table %s, vector %s, content %s",
		field_any(status, "table_digest", records),
		field_any(status, "vector_hash", tombstones),
		field_any(status, "content_hash", keys));
}

static void add_port(struct table *t, const json_t *port)
{
	table_cell(t, STYLE_DIM, "port");
	table_cell(t, STYLE_PLAIN, "%s (%s, %s), %" PRId64 " queues%s", field_text(port, "name"),
		field_text(port, "driver"), field_text(port, "steering"),
		field_number(port, "queues"),
		field_true(port, "exclusive") ? ", exclusive" : ", shared with the kernel");
	table_cell(t, STYLE_DIM, "%s", "");
	table_cell(t, STYLE_PLAIN, "%s, MTU %" PRId64, field_text(port, "mac"),
		field_number(port, "mtu"));
}

static void add_privileges(struct table *t, const json_t *status)
{
	const json_t *held = json_object_get(status, "capabilities");
	const char *fixed = field_true(status, "no_new_privileges") ? ", and can gain none" : "";
	char text[FIELD_TEXT_MAX] = "";
	size_t count = json_array_size(held), i;
	const json_t *name;
	table_cell(t, STYLE_DIM, "holds");
	if (count == 0 || count > CAPABILITIES_SHOWN) {
		table_cell(t, STYLE_PLAIN, "%zu capabilities%s", count, fixed);
		return;
	}
	json_array_foreach(held, i, name)
	{
		size_t len = strlen(text);
		(void)snprintf(text + len, sizeof(text) - len, "%s%.24s", i > 0 ? " " : "",
			json_is_string(name) ? json_string_value(name) : "?");
	}
	table_cell(t, STYLE_PLAIN, "%s%s", text, fixed);
}

static void add_cores(struct table *t, const json_t *cores)
{
	size_t i;
	const json_t *core;
	char cpu[FIELD_TEXT_MAX];
	json_array_foreach(cores, i, core)
	{
		table_cell(t, STYLE_DIM, "%s", i == 0 ? "cores" : "");
		table_cell(t, STYLE_PLAIN, "lcore %" PRId64 " on CPU %s: %s, idle %s",
			field_number(core, "lcore"), field_any(core, "cpu", cpu),
			field_text(core, "role"), field_text(core, "idle"));
	}
}

static int run_status(struct ctl *ctl, int argc, char **argv)
{
	json_t *status;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, "status", NULL, &status);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(status);
	} else {
		struct table *t = table_create("|");
		add_server(t, status);
		add_map(t, status);
		if (field_given(status, "port"))
			add_port(t, json_object_get(status, "port"));
		if (field_given(status, "capabilities"))
			add_privileges(t, status);
		add_cores(t, json_object_get(status, "cores"));
		table_print(t, stdout, ctl->colour);
		table_free(t);
	}
	json_decref(status);
	return CTL_OK;
}

static void add_member(struct table *t, const json_t *member, bool verbose)
{
	char text[FIELD_TEXT_MAX];
	const char *state = field_text(member, "state");
	int64_t rtt_us = field_number(member, "rtt_us");
	table_cell(t, STYLE_PLAIN, "%s%s", field_text(member, "name"),
		field_true(member, "self") ? " *" : "");
	table_cell(t, state_style(state), "%s%s", state,
		field_true(member, "drain") ? ", draining" : "");
	table_cell(t, STYLE_PLAIN, "%s", field_ago(member, "since_ms", text));
	table_cell(t, STYLE_PLAIN, "%s", field_text(member, "address"));
	table_cell(t, STYLE_PLAIN, "%s", rtt_us > 0 ? units_latency_us((double)rtt_us, text) : "-");
	table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(member, "weight"));
	table_cell(t, STYLE_PLAIN, "%s", field_text(member, "zone"));
	if (verbose) {
		table_cell(t, STYLE_PLAIN, "%s", field_text(member, "id"));
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(member, "epoch"));
		table_cell(t, STYLE_PLAIN, "%" PRId64, field_number(member, "incarnation"));
		table_cell(t, STYLE_PLAIN, "%s", field_any(member, "instance", text));
		table_cell(t, STYLE_PLAIN, "%s",
			field_given(member, "packet_max") ? field_any(member, "packet_max", text)
							  : "-");
	}
	table_cell(t, STYLE_DIM, "%s", field_text(member, "why"));
}

static int run_members(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"verbose", no_argument, NULL, 'v'}, {0}};
	json_t *result, *member;
	bool verbose = false;
	size_t i;
	int option;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP)
			return ctl_stop_code();
		verbose = true;
	}
	if (optind < argc)
		return ctl_usage(ctl, "too many arguments, from \"%s\" on", argv[optind]);
	int code = ctl_call(ctl, "members", NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		struct table *t = table_create(
			verbose ? "NAME|STATE|>SINCE|ADDRESS|>RTT|>WEIGHT|ZONE|ID|>EPOCH|"
				  ">INCARNATION|INSTANCE|>PACKET|WHY"
				: "NAME|STATE|>SINCE|ADDRESS|>RTT|>WEIGHT|ZONE|WHY");
		json_array_foreach(json_object_get(result, "members"), i, member)
			add_member(t, member, verbose);
		table_sort(t);
		table_print(t, stdout, ctl->colour);
		table_free(t);
		if (verbose)
			printf("\nlocal health %" PRId64 " of 8: this server's probes wait %" PRId64
			       " times as long as the profile says\n",
				field_number(result, "local_health"),
				field_number(result, "local_health") + 1);
	}
	json_decref(result);
	return CTL_OK;
}

static int run_owned(struct ctl *ctl, int argc, char **argv)
{
	json_t *result, *key;
	size_t i;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	code = ctl_call_named(ctl, "owned", "server", argv[optind], &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_print_json(result);
	} else {
		struct table *t = table_create("");
		json_array_foreach(json_object_get(result, "keys"), i, key) table_cell(
			t, STYLE_PLAIN, "%s", json_is_string(key) ? json_string_value(key) : "-");
		table_print(t, stdout, ctl->colour);
		if (table_rows(t) == 0)
			(void)fprintf(stderr, "No registered key has this server as its owner.\n");
		table_free(t);
	}
	json_decref(result);
	return CTL_OK;
}

/* Until this server checks no origin any more. */
static int await_handed_over(struct ctl *ctl)
{
	const struct timespec pause = {0, 50 * 1000 * 1000};
	for (int waited_ms = 0; waited_ms < WAIT_MAX_MS; waited_ms += 50) {
		json_t *duties;
		int code = ctl_call(ctl, "duties", NULL, &duties);
		if (code != CTL_OK)
			return code;
		bool done = field_number(json_object_get(duties, "owner"), "now") == 0 &&
			    field_number(json_object_get(duties, "hand_over"), "now") == 0;
		json_decref(duties);
		if (done)
			return CTL_OK;
		(void)nanosleep(&pause, NULL);
	}
	return ctl_fail(ctl, CTL_TIMEOUT,
		"still hands over after %d s: `duties` says what, and it goes on",
		WAIT_MAX_MS / 1000);
}

static int run_drain(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"off", no_argument, NULL, 'o'}, {"wait", no_argument, NULL, 'w'}, {0}};
	json_t *result;
	bool on = true, wait = false;
	int option;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1) {
		if (option == CTL_OPTION_STOP)
			return ctl_stop_code();
		on = on && option != 'o';
		wait = wait || option == 'w';
	}
	if (optind < argc)
		return ctl_usage(ctl, "too many arguments, from \"%s\" on", argv[optind]);
	int code = ctl_call(ctl, "drain", json_pack("{s:b}", "on", on), &result);
	if (code == CTL_OK && on && wait) {
		code = await_handed_over(ctl);
		if (code != CTL_OK)
			json_decref(result);
	}
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		(void)puts(!field_true(result, "drain")
				   ? "not draining: this server owns its share again"
			   : wait ? "drained: others check what this server owned"
				  : "draining: this server stays a member and owns nothing");
	json_decref(result);
	return CTL_OK;
}

static int run_forget(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	code = ctl_call_named(ctl, "forget", "server", argv[optind], &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		printf("forgotten: %s must take a new epoch to come back\n",
			field_text(result, "forgotten"));
	json_decref(result);
	return CTL_OK;
}

static int run_leave(struct ctl *ctl, int argc, char **argv)
{
	json_t *result;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, "leave", NULL, &result);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(result);
	else
		(void)puts("left: the server tells the others and stops");
	json_decref(result);
	return CTL_OK;
}

const struct ctl_command ctl_cluster_commands[] = {
	{"status", "", "Say how this server is", NULL, run_status, false},
	{"members", "[--verbose]", "List the servers that this one knows",
		"An asterisk marks the server that was asked.\n"
		"  --verbose   ids, epochs, incarnations, instances and the largest packet that "
		"goes there, too\n",
		run_members, false},
	{"owned", "SERVER", "List the registered keys that a server (name or id) owns", NULL,
		run_owned, false},
	{"drain", "[--off | --wait]", "Own nothing from now on, but stay a member",
		"  --off    own a share again\n"
		"  --wait   return when others check all that this server owned\n",
		run_drain, false},
	{"forget", "SERVER", "Wait no longer for a dead server", NULL, run_forget, false},
	{"leave", "", "Leave the cluster in order, and stop the server", NULL, run_leave, false},
	{0},
};
