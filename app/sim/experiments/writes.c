#include "writes.h"

#include <stdio.h>
#include <string.h>

#include "cluster.h"

enum {
	OPEN_MAX = 4096, /* writes under way */
	KEYS = 10000,
	KEY_LEN = 16,
	VALUE_LEN = 100,
	HEADERS_LEN = 14 + 20 + 8,
};

#define LINK_NS       (50 * SW_NS_PER_US)
#define LINK_BITS     10000000000ULL
#define READ_LIMIT_NS (2 * SW_NS_PER_S)

struct open_write {
	char key[KEY_LEN + 1];
	struct dot author;
	uint64_t at_ns;
	uint64_t read_by[SW_MEMBERS_MAX / 64];
	uint32_t missing;
};

struct watch {
	struct cluster cluster;
	struct writes_result *result;
	struct samples *into;
	struct open_write open[OPEN_MAX];
	uint32_t open_count;
	uint32_t next_key;
	uint64_t packets, bytes; /* of the maps, since the last reset */
};

static void on_packet(
	void *context, struct sim *sim, uint32_t from, uint16_t bytes, bool membership)
{
	struct watch *w = context;
	(void)sim;
	(void)from;
	if (!membership) {
		w->packets++;
		w->bytes += bytes + HEADERS_LEN;
	}
}

static bool can_read(const struct map *map, const struct open_write *o)
{
	struct map_view view;
	return map_get_reader(map, o->key, KEY_LEN, &view) && dot_equal(view.author, o->author);
}

static void close_write(struct watch *w, uint32_t i)
{
	w->open[i] = w->open[--w->open_count];
}

/* A server has handled something: which writes can it read now? */
static bool after_event(void *context, struct sim *sim, uint32_t server)
{
	struct watch *w = context;
	uint64_t bit = 1ULL << (server % 64);
	for (uint32_t i = 0; i < w->open_count;) {
		struct open_write *o = &w->open[i];
		if (!(o->read_by[server / 64] & bit) && can_read(sim_map(sim, server), o)) {
			o->read_by[server / 64] |= bit;
			o->missing--;
		}
		if (o->missing > 0) {
			i++;
			continue;
		}
		samples_add(w->into, (double)(sim_now(sim) - o->at_ns) / SW_NS_PER_MS);
		close_write(w, i);
	}
	return true;
}

/* Keys in turn: none is written again while its last write is under way. */
static void write_one(struct watch *w)
{
	struct sim *sim = w->cluster.sim;
	uint32_t server = (uint32_t)sw_random_below(sim_random(sim), w->cluster.servers);
	char value[VALUE_LEN + 1] = {0};
	struct map_view view;
	struct open_write *o = &w->open[w->open_count];
	memset(value, 'a' + (int)(w->next_key % 26), VALUE_LEN);
	(void)snprintf(o->key, sizeof(o->key), "health/%09u", w->next_key++ % KEYS);
	if (w->open_count == OPEN_MAX || sim_put(sim, server, o->key, value) != 0 ||
		!map_get_reader(sim_map(sim, server), o->key, KEY_LEN, &view)) {
		w->result->unread++;
		return;
	}
	o->author = view.author;
	o->at_ns = sim_now(sim);
	o->missing = w->cluster.servers - 1;
	memset(o->read_by, 0, sizeof(o->read_by));
	o->read_by[server / 64] |= 1ULL << (server % 64);
	w->open_count++;
}

static void await_all(struct watch *w)
{
	for (uint64_t ns = 0; w->open_count > 0 && ns < READ_LIMIT_NS; ns += SW_NS_PER_MS)
		(void)sim_run(w->cluster.sim, SW_NS_PER_MS);
	w->result->unread += w->open_count;
	w->open_count = 0;
}

static void reset(struct watch *w)
{
	w->packets = w->bytes = 0;
}

/* Vectors hold only who has written: here everybody has. */
static void write_everywhere(struct watch *w)
{
	for (uint32_t i = 0; i < w->cluster.servers; i++)
		w->result->unread += sim_put(w->cluster.sim, i, "health/first", "here") != 0;
	(void)sim_run(w->cluster.sim, SW_NS_PER_S / 5);
}

/* The idle maps compare their vectors all the time; that is theirs and not the writes'. */
static double background(struct watch *w, uint64_t ns)
{
	reset(w);
	(void)sim_run(w->cluster.sim, ns);
	w->result->background_bytes_s =
		(double)w->bytes * SW_NS_PER_S / (double)ns / w->cluster.servers;
	return (double)w->packets * SW_NS_PER_S / (double)ns / w->cluster.servers;
}

static void add_cost(const struct watch *w, uint64_t from_ns, uint32_t writes,
	double background_packets_s, double *bytes, double *packets)
{
	double server_s =
		(double)(sim_now(w->cluster.sim) - from_ns) / SW_NS_PER_S * w->cluster.servers;
	*bytes = ((double)w->bytes - w->result->background_bytes_s * server_s) / writes;
	*packets = ((double)w->packets - background_packets_s * server_s) / writes;
}

static void run_idle(struct watch *w, const struct writes_plan *plan, double background_packets_s)
{
	struct sim *sim = w->cluster.sim;
	uint64_t from_ns = sim_now(sim);
	reset(w);
	w->into = &w->result->idle_ms;
	for (uint32_t i = 0; i < plan->idle_writes; i++) {
		(void)sim_run(sim, sw_random_below(sim_random(sim), 5 * SW_NS_PER_MS));
		write_one(w);
		await_all(w);
	}
	add_cost(w, from_ns, plan->idle_writes, background_packets_s, &w->result->idle_bytes,
		&w->result->idle_packets);
}

/* At random moments: the gaps are uniform around their mean. */
static void run_loaded(struct watch *w, const struct writes_plan *plan, double background_packets_s)
{
	struct sim *sim = w->cluster.sim;
	uint64_t from_ns = sim_now(sim);
	uint32_t writes = (uint32_t)(plan->loaded_per_s * plan->loaded_s);
	uint64_t gap_ns = SW_NS_PER_S / plan->loaded_per_s;
	reset(w);
	w->into = &w->result->loaded_ms;
	for (uint32_t i = 0; i < writes; i++) {
		write_one(w);
		(void)sim_run(sim, sw_random_below(sim_random(sim), 2 * gap_ns));
	}
	await_all(w);
	add_cost(w, from_ns, writes, background_packets_s, &w->result->loaded_bytes,
		&w->result->loaded_packets);
}

void writes_run(const struct writes_plan *plan, struct writes_result *result)
{
	static struct watch w; /* one at a time */
	struct cluster_config cc = {.servers = plan->servers,
		.seed = plan->seed,
		.profile = swim_profile_metal,
		.features = swim_features_all,
		.link_ns = LINK_NS,
		.records_max = KEYS + KEYS / 2,
		.push = plan->push};
	memset(&w, 0, sizeof(w));
	*result = (struct writes_result){.failed = !cluster_create(&w.cluster, &cc)};
	if (result->failed)
		return;
	w.result = result;
	struct sim_observer observer = {
		.context = &w, .on_packet = on_packet, .after_event = after_event};
	sim_observe(w.cluster.sim, &observer);
	sim_network(w.cluster.sim)->bits_per_s = LINK_BITS;
	sim_network(w.cluster.sim)->queue_ns = 10 * SW_NS_PER_MS;
	write_everywhere(&w);
	double background_packets_s = background(&w, SW_NS_PER_S / 5);
	run_idle(&w, plan, background_packets_s);
	run_loaded(&w, plan, background_packets_s);
	result->failed = !sim_maps_agree(w.cluster.sim, 0);
	cluster_destroy(&w.cluster);
}

static void row(
	const char *name, const char *load, struct samples *ms, double bytes, double packets)
{
	printf("  %-10s %-16s %8u %8.3f %8.3f %8.3f %12.0f %10.1f\n", name, load, ms->count,
		samples_quantile(ms, 0.5), samples_quantile(ms, 0.99), samples_quantile(ms, 1),
		bytes, packets);
}

void writes_print(const struct writes_plan *plan, struct writes_result *r, bool first)
{
	char load[32];
	if (first) {
		printf("a write until it is readable on all %u servers, links of 50 us and 10 "
		       "Gbit/s, %u-byte values\n",
			plan->servers, VALUE_LEN);
		printf("  %-10s %-16s %8s %8s %8s %8s %12s %10s\n", "sent", "", "writes",
			"50 %, ms", "99 %", "longest", "bytes/write", "packets");
	}
	(void)snprintf(load, sizeof(load), "%u writes/s", plan->loaded_per_s);
	const char *how = plan->push == MAP_PUSH_EPIDEMIC ? "epidemic" : "direct";
	row(how, "quiet", &r->idle_ms, r->idle_bytes, r->idle_packets);
	row(how, load, &r->loaded_ms, r->loaded_bytes, r->loaded_packets);
	printf("  %-10s %u not read everywhere within %u s%s; an idle map sends %.0f bytes/s\n", "",
		r->unread, (unsigned)(READ_LIMIT_NS / SW_NS_PER_S),
		r->failed ? "; MAPS DIFFER" : "", r->background_bytes_s);
}

void writes_free(struct writes_result *r)
{
	samples_free(&r->idle_ms);
	samples_free(&r->loaded_ms);
}
