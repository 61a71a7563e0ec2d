#include "deltamap/typed.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { CELL_VERSION = 1, ACTOR_LEN = 12 };

_Static_assert(3 + TYPED_NAME_MAX + ACTOR_LEN <= SW_KEY_MAX, "a cell's key fits");
_Static_assert(SW_KEY_MAX + TYPED_CELL_MAX <= MAP_PAYLOAD_MAX, "a cell fits its record");

/* ---- keys ---- */

size_t typed_prefix(
	uint8_t key[SW_KEY_MAX], enum typed_kind kind, const void *name, size_t name_len)
{
	if (name_len == 0 || name_len > TYPED_NAME_MAX)
		return 0;
	key[0] = 0;
	key[1] = (uint8_t)kind;
	key[2] = (uint8_t)name_len;
	memcpy(key + 3, name, name_len);
	return 3 + name_len;
}

size_t typed_counter_key(
	uint8_t key[SW_KEY_MAX], const void *name, size_t name_len, struct actor actor)
{
	size_t len = typed_prefix(key, TYPED_COUNTER, name, name_len);
	if (len == 0)
		return 0;
	struct sw_writer w = sw_writer_init(key + len, ACTOR_LEN);
	sw_put_u64(&w, actor.id);
	sw_put_u32(&w, actor.epoch);
	return len + ACTOR_LEN;
}

size_t typed_element_key(uint8_t key[SW_KEY_MAX], const void *name, size_t name_len,
	const void *element, size_t element_len)
{
	size_t len = typed_prefix(key, TYPED_SET, name, name_len);
	if (len == 0 || element_len == 0 || len + element_len > SW_KEY_MAX)
		return 0;
	memcpy(key + len, element, element_len);
	return len + element_len;
}

bool typed_parse(const void *key, size_t len, struct typed_key *out)
{
	const uint8_t *k = key;
	if (len < 4 || k[0] != 0 || (k[1] != TYPED_COUNTER && k[1] != TYPED_SET) || k[2] == 0 ||
		len < 4u + k[2])
		return false;
	size_t rest = len - 3 - k[2];
	*out = (struct typed_key){.kind = (enum typed_kind)k[1], .name = k + 3, .name_len = k[2]};
	if (out->kind == TYPED_SET) {
		out->element = k + 3 + k[2];
		out->element_len = (uint8_t)rest;
		return true;
	}
	struct sw_reader r = sw_reader_init(k + 3 + k[2], rest);
	out->actor.id = sw_get_u64(&r);
	out->actor.epoch = sw_get_u32(&r);
	return rest == ACTOR_LEN;
}

/* ---- a counter's cell ---- */

static uint8_t *put_u64(uint8_t *at, uint64_t v)
{
	v = htobe64(v);
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static uint8_t *put_u32(uint8_t *at, uint32_t v)
{
	v = htobe32(v);
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

/* The buffer holds the largest cell, so nothing is checked. */
size_t typed_cell_encode(const struct typed_cell *c, uint8_t *value)
{
	uint8_t *at = value;
	assert(c->life_count <= TYPED_LIVES_MAX);
	*at++ = CELL_VERSION;
	*at++ = (uint8_t)c->life_count;
	at = put_u64(at, c->adds);
	at = put_u64(at, (uint64_t)c->sum);
	at = put_u32(at, c->through);
	at = put_u64(at, c->base_adds);
	at = put_u64(at, (uint64_t)c->base);
	for (uint32_t i = 0; i < c->life_count; i++) {
		at = put_u32(at, c->lives[i].epoch);
		at = put_u64(at, c->lives[i].adds);
		at = put_u64(at, (uint64_t)c->lives[i].sum);
	}
	return (size_t)(at - value);
}

bool typed_cell_decode(struct typed_cell *c, const void *value, size_t len)
{
	struct sw_reader r = sw_reader_init(value, len);
	memset(c, 0, sizeof(*c));
	if (sw_get_u8(&r) != CELL_VERSION)
		return false;
	c->life_count = sw_get_u8(&r);
	c->adds = sw_get_u64(&r);
	c->sum = (int64_t)sw_get_u64(&r);
	c->through = sw_get_u32(&r);
	c->base_adds = sw_get_u64(&r);
	c->base = (int64_t)sw_get_u64(&r);
	if (c->life_count > TYPED_LIVES_MAX)
		return false;
	uint32_t below = c->through;
	for (uint32_t i = 0; i < c->life_count; i++) {
		struct typed_life *l = &c->lives[i];
		l->epoch = sw_get_u32(&r);
		l->adds = sw_get_u64(&r);
		l->sum = (int64_t)sw_get_u64(&r);
		if (l->epoch <= below)
			return false;
		below = l->epoch;
	}
	return !r.failed && sw_reader_left(&r) == 0;
}

/* A base has no room to refuse: it wraps, the same way everywhere. */
static int64_t add_wrapping(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void drop_oldest(struct typed_cell *c)
{
	c->life_count--;
	memmove(&c->lives[0], &c->lives[1], c->life_count * sizeof(c->lives[0]));
}

static bool take_base(struct typed_cell *c, const struct typed_cell *other)
{
	if (other->through < c->through ||
		(other->through == c->through && other->base_adds <= c->base_adds))
		return false;
	c->through = other->through;
	c->base = other->base;
	c->base_adds = other->base_adds;
	while (c->life_count > 0 && c->lives[0].epoch <= c->through)
		drop_oldest(c);
	return true;
}

static bool take_life(struct typed_cell *c, struct typed_life life)
{
	uint32_t i = 0;
	if (life.epoch <= c->through)
		return false;
	while (i < c->life_count && c->lives[i].epoch < life.epoch)
		i++;
	if (i < c->life_count && c->lives[i].epoch == life.epoch) {
		if (life.adds <= c->lives[i].adds)
			return false;
		c->lives[i] = life;
		return true;
	}
	if (c->life_count == TYPED_LIVES_MAX) {
		/* The oldest of all of them is the one that goes into the base. */
		struct typed_life oldest = i == 0 ? life : c->lives[0];
		if (i > 0) {
			drop_oldest(c);
			i--;
		}
		c->base = add_wrapping(c->base, oldest.sum);
		c->base_adds += oldest.adds;
		c->through = oldest.epoch;
		if (oldest.epoch == life.epoch)
			return true;
	}
	memmove(&c->lives[i + 1], &c->lives[i], (c->life_count - i) * sizeof(c->lives[0]));
	c->lives[i] = life;
	c->life_count++;
	return true;
}

bool typed_cell_join(struct typed_cell *c, const struct typed_cell *other)
{
	bool changed = take_base(c, other);
	for (uint32_t i = 0; i < other->life_count; i++)
		changed |= take_life(c, other->lives[i]);
	if (other->adds > c->adds) {
		c->adds = other->adds;
		c->sum = other->sum;
		changed = true;
	}
	return changed;
}

bool typed_cell_fold(struct typed_cell *c, uint32_t epoch, const struct typed_cell *earlier)
{
	bool changed = take_base(c, earlier);
	for (uint32_t i = 0; i < earlier->life_count; i++)
		changed |= take_life(c, earlier->lives[i]);
	changed |= take_life(c, (struct typed_life){epoch, earlier->adds, earlier->sum});
	return changed;
}

/* ---- totals ---- */

static void total_life(
	struct typed_total *t, struct actor actor, bool base, uint64_t adds, int64_t sum)
{
	for (uint32_t i = 0; i < t->count; i++) {
		struct typed_total_life *l = &t->lives[i];
		if (l->base != base || !actor_equal(l->actor, actor))
			continue;
		if (adds > l->adds) {
			l->adds = adds;
			l->sum = sum;
		}
		return;
	}
	if (t->count == TYPED_TOTAL_MAX)
		t->failed = true;
	else
		t->lives[t->count++] = (struct typed_total_life){actor, base, adds, sum};
}

void typed_total_add(struct typed_total *t, const struct map_view *view)
{
	struct typed_key k;
	struct typed_cell c;
	if (view->tombstone || !typed_parse(view->key, view->key_len, &k) ||
		k.kind != TYPED_COUNTER)
		return;
	if (!typed_cell_decode(&c, view->value, view->value_len)) {
		t->failed = true;
		return;
	}
	total_life(t, k.actor, false, c.adds, c.sum);
	if (c.through > 0)
		total_life(t, (struct actor){k.actor.id, c.through}, true, c.base_adds, c.base);
	for (uint32_t i = 0; i < c.life_count; i++)
		total_life(t, (struct actor){k.actor.id, c.lives[i].epoch}, false, c.lives[i].adds,
			c.lives[i].sum);
}

/* Is it in the base of a server's later life, or a base that is in another? */
static bool is_summed(const struct typed_total *t, const struct typed_total_life *l)
{
	for (uint32_t i = 0; i < t->count; i++) {
		const struct typed_total_life *b = &t->lives[i];
		if (b->base && b->actor.id == l->actor.id &&
			(l->base ? b->actor.epoch > l->actor.epoch
				 : b->actor.epoch >= l->actor.epoch))
			return true;
	}
	return false;
}

int typed_total_sum(const struct typed_total *t, int64_t *sum)
{
	__int128 all = 0;
	if (t->failed)
		return -EBADMSG;
	for (uint32_t i = 0; i < t->count; i++)
		if (!is_summed(t, &t->lives[i]))
			all += t->lives[i].sum;
	if (all > INT64_MAX || all < INT64_MIN)
		return -ERANGE;
	*sum = (int64_t)all;
	return 0;
}
