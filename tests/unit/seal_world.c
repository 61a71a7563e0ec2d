#include "seal_world.h"

#include <string.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "sw_test.h"

static struct rte_mempool *mbufs;

bool seal_world(void)
{
	static char *arguments[] = {"seal_test", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "128", "--lcores", "0", "--log-level", "*:warning"};
	static int tried;
	if (tried == 0)
		tried = rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) < 0 ? -1
											      : 1;
	if (tried > 0 && mbufs == NULL)
		mbufs = rte_pktmbuf_pool_create("world", 4095, 0, 0, 2048 + 128, SOCKET_ID_ANY);
	SW_EXPECT_TRUE(mbufs != NULL);
	return mbufs != NULL;
}

struct seal_keyring seal_world_ring(uint8_t first, uint32_t count)
{
	struct seal_keyring ring = {.count = count, .send_id = first};
	for (uint32_t k = 0; k < count; k++) {
		ring.keys[k].id = (uint8_t)(first + k);
		memset(ring.keys[k].bytes, first + (int)k, SEAL_CLUSTER_KEY_LEN);
	}
	return ring;
}

struct seal *seal_world_create(
	enum seal_driver driver, const struct seal_keyring *ring, uint64_t first_counter)
{
	const struct seal_config config = {.driver = driver,
		.cluster = WORLD_CLUSTER,
		.lanes = 2,
		.senders_max = 4,
		.numa_node = -1,
		.first_counter = first_counter};
	char choice[SEAL_ERROR_MAX], error[SEAL_ERROR_MAX];
	struct seal *seal = NULL;
	if (seal_create(&config, ring, &seal, choice, error) < 0)
		SW_FAIL("%s", error);
	return seal;
}

struct seal_packet seal_world_packet(const struct seal_sender *sender, uint16_t body_len)
{
	struct seal_packet p = {.sender = sender, .offset = 42, .h = {.body_len = body_len}};
	uint16_t len = (uint16_t)(WIRE_HEADER_LEN + body_len + WIRE_TAG_LEN);
	p.mbuf = rte_pktmbuf_alloc(mbufs);
	p.bytes = (uint8_t *)rte_pktmbuf_append(p.mbuf, (uint16_t)(p.offset + len)) + p.offset;
	for (uint32_t i = 0; i < body_len; i++)
		p.bytes[WIRE_HEADER_LEN + i] = (uint8_t)i;
	return p;
}

void seal_world_free(struct seal_packet *packet)
{
	rte_pktmbuf_free(packet->mbuf);
	packet->mbuf = NULL;
}

enum seal_result seal_world_seal(struct seal *seal, struct seal_packet *packet)
{
	seal_seal_lane(seal, 0, packet, 1);
	return packet->result;
}

enum seal_result seal_world_open(struct seal *seal, struct seal_packet *packet)
{
	struct sw_reader body;
	size_t len = packet->mbuf->data_len - packet->offset;
	SW_EXPECT_EQ(
		wire_read_header(packet->bytes, len, WORLD_CLUSTER, &packet->h, &body), WIRE_OK);
	seal_open_lane(seal, 0, packet, 1);
	return packet->result;
}

bool seal_world_is_whole(const struct seal_packet *packet)
{
	for (uint32_t i = 0; i < packet->h.body_len; i++)
		if (packet->bytes[WIRE_HEADER_LEN + i] != (uint8_t)i)
			return false;
	return true;
}
