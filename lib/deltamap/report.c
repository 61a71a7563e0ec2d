#include <errno.h>

#include "base/random.h"
#include "deltamap/internal.h"

enum { ODD_PROBES = 3 };

int report_init(struct map *map, struct blocks *blocks)
{
	map->row_seqs = blocks_take(
		blocks, (size_t)MAP_REPORTS_MAX * ACTOR_SLOTS * sizeof(map->row_seqs[0]));
	if (map->row_seqs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < MAP_REPORTS_MAX; i++)
		map->rows[i].seqs = map->row_seqs + (size_t)i * ACTOR_SLOTS;
	return 0;
}

static struct actor actor_of(const struct row *row)
{
	return (struct actor){atomic_load_explicit(&row->id, memory_order_acquire),
		atomic_load_explicit(&row->epoch, memory_order_relaxed)};
}

static struct row *find_row(struct map *map, struct actor actor)
{
	for (uint32_t i = 0; i < map->row_end; i++)
		if (actor_equal(actor_of(&map->rows[i]), actor))
			return &map->rows[i];
	return NULL;
}

/* ---- rows ---- */

static const struct map_peer *find_dead(const struct map *map, struct actor actor)
{
	for (uint32_t i = 0; i < map->other_count; i++)
		if (map->others[i].state == MAP_PEER_DEAD &&
			actor_equal(map->others[i].actor, actor))
			return &map->others[i];
	return NULL;
}

/* A reader takes what it read for nothing if id or epoch have changed meanwhile. */
static void give_up(struct row *row)
{
	atomic_store_explicit(&row->id, 0, memory_order_release);
}

/* Most rows are never used: each is wiped when it is, and their memory is not touched before. */
static void take_row(struct map *map, struct row *row, struct actor actor)
{
	for (uint32_t i = 0; i < ACTOR_SLOTS; i++)
		atomic_store_explicit(&row->seqs[i], 0, memory_order_release);
	atomic_store_explicit(&row->at_ns, 0, memory_order_relaxed);
	row->synced = row->next_alarm_ns = 0;
	row->odd_probes = 0;
	atomic_store_explicit(&row->epoch, actor.epoch, memory_order_relaxed);
	atomic_store_explicit(&row->id, actor.id, memory_order_release);
	uint32_t end = (uint32_t)(row - map->rows) + 1;
	map->row_end = end > map->row_end ? end : map->row_end;
}

static bool keep_row(struct map *map, struct actor actor, bool live)
{
	struct row *row = find_row(map, actor), *place = NULL;
	for (uint32_t i = 0; row == NULL && i < MAP_REPORTS_MAX; i++)
		if (actor_of(&map->rows[i]).id == 0) {
			place = &map->rows[i];
			break;
		}
	if (row == NULL && place == NULL)
		return false; /* as many rows as members: cannot be */
	if (row == NULL) {
		row = place;
		take_row(map, row, actor);
	}
	atomic_store_explicit(&row->live, live, memory_order_relaxed);
	return true;
}

void report_members(struct map *map)
{
	for (uint32_t i = 0; i < map->row_end; i++) {
		struct actor actor = actor_of(&map->rows[i]);
		if (actor.id == 0)
			continue;
		const struct peer *peer = map_peer_find(map, actor.id);
		if (!(peer != NULL && actor_equal(peer->actor, actor)) &&
			find_dead(map, actor) == NULL)
			give_up(&map->rows[i]);
	}
	for (uint32_t i = 0; i < map->peer_count; i++)
		(void)keep_row(map, map->peers[i].actor, true);
	for (uint32_t i = 0; i < map->other_count; i++)
		if (map->others[i].state == MAP_PEER_DEAD)
			(void)keep_row(map, map->others[i].actor, false);
	/* Who is waited for has changed. */
	for (uint32_t i = 0; i < map->store.actor_count; i++)
		store_due(&map->store, map->store.actor_order[i]);
}

static void raise(struct map *map, struct row *row, uint16_t slot, uint64_t seq)
{
	uint64_t old = atomic_load_explicit(&row->seqs[slot], memory_order_relaxed);
	uint64_t joined = vv_seq_join(old, seq);
	const struct actor_slot *a = &map->store.actors[slot];
	if (joined == old)
		return;
	atomic_store_explicit(&row->seqs[slot], joined, memory_order_release);
	if (a->tomb_oldest != 0 || a->over)
		store_due(&map->store, slot);
}

/* What its vector has dropped, it had closed. */
static void take_dropped(struct map *map, struct row *row, const struct version_vector *vv)
{
	const struct store *s = &map->store;
	uint32_t horizon = horizon_of(vv);
	for (uint32_t i = 0; horizon > 0 && i < s->actor_count; i++) {
		uint16_t slot = s->actor_order[i];
		const struct actor_slot *a = &s->actors[slot];
		if (a->cap != 0 && a->actor.epoch <= horizon && vv_get(vv, a->actor) == 0)
			raise(map, row, slot, VV_CLOSED | a->cap);
	}
}

void report_vector(
	struct map *map, uint64_t now_ns, struct actor from, const struct version_vector *vv)
{
	struct row *row = find_row(map, from);
	if (row == NULL)
		return;
	for (uint32_t i = 0; i < vv->count; i++) {
		uint16_t slot = store_actor_reader(&map->store, vv->entries[i].actor);
		if (slot != NO_ACTOR)
			raise(map, row, slot, vv->entries[i].seq);
	}
	take_dropped(map, row, vv);
	atomic_store_explicit(&row->at_ns, now_ns, memory_order_release);
}

void report_forget(struct map *map, uint16_t slot)
{
	for (uint32_t i = 0; i < map->row_end; i++)
		atomic_store_explicit(&map->rows[i].seqs[slot], 0, memory_order_release);
}

uint64_t report_stable(const struct map *map, uint16_t slot)
{
	uint64_t stable = UINT64_MAX;
	for (uint32_t i = 0; i < map->row_end; i++)
		if (atomic_load_explicit(&map->rows[i].id, memory_order_relaxed) != 0)
			stable = sw_min_u64(stable, atomic_load_explicit(&map->rows[i].seqs[slot],
							    memory_order_relaxed));
	return stable;
}

/* ---- probes ---- */

static uint64_t sum_of(uint64_t id, uint64_t epoch, uint64_t vector_hash, uint64_t content_hash)
{
	return sw_mix64(sw_mix64(sw_mix64(id) + epoch) + vector_hash) + content_hash;
}

void map_probe(struct map *map, struct actor actor, uint64_t vector_hash, uint64_t content_hash)
{
	uint32_t at = sw_home(actor.id, PROBES_MAX);
	struct probe_box *box = &map->probes[at];
	uint64_t bit = 1ULL << (at % 64);
	bool same = atomic_load_explicit(&box->id, memory_order_relaxed) == actor.id &&
		    atomic_load_explicit(&box->epoch, memory_order_relaxed) == actor.epoch &&
		    atomic_load_explicit(&box->vector_hash, memory_order_relaxed) == vector_hash &&
		    atomic_load_explicit(&box->content_hash, memory_order_relaxed) == content_hash;
	if (!same) {
		atomic_store_explicit(&box->id, actor.id, memory_order_relaxed);
		atomic_store_explicit(&box->epoch, actor.epoch, memory_order_relaxed);
		atomic_store_explicit(&box->vector_hash, vector_hash, memory_order_relaxed);
		atomic_store_explicit(&box->content_hash, content_hash, memory_order_relaxed);
		atomic_store_explicit(&box->sum,
			sum_of(actor.id, actor.epoch, vector_hash, content_hash),
			memory_order_relaxed);
	}
	/* Most probes say what the last one said, and the keeper has not come by since: then there
	 * is nothing to write, and the line stays where it is. */
	_Atomic uint64_t *word = &map->probed[at / 64];
	if (!same || (atomic_load_explicit(word, memory_order_relaxed) & bit) == 0)
		atomic_fetch_or_explicit(word, bit, memory_order_release);
}

/* Its vector is this replica's. */
static void take_equal(struct map *map, struct row *row)
{
	const struct store *s = &map->store;
	uint64_t hash = map_vector_hash(map);
	if (row->synced == hash)
		return;
	for (uint32_t i = 0; i < s->actor_count; i++) {
		uint16_t slot = s->actor_order[i];
		uint64_t seq = store_seq(s, slot);
		if (seq != 0)
			raise(map, row, slot, seq);
	}
	row->synced = hash;
}

/* Equal vectors with nothing held ahead of them mean equal content. A probe carries two words that
 * were read one after the other, so it must say the same several times while nothing moves here. */
static void compare_content(
	struct map *map, uint64_t now_ns, struct row *row, uint64_t content_hash)
{
	uint64_t mine = map_settled_hash(map), vector_hash = map_vector_hash(map);
	bool odd = content_hash != 0 && mine != 0 && content_hash != mine;
	bool same = row->odd_content == content_hash && row->odd_mine == mine &&
		    row->odd_vector == vector_hash;
	row->odd_content = content_hash;
	row->odd_mine = mine;
	row->odd_vector = vector_hash;
	row->odd_probes = odd ? (same ? row->odd_probes + 1 : 1) : 0;
	if (row->odd_probes < ODD_PROBES || now_ns < row->next_alarm_ns)
		return;
	struct map_event event = {.kind = MAP_EVENT_ALARM, .peer_id = actor_of(row).id};
	if (!pull_repair(map, now_ns, event.peer_id))
		return;
	row->next_alarm_ns = now_ns + map->config.session_timeout_ns;
	row->odd_probes = 0;
	map->counters.alarms++;
	map_event(map, &event);
}

static void take_probe(struct map *map, uint64_t now_ns, const struct probe_box *box)
{
	uint64_t id = atomic_load_explicit(&box->id, memory_order_relaxed),
		 epoch = atomic_load_explicit(&box->epoch, memory_order_relaxed),
		 vector_hash = atomic_load_explicit(&box->vector_hash, memory_order_relaxed),
		 content_hash = atomic_load_explicit(&box->content_hash, memory_order_relaxed);
	if (atomic_load_explicit(&box->sum, memory_order_relaxed) !=
			sum_of(id, epoch, vector_hash, content_hash) ||
		vector_hash != map_vector_hash(map))
		return;
	struct row *row = find_row(map, (struct actor){id, (uint32_t)epoch});
	if (row == NULL)
		return;
	take_equal(map, row);
	compare_content(map, now_ns, row, content_hash);
	atomic_store_explicit(&row->at_ns, now_ns, memory_order_release);
	/* It will see the same hash in this server's next probe or answer. */
	struct peer *peer = map_peer_find(map, id);
	if (peer != NULL)
		peer->told_ns = now_ns;
}

static void take_probes(struct map *map, uint64_t now_ns)
{
	for (uint32_t w = 0; w < PROBES_MAX / 64; w++) {
		if (atomic_load_explicit(&map->probed[w], memory_order_relaxed) == 0)
			continue;
		uint64_t bits = atomic_exchange_explicit(&map->probed[w], 0, memory_order_acquire);
		for (; bits != 0; bits &= bits - 1)
			take_probe(map, now_ns,
				&map->probes[w * 64 + (uint32_t)__builtin_ctzll(bits)]);
	}
}

/* Peers whose vectors never equal this one's, because something is always being written, are told
 * it now and then: one in each pull interval, who was not told for as long as a round takes. */
static void tell(struct map *map, uint64_t now_ns)
{
	if (map->peer_count == 0 || now_ns < map->next_report_ns || !map->running ||
		!map_ready(map))
		return;
	map->next_report_ns = now_ns + map->config.pull_interval_ns;
	struct peer *peer = &map->peers[map->next_report++ % map->peer_count];
	if (now_ns - peer->told_ns < map->peer_count * map->config.pull_interval_ns)
		return;
	peer->told_ns = now_ns;
	pull_send_vector(map, peer->actor.id, &peer->at,
		&(struct out){.report = true, .nonce = sw_random_u64(&map->random)});
}

void report_tick(struct map *map, uint64_t now_ns)
{
	take_probes(map, now_ns);
	tell(map, now_ns);
}

/* ---- reading ---- */

bool map_report_reader(const struct map *map, uint32_t row, struct map_report *report)
{
	const struct row *r = &map->rows[row];
	struct actor actor = actor_of(r);
	if (actor.id == 0)
		return false;
	*report = (struct map_report){.actor = actor,
		.at_ns = atomic_load_explicit(&r->at_ns, memory_order_acquire),
		.live = atomic_load_explicit(&r->live, memory_order_relaxed)};
	return actor_equal(actor_of(r), actor);
}

uint64_t map_reported_reader(
	const struct map *map, uint32_t row, struct actor member, struct actor of)
{
	const struct row *r = &map->rows[row];
	uint16_t slot = store_actor_reader(&map->store, of);
	if (slot == NO_ACTOR || !actor_equal(actor_of(r), member))
		return 0;
	uint64_t seq = atomic_load_explicit(&r->seqs[slot], memory_order_acquire);
	if (!actor_equal(actor_of(r), member))
		return 0;
	return vv_is_closed(seq) ? SEQ_MAX : seq;
}
