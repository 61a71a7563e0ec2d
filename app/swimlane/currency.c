#include "currency.h"

/* A slot that is taken is never given up: a datacenter whose servers have had more ids than there
 * are slots does not know of the latest ones. */
static struct currency_slot *find(const struct currency *c, uint64_t id, bool add)
{
	uint32_t at = currency_home(id);
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

struct currency_slot *currency_slot(struct currency *c, uint64_t id)
{
	return find(c, id, true);
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
