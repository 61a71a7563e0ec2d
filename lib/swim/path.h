/* How large a packet the path to each member carries.
 *
 * Datagram packetization layer path MTU discovery (RFC 8899): a padded probe asks, its answer
 * tells the length that came, and until one has come back a path is held for carrying
 * WIRE_PACKET_MAX alone, which every path must. No ICMP is needed or believed. For each member:
 *
 *   search    first the largest that this side takes: a newcomer is about to ask for everything
 *   base      if that was lost, WIRE_PACKET_MAX: the answer tells how much the other side takes
 *   search    the largest that both take, then halves what lies between the largest that came and
 *             the smallest that did not
 *   complete  what was found is asked for again and again: PATH_LOST_MAX lost in a row, and small
 *             packets go there from then on; after a while the search begins anew
 *
 * What is lost by chance costs a search nothing but time: it begins anew, too. One probe at a time
 * is under way to a member, and all together keep PATH_SPACING_NS between any two.
 *
 * The machine does no I/O: one owner (lane 0, or a simulator) tells it of members and answers and
 * sends what it asks for. Nothing is allocated after paths_create(). Times are of one monotonic
 * clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "swim/swim.h"

enum {
	PATH_LOST_MAX = 3,      /* probes in a row: RFC 8899, MAX_PROBES */
	PATH_SEARCH_STEP = 256, /* bytes: nearer than that is near enough */
};

#define PATH_TIMEOUT_NS (200 * SW_NS_PER_MS) /* above any round trip in a datacenter */
#define PATH_CONFIRM_NS (2 * SW_NS_PER_S)
#define PATH_RETRY_NS   (30 * SW_NS_PER_S)
#define PATH_SPACING_NS (5 * SW_NS_PER_MS)

enum path_state { PATH_BASE, PATH_SEARCH, PATH_COMPLETE };

/* Written by the owner alone; anyone may read single words. */
struct path_counters {
	uint64_t size_probes;
	uint64_t size_answers;
	uint64_t size_lost;
	uint64_t size_raised;    /* a larger size was found to be carried */
	uint64_t size_fallbacks; /* what was carried is no longer */
};

/* To be sent: a SIZE_PROBE, padded so that the whole packet has `packet_len` bytes. */
struct path_probe {
	uint64_t to_id;
	struct sw_endpoint to;
	uint16_t packet_len;
	struct wire_size_probe message;
};

struct paths;

/* `packet_max`: the largest packet that this server takes and sends, above WIRE_PACKET_MAX, at most
 * WIRE_JUMBO_MAX. NULL: no memory. */
struct paths *paths_create(uint16_t packet_max, uint64_t random_seed);
void paths_destroy(struct paths *paths);

/* All members: who is alive or suspect, and not this server, has a path. Who is gone and comes back
 * begins anew, as does a new life and a new address. */
void paths_members(
	struct paths *paths, uint64_t now_ns, const struct swim_member *members, uint32_t count);

/* An answer, or what another's probe says of its sender. */
void paths_answer(
	struct paths *paths, uint64_t now_ns, uint64_t from_id, const struct wire_size_ack *ack);
void paths_limit(struct paths *paths, uint64_t now_ns, uint64_t from_id, uint16_t size_max);

/* The next probe to send, if one is due. To be called at or soon after paths_deadline(), until it
 * says no. */
bool paths_output(struct paths *paths, uint64_t now_ns, struct path_probe *probe);
uint64_t paths_deadline(const struct paths *paths);

/* The largest packet that may be sent to this server; WIRE_PACKET_MAX of one that is not known. */
uint16_t paths_packet_max(const struct paths *paths, uint64_t id);
enum path_state paths_state(const struct paths *paths, uint64_t id);
/* Grows whenever what paths_packet_max() says of anybody changes. */
uint64_t paths_version(const struct paths *paths);
/* Of no paths (NULL): zeros. */
const struct path_counters *paths_counters(const struct paths *paths);
