/* Sealing: who may speak, and that nobody else can read, change or repeat what was said.
 *
 * AES-128-GCM (NIST SP 800-38D) through DPDK's cryptodev, or the library that its fastest device is
 * made of, a burst at a time, in place in the mbuf.
 * Each life of a server, (id, epoch, instance), has a key of its own, derived from the cluster key
 * with HKDF-SHA256 (RFC 5869). The nonce is (lane, counter); seal draws the counters itself, one
 * row for each lane, upwards from 1, and refuses at SEAL_COUNTER_MAX: no caller can repeat one, and
 * another process has another instance, hence other keys. A receiver has a replay window for each
 * life and lane of a sender (a ring of bitmap words, after RFC 6479). docs/wire.md, section
 * Sealing, has the format, docs/security.md what it is worth.
 *
 * Who calls what:
 *   anyone, no shared state:     seal_keyring_*(), seal_derive(), seal_check()
 *   owner (control), any time:   the functions that end in _owner
 *   lane i, a burst at a time:   seal_open_lane(), seal_seal_lane(), with lane = i
 *
 * Lanes find lives and sessions in tables of fixed size that the owner alone changes, and that it
 * frees only after a grace period of the RCU variable given at creation: a lane that is online may
 * use what it found until its next quiescent state. Lanes never derive a key and never set up a
 * session: a packet of a life that is not in the table is SEAL_SENDER, and the caller hands it to
 * the owner, at a rate that it bounds, for seal_admit_owner(). Only what is authentic gets a place
 * in the table, so forged senders cannot crowd out real ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "causal/causal.h"
#include "wire/wire.h"

struct rte_mbuf;
struct rte_rcu_qsbr;

enum {
	SEAL_KEYS_MAX = 4,
	SEAL_CLUSTER_KEY_LEN = 32,
	SEAL_PACKET_KEY_LEN = 16, /* AES-128 */
	SEAL_NONCE_LEN = 12,
	SEAL_LIVES_MAX = 512,   /* of other servers; 256 members and who came and went */
	SEAL_SENDERS_MAX = 256, /* lives that one process speaks as: a traffic source has many */
	SEAL_BURST = 128,
	SEAL_WINDOW = 1008, /* counters behind the newest that are surely told apart */
	SEAL_ERROR_MAX = 512,
	SEAL_FINGERPRINT_MAX = 17,
};

/* The last counter of a lane. A year has 2^45 microseconds. */
#define SEAL_COUNTER_MAX (UINT64_C(1) << 48)

/* ---- keyring: a file of cluster keys ---- */

struct seal_key {
	uint8_t id; /* 1 … 255, in the header of each packet */
	uint8_t bytes[SEAL_CLUSTER_KEY_LEN];
};

struct seal_keyring {
	uint32_t count;
	uint8_t send_id; /* of the key that is used for sending */
	struct seal_key keys[SEAL_KEYS_MAX];
};

/* One line a key: "ID HEX", ID 1 … 255, HEX 64 digits; the line of the sending key ends with
 * "send". Empty lines and what follows # are ignored. 0, or -EINVAL with "NAME:LINE: what" in
 * `error` (SEAL_ERROR_MAX bytes), in which no key is ever repeated. */
int seal_keyring_parse(
	const char *name, const char *text, size_t len, struct seal_keyring *ring, char *error);

/* The same from a file that only its owner, root or this process's user, may read or write;
 * otherwise -EPERM. 0 or -errno with `error`. */
int seal_keyring_load(const char *path, struct seal_keyring *ring, char *error);

/* Writes a new file and moves it into place, with mode 0600. With `fresh` an existing one is an
 * error (-EEXIST). */
int seal_keyring_save(const char *path, const struct seal_keyring *ring, bool fresh, char *error);

/* A key from the kernel's random numbers, under an id that the ring does not use. -ENOSPC: full. */
int seal_keyring_add(struct seal_keyring *ring, uint8_t *id, char *error);

const struct seal_key *seal_keyring_find(const struct seal_keyring *ring, uint8_t id);

/* Tells keys apart for people: 16 digits of an HKDF of the key, which say nothing about it. */
void seal_fingerprint(const struct seal_key *key, char text[SEAL_FINGERPRINT_MAX]);

/* Overwrites keys that are needed no longer. */
void seal_keyring_wipe(struct seal_keyring *ring);

/* ---- one packet, without a device: the reference, and the owner's way ---- */

/* The key of one life. Allocates; some microseconds. 0 or -ENOMEM. */
int seal_derive(const struct seal_key *key, uint32_t cluster, struct actor sender,
	uint64_t instance, uint8_t packet_key[SEAL_PACKET_KEY_LEN]);

/* Is the tag right? Reads header and body at `packet`, leaves both as they are; the deciphered
 * body goes to `body` unless NULL. */
bool seal_check(const uint8_t packet_key[SEAL_PACKET_KEY_LEN], const uint8_t *packet,
	const struct wire_header *h, uint8_t *body);

/* ---- bursts through cryptodev ---- */

struct seal;
struct seal_sender; /* a life that this process speaks as */

enum seal_driver { SEAL_AUTO, SEAL_IPSEC_MB, SEAL_AESNI_GCM, SEAL_AESNI_MB, SEAL_OPENSSL };

struct seal_config {
	enum seal_driver driver;  /* SEAL_AUTO: the fastest that passes its self-test */
	uint32_t cluster;         /* wire_cluster_tag() */
	uint16_t lanes;           /* queue pairs, 1 … SW_LANES_MAX */
	uint16_t senders_max;     /* 1 … SEAL_SENDERS_MAX */
	int numa_node;            /* -1: any */
	struct rte_rcu_qsbr *rcu; /* of the lanes; NULL: nobody runs while the owner works */
	uint64_t first_counter;   /* 0: 1. For tests of the last one */
};

/* After rte_eal_init(): makes a device, tests and measures it. `choice` (SEAL_ERROR_MAX bytes) says
 * in words which one was taken and why. 0 or -errno with `error`. */
int seal_create(const struct seal_config *config, const struct seal_keyring *ring,
	struct seal **seal, char *choice, char *error);
void seal_destroy(struct seal *seal);

/* Takes over another keyring: keys that stay keep their sessions, new ones get sessions for every
 * life that is known, then sending changes over, then keys that are gone are forgotten. -EINVAL: a
 * key id with other bytes than before; -EBUSY: the last change has not passed its grace period;
 * -ENOMEM. On an error nothing has changed. */
int seal_keys_owner(struct seal *seal, const struct seal_keyring *ring, char *error);

/* A life to speak as. NULL: no room. Retire it when no lane can pick it up any more. */
struct seal_sender *seal_sender_create_owner(
	struct seal *seal, struct actor sender, uint64_t instance);
void seal_sender_retire_owner(struct seal_sender *sender);
struct actor seal_sender_actor(const struct seal_sender *sender);

/* A life that was learned from somebody who can be trusted. 0 (also if it is known), -ENOSPC (every
 * place is held by a member), -ENOMEM. */
int seal_life_owner(struct seal *seal, struct actor sender, uint64_t instance);

/* A packet that was SEAL_SENDER to a lane: if it is authentic, its life gets a place, and the
 * packet can be opened by the lane now. 0 (also if somebody else's packet did so before), -EBADMSG
 * (forged), -ENOKEY, -ENOSPC, -ENOMEM. */
int seal_admit_owner(struct seal *seal, const uint8_t *packet, const struct wire_header *h);

/* Whether a life has a place. */
bool seal_knows(const struct seal *seal, struct actor sender, uint64_t instance);

/* Lives outside of this list are the first to lose their place when room is needed. */
void seal_members_owner(struct seal *seal, const struct actor *members, uint32_t count);

/* Often: frees what nobody can be using any more. */
void seal_tick_owner(struct seal *seal);

/* Owner, or whoever is online in RCU: the key id that a life's last good packet had; 0: not heard.
 */
uint8_t seal_life_key(const struct seal *seal, struct actor sender, uint64_t instance);
uint8_t seal_send_id(const struct seal *seal);
uint32_t seal_lives(const struct seal *seal);

enum seal_result {
	SEAL_OK,
	SEAL_RANGE,     /* lane, sender id, epoch or counter that cannot be */
	SEAL_KEY,       /* a key id that is not held */
	SEAL_SENDER,    /* a life that is not in the table (yet): for the owner */
	SEAL_TAG,       /* damaged or forged */
	SEAL_REPLAY,    /* seen before, or too old to tell */
	SEAL_EXHAUSTED, /* sealing: the lane's counters are used up; a new instance is needed */
	SEAL_RESULT_COUNT,
};

/* One packet of a burst; lives on the lane's stack. */
struct seal_packet {
	struct rte_mbuf *mbuf; /* one segment; opening: data_len covers the packet with its tag.
				  Sealing: afterwards it may */
	uint8_t *bytes;        /* the packet: header, body, room for the tag */
	uint16_t offset;       /* of `bytes` from the start of the mbuf's data */
	enum seal_result result;
	const struct seal_sender *sender; /* sealing: who speaks */
	struct wire_header h; /* opening: as read. Sealing: body_len is the caller's, the rest is
				 filled in */
	/* seal's own */
	void *session;
	void *life;
	void *window;
};

/* Opens at most SEAL_BURST packets in place; each gets its result. A body is to be read only if
 * SEAL_OK. */
void seal_open_lane(struct seal *seal, uint16_t lane, struct seal_packet *packets, uint32_t count);

/* Writes headers and seals at most SEAL_BURST packets in place: length WIRE_HEADER_LEN + body_len +
 * WIRE_TAG_LEN. A packet that is not SEAL_OK must not be sent. */
void seal_seal_lane(struct seal *seal, uint16_t lane, struct seal_packet *packets, uint32_t count);
