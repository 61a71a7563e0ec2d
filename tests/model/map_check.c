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

static bool same_record(const struct written *a, const struct written *b)
{
	return a->key == b->key && a->tombstone == b->tombstone && a->clock == b->clock &&
	       dot_equal(a->dot, b->dot) && dot_equal(a->author, b->author);
}

static uint16_t remember(struct world *w, const struct written *record)
{
	for (uint16_t i = 0; i < w->history_count; i++)
		if (same_record(&w->history[i], record))
			return (uint16_t)(i + 1);
	if (w->history_count == HISTORY_MAX)
		abort(); /* a driver's budget is below that */
	struct written *h = &w->history[w->history_count++];
	*h = *record;
	h->after = w->collected_count;
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

static bool covers(const struct version_vector *vv, struct dot dot)
{
	return vv_reach(vv_get(vv, dot.actor)) >= dot.seq;
}

static uint64_t unseen_by(const struct world *w, const struct version_vector *vv, uint64_t origins)
{
	uint64_t unseen = 0;
	for (; origins != 0; origins &= origins - 1) {
		uint32_t origin = (uint32_t)__builtin_ctzll(origins);
		if (!covers(vv, first_dot(w, origin)))
			unseen |= 1ULL << origin;
	}
	return unseen;
}

void check_write(struct world *w, uint32_t origin, const struct written *old)
{
	w->replaced[origin] = old == NULL ? 0 : w->replaced[old->origin] | 1ULL << old->origin;
	w->previous[origin] = old == NULL ? 0 : (uint8_t)(old->origin + 1);
}

void check_collected(struct world *w, const struct collecting *c)
{
	if (w->collected_count == COLLECTED_MAX)
		abort(); /* a driver's budget is below that */
	struct collected *to = &w->collected[w->collected_count++];
	*to = c->what;
	to->unseen = unseen_by(w, &c->vector, w->replaced[to->origin]);
	w->parted[to->by] |= c->unheard;
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
const char *check_covered(const struct world *w, uint32_t a, uint32_t from)
{
	const struct node *n = &w->nodes[a];
	for (uint32_t i = from; i < w->history_count; i++) {
		const struct written *h = &w->history[i];
		if (!covers(&n->vector, h->dot))
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

/* With nothing in between its fields: histories are compared as bytes. */
void check_set_dot(struct dot *to, struct dot dot)
{
	memset(to, 0, sizeof(*to));
	to->actor.id = dot.actor.id;
	to->actor.epoch = dot.actor.epoch;
	to->seq = dot.seq;
}

void check_look(struct world *w, uint32_t a)
{
	static const uint8_t names[KEYS] = {'a', 'b'};
	struct node *n = &w->nodes[a];
	map_vector_owner(world_map(a), &n->vector);
	for (uint32_t key = 0; key < KEYS; key++) {
		struct map_view view;
		struct written *r = &n->records[key];
		n->holds[key] = map_get_reader(world_map(a), &names[key], 1, &view);
		memset(r, 0, sizeof(*r));
		if (!n->holds[key])
			continue;
		r->key = (uint8_t)key;
		r->tombstone = view.tombstone;
		r->origin = (uint8_t)view.written_ms;
		r->clock = view.clock;
		r->weight = view.weight;
		check_set_dot(&r->author, view.author);
		check_set_dot(&r->dot, view.dot);
	}
}

void check_remember(struct world *w, uint32_t a)
{
	struct node *n = &w->nodes[a];
	for (uint32_t key = 0; key < KEYS; key++)
		n->held[key] = n->holds[key] ? remember(w, &n->records[key]) : 0;
}

const char *check_step(struct world *w, uint32_t a)
{
	uint32_t before = w->history_count;
	for (uint32_t i = 0; i < world_collecting_count; i++)
		check_collected(w, &world_collecting[i]);
	world_collecting_count = 0;
	check_look(w, a);
	check_remember(w, a);
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

static bool is_kept(const struct world *w, const uint16_t held[KEYS], const uint16_t now[KEYS])
{
	for (uint32_t k = 0; k < KEYS; k++) {
		if (held[k] == 0)
			continue;
		const struct written *h = &w->history[held[k] - 1];
		if (now[k] != 0 ? compare_written(&w->history[now[k] - 1], h) < 0
				: !was_collected_above(w, h))
			return false;
	}
	return true;
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
	uint32_t number = (uint32_t)(c - w->collected);
	for (uint32_t i = 0; i < w->history_count; i++)
		if (w->history[i].after <= number && dot_equal(w->history[i].author, live->author))
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
	if (!covers(&w->nodes[c->by].vector, first_dot(w, live->origin)))
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
		const char *broken =
			is_kept(w, held, n->held) ? NULL : "what a live server held is not lost";
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
