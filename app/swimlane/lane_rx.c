#include "appliance.h"
#include "wire/clear.h"
#include "wire/ping.h"

#define KNOCK_INTERVAL_NS (500 * SW_NS_PER_US)

_Static_assert((int)NIC_BURST <= (int)SEAL_BURST && (int)BURST <= (int)SEAL_BURST,
	"bursts are opened and sealed at once");

/* What a packet holds, found in one pass over its messages. */
struct contents {
	bool map;
	bool session; /* map messages that are more than pushes */
	bool ping, ack;
	bool membership; /* anything but a PING */
	uint32_t ping_seq;
	struct wire_probe probe; /* of the last PING or ACK */
};

/* What the answers of a burst have in common: found out when the first one is written, and again
 * after anything that may have changed it. */
struct answers {
	bool known;
	bool can_send;
	bool ended; /* who has left or stood down is about to end: it must not be held for alive */
	bool alike; /* one ACK and nothing else, for whoever asks, and it can be sent */
	uint8_t body[WIRE_SOLE_PING_LEN]; /* that one, but for whom it is meant and its seq */
};

static void drop(struct lane *lane, struct rte_mbuf *m, unsigned reason)
{
	lane->counters.drops[reason]++;
	rte_pktmbuf_free(m);
}

/* The test shim: loses packets, and cuts links. */
static bool shim_drops(struct lane *lane, const struct shim *shim, const struct sw_endpoint *from)
{
	for (uint32_t i = 0; i < shim->block_count; i++)
		if (sw_endpoint_same_addr(&shim->block[i], from))
			return true;
	return shim->drop_percent > 0 && sw_random_below(&lane->random, 100) < shim->drop_percent;
}

static bool look_inside(struct sw_reader body, struct contents *c)
{
	struct wire_message m;
	*c = (struct contents){.map = false};
	while (wire_next(&body, &m)) {
		if (wire_type_is_map(m.type)) {
			c->map = true;
			c->session |= m.type != WIRE_RECORD && m.type != WIRE_RELAY;
		} else if (m.type == WIRE_PING) {
			if (!wire_get_probe(&m.payload, &c->probe))
				return false;
			c->ping = true;
			c->ping_seq = c->probe.seq;
		} else {
			/* A bad one is membership's to count. */
			c->ack |= m.type == WIRE_ACK && wire_get_probe(&m.payload, &c->probe);
			c->membership = true;
		}
	}
	return !body.failed;
}

/* Pushes of which this replica has every one already. */
static bool is_covered(const struct map *map, struct sw_reader body)
{
	struct wire_message m;
	struct wire_record record;
	while (wire_next(&body, &m))
		if (m.type != WIRE_RELAY &&
			(m.type != WIRE_RECORD || !wire_get_record(&m.payload, &record) ||
				map_seq_reader(map, record.dot.actor) < record.dot.seq))
			return false;
	return true;
}

static void to_keeper(struct lane *lane, struct nic_datagram *d)
{
	*packet_meta(d->mbuf) = (struct packet_meta){d->from, d->payload_offset, d->payload_len};
	if (rte_ring_sp_enqueue(lane->to_keeper, d->mbuf) != 0)
		drop(lane, d->mbuf, DROP_KEEPER_FULL);
	else
		lane->counters.to_keeper++;
}

static void prepare_answers(const struct lane *lane, struct answers *a)
{
	const struct appliance *app = lane->app;
	const struct members_view *view = view_get_reader(app->board);
	struct wire_prelude prelude = {
		.last_seq = map_last_seq(app->map), .floor = map_floor(app->map)};
	struct wire_probe ack = {
		0, view->digest, map_vector_hash(app->map), map_settled_hash(app->map)};
	a->known = true;
	a->can_send = lane_can_send(lane);
	a->ended = view->phase > SWIM_RUNNING;
	/* Lane 0 has the news. */
	a->alike = (lane->index != 0 || swim_answers_alike(app->swim, &ack)) && a->can_send &&
		   !a->ended;
	wire_put_sole_ack(a->body, &prelude, &ack);
}

/* What nearly every answer is: as long as the PING that it is written over. */
static inline void answer_alike(struct lane *lane, struct nic_datagram *d, uint64_t to_id,
	uint32_t seq, const struct answers *a)
{
	wire_put_sole_ack_like(d->payload + WIRE_HEADER_LEN, a->body, to_id, seq);
	lane->counters.answered++;
	lane_reply(lane, d, WIRE_SOLE_PING_LEN);
}

/* ACK with news, written over the PING and sent in its mbuf. */
static __rte_noinline void answer(struct lane *lane, uint64_t now_ns, struct nic_datagram *d,
	uint64_t to_id, uint32_t seq, struct answers *a)
{
	uint8_t *packet = d->payload;
	if (!a->known)
		prepare_answers(lane, a);
	if (rte_pktmbuf_tailroom(d->mbuf) + d->payload_len < WIRE_PACKET_MAX) {
		drop(lane, d->mbuf, DROP_WIRE + WIRE_ERR_SHORT);
		return;
	}
	if (!a->can_send) {
		drop(lane, d->mbuf, DROP_NO_SENDER);
		return;
	}
	if (a->ended) {
		rte_pktmbuf_free(d->mbuf);
		return;
	}
	if (a->alike) {
		answer_alike(lane, d, to_id, seq, a);
		return;
	}
	struct sw_writer w = lane_body(packet);
	swim_answer(lane->app->swim, now_ns, to_id, seq, &w);
	lane_prelude(lane->app, packet, to_id);
	lane->counters.answered++;
	lane_reply(lane, d, (uint16_t)(w.at - packet - WIRE_HEADER_LEN));
}

static void input_membership(struct lane *lane, uint64_t now_ns, const struct wire_header *h,
	const struct sw_endpoint *from, struct sw_reader body)
{
	struct wire_message m;
	swim_packet_begin(lane->app->swim, now_ns, h, from);
	while (wire_next(&body, &m)) {
		if (m.type == WIRE_SIZE_PROBE || m.type == WIRE_SIZE_ACK)
			lane_path_input(lane, now_ns, h, from, &m);
		else
			swim_input(lane->app->swim, now_ns, h, from, &m);
	}
}

/* Of a burst: opened, and what its decoding found. */
struct opened {
	struct nic_datagram *datagram;
	struct actor sender;
	uint64_t instance;
	uint16_t body_len;
	bool taken; /* one that this server may take; otherwise its mbuf is gone */
	bool sole;  /* one PING and nothing else; otherwise what is inside of it is looked at */
};

/* Apart from the above, which a burst of PINGs goes through several times. */
struct inside {
	struct sw_reader messages;
	struct contents contents;
};

static inline void set_opened(
	struct opened *o, struct nic_datagram *datagram, const struct wire_header *h)
{
	o->datagram = datagram;
	o->sender = h->sender;
	o->instance = h->instance;
	o->body_len = h->body_len;
}

static inline const uint8_t *body_of(const struct opened *o)
{
	return o->datagram->payload + WIRE_HEADER_LEN;
}

static struct wire_header header_of(const struct lane *lane, const struct opened *o)
{
	struct wire_header h;
	const uint8_t *packet = o->datagram->payload;
	wire_load_header(packet, sw_load_u64(packet), lane->app->cluster_tag, &h);
	return h;
}

static inline unsigned check_sender(const struct appliance *app, const struct members_view *view,
	const struct opened *o, uint64_t dst_id)
{
	if (dst_id != 0 && dst_id != view->self.id)
		return DROP_OTHER_SERVER;
	if (o->sender.id == view->self.id && o->instance == app->instance)
		return DROP_OWN;
	const struct swim_member *known = view_find(view, o->sender.id);
	/* Our own id under another instance is membership's to settle. */
	if (known != NULL && !known->self && o->sender.epoch < known->record.actor.epoch)
		return DROP_OLD_EPOCH;
	return DROP_COUNT;
}

/* Everything that can be known of an opened packet without looking at its messages. False: its mbuf
 * is gone. */
static __rte_always_inline bool check_prelude(struct lane *lane, uint64_t now_ns,
	const struct members_view *view, const struct opened *o, uint64_t dst_id, uint64_t last_seq)
{
	unsigned reason = check_sender(lane->app, view, o, dst_id);
	if (reason != DROP_COUNT) {
		drop(lane, o->datagram->mbuf, reason);
		return false;
	}
	/* Who has written nothing is not even looked for. */
	uint64_t held = last_seq == 0 ? 0 : map_seq_reader(lane->app->map, o->sender);
	currency_heard(&lane->app->currency, now_ns, o->sender, last_seq, held);
	if (last_seq > held)
		atomic_store_explicit(&lane->app->hint, o->sender.id, memory_order_relaxed);
	return true;
}

/* Of any shape. True if it is taken. */
static __rte_noinline bool decode_any(struct lane *lane, uint64_t now_ns,
	const struct members_view *view, const struct opened *o, struct inside *in)
{
	struct rte_mbuf *m = o->datagram->mbuf;
	struct wire_prelude prelude;
	in->messages = sw_reader_init(body_of(o), o->body_len);
	wire_get_prelude(&in->messages, &prelude);
	if (in->messages.failed) {
		drop(lane, m, DROP_WIRE + WIRE_ERR_BODY);
		return false;
	}
	if (!check_prelude(lane, now_ns, view, o, prelude.dst_id, prelude.last_seq))
		return false;
	if (!look_inside(in->messages, &in->contents)) {
		drop(lane, m, DROP_WIRE + WIRE_ERR_BODY);
		return false;
	}
	if (in->contents.ping || in->contents.ack)
		map_probe(lane->app->map, o->sender, in->contents.probe.vector_hash,
			in->contents.probe.content_hash);
	return true;
}

static inline void decode(struct lane *lane, uint64_t now_ns, const struct members_view *view,
	struct opened *o, struct inside *in)
{
	struct wire_prelude prelude;
	struct wire_probe ping;
	o->sole = wire_get_sole_ping(body_of(o), o->body_len, &prelude, &ping);
	if (!o->sole) {
		o->taken = decode_any(lane, now_ns, view, o, in);
		return;
	}
	/* What nearly every packet is. */
	o->taken = check_prelude(lane, now_ns, view, o, prelude.dst_id, prelude.last_seq);
	if (o->taken)
		map_probe(lane->app->map, o->sender, ping.vector_hash, ping.content_hash);
}

static inline void act_sole(
	struct lane *lane, uint64_t now_ns, const struct opened *o, struct answers *answers)
{
	struct nic_datagram *d = o->datagram;
	uint32_t seq = wire_sole_ping_seq(body_of(o));
	/* Leaves the answers of others as they are. */
	if (lane->index == 0)
		swim_ping(lane->app->swim, now_ns, o->sender, o->instance, &d->from,
			wire_sole_ping_digest(body_of(o)));
	if (answers->alike)
		answer_alike(lane, d, o->sender.id, seq, answers);
	else
		answer(lane, now_ns, d, o->sender.id, seq, answers);
}

/* Takes the mbuf of a packet of any other shape. */
static __rte_noinline void act_any(struct lane *lane, uint64_t now_ns, const struct opened *o,
	const struct inside *in, struct answers *answers)
{
	struct nic_datagram *d = o->datagram;
	const struct contents *c = &in->contents;
	if (c->map) {
		if (!c->session && is_covered(lane->app->map, in->messages))
			drop(lane, d->mbuf, DROP_COVERED);
		else
			to_keeper(lane, d);
		return;
	}
	if (lane->index != 0 && c->membership) {
		*packet_meta(d->mbuf) =
			(struct packet_meta){d->from, d->payload_offset, d->payload_len};
		if (rte_ring_sp_enqueue(lane->to_lane0, d->mbuf) != 0)
			drop(lane, d->mbuf, DROP_LANE_FULL);
		return;
	}
	if (lane->index == 0) {
		struct wire_header h = header_of(lane, o);
		input_membership(lane, now_ns, &h, &d->from, in->messages);
		answers->known = answers->alike = false;
	}
	if (c->ping)
		answer(lane, now_ns, d, o->sender.id, c->ping_seq, answers);
	else
		rte_pktmbuf_free(d->mbuf);
}

/* What is opened, step by step for the whole burst. */
static __rte_noinline void handle(
	struct lane *lane, uint64_t now_ns, struct opened *list, uint32_t count)
{
	const struct members_view *view = view_get_reader(lane->app->board);
	struct answers answers = {.known = false, .alike = false};
	struct inside inside[NIC_BURST];
	uint32_t packets = 0;
	for (uint32_t i = 0; i < count && lane->capture != NULL; i++)
		capture_received(lane, now_ns, &list[i].datagram->from, list[i].datagram->payload,
			list[i].sender.id, list[i].body_len);
	lane_stage(lane, STAGE_OPEN);
	for (uint32_t i = 0; i < count; i++)
		decode(lane, now_ns, view, &list[i], &inside[i]);
	lane_stage(lane, STAGE_DECODE);
	for (uint32_t i = 0; i < count; i++) {
		if (!list[i].taken)
			continue;
		packets++;
		if (list[i].sole)
			act_sole(lane, now_ns, &list[i], &answers);
		else
			act_any(lane, now_ns, &list[i], &inside[i], &answers);
	}
	lane->counters.packets += packets;
	lane_stage(lane, STAGE_ANSWER);
}

static __attribute__((flatten)) void receive_clear(
	struct lane *lane, uint64_t now_ns, struct nic_datagram *datagrams, uint16_t count)
{
	struct opened list[NIC_BURST];
	uint32_t cluster = lane->app->cluster_tag, n = 0;
	for (uint16_t i = 0; i < count; i++) {
		struct nic_datagram *d = &datagrams[i];
		struct wire_header h;
		enum wire_error e = wire_open_clear_header(d->payload, d->payload_len, cluster, &h);
		if (e != WIRE_OK) {
			drop(lane, d->mbuf, DROP_WIRE + e);
			continue;
		}
		set_opened(&list[n++], d, &h);
	}
	handle(lane, now_ns, list, n);
}

/* True if this packet may be handed to control now. */
static bool may_knock(
	struct lane *lane, uint64_t now_ns, const struct sw_endpoint *from, uint64_t instance)
{
	uint64_t address;
	memcpy(&address, from->addr + 8, sizeof(address));
	struct knocker *k = &lane->knockers[sw_mix64(address) % KNOCKERS];
	if (now_ns >= k->until_ns)
		*k = (struct knocker){now_ns + KNOCK_INTERVAL_NS, instance, 0};
	return k->instance == instance && k->packets++ < KNOCK_PACKETS_MAX;
}

/* A sender that is new here, or says so: control finds out. */
static void knock(
	struct lane *lane, uint64_t now_ns, struct nic_datagram *d, const struct wire_header *h)
{
	*packet_meta(d->mbuf) = (struct packet_meta){d->from, d->payload_offset, d->payload_len};
	if (!may_knock(lane, now_ns, &d->from, h->instance) ||
		rte_ring_sp_enqueue(lane->to_control, d->mbuf) != 0)
		drop(lane, d->mbuf, DROP_NEW_SENDER);
}

/* True if it is open; otherwise its mbuf is gone. */
static bool is_open(struct lane *lane, uint64_t now_ns, struct nic_datagram *d,
	const struct seal_packet *p, bool admitted)
{
	static const unsigned reasons[SEAL_RESULT_COUNT] = {
		[SEAL_RANGE] = DROP_WIRE + WIRE_ERR_BODY,
		[SEAL_KEY] = DROP_WIRE + WIRE_ERR_KEY,
		[SEAL_SENDER] = DROP_NEW_SENDER, /* let in, and gone again */
		[SEAL_TAG] = DROP_TAG,
		[SEAL_REPLAY] = DROP_REPLAY,
	};
	if (p->result == SEAL_OK)
		return true;
	if (p->result == SEAL_SENDER && !admitted)
		knock(lane, now_ns, d, &p->h);
	else
		drop(lane, d->mbuf, reasons[p->result]);
	return false;
}

/* Headers of the whole burst first: what is not ours is gone before anything is looked up. */
static void receive_sealed(struct lane *lane, uint64_t now_ns, struct nic_datagram *datagrams,
	uint16_t count, bool admitted)
{
	struct seal_packet packets[NIC_BURST];
	struct nic_datagram *found[NIC_BURST]; /* of these */
	struct opened list[NIC_BURST];
	uint32_t cluster = lane->app->cluster_tag, n = 0, open = 0;
	uint64_t first;
	for (uint16_t i = 0; i < count; i++) {
		struct nic_datagram *d = &datagrams[i];
		struct seal_packet *p = &packets[n];
		enum wire_error e = wire_check_header(d->payload, d->payload_len, cluster, &first);
		if (e != WIRE_OK) {
			drop(lane, d->mbuf, DROP_WIRE + e);
			continue;
		}
		wire_load_header(d->payload, first, cluster, &p->h);
		p->mbuf = d->mbuf;
		p->bytes = d->payload;
		p->offset = d->payload_offset;
		found[n++] = d;
	}
	seal_open_lane(lane->app->seal, lane->index, packets, n);
	for (uint32_t i = 0; i < n; i++) {
		struct nic_datagram *d = found[i];
		if (!is_open(lane, now_ns, d, &packets[i], admitted))
			continue;
		set_opened(&list[open++], d, &packets[i].h);
	}
	handle(lane, now_ns, list, open);
}

/* How many are left of them. */
static uint16_t shim_burst(
	struct lane *lane, const struct shim *shim, struct nic_datagram *datagrams, uint16_t count)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < count; i++) {
		if (shim_drops(lane, shim, &datagrams[i].from))
			drop(lane, datagrams[i].mbuf, DROP_SHIM);
		else if (kept++ != i)
			datagrams[kept - 1] = datagrams[i];
	}
	return kept;
}

void lane_receive(
	struct lane *lane, uint64_t now_ns, struct nic_datagram *datagrams, uint16_t count)
{
	if (count == 0)
		return;
	const struct shim *shim = atomic_load_explicit(&lane->app->shim, memory_order_acquire);
	if (shim != NULL)
		count = shim_burst(lane, shim, datagrams, count);
	if (lane->app->seal == NULL)
		receive_clear(lane, now_ns, datagrams, count);
	else
		receive_sealed(lane, now_ns, datagrams, count, false);
}

static struct nic_datagram datagram_of(struct rte_mbuf *m)
{
	struct packet_meta meta = *packet_meta(m);
	return (struct nic_datagram){
		.mbuf = m,
		.payload = rte_pktmbuf_mtod_offset(m, uint8_t *, meta.payload_offset),
		.payload_len = meta.payload_len,
		.payload_offset = meta.payload_offset,
		.from = meta.peer,
	};
}

void lane_receive_admitted(
	struct lane *lane, uint64_t now_ns, struct rte_mbuf **mbufs, uint16_t count)
{
	struct nic_datagram datagrams[NIC_BURST];
	for (uint16_t i = 0; i < count; i++)
		datagrams[i] = datagram_of(mbufs[i]);
	receive_sealed(lane, now_ns, datagrams, count, true);
}

/* Lane 0: a packet that another lane took in and opened. */
void lane_membership(struct lane *lane, uint64_t now_ns, struct rte_mbuf *m)
{
	struct nic_datagram d = datagram_of(m);
	struct wire_header h;
	struct opened o;
	struct inside in;
	struct answers answers = {.known = false, .alike = false};
	struct sw_reader body;
	enum wire_error e =
		wire_read_header(d.payload, d.payload_len, lane->app->cluster_tag, &h, &body);
	if (e != WIRE_OK) {
		drop(lane, m, DROP_WIRE + e);
		return;
	}
	set_opened(&o, &d, &h);
	if (decode_any(lane, now_ns, view_get_reader(lane->app->board), &o, &in))
		act_any(lane, now_ns, &o, &in, &answers); /* counted by the lane that received it */
}
