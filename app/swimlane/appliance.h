/* The appliance: what its cores share, and who may touch it.
 *
 *   lane i    rx/tx of queue i; lane 0 also membership          packets -> keeper, events ->
 * control keeper    the map and the ownership table                   packets -> lane 0, changes ->
 * control control   RPC, health checks, logs (main lcore)             commands -> lane 0 and keeper
 *
 * Everything that crosses a line goes through a ring with one producer and one consumer, a
 * published view under RCU, or a single atomic word.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "config.h"
#include "base/clock.h"
#include "deltamap/typed.h"
#include "currency.h"
#include "idle.h"
#include "capture.h"
#include "lane_cycles.h"
#include "map_pages.h"
#include "nic/nic.h"
#include "rendezvous/table.h"
#include "seal/seal.h"
#include "swim/path.h"
#include "swim/swim.h"
#include "view.h"

enum {
	BURST = 128,
	LANE_TO_KEEPER_MAX = 1024, /* packets */
	KEEPER_TO_LANE_MAX = 1024,
	LANE_TO_LANE_MAX = 256,
	EVENTS_MAX = 1024,
	COMMANDS_MAX = 1024,       /* local writes under way */
	CHANGES_MAX = 2048,        /* map changes on their way to control */
	LANE_TO_CONTROL_MAX = 256, /* packets of senders that are new here */
	SHIM_BLOCKS_MAX = 64,
};

/* Why a lane or the keeper dropped a packet that nic took for ours. */
enum drop {
	DROP_WIRE,                                      /* + enum wire_error */
	DROP_OTHER_SERVER = DROP_WIRE + WIRE_ERR_COUNT, /* meant for another server id */
	DROP_OWN,                                       /* our own packet came back */
	DROP_OLD_EPOCH,                                 /* a life of that server that is over */
	DROP_COVERED,     /* pushes that this replica has: nothing new */
	DROP_KEEPER_FULL, /* the ring to the keeper was full: gossip comes again */
	DROP_LANE_FULL,
	DROP_SHIM,       /* by the test shim */
	DROP_TAG,        /* sealed, and damaged or forged */
	DROP_REPLAY,     /* seen before, or too old to tell */
	DROP_NEW_SENDER, /* a sender that is new here, and control is busy with others */
	DROP_NO_SENDER,  /* to send: the own epoch has just changed, its key is being made */
	DROP_EXHAUSTED,  /* to send: the lane's counters are used up */
	DROP_COUNT,
};

const char *drop_name(unsigned drop);

/* Where a packet on a ring came from or goes to: in its mbuf's headroom. */
struct packet_meta {
	struct sw_endpoint peer;
	uint16_t payload_offset;
	uint16_t payload_len;
};

static inline struct packet_meta *packet_meta(struct rte_mbuf *m)
{
	return (struct packet_meta *)m->buf_addr;
}

/* What the test shim does to received packets; replaced whole. */
struct shim {
	uint32_t drop_percent;
	uint32_t block_count;
	struct sw_endpoint block[SHIM_BLOCKS_MAX];
};

enum lane_command_kind { LANE_DRAIN, LANE_UNDRAIN, LANE_LEAVE, LANE_FORGET, LANE_WEIGHT };

struct lane_command {
	uint64_t server_id; /* LANE_FORGET; LANE_WEIGHT: the weight */
	enum lane_command_kind kind;
};

/* Written by its lane alone; anyone reads. */
struct lane_counters {
	uint64_t packets;  /* opened and taken */
	uint64_t answered; /* PINGs */
	uint64_t to_keeper;
	uint64_t sent;
	uint64_t no_mbuf;
	uint64_t drops[DROP_COUNT];
} __attribute__((aligned(64)));

/* Packets whose bodies are written; they wait to be sealed with their burst. */
struct lane_out {
	uint16_t count;
	struct nic_answer packets[BURST];
	struct sw_endpoint to[BURST]; /* of replies only while there is a capture */
};

/* Who is new here knocks at control: each address so often only, and then with a few packets of one
 * life (the answer to a JOIN is several), so that a flood of forged senders from one place leaves
 * room for others. */
enum { KNOCKERS = 256, KNOCK_PACKETS_MAX = 16 };

struct knocker {
	uint64_t until_ns; /* others at this address must wait */
	uint64_t instance;
	uint32_t packets;
};

struct lane {
	struct appliance *app;
	uint16_t index;
	uint32_t thread;         /* its number in RCU */
	uint64_t counter;        /* of the next packet in the clear; sealed ones are seal's */
	struct sw_random random; /* the shim's */
	struct idle idle;
	struct idle_bell bell;
	struct lane_counters counters;
	struct lane_cycles cycles;
	struct lane_clock clock;
	uint64_t paths_version;            /* lane 0: of the members that paths know */
	struct capture *capture;           /* of this turn; NULL: none */
	struct rte_ring *to_keeper;        /* mbufs */
	struct rte_ring *to_lane0;         /* mbufs; lanes above 0 */
	struct rte_ring *to_control;       /* mbufs of senders that are new here */
	struct rte_ring *from_control;     /* the same, let in */
	struct lane_out replies;           /* in the mbufs of what they answer */
	struct lane_out sends;             /* the packet is the mbuf's data */
	struct knocker knockers[KNOCKERS]; /* by a hash of the address */
};

enum keeper_command_kind {
	KEEPER_PUT,
	KEEPER_DEL,
	KEEPER_PUT_IF_ABSENT,
	KEEPER_PUT_IF_OWNER, /* -EPERM unless this server is the key's first; `number`: who is */
	KEEPER_ADD,          /* `key` names a counter, `number` is added; then: this life's sum */
	KEEPER_FOLD,         /* … and `number` is an earlier epoch of this server */
	KEEPER_RETIRE,
};

/* A local write: control fills it, the keeper answers in it. */
struct keeper_command {
	enum keeper_command_kind kind;
	uint64_t wall_ms;
	uint16_t key_len, value_len;
	uint8_t key[SW_KEY_MAX];
	uint8_t value[MAP_PAYLOAD_MAX];
	int64_t number;
	int result;
	struct dot dot;
	void (*done)(struct keeper_command *command); /* control's own, called by control */
	void *context;
};

enum map_change_kind {
	CHANGE_RECORD,    /* entered the map */
	CHANGE_DISPLACED, /* gave way to another that did not know of it, or never got in */
	CHANGE_COLLECTED, /* a tombstone that left the map */
	CHANGE_EVENT,     /* of the map itself; `view` has its key alone */
};

/* A copy of a record, for control. */
struct map_change {
	uint64_t at_ns;
	enum map_change_kind kind;
	struct dot by; /* the one that was preferred */
	struct map_event event;
	struct map_view view; /* key and value point into bytes */
	uint8_t bytes[SW_KEY_MAX + MAP_PAYLOAD_MAX];
};

struct keeper_counters {
	uint64_t packets;
	uint64_t sent;
	uint64_t commands;
	uint64_t no_mbuf;
	uint64_t changes_missed;
	uint64_t not_owner;
} __attribute__((aligned(64)));

struct keeper {
	struct appliance *app;
	uint32_t thread;
	struct idle idle;
	struct idle_bell bell;
	struct keeper_counters counters;
	uint64_t view_version;
	uint64_t eligible_ns; /* when a member next becomes eligible again */
	uint64_t rcu_token;
	bool rcu_waiting;
	struct typed_repairs repairs;
	struct ownership *ownership;
	_Atomic uint64_t ownership_version; /* keeper: rw, control: ro */
};

struct appliance {
	const struct config *config;
	uint64_t instance;
	uint32_t cluster_tag;
	uint64_t cluster_seed;
	uint64_t started_ns;
	struct sw_endpoint at;

	struct nic_port *port;
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *rcu;
	uint32_t control_thread, telemetry_thread;

	struct seal *seal;                    /* NULL: in the clear */
	_Atomic(struct seal_sender *) sender; /* control: rw, lanes: ro, under RCU */
	struct sealing *sealing;              /* control */

	struct swim *swim;   /* lane 0 */
	struct paths *paths; /* lane 0; NULL: small packets alone go anywhere */
	uint16_t packet_max; /* largest that this server takes and sends */
	struct map *map;     /* keeper; readers under RCU */
	struct map_pages map_pages;
	struct view_board *board; /* members; lane 0 writes */
	struct lane lanes[SW_LANES_MAX];
	struct keeper keeper;

	struct rte_ring *keeper_to_lane; /* mbufs, payload alone */
	struct rte_ring *lane_commands;  /* control to lane 0: struct lane_command */
	struct rte_ring *events;         /* lane 0 to control: struct swim_event */
	struct rte_ring *commands;       /* control to keeper: struct keeper_command * */
	struct rte_ring *commands_done;
	struct rte_ring *changes; /* keeper to control: struct map_change * */
	struct rte_ring *changes_free;
	struct keeper_command *command_pool;
	struct map_change *change_pool;

	struct currency currency; /* lanes write */
	_Atomic uint64_t
		hint; /* lanes to keeper: a server with writes that are not here; 0: none */
	_Atomic(struct shim *) shim;       /* control writes, lanes read under RCU; NULL: off */
	_Atomic(struct capture *) capture; /* the same; NULL: none */
	_Atomic bool stop;
	_Atomic bool left; /* lane 0: everybody has been told */
};

/* cores */
int lane_run(void *lane); /* of one lane, on its lcore */
int keeper_run(void *keeper);
/* The map's on_change. */
void keeper_changed(void *keeper, const struct map_view *view, bool local);
/* The map's on_collect. */
void keeper_collected(void *keeper, const struct map_view *tombstone);
/* The map's on_event. */
void keeper_event(void *keeper, const struct map_event *event);
/* The map's on_displaced. */
void keeper_displaced(
	void *keeper, const struct map_view *kept, const struct map_view *displaced, bool rival);

/* Since the last one this stage ran. */
static inline void lane_stage(struct lane *lane, enum lane_stage stage)
{
	lane_clock_stage(&lane->clock, stage);
}

/* lane_rx.c: at most NIC_BURST at once. */
void lane_receive(
	struct lane *lane, uint64_t now_ns, struct nic_datagram *datagrams, uint16_t count);
void lane_receive_admitted(
	struct lane *lane, uint64_t now_ns, struct rte_mbuf **mbufs, uint16_t count);
void lane_membership(struct lane *lane, uint64_t now_ns, struct rte_mbuf *mbuf);

/* lane_path.c: lane 0, when a packet has been read, and every turn. */
void lane_path_input(struct lane *lane, uint64_t now_ns, const struct wire_header *h,
	const struct sw_endpoint *from, struct wire_message *m);
void lane_path_tick(struct lane *lane, uint64_t now_ns);
uint64_t lane_path_deadline(const struct lane *lane);

/* lane_tx.c: bodies are written behind the header's place, and sealed in bursts: lane_reply() and
 * lane_send() take the mbuf; lane_flush() seals what has gathered and hands it to the port. */
struct sw_writer lane_body(uint8_t *packet);
void lane_prelude(const struct appliance *app, uint8_t *packet, uint64_t to_id);
bool lane_can_send(const struct lane *lane);
void lane_out_full(struct lane *lane);
static inline void lane_reply(
	struct lane *lane, const struct nic_datagram *datagram, uint16_t body_len)
{
	struct lane_out *out = &lane->replies;
	uint16_t len = (uint16_t)(WIRE_HEADER_LEN + body_len + WIRE_TAG_LEN);
	out->packets[out->count] = (struct nic_answer){
		datagram->mbuf, datagram->payload, datagram->payload_offset, len};
	if (lane->capture != NULL)
		out->to[out->count] = datagram->from;
	if (++out->count == BURST)
		lane_out_full(lane);
}
void lane_send(
	struct lane *lane, struct rte_mbuf *mbuf, uint16_t body_len, const struct sw_endpoint *to);
void lane_flush(struct lane *lane);
void lane_send_membership(struct lane *lane, uint64_t now_ns);
uint16_t lane_send_keeper(struct lane *lane);

/* ownership.c: the keeper's registered keys and who owns them. */
int ownership_create(const struct appliance *app, struct ownership **ownership);
void ownership_destroy(struct ownership *ownership);
void ownership_key(struct ownership *ownership, const struct map_view *view);
/* Returns when the next member becomes eligible, SW_NEVER_NS if none is waiting. */
uint64_t ownership_members(
	struct ownership *ownership, uint64_t now_ns, const struct members_view *view);
/* Keeper: the first of any key, registered or not; 0: nobody may own yet. */
uint64_t ownership_first(const struct ownership *ownership, uint64_t key_hash);
/* Control: the ranks of a key; false if it is not registered. */
bool ownership_read_reader(
	const struct ownership *ownership, uint64_t key_hash, struct rendezvous_ranks *ranks);
/* Control: the servers that own keys now, and how many. */
uint32_t ownership_servers_reader(
	const struct ownership *ownership, struct rendezvous_server servers[SW_MEMBERS_MAX]);
uint64_t ownership_keys(const struct ownership *ownership);
bool ownership_is_registered_prefix(const void *key, size_t key_len);
