/* The ownership table: the first SW_OWNER_RANKS servers of each registered key, kept up to date.
 *
 * One writer, the keeper: it registers keys and says which servers there are. A change of servers
 * touches only the keys that it can: who leaves, those that it was among the first of; who joins,
 * those where it beats the last kept; a changed weight is both. The result is what ranking every
 * key anew would give.
 *
 * Readers on any core, lock-free and in bounded time. A key's ranks are one word of server slots. A
 * slot means one server from its join to its leave and is not taken again in the change in which it
 * became free; the word is stored before a freed slot can be. So a reader that finds the word
 * unchanged after it looked up the ids has the ranks of one moment, or of two that the word came
 * back in between; if not it looks again.
 *
 * All memory is taken at create: 20 bytes a key. No allocation, lock or system call after that.
 */
#pragma once

#include <stdbool.h>

#include "rendezvous/rendezvous.h"
#include "rendezvous/scan.h"

struct rendezvous_table;

struct rendezvous_ranks {
	uint32_t count; /* fewer than SW_OWNER_RANKS only where there are fewer servers */
	uint64_t ids[SW_OWNER_RANKS];
};

struct rendezvous_table_stats {
	uint64_t keys;
	uint64_t servers;
	uint64_t changes;         /* of the set of servers */
	uint64_t ranked;          /* keys ranked in full, for a change or at registration */
	uint64_t compared;        /* keys compared with those who joined, no more */
	uint64_t changed;         /* keys whose ranks a change of servers changed */
	const char *instructions; /* what ranks: scalar, avx2, avx512 */
};

/* A key's ranks changed. Called from rendezvous_table_servers(), by the writer; it must not
 * register or unregister keys or change the servers. */
typedef void (*rendezvous_changed)(void *context, uint32_t handle,
	const struct rendezvous_ranks *before, const struct rendezvous_ranks *after);

/* key_count_max: 1 … 2^24. on_changed may be NULL. 0, -EINVAL, -ENOMEM. */
int rendezvous_table_create(uint32_t key_count_max, rendezvous_changed on_changed, void *context,
	struct rendezvous_table **table);
void rendezvous_table_destroy(struct rendezvous_table *table);

/* Before there are any servers: ranks are zone-aware (rendezvous.h). Every server of a cluster must
 * be told the same, or they disagree on who is second. */
void rendezvous_table_zone_aware(struct rendezvous_table *table);
/* For tests and benchmarks: another way to compute the same. -ENOTSUP if this machine cannot. */
int rendezvous_table_use(struct rendezvous_table *table, enum scan_kind kind);

/* Writer. Registers a key and ranks it; `handle` is the caller's own number for it, given back in
 * on_changed. *entry: where to read it from then on. The same key may be registered more than once.
 * 0; -ENOSPC if the table is full. */
int rendezvous_table_register(
	struct rendezvous_table *table, uint64_t key_hash, uint32_t handle, uint32_t *entry);
/* Writer. The entry may be given to another key later; readers of it must have been told before. */
void rendezvous_table_unregister(struct rendezvous_table *table, uint32_t entry);

/* Writer. The servers that there are from now on, all of them, in any order. Nothing changes on an
 * error: -EINVAL (a weight of 0 or above SW_WEIGHT_MAX, an id twice), -E2BIG (more than
 * SW_MEMBERS_MAX). */
int rendezvous_table_servers(
	struct rendezvous_table *table, const struct rendezvous_server *servers, uint32_t n);

/* Any core. False if no key is registered there, or in the unheard-of case that its ranks changed
 * eight times while they were read. */
bool rendezvous_table_read_reader(
	const struct rendezvous_table *table, uint32_t entry, struct rendezvous_ranks *ranks);

/* Writer. */
void rendezvous_table_stats(
	const struct rendezvous_table *table, struct rendezvous_table_stats *stats);
