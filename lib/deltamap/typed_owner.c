#include <errno.h>
#include <string.h>

#include "deltamap/typed.h"

/* The cell of a key; an empty one if there is none, and *dot is then left as it is. */
static int read_cell(const struct map *map, const uint8_t *key, size_t key_len,
	struct typed_cell *cell, struct dot *dot)
{
	struct map_view view;
	memset(cell, 0, sizeof(*cell));
	if (!map_get_reader(map, key, key_len, &view) || view.tombstone)
		return -ENOENT;
	if (!typed_cell_decode(cell, view.value, view.value_len))
		return -EBADMSG;
	*dot = view.dot;
	return 0;
}

static int write_cell(struct map *map, uint64_t now_ns, uint64_t wall_ms, const uint8_t *key,
	size_t key_len, const struct typed_cell *cell, struct dot *dot)
{
	uint8_t value[TYPED_CELL_MAX];
	size_t len = typed_cell_encode(cell, value);
	return map_put_owner(map, now_ns, wall_ms, key, key_len, value, len, dot);
}

static int name_error(size_t name_len)
{
	return name_len == 0 ? -EINVAL : -EMSGSIZE;
}

int typed_add_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *name,
	size_t name_len, int64_t delta, struct dot *dot, int64_t *sum)
{
	uint8_t key[SW_KEY_MAX];
	struct typed_cell cell;
	size_t key_len = typed_counter_key(key, name, name_len, map_self(map));
	if (key_len == 0)
		return name_error(name_len);
	int rc = read_cell(map, key, key_len, &cell, dot);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (__builtin_add_overflow(cell.sum, delta, &cell.sum))
		return -ERANGE;
	cell.adds++;
	*sum = cell.sum;
	return write_cell(map, now_ns, wall_ms, key, key_len, &cell, dot);
}

/* The cells of an earlier life and of this one. */
struct fold {
	uint8_t old_key[SW_KEY_MAX], key[SW_KEY_MAX];
	size_t old_len, len;
	struct typed_cell old, cell;
};

static int open_fold(const struct map *map, const void *name, size_t name_len, uint32_t epoch,
	struct fold *f, struct dot *dot)
{
	struct dot ignored;
	struct actor self = map_self(map);
	f->len = typed_counter_key(f->key, name, name_len, self);
	f->old_len = typed_counter_key(f->old_key, name, name_len, (struct actor){self.id, epoch});
	if (f->len == 0)
		return name_error(name_len);
	if (epoch >= self.epoch)
		return -EINVAL;
	int rc = read_cell(map, f->old_key, f->old_len, &f->old, &ignored);
	if (rc < 0)
		return rc;
	rc = read_cell(map, f->key, f->len, &f->cell, dot);
	return rc == -ENOENT ? 0 : rc;
}

int typed_fold_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *name,
	size_t name_len, uint32_t epoch, struct dot *dot)
{
	struct fold f;
	int rc = open_fold(map, name, name_len, epoch, &f, dot);
	if (rc < 0 || !typed_cell_fold(&f.cell, epoch, &f.old))
		return rc;
	return write_cell(map, now_ns, wall_ms, f.key, f.len, &f.cell, dot);
}

int typed_retire_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *name,
	size_t name_len, uint32_t epoch, struct dot *dot)
{
	struct fold f;
	int rc = open_fold(map, name, name_len, epoch, &f, dot);
	if (rc < 0)
		return rc;
	if (typed_cell_fold(&f.cell, epoch, &f.old))
		return -EAGAIN;
	return map_retire_owner(map, now_ns, wall_ms, f.old_key, f.old_len, dot);
}

/* ---- repairs ---- */

void typed_displaced(
	struct typed_repairs *repairs, struct actor self, const struct map_view *displaced)
{
	struct typed_key k;
	if (displaced->tombstone || !typed_parse(displaced->key, displaced->key_len, &k) ||
		k.kind != TYPED_COUNTER || !actor_equal(k.actor, self) ||
		displaced->value_len > TYPED_CELL_MAX)
		return;
	if (repairs->count == TYPED_REPAIRS_MAX) {
		repairs->lost++;
		return;
	}
	struct typed_repair *r = &repairs->items[repairs->count++];
	r->key_len = displaced->key_len;
	r->value_len = displaced->value_len;
	memcpy(r->key, displaced->key, displaced->key_len);
	memcpy(r->value, displaced->value, displaced->value_len);
}

void typed_repair_owner(
	struct typed_repairs *repairs, struct map *map, uint64_t now_ns, uint64_t wall_ms)
{
	for (uint32_t i = 0; i < repairs->count; i++) {
		const struct typed_repair *r = &repairs->items[i];
		struct typed_cell own, held;
		struct dot dot;
		if (!typed_cell_decode(&own, r->value, r->value_len))
			continue;
		(void)read_cell(map, r->key, r->key_len, &held, &dot); /* none: the own one */
		if (typed_cell_join(&held, &own) &&
			write_cell(map, now_ns, wall_ms, r->key, r->key_len, &held, &dot) < 0)
			repairs->lost++;
	}
	repairs->count = 0;
}
