/* A client's watch of the map, and its resuming. Control core only; see control_map_watch.c for
 * what it promises. */
#pragma once

#include "appliance.h"
#include "rpc/rpc.h"

struct control;
struct replay;

struct watch {
	struct rpc_subscriber *subscriber; /* NULL: free */
	char prefix[SW_KEY_MAX + 1];
	size_t prefix_len;
	bool reserved; /* wants counters' and sets' records too */
	bool told;     /* something since the last vector */
	bool behind;   /* is told nothing until its client has read */
	bool broken;   /* has missed something: no vector is true any more until it resumes */
	uint64_t missed;
	struct version_vector safe; /* told whole, up to here */
	struct replay *replay;      /* NULL: live */
};

struct watch_counters {
	uint64_t watches_told;
	uint64_t watches_behind;
	uint64_t watches_missed;
	uint64_t watches_resumed;
	uint64_t watches_refused;
	uint64_t displaced_told;
};

int watch_init(struct control *control);
void watch_fini(struct control *control);
uint32_t watch_count(const struct control *control);
bool watch_tell(struct control *control, struct watch *watch, const char *method, json_t *params);
bool watch_has_room_again(const struct control *control, const struct watch *watch);

/* control_map_replay.c. `from` is freed by the end of the replay. */
void replay_begin(struct control *control, struct watch *watch, struct version_vector *from);
void replay_end(struct watch *watch);
bool replay_is_open(const struct watch *watch);
void replay_tick(struct control *control, struct watch *watch);

/* {"00000000000000a1@12": 345, …}; a closed epoch's entry has its cap as a negative number. */
json_t *vector_to_json(const struct version_vector *vv);
bool vector_from_json(json_t *j, struct version_vector *vv, char *error, size_t error_len);
