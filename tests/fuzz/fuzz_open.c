/* Any bytes at a lane whose packets are sealed: the header is read, the packet opened and its
 * messages decoded. The first byte chooses what becomes of the rest:
 *
 *   0   taken as it is: must not be authentic
 *   1   the body of an authentic packet: header and tag are made here, so that decoders see
 *       whatever a sender that holds the key may say
 *   2   an authentic packet in which the rest says what to change: must not open
 *   3   a whole frame, whose datagram, if there is one in it, must not be authentic
 *   4   the same, with the IPv4 header's checksum made right and UDP's left out
 *   5   as 3, at a port of IPv6 on VLAN 20, whose device has found the UDP checksum right
 *   6   a whole frame around an authentic packet: how many changes of it, each where (two bytes)
 * and what to turn over there, then the body; parsed, opened and decoded, as far as it gets
 *
 * What is found in one pass, an ordinary datagram or a body that is one PING, must be what the full
 * decoders find. Seeds: tests/fuzz/open-corpus. */
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "../unit/wire_any.h"
#include "nic/frame_quick.h"
#include "seal/seal.h"
#include "wire/ping.h"

enum { CLUSTER = 0x4391ba71, OFFSET = 42, EDITS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct rte_mempool *mbufs;
static struct seal *seal;
static struct seal_sender *sender;

/* Not assert(): must also hold in a build without assertions. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *arguments[] = {"fuzz_open", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--lcores", "0", "--log-level", "*:error"};
	static const struct seal_keyring ring = {.count = 2,
		.send_id = 1,
		.keys = {{.id = 1, .bytes = {1}}, {.id = 2, .bytes = {2}}}};
	struct seal_config config = {.driver = SEAL_AESNI_GCM,
		.cluster = CLUSTER,
		.lanes = 1,
		.senders_max = 1,
		.numa_node = -1};
	char choice[SEAL_ERROR_MAX], error[SEAL_ERROR_MAX];
	const struct actor self = {0xa1, 3};
	(void)argc;
	(void)argv;
	must(rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) >= 0);
	mbufs = rte_pktmbuf_pool_create(
		"fuzz", 63, 0, 0, RTE_PKTMBUF_HEADROOM + OFFSET + WIRE_JUMBO_MAX, SOCKET_ID_ANY);
	must(mbufs != NULL);
	must(seal_create(&config, &ring, &seal, choice, error) == 0);
	sender = seal_sender_create_owner(seal, self, 99);
	must(sender != NULL && seal_life_owner(seal, self, 99) == 0);
	return 0;
}

static struct seal_packet packet_of(const uint8_t *bytes, size_t len)
{
	struct seal_packet p = {.sender = sender, .offset = OFFSET};
	p.mbuf = rte_pktmbuf_alloc(mbufs);
	must(p.mbuf != NULL);
	p.bytes = (uint8_t *)rte_pktmbuf_append(p.mbuf, (uint16_t)(OFFSET + len)) + OFFSET;
	memcpy(p.bytes, bytes, len);
	return p;
}

/* What the decoders say of a body that was found to be one PING. */
static void must_be_sole_ping(const uint8_t *body, size_t len, const struct wire_prelude *prelude,
	const struct wire_probe *ping)
{
	struct sw_reader r = sw_reader_init(body, len);
	struct wire_prelude full;
	struct wire_message m;
	struct wire_probe probe;
	wire_get_prelude(&r, &full);
	must(!r.failed && full.dst_id == prelude->dst_id && full.last_seq == prelude->last_seq &&
		full.floor == prelude->floor);
	must(wire_next(&r, &m) && m.type == WIRE_PING && wire_get_probe(&m.payload, &probe));
	must(probe.seq == ping->seq && probe.table_digest == ping->table_digest &&
		probe.vector_hash == ping->vector_hash && probe.content_hash == ping->content_hash);
	must(!wire_next(&r, &m) && !r.failed);
}

static void decode(const struct seal_packet *p)
{
	static struct any_message m;
	/* A copy of just its size, so that the sanitizer sees a step too far. */
	uint8_t *body = malloc(p->h.body_len);
	must(body != NULL);
	memcpy(body, p->bytes + WIRE_HEADER_LEN, p->h.body_len);
	struct sw_reader r = sw_reader_init(body, p->h.body_len);
	struct wire_prelude prelude;
	struct wire_probe ping;
	struct wire_message raw;
	if (wire_get_sole_ping(body, p->h.body_len, &prelude, &ping))
		must_be_sole_ping(body, p->h.body_len, &prelude, &ping);
	wire_get_prelude(&r, &prelude);
	while (wire_next(&r, &raw))
		if (any_get(raw.type, &raw.payload, &m))
			must(any_type_is_known(raw.type));
	free(body);
}

static enum seal_result open_packet(struct seal_packet *p, size_t len)
{
	struct sw_reader body;
	if (wire_read_header(p->bytes, len, CLUSTER, &p->h, &body) != WIRE_OK)
		return SEAL_RANGE;
	seal_open_lane(seal, 0, p, 1);
	if (p->result == SEAL_SENDER)
		must(seal_admit_owner(seal, p->bytes, &p->h) != 0);
	return p->result;
}

static void as_it_is(const uint8_t *data, size_t size)
{
	if (size > WIRE_JUMBO_MAX)
		return;
	struct seal_packet p = packet_of(data, size);
	must(open_packet(&p, size) != SEAL_OK);
	rte_pktmbuf_free(p.mbuf);
}

static struct seal_packet authentic(const uint8_t *body, size_t len)
{
	static uint8_t draft[WIRE_JUMBO_MAX];
	memcpy(draft + WIRE_HEADER_LEN, body, len);
	struct seal_packet p = packet_of(draft, WIRE_HEADER_LEN + len + WIRE_TAG_LEN);
	p.h.body_len = (uint16_t)len;
	seal_seal_lane(seal, 0, &p, 1);
	must(p.result == SEAL_OK);
	return p;
}

static void as_body(const uint8_t *data, size_t size)
{
	if (size < WIRE_PRELUDE_LEN || size > WIRE_BODY_JUMBO_MAX)
		return;
	struct seal_packet p = authentic(data, size);
	must(open_packet(&p, WIRE_HEADER_LEN + size + WIRE_TAG_LEN) == SEAL_OK);
	must(memcmp(p.bytes + WIRE_HEADER_LEN, data, size) == 0);
	decode(&p);
	rte_pktmbuf_free(p.mbuf);
}

/* Each three bytes: where (two), and what to turn over there. */
static void with_changes(const uint8_t *data, size_t size)
{
	static const uint8_t body[64];
	uint8_t before[WIRE_HEADER_LEN + sizeof(body) + WIRE_TAG_LEN];
	struct seal_packet p = authentic(body, sizeof(body));
	memcpy(before, p.bytes, sizeof(before));
	for (size_t i = 0; i + 2 < size && i < 3 * EDITS_MAX; i += 3)
		p.bytes[(data[i] << 8 | data[i + 1]) % sizeof(before)] ^= data[i + 2];
	/* The flags are authenticated too: nothing of a packet may be changed. */
	bool same = memcmp(before, p.bytes, sizeof(before)) == 0;
	must((open_packet(&p, sizeof(before)) == SEAL_OK) == same);
	rte_pktmbuf_free(p.mbuf);
}

static void mend(uint8_t *frame, size_t size)
{
	size_t ip_len = size < 15 ? 0 : (size_t)(frame[14] & 15) * 4;
	if (size < 14 + ip_len + 8 || ip_len < 20)
		return;
	uint32_t sum = 0;
	memset(frame + 14 + 10, 0, 2);
	memset(frame + 14 + ip_len + 6, 0, 2);
	for (size_t i = 0; i < ip_len; i += 2)
		sum += (uint32_t)frame[14 + i] << 8 | frame[15 + i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	frame[24] = (uint8_t)(~sum >> 8);
	frame[25] = (uint8_t)~sum;
}

static void must_be_found_alike(const struct frame_self *self, uint8_t *frame, size_t size,
	bool summed, const struct frame *f)
{
	struct frame_quick quick = frame_quick_for(self);
	struct nic_datagram d;
	if (size > UINT16_MAX ||
		!frame_quick_classify(self, &quick, frame, (uint16_t)size, summed, &d))
		return;
	must(f->kind == FRAME_DATAGRAM && d.payload == frame + f->payload_offset);
	must(d.payload_offset == f->payload_offset && d.payload_len == f->payload_len);
	must(sw_endpoint_equal(&d.from, &f->from));
}

static void as_frame(const uint8_t *data, size_t size, bool mended)
{
	static const struct frame_self self = {.addr_be = 0x0100000a, /* 10.0.0.1 */
		.broadcast_be = UINT32_MAX,
		.port_be = 0x0a1f, /* 7946 */
		.mac = {2, 0, 0, 0, 0, 1},
		.exclusive = true};
	struct frame f;
	/* A copy of just its size, so that the sanitizer sees a step too far. */
	uint8_t *copy = malloc(size + (size == 0));
	must(copy != NULL);
	memcpy(copy, data, size);
	if (mended)
		mend(copy, size);
	frame_classify(&self, copy, (uint32_t)size, &f);
	must_be_found_alike(&self, copy, size, false, &f);
	if (f.kind == FRAME_DATAGRAM) {
		must((size_t)f.payload_offset + f.payload_len <= size);
		as_it_is(copy + f.payload_offset, f.payload_len);
	}
	free(copy);
}

static void as_frame6(const uint8_t *data, size_t size)
{
	static const struct frame_self self = {.addr6 = {0xfd, 0x77, [15] = 1},
		.port_be = 0x0a1f, /* 7946 */
		.vlan = 20,
		.mac = {2, 0, 0, 0, 0, 1},
		.ipv6 = true,
		.exclusive = true};
	struct frame f;
	uint8_t *copy = malloc(size + (size == 0));
	must(copy != NULL);
	memcpy(copy, data, size);
	frame_classify_summed(&self, copy, (uint32_t)size, &f);
	must_be_found_alike(&self, copy, size, true, &f);
	if (f.kind == FRAME_DATAGRAM) {
		must((size_t)f.payload_offset + f.payload_len <= size);
		as_it_is(copy + f.payload_offset, f.payload_len);
	} else if (f.kind == FRAME_ECHO) {
		frame_echo_reply(copy, &f);
	}
	free(copy);
}

/* From the wire to the last message, as a lane does it. */
static void as_whole(const uint8_t *data, size_t size)
{
	static const struct frame_self self = {.addr_be = 0x0100000a, /* 10.0.0.1 */
		.broadcast_be = UINT32_MAX,
		.port_be = 0x0a1f, /* 7946 */
		.mac = {2, 0, 0, 0, 0, 1},
		.exclusive = true};
	static const struct frame_route route = {.to_mac = {2, 0, 0, 0, 0, 1},
		.from_mac = {2, 0, 0, 0, 0, 2},
		.to = {[10] = 0xff, 0xff, 10, 0, 0, 1},
		.from = {[10] = 0xff, 0xff, 10, 0, 0, 2},
		.to_port_be = 0x0a1f,
		.from_port_be = 0x0a1f};
	size_t edits = size == 0 ? 0 : data[0] % (EDITS_MAX + 1), begin = 1 + 3 * edits;
	if (size < begin + WIRE_PRELUDE_LEN || size - begin > WIRE_BODY_JUMBO_MAX)
		return;
	const uint8_t *body = data + begin;
	struct seal_packet p = authentic(body, size - begin);
	size_t packet_len = WIRE_HEADER_LEN + (size - begin) + WIRE_TAG_LEN;
	frame_build(&route, p.bytes, (uint16_t)packet_len);
	uint8_t *frame = malloc(OFFSET + packet_len);
	must(frame != NULL);
	memcpy(frame, p.bytes - OFFSET, OFFSET + packet_len);
	rte_pktmbuf_free(p.mbuf);
	for (const uint8_t *e = data + 1; e < body; e += 3)
		frame[(e[0] << 8 | e[1]) % (OFFSET + packet_len)] ^= e[2];
	struct frame f;
	frame_classify(&self, frame, (uint32_t)(OFFSET + packet_len), &f);
	must(edits > 0 || (f.kind == FRAME_DATAGRAM && f.payload_len == packet_len));
	if (f.kind == FRAME_DATAGRAM && f.payload_len <= WIRE_JUMBO_MAX) {
		struct seal_packet got = packet_of(frame + f.payload_offset, f.payload_len);
		enum seal_result result = open_packet(&got, f.payload_len);
		must(edits > 0 || result == SEAL_OK);
		if (result == SEAL_OK) { /* whatever was changed around it, it is what was said */
			must(got.h.body_len == size - begin);
			must(memcmp(got.bytes + WIRE_HEADER_LEN, body, size - begin) == 0);
			decode(&got);
		}
		rte_pktmbuf_free(got.mbuf);
	}
	free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 7) {
	case 0: as_it_is(data + 1, size - 1); break;
	case 1: as_body(data + 1, size - 1); break;
	case 2: with_changes(data + 1, size - 1); break;
	case 3: as_frame(data + 1, size - 1, false); break;
	case 4: as_frame(data + 1, size - 1, true); break;
	case 5: as_frame6(data + 1, size - 1); break;
	case 6: as_whole(data + 1, size - 1); break;
	}
	return 0;
}
