/* Each message by itself: round trips, ranges, cuts, and puts that do not fit. */
#include "sw_test.h"

#include <stdlib.h>

#include "wire_draw.h"

enum { ROUNDS = 2000, CANARY = 0xa5 };

/* Gets a message from a copy that ends where the bytes end, so that a sanitizer sees any step over.
 */
static bool get_copy(const uint8_t *bytes, size_t len, struct any_message *m, uint8_t **copy)
{
	*copy = malloc(len + 1);
	memcpy(*copy + 1, bytes, len);
	struct sw_reader r = sw_reader_init(*copy + 1, len);
	struct wire_message raw;
	return wire_next(&r, &raw) && any_get(raw.type, &raw.payload, m);
}

static size_t put(uint8_t *bytes, const struct any_message *m)
{
	struct sw_writer w = sw_writer_init(bytes, WIRE_MESSAGES_MAX);
	any_put(&w, m);
	SW_EXPECT_FALSE(w.failed);
	return (size_t)(w.at - bytes);
}

SW_TEST(wire_message, any_message_comes_back_as_it_was)
{
	uint64_t seed = sw_test_env_u64("SW_SEED", 2);
	struct sw_random random = sw_random_seed(seed);
	static struct any_message sent, got;
	uint8_t bytes[WIRE_MESSAGES_MAX], *copy;
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned t = 0; t < ANY_TYPES; t++) {
			draw_any(&random, any_types[t], &sent);
			size_t len = put(bytes, &sent);
			bool ok = get_copy(bytes, len, &got, &copy) && any_equal(&sent, &got);
			free(copy);
			if (!ok) {
				SW_FAIL("type %02x, seed %llu, round %u", any_types[t],
					(unsigned long long)seed, i);
				return;
			}
		}
	}
	sw_test_note("seed %llu, %u messages", (unsigned long long)seed, ROUNDS * ANY_TYPES);
}

SW_TEST(wire_message, lengths_told_are_the_lengths_written)
{
	struct sw_random random = sw_random_seed(3);
	static struct any_message m;
	uint8_t bytes[WIRE_MESSAGES_MAX];
	for (unsigned i = 0; i < ROUNDS; i++) {
		draw_any(&random, WIRE_MEMBER, &m);
		SW_EXPECT_EQ(wire_member_len(&m.member), put(bytes, &m));
		draw_any(&random, WIRE_RECORD, &m);
		SW_EXPECT_EQ(wire_record_len(&m.record), put(bytes, &m));
	}
}

/* A vector cut between two entries is a shorter vector; nothing else may be cut anywhere. */
static bool may_end_at(enum wire_type type, size_t payload_len)
{
	return (type == WIRE_VECTOR || type == WIRE_COLLECTED) &&
	       payload_len % WIRE_VECTOR_ENTRY_LEN == 0;
}

SW_TEST(wire_message, payload_cut_anywhere_is_refused)
{
	struct sw_random random = sw_random_seed(4);
	static struct any_message sent, got;
	uint8_t bytes[WIRE_MESSAGES_MAX], *copy;
	for (unsigned i = 0; i < 20 * ANY_TYPES; i++) {
		enum wire_type type = any_types[i % ANY_TYPES];
		draw_any(&random, type, &sent);
		size_t payload_len = put(bytes, &sent) - WIRE_MESSAGE_HEADER_LEN;
		for (size_t len = 0; len < payload_len; len++) {
			bytes[2] = (uint8_t)(len >> 8);
			bytes[3] = (uint8_t)len;
			bool ok = get_copy(bytes, WIRE_MESSAGE_HEADER_LEN + len, &got, &copy);
			free(copy);
			SW_ASSERT_EQ(ok, may_end_at(type, len));
		}
	}
}

SW_TEST(wire_message, bytes_behind_the_last_field_are_ignored)
{
	struct sw_random random = sw_random_seed(5);
	static struct any_message sent, got;
	uint8_t bytes[WIRE_MESSAGES_MAX + 7], *copy;
	for (unsigned i = 0; i < 20 * ANY_TYPES; i++) {
		draw_any(&random, any_types[i % ANY_TYPES], &sent);
		size_t len = put(bytes, &sent);
		memset(bytes + len, 0xee, 7);
		len += 7;
		bytes[2] = (uint8_t)((len - WIRE_MESSAGE_HEADER_LEN) >> 8);
		bytes[3] = (uint8_t)(len - WIRE_MESSAGE_HEADER_LEN);
		bool ok = get_copy(bytes, len, &got, &copy);
		bool wanted = sent.type != WIRE_VECTOR && sent.type != WIRE_COLLECTED;
		SW_EXPECT_EQ(ok, wanted);
		if (ok)
			SW_EXPECT_TRUE(any_equal(&sent, &got));
		free(copy);
	}
}

SW_TEST(wire_message, put_that_does_not_fit_writes_nothing)
{
	struct sw_random random = sw_random_seed(6);
	static struct any_message m;
	uint8_t whole[WIRE_MESSAGES_MAX], bytes[WIRE_MESSAGES_MAX];
	for (unsigned i = 0; i < 5 * ANY_TYPES; i++) {
		draw_any(&random, any_types[i % ANY_TYPES], &m);
		size_t len = put(whole, &m);
		for (size_t cap = 0; cap < len; cap++) {
			memset(bytes, CANARY, len);
			struct sw_writer w = sw_writer_init(bytes, cap);
			any_put(&w, &m);
			SW_ASSERT_TRUE(w.failed);
			SW_ASSERT_TRUE(w.at == bytes);
			for (size_t at = 0; at < len; at++)
				SW_ASSERT_EQ(bytes[at], (uint8_t)CANARY);
		}
		/* With `failed` reset and enough room the same writer takes it. */
		struct sw_writer w = sw_writer_init(bytes, len - 1);
		any_put(&w, &m);
		w.failed = false;
		w.end++;
		any_put(&w, &m);
		SW_EXPECT_FALSE(w.failed);
		SW_EXPECT_MEM(bytes, whole, len);
	}
}

SW_TEST(wire_message, failed_writer_stays_failed)
{
	struct sw_random random = sw_random_seed(7);
	static struct any_message m;
	uint8_t bytes[WIRE_MESSAGES_MAX];
	for (unsigned t = 0; t < ANY_TYPES; t++) {
		draw_any(&random, any_types[t], &m);
		struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
		w.failed = true;
		any_put(&w, &m);
		SW_EXPECT_TRUE(w.failed);
		SW_EXPECT_TRUE(w.at == bytes);
	}
}

SW_TEST(wire_message, vector_larger_than_a_length_can_say_is_refused)
{
	static struct vv_entry entries[4096];
	static uint8_t bytes[4096 * WIRE_VECTOR_ENTRY_LEN + WIRE_MESSAGE_HEADER_LEN];
	for (unsigned i = 0; i < 4096; i++)
		entries[i] = (struct vv_entry){{1, i + 1}, 1};
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	wire_put_vector(&w, entries, 4096); /* 81,920 bytes of payload */
	SW_EXPECT_TRUE(w.failed);
	SW_EXPECT_TRUE(w.at == bytes);
	w.failed = false;
	wire_put_vector(&w, entries, UINT16_MAX / WIRE_VECTOR_ENTRY_LEN);
	SW_EXPECT_FALSE(w.failed);
}

SW_TEST(wire_message, member_texts_end_in_zeros)
{
	struct sw_random random = sw_random_seed(8);
	static struct any_message sent, got;
	uint8_t bytes[WIRE_MESSAGES_MAX], *copy;
	draw_any(&random, WIRE_MEMBER, &sent);
	memset(sent.member.name, 0, sizeof(sent.member.name));
	memset(sent.member.zone, 0, sizeof(sent.member.zone));
	strcpy(sent.member.name, "a");
	size_t len = put(bytes, &sent);
	memset(&got, 0xff, sizeof(got));
	SW_ASSERT_TRUE(get_copy(bytes, len, &got, &copy));
	free(copy);
	SW_EXPECT_MEM(got.member.name, sent.member.name, sizeof(sent.member.name));
	SW_EXPECT_MEM(got.member.zone, sent.member.zone, sizeof(sent.member.zone));
}
