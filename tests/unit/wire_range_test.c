/* Every field with a range: its limits are taken and what is beyond is refused, at its place on the
 * wire. */
#include "sw_test.h"

#include <stdlib.h>

#include "wire_any.h"

/* Payloads that are good, as bytes: what the rows below change one field of. */
struct sample {
	uint8_t type;
	uint8_t len;
	uint8_t bytes[96];
};

#define ZERO4 0, 0, 0, 0
#define ONE8  0, 0, 0, 0, 0, 0, 0, 1
#define DOT   ONE8, 0, 0, 0, 1, ONE8

enum {
	PING_REQ,
	MEMBER,
	TABLE,
	RECORD,
	TOMBSTONE,
	RECORD_ALL,
	VERSION_REQ,
	VECTOR,
	DATA,
	GET,
	REFUSE
};

/* clang-format off */
static const struct sample samples[] = {
	[PING_REQ] = {WIRE_PING_REQ, 30, {0, 0, 0, 9, ONE8, ONE8, ONE8, 0, 1}},
	[MEMBER] = {WIRE_MEMBER, 60, {ONE8, 0, 0, 0, 1, ONE8, ZERO4, 0, 0, 0, 100, ONE8, ONE8, 0, 1,
		ONE8, 2, 2, 'a', 'b', 'y', 'z'}},
	[TABLE] = {WIRE_TABLE, 2, {0, 1}},
	[RECORD] = {WIRE_RECORD, 42, {0, 1, 0, 1, ONE8, DOT, ONE8, 'k', 'v'}},
	[TOMBSTONE] = {WIRE_RECORD, 42, {1, 1, 0, 0, ONE8, DOT, ONE8, 'k', 0}},
	[RECORD_ALL] = {WIRE_RECORD, 82, {6, 1, 0, 1, ONE8, DOT, ONE8, DOT, DOT, 'k', 'v'}},
	[VERSION_REQ] = {WIRE_VERSION_REQ, 11, {ONE8, 0, 0, 1}},
	[VECTOR] = {WIRE_VECTOR, 40, {DOT, DOT}},
	[DATA] = {WIRE_SESSION_DATA, 22, {ONE8, ZERO4, ZERO4, 0, 0, 0, 1, 0, 1}},
	[GET] = {WIRE_SESSION_GET, 32, {ONE8, ZERO4, ZERO4, ONE8, ONE8}},
	[REFUSE] = {WIRE_SESSION_REFUSE, 9, {ONE8, 1}},
};

struct range_row {
	const char *name;
	uint8_t sample;
	uint8_t at;	/* offset in the payload */
	uint8_t width;
	uint64_t value;
	bool taken;
};

static const struct range_row range_rows[] = {
	{"ping_req target id 0", PING_REQ, 4, 8, 0, false},
	{"ping_req target id of the horizon", PING_REQ, 4, 8, UINT64_MAX, false},
	{"ping_req target id max", PING_REQ, 4, 8, UINT64_MAX - 1, true},
	{"ping_req port 0", PING_REQ, 28, 2, 0, false},
	{"ping_req port max", PING_REQ, 28, 2, UINT16_MAX, true},
	{"member id 0", MEMBER, 0, 8, 0, false},
	{"member id max", MEMBER, 0, 8, UINT64_MAX - 1, true},
	{"member id of the horizon", MEMBER, 0, 8, UINT64_MAX, false},
	{"member epoch 0", MEMBER, 8, 4, 0, false},
	{"member epoch max", MEMBER, 8, 4, UINT32_MAX, true},
	{"member instance 0", MEMBER, 12, 8, 0, true},
	{"member incarnation max", MEMBER, 20, 4, UINT32_MAX, true},
	{"member state forgotten", MEMBER, 24, 1, WIRE_FORGOTTEN, true},
	{"member state 5", MEMBER, 24, 1, 5, false},
	{"member state 255", MEMBER, 24, 1, 255, false},
	{"member flags of a later version", MEMBER, 25, 1, 255, true},
	{"member weight 0", MEMBER, 26, 2, 0, false},
	{"member weight 1", MEMBER, 26, 2, 1, true},
	{"member weight max", MEMBER, 26, 2, SW_WEIGHT_MAX, true},
	{"member weight above", MEMBER, 26, 2, SW_WEIGHT_MAX + 1, false},
	{"member weight largest number", MEMBER, 26, 2, UINT16_MAX, false},
	{"member port 0", MEMBER, 44, 2, 0, false},
	{"member port max", MEMBER, 44, 2, UINT16_MAX, true},
	{"member accuser nobody", MEMBER, 46, 8, 0, true},
	{"member name empty", MEMBER, 54, 1, 0, false},
	{"member name shorter", MEMBER, 54, 1, 1, true},
	{"member name past the end", MEMBER, 54, 1, 3, false},
	{"member zone empty", MEMBER, 55, 1, 0, true},
	{"member zone past the end", MEMBER, 55, 1, 3, false},
	{"member name with NUL", MEMBER, 56, 1, 0, false},
	{"member name with newline", MEMBER, 57, 1, '\n', false},
	{"member name with escape", MEMBER, 56, 1, 0x1b, false},
	{"member name with delete", MEMBER, 56, 1, 0x7f, false},
	{"member name with the last control", MEMBER, 56, 1, 0x1f, false},
	{"member name with space", MEMBER, 56, 1, ' ', true},
	{"member name with high bytes", MEMBER, 56, 2, 0xc3a9, true},
	{"member zone with tab", MEMBER, 58, 1, '\t', false},
	{"member zone with NUL", MEMBER, 59, 1, 0, false},
	{"table page at pages", TABLE, 0, 1, 1, false},
	{"table no pages", TABLE, 1, 1, 0, false},
	{"table last page", TABLE, 0, 2, 0xfeff, true},
	{"table page above pages", TABLE, 0, 2, 0xfffe, false},
	{"record unknown flag", RECORD, 0, 1, 8, false},
	{"record highest flag", RECORD, 0, 1, 0x80, false},
	{"record key empty", RECORD, 1, 1, 0, false},
	{"record key past the end", RECORD, 1, 1, 3, false},
	{"record value empty", RECORD, 2, 2, 0, true},
	{"record value past the end", RECORD, 2, 2, 2, false},
	{"record value largest number", RECORD, 2, 2, UINT16_MAX, false},
	{"record clock 0", RECORD, 4, 8, 0, false},
	{"record clock max", RECORD, 4, 8, UINT64_MAX, true},
	{"record author id 0", RECORD, 12, 8, 0, false},
	{"record author epoch 0", RECORD, 20, 4, 0, false},
	{"record author seq 0", RECORD, 24, 8, 0, false},
	{"record author seq max", RECORD, 24, 8, SEQ_MAX, true},
	{"record author seq above", RECORD, 24, 8, SEQ_MAX + 1, false},
	{"record written 0", RECORD, 32, 8, 0, true},
	{"record adopted but cut", RECORD, 0, 1, WIRE_RECORD_ADOPTED, false},
	{"record previous but cut", RECORD, 0, 1, WIRE_RECORD_PREVIOUS, false},
	{"record tombstone with a value", RECORD, 0, 1, WIRE_RECORD_TOMBSTONE, false},
	{"tombstone", TOMBSTONE, 0, 1, WIRE_RECORD_TOMBSTONE, true},
	{"tombstone given a value", TOMBSTONE, 2, 2, 1, false},
	{"record all", RECORD_ALL, 32, 8, 1, true},
	{"adopted record author id 0", RECORD_ALL, 12, 8, 0, false},
	{"adopted record author epoch 0", RECORD_ALL, 20, 4, 0, false},
	{"adopted record author seq 0", RECORD_ALL, 24, 8, 0, false},
	{"adopted record author seq above", RECORD_ALL, 24, 8, SEQ_MAX + 1, false},
	{"record dot id 0", RECORD_ALL, 40, 8, 0, false},
	{"record dot id of the horizon", RECORD_ALL, 40, 8, UINT64_MAX, false},
	{"record dot epoch 0", RECORD_ALL, 48, 4, 0, false},
	{"record dot seq 0", RECORD_ALL, 52, 8, 0, false},
	{"record dot seq max", RECORD_ALL, 52, 8, SEQ_MAX, true},
	{"record dot seq above", RECORD_ALL, 52, 8, SEQ_MAX + 1, false},
	{"record previous id 0", RECORD_ALL, 60, 8, 0, false},
	{"record previous epoch 0", RECORD_ALL, 68, 4, 0, false},
	{"record previous seq 0", RECORD_ALL, 72, 8, 0, false},
	{"record previous seq max", RECORD_ALL, 72, 8, SEQ_MAX, true},
	{"record previous seq above", RECORD_ALL, 72, 8, SEQ_MAX + 1, false},
	{"version_req flags of a later version", VERSION_REQ, 8, 1, 0xff, true},
	{"version_req part at parts", VERSION_REQ, 9, 1, 1, false},
	{"version_req no parts", VERSION_REQ, 10, 1, 0, false},
	{"version_req last part", VERSION_REQ, 9, 2, 0xfeff, true},
	{"vector", VECTOR, 20, 8, 1, true},
	{"vector first id 0", VECTOR, 0, 8, 0, false},
	{"vector first id of the horizon", VECTOR, 0, 8, UINT64_MAX, true},
	{"vector first epoch 0", VECTOR, 8, 4, 0, false},
	{"vector first seq 0", VECTOR, 12, 8, 0, false},
	{"vector last id 0", VECTOR, 20, 8, 0, false},
	{"vector last epoch 0", VECTOR, 28, 4, 0, false},
	{"vector last seq 0", VECTOR, 32, 8, 0, false},
	{"vector last seq max", VECTOR, 32, 8, SEQ_MAX, true},
	{"vector last seq of an epoch closed at nothing", VECTOR, 32, 8, SEQ_MAX + 1, false},
	{"vector last seq of a closed epoch", VECTOR, 32, 8, SEQ_MAX + 2, true},
	{"session_data index at packets", DATA, 12, 4, 1, false},
	{"session_data no packets", DATA, 16, 4, 0, false},
	{"session_data last packet", DATA, 12, 8, 0xfffffffeffffffff, true},
	{"session_data no heads", DATA, 20, 2, 0, false},
	{"session_data heads above packets", DATA, 20, 2, 2, false},
	{"session_data index above", DATA, 12, 8, 0xfffffffffffffffe, false},
	{"session_get first highest", GET, 12, 4, UINT32_MAX - WIRE_SESSION_WINDOW, true},
	{"session_get window past the last number", GET, 12, 4, UINT32_MAX - WIRE_SESSION_WINDOW + 1, false},
	{"session_get nothing wanted", GET, 23, 1, 0, true},
	{"session_refuse no reason", REFUSE, 8, 1, 0, false},
	{"session_refuse known reason", REFUSE, 8, 1, WIRE_REFUSE_UNKNOWN, true},
	{"session_refuse reason of a later version", REFUSE, 8, 1, 255, true},
};
/* clang-format on */

static bool is_taken(const uint8_t *payload, size_t len, uint8_t type)
{
	static struct any_message m;
	uint8_t *copy = malloc(len);
	memcpy(copy, payload, len);
	struct sw_reader r = sw_reader_init(copy, len);
	bool taken = any_get(type, &r, &m);
	free(copy);
	return taken;
}

SW_TEST_TABLE(wire_range, field_is_taken_or_refused, const struct range_row *row, range_rows)
{
	struct sample s = samples[row->sample];
	SW_ASSERT_TRUE(is_taken(s.bytes, s.len, s.type));
	for (unsigned i = 0; i < row->width; i++)
		s.bytes[row->at + i] = (uint8_t)(row->value >> (8 * (row->width - 1u - i)));
	SW_EXPECT_EQ(is_taken(s.bytes, s.len, s.type), row->taken);
}

/* The longest texts, and one byte more that is really there. */
static bool member_with_texts(size_t name_len, size_t zone_len)
{
	uint8_t bytes[56 + 255 + 255];
	memcpy(bytes, samples[MEMBER].bytes, 54);
	bytes[54] = (uint8_t)name_len;
	bytes[55] = (uint8_t)zone_len;
	memset(bytes + 56, 'n', name_len + zone_len);
	return is_taken(bytes, 56 + name_len + zone_len, WIRE_MEMBER);
}

SW_TEST(wire_range, member_texts_are_bounded)
{
	for (size_t len = 0; len <= 255; len++) {
		SW_EXPECT_EQ(member_with_texts(len, 0), len > 0 && len <= SW_NAME_MAX);
		SW_EXPECT_EQ(member_with_texts(1, len), len <= SW_ZONE_MAX);
	}
	SW_EXPECT_TRUE(member_with_texts(SW_NAME_MAX, SW_ZONE_MAX));
	SW_EXPECT_FALSE(member_with_texts(255, 255));
}

SW_TEST(wire_range, member_texts_that_are_too_long_are_written_nowhere)
{
	static const uint8_t lengths[][2] = {{255, 0}, {1, 255}, {255, 255}};
	for (unsigned i = 0; i < 3; i++) {
		uint8_t bytes[56 + 255 + 255];
		memcpy(bytes, samples[MEMBER].bytes, 54);
		memcpy(bytes + 54, lengths[i], 2);
		memset(bytes + 56, 'n', sizeof(bytes) - 56);
		struct {
			struct wire_member m;
			uint8_t behind[512];
		} room;
		memset(&room, 0xa5, sizeof(room));
		struct sw_reader r = sw_reader_init(bytes, sizeof(bytes));
		SW_EXPECT_FALSE(wire_get_member(&r, &room.m));
		for (unsigned at = 0; at < sizeof(room.behind); at++)
			SW_ASSERT_EQ(room.behind[at], 0xa5u);
	}
}

SW_TEST(wire_range, record_is_no_larger_than_a_session_can_carry)
{
	static uint8_t bytes[40 + 255 + WIRE_MESSAGES_MAX];
	memcpy(bytes, samples[RECORD].bytes, 40);
	for (size_t key_len = 1; key_len <= 255; key_len += 254) {
		for (size_t value_len = 900; value_len <= WIRE_MESSAGES_MAX; value_len++) {
			bytes[1] = (uint8_t)key_len;
			bytes[2] = (uint8_t)(value_len >> 8);
			bytes[3] = (uint8_t)value_len;
			SW_EXPECT_EQ(is_taken(bytes, 40 + key_len + value_len, WIRE_RECORD),
				key_len + value_len <= WIRE_RECORD_PAYLOAD_MAX);
		}
	}
}

SW_TEST(wire_range, record_without_adoption_has_its_authors_dot)
{
	const struct sample *s = &samples[RECORD];
	struct sw_reader r = sw_reader_init(s->bytes, s->len);
	struct wire_record m;
	memset(&m, 0xff, sizeof(m));
	SW_ASSERT_TRUE(wire_get_record(&r, &m));
	SW_EXPECT_TRUE(dot_equal(m.dot, m.author));
	SW_EXPECT_EQ(m.previous.seq, 0u);
	SW_EXPECT_TRUE(m.key == s->bytes + 40); /* in place */
	SW_EXPECT_TRUE(m.value == s->bytes + 41);
}

SW_TEST(wire_range, version_req_keeps_only_the_flag_it_knows)
{
	struct sample s = samples[VERSION_REQ];
	for (unsigned flags = 0; flags < 256; flags++) {
		s.bytes[8] = (uint8_t)flags;
		struct sw_reader r = sw_reader_init(s.bytes, s.len);
		struct wire_version_req m;
		SW_ASSERT_TRUE(wire_get_version_req(&r, &m));
		SW_EXPECT_EQ(m.first_session, (flags & 1) != 0);
	}
}

SW_TEST(wire_range, vector_stops_for_good_at_a_bad_entry)
{
	struct sample s = samples[VECTOR];
	s.bytes[28 + 3] = 0; /* epoch of the second */
	struct sw_reader r = sw_reader_init(s.bytes, s.len);
	struct vv_entry entry;
	SW_EXPECT_TRUE(wire_next_vector_entry(&r, &entry));
	SW_EXPECT_FALSE(r.failed);
	SW_EXPECT_FALSE(wire_next_vector_entry(&r, &entry));
	SW_EXPECT_TRUE(r.failed);
	SW_EXPECT_FALSE(wire_next_vector_entry(&r, &entry));
}

SW_TEST(wire_range, vector_that_is_not_whole_entries_gives_none)
{
	const struct sample *s = &samples[VECTOR];
	for (size_t len = 0; len <= s->len; len++) {
		struct sw_reader r = sw_reader_init(s->bytes, len);
		struct vv_entry entry;
		bool whole = len % WIRE_VECTOR_ENTRY_LEN == 0;
		SW_EXPECT_EQ(wire_next_vector_entry(&r, &entry), whole && len > 0);
		SW_EXPECT_EQ(r.failed, !whole);
	}
}
