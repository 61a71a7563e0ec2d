#include "rendezvous/table.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "rendezvous/ranking.h"

enum {
	KEYS_MAX = 1 << 24,
	/* Twice the servers: who joins never needs the slot of one who leaves in the same change.
	 */
	SLOTS_MAX = 2 * SW_MEMBERS_MAX,
	SLOT_BITS = 16,
	NO_SLOT = 0xffff,
	READ_TRIES_MAX = 8,
	/* If more join at once, ranking a key anew costs less than comparing it with each. */
	JOINING_COMPARED_MAX = 8,
};

#define REGISTERED  (1ULL << 63)
#define NO_ENTRY    UINT32_MAX
#define EMPTY_RANKS (REGISTERED | ((1ULL << (SW_OWNER_RANKS * SLOT_BITS)) - 1))

_Static_assert(SW_OWNER_RANKS *SLOT_BITS < 63, "the ranks of a key are one word");
_Static_assert(SLOTS_MAX < NO_SLOT, "no slot is none");

enum slot_state { SLOT_FREE, SLOT_STAYS, SLOT_LEAVES, SLOT_JOINS, SLOT_WEIGHS_ANEW };

struct slot {
	uint64_t hash;
	uint32_t zone;
	uint16_t weight;
	uint8_t state;
};

/* keeper: rw; ranks and slot_ids: others ro */
struct rendezvous_table {
	uint32_t capacity;
	uint32_t used_max;   /* entries from here on were never used */
	uint32_t free_entry; /* a list through handles[] */
	bool changing;
	enum scan_kind scan_kind;
	rendezvous_changed on_changed;
	void *context;
	_Atomic uint64_t *ranks;
	uint64_t *key_hashes;
	uint32_t *handles;
	_Atomic uint64_t slot_ids[SLOTS_MAX];
	struct slot slots[SLOTS_MAX];
	uint16_t free_slots[SLOTS_MAX]; /* a ring: the slot free for longest is taken first */
	uint32_t free_slot_head;
	uint32_t free_slot_count;
	struct ranking active;
	struct ranking joining; /* of the change under way: joined or with a new weight */
	struct rendezvous_table_stats stats;
};

static uint32_t slot_at(uint64_t word, uint32_t rank)
{
	return (uint32_t)(word >> (rank * SLOT_BITS)) & NO_SLOT;
}

static uint64_t pack(const struct candidate *first, uint32_t count)
{
	uint64_t word = EMPTY_RANKS;
	for (uint32_t i = 0; i < count; i++)
		word ^= (uint64_t)(first[i].place ^ NO_SLOT) << (i * SLOT_BITS);
	return word;
}

static struct rendezvous_ranks unpack(const struct rendezvous_table *table, uint64_t word)
{
	struct rendezvous_ranks ranks = {0};
	for (uint32_t i = 0; i < SW_OWNER_RANKS && slot_at(word, i) != NO_SLOT; i++)
		ranks.ids[ranks.count++] = atomic_load_explicit(
			&table->slot_ids[slot_at(word, i)], memory_order_acquire);
	return ranks;
}

static uint64_t rank_anew(struct rendezvous_table *table, uint64_t key_hash)
{
	struct candidate first[SW_OWNER_RANKS];
	table->stats.ranked++;
	uint32_t count = ranking_first(&table->active, key_hash, first);
	return pack(first, count);
}

static struct candidate candidate_at(
	const struct rendezvous_table *table, uint64_t key_hash, uint32_t slot)
{
	uint64_t weight = rendezvous_weight(key_hash, table->slots[slot].hash);
	uint64_t score = 0;
	if (!table->active.same_weight)
		score = rendezvous_score(weight, table->slots[slot].weight);
	uint64_t id = atomic_load_explicit(&table->slot_ids[slot], memory_order_relaxed);
	return (struct candidate){score, weight, id, slot, table->slots[slot].zone};
}

static uint64_t put_in(const struct rendezvous_table *table, uint64_t key_hash, uint64_t word,
	const struct candidate *joining)
{
	struct candidate first[SW_OWNER_RANKS];
	uint32_t count = 0;
	for (; count < SW_OWNER_RANKS && slot_at(word, count) != NO_SLOT; count++)
		first[count] = candidate_at(table, key_hash, slot_at(word, count));
	count = insert_candidate(first, count, SW_OWNER_RANKS, joining);
	return pack(first, count);
}

static uint64_t rank_joining(struct rendezvous_table *table, uint64_t key_hash, uint64_t word)
{
	const struct ranking *joining = &table->joining;
	struct candidate last = {0}; /* nobody: everybody comes before it */
	uint32_t slot = slot_at(word, SW_OWNER_RANKS - 1);
	table->stats.compared++;
	if (slot != NO_SLOT)
		last = candidate_at(table, key_hash, slot);
	for (uint32_t i = 0; i < joining->count; i++) {
		struct candidate candidate = candidate_at(table, key_hash, joining->places[i]);
		if (slot != NO_SLOT && !is_before(&candidate, &last))
			continue;
		word = put_in(table, key_hash, word, &candidate);
		slot = slot_at(word, SW_OWNER_RANKS - 1);
		if (slot != NO_SLOT)
			last = candidate_at(table, key_hash, slot);
	}
	return word;
}

/* Zone-aware, the ranks are not in the order of their scores: the joining one may come in as soon
 * as it is before any of them, or is the first that is of another zone. */
static bool may_enter_zones(const struct rendezvous_table *table, uint64_t key_hash, uint64_t word)
{
	struct candidate least = {0};
	uint32_t count = 0, zones[SW_OWNER_RANKS];
	for (; count < SW_OWNER_RANKS && slot_at(word, count) != NO_SLOT; count++) {
		struct candidate kept = candidate_at(table, key_hash, slot_at(word, count));
		if (count == 0 || is_before(&least, &kept))
			least = kept;
		zones[count] = kept.zone;
	}
	for (uint32_t i = 0; i < table->joining.count; i++) {
		struct candidate c = candidate_at(table, key_hash, table->joining.places[i]);
		if (count < SW_OWNER_RANKS || is_before(&c, &least))
			return true;
		if (zones[0] == zones[1] && c.zone != zones[0])
			return true;
	}
	return false;
}

static uint64_t rank_joining_zones(struct rendezvous_table *table, uint64_t key_hash, uint64_t word)
{
	table->stats.compared++;
	return may_enter_zones(table, key_hash, word) ? rank_anew(table, key_hash) : word;
}

static bool must_rank_anew(const struct rendezvous_table *table, uint64_t word)
{
	if (table->joining.count > JOINING_COMPARED_MAX)
		return true;
	for (uint32_t i = 0; i < SW_OWNER_RANKS && slot_at(word, i) != NO_SLOT; i++)
		if (table->slots[slot_at(word, i)].state != SLOT_STAYS)
			return true;
	return false;
}

static void rank_all(struct rendezvous_table *table)
{
	for (uint32_t i = 0; i < table->used_max; i++) {
		uint64_t before = atomic_load_explicit(&table->ranks[i], memory_order_relaxed);
		uint64_t after = before;
		if (!(before & REGISTERED))
			continue;
		if (must_rank_anew(table, before))
			after = rank_anew(table, table->key_hashes[i]);
		else if (table->joining.count > 0)
			after = table->active.zone_aware
					? rank_joining_zones(table, table->key_hashes[i], before)
					: rank_joining(table, table->key_hashes[i], before);
		if (after == before)
			continue;
		/* Release: who sees the word sees the ids of its slots. */
		atomic_store_explicit(&table->ranks[i], after, memory_order_release);
		table->stats.changed++;
		if (table->on_changed) {
			struct rendezvous_ranks old = unpack(table, before);
			struct rendezvous_ranks new = unpack(table, after);
			table->on_changed(table->context, table->handles[i], &old, &new);
		}
	}
}

static uint32_t find_slot(const struct rendezvous_table *table, uint64_t id)
{
	for (uint32_t i = 0; i < table->active.count; i++)
		if (table->active.ids[i] == id)
			return table->active.places[i];
	return NO_SLOT;
}

static bool has_twice(const struct rendezvous_server *servers, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (servers[i].id == servers[j].id)
				return true;
	return false;
}

static int check_servers(const struct rendezvous_server *servers, uint32_t n)
{
	if (n > SW_MEMBERS_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < n; i++) {
		if (servers[i].weight == 0 || servers[i].weight > SW_WEIGHT_MAX)
			return -EINVAL;
		assert(servers[i].hash == rendezvous_server_hash(servers[i].id));
	}
	return has_twice(servers, n) ? -EINVAL : 0;
}

static uint32_t take_slot(struct rendezvous_table *table, uint64_t id)
{
	assert(table->free_slot_count > 0);
	uint32_t slot = table->free_slots[table->free_slot_head];
	table->free_slot_head = (table->free_slot_head + 1) % SLOTS_MAX;
	table->free_slot_count--;
	atomic_store_explicit(&table->slot_ids[slot], id, memory_order_release);
	return slot;
}

static void free_slot(struct rendezvous_table *table, uint32_t slot)
{
	uint32_t tail = (table->free_slot_head + table->free_slot_count) % SLOTS_MAX;
	table->free_slots[tail] = (uint16_t)slot;
	table->free_slot_count++;
	table->slots[slot].state = SLOT_FREE;
}

static bool stays(const struct rendezvous_table *table, const struct slot *slot,
	const struct rendezvous_server *server)
{
	return slot->weight == server->weight &&
	       (!table->active.zone_aware || slot->zone == server->zone);
}

/* What this change means to the server's slot, and to the lists of the new set. */
static void take_server(
	struct rendezvous_table *table, const struct rendezvous_server *server, uint32_t at)
{
	bool joins = at == NO_SLOT;
	if (joins)
		at = take_slot(table, server->id);
	struct slot *slot = &table->slots[at];
	if (joins)
		slot->state = SLOT_JOINS;
	else
		slot->state = stays(table, slot, server) ? SLOT_STAYS : SLOT_WEIGHS_ANEW;
	slot->hash = server->hash;
	slot->zone = server->zone;
	slot->weight = server->weight;
	ranking_add(&table->active, server, at);
	if (slot->state != SLOT_STAYS)
		ranking_add(&table->joining, server, at);
}

/* Makes `active` and `joining` of the new set and marks the slots. False if it is the set of
 * before. */
static bool take_servers(
	struct rendezvous_table *table, const struct rendezvous_server *servers, uint32_t n)
{
	uint16_t slots[SW_MEMBERS_MAX];
	uint32_t count_before = table->active.count, known = 0;
	for (uint32_t i = 0; i < n; i++) {
		slots[i] = (uint16_t)find_slot(table, servers[i].id);
		known += slots[i] != NO_SLOT;
	}
	for (uint32_t i = 0; i < count_before; i++)
		table->slots[table->active.places[i]].state = SLOT_LEAVES;
	ranking_clear(&table->active);
	ranking_clear(&table->joining);
	for (uint32_t i = 0; i < n; i++)
		take_server(table, &servers[i], slots[i]);
	ranking_prepare(&table->active);
	return known < count_before || table->joining.count > 0;
}

static void settle_slots(struct rendezvous_table *table)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		if (table->slots[i].state == SLOT_LEAVES)
			free_slot(table, i);
		else if (table->slots[i].state != SLOT_FREE)
			table->slots[i].state = SLOT_STAYS;
	}
}

int rendezvous_table_servers(
	struct rendezvous_table *table, const struct rendezvous_server *servers, uint32_t n)
{
	assert(!table->changing);
	int rc = check_servers(servers, n);
	if (rc < 0)
		return rc;
	if (!take_servers(table, servers, n))
		return 0;
	table->changing = true;
	table->stats.changes++;
	rank_all(table);
	settle_slots(table);
	table->changing = false;
	return 0;
}

int rendezvous_table_register(
	struct rendezvous_table *table, uint64_t key_hash, uint32_t handle, uint32_t *entry)
{
	assert(!table->changing);
	uint32_t i = table->free_entry;
	if (i != NO_ENTRY)
		table->free_entry = table->handles[i];
	else if (table->used_max < table->capacity)
		i = table->used_max++;
	else
		return -ENOSPC;
	table->key_hashes[i] = key_hash;
	table->handles[i] = handle;
	atomic_store_explicit(&table->ranks[i], rank_anew(table, key_hash), memory_order_release);
	table->stats.keys++;
	*entry = i;
	return 0;
}

void rendezvous_table_unregister(struct rendezvous_table *table, uint32_t entry)
{
	assert(!table->changing);
	assert(entry < table->used_max);
	assert(atomic_load_explicit(&table->ranks[entry], memory_order_relaxed) & REGISTERED);
	atomic_store_explicit(&table->ranks[entry], 0, memory_order_release);
	table->handles[entry] = table->free_entry;
	table->free_entry = entry;
	table->stats.keys--;
}

bool rendezvous_table_read_reader(
	const struct rendezvous_table *table, uint32_t entry, struct rendezvous_ranks *ranks)
{
	if (entry >= table->capacity)
		return false;
	uint64_t word = atomic_load_explicit(&table->ranks[entry], memory_order_acquire);
	for (int i = 0; i < READ_TRIES_MAX && word & REGISTERED; i++) {
		*ranks = unpack(table, word);
		uint64_t again = atomic_load_explicit(&table->ranks[entry], memory_order_acquire);
		if (again == word)
			return true;
		word = again;
	}
	return false;
}

void rendezvous_table_stats(
	const struct rendezvous_table *table, struct rendezvous_table_stats *stats)
{
	*stats = table->stats;
	stats->servers = table->active.count;
	stats->instructions = scan_name(table->scan_kind);
}

int rendezvous_table_create(uint32_t key_count_max, rendezvous_changed on_changed, void *context,
	struct rendezvous_table **table_out)
{
	if (key_count_max == 0 || key_count_max > KEYS_MAX)
		return -EINVAL;
	struct rendezvous_table *table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->capacity = key_count_max;
	table->free_entry = NO_ENTRY;
	table->on_changed = on_changed;
	table->context = context;
	ranking_clear(&table->active);
	(void)rendezvous_table_use(table, scan_best());
	table->ranks = calloc(key_count_max, sizeof(table->ranks[0]));
	table->key_hashes = calloc(key_count_max, sizeof(table->key_hashes[0]));
	table->handles = calloc(key_count_max, sizeof(table->handles[0]));
	if (!table->ranks || !table->key_hashes || !table->handles) {
		rendezvous_table_destroy(table);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		free_slot(table, i);
	*table_out = table;
	return 0;
}

int rendezvous_table_use(struct rendezvous_table *table, enum scan_kind kind)
{
	scan_function scan = scan_of(kind);
	if (scan == NULL)
		return -ENOTSUP;
	table->scan_kind = kind;
	table->active.scan = scan;
	return 0;
}

void rendezvous_table_zone_aware(struct rendezvous_table *table)
{
	assert(table->stats.changes == 0);
	table->active.zone_aware = true;
}

void rendezvous_table_destroy(struct rendezvous_table *table)
{
	if (!table)
		return;
	free(table->ranks);
	free(table->key_hashes);
	free(table->handles);
	free(table);
}
