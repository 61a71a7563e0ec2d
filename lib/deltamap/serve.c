#include <assert.h>
#include <errno.h>

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

static void close_session(struct map *map, struct serving *sv)
{
	for (uint32_t i = 0; i < sv->ref_count; i++)
		store_unpin(&map->store, sv->refs[i]);
	sv->ref_count = 0;
	sv->open = false;
	map->serving_count--;
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
			close_session(map, sv);
		if (!sv->open && place == NULL)
			place = sv;
	}
	return place;
}

/* The records of one actor above seq, oldest first. Walks no more than it finds. */
static void collect(struct map *map, struct serving *sv, const struct actor_slot *a, uint64_t seq)
{
	record_ref first = 0;
	for (record_ref ref = a->newest; ref != 0 && store_at(&map->store, ref)->dot.seq > seq;
		ref = store_at(&map->store, ref)->older)
		first = ref;
	for (record_ref ref = first; ref != 0; ref = store_at(&map->store, ref)->newer) {
		store_pin(&map->store, ref);
		sv->refs[sv->ref_count++] = ref;
	}
}

static void cut_into_packets(struct map *map, struct serving *sv)
{
	uint32_t room = 0;
	sv->data_packets = 0;
	for (uint32_t i = 0; i < sv->ref_count; i++) {
		struct wire_record w;
		map_record_to_wire(store_at(&map->store, sv->refs[i]), &w);
		uint32_t len = (uint32_t)wire_record_len(&w);
		if (len > room) {
			sv->starts[sv->data_packets++] = i;
			room = WIRE_MESSAGES_MAX - SESSION_HEAD;
		}
		room -= len;
	}
	sv->starts[sv->data_packets] = sv->ref_count;
	uint32_t parts = (sv->vector.count + VECTOR_PER_PACKET - 1) / VECTOR_PER_PACKET;
	sv->packets = sv->data_packets + (parts > 0 ? parts : 1);
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

static void take_snapshot(struct map *map, struct serving *sv, const struct version_vector *theirs)
{
	sv->ref_count = 0;
	for (uint32_t i = 0; i < map->store.actor_count; i++) {
		const struct actor_slot *a = &map->store.actors[map->store.actor_order[i]];
		if (a->newest != 0)
			collect(map, sv, a, vv_get(theirs, a->actor));
	}
	map_vector_owner(map, &sv->vector);
	cut_into_packets(map, sv);
	sv->snapshot = map->next_snapshot++;
	sv->pending_head = sv->pending_tail = 0;
	sv->sent_to = 0;
	want_window(sv);
}

static void open_session(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, const struct wire_version_req *req,
	const struct version_vector *theirs)
{
	struct serving *sv = find_session(map, header->sender, req->nonce);
	if (sv != NULL) {
		/* The request came twice: the session is the one it has already. Soon after the
		 * first it is the network's doing; later, nothing of the answer came through. */
		if (sv->pending_head == sv->pending_tail &&
			now_ns - sv->last_ns >= map->config.resend_ns / 2)
			want_window(sv);
		sv->last_ns = now_ns;
		return;
	}
	sv = take_session(map, header->sender);
	if (sv == NULL) {
		refuse(map, header, from, req->nonce, WIRE_REFUSE_BUSY);
		return;
	}
	sv->open = true;
	map->serving_count++;
	sv->asker = header->sender;
	sv->at = *from;
	sv->nonce = req->nonce;
	sv->last_ns = now_ns;
	map->counters.sessions++;
	take_snapshot(map, sv, theirs);
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
	if (!atomic_load_explicit(&map->ready, memory_order_relaxed)) {
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
		open_session(map, now_ns, header, &peer->at, req, part);
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
		open_session(map, now_ns, header, &peer->at, req, &a->vector);
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
		close_session(map, sv);
}

void serve_tick(struct map *map, uint64_t now_ns)
{
	for (int i = 0; map->serving_count > 0 && i < MAP_SESSIONS_MAX; i++) {
		struct serving *sv = &map->serving[i];
		if (!sv->open || now_ns - sv->last_ns < map->config.session_timeout_ns)
			continue;
		close_session(map, sv);
		map->counters.sessions_expired++;
	}
}

uint64_t serve_deadline(const struct map *map)
{
	uint64_t next = SW_NEVER_NS;
	for (int i = 0; map->serving_count > 0 && i < MAP_SESSIONS_MAX; i++)
		if (map->serving[i].open)
			next = sw_min_u64(
				next, map->serving[i].last_ns + map->config.session_timeout_ns);
	return next;
}

static void encode_packet(struct map *map, struct serving *sv, uint32_t index, struct sw_writer *w)
{
	struct wire_session_data head = {sv->nonce, sv->snapshot, index, sv->packets};
	wire_put_session_data(w, &head);
	if (index < sv->data_packets) {
		for (uint32_t i = sv->starts[index]; i < sv->starts[index + 1]; i++) {
			struct wire_record record;
			map_record_to_wire(store_at(&map->store, sv->refs[i]), &record);
			wire_put_record(w, &record);
		}
	} else {
		uint32_t first = (index - sv->data_packets) * VECTOR_PER_PACKET;
		uint32_t n = sv->vector.count - first;
		wire_put_vector(w, sv->vector.entries + first,
			n < VECTOR_PER_PACKET ? n : VECTOR_PER_PACKET);
	}
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
