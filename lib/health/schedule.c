#include "health/schedule.h"

#include <assert.h>
#include <errno.h>

/* What a loop that was held up may make up for. */
enum { RATE_SLACK_MS = 100 };

void schedule_init(struct schedule *schedule, uint64_t seed)
{
	*schedule = (struct schedule){.random = sw_random_seed(seed)};
}

void schedule_limits(struct schedule *schedule, uint32_t checks_per_s_max, uint32_t concurrent_max)
{
	assert(checks_per_s_max > 0 && concurrent_max > 0);
	schedule->concurrent_max = concurrent_max;
	schedule->rate_ns = SW_NS_PER_S / checks_per_s_max;
}

void schedule_fini(struct schedule *schedule)
{
	due_heap_fini(&schedule->heap);
}

int schedule_put(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns)
{
	if (due_heap_reserve(&schedule->heap, schedule->entries + 1) < 0)
		return -ENOMEM;
	schedule->entries++;
	due_heap_add(&schedule->heap, &entry->due, now_ns);
	return 0;
}

static void stop(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns)
{
	if (!entry->running)
		return;
	entry->running = false;
	if (schedule->in_flight-- >= schedule->concurrent_max)
		schedule->held_until_ns = sw_max_u64(schedule->held_until_ns, now_ns);
}

void schedule_again(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns)
{
	stop(schedule, entry, now_ns);
	entry->spread = false;
	due_heap_add(&schedule->heap, &entry->due, now_ns);
}

void schedule_remove(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns)
{
	stop(schedule, entry, now_ns);
	due_heap_remove(&schedule->heap, &entry->due);
	schedule->entries--;
}

uint64_t schedule_next_ns(const struct schedule *schedule)
{
	const struct due *first = due_heap_first(&schedule->heap);
	if (first == NULL || schedule->in_flight >= schedule->concurrent_max)
		return SW_NEVER_NS;
	return sw_max_u64(first->at_ns, schedule->next_start_ns);
}

struct schedule_entry *schedule_start(struct schedule *schedule, uint64_t now_ns)
{
	uint64_t slack_ns = RATE_SLACK_MS * SW_NS_PER_MS;
	if (schedule_next_ns(schedule) > now_ns) {
		if (schedule->next_start_ns > now_ns)
			schedule->held_until_ns = schedule->next_start_ns;
		return NULL;
	}
	struct due *due = due_heap_first(&schedule->heap);
	struct schedule_entry *entry =
		(struct schedule_entry *)((char *)due - offsetof(struct schedule_entry, due));
	uint64_t tenth_ns = entry->interval_ms * SW_NS_PER_MS / 10;
	schedule->counters.late += now_ns - due->at_ns > tenth_ns;
	schedule->counters.deferred += due->at_ns <= schedule->held_until_ns;
	due_heap_remove(&schedule->heap, due);
	schedule->next_start_ns =
		sw_max_u64(schedule->next_start_ns, now_ns > slack_ns ? now_ns - slack_ns : 0) +
		schedule->rate_ns;
	schedule->in_flight++;
	entry->started_ns = now_ns;
	entry->running = true;
	return entry;
}

void schedule_end(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns)
{
	uint64_t interval_ns = entry->interval_ms * SW_NS_PER_MS;
	uint64_t jitter_ns = interval_ns / 100 * entry->jitter_pct;
	uint64_t wait_ns = interval_ns;
	stop(schedule, entry, now_ns);
	if (!entry->spread)
		wait_ns = interval_ns / 10 +
			  sw_random_below(&schedule->random, interval_ns - interval_ns / 10);
	else if (jitter_ns > 0)
		wait_ns -= sw_random_below(&schedule->random, jitter_ns);
	entry->spread = true;
	due_heap_add(&schedule->heap, &entry->due, sw_max_u64(entry->started_ns + wait_ns, now_ns));
}
