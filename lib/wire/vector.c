#include "wire/fields.h"

#include <assert.h>

static void put_entries(
	struct sw_writer *w, enum wire_type type, const struct vv_entry *entries, uint32_t count)
{
	if (!wire_begin(w, type, (size_t)count * WIRE_VECTOR_ENTRY_LEN))
		return;
	for (uint32_t i = 0; i < count; i++) {
		assert(wire_entry_is_valid(&entries[i]));
		wire_put_dot(w, (struct dot){entries[i].actor, entries[i].seq});
	}
}

void wire_put_vector(struct sw_writer *w, const struct vv_entry *entries, uint32_t count)
{
	put_entries(w, WIRE_VECTOR, entries, count);
}

void wire_put_collected(struct sw_writer *w, const struct vv_entry *entries, uint32_t count)
{
	put_entries(w, WIRE_COLLECTED, entries, count);
}

bool wire_next_vector_entry(struct sw_reader *r, struct vv_entry *entry)
{
	size_t left = sw_reader_left(r);
	if (left == 0)
		return false;
	struct dot dot = wire_get_dot(r);
	struct vv_entry got = {dot.actor, dot.seq};
	if (left % WIRE_VECTOR_ENTRY_LEN != 0 || !wire_entry_is_valid(&got)) {
		r->failed = true;
		return false;
	}
	*entry = got;
	return true;
}
