/* The states of single replicas that a search has reached, each once, by number, and what each
 * makes of each step. A step touches one replica: what comes of it depends on that replica's state,
 * on the packet, and on little that the step says (whose epoch is learned). So the real code runs
 * once for each state of a replica and each step, however many states of the others stand beside
 * it; a state of the world is a few numbers.
 *
 * States are told apart by world_hash_replica(). That two with one hash go on equally is checked:
 * whenever the code reaches a known state by another way, what it makes of packets is compared.
 */
#pragma once

#include "map_world.h"

enum { LOCAL_NONE = UINT32_MAX };

/* What can still matter to it. */
struct local_facts {
	bool open, begun; /* it takes a session */
	uint64_t nonce;
	uint32_t snapshot;
	uint64_t got; /* packets of it */
	uint64_t floor;
};

struct local {
	uint64_t hash;
	struct local_facts facts;
	struct node *node; /* cut off behind the vector's entries */
	uint8_t *diff;     /* of its memory; NULL: it does not run */
	uint32_t diff_len;
	uint32_t first_edge; /* + 1, of those that were made */
	uint8_t replica;
};

/* A step from a state. */
struct edge {
	uint32_t to; /* LOCAL_NONE: it is not possible */
	uint32_t sent_first, collecting_first;
	uint16_t sent_count, collecting_count;
};

/* Snapshots of sessions are taken in one go; else record by record. */
void locals_begin(const struct world *start, bool whole_snapshots);
void locals_end(void);
/* Of the replicas that a world was started with: each one's first state. */
uint32_t local_first(const struct world *w, uint32_t replica);
/* In `states`, those of all. `packet`: of STEP_DELIVER; `again`: how often it came before, where
 * that counts. The pointer is good until the next call. */
const struct edge *local_step(const uint32_t states[REPLICAS_MAX], const struct step *step,
	uint32_t packet, uint32_t again);
uint32_t edge_number(const struct edge *edge);
const struct edge *edge_at(uint32_t number);
uint32_t edge_sent(const struct edge *edge, uint32_t i);
const struct collecting *edge_collecting(const struct edge *edge, uint32_t i);
const struct local *local_at(uint32_t state);
void local_node(uint32_t state, struct node *node);
/* What is the same in all states of the world. */
void local_common(struct world *w);
/* Into the replica's memory. */
void local_load(uint32_t state);
uint32_t local_count(void);
uint64_t local_edges(void);
/* States that were reached by another way and compared; NULL, or what was unequal. */
uint64_t local_compared(void);
const char *local_unequal(void);
