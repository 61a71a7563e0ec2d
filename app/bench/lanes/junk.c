#include "junk.h"

#include <errno.h>
#include <string.h>

#include "base/random.h"

enum { KINDS = 6, KEY_ID = 3, CLUSTER = 8, INSTANCE = 24, COUNTER = 32 };

static void flip(uint8_t *at, struct sw_random *random)
{
	*at = (uint8_t)(*at ^ (1 + sw_random_below(random, 255)));
}

static void spoil(uint8_t *packet, unsigned kind, struct sw_random *random)
{
	uint64_t counter = htobe64(sw_random_below(random, 1u << 30) + (1u << 30));
	switch (kind) {
	case 0: /* not ours at all */
		for (unsigned i = 0; i < IDENTITY_PING_LEN; i++)
			packet[i] = (uint8_t)sw_random_u64(random);
		break;
	case 1: flip(packet + CLUSTER, random); break;
	case 2: flip(packet + KEY_ID, random); break;
	case 3: flip(packet + INSTANCE, random); break;
	case 4: /* a counter that is new, and a tag that cannot be right */
		memcpy(packet + COUNTER, &counter, sizeof(counter));
		flip(packet + IDENTITY_PING_LEN - 1, random);
		break;
	default: /* as it was: a replay; in the clear, damage */
		flip(packet + IDENTITY_PING_LEN - 1, random);
		break;
	}
}

int junk_create(
	struct identity *identity, const struct link *link, struct rte_mbuf *frames[JUNK_FRAMES])
{
	struct sw_random random = sw_random_seed(identity->peers[0].instance);
	if (rte_pktmbuf_alloc_bulk(link->pool, frames, JUNK_FRAMES) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < JUNK_FRAMES; i++) {
		uint32_t seq = i;
		struct peer *p = &identity->peers[i % identity->count];
		identity_ping(identity, &frames[i], i, &seq, 1);
		uint8_t *packet = rte_pktmbuf_mtod_offset(frames[i], uint8_t *, FRAME_HEADERS_IPV4);
		unsigned kind = i % KINDS;
		if (kind != KINDS - 1 || identity->seal == NULL)
			spoil(packet, kind, &random);
		frame_build(&p->route, packet, IDENTITY_PING_LEN);
	}
	return 0;
}
