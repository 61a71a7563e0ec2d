/* The packets of tests/vectors, which another encoder wrote: what they state is what is decoded,
 * and what they state encodes to their bytes. SW_VECTORS is their folder. */
#include "sw_test.h"

#include "wire_stated.h"

enum { PACKETS_OF_FILE_MIN = 5 };

static const char own_cluster[] = "fleet-7";

static enum wire_error open_vector(const struct vector_packet *p, struct wire_header *h,
	struct wire_prelude *prelude, struct sw_reader *body)
{
	enum wire_error e =
		wire_open_clear(p->bytes, p->len, wire_cluster_tag(own_cluster), h, body);
	if (e != WIRE_OK)
		return e;
	wire_get_prelude(body, prelude);
	return body->failed ? WIRE_ERR_BODY : WIRE_OK;
}

static void check_header(const struct vector_packet *p, const struct wire_header *h,
	const struct wire_prelude *prelude)
{
	const struct vector_section *s = &p->section[0];
	SW_EXPECT_EQ(h->key_id, WIRE_KEY_CLEAR);
	SW_EXPECT_EQ(h->lane, number_of(s, "lane"));
	SW_EXPECT_EQ(h->cluster, wire_cluster_tag(text_of(s, "cluster_name")));
	SW_EXPECT_EQ(h->sender.id, number_of(s, "sender_id"));
	SW_EXPECT_EQ(h->sender.epoch, number_of(s, "sender_epoch"));
	SW_EXPECT_EQ(h->instance, number_of(s, "instance"));
	SW_EXPECT_EQ(h->counter, number_of(s, "counter"));
	SW_EXPECT_EQ(prelude->dst_id, number_of(s, "dst_id"));
	SW_EXPECT_EQ(prelude->last_seq, number_of(s, "last_seq"));
	SW_EXPECT_EQ(prelude->floor, number_of(s, "floor"));
}

static void check_decoded(const struct vector_packet *p)
{
	static struct any_message stated, got;
	struct wire_header h;
	struct wire_prelude prelude;
	struct sw_reader body;
	struct wire_message raw;
	SW_ASSERT_EQ(open_vector(p, &h, &prelude, &body), WIRE_OK);
	check_header(p, &h, &prelude);
	for (unsigned i = 1; i < p->sections; i++) {
		SW_ASSERT_TRUE(wire_next(&body, &raw));
		if (strcmp(p->section[i].type, "UNKNOWN") == 0) {
			SW_EXPECT_FALSE(any_get(raw.type, &raw.payload, &got));
			continue;
		}
		message_of(&p->section[i], &stated);
		SW_EXPECT_EQ(raw.type, stated.type);
		SW_ASSERT_TRUE(any_get(raw.type, &raw.payload, &got));
		SW_EXPECT_TRUE(any_equal(&stated, &got));
	}
	SW_EXPECT_FALSE(wire_next(&body, &raw));
	SW_EXPECT_FALSE(body.failed);
}

static void check_encoded(const struct vector_packet *p)
{
	static struct any_message stated;
	const struct vector_section *s = &p->section[0];
	uint8_t bytes[WIRE_PACKET_MAX];
	struct sw_writer w = sw_writer_init(bytes + WIRE_HEADER_LEN, WIRE_BODY_MAX);
	struct wire_prelude prelude = {
		.dst_id = number_of(s, "dst_id"),
		.last_seq = number_of(s, "last_seq"),
		.floor = number_of(s, "floor"),
	};
	wire_put_prelude(&w, &prelude);
	for (unsigned i = 1; i < p->sections; i++) {
		message_of(&p->section[i], &stated);
		any_put(&w, &stated);
	}
	SW_ASSERT_FALSE(w.failed);
	struct wire_header h = {
		.lane = (uint8_t)number_of(s, "lane"),
		.body_len = (uint16_t)(w.at - (bytes + WIRE_HEADER_LEN)),
		.cluster = wire_cluster_tag(text_of(s, "cluster_name")),
		.sender = {number_of(s, "sender_id"), (uint32_t)number_of(s, "sender_epoch")},
		.instance = number_of(s, "instance"),
		.counter = number_of(s, "counter"),
	};
	SW_ASSERT_EQ(wire_finish_clear(bytes, &h), p->len);
	SW_EXPECT_MEM(bytes, p->bytes, p->len);
}

static enum wire_error error_of(const struct vector_packet *p)
{
	static struct any_message got;
	struct wire_header h;
	struct wire_prelude prelude;
	struct sw_reader body;
	struct wire_message raw;
	enum wire_error e = open_vector(p, &h, &prelude, &body);
	if (e != WIRE_OK)
		return e;
	while (wire_next(&body, &raw))
		if (any_type_is_known(raw.type) && !any_get(raw.type, &raw.payload, &got))
			return WIRE_ERR_BODY;
	return body.failed ? WIRE_ERR_BODY : WIRE_OK;
}

struct file_row {
	const char *name;
};

static const struct file_row file_rows[] = {
	{"wire-probe.txt"},
	{"wire-member.txt"},
	{"wire-record.txt"},
	{"wire-session.txt"},
	{"wire-refused.txt"},
};

static bool open_file(const char *name, struct vector_file *file)
{
	const char *folder = getenv("SW_VECTORS");
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "tests/vectors", name);
	memset(file, 0, sizeof(*file));
	file->stream = fopen(path, "r");
	if (file->stream == NULL)
		SW_FAIL("cannot open %s: is SW_VECTORS the folder of the vectors?", path);
	return file->stream != NULL;
}

SW_TEST_TABLE(
	wire_vectors, packets_decode_and_encode_as_stated, const struct file_row *row, file_rows)
{
	static struct vector_packet p;
	struct vector_file file;
	unsigned count = 0;
	if (!open_file(row->name, &file))
		return;
	for (; vector_next(&file, &p); count++) {
		const char *wanted = text_of(&p.section[0], "expect");
		const char *got = wire_error_name(error_of(&p));
		if (strcmp(got, wanted) != 0)
			SW_FAIL("packet %s: %s, wanted %s", p.name, got, wanted);
		if (strcmp(wanted, "ok") != 0)
			continue;
		check_decoded(&p);
		if (vector_text(&p.section[0], "decode_only", 0) == NULL)
			check_encoded(&p);
	}
	vector_packet_clear(&p);
	fclose(file.stream);
	if (file.error)
		SW_FAIL("%s:%u: %s", row->name, file.line, file.error);
	SW_EXPECT_GE(count, (unsigned)PACKETS_OF_FILE_MIN);
	sw_test_note("%s: %u packets", row->name, count);
}

SW_TEST(wire_vectors, every_message_type_and_every_error_has_a_vector)
{
	static struct vector_packet p;
	bool types[256] = {false}, errors[WIRE_ERR_COUNT] = {false};
	for (unsigned f = 0; f < sizeof(file_rows) / sizeof(file_rows[0]); f++) {
		struct vector_file file;
		if (!open_file(file_rows[f].name, &file))
			return;
		while (vector_next(&file, &p)) {
			enum wire_error e = error_of(&p);
			errors[e] = true;
			for (unsigned i = 1; e == WIRE_OK && i < p.sections; i++)
				types[type_of(p.section[i].type)] = true;
		}
		vector_packet_clear(&p);
		fclose(file.stream);
	}
	for (unsigned t = 0; t < ANY_TYPES; t++)
		if (!types[any_types[t]])
			SW_FAIL("no vector of type %02x", any_types[t]);
	/* A packet that is too short has no fields to state: wire_test.c cuts one. */
	for (int e = 0; e < WIRE_ERR_COUNT; e++)
		if (!errors[e] && e != WIRE_ERR_SHORT)
			SW_FAIL("no vector of error %s", wire_error_name((enum wire_error)e));
}
