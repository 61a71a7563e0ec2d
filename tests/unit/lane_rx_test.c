#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>

#include "appliance_world.h"
#include "nic/frame.h"

/* A lane is handed datagrams, in mbufs of its pool and with real headers; the test plays keeper and
 * control. */

enum { PEER_ID = 2, PEER_EPOCH = 7 };

static const char peer_address[] = "10.0.0.2:7946";

/* A packet before it is one. */
struct draft {
	struct wire_header header;
	uint8_t bytes[WIRE_PACKET_MAX];
	struct sw_writer body;
};

static struct draft draft_create(const struct appliance_world *w, uint64_t last_seq)
{
	static uint64_t counter;
	struct draft d = {.header = {.cluster = w->app.cluster_tag,
				  .sender = {PEER_ID, PEER_EPOCH},
				  .instance = 99,
				  .counter = ++counter}};
	struct wire_prelude prelude = {.dst_id = w->config.id, .last_seq = last_seq};
	struct sw_writer p = sw_writer_init(d.bytes + WIRE_HEADER_LEN, WIRE_PRELUDE_LEN);
	wire_put_prelude(&p, &prelude);
	return d;
}

static struct sw_writer *body_of(struct draft *d)
{
	if (d->body.at == NULL)
		d->body = lane_body(d->bytes);
	return &d->body;
}

static uint16_t draft_finish(struct draft *d)
{
	SW_EXPECT_FALSE(body_of(d)->failed);
	d->header.body_len = (uint16_t)(body_of(d)->at - d->bytes - WIRE_HEADER_LEN);
	return (uint16_t)wire_finish_clear(d->bytes, &d->header);
}

static struct sw_endpoint peer(void)
{
	struct sw_endpoint e;
	SW_EXPECT_EQ(sw_endpoint_parse(peer_address, 0, &e), 0);
	return e;
}

/* The received frame; its mbuf is NULL if the pool is empty. */
static struct nic_datagram frame_of(struct appliance_world *w, const uint8_t *bytes, uint16_t len)
{
	struct sw_endpoint from = peer();
	struct nic_datagram d = {.mbuf = rte_pktmbuf_alloc(w->app.pool), .from = from};
	struct frame_route route = {.to_mac = {2, 0, 0, 0, 0, 1},
		.from_mac = {2, 0, 0, 0, 0, 2},
		.to_port_be = htobe16(w->app.at.port),
		.from_port_be = htobe16(from.port)};
	memcpy(route.to, w->app.at.addr, sizeof(route.to));
	memcpy(route.from, from.addr, sizeof(route.from));
	if (d.mbuf == NULL)
		return d;
	d.payload_offset = frame_headers_len(&route);
	d.payload_len = len;
	d.payload = (uint8_t *)rte_pktmbuf_append(d.mbuf, (uint16_t)(d.payload_offset + len)) +
		    d.payload_offset;
	memcpy(d.payload, bytes, len);
	frame_build(&route, d.payload, len);
	return d;
}

static void feed(struct appliance_world *w, unsigned lane, const uint8_t *bytes, uint16_t len)
{
	struct nic_datagram d = frame_of(w, bytes, len);
	SW_ASSERT_TRUE(d.mbuf != NULL);
	lane_receive(&w->app.lanes[lane], w->now_ns, &d, 1);
}

static uint64_t drops(const struct appliance_world *w, unsigned lane)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < DROP_COUNT; i++)
		sum += w->app.lanes[lane].counters.drops[i];
	return sum;
}

/* This reason, once, and no other; and the mbuf is back in its pool. */
static void feed_expect_drop(struct appliance_world *w, unsigned lane, const uint8_t *bytes,
	uint16_t len, unsigned reason)
{
	struct lane_counters *c = &w->app.lanes[lane].counters;
	uint64_t before = c->drops[reason], sum = drops(w, lane);
	unsigned in_use = rte_mempool_in_use_count(w->app.pool);
	feed(w, lane, bytes, len);
	SW_EXPECT_EQ(c->drops[reason], before + 1);
	SW_EXPECT_EQ(drops(w, lane), sum + 1);
	SW_EXPECT_EQ(rte_mempool_in_use_count(w->app.pool), in_use);
}

static void put_ping(struct draft *d, uint32_t seq)
{
	struct wire_probe probe = {.seq = seq};
	wire_put_probe(body_of(d), WIRE_PING, &probe);
}

static void put_record(struct draft *d, const char *key, uint64_t seq)
{
	struct dot dot = {d->header.sender, seq};
	struct wire_record r = {.key_len = (uint8_t)strlen(key),
		.value_len = 1,
		.clock = 1,
		.author = dot,
		.dot = dot,
		.key = (const uint8_t *)key,
		.value = (const uint8_t *)"v"};
	wire_put_record(body_of(d), &r);
}

static void put_member(struct draft *d, uint64_t id, uint32_t epoch)
{
	struct wire_member m = {.actor = {id, epoch},
		.instance = id,
		.incarnation = 1,
		.weight = SW_WEIGHT_DEFAULT,
		.at = sw_endpoint_from_ipv4(htobe32(0x0a000000u + (uint32_t)id), 7946),
		.name = "other"};
	wire_put_member(body_of(d), WIRE_MEMBER, &m);
}

static struct appliance_world *settled(void)
{
	struct appliance_world *w = appliance_world();
	if (w != NULL)
		appliance_world_settle(w);
	return w;
}

static void publish(struct appliance_world *w)
{
	SW_EXPECT_TRUE(view_publish_owner(w->app.board, w->app.swim));
}

/* ---- damaged and foreign packets ---- */

static void cut_short(struct draft *d, uint16_t *len)
{
	(void)d;
	*len = WIRE_HEADER_LEN + WIRE_TAG_LEN - 1;
}

static void empty_it(struct draft *d, uint16_t *len)
{
	(void)d;
	*len = 0;
}

static void spoil_magic(struct draft *d, uint16_t *len)
{
	(void)len;
	d->bytes[0] ^= 1;
}

static void spoil_version(struct draft *d, uint16_t *len)
{
	(void)len;
	d->bytes[2]++;
}

static void spoil_cluster(struct draft *d, uint16_t *len)
{
	d->header.cluster++;
	*len = draft_finish(d);
}

static void lose_a_byte(struct draft *d, uint16_t *len)
{
	(void)d;
	--*len;
}

static void name_a_key(struct draft *d, uint16_t *len)
{
	(void)len;
	d->bytes[3] = 1;
}

static void flip_a_bit(struct draft *d, uint16_t *len)
{
	d->bytes[*len - WIRE_TAG_LEN - 1] ^= 0x10;
}

static void cut_a_message(struct draft *d, uint16_t *len)
{
	static const uint8_t message[] = {WIRE_PING, 0, 0, 200, 1};
	sw_put_bytes(body_of(d), message, sizeof(message));
	*len = draft_finish(d);
}

static void cut_a_ping(struct draft *d, uint16_t *len)
{
	static const uint8_t message[] = {WIRE_PING, 0, 0, 3, 1, 2, 3};
	sw_put_bytes(body_of(d), message, sizeof(message));
	*len = draft_finish(d);
}

static void claim_a_seq_that_cannot_be(struct draft *d, uint16_t *len)
{
	memset(d->bytes + WIRE_HEADER_LEN + 8, 0xff, 8);
	*len = draft_finish(d);
}

static void mean_another_server(struct draft *d, uint16_t *len)
{
	d->bytes[WIRE_HEADER_LEN] ^= 0x80;
	*len = draft_finish(d);
}

struct damage_row {
	const char *name;
	void (*damage)(struct draft *d, uint16_t *len);
	unsigned reason;
	const char *reason_name;
};

static const struct damage_row damage_rows[] = {
	{"empty", empty_it, DROP_WIRE + WIRE_ERR_SHORT, "short"},
	{"shorter than header and tag", cut_short, DROP_WIRE + WIRE_ERR_SHORT, "short"},
	{"not ours at all", spoil_magic, DROP_WIRE + WIRE_ERR_MAGIC, "magic"},
	{"another version", spoil_version, DROP_WIRE + WIRE_ERR_VERSION, "version"},
	{"another cluster", spoil_cluster, DROP_WIRE + WIRE_ERR_CLUSTER, "cluster"},
	{"cut off", lose_a_byte, DROP_WIRE + WIRE_ERR_LENGTH, "length"},
	{"under a key that is not held", name_a_key, DROP_WIRE + WIRE_ERR_KEY, "key"},
	{"with a flipped bit", flip_a_bit, DROP_WIRE + WIRE_ERR_CHECKSUM, "checksum"},
	{"with a message that is cut off", cut_a_message, DROP_WIRE + WIRE_ERR_BODY, "body"},
	{"with a PING that is too short", cut_a_ping, DROP_WIRE + WIRE_ERR_BODY, "body"},
	{"with an impossible last seq", claim_a_seq_that_cannot_be, DROP_WIRE + WIRE_ERR_BODY,
		"body"},
	{"meant for another server", mean_another_server, DROP_OTHER_SERVER, "other_server"},
};

SW_TEST_TABLE(lane_rx, drops_and_counts_a_packet, const struct damage_row *row, damage_rows)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct draft d = draft_create(w, 0);
	put_ping(&d, 1);
	uint16_t len = draft_finish(&d);
	row->damage(&d, &len);
	uint64_t taken = w->app.lanes[0].counters.answered;
	feed_expect_drop(w, 0, d.bytes, len, row->reason);
	SW_EXPECT_EQ(w->app.lanes[0].counters.answered, taken);
	SW_EXPECT_STR(drop_name(row->reason), row->reason_name);
	appliance_world_expect_no_leak(w);
}

SW_TEST(lane_rx, every_drop_reason_has_a_name_of_its_own)
{
	for (unsigned i = 0; i < DROP_COUNT; i++)
		for (unsigned j = 0; j < i; j++) {
			SW_ASSERT_TRUE(drop_name(i) != NULL);
			SW_EXPECT_NE(strcmp(drop_name(i), drop_name(j)), 0);
		}
}

SW_TEST(lane_rx, own_packet_that_came_back_is_dropped)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct draft d = draft_create(w, 0);
	d.header.sender = swim_self(w->app.swim);
	d.header.instance = w->app.instance;
	put_ping(&d, 1);
	feed_expect_drop(w, 0, d.bytes, draft_finish(&d), DROP_OWN);
	appliance_world_expect_no_leak(w);
}

SW_TEST(lane_rx, life_of_a_server_that_is_over_is_not_listened_to)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct draft news = draft_create(w, 0), late = draft_create(w, 0), now = draft_create(w, 0);
	put_member(&news, 5, 10);
	feed(w, 0, news.bytes, draft_finish(&news));
	publish(w);
	SW_ASSERT_TRUE(view_find(view_get_reader(w->app.board), 5) != NULL);
	late.header.sender = (struct actor){5, 9};
	now.header.sender = (struct actor){5, 10};
	put_ping(&late, 1);
	put_ping(&now, 2);
	feed_expect_drop(w, 0, late.bytes, draft_finish(&late), DROP_OLD_EPOCH);
	uint64_t before = w->app.lanes[0].counters.answered;
	feed(w, 0, now.bytes, draft_finish(&now));
	SW_EXPECT_EQ(w->app.lanes[0].counters.answered, before + 1);
	appliance_world_expect_no_leak(w);
}

/* ---- PING ---- */

static void expect_ack(
	struct appliance_world *w, unsigned lane, const struct rte_mbuf *m, uint32_t seq)
{
	struct sw_endpoint from = peer();
	struct frame_self self = {.addr_be = sw_endpoint_ipv4(&from),
		.port_be = htobe16(from.port),
		.broadcast_be = UINT32_MAX,
		.mac = {2, 0, 0, 0, 0, 2},
		.exclusive = true};
	struct frame f;
	struct wire_header h;
	struct wire_prelude prelude;
	struct wire_message message;
	struct wire_probe ack;
	struct sw_reader body;
	const uint8_t *bytes = rte_pktmbuf_mtod(m, const uint8_t *);
	frame_classify(&self, bytes, m->data_len, &f); /* checks the checksums too */
	SW_ASSERT_EQ(f.kind, FRAME_DATAGRAM);
	SW_EXPECT_TRUE(sw_endpoint_equal(&f.from, &w->app.at));
	SW_ASSERT_EQ(wire_open_clear(bytes + f.payload_offset, f.payload_len, w->app.cluster_tag,
			     &h, &body),
		WIRE_OK);
	SW_EXPECT_TRUE(actor_equal(h.sender, swim_self(w->app.swim)));
	SW_EXPECT_EQ(h.instance, w->app.instance);
	SW_EXPECT_EQ(h.lane, lane);
	wire_get_prelude(&body, &prelude);
	SW_EXPECT_EQ(prelude.dst_id, (uint64_t)PEER_ID);
	SW_ASSERT_TRUE(wire_next(&body, &message));
	SW_ASSERT_EQ(message.type, WIRE_ACK);
	SW_ASSERT_TRUE(wire_get_probe(&message.payload, &ack));
	SW_EXPECT_EQ(ack.seq, seq);
	SW_EXPECT_EQ(ack.table_digest, swim_table_digest(w->app.swim));
}

struct lane_row {
	const char *name;
	unsigned lane;
};

static const struct lane_row lane_rows[] = {{"lane 0", 0}, {"another lane", 1}};

SW_TEST_TABLE(lane_rx, ping_is_answered_in_its_own_mbuf_by, const struct lane_row *row, lane_rows)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct lane *lane = &w->app.lanes[row->lane];
	struct draft d = draft_create(w, 0);
	put_ping(&d, 4711);
	publish(w);
	struct nic_datagram in = frame_of(w, d.bytes, draft_finish(&d));
	struct rte_mbuf *m = in.mbuf;
	uint64_t answered = lane->counters.answered, counter = lane->counter;
	lane_receive(lane, w->now_ns, &in, 1);
	lane_flush(lane);
	void *out = NULL;
	SW_ASSERT_EQ(rte_ring_dequeue(w->out[row->lane], &out), 0);
	SW_EXPECT_TRUE(out == m);
	expect_ack(w, row->lane, m, 4711);
	SW_EXPECT_EQ(lane->counters.answered, answered + 1);
	SW_EXPECT_EQ(lane->counter, counter + 1);
	SW_EXPECT_EQ(rte_ring_count(w->out[row->lane]), 0u);
	rte_pktmbuf_free(m);
	appliance_world_expect_no_leak(w);
}

SW_TEST(lane_rx, ping_in_an_mbuf_without_room_for_the_answer_is_dropped)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct lane_counters *c = &w->app.lanes[0].counters;
	struct draft d = draft_create(w, 0);
	put_ping(&d, 1);
	uint16_t len = draft_finish(&d);
	struct nic_datagram in = frame_of(w, d.bytes, len);
	uint16_t frame_len = in.mbuf->data_len,
		 moved = (uint16_t)(in.mbuf->buf_len - in.mbuf->data_off - frame_len);
	uint8_t *start = rte_pktmbuf_mtod(in.mbuf, uint8_t *);
	memmove(start + moved, start, frame_len);
	in.mbuf->data_off = (uint16_t)(in.mbuf->data_off + moved);
	in.payload += moved;
	uint64_t before = c->drops[DROP_WIRE + WIRE_ERR_SHORT], answered = c->answered;
	lane_receive(&w->app.lanes[0], w->now_ns, &in, 1);
	SW_EXPECT_EQ(c->drops[DROP_WIRE + WIRE_ERR_SHORT], before + 1);
	SW_EXPECT_EQ(c->answered, answered);
	appliance_world_expect_no_leak(w);
}

/* ---- to the keeper ---- */

SW_TEST(lane_rx, new_record_reaches_the_keeper_by_reference)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct sw_endpoint from = peer();
	struct draft d = draft_create(w, 0);
	put_record(&d, "k", 1000);
	uint16_t len = draft_finish(&d);
	struct nic_datagram in = frame_of(w, d.bytes, len);
	struct rte_mbuf *m = in.mbuf;
	uint64_t before = w->app.lanes[1].counters.to_keeper;
	lane_receive(&w->app.lanes[1], w->now_ns, &in, 1);
	SW_EXPECT_EQ(w->app.lanes[1].counters.to_keeper, before + 1);
	void *got = NULL;
	SW_ASSERT_EQ(rte_ring_dequeue(w->app.lanes[1].to_keeper, &got), 0);
	SW_EXPECT_TRUE(got == m);
	const struct packet_meta *meta = packet_meta(m);
	SW_EXPECT_TRUE(sw_endpoint_equal(&meta->peer, &from));
	SW_EXPECT_EQ(meta->payload_len, len);
	SW_EXPECT_MEM(rte_pktmbuf_mtod_offset(m, uint8_t *, meta->payload_offset), d.bytes, len);
	rte_pktmbuf_free(m);
	appliance_world_expect_no_leak(w);
}

static void merge(struct appliance_world *w, struct draft *d)
{
	struct sw_endpoint from = peer();
	struct sw_reader messages = sw_reader_init(d->bytes + WIRE_HEADER_LEN + WIRE_PRELUDE_LEN,
		(size_t)(d->body.at - d->bytes) - WIRE_HEADER_LEN - WIRE_PRELUDE_LEN);
	struct wire_prelude prelude = {.last_seq = 0};
	map_input_owner(w->app.map, w->now_ns, &d->header, &prelude, &from, &messages);
}

SW_TEST(lane_rx, records_that_are_here_are_dropped_and_one_new_one_lets_the_packet_through)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct lane_counters *c = &w->app.lanes[0].counters;
	struct draft d = draft_create(w, 0), more = draft_create(w, 0),
		     session = draft_create(w, 0);
	put_record(&d, "a", 1);
	put_record(&d, "b", 2);
	uint16_t len = draft_finish(&d);
	merge(w, &d);
	SW_ASSERT_EQ(map_seq_reader(w->app.map, d.header.sender), 2u);
	feed_expect_drop(w, 0, d.bytes, len, DROP_COVERED);
	uint64_t before = c->to_keeper;
	put_record(&more, "b", 2);
	put_record(&more, "c", 3);
	feed(w, 0, more.bytes, draft_finish(&more));
	SW_EXPECT_EQ(c->to_keeper, before + 1);
	/* A session's packets are never thrown away on what they hold. */
	wire_put_session_done(body_of(&session), 1);
	put_record(&session, "b", 2);
	feed(w, 0, session.bytes, draft_finish(&session));
	SW_EXPECT_EQ(c->to_keeper, before + 2);
	appliance_world_expect_no_leak(w);
}

SW_TEST(lane_rx, server_with_writes_that_are_not_here_is_hinted_to_the_keeper)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct draft d =
		draft_create(w, map_seq_reader(w->app.map, (struct actor){PEER_ID, PEER_EPOCH}));
	struct draft ahead = draft_create(w, 1000);
	put_ping(&d, 1);
	put_ping(&ahead, 2);
	atomic_store(&w->app.hint, 0);
	feed(w, 0, d.bytes, draft_finish(&d));
	SW_EXPECT_EQ(atomic_load(&w->app.hint), 0u);
	feed(w, 0, ahead.bytes, draft_finish(&ahead));
	SW_EXPECT_EQ(atomic_exchange(&w->app.hint, 0), (uint64_t)PEER_ID);
	appliance_world_expect_no_leak(w);
}

SW_TEST(lane_rx, full_ring_to_the_keeper_drops_the_newest)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct draft d = draft_create(w, 0);
	put_record(&d, "k", 1000);
	uint16_t len = draft_finish(&d);
	uint64_t before = drops(w, 0);
	for (int i = 0; i < LANE_TO_KEEPER_MAX; i++)
		feed(w, 0, d.bytes, len);
	SW_EXPECT_EQ(drops(w, 0), before);
	SW_EXPECT_EQ(rte_ring_count(w->app.lanes[0].to_keeper), (unsigned)LANE_TO_KEEPER_MAX);
	feed_expect_drop(w, 0, d.bytes, len, DROP_KEEPER_FULL);
	feed_expect_drop(w, 0, d.bytes, len, DROP_KEEPER_FULL);
	SW_EXPECT_EQ(rte_mempool_in_use_count(w->app.pool), (unsigned)LANE_TO_KEEPER_MAX);
	appliance_world_expect_no_leak(w);
}

/* ---- to lane 0 ---- */

SW_TEST(lane_rx, membership_that_another_lane_took_in_is_heard_by_lane_0)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct draft d = draft_create(w, 0);
	put_member(&d, 77, 3);
	feed(w, 1, d.bytes, draft_finish(&d));
	publish(w);
	SW_EXPECT_TRUE(view_find(view_get_reader(w->app.board), 77) == NULL);
	void *m = NULL;
	SW_ASSERT_EQ(rte_ring_dequeue(w->app.lanes[1].to_lane0, &m), 0);
	lane_membership(&w->app.lanes[0], w->now_ns, m);
	publish(w);
	const struct swim_member *found = view_find(view_get_reader(w->app.board), 77);
	SW_ASSERT_TRUE(found != NULL);
	SW_EXPECT_EQ(found->record.actor.epoch, 3u);
	appliance_world_expect_no_leak(w);
}

SW_TEST(lane_rx, full_ring_to_lane_0_drops_the_newest)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct draft d = draft_create(w, 0);
	put_member(&d, 78, 1);
	uint16_t len = draft_finish(&d);
	uint64_t before = drops(w, 1);
	for (int i = 0; i < LANE_TO_LANE_MAX; i++)
		feed(w, 1, d.bytes, len);
	SW_EXPECT_EQ(drops(w, 1), before);
	feed_expect_drop(w, 1, d.bytes, len, DROP_LANE_FULL);
	SW_EXPECT_EQ(rte_mempool_in_use_count(w->app.pool), (unsigned)LANE_TO_LANE_MAX);
	appliance_world_expect_no_leak(w);
}

/* ---- the test shim ---- */

SW_TEST(lane_rx, shim_drops_by_chance_and_blocks_by_address)
{
	struct appliance_world *w = settled();
	SW_ASSERT_TRUE(w != NULL);
	struct lane_counters *c = &w->app.lanes[0].counters;
	struct shim shim = {.drop_percent = 100};
	struct draft d = draft_create(w, 0);
	put_ping(&d, 1);
	uint16_t len = draft_finish(&d);
	atomic_store(&w->app.shim, &shim);
	feed_expect_drop(w, 0, d.bytes, len, DROP_SHIM);
	shim = (struct shim){.block_count = 1, .block = {peer()}};
	shim.block[0].port = 1; /* the address alone counts */
	feed_expect_drop(w, 0, d.bytes, len, DROP_SHIM);
	shim.block[0].addr[15] ^= 1;
	uint64_t answered = c->answered;
	feed(w, 0, d.bytes, len);
	SW_EXPECT_EQ(c->answered, answered + 1);
	/* 1,000 at 30 %: 200 to 400 is seven standard deviations to either side. */
	shim = (struct shim){.drop_percent = 30};
	uint64_t before = c->drops[DROP_SHIM];
	for (int i = 0; i < 1000; i++)
		feed(w, 0, d.bytes, len);
	SW_EXPECT_GT(c->drops[DROP_SHIM] - before, 200u);
	SW_EXPECT_LT(c->drops[DROP_SHIM] - before, 400u);
	atomic_store(&w->app.shim, NULL);
	appliance_world_expect_no_leak(w);
}
