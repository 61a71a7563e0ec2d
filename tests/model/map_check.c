/* What must hold of the map's world: the history of what was seen, and the invariant over it. */
#include "map_internal.h"

#include <stdlib.h>
#include <string.h>

static int compare(uint64_t clock, uint64_t weight, struct dot author, const struct written *b)
{
	struct map_view x = {.clock = clock, .weight = weight, .author = author},
			y = {.clock = b->clock, .weight = b->weight, .author = b->author};
	return map_stamp_compare(&x, &y);
}

static int compare_written(const struct written *a, const struct written *b)
{
	return compare(a->clock, a->weight, a->author, b);
}

static uint16_t remember(struct world *w, const struct map_view *view)
{
	for (uint16_t i = 0; i < w->history_count; i++) {
		const struct written *h = &w->history[i];
		if (dot_equal(h->dot, view->dot) && dot_equal(h->author, view->author) &&
			h->clock == view->clock && h->tombstone == view->tombstone &&
			h->key == world_key_of(view->key))
			return (uint16_t)(i + 1);
	}
	if (w->history_count == HISTORY_MAX)
		abort(); /* a driver's budget is below that */
	w->history[w->history_count++] = (struct written){.key = (uint8_t)world_key_of(view->key),
		.tombstone = view->tombstone,
		.origin = (uint8_t)view->written_ms,
		.clock = view->clock,
		.weight = view->weight,
		.author = view->author,
		.dot = view->dot};
	return w->history_count;
}

/* The author's dot of a write; seq 0: nobody has it yet. */
static struct dot first_dot(const struct world *w, uint32_t origin)
{
	for (uint32_t i = 0; i < w->history_count; i++) {
		const struct written *h = &w->history[i];
		if (h->origin == origin && h->author.actor.id == world_id(origin / WRITES_EACH_MAX))
			return h->author;
	}
	return (struct dot){0};
}

static bool covers(uint32_t a, struct dot dot)
{
	return map_seq_reader(world_map(a), dot.actor) >= dot.seq;
}

static uint64_t unseen_by(const struct world *w, uint32_t a, uint64_t origins)
{
	uint64_t unseen = 0;
	for (; origins != 0; origins &= origins - 1) {
		uint32_t origin = (uint32_t)__builtin_ctzll(origins);
		if (!covers(a, first_dot(w, origin)))
			unseen |= 1ULL << origin;
	}
	return unseen;
}

void check_collected(struct world *w, uint32_t a, const struct map_view *t)
{
	if (w->collected_count == COLLECTED_MAX)
		abort(); /* a driver's budget is below that */
	w->collected[w->collected_count++] =
		(struct collected){.key = (uint8_t)world_key_of(t->key),
			.origin = (uint8_t)t->written_ms,
			.by = (uint8_t)a,
			.life = w->nodes[a].life,
			.clock = t->clock,
			.weight = t->weight,
			.author = t->author,
			.history = w->history_count,
			.unseen = unseen_by(w, a, w->replaced[t->written_ms])};
}

static bool was_collected_above(const struct world *w, const struct written *h)
{
	for (uint32_t i = 0; i < w->collected_count; i++) {
		const struct collected *c = &w->collected[i];
		if (c->key == h->key && compare(c->clock, c->weight, c->author, h) >= 0)
			return true;
	}
	return false;
}

/* If a replica's vector covers a write, it holds that write or one with a larger stamp, or a
 * tombstone newer than it has been collected. */
static const char *check_covered(const struct world *w, uint32_t a, uint32_t from)
{
	const struct node *n = &w->nodes[a];
	for (uint32_t i = from; i < w->history_count; i++) {
		const struct written *h = &w->history[i];
		if (map_seq_reader(world_map(a), h->dot.actor) < h->dot.seq)
			continue;
		if (n->held[h->key] != 0) {
			if (compare_written(&w->history[n->held[h->key] - 1], h) < 0)
				return "what a vector covers is held, or something newer";
		} else if (!was_collected_above(w, h)) {
			return "what a vector covers is not lost";
		}
	}
	return NULL;
}

const char *check_step(struct world *w, uint32_t a)
{
	static const uint8_t names[KEYS] = {'a', 'b'};
	struct node *n = &w->nodes[a];
	uint32_t before = w->history_count;
	for (uint32_t key = 0; key < KEYS; key++) {
		struct map_view view;
		bool found = map_get_reader(world_map(a), &names[key], 1, &view);
		n->held[key] = found ? remember(w, &view) : 0;
	}
	for (uint32_t i = 0; i < w->replicas; i++) {
		/* Others are as they were, but the history may have grown. */
		const char *broken =
			w->nodes[i].up ? check_covered(w, i, i == a ? 0 : before) : NULL;
		if (broken != NULL)
			return broken;
	}
	return NULL;
}

/* ---- after a heal ---- */

void check_held(const struct world *w, uint16_t held[KEYS])
{
	memset(held, 0, KEYS * sizeof(held[0]));
	for (uint32_t i = 0; i < w->replicas; i++) {
		const struct node *n = &w->nodes[i];
		for (uint32_t k = 0; n->up && n->ready && k < KEYS; k++)
			if (n->held[k] != 0 &&
				(held[k] == 0 || compare_written(&w->history[n->held[k] - 1],
							 &w->history[held[k] - 1]) > 0))
				held[k] = n->held[k];
	}
}

static const struct written *live_at(const struct world *w, uint32_t a, uint32_t key)
{
	uint16_t held = w->nodes[a].held[key];
	return held == 0 || w->history[held - 1].tombstone ? NULL : &w->history[held - 1];
}

static const char *check_nothing_lost(const struct world *w, uint32_t a, const uint16_t held[KEYS])
{
	for (uint32_t k = 0; k < KEYS; k++) {
		const struct node *n = &w->nodes[a];
		if (held[k] == 0)
			continue;
		const struct written *h = &w->history[held[k] - 1];
		if (n->held[k] != 0 ? compare_written(&w->history[n->held[k] - 1], h) < 0
				    : !was_collected_above(w, h))
			return "what a live server held is not lost";
	}
	return NULL;
}

const char *const world_corners[CORNERS] = {
	"a deleted key comes back: three islands forgot each other",
	"a deleted key comes back: it was overwritten where the vector did not cover it",
	"a deleted key comes back: its epoch was closed below it later",
	"a deleted key comes back: it was written anew while its deletion was under way",
};

bool world_is_corner(const char *broken)
{
	for (int i = 0; i < CORNERS; i++)
		if (broken == world_corners[i])
			return true;
	return false;
}

static bool have_parted(const struct world *w, uint32_t a, uint32_t b)
{
	return (w->parted[a] >> b & 1) || (w->parted[b] >> a & 1);
}

static bool three_parted(const struct world *w, uint32_t by)
{
	for (uint32_t x = 0; x < w->replicas; x++)
		for (uint32_t y = 0; y < x; y++)
			if (x != by && y != by && have_parted(w, x, y) && have_parted(w, x, by) &&
				have_parted(w, y, by))
				return true;
	return false;
}

static bool was_written_anew(const struct world *w, const struct written *live)
{
	for (uint32_t i = 0; i < w->history_count; i++)
		if (w->history[i].origin == live->origin &&
			!dot_equal(w->history[i].author, live->author))
			return true;
	return false;
}

static bool was_there(const struct world *w, const struct collected *c, const struct written *live)
{
	for (uint32_t i = 0; i < c->history; i++)
		if (dot_equal(w->history[i].author, live->author))
			return true;
	return false;
}

/* NULL: none of them. */
static const char *corner_of(
	const struct world *w, const struct collected *c, const struct written *live)
{
	if (!was_written_anew(w, live))
		return NULL;
	if (was_there(w, c, live))
		return world_corners[3];
	if ((c->unseen >> live->origin & 1) && w->previous[c->origin] != live->origin + 1)
		return world_corners[1];
	if (!covers(c->by, first_dot(w, live->origin)))
		return world_corners[2];
	return three_parted(w, c->by) ? world_corners[0] : NULL;
}

static const char *check_nothing_back(const struct world *w, uint32_t a)
{
	const char *corner = NULL;
	for (uint32_t i = 0; i < w->collected_count; i++) {
		const struct collected *c = &w->collected[i];
		const struct written *live = live_at(w, a, c->key);
		if (live == NULL || !w->nodes[c->by].up || w->nodes[c->by].life != c->life)
			continue;
		if (compare(c->clock, c->weight, c->author, live) > 0)
			return "nothing older than a collected tombstone is live";
		if (w->replaced[c->origin] >> live->origin & 1) {
			corner = corner_of(w, c, live);
			if (corner == NULL)
				return "a deleted key does not come back";
		}
	}
	return corner;
}

const char *check_healed(const struct world *w, const uint16_t held[KEYS])
{
	const char *corner = NULL;
	int first = -1;
	for (uint32_t i = 0; i < w->replicas; i++) {
		const struct node *n = &w->nodes[i];
		if (!n->up)
			continue;
		if (!n->ready)
			return "all that run have a first session in the end";
		const char *broken = check_nothing_lost(w, i, held);
		const char *back = check_nothing_back(w, i);
		if (world_is_corner(back))
			corner = back;
		else if (broken == NULL)
			broken = back;
		if (broken != NULL)
			return broken;
		first = first < 0 ? (int)i : first;
		for (uint32_t k = 0; k < KEYS; k++) {
			const struct written *x = live_at(w, i, k),
					     *y = live_at(w, (uint32_t)first, k);
			if ((x == NULL) != (y == NULL) || (x != NULL && compare_written(x, y) != 0))
				return "live maps are equal in the end";
		}
		struct map *x = world_map(i), *y = world_map((uint32_t)first);
		if (map_vector_hash(x) != map_vector_hash(y))
			return "vectors are equal in the end";
		if (map_content_hash(x) != map_content_hash(y))
			return "content hashes are equal in the end";
	}
	return corner;
}
