/* Counters and sets as records of the map, so that they are replicated, kept and restored as all
 * others are.
 *
 * Reserved keys. A key that begins with a NUL byte is one of these, and no user's key does (a key
 * in the RPC is text, which holds no NUL):
 *
 *   counter   00 'c' len name id(8) epoch(4)    one cell for each life of a server that added
 *   set       00 's' len name element           one record for each element
 *
 * The name's length stands in front of it, so that no name is another one's beginning.
 *
 * A counter is the sum of its cells. Only the life that a cell is named after writes it, so there
 * are no concurrent writes of a cell, and no add is lost under merge (a PN-counter: Shapiro et al.,
 * Conflict-free Replicated Data Types, 2011; one signed sum a cell, since a cell has one writer). A
 * server's later life takes the cells of its earlier ones over: it lists them in its own cell with
 * their number of adds (of two states of one life the one with more adds is right, so adding the
 * list twice changes nothing), and once everybody holds that list the old cells are retired. More
 * than TYPED_LIVES_MAX lives in the list: the oldest are summed into the base. An add of a life
 * that far back, which nobody alive has shown until then, no longer counts.
 *
 * An element of a set is a register: added (an empty value) or removed (a tombstone). Who knew of
 * the other wins; of an add and a removal that did not, the larger stamp does, as of any two
 * writes.
 *
 * Functions ending in _owner: the keeper. The others are pure; any core.
 */
#pragma once

#include "deltamap/deltamap.h"

enum {
	TYPED_NAME_MAX = 240,
	TYPED_LIVES_MAX = 32,
	TYPED_CELL_MAX = 38 + TYPED_LIVES_MAX * 20,
	TYPED_REPAIRS_MAX = 8,
	TYPED_TOTAL_MAX = 4096,
};

enum typed_kind { TYPED_COUNTER = 'c', TYPED_SET = 's' };

/* A reserved key, read. Points into the key. */
struct typed_key {
	enum typed_kind kind;
	const uint8_t *name;
	uint8_t name_len;
	struct actor actor;     /* of a counter's cell */
	const uint8_t *element; /* of a set */
	uint8_t element_len;
};

static inline bool typed_is_reserved(const void *key, size_t len)
{
	return len > 0 && *(const uint8_t *)key == 0;
}

/* The beginning of all keys of a counter or set; its length, 0 if the name is empty or too long. */
size_t typed_prefix(
	uint8_t key[SW_KEY_MAX], enum typed_kind kind, const void *name, size_t name_len);
/* Whole keys; their length, 0 if a part is empty or it does not fit. */
size_t typed_counter_key(
	uint8_t key[SW_KEY_MAX], const void *name, size_t name_len, struct actor actor);
size_t typed_element_key(uint8_t key[SW_KEY_MAX], const void *name, size_t name_len,
	const void *element, size_t element_len);
/* False if it is not one of these. */
bool typed_parse(const void *key, size_t len, struct typed_key *out);

/* ---- a counter's cell ---- */

struct typed_life {
	uint32_t epoch;
	uint64_t adds; /* how often it added: which of two states is the later one */
	int64_t sum;
};

struct typed_cell {
	uint64_t adds;
	int64_t sum;
	/* earlier lives of the same server: those up to `through` together, then one by one */
	uint32_t through;
	uint64_t base_adds;
	int64_t base;
	uint32_t life_count;
	struct typed_life lives[TYPED_LIVES_MAX]; /* by epoch, all above `through` */
};

/* `value`: TYPED_CELL_MAX bytes. */
size_t typed_cell_encode(const struct typed_cell *cell, uint8_t *value);
bool typed_cell_decode(struct typed_cell *cell, const void *value, size_t len);
/* Takes the cell of an earlier life, with all that it lists, into the cell of a later one. False if
 * nothing changed. */
bool typed_cell_fold(struct typed_cell *cell, uint32_t epoch, const struct typed_cell *earlier);
/* Two states of one cell. False if nothing changed. */
bool typed_cell_join(struct typed_cell *cell, const struct typed_cell *other);

/* The sum of cells in any order, each any number of times. */
struct typed_total {
	uint32_t count;
	bool failed; /* a cell that is none, or more than TYPED_TOTAL_MAX lives */
	struct typed_total_life {
		struct actor actor; /* epoch: of the life, or through which a base reaches */
		bool base;
		uint64_t adds;
		int64_t sum;
	} lives[TYPED_TOTAL_MAX];
};

/* Any record; what is not a cell of a counter is left out. */
void typed_total_add(struct typed_total *total, const struct map_view *view);
/* 0; -ERANGE if it does not fit, -EBADMSG if `failed`. */
int typed_total_sum(const struct typed_total *total, int64_t *sum);

/* ---- writing ----
 * 0 and *dot; what map_put_owner() and map_del_owner() return; -EMSGSIZE or -EINVAL for a name or
 * element that is too long or empty; -EBADMSG if the cell that is there is none. */

/* *sum: what this life has added in all. -ERANGE if that would not fit. */
int typed_add_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *name,
	size_t name_len, int64_t delta, struct dot *dot, int64_t *sum);
/* Takes over the cell of an earlier life of this server; *dot is that of this life's cell, also if
 * it had it already. -ENOENT if there is no such cell. */
int typed_fold_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *name,
	size_t name_len, uint32_t epoch, struct dot *dot);
/* Retires a cell that this life's own lists as it is; -EAGAIN if it does not. Only once all others
 * hold that list: else they would miss those adds until it comes. */
int typed_retire_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *name,
	size_t name_len, uint32_t epoch, struct dot *dot);

/* A cell can be written by another than its life in one case: a server that kept it over a
 * reconciliation writes it anew. If that state is older than this life's own, it is put right. */
struct typed_repairs {
	uint32_t count;
	uint64_t lost; /* there was no room to remember it */
	struct typed_repair {
		uint8_t key_len;
		uint16_t value_len;
		uint8_t key[SW_KEY_MAX];
		uint8_t value[TYPED_CELL_MAX];
	} items[TYPED_REPAIRS_MAX];
};

/* From on_displaced. */
void typed_displaced(
	struct typed_repairs *repairs, struct actor self, const struct map_view *displaced);
/* After the packet, before any local write. */
void typed_repair_owner(
	struct typed_repairs *repairs, struct map *map, uint64_t now_ns, uint64_t wall_ms);
