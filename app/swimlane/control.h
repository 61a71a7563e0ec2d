/* The control core: RPC, health checks, events, signals. One event loop on the main lcore;
 * everything here runs on its thread. It reads what the other cores publish (online in RCU for the
 * length of one callback) and asks them for changes through rings.
 */
#pragma once

#include <jansson.h>

#include "appliance.h"
#include "control_notify.h"
#include "health/health.h"
#include "rendezvous/duty.h"
#include "persist.h"
#include "privileges.h"
#include "rpc/rpc.h"
#include "start.h"
#include "watch.h"

enum { SUBSCRIBERS_MAX = 64, CONTROL_METHODS_MAX = 96, EXIT_STOOD_DOWN = 4 };

struct event_base;
struct event;
struct jobs;
struct rpc_http;
struct control;

typedef void (*control_method)(struct control *control, struct rpc_call *call, json_t *params);

struct method {
	struct control *control;
	control_method run;
};

/* A client of events. */
struct subscription {
	struct control *control;
	struct rpc_subscriber *subscriber; /* NULL: free */
};

/* When a core's loop was last seen to have turned. */
struct progress {
	uint64_t loops;
	uint64_t moved_ns;
};

/* A counter's cell of an earlier life of this server, being taken over. */
struct leftover {
	enum { LEFTOVER_NEW, LEFTOVER_ASKED, LEFTOVER_FOLDED } state;
	uint32_t epoch;
	struct dot dot; /* under which this life took it over */
	uint8_t name_len;
	uint8_t name[TYPED_NAME_MAX];
};

enum { LEFTOVERS_MAX = 256, WAITINGS_MAX = 64 };

/* A client of map.wait. */
struct waiting {
	struct rpc_call *call; /* NULL: free */
	struct dot dot;
	uint32_t members; /* 0: all */
	uint64_t start_ns, end_ns;
};

struct control {
	struct appliance *app;
	struct config *config; /* app's own: what a reload changes in it, control alone reads */
	const struct start_info *info;
	struct privileges privileges;
	struct event_base *base;
	struct event *tick;
	struct event *signals[3];
	struct rpc_server *rpc;
	struct rpc_subscriber *capture_client;      /* NULL: none, or gone */
	uint64_t capture_missed;                    /* told so far */
	struct rpc_http *http;                      /* NULL: not asked for */
	struct progress progress[1 + SW_LANES_MAX]; /* the keeper, lanes */
	struct notify notify;
	struct method methods[CONTROL_METHODS_MAX];
	uint32_t method_count;
	struct subscription subscriptions[SUBSCRIBERS_MAX];
	struct watch *watches; /* watch_max */
	struct deletes *deletes;
	uint32_t watch_max;
	struct watch_counters watch_counters;
	struct version_vector vector; /* scratch */
	uint64_t next_vector_ns;

	struct leftover leftovers[LEFTOVERS_MAX];
	uint32_t leftover_count;
	uint32_t leftovers_cursor;
	bool leftovers_unseen; /* the table is to be looked through */
	uint64_t next_leftovers_ns;

	struct persist *persist;
	struct waiting waitings[WAITINGS_MAX];
	uint32_t waiting_count;
	uint64_t next_waiting_ns;
	struct jobs *jobs; /* control_jobs.h */

	struct keeper_command *free_commands[COMMANDS_MAX];
	uint32_t free_count;

	struct health_checker *checker;
	struct duties *duties; /* what this server checks, and why; NULL: it checks nothing */
	json_t *verdicts;      /* name -> state last told as an event */
	json_t *unwritten;     /* name -> verdict that still has to be written */
	bool reconcile;
	uint64_t ownership_seen;
	uint64_t changes_missed_seen;

	uint64_t members_seen;
	uint32_t epoch, epoch_written; /* own, and what the state folder has */
	uint64_t next_port_ns;
	uint32_t origins_put;                   /* of the configuration */
	struct health_origin *reloaded_origins; /* to be put; NULL: none */
	uint32_t reloaded_count, reloaded_put;
	char *reloaded; /* what the file said at the last reload; NULL: none yet */
	size_t reloaded_len;
	bool was_ready;
	bool leaving;
	bool signalled;
	uint64_t leave_deadline_ns;
	int exit_code;
};

/* control.c: runs until the appliance is told to stop. */
int control_run(struct appliance *app, const struct start_info *info); /* the exit code */
/* Around everything that reads what other cores publish. */
void control_online(struct control *control);
void control_offline(struct control *control);
void control_soon(struct control *control); /* look at the rings again very soon */
void control_leave(struct control *control);
void control_stop(struct control *control, int exit_code);
bool control_lane(struct control *control, enum lane_command_kind kind, uint64_t server_id);

/* control_commands.c: 0, or -EBUSY if as many commands as there may be are under way, -EMSGSIZE. */
void commands_init(struct control *control);
int commands_submit(struct control *control, enum keeper_command_kind kind, const char *key,
	const void *value, size_t value_len, void (*done)(struct keeper_command *command),
	void *context);
/* The same for any bytes, with the command's number. */
int commands_submit_bytes(struct control *control, enum keeper_command_kind kind, const void *key,
	size_t key_len, const void *value, size_t value_len, int64_t number,
	void (*done)(struct keeper_command *command), void *context);
void commands_drain(struct control *control);
/* The same for a caller who waits: answered with {label: text, "dot": ...}, or with an error about
 * text. */
void commands_write(struct control *control, struct rpc_call *call, enum keeper_command_kind kind,
	const char *key, const void *value, size_t value_len, const char *label, const char *text);
/* Answers a call with a command's error; result < 0. */
void commands_rpc_error(struct rpc_call *call, const char *key, int result);
json_t *dot_to_json(const struct control *control, struct dot dot);

/* control_http.c: 0, also if none was asked for, or -errno after logging why. */
int http_open(struct control *control);
/* Why this server is not well, a text each; empty: it is. The caller's own. */
json_t *control_reasons(struct control *control);

/* control_reload.c */
void reload_methods(struct control *control);
void reload_by_signal(struct control *control);
/* A reload brings this key into force. */
bool reload_is_live(const char *key);

/* control_log.c */
void log_methods(struct control *control);

/* control_daemon.c */
void daemon_methods(struct control *control);

/* control_cluster.c */
void cluster_methods(struct control *control);
struct members_view;
uint32_t cluster_alive(const struct members_view *view);
const char *server_name(
	const struct control *control, uint64_t id, char *text); /* text: 64 bytes */
/* A sorted copy; takes the reference. `compare` gets pointers to json_t *, as for qsort(). */
json_t *json_sort(json_t *list, int (*compare)(const void *a, const void *b));
const struct swim_member *server_find(const struct control *control, const char *name_or_id);

/* control_stats.c, control_shim.c */
void stats_methods(struct control *control);
void shim_methods(struct control *control);

/* control_map.c, control_ls.c */
void map_methods(struct control *control);
void ls_methods(struct control *control);
json_t *record_to_json(const struct control *control, const struct map_view *view);

/* control_keys.c */
/* Reads the keyring again, and logs what came of it. 0 or -errno. */
int keys_renew(struct control *control, char *error);
void keys_methods(struct control *control);
json_t *keys_to_json(const struct control *control);

/* control_capture.c; the tick is called offline */
void capture_methods(struct control *control);
void capture_tick(struct control *control);

/* control_events.c */
void events_methods(struct control *control);
void events_drain(struct control *control);
void events_tell(struct control *control, uint64_t at_ns, const char *kind, uint64_t server_id,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* control_map_watch.c, control_map_typed.c, control_map_spread.c */
void watch_methods(struct control *control);
void changes_drain(struct control *control);
void typed_methods(struct control *control);
void typed_changed(struct control *control, const struct map_view *view);
void typed_tick(struct control *control, uint64_t now_ns);
void spread_methods(struct control *control);
void spread_tick(struct control *control, uint64_t now_ns);
/* Do all members that are not forgotten hold that write, or something newer? */
bool spread_is_settled(struct control *control, struct dot dot);

/* control_origins.c */
int origins_init(struct control *control);
void origins_fini(struct control *control);
void origins_methods(struct control *control);
void origins_tick(struct control *control);
/* Puts the origins of a reloaded file that are new or defined otherwise; takes the memory. */
void origins_reload(struct control *control, struct health_origin *origins, uint32_t count);
void origins_changed(struct control *control, const struct map_change *change);
/* The name of an origin's record; false if it is none, or deleted. */
bool origins_name(const struct map_view *view, char name[HEALTH_NAME_MAX + 1]);
/* The verdict in the map and its record; false if there is none. */
bool origins_verdict(const struct control *control, const char *name,
	struct health_verdict *verdict, struct map_view *view);

/* control_duty.c: which origins this server checks now. */
int duties_init(struct control *control);
void duties_fini(struct control *control);
/* Definitions, owners or members changed: each origin is looked at again, also what was just
 * before. */
void duties_want(struct control *control);
/* A bounded piece of that. False: there is more to do, soon. */
bool duties_look(struct control *control);
/* A verdict came in. */
void duties_written(struct control *control, const char *name, struct actor writer);
enum duty duties_of(const struct control *control, const char *name);
struct duty_totals {
	uint64_t owned, standing_in, handing_over; /* origins, now */
	uint64_t stand_ins, hand_overs;            /* how often that began */
	uint64_t checks_owned, checks_standing_in, checks_handing_over;
};
void duties_totals(const struct control *control, struct duty_totals *totals);
void duties_methods(struct control *control);

/* control_ownership.c, control_plan.c, control_balance.c */
void ownership_methods(struct control *control);
void plan_methods(struct control *control);
void balance_methods(struct control *control);

/* Registers a method; names are unique and few. What it takes and gives stands in its row of
 * methods.h, against which its parameters are checked before it runs. */
void control_add(struct control *control, const char *name, control_method run);
/* A text parameter, or NULL after answering the call with what is wrong. */
const char *control_text(struct rpc_call *call, json_t *params, const char *name);
/* *text is left as it is if there is none; false after answering the call with what is wrong. */
bool control_text_or(struct rpc_call *call, json_t *params, const char *name, const char **text);
