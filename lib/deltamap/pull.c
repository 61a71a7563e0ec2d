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

static void send_vector(struct map *map)
{
	struct pulling *p = &map->pulling;
	map_vector_owner(map, &map->scratch);
	uint32_t parts = (map->scratch.count + VECTOR_PER_PACKET - 1) / VECTOR_PER_PACKET;
	parts = parts > 0 ? parts : 1;
	for (uint32_t part = 0; part < parts; part++) {
		struct out out = {.kind = OUT_VERSION,
			.to_id = p->peer.id,
			.to = p->at,
			.nonce = p->nonce,
			.part = (uint8_t)part,
			.parts = (uint8_t)parts,
			.first_session = p->first};
		map_out_push(map, &out);
	}
}

static void start_pull(struct map *map, uint64_t now_ns, const struct peer *peer)
{
	struct pulling *p = &map->pulling;
	bool ready = atomic_load_explicit(&map->ready, memory_order_relaxed);
	uint64_t *got = p->got;
	if (!ready)
		store_clear(&map->store); /* from one peer at a time, and from empty */
	*p = (struct pulling){
		.open = true,
		.first = !ready,
		.peer = peer->actor,
		.at = peer->at,
		.nonce = sw_random_u64(&map->random),
		.asked = WINDOW,
		.got = got,
		.progress_ns = now_ns,
		.asked_ns = now_ns,
	};
	map->counters.pulls++;
	send_vector(map);
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

static void complete(struct map *map, uint64_t now_ns)
{
	struct pulling *p = &map->pulling;
	struct out out = {.kind = OUT_DONE, .to_id = p->peer.id, .to = p->at, .nonce = p->nonce};
	bool whole = true;
	for (uint32_t i = 0; i < p->vector.count; i++) {
		uint16_t slot = store_actor(&map->store, p->vector.entries[i].actor, true);
		if (slot == NO_ACTOR)
			whole = false;
		else
			store_raise(&map->store, slot, p->vector.entries[i].seq);
	}
	map_out_push(map, &out);
	if (!whole) {
		map->counters.refused_actors++;
		end_pull_without_room(map, now_ns);
		return;
	}
	atomic_store_explicit(&map->ready, true, memory_order_release);
	end_pull(map, now_ns, true);
}

/* False: a record could not be stored, so this packet does not count as in. */
static bool take_packet(struct map *map, struct sw_reader *messages)
{
	struct wire_message m;
	struct wire_record record;
	struct vv_entry entry;
	while (wire_next(messages, &m)) {
		if (m.type == WIRE_RECORD) {
			if (!wire_get_record(&m.payload, &record))
				return false;
			if (map_merge_record(map, &record) > MERGE_OLDER)
				return false;
		} else if (m.type == WIRE_VECTOR) {
			while (wire_next_vector_entry(&m.payload, &entry))
				if (vv_raise(&map->pulling.vector, entry.actor, entry.seq) < 0)
					return false;
			if (m.payload.failed)
				return false;
		}
	}
	return !messages->failed;
}

void pull_data(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct wire_session_data *data, struct sw_reader *messages)
{
	struct pulling *p = &map->pulling;
	if (!p->open || p->nonce != data->nonce || !actor_equal(p->peer, header->sender))
		return;
	if (!p->begun) {
		if (data->packets > map->got_words * 64) {
			map->counters.refused_full++;
			end_pull_without_room(map, now_ns);
			return;
		}
		p->begun = true;
		p->snapshot = data->snapshot;
		p->packets = data->packets;
		p->asked = data->packets < WINDOW ? data->packets : WINDOW;
		memset(p->got, 0, (data->packets + 63) / 64 * sizeof(p->got[0]));
	}
	if (data->snapshot != p->snapshot || data->packets != p->packets || is_in(p, data->index))
		return;
	if (!take_packet(map, messages)) {
		end_pull_without_room(map, now_ns);
		return;
	}
	p->got[data->index / 64] |= 1ULL << (data->index % 64);
	p->got_count++;
	p->progress_ns = now_ns;
	while (p->base < p->packets && is_in(p, p->base))
		p->base++;
	if (p->got_count == p->packets)
		complete(map, now_ns);
	else if (p->asked < p->packets && p->asked - p->base <= WINDOW / 2)
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
	if (p->open) {
		if (now_ns - p->progress_ns >= map->config.session_timeout_ns)
			end_pull(map, now_ns, false);
		else if (now_ns - sw_max_u64(p->asked_ns, p->progress_ns) >=
			 map->config.resend_ns) {
			if (p->begun) {
				ask(map, now_ns, true);
			} else {
				p->asked_ns = now_ns;
				send_vector(map); /* the same request: the same session */
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
		start_pull(map, now_ns, peer);
	else
		map->next_pull_ns = now_ns + sw_min_u64(map->config.pull_interval_ns,
						     map->config.first_after_ns);
}

uint64_t pull_deadline(const struct map *map)
{
	const struct pulling *p = &map->pulling;
	if (p->open)
		return sw_min_u64(p->progress_ns + map->config.session_timeout_ns,
			sw_max_u64(p->asked_ns, p->progress_ns) + map->config.resend_ns);
	return map->running ? map->next_pull_ns : SW_NEVER_NS;
}
