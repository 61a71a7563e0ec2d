#include "view.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 4 };

struct view_board {
	struct rte_rcu_qsbr *rcu;
	const struct paths *paths;
	struct members_view *views; /* BUFFERS */
	uint64_t tokens[BUFFERS]; /* readers must have passed it before the buffer is written again
				   */
	uint32_t current;
	_Atomic(struct members_view *) published;
	_Atomic uint64_t version;
};

struct view_board *view_create(struct rte_rcu_qsbr *rcu)
{
	struct view_board *board = calloc(1, sizeof(*board));
	if (board == NULL)
		return NULL;
	board->rcu = rcu;
	board->views = calloc(BUFFERS, sizeof(board->views[0]));
	if (board->views == NULL) {
		free(board);
		return NULL;
	}
	atomic_store(&board->published, &board->views[0]);
	return board;
}

void view_destroy(struct view_board *board)
{
	if (board == NULL)
		return;
	free(board->views);
	free(board);
}

void view_paths(struct view_board *board, const struct paths *paths)
{
	board->paths = paths;
}

/* Both only grow. */
static uint64_t version_of(const struct view_board *board, const struct swim *swim)
{
	return swim_version(swim) + (board->paths == NULL ? 0 : paths_version(board->paths));
}

bool view_is_old_owner(const struct view_board *board, const struct swim *swim)
{
	return version_of(board, swim) != view_version(board);
}

bool view_publish_owner(struct view_board *board, const struct swim *swim)
{
	uint32_t next = (board->current + 1) % BUFFERS;
	if (board->tokens[next] != 0 &&
		rte_rcu_qsbr_check(board->rcu, board->tokens[next], false) != 1)
		return false;
	struct members_view *view = &board->views[next];
	view->version = version_of(board, swim);
	view->swim_version = swim_version(swim);
	view->phase = swim_phase(swim);
	view->self = swim_self(swim);
	view->remembered = swim_was_remembered(swim);
	view->local_health = swim_local_health(swim);
	view->digest = swim_table_digest(swim);
	view->counters = *swim_counters(swim);
	view->count = swim_members(swim, view->members, SW_MEMBERS_MAX);
	memset(view->homes, 0, sizeof(view->homes));
	for (uint32_t i = 0; i < view->count; i++) {
		view->homes[view_home(view->members[i].record.actor.id)] = (uint16_t)(i + 1);
		view->packet_max[i] =
			board->paths == NULL
				? (uint16_t)WIRE_PACKET_MAX
				: paths_packet_max(board->paths, view->members[i].record.actor.id);
	}
	atomic_store_explicit(&board->published, view, memory_order_release);
	atomic_store_explicit(&board->version, view->version, memory_order_release);
	board->tokens[board->current] = rte_rcu_qsbr_start(board->rcu);
	board->current = next;
	return true;
}

const struct members_view *view_get_reader(const struct view_board *board)
{
	return atomic_load_explicit(&board->published, memory_order_acquire);
}

uint64_t view_version(const struct view_board *board)
{
	return atomic_load_explicit(&board->version, memory_order_acquire);
}

const struct swim_member *view_search(const struct members_view *view, uint64_t id)
{
	for (uint32_t i = 0; i < view->count; i++)
		if (view->members[i].record.actor.id == id)
			return &view->members[i];
	return NULL;
}
