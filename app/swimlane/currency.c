#include "currency.h"

#include "base/clock.h"
#include "base/random.h"

/* A slot that is taken is never given up: a datacenter whose servers have had more ids than there
 * are slots does not know of the latest ones. */
static struct currency_slot *find(const struct currency *c, uint64_t id, bool add)
{
	uint32_t at = (uint32_t)sw_mix64(id) % CURRENCY_SLOTS;
	for (uint32_t i = 0; i < CURRENCY_SLOTS; i++, at = (at + 1) % CURRENCY_SLOTS) {
		struct currency_slot *s = (struct currency_slot *)&c->slots[at];
		uint64_t held = atomic_load_explicit(&s->id, memory_order_acquire);
		if (held == id)
			return s;
		if (held != 0)
			continue;
		if (!add)
			return NULL;
		if (atomic_compare_exchange_strong(&s->id, &held, id) || held == id)
			return s;
	}
	return NULL;
}

void currency_heard(struct currency *c, uint64_t now_ns, struct actor writer, uint64_t last_seq,
	uint64_t held_seq)
{
	struct currency_slot *s = find(c, writer.id, true);
	if (s == NULL)
		return;
	if (atomic_load_explicit(&s->epoch, memory_order_relaxed) != writer.epoch)
		atomic_store_explicit(&s->epoch, writer.epoch, memory_order_relaxed);
	if (atomic_load_explicit(&s->last_seq, memory_order_relaxed) != last_seq)
		atomic_store_explicit(&s->last_seq, last_seq, memory_order_relaxed);
	/* Not for each packet: lanes share the line. */
	uint64_t before = atomic_load_explicit(&s->current_ns, memory_order_relaxed);
	if (last_seq <= held_seq && now_ns - before >= CURRENCY_EVERY_US * SW_NS_PER_US)
		atomic_store_explicit(&s->current_ns, now_ns, memory_order_relaxed);
}

bool currency_of_reader(const struct currency *c, uint64_t id, uint64_t *current_ns,
	uint32_t *epoch, uint64_t *last_seq)
{
	const struct currency_slot *s = find(c, id, false);
	if (s == NULL)
		return false;
	*current_ns = atomic_load_explicit(&s->current_ns, memory_order_relaxed);
	*epoch = atomic_load_explicit(&s->epoch, memory_order_relaxed);
	*last_seq = atomic_load_explicit(&s->last_seq, memory_order_relaxed);
	return true;
}
