/* Packets: header, tag, prelude, and the row of messages in a body. */
#include "sw_test.h"

#include <stdlib.h>
#include <xxhash.h>

#include "wire/clear.h"
#include "wire_draw.h"

enum { CLUSTER = 0x43211234 };

static const struct wire_header plain_header = {
	.lane = 2,
	.cluster = CLUSTER,
	.sender = {0xa1, 3},
	.instance = 0x1122334455667788,
	.counter = 0x0102030405060708,
};
static const struct wire_prelude plain_prelude = {.dst_id = 0xb2, .last_seq = 17, .floor = 5};

struct packet {
	uint8_t bytes[WIRE_PACKET_MAX];
	size_t len;
};

static struct sw_writer body_of(struct packet *p)
{
	struct sw_writer w = sw_writer_init(p->bytes + WIRE_HEADER_LEN, WIRE_BODY_MAX);
	wire_put_prelude(&w, &plain_prelude);
	return w;
}

static void finish(struct packet *p, const struct sw_writer *w)
{
	struct wire_header h = plain_header;
	h.body_len = (uint16_t)(w->at - (p->bytes + WIRE_HEADER_LEN));
	p->len = wire_finish_clear(p->bytes, &h);
}

static void build_nack(struct packet *p)
{
	struct sw_writer w = body_of(p);
	wire_put_nack(&w, 7);
	finish(p, &w);
}

static enum wire_error open_packet(const struct packet *p)
{
	struct wire_header h;
	struct sw_reader body;
	return wire_open_clear(p->bytes, p->len, CLUSTER, &h, &body);
}

SW_TEST(wire, packet_like_another_is_the_one_that_is_written_anew)
{
	struct packet p, like, other;
	struct wire_header h = plain_header;
	build_nack(&p);
	h.body_len = (uint16_t)(p.len - WIRE_HEADER_LEN - WIRE_TAG_LEN);
	memcpy(&other, &p, sizeof(other));
	h.body_len += 100;
	h.counter ^= UINT64_MAX;
	wire_put_header(like.bytes, &h);
	memset(other.bytes, 0, WIRE_HEADER_LEN);
	other.len = wire_finish_clear_like(
		other.bytes, like.bytes, (uint16_t)(h.body_len - 100), plain_header.counter);
	SW_ASSERT_EQ(other.len, p.len);
	SW_EXPECT_MEM(other.bytes, p.bytes, p.len);
}

SW_TEST(wire, header_and_prelude_come_back)
{
	struct packet p;
	build_nack(&p);
	SW_EXPECT_EQ(p.len, 40u + 24 + 8 + 16);

	struct wire_header h;
	struct sw_reader body;
	SW_ASSERT_EQ(wire_open_clear(p.bytes, p.len, CLUSTER, &h, &body), WIRE_OK);
	SW_EXPECT_EQ(h.key_id, WIRE_KEY_CLEAR);
	SW_EXPECT_EQ(h.lane, 2u);
	SW_EXPECT_EQ(h.body_len, 24u + 8);
	SW_EXPECT_EQ(h.cluster, (uint32_t)CLUSTER);
	SW_EXPECT_EQ(h.sender.id, 0xa1u);
	SW_EXPECT_EQ(h.sender.epoch, 3u);
	SW_EXPECT_EQ(h.instance, plain_header.instance);
	SW_EXPECT_EQ(h.counter, plain_header.counter);
	SW_EXPECT_TRUE(body.at == p.bytes + WIRE_HEADER_LEN);
	SW_EXPECT_EQ(sw_reader_left(&body), (size_t)h.body_len);

	struct wire_prelude prelude;
	wire_get_prelude(&body, &prelude);
	SW_EXPECT_EQ(prelude.dst_id, 0xb2u);
	SW_EXPECT_EQ(prelude.last_seq, 17u);
	SW_EXPECT_EQ(prelude.floor, 5u);
	SW_EXPECT_FALSE(body.failed);
}

/* A change to a good packet; the checksum is made right again if `resum`. */
struct damage_row {
	const char *name;
	size_t at;
	uint8_t to;
	bool resum;
	int error;
};

static const struct damage_row damage_rows[] = {
	{"magic first byte", 0, 'T', true, WIRE_ERR_MAGIC},
	{"magic second byte", 1, 'X', true, WIRE_ERR_MAGIC},
	{"version 0", 2, 0, true, WIRE_ERR_VERSION},
	{"version 2", 2, 2, true, WIRE_ERR_VERSION},
	{"key held by nobody", 3, 1, true, WIRE_ERR_KEY},
	{"last lane", 4, SW_LANES_MAX - 1, true, WIRE_OK},
	{"lane too large", 4, SW_LANES_MAX, true, WIRE_ERR_BODY},
	{"flags of a later version", 5, 0xff, true, WIRE_OK},
	{"flags damaged", 5, 0xff, false, WIRE_ERR_CHECKSUM},
	{"body length one less", 7, 31, true, WIRE_ERR_LENGTH},
	{"body length one more", 7, 33, true, WIRE_ERR_LENGTH},
	{"body length high byte", 6, 1, true, WIRE_ERR_LENGTH},
	{"cluster", 8, 0x42, true, WIRE_ERR_CLUSTER},
	{"sender id 0", 19, 0, true, WIRE_ERR_BODY},
	{"sender epoch 0", 23, 0, true, WIRE_ERR_BODY},
	{"instance 0 is as good as any", 24, 0, true, WIRE_OK},
	{"counter damaged", 32, 0xff, false, WIRE_ERR_CHECKSUM},
	{"prelude damaged", 40, 0xff, false, WIRE_ERR_CHECKSUM},
	{"message damaged", 71, 0xff, false, WIRE_ERR_CHECKSUM},
	{"last padding byte of the tag", 87, 1, false, WIRE_ERR_CHECKSUM},
	{"first padding byte of the tag", 80, 1, false, WIRE_ERR_CHECKSUM},
};

static void resum(struct packet *p)
{
	size_t sealed_len = p->len - WIRE_TAG_LEN;
	struct sw_writer tag = sw_writer_init(p->bytes + sealed_len, WIRE_TAG_LEN);
	sw_put_u64(&tag, XXH3_64bits(p->bytes, sealed_len));
}

SW_TEST_TABLE(
	wire, packet_is_taken_or_the_error_is_named, const struct damage_row *row, damage_rows)
{
	struct packet p;
	build_nack(&p);
	p.bytes[row->at] = row->to;
	if (row->resum)
		resum(&p);
	SW_EXPECT_STR(
		wire_error_name(open_packet(&p)), wire_error_name((enum wire_error)row->error));
}

SW_TEST(wire, errors_are_counted_in_the_order_in_which_they_are_cheap)
{
	/* Everything is wrong; then one fault after the other is repaired. */
	struct packet p;
	build_nack(&p);
	memset(p.bytes + 80, 1, 8); /* padding of the tag */
	p.bytes[0] = 0;
	p.bytes[2] = 9;
	p.bytes[3] = 9;
	p.bytes[4] = SW_LANES_MAX;
	p.bytes[7]++;
	p.bytes[8]++;
	size_t whole = p.len;
	p.len = WIRE_HEADER_LEN + WIRE_TAG_LEN - 1;
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_SHORT);
	p.len = whole;
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_MAGIC);
	p.bytes[0] = 'S';
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_VERSION);
	p.bytes[2] = WIRE_VERSION;
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_CLUSTER);
	p.bytes[8]--;
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_LENGTH);
	p.bytes[7]--;
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_KEY);
	p.bytes[3] = WIRE_KEY_CLEAR;
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_CHECKSUM);
	memset(p.bytes + 80, 0, 8);
	resum(&p);
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_BODY);
	p.bytes[4] = 0;
	resum(&p);
	SW_EXPECT_EQ(open_packet(&p), WIRE_OK);
}

SW_TEST(wire, refused_packet_leaves_header_and_body_untouched)
{
	struct packet p;
	build_nack(&p);
	p.bytes[4] = SW_LANES_MAX;
	resum(&p);
	struct wire_header h, before;
	struct sw_reader body = {NULL, NULL, true};
	memset(&h, 0x5a, sizeof(h));
	memset(&before, 0x5a, sizeof(before));
	SW_EXPECT_EQ(wire_open_clear(p.bytes, p.len, CLUSTER, &h, &body), WIRE_ERR_BODY);
	SW_EXPECT_MEM(&h, &before, sizeof(h));
	SW_EXPECT_TRUE(body.at == NULL);
}

/* On the heap and exactly as long, so that a sanitizer sees the first byte read behind it. */
static enum wire_error open_copy(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	memcpy(copy + 1, bytes, len);
	struct wire_header h;
	struct sw_reader body;
	enum wire_error e = wire_open_clear(copy + 1, len, CLUSTER, &h, &body);
	free(copy);
	return e;
}

SW_TEST(wire, packet_cut_anywhere_is_refused)
{
	struct packet p;
	build_nack(&p);
	for (size_t len = 0; len < p.len; len++) {
		enum wire_error wanted =
			len < WIRE_HEADER_LEN + WIRE_TAG_LEN ? WIRE_ERR_SHORT : WIRE_ERR_LENGTH;
		SW_EXPECT_EQ(open_copy(p.bytes, len), wanted);
	}
	SW_EXPECT_EQ(open_copy(p.bytes, p.len), WIRE_OK);
}

SW_TEST(wire, packet_with_bytes_behind_it_is_refused)
{
	struct packet p;
	build_nack(&p);
	p.bytes[p.len++] = 0;
	SW_EXPECT_EQ(open_packet(&p), WIRE_ERR_LENGTH);
}

SW_TEST(wire, body_shorter_than_its_prelude_or_longer_than_a_packet_is_refused)
{
	static uint8_t bytes[WIRE_JUMBO_MAX + 8];
	for (size_t body_len = 0; body_len <= WIRE_BODY_JUMBO_MAX + 8; body_len++) {
		struct packet p;
		build_nack(&p);
		memcpy(bytes, p.bytes, WIRE_HEADER_LEN);
		bytes[6] = (uint8_t)(body_len >> 8);
		bytes[7] = (uint8_t)body_len;
		size_t len = WIRE_HEADER_LEN + body_len + WIRE_TAG_LEN;
		bool fits = body_len >= WIRE_PRELUDE_LEN && body_len <= WIRE_BODY_JUMBO_MAX;
		struct wire_header h;
		struct sw_reader body;
		/* The tag is wrong: what passes the length check fails at the checksum. */
		memset(bytes + len - WIRE_TAG_LEN, 0xff, WIRE_TAG_LEN);
		SW_EXPECT_EQ(wire_open_clear(bytes, len, CLUSTER, &h, &body),
			fits ? WIRE_ERR_CHECKSUM : WIRE_ERR_LENGTH);
	}
}

SW_TEST(wire, every_flipped_bit_of_a_packet_is_caught)
{
	struct sw_random random = sw_random_seed(sw_test_env_u64("SW_SEED", 1));
	struct any_message m;
	unsigned flips = 0;
	for (unsigned t = 0; t < ANY_TYPES; t++) {
		struct packet p;
		struct sw_writer w = body_of(&p);
		draw_any(&random, any_types[t], &m);
		any_put(&w, &m);
		finish(&p, &w);
		SW_ASSERT_EQ(open_packet(&p), WIRE_OK);
		for (size_t bit = 0; bit < 8 * p.len; bit++) {
			p.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			SW_ASSERT_NE(open_packet(&p), WIRE_OK);
			p.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			flips++;
		}
		SW_EXPECT_EQ(open_packet(&p), WIRE_OK);
	}
	sw_test_note("%u flips", flips);
}

/* An ordinary record with so many bytes of key and value. */
static void put_record_of(struct sw_writer *w, struct any_message *m, size_t payload_len)
{
	m->type = WIRE_RECORD;
	m->record = (struct wire_record){
		.key_len = 1,
		.value_len = (uint16_t)(payload_len - 1),
		.clock = 1,
		.author = {{1, 1}, 1},
		.dot = {{1, 1}, 1},
		.key = m->key,
		.value = m->value,
	};
	any_put(w, m);
}

SW_TEST(wire, largest_packet_is_full_to_its_last_byte)
{
	static struct any_message m;
	struct packet p;
	struct sw_writer w = body_of(&p);
	put_record_of(&w, &m, WIRE_RECORD_PAYLOAD_MAX);
	put_record_of(&w, &m, sw_writer_left(&w) - 44);
	SW_EXPECT_FALSE(w.failed);
	SW_EXPECT_EQ(sw_writer_left(&w), 0u);
	finish(&p, &w);
	SW_EXPECT_EQ(p.len, (size_t)WIRE_PACKET_MAX);
	SW_EXPECT_EQ(open_packet(&p), WIRE_OK);
}

SW_TEST(wire, largest_record_fits_a_packet_of_a_session_with_every_dot)
{
	static struct any_message m;
	struct packet p;
	struct sw_writer w = body_of(&p);
	wire_put_session_data(&w, &(struct wire_session_data){.packets = 1, .heads = 1});
	m.type = WIRE_RECORD;
	m.record = (struct wire_record){
		.flags = WIRE_RECORD_ADOPTED | WIRE_RECORD_PREVIOUS,
		.key_len = SW_KEY_MAX,
		.value_len = WIRE_RECORD_PAYLOAD_MAX - SW_KEY_MAX,
		.clock = 1,
		.author = {{1, 1}, 1},
		.dot = {{2, 1}, 1},
		.previous = {{3, 1}, 1},
		.key = m.key,
		.value = m.value,
	};
	any_put(&w, &m);
	SW_EXPECT_FALSE(w.failed);
}

SW_TEST(wire, prelude_with_a_reserved_or_cut_field_fails)
{
	uint8_t bytes[WIRE_PRELUDE_LEN] = {0};
	struct wire_prelude prelude;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct sw_reader r = sw_reader_init(bytes, len);
		wire_get_prelude(&r, &prelude);
		SW_EXPECT_EQ(r.failed, len < sizeof(bytes));
	}
	bytes[8] = 0x7f;
	struct sw_reader r = sw_reader_init(bytes, sizeof(bytes));
	wire_get_prelude(&r, &prelude);
	SW_EXPECT_FALSE(r.failed);
	bytes[8] = 0x80;
	r = sw_reader_init(bytes, sizeof(bytes));
	wire_get_prelude(&r, &prelude);
	SW_EXPECT_TRUE(r.failed);
}

SW_TEST(wire, prelude_that_does_not_fit_writes_nothing)
{
	uint8_t bytes[WIRE_PRELUDE_LEN];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes) - 1);
	wire_put_prelude(&w, &plain_prelude);
	SW_EXPECT_TRUE(w.failed);
	SW_EXPECT_TRUE(w.at == bytes);
}

SW_TEST(wire, cluster_names_have_tags_of_their_own)
{
	SW_EXPECT_EQ(wire_cluster_tag("fleet-7"), 0x4391ba71u); /* as in tests/vectors */
	SW_EXPECT_NE(wire_cluster_tag("fleet-7"), wire_cluster_tag("fleet-8"));
	SW_EXPECT_EQ(wire_cluster_tag(""), 0x38d394c2u);
}

SW_TEST(wire, each_error_has_a_name_of_its_own)
{
	for (int a = 0; a < WIRE_ERR_COUNT; a++)
		for (int b = 0; b < a; b++)
			SW_EXPECT_TRUE(strcmp(wire_error_name((enum wire_error)a),
					       wire_error_name((enum wire_error)b)) != 0);
	SW_EXPECT_STR(wire_error_name(WIRE_ERR_CHECKSUM), "checksum");
	SW_EXPECT_STR(wire_error_name(WIRE_ERR_COUNT), "unknown");
}

SW_TEST(wire, map_messages_are_told_from_membership)
{
	for (unsigned t = 0; t < ANY_TYPES; t++)
		SW_EXPECT_EQ(wire_type_is_map((uint8_t)any_types[t]), any_types[t] >= WIRE_RECORD);
	SW_EXPECT_FALSE(wire_type_is_map(0x1f));
	SW_EXPECT_TRUE(wire_type_is_map(0x3f));
	SW_EXPECT_FALSE(wire_type_is_map(0x40));
}

SW_TEST(wire, messages_follow_each_other_and_unknown_ones_are_skipped)
{
	uint8_t bytes[64];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	wire_put_nack(&w, 1);
	sw_put_u32(&w, 0xee550003); /* type ee, flags 55, three bytes */
	sw_put_bytes(&w, "abc", 3);
	sw_put_u32(&w, 0x00000000); /* type 0, empty */
	wire_put_nack(&w, 2);

	struct sw_reader r = sw_reader_init(bytes, (size_t)(w.at - bytes));
	struct wire_message m;
	uint32_t seq;
	SW_ASSERT_TRUE(wire_next(&r, &m));
	SW_EXPECT_EQ(m.type, WIRE_NACK);
	SW_EXPECT_TRUE(wire_get_nack(&m.payload, &seq));
	SW_EXPECT_EQ(seq, 1u);
	SW_ASSERT_TRUE(wire_next(&r, &m));
	SW_EXPECT_EQ(m.type, 0xeeu);
	SW_EXPECT_EQ(m.flags, 0x55u);
	SW_EXPECT_EQ(sw_reader_left(&m.payload), 3u);
	SW_EXPECT_MEM(m.payload.at, "abc", 3);
	SW_ASSERT_TRUE(wire_next(&r, &m));
	SW_EXPECT_EQ(m.type, 0u);
	SW_EXPECT_EQ(sw_reader_left(&m.payload), 0u);
	SW_ASSERT_TRUE(wire_next(&r, &m));
	SW_EXPECT_TRUE(wire_get_nack(&m.payload, &seq));
	SW_EXPECT_EQ(seq, 2u);
	SW_EXPECT_FALSE(wire_next(&r, &m));
	SW_EXPECT_FALSE(r.failed);
}

SW_TEST(wire, message_that_passes_the_end_of_the_body_fails)
{
	uint8_t bytes[8];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	wire_put_nack(&w, 1);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct sw_reader r = sw_reader_init(bytes, len);
		struct wire_message m;
		SW_EXPECT_EQ(wire_next(&r, &m), len == sizeof(bytes));
		SW_EXPECT_EQ(r.failed, len > 0 && len < sizeof(bytes));
		SW_EXPECT_FALSE(wire_next(&r, &m));
	}
}
