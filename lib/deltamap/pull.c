#include <string.h>

#include "deltamap/internal.h"

/* Spread over half the interval either way, so that servers do not pull in step. */
static void wait_for_pull(struct map *map, uint64_t now_ns)
{
	uint64_t interval = map->config.pull_interval_ns;
	map->next_pull_ns = now_ns + interval / 2 + sw_random_below(&map->random, interval + 1);
}

static void end_pull(struct map *map, uint64_t now_ns, bool done)
{
	map->pulling.open = false;
	if (done)
		map->counters.pulls_done++;
	else
		map->counters.pulls_failed++;
	if (done)
		wait_for_pull(map, now_ns);
	else
		map->next_pull_ns = now_ns + map->config.resend_ns;
}

/* What came could not be kept, and it would not be kept in a moment either. */
static void end_pull_without_room(struct map *map, uint64_t now_ns)
{
	end_pull(map, now_ns, false);
	wait_for_pull(map, now_ns);
	map->no_hint_before_ns = map->next_pull_ns;
}

void pull_send_vector(
	struct map *map, uint64_t to_id, const struct sw_endpoint *to, const struct out *like)
{
	map_vector_owner(map, &map->scratch);
	uint32_t parts = (map->scratch.count + VECTOR_PER_PACKET - 1) / VECTOR_PER_PACKET;
	parts = parts > 0 && !like->repair ? parts : 1;
	for (uint32_t part = 0; part < parts; part++) {
		struct out out = *like;
		out.kind = OUT_VERSION;
		out.to_id = to_id;
		out.to = *to;
		out.part = (uint8_t)part;
		out.parts = (uint8_t)parts;
		map_out_push(map, &out);
	}
}

static void send_request(struct map *map, uint64_t now_ns)
{
	const struct pulling *p = &map->pulling;
	struct peer *peer = map_peer_find(map, p->peer.id);
	if (peer != NULL)
		peer->told_ns = now_ns;
	pull_send_vector(map, p->peer.id, &p->at,
		&(struct out){.nonce = p->nonce,
			.first_session = p->kind == PULL_FIRST,
			.reconcile = p->kind == PULL_RECONCILE,
			.repair = p->kind == PULL_REPAIR});
}

static void start_pull(
	struct map *map, uint64_t now_ns, const struct peer *peer, enum pull_kind kind)
{
	struct pulling *p = &map->pulling;
	if (kind == PULL_FIRST) { /* from one peer at a time, and from empty */
		gather_end_all(map);
		store_clear(&map->store);
	}
	if (kind == PULL_RECONCILE)
		reconcile_begin(map);
	p->open = true;
	p->kind = kind;
	p->begun = p->joining = false;
	p->peer = peer->actor;
	p->at = peer->at;
	p->nonce = sw_random_u64(&map->random);
	p->packets = p->got_count = p->base = p->heads = p->heads_in = 0;
	p->asked = WINDOW;
	p->taken = 0;
	p->progress_ns = p->asked_ns = now_ns;
	vv_clear(&p->vector);
	vv_clear(&p->collected);
	map->counters.pulls++;
	send_request(map, now_ns);
}

/* Said to be starting itself, not longer ago than within_ns. */
static bool is_starting(const struct peer *p, uint64_t now_ns, uint64_t within_ns)
{
	return p->starting_ns != 0 && now_ns - p->starting_ns < within_ns;
}

/* Long enough to ask all peers, one after the other, and some of them again. */
static uint64_t starting_for_ns(const struct map *map)
{
	return 4 * (map->config.first_after_ns + map->peer_count * map->config.resend_ns);
}

/* Who has said that it is starting is asked again only when that is old: where all are starting,
 * one of them must hear it from all the others before the first answer is too old. */
static const struct peer *choose_to_start_from(struct map *map, uint64_t now_ns)
{
	const struct peer *chosen = NULL;
	uint64_t within_ns = starting_for_ns(map) / 2;
	uint32_t n = 0;
	for (uint32_t i = 0; i < map->peer_count; i++)
		if (!is_starting(&map->peers[i], now_ns, within_ns) &&
			sw_random_below(&map->random, ++n) == 0)
			chosen = &map->peers[i];
	return chosen;
}

static const struct peer *choose_peer(struct map *map, uint64_t now_ns)
{
	if (map->peer_count == 0)
		return NULL;
	const struct peer *chosen = map->hint_id != 0 ? map_peer_find(map, map->hint_id) : NULL;
	map->hint_id = 0;
	if (chosen == NULL && !atomic_load_explicit(&map->ready, memory_order_relaxed))
		chosen = choose_to_start_from(map, now_ns);
	return chosen != NULL ? chosen
			      : &map->peers[sw_random_below(&map->random, map->peer_count)];
}

/* Nobody to start from: alone, or all others are starting too and this is the smallest id. */
static bool is_first(const struct map *map, uint64_t now_ns)
{
	for (uint32_t i = 0; i < map->peer_count; i++) {
		const struct peer *p = &map->peers[i];
		if (!is_starting(p, now_ns, starting_for_ns(map)) || p->actor.id < map->self.id)
			return false;
	}
	return map->running && now_ns - map->quiet_since_ns >= map->config.first_after_ns;
}

static bool is_in(const struct pulling *p, uint32_t index)
{
	return p->got[index / 64] >> (index % 64) & 1;
}

/* Asks for what is missing of [base, asked), and slides the window on. */
static void ask(struct map *map, uint64_t now_ns, bool again)
{
	struct pulling *p = &map->pulling;
	struct out out = {.kind = OUT_GET, .to_id = p->peer.id, .to = p->at};
	uint32_t end = p->packets - p->base < WINDOW ? p->packets : p->base + WINDOW;
	bool any = false;
	out.get = (struct wire_session_get){
		.nonce = p->nonce, .snapshot = p->snapshot, .first = p->base};
	for (uint32_t i = p->base; i < end; i++) {
		if ((!again && i < p->asked) || is_in(p, i))
			continue;
		uint32_t bit = i - p->base;
		out.get.wanted[bit / 64] |= 1ULL << (bit % 64);
		any = true;
	}
	if (end > p->asked)
		p->asked = end;
	if (again)
		p->asked_ns = now_ns;
	if (any)
		map_out_push(map, &out);
}

/* False: the vector is full, and does not cover what it could not take. */
static bool join_vector(struct map *map, const struct version_vector *vv)
{
	bool whole = true;
	uint32_t horizon = horizon_epoch(map);
	for (uint32_t i = 0; i < vv->count; i++) {
		const struct vv_entry *e = &vv->entries[i];
		/* What was dropped here does not come back from who has yet to drop it. */
		if (vv_is_closed(e->seq) && e->actor.epoch <= horizon &&
			store_actor_reader(&map->store, e->actor) == NO_ACTOR)
			continue;
		uint16_t slot = store_actor(&map->store, vv->entries[i].actor, true);
		if (slot == NO_ACTOR)
			whole = false;
		else
			store_raise(&map->store, slot, vv->entries[i].seq);
	}
	map->counters.refused_actors += !whole;
	return whole;
}

/* What the peer has collected is as if it had been collected here: both hold the same now. False:
 * there is no dot left to mark what lies beyond a cap. */
static bool join_collected(struct map *map, const struct version_vector *vv)
{
	bool marked = true;
	for (uint32_t i = 0; i < vv->count; i++) {
		uint16_t slot = store_actor(&map->store, vv->entries[i].actor, true);
		if (slot == NO_ACTOR)
			continue; /* then it is not in the vector either, which was not joined */
		struct actor_slot *a = &map->store.actors[slot];
		a->collected = sw_max_u64(a->collected, vv->entries[i].seq);
		marked &= a->cap == 0 || closing_mark(map, a, a->cap);
	}
	return marked;
}

static void tell_reconciled(struct map *map)
{
	struct map_event event = {.kind = MAP_EVENT_RECONCILED,
		.peer_id = map->pulling.peer.id,
		.count = map->join_dropped,
		.lifted = map->join_lifted};
	map->counters.reconciles++;
	atomic_fetch_add_explicit(&map->joins, 1, memory_order_acq_rel);
	map_event(map, &event);
}

static void tell_repaired(struct map *map)
{
	struct map_event event = {.kind = MAP_EVENT_REPAIRED,
		.peer_id = map->pulling.peer.id,
		.count = map->pulling.taken};
	map->counters.repairs++;
	map_event(map, &event);
}

/* Every packet is in. A full-state join goes on for as many ticks as it takes. */
static void complete(struct map *map, uint64_t now_ns)
{
	struct pulling *p = &map->pulling;
	struct out out = {.kind = OUT_DONE, .to_id = p->peer.id, .to = p->at, .nonce = p->nonce};
	if (p->kind == PULL_RECONCILE && !reconcile_join(map, &p->vector)) {
		p->joining = true;
		p->progress_ns = now_ns;
		return;
	}
	p->joining = false;
	map_out_push(map, &out);
	if (p->kind == PULL_REPAIR) { /* a part of the map: it says nothing of the rest */
		tell_repaired(map);
		end_pull(map, now_ns, true);
		return;
	}
	if (!closing_learn(map, &p->vector)) {
		end_pull(map, now_ns, false);
		return;
	}
	if (!join_vector(map, &p->vector)) {
		end_pull_without_room(map, now_ns);
		return;
	}
	if (p->kind != PULL_DELTA && !join_collected(map, &p->collected)) {
		end_pull_without_room(map, now_ns);
		return;
	}
	if (p->kind == PULL_RECONCILE)
		tell_reconciled(map);
	atomic_store_explicit(&map->ready, true, memory_order_release);
	end_pull(map, now_ns, true);
}

static bool take_entries(struct sw_reader *payload, struct version_vector *vv)
{
	struct vv_entry entry;
	while (wire_next_vector_entry(payload, &entry))
		if (vv_raise(vv, entry.actor, entry.seq) < 0)
			return false;
	return !payload->failed;
}

static enum merge_how how_to_merge(const struct pulling *p)
{
	static const enum merge_how hows[] = {
		[PULL_DELTA] = MERGE_SESSION,
		[PULL_FIRST] = MERGE_SESSION,
		[PULL_RECONCILE] = MERGE_RECONCILE,
		[PULL_REPAIR] = MERGE_REPAIR,
	};
	return hows[p->kind];
}

/* False: a record could not be stored, so this packet does not count as in. */
static bool take_packet(struct map *map, struct sw_reader *messages)
{
	struct pulling *p = &map->pulling;
	struct wire_message m;
	struct ahead_record room;
	while (wire_next(messages, &m)) {
		if (m.type == WIRE_RECORD) {
			const struct ahead_record *r = ahead_record(map, &m.payload, &room);
			if (r == NULL)
				return false;
			enum merge_result result =
				map_merge_record(map, &r->record, r->hash, how_to_merge(p));
			if (result > MERGE_COLLECTED)
				return false;
			p->taken += result == MERGE_NEW;
		} else if (m.type == WIRE_VECTOR && !take_entries(&m.payload, &p->vector)) {
			return false;
		} else if (m.type == WIRE_COLLECTED && !take_entries(&m.payload, &p->collected)) {
			return false;
		}
	}
	return !messages->failed;
}

/* The peer's vectors are in: may its records be taken? */
static bool may_take(struct map *map, uint64_t now_ns)
{
	struct pulling *p = &map->pulling;
	report_vector(map, now_ns, p->peer, &p->vector);
	if (!MAP_MUTANT(CLOSURES_NOT_LEARNED) && !closing_learn(map, &p->vector)) {
		end_pull(map, now_ns, false);
		return false;
	}
	/* It must first reconcile with this replica. */
	if ((p->kind == PULL_DELTA || p->kind == PULL_REPAIR) &&
		!collect_is_covered_by(map, &p->vector) && !MAP_MUTANT(STALE_NOT_REFUSED)) {
		map->counters.stale++;
		end_pull(map, now_ns, false);
		wait_for_pull(map, now_ns);
		return false;
	}
	if (MAP_MUTANT(VECTOR_BEFORE_END))
		(void)join_vector(map, &p->vector);
	return true;
}

/* The first packet of the session that came. False: it cannot be kept. */
static bool begin(struct map *map, uint64_t now_ns, const struct wire_session_data *data)
{
	struct pulling *p = &map->pulling;
	if (data->packets > map->got_words * 64) {
		map->counters.refused_full++;
		end_pull_without_room(map, now_ns);
		return false;
	}
	p->begun = true;
	p->snapshot = data->snapshot;
	p->packets = data->packets;
	p->heads = data->heads;
	p->asked = data->packets < WINDOW ? data->packets : WINDOW;
	memset(p->got, 0, (data->packets + 63) / 64 * sizeof(p->got[0]));
	for (uint32_t i = 0; i < EARLY_MAX; i++)
		p->early[i].len = 0;
	return true;
}

static bool is_of_this_session(const struct pulling *p, const struct wire_header *header,
	const struct wire_session_data *data)
{
	if (!p->open || p->joining || !actor_equal(p->peer, header->sender))
		return false;
	return p->nonce == data->nonce || MAP_MUTANT(NONCE_IGNORED);
}

/* Of this snapshot, and not in yet. */
static bool is_wanted(const struct pulling *p, const struct wire_session_data *data)
{
	bool mixed = MAP_MUTANT(SNAPSHOTS_MIXED) || MAP_MUTANT(NONCE_IGNORED);
	if (!mixed && (data->snapshot != p->snapshot || data->packets != p->packets))
		return false;
	return data->index < p->packets && !is_in(p, data->index);
}

/* The vectors come first, but packets overtake each other. More than a window is never under way.
 */
static void keep_early(struct pulling *p, uint32_t index, const struct sw_reader *messages)
{
	size_t len = sw_reader_left(messages);
	if (index >= EARLY_MAX || len > sizeof(p->early[0].bytes))
		return;
	p->early[index].len = (uint16_t)len;
	memcpy(p->early[index].bytes, messages->at, len);
}

/* False: the session has ended, one way or the other. */
static bool take_in(struct map *map, uint64_t now_ns, uint32_t index, struct sw_reader *messages)
{
	struct pulling *p = &map->pulling;
	if (!take_packet(map, messages)) {
		end_pull_without_room(map, now_ns);
		return false;
	}
	p->got[index / 64] |= 1ULL << (index % 64);
	p->got_count++;
	if (index < p->heads && ++p->heads_in == p->heads && !may_take(map, now_ns))
		return false;
	while (p->base < p->packets && is_in(p, p->base))
		p->base++;
	if (p->got_count < p->packets)
		return true;
	complete(map, now_ns);
	return false;
}

static bool take_early(struct map *map, uint64_t now_ns)
{
	struct pulling *p = &map->pulling;
	for (uint32_t i = p->heads; i < EARLY_MAX && i < p->packets; i++) {
		if (p->early[i].len == 0 || is_in(p, i))
			continue;
		struct sw_reader messages = sw_reader_init(p->early[i].bytes, p->early[i].len);
		if (!take_in(map, now_ns, i, &messages))
			return false;
	}
	return true;
}

void pull_data(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct wire_session_data *data, struct sw_reader *messages)
{
	struct pulling *p = &map->pulling;
	if (!is_of_this_session(p, header, data))
		return;
	if (!p->begun && !begin(map, now_ns, data))
		return;
	if (!is_wanted(p, data))
		return;
	p->progress_ns = now_ns;
	if (map->input_floor > map_floor(map))
		atomic_store_explicit(&map->floor, map->input_floor, memory_order_release);
	if (data->index >= p->heads && p->heads_in < p->heads) {
		keep_early(p, data->index, messages);
		return;
	}
	if (!take_in(map, now_ns, data->index, messages))
		return;
	if (data->index < p->heads && p->heads_in == p->heads && !take_early(map, now_ns))
		return;
	if (p->asked < p->packets && p->asked - p->base <= WINDOW / 2)
		ask(map, now_ns, false);
}

void pull_refused(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct wire_session_refuse *refusal)
{
	struct pulling *p = &map->pulling;
	struct peer *peer = map_peer_find(map, header->sender.id);
	if (!p->open || p->nonce != refusal->nonce || !actor_equal(p->peer, header->sender))
		return;
	if (refusal->reason == WIRE_REFUSE_STARTING && peer != NULL)
		peer->starting_ns = now_ns;
	map->counters.pulls_refused++;
	p->open = false;
	map->next_pull_ns = now_ns + map->config.resend_ns;
	if (refusal->reason == WIRE_REFUSE_RECONCILE && peer != NULL && map_ready(map))
		start_pull(map, now_ns, peer, PULL_RECONCILE);
}

void pull_soon(struct map *map, uint64_t now_ns, uint64_t server_id)
{
	/* What a stranger has written is not to be had from anybody yet. */
	if (map->pulling.open || map_peer_find(map, server_id) == NULL)
		return;
	uint64_t at = sw_max_u64(now_ns + map->config.hole_delay_ns, map->no_hint_before_ns);
	if (at < map->next_pull_ns) {
		map->next_pull_ns = at;
		map->hint_id = server_id;
	}
}

void pull_tick(struct map *map, uint64_t now_ns)
{
	struct pulling *p = &map->pulling;
	if (p->joining) {
		complete(map, now_ns);
		return;
	}
	if (p->open) {
		if (now_ns - p->progress_ns >= map->config.session_timeout_ns)
			end_pull(map, now_ns, false);
		else if (now_ns - sw_max_u64(p->asked_ns, p->progress_ns) >=
			 map->config.resend_ns) {
			if (p->begun) {
				ask(map, now_ns, true);
			} else {
				p->asked_ns = now_ns;
				send_request(map, now_ns); /* the same: the same session */
			}
		}
		return;
	}
	if (!map->running || now_ns < map->next_pull_ns)
		return;
	if (!atomic_load_explicit(&map->ready, memory_order_relaxed) && is_first(map, now_ns)) {
		atomic_store_explicit(&map->ready, true, memory_order_release);
		wait_for_pull(map, now_ns);
		return;
	}
	const struct peer *peer = choose_peer(map, now_ns);
	if (peer != NULL)
		start_pull(map, now_ns, peer, map_ready(map) ? PULL_DELTA : PULL_FIRST);
	else
		map->next_pull_ns = now_ns + sw_min_u64(map->config.pull_interval_ns,
						     map->config.first_after_ns);
}

uint64_t pull_deadline(const struct map *map)
{
	const struct pulling *p = &map->pulling;
	if (p->joining)
		return p->progress_ns;
	if (p->open)
		return sw_min_u64(p->progress_ns + map->config.session_timeout_ns,
			sw_max_u64(p->asked_ns, p->progress_ns) + map->config.resend_ns);
	return map->running ? map->next_pull_ns : SW_NEVER_NS;
}

bool pull_repair(struct map *map, uint64_t now_ns, uint64_t server_id)
{
	const struct peer *peer = map_peer_find(map, server_id);
	if (map->pulling.open || peer == NULL || !map_ready(map))
		return false;
	start_pull(map, now_ns, peer, PULL_REPAIR);
	return true;
}
