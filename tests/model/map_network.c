#include "map_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

struct entry {
	uint64_t hash;
	struct packet_facts facts;
	struct packet *packet;
};

static struct entry *entries;
static uint32_t entry_count, entries_size;
static uint32_t *slots; /* number + 1 */
static uint32_t slots_size;

uint64_t network_hash(const struct packet *p)
{
	uint64_t h = sw_mix64((uint64_t)p->from << 8 | p->to | (uint64_t)p->epoch << 16);
	h = sw_mix64(h + p->floor);
	for (uint32_t i = 0; i < p->len; i++)
		h = (h ^ p->bytes[i]) * 0x100000001b3ULL;
	return sw_mix64(h);
}

static bool is_same(const struct packet *a, const struct packet *b)
{
	return a->from == b->from && a->to == b->to && a->epoch == b->epoch &&
	       a->floor == b->floor && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static uint32_t *find(uint64_t hash, const struct packet *p)
{
	uint32_t at = (uint32_t)hash & (slots_size - 1);
	while (slots[at] != 0 && (entries[slots[at] - 1].hash != hash ||
					 (p != NULL && !is_same(entries[slots[at] - 1].packet, p))))
		at = (at + 1) & (slots_size - 1);
	return &slots[at];
}

static void *must(void *memory)
{
	if (memory == NULL) {
		fprintf(stderr, "no memory for the packets of the search\n");
		abort();
	}
	return memory;
}

static void grow(void)
{
	entries_size = entries_size == 0 ? 1024 : entries_size * 2;
	slots_size = entries_size * 2;
	entries = must(realloc(entries, entries_size * sizeof(entries[0])));
	free(slots);
	slots = must(calloc(slots_size, sizeof(slots[0])));
	for (uint32_t i = 0; i < entry_count; i++)
		*find(entries[i].hash, entries[i].packet) = i + 1;
}

static struct packet_facts facts_of(const struct packet *p)
{
	struct packet_facts f = {0};
	struct sw_reader body = sw_reader_init(p->bytes, p->len);
	struct wire_message m;
	struct wire_version_req request;
	struct wire_session_data data;
	struct wire_session_get get;
	struct wire_session_refuse refusal;
	if (!wire_next(&body, &m))
		abort(); /* nobody sends nothing */
	f.type = m.type;
	if (m.type == WIRE_VERSION_REQ && wire_get_version_req(&m.payload, &request)) {
		f.nonce = request.nonce;
		f.is_request = true;
		f.wants_session = !request.report;
	} else if (m.type == WIRE_SESSION_DATA && wire_get_session_data(&m.payload, &data)) {
		f.nonce = data.nonce;
		f.snapshot = data.snapshot;
		f.index = data.index;
	} else if (m.type == WIRE_SESSION_GET && wire_get_session_get(&m.payload, &get)) {
		f.nonce = get.nonce;
	} else if (m.type == WIRE_SESSION_DONE) {
		(void)wire_get_session_done(&m.payload, &f.nonce);
	} else if (m.type == WIRE_SESSION_REFUSE && wire_get_session_refuse(&m.payload, &refusal)) {
		f.nonce = refusal.nonce;
	}
	return f;
}

static uint32_t variant_of(const struct packet_facts *f)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < entry_count && f->is_request; i++)
		n += entries[i].facts.is_request && entries[i].facts.nonce == f->nonce;
	return n;
}

uint32_t network_add(const struct packet *p)
{
	uint64_t hash = network_hash(p);
	if (entry_count == entries_size)
		grow();
	uint32_t *slot = find(hash, p);
	if (*slot != 0)
		return *slot - 1;
	struct packet_facts facts = facts_of(p);
	facts.variant = variant_of(&facts);
	struct entry *e = &entries[entry_count++];
	size_t bytes = offsetof(struct packet, bytes) + p->len;
	e->hash = hash;
	e->facts = facts;
	e->packet = must(malloc(bytes));
	memcpy(e->packet, p, bytes);
	*slot = entry_count;
	return entry_count - 1;
}

const struct packet *network_packet(uint32_t number)
{
	return entries[number].packet;
}

const struct packet_facts *network_facts(uint32_t number)
{
	return &entries[number].facts;
}

uint32_t network_count(void)
{
	return entry_count;
}

void network_fini(void)
{
	for (uint32_t i = 0; i < entry_count; i++)
		free(entries[i].packet);
	free(entries);
	free(slots);
	entries = NULL;
	slots = NULL;
	entry_count = entries_size = slots_size = 0;
}
