#include <string.h>

#include "base/clock.h"
#include "swim/swim.h"
#include "swim_paper.h"

enum { OTHERS_ID = 100 };

static struct wire_header header_of(uint64_t id)
{
	return (struct wire_header){.sender = {id, 1}, .instance = id};
}

/* `writer` holds one message that the member with this id sends. */
static void deliver(struct swim *swim, uint64_t now_ns, uint64_t id, const uint8_t *bytes,
	const struct sw_writer *w)
{
	struct wire_header h = header_of(id);
	struct sw_endpoint from = sw_endpoint_from_ipv4((uint32_t)id, 7946);
	struct sw_reader r = sw_reader_init(bytes, (size_t)(w->at - bytes));
	struct wire_message m;
	swim_packet_begin(swim, now_ns, &h, &from);
	while (wire_next(&r, &m))
		swim_input(swim, now_ns, &h, &from, &m);
}

static void introduce(struct swim *swim, uint64_t now_ns, uint64_t id)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_member record = {.actor = {id, 1},
		.instance = id,
		.weight = SW_WEIGHT_DEFAULT,
		.at = sw_endpoint_from_ipv4((uint32_t)id, 7946)};
	memcpy(record.name, "m", 2);
	wire_put_member(&w, WIRE_MEMBER, &record);
	deliver(swim, now_ns, id, bytes, &w);
}

/* The seq of the PING in this packet; false if there is none. */
static bool has_ping(const uint8_t *bytes, const struct sw_writer *w, uint32_t *seq)
{
	struct sw_reader r = sw_reader_init(bytes, (size_t)(w->at - bytes));
	struct wire_message m;
	struct wire_probe probe;
	while (wire_next(&r, &m)) {
		if (m.type != WIRE_PING || !wire_get_probe(&m.payload, &probe))
			continue;
		*seq = probe.seq;
		return true;
	}
	return false;
}

static void acknowledge(struct swim *swim, uint64_t now_ns, uint64_t id, uint32_t seq)
{
	uint8_t bytes[WIRE_MESSAGES_MAX];
	struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
	struct wire_probe ack = {.seq = seq, .table_digest = swim_table_digest(swim)};
	wire_put_probe(&w, WIRE_ACK, &ack);
	deliver(swim, now_ns, id, bytes, &w);
}

uint32_t round_robin_gap(uint32_t servers, uint32_t periods, uint64_t seed)
{
	uint64_t now_ns = SW_NS_PER_S, to_id, last[SW_MEMBERS_MAX] = {0}, worst = 0;
	struct swim_config config = {.id = 1,
		.epoch = 1,
		.instance = 1,
		.name = "one",
		.profile = swim_profile_lan,
		.weight = SW_WEIGHT_DEFAULT,
		.at = sw_endpoint_from_ipv4(1, 7946),
		.features = swim_features_plain,
		.random_seed = seed};
	uint64_t interval_ns = config.profile.probe_interval_ns;
	struct swim *swim = swim_create(&config, now_ns);
	swim_tick(swim, now_ns);
	for (uint32_t i = 0; i + 1 < servers; i++)
		introduce(swim, now_ns, OTHERS_ID + i);
	bool complete = swim_members(swim, NULL, 0) == servers;
	for (uint64_t period = 1; complete && period <= periods; period++) {
		uint8_t bytes[WIRE_MESSAGES_MAX];
		struct sw_endpoint to;
		uint32_t seq;
		now_ns += interval_ns;
		swim_tick(swim, now_ns);
		for (;;) {
			struct sw_writer w = sw_writer_init(bytes, sizeof(bytes));
			if (!swim_output(swim, now_ns, &w, &to_id, &to))
				break;
			if (!has_ping(bytes, &w, &seq) || to_id < OTHERS_ID)
				continue;
			worst = sw_max_u64(worst, period - last[to_id - OTHERS_ID]);
			last[to_id - OTHERS_ID] = period;
			acknowledge(swim, now_ns, to_id, seq);
		}
	}
	/* Who was not probed at the end either. */
	for (uint32_t i = 0; complete && i + 1 < servers; i++)
		worst = sw_max_u64(worst, periods - last[i]);
	swim_destroy(swim);
	return (uint32_t)worst;
}
