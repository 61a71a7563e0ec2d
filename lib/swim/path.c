#include "swim/path.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

struct path {
	struct actor actor;
	struct sw_endpoint at;
	enum path_state state;
	bool answered;       /* anything yet: the limit is the other side's word */
	uint16_t packet_max; /* was carried, last time it was asked */
	uint16_t refused;    /* the smallest that was lost; 0: none yet */
	uint16_t limit;      /* what the other side takes, as far as it said */
	uint16_t asked;      /* of the probe under way, 0: none */
	uint32_t seq;        /* of that probe */
	uint32_t lost;       /* in a row, of this size */
	uint64_t due_ns;     /* when the probe is taken for lost, or the next one is due */
	uint64_t retry_ns; /* when the search begins anew; SW_NEVER_NS: nothing larger to be had */
};

struct paths {
	uint16_t packet_max;
	struct sw_random random;
	uint64_t version;
	struct path_counters counters;
	uint64_t next_ns;     /* no probe before */
	uint64_t deadline_ns; /* the earliest due_ns, or earlier */
	uint32_t turn;        /* whose turn it is: nobody waits for ever */
	uint32_t count;
	struct path list[SW_MEMBERS_MAX];
};

struct paths *paths_create(uint16_t packet_max, uint64_t random_seed)
{
	assert(packet_max > WIRE_PACKET_MAX && packet_max <= WIRE_JUMBO_MAX);
	struct paths *paths = calloc(1, sizeof(*paths));
	if (paths == NULL)
		return NULL;
	paths->packet_max = packet_max;
	paths->random = sw_random_seed(random_seed);
	paths->deadline_ns = SW_NEVER_NS;
	return paths;
}

void paths_destroy(struct paths *paths)
{
	free(paths);
}

static const struct path *find(const struct paths *paths, uint64_t id)
{
	for (uint32_t i = 0; i < paths->count; i++)
		if (paths->list[i].actor.id == id)
			return &paths->list[i];
	return NULL;
}

static struct path *find_owner(struct paths *paths, uint64_t id)
{
	const struct path *known = find(paths, id);
	return known == NULL ? NULL : &paths->list[known - paths->list];
}

static void due(struct paths *paths, struct path *p, uint64_t at_ns)
{
	p->due_ns = at_ns;
	paths->deadline_ns = sw_min_u64(paths->deadline_ns, at_ns);
}

void paths_members(
	struct paths *paths, uint64_t now_ns, const struct swim_member *members, uint32_t count)
{
	struct path next[SW_MEMBERS_MAX];
	uint32_t n = 0;
	bool changed = false;
	assert(count <= SW_MEMBERS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		const struct wire_member *r = &members[i].record;
		if (members[i].self || r->state > WIRE_SUSPECT)
			continue;
		const struct path *known = find(paths, r->actor.id);
		if (known != NULL && actor_equal(known->actor, r->actor) &&
			sw_endpoint_equal(&known->at, &r->at)) {
			next[n++] = *known;
			continue;
		}
		changed |= known != NULL && known->packet_max > WIRE_PACKET_MAX;
		next[n++] = (struct path){
			.actor = r->actor,
			.at = r->at,
			.state = PATH_SEARCH,
			.packet_max = WIRE_PACKET_MAX,
			.limit = paths->packet_max,
			.due_ns = now_ns,
			.retry_ns = SW_NEVER_NS,
		};
		paths->deadline_ns = sw_min_u64(paths->deadline_ns, now_ns);
	}
	memcpy(paths->list, next, n * sizeof(next[0]));
	paths->count = n;
	paths->version += changed;
}

static uint16_t ceiling(const struct paths *paths, const struct path *p)
{
	return p->limit < paths->packet_max ? p->limit : paths->packet_max;
}

/* The next size to try; 0: the search is over. */
static uint16_t next_size(const struct paths *paths, const struct path *p)
{
	uint16_t top = ceiling(paths, p);
	if (p->refused == 0)
		return top > p->packet_max ? top : 0;
	uint16_t high = p->refused < top ? p->refused : top;
	if (high < p->packet_max + 2 * PATH_SEARCH_STEP)
		return 0;
	return (uint16_t)((p->packet_max + high) / 2 & ~7);
}

/* Either the next step of the search, or the end of it. */
static void go_on(struct paths *paths, struct path *p, uint64_t now_ns)
{
	p->asked = 0;
	p->lost = 0;
	if (next_size(paths, p) != 0 && (p->answered || p->refused == 0)) {
		p->state = PATH_SEARCH;
		due(paths, p, now_ns);
		return;
	}
	p->state = PATH_COMPLETE;
	p->retry_ns = p->packet_max < ceiling(paths, p) ? now_ns + PATH_RETRY_NS : SW_NEVER_NS;
	/* What goes everywhere needs no proof. */
	bool confirm = p->packet_max > WIRE_PACKET_MAX;
	due(paths, p, confirm ? now_ns + PATH_CONFIRM_NS : p->retry_ns);
}

static void set_packet_max(struct paths *paths, struct path *p, uint16_t packet_max)
{
	if (packet_max == p->packet_max)
		return;
	paths->counters.size_raised += packet_max > p->packet_max;
	p->packet_max = packet_max;
	paths->version++;
}

void paths_limit(struct paths *paths, uint64_t now_ns, uint64_t from_id, uint16_t size_max)
{
	struct path *p = find_owner(paths, from_id);
	if (p == NULL || size_max == p->limit)
		return;
	p->limit = size_max;
	/* At once: what is larger is not even taken there. */
	if (p->packet_max > size_max)
		set_packet_max(paths, p, size_max);
	if (p->state == PATH_COMPLETE || p->asked > size_max)
		go_on(paths, p, now_ns);
}

void paths_answer(
	struct paths *paths, uint64_t now_ns, uint64_t from_id, const struct wire_size_ack *ack)
{
	struct path *p = find_owner(paths, from_id);
	paths_limit(paths, now_ns, from_id, ack->size_max);
	if (p == NULL || p->asked == 0 || ack->seq != p->seq || ack->size != p->asked)
		return;
	paths->counters.size_answers++;
	p->answered = true;
	if (p->state == PATH_COMPLETE) {
		p->asked = 0;
		p->lost = 0;
		due(paths, p, now_ns + PATH_CONFIRM_NS);
		return;
	}
	if (p->asked > p->packet_max && p->asked <= ceiling(paths, p))
		set_packet_max(paths, p, p->asked);
	go_on(paths, p, now_ns);
}

static void lost(struct paths *paths, struct path *p, uint64_t now_ns)
{
	uint16_t size = p->asked;
	paths->counters.size_lost++;
	p->asked = 0;
	if (!p->answered && p->state == PATH_SEARCH) {
		p->state = PATH_BASE;
		return;
	}
	if (++p->lost < PATH_LOST_MAX)
		return;
	if (p->state == PATH_COMPLETE) {
		paths->counters.size_fallbacks++;
		set_packet_max(paths, p, WIRE_PACKET_MAX);
	}
	/* Who does not answer a small one says nothing of large ones. */
	p->refused = size > WIRE_PACKET_MAX ? size : WIRE_PACKET_MAX;
	go_on(paths, p, now_ns);
}

static uint16_t size_due(const struct paths *paths, struct path *p, uint64_t now_ns)
{
	if (p->state == PATH_BASE)
		return WIRE_PACKET_MAX;
	if (p->state == PATH_COMPLETE && now_ns >= p->retry_ns) {
		p->state = PATH_SEARCH;
		p->refused = 0;
		p->retry_ns = SW_NEVER_NS;
	}
	return p->state == PATH_SEARCH ? next_size(paths, p) : p->packet_max;
}

static void ask(struct paths *paths, struct path *p, uint64_t now_ns, uint16_t size,
	struct path_probe *probe)
{
	p->asked = size;
	p->seq = (uint32_t)sw_random_u64(&paths->random);
	due(paths, p, now_ns + PATH_TIMEOUT_NS);
	paths->counters.size_probes++;
	paths->next_ns = now_ns + PATH_SPACING_NS;
	*probe = (struct path_probe){p->actor.id, p->at, size, {p->seq, paths->packet_max}};
}

static void find_deadline(struct paths *paths)
{
	paths->deadline_ns = SW_NEVER_NS;
	for (uint32_t i = 0; i < paths->count; i++)
		paths->deadline_ns = sw_min_u64(paths->deadline_ns, paths->list[i].due_ns);
}

bool paths_output(struct paths *paths, uint64_t now_ns, struct path_probe *probe)
{
	if (now_ns < paths_deadline(paths))
		return false;
	for (uint32_t i = 0; i < paths->count; i++) {
		struct path *p = &paths->list[paths->turn++ % paths->count];
		if (now_ns >= p->due_ns && p->asked != 0)
			lost(paths, p, now_ns);
		if (now_ns < p->due_ns)
			continue;
		uint16_t size = size_due(paths, p, now_ns);
		if (size == 0) {
			go_on(paths, p, now_ns);
			continue;
		}
		ask(paths, p, now_ns, size, probe);
		find_deadline(paths);
		return true;
	}
	find_deadline(paths);
	return false;
}

uint64_t paths_deadline(const struct paths *paths)
{
	return sw_max_u64(paths->deadline_ns, paths->next_ns);
}

uint16_t paths_packet_max(const struct paths *paths, uint64_t id)
{
	const struct path *p = find(paths, id);
	return p == NULL ? WIRE_PACKET_MAX : p->packet_max;
}

enum path_state paths_state(const struct paths *paths, uint64_t id)
{
	const struct path *p = find(paths, id);
	return p == NULL ? PATH_BASE : p->state;
}

uint64_t paths_version(const struct paths *paths)
{
	return paths->version;
}

const struct path_counters *paths_counters(const struct paths *paths)
{
	static const struct path_counters none;
	return paths == NULL ? &none : &paths->counters;
}
