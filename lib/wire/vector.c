#include "wire/fields.h"

#include <assert.h>

static struct dot dot_of(const struct vv_entry *entry)
{
	return (struct dot){entry->actor, entry->seq};
}

void wire_put_vector(struct sw_writer *w, const struct vv_entry *entries, uint32_t count)
{
	if (!wire_begin(w, WIRE_VECTOR, (size_t)count * WIRE_VECTOR_ENTRY_LEN))
		return;
	for (uint32_t i = 0; i < count; i++) {
		assert(wire_dot_is_valid(dot_of(&entries[i])));
		wire_put_dot(w, dot_of(&entries[i]));
	}
}

bool wire_next_vector_entry(struct sw_reader *r, struct vv_entry *entry)
{
	size_t left = sw_reader_left(r);
	if (left == 0)
		return false;
	struct dot dot = wire_get_dot(r);
	if (left % WIRE_VECTOR_ENTRY_LEN != 0 || !wire_dot_is_valid(dot)) {
		r->failed = true;
		return false;
	}
	*entry = (struct vv_entry){dot.actor, dot.seq};
	return true;
}
