/* Any sequence of time, packets and requests into one membership machine. After each step its
 * counts and its digest, kept up to date in place, must be those of the table counted anew; no
 * record goes back in its order; no assertion fails; what it sends can be read. Most messages are
 * drawn well-formed from a few bytes, over few servers, epochs and incarnations, so that they meet
 * one another; raw payloads come besides. */
#include <stdio.h>
#include <stdlib.h>

#include "swim/internal.h"

enum { PEERS = 8, SELF_ID = 0x1000, STEPS_MAX = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	struct sw_reader in;
	struct swim *swim;
	uint64_t now_ns;
	uint64_t counter;
	struct wire_member before[PEERS];
	bool held[PEERS];
};

/* Not assert(): must also hold in a build without assertions. */
static void check_that(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "line %d: %s does not hold\n", line, what);
	abort();
}

#define must(holds) check_that((holds), #holds, __LINE__)

static struct sw_endpoint endpoint(uint8_t n)
{
	return sw_endpoint_from_ipv4(htobe32(0x0a000000u + n % PEERS), 7946);
}

static struct swim *create(struct sw_reader *in)
{
	static const struct swim_profile *const profiles[] = {
		&swim_profile_metal, &swim_profile_lan, &swim_profile_virtual, &swim_profile_paper};
	uint8_t on = sw_get_u8(in), how = sw_get_u8(in);
	struct swim_config c = {
		.id = SELF_ID,
		.epoch = 1 + how % 3,
		.instance = 8,
		.name = "self",
		.weight = SW_WEIGHT_DEFAULT,
		.at = endpoint(0),
		.seed_count = (how >> 2) % 4,
		.profile = *profiles[(how >> 4) % 4],
		.features = {on & 1, on & 2, on & 4, on & 8, on & 16, on & 32, on & 64},
		.random_seed = how,
	};
	for (uint32_t i = 0; i < c.seed_count; i++)
		c.seeds[i] = endpoint((uint8_t)i);
	/* Short enough that a run reaches forgetting and the graves. */
	c.profile.forget_after_ns = 20 * SW_NS_PER_S;
	c.profile.reap_after_ns = 10 * SW_NS_PER_S;
	return swim_create(&c, SW_NS_PER_S);
}

static void draw_member(struct sw_reader *in, struct wire_member *m)
{
	uint8_t who = sw_get_u8(in), life = sw_get_u8(in), say = sw_get_u8(in);
	*m = (struct wire_member){
		.actor = {SELF_ID + who % PEERS, say == 255 ? UINT32_MAX : 1 + life % 4},
		.instance = 6 + (life >> 2) % 4,
		.incarnation = (life >> 4) % 8 == 7 ? UINT32_MAX - (life >> 7) : (life >> 4) % 8,
		.state = say % 5,
		.flags = (say >> 3) & 1,
		.weight = (uint16_t)(1 + (say >> 4)),
		.at = endpoint(who >> 5 == 7 ? (uint8_t)(who + 1) : who),
		.accuser_id = (uint64_t)(who >> 3) % 4 == 0 ? 0 : SELF_ID + (who >> 3) % 4,
	};
	size_t len = who >> 7 ? SW_NAME_MAX : 3;
	memset(m->name, 'a' + who % PEERS, len);
}

static void put_message(struct sw_reader *in, struct sw_writer *w)
{
	uint8_t type = sw_get_u8(in), seq = sw_get_u8(in);
	struct wire_member member;
	struct wire_probe probe = {.seq = seq, .table_digest = seq % 2};
	struct wire_ping_req request = {seq, SELF_ID + seq % PEERS, endpoint(seq)};
	struct wire_join_ack join = {seq == 255 ? UINT32_MAX : seq % 4, 6 + (seq >> 2) % 4, 8};
	struct wire_table table = {seq % 4, 4};
	switch (type % 12) {
	case 0: wire_put_probe(w, WIRE_PING, &probe); break;
	case 1: wire_put_probe(w, WIRE_ACK, &probe); break;
	case 2: wire_put_nack(w, seq); break;
	case 3: wire_put_ping_req(w, &request); break;
	case 4:
	case 5:
	case 6:
		draw_member(in, &member);
		wire_put_member(w, WIRE_MEMBER, &member);
		break;
	case 7:
		draw_member(in, &member);
		wire_put_member(w, WIRE_JOIN, &member);
		break;
	case 8: wire_put_join_ack(w, &join); break;
	case 9: wire_put_table_req(w); break;
	case 10: wire_put_table(w, &table); break;
	default: {
		size_t len = seq < sw_reader_left(in) ? seq : sw_reader_left(in);
		sw_put_u8(w, sw_get_u8(in) % 16);
		sw_put_u8(w, 0);
		sw_put_u16(w, (uint16_t)(len > 0 ? len - 1 : 0));
		if (len > 0)
			sw_put_bytes(w, sw_get_bytes(in, len - 1), len - 1);
	}
	}
}

/* An answer to the probe under way would never be guessed: its number is drawn by the machine. */
static void answer_probe(struct fuzz *f, struct sw_writer *w)
{
	struct wire_probe probe = {.seq = f->swim->probe.seq};
	wire_put_probe(w, WIRE_ACK, &probe);
}

static void packet(struct fuzz *f)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	uint8_t who = sw_get_u8(&f->in), life = sw_get_u8(&f->in);
	struct wire_header h = {
		.sender = {SELF_ID + 1 + who % (PEERS - 1), 1 + life % 4},
		.instance = 6 + (life >> 2) % 4,
		.counter = f->counter++,
	};
	struct sw_endpoint from = endpoint((uint8_t)(1 + who % (PEERS - 1)));
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	if (life & 0x80)
		answer_probe(f, &w);
	for (uint32_t n = 1 + (life >> 4) % 8; n > 0 && !w.failed; n--)
		put_message(&f->in, &w);
	struct sw_reader body = sw_reader_init(bytes, (size_t)(w.at - bytes));
	struct wire_message m;
	bool ping = false;
	swim_packet_begin(f->swim, f->now_ns, &h, &from);
	while (wire_next(&body, &m)) {
		ping |= m.type == WIRE_PING;
		swim_input(f->swim, f->now_ns, &h, &from, &m);
	}
	if (!ping)
		return;
	w = sw_writer_init(bytes, sizeof(bytes));
	swim_answer(f->swim, f->now_ns, h.sender.id, who, &w);
	must(!w.failed);
}

static void take_output(struct fuzz *f, uint32_t most)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_endpoint to;
	uint64_t to_id;
	for (uint32_t n = 0; n < most; n++) {
		struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
		if (!swim_output(f->swim, f->now_ns, &w, &to_id, &to))
			return;
		struct sw_reader body = sw_reader_init(bytes, (size_t)(w.at - bytes));
		struct wire_message m;
		struct wire_member record;
		while (wire_next(&body, &m))
			must((m.type != WIRE_MEMBER && m.type != WIRE_JOIN) ||
				wire_get_member(&m.payload, &record));
		must(!body.failed);
	}
}

static void step(struct fuzz *f)
{
	uint8_t op = sw_get_u8(&f->in), by = sw_get_u8(&f->in);
	struct swim_event event;
	switch (op % 16) {
	case 0:
	case 1:
	case 2: f->now_ns += (uint64_t)by << (10 + op / 16); break;
	case 3:
	case 4:
		f->now_ns = swim_deadline(f->swim) == SW_NEVER_NS
				    ? f->now_ns
				    : sw_max_u64(f->now_ns, swim_deadline(f->swim));
		break;
	case 5: take_output(f, by); break;
	case 6:
		while (swim_next_event(f->swim, &event))
			must(event.kind <= SWIM_EVENT_STOOD_DOWN && event.why != NULL);
		break;
	case 7: (void)swim_forget(f->swim, f->now_ns, SELF_ID + by % PEERS); break;
	case 8: swim_drain(f->swim, f->now_ns, by & 1); break;
	case 9:
		if (by == 255)
			swim_leave(f->swim, f->now_ns);
		break;
	default: packet(f);
	}
	if (op % 16 < 5)
		swim_tick(f->swim, f->now_ns);
}

static void check_member(struct fuzz *f, const struct member *m, bool self)
{
	const struct wire_member *r = &m->record;
	must(m->used && r->state <= WIRE_FORGOTTEN && r->actor.epoch > 0);
	must((r->actor.id == SELF_ID) == self);
	must(m->accuser_count <= CONFIRMERS_MAX + 1);
	for (uint32_t i = 0; i < m->accuser_count; i++)
		for (uint32_t k = 0; k < i; k++)
			must(m->accusers[i] != m->accusers[k]);
	uint64_t at = r->actor.id - SELF_ID;
	if (at >= PEERS)
		return; /* of a raw message */
	if (f->held[at] && swim_record_compare(&f->before[at], r) > 0)
		fprintf(stderr, "server %u: %u/%u/%u/%u, was %u/%u/%u/%u\n", (unsigned)at,
			r->actor.epoch, (unsigned)r->instance, r->incarnation, r->state,
			f->before[at].actor.epoch, (unsigned)f->before[at].instance,
			f->before[at].incarnation, f->before[at].state);
	must(!f->held[at] || swim_record_compare(&f->before[at], r) <= 0);
}

static void check(struct fuzz *f)
{
	const struct swim *s = f->swim;
	uint32_t live = 0, suspect = 0, gossip = 0, relays = 0;
	uint64_t digest = 0;
	bool held[PEERS] = {false};
	for (uint32_t i = 0; i < s->member_count; i++) {
		const struct member *m = &s->members[i];
		if (!m->used) {
			must(m->gossip_left == 0);
			continue;
		}
		check_member(f, m, i == SELF);
		live += swim_is_live(m);
		suspect += m->record.state == WIRE_SUSPECT;
		gossip += m->gossip_left > 0;
		digest += table_record_hash(&m->record);
		uint64_t at = m->record.actor.id - SELF_ID;
		if (at >= PEERS)
			continue;
		must(!held[at]); /* no id twice */
		held[at] = true;
		f->before[at] = m->record;
	}
	memcpy(f->held, held, sizeof(held));
	for (uint32_t i = 0; i < RELAYS_MAX; i++)
		relays += s->relays[i].deadline_ns != 0;
	must(live == s->live_count && suspect == s->suspect_count);
	must(gossip == s->gossip_count && digest == s->digest && relays == s->relay_count);
	must(s->health <= HEALTH_MAX && s->out_head - s->out_tail <= OUT_MAX);
	must(s->order_at <= s->order_len && s->order_len <= SW_MEMBERS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {.in = sw_reader_init(data, size), .now_ns = SW_NS_PER_S};
	f.swim = create(&f.in);
	must(f.swim != NULL);
	for (int i = 0; i < STEPS_MAX && sw_reader_left(&f.in) > 0; i++) {
		step(&f);
		check(&f);
	}
	swim_destroy(f.swim);
	return 0;
}
