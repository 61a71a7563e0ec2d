#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

enum {
	TIMES = 1 << 16, /* sequence numbers under way */
	WARM_MS = 20000,
	END_MS = 2000, /* timed probes are waited for so long at the end */
	LOST_MS = 200, /* nothing comes for so long: what is under way is lost */
	PAUSE_US = 50, /* a gap as long: this side or the other one was taken off its CPU */
};

_Static_assert((int)LINK_BURST <= (int)SEAL_BURST, "a burst is sealed at once");

struct flow {
	struct source *source;
	const struct run *run;
	uint64_t begin, now, end;
	uint64_t due;      /* cycles; when the next packet is to be sent */
	uint64_t probe_at; /* junk: when the next probe is */
	uint64_t heard;    /* when an answer came last */
	uint64_t window_end, window_cycles, window_begin;
	uint32_t in_window;
	bool paused, paused_before; /* in this window, in the one before */
	uint32_t under_way;
	uint16_t queue;
};

static uint64_t sent_at[TIMES]; /* by the low bits of the sequence number; 0: answered */
static uint32_t last_seq[SEAL_SENDERS_MAX]; /* answered, of each peer; 0: none yet */
static uint8_t last_lane[SEAL_SENDERS_MAX];

static uint16_t transmit(struct flow *f, struct rte_mbuf **mbufs, uint16_t count)
{
	uint16_t sent = rte_eth_tx_burst(f->source->link.port, f->queue, mbufs, count);
	f->paused |= sent == 0; /* the other side does not empty its ring */
	rte_pktmbuf_free_bulk(mbufs + sent, count - sent);
	if (++f->queue == f->source->link.queues)
		f->queue = 0;
	return sent;
}

/* Frames that need no change from one time to the next. */
static uint16_t send_again(struct flow *f, struct rte_mbuf **frames, uint16_t count)
{
	struct source *s = f->source;
	struct rte_mbuf *burst[LINK_BURST];
	for (uint16_t i = 0; i < count; i++) {
		burst[i] = frames[s->next_frame++ % JUNK_FRAMES];
		rte_mbuf_refcnt_update(burst[i], 1);
	}
	return transmit(f, burst, count);
}

/* Of junk and deltas a probe is neither: it is timed, and waits for room rather than be lost here.
 */
static bool has_load(const struct flow *f)
{
	return f->run->kind == RUN_JUNK || f->run->kind == RUN_DELTAS;
}

static uint16_t send_deltas(struct flow *f, uint16_t count)
{
	struct source *s = f->source;
	struct rte_mbuf *burst[LINK_BURST];
	if (rte_pktmbuf_alloc_bulk(s->link.pool, burst, count) != 0)
		return 0;
	deltas_fill(&s->deltas, &s->identity, burst, s->next_peer, count);
	s->next_peer = (s->next_peer + count) % s->identity.count;
	uint16_t sent = transmit(f, burst, count);
	s->meter.deltas += (uint64_t)sent * s->deltas.records;
	return sent;
}

/* Peers in turn; with several queues those of one queue after the other, each peer always on its
 * own, as a NIC spreads flows. */
static uint32_t take_peer(struct flow *f, uint16_t count)
{
	struct source *s = f->source;
	uint32_t first = s->next_peer;
	s->next_peer = (s->next_peer + count) % s->identity.count;
	if (f->run->kind == RUN_FLOWS)
		f->queue = (uint16_t)(first * s->link.queues / s->identity.count);
	return first;
}

static uint16_t send_fresh(struct flow *f, uint16_t count)
{
	struct source *s = f->source;
	struct rte_mbuf *burst[LINK_BURST];
	uint32_t seqs[LINK_BURST];
	if (rte_pktmbuf_alloc_bulk(s->link.pool, burst, count) != 0)
		return 0;
	for (uint16_t i = 0; i < count; i++) {
		seqs[i] = s->next_seq++;
		sent_at[seqs[i] % TIMES] = f->now;
	}
	identity_ping(&s->identity, burst, take_peer(f, count), seqs, count);
	return transmit(f, burst, count);
}

/* Up to the next peer of another queue. */
static uint32_t peers_left(const struct flow *f)
{
	const struct source *s = f->source;
	uint32_t next = s->next_peer, queues = s->link.queues, all = s->identity.count;
	uint32_t end = next;
	while (end < all && end * queues / all == next * queues / all)
		end++;
	return end - next;
}

/* How many packets may go now. */
static uint16_t allowed(struct flow *f)
{
	const struct run *run = f->run;
	uint32_t room = run->flight - f->under_way;
	if (has_load(f))
		room = LINK_BURST;
	if (run->rate > 0) {
		if (f->now < f->due)
			return 0;
		uint64_t late = (f->now - f->due) * run->rate / f->source->hz + 1;
		room = (uint32_t)RTE_MIN(late, (uint64_t)room);
	} else if (room < RTE_MIN((uint32_t)LINK_BURST, run->flight) && run->kind != RUN_RTT) {
		return 0; /* whole bursts, so that the source's own cost is even */
	}
	uint16_t count = (uint16_t)RTE_MIN(room, (uint32_t)LINK_BURST);
	if (run->kind == RUN_FLOWS) /* a burst goes to one queue: of its peers alone */
		count = (uint16_t)RTE_MIN(count, peers_left(f));
	if (run->rate > 0)
		f->due += count * f->source->hz / run->rate;
	return count;
}

static void offer(struct flow *f)
{
	struct source *s = f->source;
	bool timed = f->run->kind != RUN_PROBES || s->identity.seal != NULL;
	uint16_t count = allowed(f), sent = 0;
	if (has_load(f)) {
		/* Before the load, which leaves no room. */
		if (f->run->probe_rate > 0 && f->now >= f->probe_at && send_fresh(f, 1) == 1) {
			f->probe_at += s->hz / f->run->probe_rate;
			f->under_way++;
			s->meter.probes++;
		}
		if (count > 0)
			s->meter.sent += f->run->kind == RUN_JUNK ? send_again(f, s->junk, count)
								  : send_deltas(f, count);
		return;
	}
	if (count == 0)
		return;
	if (s->options->echo || !timed)
		sent = send_again(f, s->ready, count);
	else
		sent = send_fresh(f, count);
	s->meter.sent += sent;
	f->under_way += sent;
}

static void follow_flow(struct meter *m, const struct identity_ack *ack)
{
	if (ack->peer >= SEAL_SENDERS_MAX || ack->lane >= METER_LANES_MAX)
		return; /* authentic, and for nobody here: cannot be */
	if (last_seq[ack->peer] != 0) {
		m->reordered += (int32_t)(ack->seq - last_seq[ack->peer]) < 0;
		m->moved += last_lane[ack->peer] != ack->lane;
	}
	last_seq[ack->peer] = ack->seq;
	last_lane[ack->peer] = ack->lane;
	m->by_lane[ack->lane]++;
}

static void time_answer(struct flow *f, uint64_t at)
{
	uint64_t ns = (uint64_t)((double)(f->heard - at) * 1e9 / (double)f->source->hz);
	meter_sample(&f->source->meter, ns);
	f->source->meter.acks++;
	f->source->meter.late += ns > f->run->timeout_ms * UINT64_C(1000000);
}

static void open_answer(struct flow *f, struct rte_mbuf *mbuf)
{
	struct source *s = f->source;
	struct identity_ack ack;
	enum identity_answer answer = identity_read(&s->identity, mbuf, &ack);
	s->meter.opened++;
	s->meter.bad += answer == IDENTITY_BAD;
	s->meter.other += answer == IDENTITY_OTHER;
	if (answer != IDENTITY_ACK)
		return;
	uint64_t *at = &sent_at[ack.seq % TIMES];
	bool ours = *at != 0 && f->heard > *at; /* not an earlier run's, nor one that came twice */
	if (f->run->kind != RUN_PROBES && ours)
		time_answer(f, *at);
	if (f->run->kind == RUN_FLOWS && ours)
		follow_flow(&s->meter, &ack);
	*at = 0;
}

static void receive(struct flow *f)
{
	struct source *s = f->source;
	struct rte_mbuf *burst[LINK_BURST];
	for (uint16_t q = 0; q < s->link.queues; q++) {
		uint16_t n = rte_eth_rx_burst(s->link.port, q, burst, LINK_BURST);
		if (n == 0)
			continue;
		f->heard = rte_rdtsc();
		uint16_t opened = f->run->kind == RUN_PROBES ? 1 : n;
		for (uint16_t i = 0; i < opened && !s->options->echo; i++)
			open_answer(f, burst[i]);
		rte_pktmbuf_free_bulk(burst, n);
		s->meter.answered += n;
		f->in_window += n;
		f->under_way -= RTE_MIN(f->under_way, n);
	}
}

/* After a pause of this side answers have gathered, and a pause of the other side is not its speed:
 * both are told by the run's own rate. A window counts if there was none in it, nor right before.
 */
static void end_window(struct flow *f)
{
	struct meter *m = &f->source->meter;
	m->windows_seen++;
	if (!f->paused && !f->paused_before && m->window_count < METER_WINDOWS_MAX)
		m->windows[m->window_count++] =
			(uint32_t)((uint64_t)f->in_window * f->window_cycles /
				   (f->now - f->window_begin));
	f->paused_before = f->paused;
	f->paused = false;
	f->in_window = 0;
	f->window_begin = f->now;
	f->window_end = f->now + f->window_cycles;
}

static void pass_time(struct flow *f)
{
	uint64_t last = f->now, pause = PAUSE_US * f->source->hz / 1000000;
	f->now = rte_rdtsc();
	f->paused |= f->now - last > pause || (f->under_way > 0 && f->now - f->heard > pause);
	if (f->now >= f->window_end)
		end_window(f);
}

static void give_up(struct flow *f)
{
	f->source->meter.lost += f->under_way;
	f->under_way = 0;
	f->heard = f->now;
}

void source_run(struct source *s, const struct run *run)
{
	uint64_t now = rte_rdtsc();
	struct flow f = {.source = s, .run = run, .begin = now, .now = now, .due = now};
	f.end = now + run->ms * s->hz / 1000;
	f.probe_at = f.heard = f.window_begin = now;
	f.window_cycles = run->window_us * s->hz / 1000000;
	f.window_end = now + f.window_cycles;
	meter_clear(&s->meter);
	s->deltas.value_len = run->value_len;
	s->deltas.records = run->records != 0 ? run->records : deltas_most(run->value_len);
	memset(last_seq, 0, sizeof(last_seq));
	memset(sent_at, 0,
		sizeof(sent_at)); /* late answers of an earlier run are nobody's round trip */
	while (f.now < f.end) {
		offer(&f);
		receive(&f);
		pass_time(&f);
		if (f.under_way > 0 && f.now - f.heard > LOST_MS * s->hz / 1000)
			give_up(&f);
	}
	s->meter.cycles = f.now - f.begin;
	if (run->kind == RUN_RTT || run->kind == RUN_FLOWS)
		s->meter.probes = s->meter.sent;
	/* What is still on its way belongs to this run. */
	bool timed = run->kind != RUN_PROBES;
	uint64_t wait = f.now + (timed ? END_MS : LOST_MS) * s->hz / 1000;
	while ((f.under_way > 0 || s->meter.probes > s->meter.acks) && (f.now = rte_rdtsc()) < wait)
		receive(&f);
	give_up(&f);
}

static int make_ready(struct source *s)
{
	if (rte_pktmbuf_alloc_bulk(s->link.pool, s->ready, JUNK_FRAMES) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < JUNK_FRAMES; i++)
		identity_ping(&s->identity, &s->ready[i], i, &i, 1);
	return 0;
}

/* Lets the server come, and learn every peer's key: it lets new senders in at a bounded rate. */
static int warm_up(struct source *s)
{
	struct run probe = {
		.kind = RUN_RTT, .ms = 10, .rate = 20000, .flight = 64, .window_us = 1000};
	uint32_t good = 0;
	if (!link_await(&s->link, WARM_MS)) {
		(void)fputs("swimlane-bench: the link did not come up\n", stderr);
		return -ETIMEDOUT;
	}
	uint64_t end = rte_rdtsc() + WARM_MS * s->hz / 1000;
	while (good < 3 && rte_rdtsc() < end) {
		source_run(s, &probe);
		bool all = s->meter.sent >= s->identity.count && s->meter.bad == 0 &&
			   s->meter.answered - s->meter.other >= s->meter.sent * 99 / 100;
		good = all ? good + 1 : 0;
	}
	if (good < 3) {
		(void)fprintf(stderr, "swimlane-bench: %lu sent, %lu answered, %lu of them bad\n",
			s->meter.sent, s->meter.answered, s->meter.bad);
		return -ETIMEDOUT;
	}
	return 0;
}

int source_open(const struct options *o, struct source *s)
{
	memset(s, 0, sizeof(*s));
	s->options = o;
	s->next_seq = 1;
	int rc = link_open(o, &s->link);
	if (rc < 0)
		return rc;
	s->hz = rte_get_tsc_hz();
	rc = identity_create(o, &s->identity);
	if (rc == 0)
		rc = make_ready(s);
	if (rc == 0)
		rc = junk_create(&s->identity, &s->link, s->junk);
	return rc < 0 ? rc : warm_up(s);
}

void source_close(struct source *s)
{
	identity_destroy(&s->identity);
	link_close(&s->link);
}
