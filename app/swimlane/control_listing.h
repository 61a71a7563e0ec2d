/* Lists of the map's keys, in order of the keys, of any length: collected, sorted and written as a
 * job (control_jobs.h), so that no other client waits for them.
 *
 * What is written meanwhile may be in the list or not; a key that is there all the time is in it
 * once.
 */
#pragma once

#include "control.h"

struct listing_text {
	char *text;
	size_t len, cap;
	bool failed; /* no memory: nothing more is added */
};

void listing_add(struct listing_text *text, const char *more);
/* Takes the reference. */
void listing_add_json(struct listing_text *text, json_t *value);

/* Which keys, and what becomes of them. Copied; what it points to is copied too. */
struct listing {
	const char *prefix;
	size_t prefix_len;
	const void *after; /* keys behind this one; NULL: all */
	size_t after_len;
	size_t limit; /* 0: all */
	bool tombstones;
	bool reserved;    /* counters' and sets' records too */
	const char *head; /* "{\"records\":[" */
	/* The item, or NULL: left out. Online in RCU. */
	json_t *(*item)(struct control *control, const struct map_view *view, void *context);
	/* Behind the last item: "]}" at least. `last`: the last key if there are more than `limit`,
	 * or NULL. `items`: how many were written. */
	void (*tail)(struct listing_text *text, const void *last, size_t last_len, size_t items,
		void *context);
	void *context;
	void (*end)(void *context); /* frees it; NULL: nothing to free */
};

/* Answers the call with the list, later. */
void listing_start(struct control *control, struct rpc_call *call, const struct listing *listing);
