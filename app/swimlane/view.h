/* The member table as lane 0 publishes it: whole views, replaced under RCU.
 *
 * One writer (lane 0). Readers call view_get_reader() while they are online in RCU, and may use
 * what they got until their next quiescent state. A writer never waits: if no buffer is free, the
 * next turn publishes.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "swim/path.h"
#include "swim/swim.h"

enum { VIEW_HOMES = 4 * SW_MEMBERS_MAX };

struct members_view {
	uint64_t version; /* grows with each change of membership, or of what a path carries */
	uint64_t swim_version;
	enum swim_phase phase;
	struct actor self;
	bool remembered;
	uint32_t local_health;
	uint64_t digest;
	struct swim_counters counters;
	uint32_t count;
	struct swim_member members[SW_MEMBERS_MAX]; /* this server first */
	uint16_t packet_max[SW_MEMBERS_MAX];        /* the largest packet that may go there */
	uint16_t homes[VIEW_HOMES]; /* by a hash of the id: 1 + where it probably is; 0: nowhere */
};

struct view_board;

struct view_board *view_create(struct rte_rcu_qsbr *rcu);
void view_destroy(struct view_board *board);
/* Before anything is published: who knows what paths carry; NULL: nobody, and small packets alone
 * go anywhere. */
void view_paths(struct view_board *board, const struct paths *paths);
/* Lane 0: true if the view was published. */
bool view_publish_owner(struct view_board *board, const struct swim *swim);
/* Lane 0: something has changed since. */
bool view_is_old_owner(const struct view_board *board, const struct swim *swim);
const struct members_view *view_get_reader(const struct view_board *board);
/* The version alone, from anywhere. */
uint64_t view_version(const struct view_board *board);
static inline uint32_t view_home(uint64_t id)
{
	return (uint32_t)(id ^ id >> 32) % VIEW_HOMES;
}

const struct swim_member *view_search(const struct members_view *view, uint64_t id);

/* The member with this id, or NULL. */
static inline const struct swim_member *view_find(const struct members_view *view, uint64_t id)
{
	uint16_t home = view->homes[view_home(id)];
	if (home == 0)
		return NULL;
	if (view->members[home - 1].record.actor.id == id)
		return &view->members[home - 1];
	return view_search(view, id);
}
