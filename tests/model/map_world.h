/* A few replicas, each the real `struct map` through its public header, packets as bytes; what
 * membership tells them; and what they did, kept by a history of its own.
 *
 * Time is taken out: each replica has a clock that only a step moves, as far as that step needs
 * (a pull begins now, what is missing is asked for again now). What is sent goes to the driver,
 * which gives it back when, as often and in whichever order it likes. The explorer (map_explore.h)
 * tries every order, the swarm (map_swarm.h) draws them.
 *
 * One world at a time: the replicas' memory (map_image.h) has one place.
 */
#pragma once

#include "deltamap/deltamap.h"
#include "fingerprints.h"

enum {
	REPLICAS_MAX = 4,
	KEYS = 2,
	WRITES_EACH_MAX = 16, /* of each replica, all its lives together */
	WRITES_MAX = REPLICAS_MAX * WRITES_EACH_MAX,
	HISTORY_MAX = 512, /* records under their dots and stamps */
	COLLECTED_MAX = 256,
};

/* One packet, as the network has it. */
struct packet {
	uint8_t from, to;
	uint16_t number; /* of those that `from` has sent in all its lives */
	uint16_t len;
	uint32_t epoch;
	uint64_t last_seq, floor;
	uint8_t bytes[WIRE_MESSAGES_MAX];
};

/* A record that was seen somewhere. */
struct written {
	uint8_t key;
	bool tombstone;
	uint8_t origin; /* which write its value comes from */
	uint16_t after; /* so many tombstones had been collected when it was first seen */
	uint64_t clock, weight;
	struct dot author, dot;
};

/* A tombstone that a replica collected. */
struct collected {
	uint8_t key, origin;
	uint8_t by;   /* replica */
	uint8_t life; /* of that replica */
	uint64_t clock, weight;
	struct dot author;
	uint64_t unseen; /* of the writes that it replaced: those its vector did not cover then */
};

struct node {
	bool up;
	bool ready;
	uint8_t life;
	uint8_t writes;      /* as the next ones in all lives together */
	uint16_t pulls;      /* and reports */
	uint16_t sent;       /* packets */
	uint32_t last_epoch; /* the largest that it has had */
	uint32_t epoch;
	uint64_t now_ns;
	uint32_t sees[REPLICAS_MAX];  /* the epoch it knows of each; 0: never heard of it */
	bool forgotten[REPLICAS_MAX]; /* in its eyes */
	uint16_t held[KEYS];          /* in `history`, + 1; 0: absent */
	/* What it holds, and how far its vector reaches, after its last step. */
	bool holds[KEYS];
	struct written records[KEYS];
	struct version_vector vector;
};

/* A tombstone that is collected in a step, and the vector of that moment. */
struct collecting {
	struct collected what;
	uint8_t unheard; /* bit b: the replica had never heard of b */
	struct version_vector vector;
};

/* All of the world but the replicas' memory. Plain: copied as it is. */
struct world {
	uint8_t replicas;
	bool long_values;     /* two never share a packet */
	bool same_epochs;     /* a mutation: who starts anew takes its old epoch */
	bool forgotten_go_on; /* who was forgotten comes back under a new epoch */
	uint16_t history_count, collected_count;
	/* Bit b: a has ever forgotten b, or collected while it had not heard of b yet. */
	uint8_t parted[REPLICAS_MAX];
	struct node nodes[REPLICAS_MAX];
	uint64_t replaced[WRITES_MAX]; /* of each write: all that it and those that it replaced did
					*/
	uint8_t previous[WRITES_MAX];  /* of each write: the one that it replaced, + 1 */
	struct written history[HISTORY_MAX];
	struct collected collected[COLLECTED_MAX];
};

enum step_kind {
	STEP_PUT,     /* a writes key b */
	STEP_DELETE,  /* a deletes key b */
	STEP_PULL,    /* a pulls from b; what it was pulling is given up */
	STEP_RESEND,  /* a waited long enough for what it asked */
	STEP_RESTART, /* a loses everything and starts under a new epoch */
	STEP_LEARN,   /* a's membership hears of b as it is: its epoch, and that it is not forgotten
		       */
	STEP_FORGET,  /* a's membership waits for b no longer */
	STEP_GO_ON,   /* a goes on under a new epoch, its map kept */
	STEP_REPORT,  /* a tells b its vector */
	STEP_PROBE,   /* a hears b's hashes as they are now */
	STEP_SILENCE, /* a has waited long enough to declare itself the first */
	STEP_TICK,    /* a does what it has yet to do by itself */
	STEP_DELIVER, /* packet `what` arrives */
	STEP_KINDS,
};

struct step {
	enum step_kind kind;
	uint8_t a, b;
	uint16_t what;
};

/* Takes what a replica sends, or each step and what it was made of. */
typedef void (*world_sink)(void *context, const struct packet *packet);

/* All replicas but the last `late` run and know each other; those start when STEP_RESTART says so.
 */
void world_start(struct world *w, uint8_t replicas, uint8_t late, bool long_values);
/* What a step would do has no effect where it is not possible, and false is returned. `packet` is
 * STEP_DELIVER's. *broken: what no longer holds, or NULL. */
bool world_step(struct world *w, const struct step *step, const struct packet *packet,
	world_sink sink, void *context, const char **broken);
/* The same, but nothing is kept in the history or checked. */
bool world_act(struct world *w, const struct step *step, const struct packet *packet,
	world_sink sink, void *context);
/* A session is gathered record by record, one with each step of its server: to its end, now. */
void world_go_on(struct world *w, uint32_t a, world_sink sink, void *context);
/* Everybody sees everybody's newest life and forgets nobody; packets arrive, in order; until all
 * have pulled from all a few times. Then all must agree. NULL, or what is wrong. The replicas are
 * not what they were. */
const char *world_heal(struct world *w);
/* As it, but ends with NULL when `known` says that the faults' end was seen to go well from here:
 * of two moments with equal keys it goes on equally. */
typedef bool (*world_known)(void *context, struct fingerprint key);
const char *world_heal_until(struct world *w, world_known known, void *context);
/* The corners that are known in which a deleted key comes back (docs/map-proof.md). world_heal()
 * returns one of these only if nothing else is wrong. */
enum { CORNERS = 4 };
extern const char *const world_corners[CORNERS];
bool world_is_corner(const char *broken);
/* Of one replica, with its place in the world: equal hashes go on equally. */
uint64_t world_hash_replica(const struct world *w, uint32_t replica);
/* Of all that the replicas do not hold themselves. */
uint64_t world_hash_rest(const struct world *w);
struct map *world_map(uint32_t replica);
/* Of all lives so far. */
const struct map_counters *world_counters(uint32_t replica);
/* Is told of each step that was possible, before it is made; NULL: nobody. */
void world_watch(void (*watch)(void *context, const struct step *step, const struct packet *packet),
	void *context);
void world_describe(const struct step *step, const struct packet *packet, char *text, size_t size);
void world_describe_replica(const struct world *w, uint32_t a, char *text, size_t size);
void world_describe_state(const struct world *w, char *text, size_t size);
