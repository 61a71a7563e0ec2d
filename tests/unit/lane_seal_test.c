#include "sw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_mempool.h>

#include "appliance_world.h"
#include "base/sanitizer.h"
#include "sealing.h"

/* A lane whose packets are sealed. The peer seals with the same device, as another life. */

enum { PEER_ID = 2, PEER_EPOCH = 7, PEER_LANE = 1, HEADERS = 14 + 20 + 8 };

static const char keyring[] = "/tmp/swimlane_lane_seal_test.keys";
static const char peer_address[] = "10.0.0.2:7946";
static uint64_t peer_instance = 1000; /* another life in every test */

struct stage {
	struct appliance_world *w;
	struct seal_sender *peer;
	struct sw_endpoint from;
};

static void forget_keyring(void)
{
	(void)unlink(keyring);
}

static bool begin(struct stage *s)
{
	static bool made;
	if (!made) {
		struct seal_keyring ring = {.count = 0};
		char error[SEAL_ERROR_MAX];
		uint8_t id;
		made = true;
		(void)unlink(keyring);
		(void)atexit(forget_keyring);
		SW_EXPECT_EQ(seal_keyring_add(&ring, &id, error), 0);
		SW_EXPECT_EQ(seal_keyring_save(keyring, &ring, true, error), 0);
		appliance_world_keyring = keyring;
	}
	*s = (struct stage){.w = appliance_world()};
	if (s->w == NULL)
		return false;
	appliance_world_settle(s->w);
	s->w->now_ns += SW_NS_PER_S; /* whoever knocked before may knock again */
	s->peer = seal_sender_create_owner(
		s->w->app.seal, (struct actor){PEER_ID, PEER_EPOCH}, ++peer_instance);
	SW_EXPECT_TRUE(s->peer != NULL);
	return s->peer != NULL && sw_endpoint_parse(peer_address, 0, &s->from) == 0;
}

static void end(struct stage *s)
{
	seal_sender_retire_owner(s->peer);
	sealing_tick(&s->w->app, s->w->now_ns);
	sealing_tick(&s->w->app, s->w->now_ns);
	appliance_world_expect_no_leak(s->w);
}

/* A PING of the peer, in a frame, not sealed yet. */
static struct nic_datagram draft(struct stage *s, struct seal_packet *p)
{
	struct nic_datagram d = {.mbuf = rte_pktmbuf_alloc(s->w->app.pool), .from = s->from};
	uint16_t len =
		WIRE_HEADER_LEN + WIRE_PRELUDE_LEN + WIRE_MESSAGE_HEADER_LEN + 28 + WIRE_TAG_LEN;
	d.payload_offset = HEADERS;
	d.payload_len = len;
	d.payload = (uint8_t *)rte_pktmbuf_append(d.mbuf, (uint16_t)(d.payload_offset + len)) +
		    d.payload_offset;
	struct wire_prelude prelude = {.dst_id = s->w->config.id};
	struct wire_probe probe = {.seq = 7};
	struct sw_writer w = sw_writer_init(d.payload + WIRE_HEADER_LEN, WIRE_BODY_MAX);
	wire_put_prelude(&w, &prelude);
	wire_put_probe(&w, WIRE_PING, &probe);
	*p = (struct seal_packet){.mbuf = d.mbuf,
		.bytes = d.payload,
		.offset = d.payload_offset,
		.sender = s->peer,
		.h = {.body_len = (uint16_t)(w.at - d.payload - WIRE_HEADER_LEN)}};
	return d;
}

/* RFC 1071. */
static uint32_t sum_of(const uint8_t *bytes, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	return sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

/* Ethernet, IPv4 and UDP in front of the payload, by hand: the packet on the wire is not what
 * lib/nic thinks that it is. */
static void finish_frame(struct stage *s, struct nic_datagram *d)
{
	uint8_t *ether = d->payload - HEADERS, *ip = ether + 14, *udp = ip + 20;
	uint16_t udp_len = (uint16_t)(8 + d->payload_len), ip_len = (uint16_t)(20 + udp_len);
	const uint8_t start[20] = {
		0x45, 0, (uint8_t)(ip_len >> 8), (uint8_t)ip_len, 0, 0, 0, 0, 64, 17};
	const uint16_t port = s->w->app.at.port;
	const uint8_t ports[8] = {(uint8_t)(d->from.port >> 8), (uint8_t)d->from.port,
		(uint8_t)(port >> 8), (uint8_t)port, (uint8_t)(udp_len >> 8), (uint8_t)udp_len};
	struct nic_info info;
	nic_port_info(s->w->app.port, &info);
	memcpy(ether, info.mac, 6);
	memcpy(ether + 6, (const uint8_t[]){2, 0, 0, 0, 0, 2, 0x08, 0x00}, 8);
	memcpy(ip, start, sizeof(start));
	memcpy(ip + 12, d->from.addr + 12, 4); /* IPv4 as ::ffff:a.b.c.d */
	memcpy(ip + 16, s->w->app.at.addr + 12, 4);
	put_sum(ip + 10, sum_of(ip, 20, 0));
	memcpy(udp, ports, sizeof(ports));
	put_sum(udp + 6, sum_of(udp, udp_len, sum_of(ip + 12, 8, 17u + udp_len)));
}

static struct nic_datagram ping(struct stage *s)
{
	struct seal_packet p;
	struct nic_datagram d = draft(s, &p);
	seal_seal_lane(s->w->app.seal, PEER_LANE, &p, 1);
	SW_EXPECT_EQ(p.result, SEAL_OK);
	finish_frame(s, &d);
	return d;
}

static struct lane *lane0(struct stage *s)
{
	return &s->w->app.lanes[0];
}

static void receive(struct stage *s, struct nic_datagram d)
{
	lane_receive(lane0(s), s->w->now_ns, &d, 1);
}

/* What control does for a sender that is new, and the lane after it. */
static unsigned let_in(struct stage *s)
{
	struct rte_mbuf *m[BURST];
	s->w->now_ns += SW_NS_PER_S;
	sealing_tick(&s->w->app, s->w->now_ns);
	unsigned n = rte_ring_sc_dequeue_burst(lane0(s)->from_control, (void **)m, BURST, NULL);
	if (n > 0)
		lane_receive_admitted(lane0(s), s->w->now_ns, m, (uint16_t)n);
	return n;
}

static void expect_ack(struct stage *s, uint32_t count)
{
	lane_flush(lane0(s));
	for (uint32_t i = 0; i < count; i++) {
		struct seal_packet p = {.offset = HEADERS};
		struct sw_reader body;
		struct wire_message m;
		void *out = NULL;
		SW_ASSERT_EQ(rte_ring_dequeue(s->w->out[0], &out), 0);
		p.mbuf = out;
		p.bytes = rte_pktmbuf_mtod_offset(p.mbuf, uint8_t *, p.offset);
		SW_ASSERT_EQ(wire_read_header(p.bytes, p.mbuf->data_len - p.offset,
				     s->w->app.cluster_tag, &p.h, &body),
			WIRE_OK);
		SW_EXPECT_EQ(p.h.key_id, seal_send_id(s->w->app.seal));
		SW_EXPECT_EQ(p.h.instance, s->w->app.instance);
		SW_EXPECT_EQ(seal_life_owner(s->w->app.seal, p.h.sender, p.h.instance), 0);
		seal_open_lane(s->w->app.seal, PEER_LANE, &p, 1);
		SW_EXPECT_EQ(p.result, SEAL_OK);
		(void)sw_get_bytes(&body, WIRE_PRELUDE_LEN);
		SW_ASSERT_TRUE(wire_next(&body, &m));
		SW_EXPECT_EQ(m.type, WIRE_ACK);
		rte_pktmbuf_free(p.mbuf);
	}
	SW_EXPECT_EQ(rte_ring_count(s->w->out[0]), 0u);
}

static void drain(struct stage *s)
{
	void *m;
	lane_flush(lane0(s));
	while (rte_ring_dequeue(s->w->out[0], &m) == 0)
		rte_pktmbuf_free(m);
}

SW_TEST(lane_seal, first_ping_of_a_new_sender_is_answered_once_control_has_let_it_in)
{
	struct stage s;
	SW_ASSERT_TRUE(begin(&s));
	struct nic_datagram d = ping(&s);
	struct rte_mbuf *m = d.mbuf;
	uint64_t answered = lane0(&s)->counters.answered;
	receive(&s, d);
	SW_EXPECT_EQ(lane0(&s)->counters.answered, answered);
	SW_EXPECT_EQ(let_in(&s), 1u);
	SW_EXPECT_EQ(lane0(&s)->counters.answered, answered + 1);
	SW_EXPECT_TRUE(lane0(&s)->replies.packets[0].mbuf == m); /* in its own mbuf */
	expect_ack(&s, 1);
	receive(&s, ping(&s));
	SW_EXPECT_EQ(lane0(&s)->counters.answered, answered + 2);
	expect_ack(&s, 1);
	end(&s);
}

SW_TEST(lane_seal, burst_is_answered_in_one_burst)
{
	struct stage s;
	struct nic_datagram d[NIC_BURST];
	SW_ASSERT_TRUE(begin(&s));
	receive(&s, ping(&s));
	SW_EXPECT_EQ(let_in(&s), 1u);
	expect_ack(&s, 1);
	for (int i = 0; i < NIC_BURST; i++)
		d[i] = ping(&s);
	lane_receive(lane0(&s), s.w->now_ns, d, NIC_BURST);
	expect_ack(&s, NIC_BURST);
	end(&s);
}

SW_TEST(lane_seal, forged_sender_is_counted_and_gets_no_place)
{
	struct stage s;
	SW_ASSERT_TRUE(begin(&s));
	uint64_t forged = s.w->app.sealing->counters.forged;
	uint32_t lives = seal_lives(s.w->app.seal);
	struct nic_datagram d = ping(&s);
	d.payload[WIRE_HEADER_LEN + 1] ^= 1;
	receive(&s, d);
	SW_EXPECT_EQ(let_in(&s), 0u);
	SW_EXPECT_EQ(s.w->app.sealing->counters.forged, forged + 1);
	SW_EXPECT_EQ(seal_lives(s.w->app.seal), lives);
	end(&s);
}

SW_TEST(lane_seal, replay_damage_clear_and_unknown_key_are_counted_apart)
{
	struct stage s;
	SW_ASSERT_TRUE(begin(&s));
	uint64_t *drops = lane0(&s)->counters.drops;
	receive(&s, ping(&s));
	SW_EXPECT_EQ(let_in(&s), 1u);
	expect_ack(&s, 1);
	struct nic_datagram d = ping(&s), again = ping(&s);
	memcpy(again.payload, d.payload, d.payload_len);
	receive(&s, d);
	expect_ack(&s, 1);
	uint64_t replay = drops[DROP_REPLAY], tag = drops[DROP_TAG];
	uint64_t key = drops[DROP_WIRE + WIRE_ERR_KEY];
	receive(&s, again);
	SW_EXPECT_EQ(drops[DROP_REPLAY], replay + 1);
	d = ping(&s);
	d.payload[d.payload_len - 1] ^= 1;
	receive(&s, d);
	SW_EXPECT_EQ(drops[DROP_TAG], tag + 1);
	d = ping(&s);
	d.payload[3] = 77;
	receive(&s, d);
	SW_EXPECT_EQ(drops[DROP_WIRE + WIRE_ERR_KEY], key + 1);
	struct seal_packet p;
	d = draft(&s, &p);
	p.h.cluster = s.w->app.cluster_tag;
	p.h.sender = (struct actor){PEER_ID, PEER_EPOCH};
	(void)wire_finish_clear(d.payload, &p.h);
	receive(&s, d);
	SW_EXPECT_EQ(drops[DROP_WIRE + WIRE_ERR_KEY], key + 2);
	SW_EXPECT_EQ(drops[DROP_REPLAY], replay + 1);
	SW_EXPECT_EQ(drops[DROP_TAG], tag + 1);
	end(&s);
}

/* The answer to a JOIN is several packets at once. */
SW_TEST(lane_seal, few_packets_of_one_new_sender_wait_together)
{
	struct stage s;
	SW_ASSERT_TRUE(begin(&s));
	uint64_t busy = lane0(&s)->counters.drops[DROP_NEW_SENDER];
	uint64_t admitted = s.w->app.sealing->counters.admitted;
	for (int i = 0; i < KNOCK_PACKETS_MAX + 3; i++)
		receive(&s, ping(&s));
	SW_EXPECT_EQ(lane0(&s)->counters.drops[DROP_NEW_SENDER], busy + 3);
	SW_EXPECT_EQ(let_in(&s), (unsigned)KNOCK_PACKETS_MAX);
	SW_EXPECT_EQ(s.w->app.sealing->counters.admitted, admitted + 1);
	expect_ack(&s, KNOCK_PACKETS_MAX);
	end(&s);
}

SW_TEST(lane_seal, one_address_knocks_only_so_often_and_others_still_get_in)
{
	struct stage s;
	SW_ASSERT_TRUE(begin(&s));
	uint64_t busy = lane0(&s)->counters.drops[DROP_NEW_SENDER];
	for (int i = 0; i < 100; i++) {
		struct nic_datagram d = ping(&s);
		d.payload[24] ^= (uint8_t)(i + 1); /* another instance each */
		d.from.addr[15] = 66;
		receive(&s, d);
	}
	SW_EXPECT_EQ(lane0(&s)->counters.drops[DROP_NEW_SENDER], busy + 99);
	SW_EXPECT_EQ(rte_ring_count(lane0(&s)->to_control), 1u);
	receive(&s, ping(&s));
	SW_EXPECT_EQ(rte_ring_count(lane0(&s)->to_control), 2u);
	SW_EXPECT_EQ(let_in(&s), 1u);
	expect_ack(&s, 1);
	end(&s);
}

SW_TEST(lane_seal, control_looks_at_so_many_new_senders_in_a_millisecond_only)
{
	struct stage s;
	struct rte_mbuf *m;
	SW_ASSERT_TRUE(begin(&s));
	struct sealing *sealing = s.w->app.sealing;
	sealing_tick(&s.w->app, s.w->now_ns);
	uint64_t forged = sealing->counters.forged;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 40; i++) {
			struct nic_datagram d = ping(&s);
			d.payload[24] ^= (uint8_t)(i + 1);
			d.from.addr[14] = (uint8_t)round;
			d.from.addr[15] = (uint8_t)i;
			receive(&s, d);
		}
		s.w->now_ns += 2 * SW_NS_PER_MS;
		sealing_tick(&s.w->app, s.w->now_ns);
	}
	SW_EXPECT_LE(sealing->counters.forged - forged,
		(uint64_t)SEALING_KNOCKS_MAX + 3 * 2 * SEALING_KNOCKS_PER_MS);
	while (rte_ring_sc_dequeue(lane0(&s)->to_control, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	end(&s);
}

/* The own epoch has changed: nothing goes out under the old one's key, nothing is lost but answers
 * that are asked for again. */
SW_TEST(lane_seal, changed_epoch_waits_for_its_key)
{
	struct stage s;
	SW_ASSERT_TRUE(begin(&s));
	struct appliance *app = &s.w->app;
	struct actor self = swim_self(app->swim), before = self;
	struct seal_sender *own = atomic_load(&app->sender);
	SW_EXPECT_TRUE(lane_can_send(lane0(&s)));
	before.epoch--;
	struct seal_sender *old = seal_sender_create_owner(app->seal, before, app->instance);
	atomic_store(&app->sender, old);
	receive(&s, ping(&s));
	SW_EXPECT_FALSE(lane_can_send(lane0(&s)));
	uint64_t waited = lane0(&s)->counters.drops[DROP_NO_SENDER];
	atomic_store(&app->sender, own);
	SW_EXPECT_EQ(let_in(&s), 1u);
	expect_ack(&s, 1);
	atomic_store(&app->sender, old);
	receive(&s, ping(&s));
	SW_EXPECT_EQ(lane0(&s)->counters.drops[DROP_NO_SENDER], waited + 1);
	seal_sender_retire_owner(own);
	sealing_tick(app, s.w->now_ns); /* makes one for the epoch that is */
	SW_EXPECT_TRUE(actor_equal(seal_sender_actor(atomic_load(&app->sender)), self));
	SW_EXPECT_TRUE(lane_can_send(lane0(&s)));
	receive(&s, ping(&s));
	expect_ack(&s, 1);
	end(&s);
}

SW_TEST(lane_seal, lane_without_counters_left_ends_the_instance)
{
	struct stage s;
	SW_ASSERT_TRUE(begin(&s));
	sealing_tick(&s.w->app, s.w->now_ns);
	SW_EXPECT_FALSE(s.w->app.sealing->exhausted);
	lane0(&s)->counters.drops[DROP_EXHAUSTED]++;
	sealing_tick(&s.w->app, s.w->now_ns);
	SW_EXPECT_TRUE(s.w->app.sealing->exhausted);
	lane0(&s)->counters.drops[DROP_EXHAUSTED]--;
	s.w->app.sealing->exhausted = false;
	end(&s);
}

/* ---- what junk costs ---- */

enum junk { JUNK_NONE, JUNK_RANDOM, JUNK_CLEAR, JUNK_KEY, JUNK_SENDER, JUNK_TAG, JUNK_REPLAY };

enum { REPEATS = 60 };

static void spoil(struct nic_datagram *d, enum junk junk, unsigned i)
{
	switch (junk) {
	case JUNK_NONE: break;
	case JUNK_RANDOM: memset(d->payload, (int)(i * 37), d->payload_len); break;
	case JUNK_CLEAR: d->payload[3] = WIRE_KEY_CLEAR; break;
	case JUNK_KEY: d->payload[3] = 200; break;
	case JUNK_SENDER: d->payload[29] ^= (uint8_t)(i + 1); break;
	case JUNK_TAG: d->payload[d->payload_len - 3] ^= 0x40; break;
	case JUNK_REPLAY: break; /* the caller has opened it before */
	}
}

/* Cycles a packet, from the port's ring to the port's ring: the least of many bursts. */
static uint64_t cost(struct stage *s, enum junk junk)
{
	uint64_t best = UINT64_MAX;
	for (int r = 0; r < REPEATS; r++) {
		struct nic_datagram d[NIC_BURST];
		struct rte_mbuf *m[NIC_BURST];
		for (unsigned i = 0; i < NIC_BURST; i++) {
			d[i] = ping(s);
			if (junk == JUNK_REPLAY) {
				struct nic_datagram first = ping(s);
				memcpy(first.payload, d[i].payload, d[i].payload_len);
				receive(s, first);
				drain(s);
			}
			spoil(&d[i], junk, i);
			finish_frame(s, &d[i]);
			m[i] = d[i].mbuf;
		}
		SW_EXPECT_EQ(rte_ring_enqueue_bulk(s->w->in[0], (void **)m, NIC_BURST, NULL),
			(unsigned)NIC_BURST);
		uint64_t begin_tsc = rte_rdtsc_precise();
		uint16_t n = nic_rx(s->w->app.port, 0, d);
		lane_receive(lane0(s), s->w->now_ns, d, n);
		lane_flush(lane0(s));
		uint64_t cycles = (rte_rdtsc_precise() - begin_tsc) / NIC_BURST;
		if (n != NIC_BURST)
			SW_FAIL("%u of %d frames came through", n, NIC_BURST);
		best = cycles < best ? cycles : best;
		drain(s);
		while (rte_ring_sc_dequeue(lane0(s)->to_control, (void **)&m[0]) == 0)
			rte_pktmbuf_free(m[0]);
		s->w->now_ns += SW_NS_PER_MS;
	}
	return best;
}

SW_TEST(lane_seal, junk_of_any_kind_costs_at_most_half_of_an_answered_probe)
{
	static const struct {
		const char *name;
		enum junk junk;
	} rows[] = {{"random bytes", JUNK_RANDOM}, {"in the clear", JUNK_CLEAR},
		{"unknown key", JUNK_KEY}, {"forged sender", JUNK_SENDER}, {"forged tag", JUNK_TAG},
		{"replay", JUNK_REPLAY}};
	struct stage s;
	SW_ASSERT_TRUE(begin(&s));
	receive(&s, ping(&s));
	SW_EXPECT_EQ(let_in(&s), 1u);
	drain(&s);
	uint64_t answered = cost(&s, JUNK_NONE);
	(void)printf("  answered probe %llu cycles\n", (unsigned long long)answered);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t cycles = cost(&s, rows[i].junk);
		(void)printf("  %-14s %llu cycles\n", rows[i].name, (unsigned long long)cycles);
		/* Under sanitizers these are the sanitizer's cycles. */
		if (!SW_SANITIZE_ADDRESS && !SW_SANITIZE_THREAD)
			SW_EXPECT_LE(2 * cycles, answered);
	}
	end(&s);
}
