#include <assert.h>
#include <string.h>

#include "deltamap/internal.h"

static struct serving *find_session(struct map *map, struct actor asker, uint64_t nonce)
{
	for (int i = 0; i < MAP_SESSIONS_MAX; i++) {
		struct serving *sv = &map->serving[i];
		if (sv->open && sv->nonce == nonce && actor_equal(sv->asker, asker))
			return sv;
	}
	return NULL;
}

static void refuse(struct map *map, const struct wire_header *header,
	const struct sw_endpoint *from, uint64_t nonce, enum wire_refusal reason)
{
	struct out out = {.kind = OUT_REFUSE,
		.to_id = header->sender.id,
		.to = *from,
		.nonce = nonce,
		.reason = (uint8_t)reason};
	map_out_push(map, &out);
	map->counters.sessions_refused++;
}

/* A free place: an asker's new request ends its old session. */
static struct serving *take_session(struct map *map, struct actor asker)
{
	struct serving *place = NULL;
	for (int i = 0; i < MAP_SESSIONS_MAX; i++) {
		struct serving *sv = &map->serving[i];
		if (sv->open && sv->asker.id == asker.id)
			gather_close(map, sv);
		if (gather_is_free(map, sv) && place == NULL)
			place = sv;
	}
	return place;
}

static void want_packet(struct serving *sv, uint32_t index)
{
	if (index < sv->packets && sv->pending_head - sv->pending_tail < PENDING_MAX)
		sv->pending[sv->pending_head++ % PENDING_MAX] = index;
}

static void want_window(struct serving *sv)
{
	for (uint32_t i = 0; i < WINDOW; i++)
		want_packet(sv, i);
}

void serve_gathered(struct serving *sv)
{
	sv->pending_head = sv->pending_tail = 0;
	sv->sent_to = 0;
	want_window(sv);
}

static void open_session(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, uint16_t room, const struct wire_version_req *req,
	const struct version_vector *theirs)
{
	struct serving *sv = find_session(map, header->sender, req->nonce);
	if (sv != NULL && !MAP_MUTANT(SNAPSHOTS_MIXED)) {
		/* The request came twice: the session is the one it has already. Soon after the
		 * first it is the network's doing; later, nothing of the answer came through. */
		if (sv->pending_head == sv->pending_tail &&
			now_ns - sv->last_ns >= map->config.resend_ns / 2)
			want_window(sv);
		sv->last_ns = now_ns;
		return;
	}
	sv = take_session(map, header->sender);
	/* A repair does not wait: what differs would be another part by then. */
	if (sv == NULL || (req->repair && map->gathering != NULL)) {
		map->counters.sessions_busy++;
		refuse(map, header, from, req->nonce, WIRE_REFUSE_BUSY);
		return;
	}
	sv->open = true;
	map->serving_count++;
	sv->asker = header->sender;
	sv->at = *from;
	sv->packet_room = room;
	sv->nonce = req->nonce;
	sv->last_ns = now_ns;
	map->counters.sessions++;
	sv->full = req->first_session || req->reconcile;
	sv->repair = req->repair;
	sv->vector = *theirs;
	if (req->repair)
		memcpy(map->repairing, map->buckets, sizeof(map->repairing));
	gather_want(map, sv);
}

/* A whole vector of a member's: what it reports, what it has closed, and whether it may have a
 * delta. */
static void take_vector(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct peer *peer, const struct wire_version_req *req,
	const struct version_vector *theirs)
{
	if (!req->repair)
		report_vector(map, now_ns, header->sender, theirs);
	if (!MAP_MUTANT(CLOSURES_NOT_LEARNED) && !closing_learn(map, theirs)) {
		if (!req->report)
			refuse(map, header, &peer->at, req->nonce, WIRE_REFUSE_BUSY);
		return;
	}
	if (req->report)
		return;
	bool full = req->first_session || req->reconcile || req->repair;
	if (!full && !collect_is_covered_by(map, theirs) && !MAP_MUTANT(NO_RECONCILE)) {
		map->counters.reconcile_told++;
		refuse(map, header, &peer->at, req->nonce, WIRE_REFUSE_RECONCILE);
		return;
	}
	open_session(map, now_ns, header, &peer->at, peer->room, req, theirs);
}

static struct assembly *assemble(
	struct map *map, uint64_t now_ns, struct actor asker, uint64_t nonce)
{
	struct assembly *oldest = &map->assemblies[0];
	for (int i = 0; i < ASSEMBLIES_MAX; i++) {
		struct assembly *a = &map->assemblies[i];
		if (a->nonce == nonce && actor_equal(a->asker, asker))
			return a;
		if (a->at_ns < oldest->at_ns)
			oldest = a;
	}
	oldest->asker = asker;
	oldest->nonce = nonce;
	oldest->parts_in = 0;
	oldest->at_ns = now_ns;
	vv_clear(&oldest->vector);
	return oldest;
}

void serve_version(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, const struct wire_version_req *req,
	const struct version_vector *part)
{
	if (!map_ready(map) && !MAP_MUTANT(NO_FIRST_SESSION)) {
		refuse(map, header, from, req->nonce, WIRE_REFUSE_STARTING);
		return;
	}
	/* A session is many packets for one: they go to where membership knows the asker, or
	 * nowhere. */
	const struct peer *peer = map_peer_find(map, header->sender.id);
	if (peer == NULL || !actor_equal(peer->actor, header->sender)) {
		refuse(map, header, from, req->nonce, WIRE_REFUSE_UNKNOWN);
		return;
	}
	if (req->parts == 1) {
		take_vector(map, now_ns, header, peer, req, part);
		return;
	}
	if (req->parts > 32) {
		map->counters.malformed++;
		return;
	}
	struct assembly *a = assemble(map, now_ns, header->sender, req->nonce);
	if (vv_join(&a->vector, part) < 0)
		return;
	a->parts_in |= 1u << req->part;
	uint32_t all = req->parts == 32 ? UINT32_MAX : (1u << req->parts) - 1;
	if (a->parts_in == all)
		take_vector(map, now_ns, header, peer, req, &a->vector);
}

void serve_get(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, const struct wire_session_get *get)
{
	struct serving *sv = find_session(map, header->sender, get->nonce);
	if (sv == NULL || sv->snapshot != get->snapshot) {
		refuse(map, header, from, get->nonce, WIRE_REFUSE_UNKNOWN);
		return;
	}
	sv->last_ns = now_ns;
	for (uint32_t i = 0; i < WINDOW; i++)
		if (get->wanted[i / 64] >> (i % 64) & 1)
			want_packet(sv, get->first + i);
}

void serve_done(struct map *map, const struct wire_header *header, uint64_t nonce)
{
	struct serving *sv = find_session(map, header->sender, nonce);
	if (sv != NULL)
		gather_close(map, sv);
}

void serve_tick(struct map *map, uint64_t now_ns)
{
	for (int i = 0; map->serving_count > 0 && i < MAP_SESSIONS_MAX; i++) {
		struct serving *sv = &map->serving[i];
		if (!sv->open || now_ns - sv->last_ns < map->config.session_timeout_ns)
			continue;
		gather_close(map, sv);
		map->counters.sessions_expired++;
	}
	gather_tick(map);
}

/* What was cut for a path that is narrower now would never arrive: the asker is told that the
 * session is not open any more, and begins another. A wider one is used for what is not cut yet. */
void serve_room(struct map *map, uint64_t asker_id, uint16_t room)
{
	for (int i = 0; map->serving_count > 0 && i < MAP_SESSIONS_MAX; i++) {
		struct serving *sv = &map->serving[i];
		if (!sv->open || sv->asker.id != asker_id)
			continue;
		if (room < sv->packet_room) {
			gather_close(map, sv);
			map->counters.sessions_expired++;
		}
		sv->packet_room = room;
	}
}

uint64_t serve_deadline(const struct map *map)
{
	uint64_t next = gather_has_work(map) ? 0 : SW_NEVER_NS;
	for (int i = 0; map->serving_count > 0 && i < MAP_SESSIONS_MAX; i++)
		if (map->serving[i].open)
			next = sw_min_u64(
				next, map->serving[i].last_ns + map->config.session_timeout_ns);
	return next;
}

static void put_part(struct sw_writer *w, const struct version_vector *vv, uint32_t part,
	void (*put)(struct sw_writer *, const struct vv_entry *, uint32_t))
{
	uint32_t first = part * VECTOR_PER_PACKET, n = vv->count - first;
	put(w, vv->entries + first, n < VECTOR_PER_PACKET ? n : VECTOR_PER_PACKET);
}

static bool is_held(const struct map *map, record_ref ref)
{
	const struct record *r = store_at(&map->store, ref);
	uint64_t hash = map_key_hash(map, record_key(r), r->key_len);
	return store_find(&map->store, hash, record_key(r), r->key_len) == ref;
}

/* In a test build a packet that was lost may be made anew: what has been replaced by then would
 * stand in a later one, which this snapshot does not have. */
static void put_records(struct map *map, struct serving *sv, uint32_t index, struct sw_writer *w)
{
	uint32_t data = index - sv->heads;
	bool anew = MAP_MUTANT(ENCODED_ANEW) && index < sv->sent_to;
	uint32_t cut = sv->data_packets - 1 - data;
	for (uint32_t i = sv->starts[cut + 1]; i-- > sv->starts[cut];) {
		struct wire_record record;
		map_record_to_wire(store_at(&map->store, sv->refs[i]), &record);
		if (!anew || is_held(map, sv->refs[i]))
			wire_put_record(w, &record);
	}
}

static void encode_packet(struct map *map, struct serving *sv, uint32_t index, struct sw_writer *w)
{
	struct wire_session_data head = {
		sv->nonce, sv->snapshot, index, sv->packets, (uint16_t)sv->heads};
	wire_put_session_data(w, &head);
	if (index < sv->vector_packets)
		put_part(w, &sv->vector, index, wire_put_vector);
	else if (index < sv->heads)
		put_part(w, &sv->collected, index - sv->vector_packets, wire_put_collected);
	else
		put_records(map, sv, index, w);
	assert(!w->failed);
	map->counters.session_packets++;
	if (index < sv->sent_to)
		map->counters.session_packets_again++;
	else
		sv->sent_to = index + 1;
}

/* One packet of one session, the sessions in turn. */
bool serve_output(struct map *map, uint64_t now_ns, struct sw_writer *w, uint64_t *to_id,
	struct sw_endpoint *to)
{
	(void)now_ns;
	for (int i = 0; map->serving_count > 0 && i < MAP_SESSIONS_MAX; i++) {
		struct serving *sv = &map->serving[map->serving_next++ % MAP_SESSIONS_MAX];
		if (!sv->open || sv->pending_head == sv->pending_tail)
			continue;
		encode_packet(map, sv, sv->pending[sv->pending_tail++ % PENDING_MAX], w);
		*to_id = sv->asker.id;
		*to = sv->at;
		return true;
	}
	return false;
}
