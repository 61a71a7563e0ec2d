#include "appliance_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_mempool.h>

#include "sw_test.h"

enum { RING_COUNT = 4096 };

static const char form[] = "name: here\n"
			   "cluster: test\n"
			   "profile: lan\n"
			   "%s\n"
			   "port:\n"
			   "  kind: vdev\n"
			   "  interface: net_null0,no-rx=1\n"
			   "  address: 10.0.0.1\n"
			   "  prefix_len: 24\n"
			   "memory: {hugepages: off, megabytes: 128}\n"
			   "map: {records_max: 1000, megabytes: 8}\n"
			   "ownership: {stable_ms: 1000}\n"
			   "control: {socket: /tmp/swimlane_appliance_test.sock}\n";

const char *appliance_world_keyring;

static struct appliance_world *the_world;

/* EAL keeps pointers to its arguments, which start.c never frees, and nothing else here is made by
 * vasprintf(): LeakSanitizer sees no further up than that. It alone calls this. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:__vasprintf_internal\n";
}

static struct rte_ring *wire(const char *name, int lane)
{
	char full[RTE_RING_NAMESIZE];
	(void)snprintf(full, sizeof(full), "%s%d", name, lane);
	struct rte_ring *r =
		rte_ring_create(full, RING_COUNT, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (r == NULL)
		SW_FAIL("ring %s: %s", full, rte_strerror(rte_errno));
	return r;
}

static struct nic_port *port_on(struct appliance_world *w, const char *name, struct rte_ring **rx,
	struct rte_ring **tx, const struct nic_config *like, struct sw_endpoint address)
{
	struct nic_config config = *like;
	struct nic_port *port = NULL;
	char error[NIC_ERROR_MAX] = "";
	if (rte_eth_from_rings(name, rx, WORLD_LANES, tx, WORLD_LANES, 0) < 0)
		SW_FAIL("device of rings: %s", rte_strerror(rte_errno));
	(void)snprintf(config.interface, sizeof(config.interface), "net_ring_%s", name);
	config.address = address;
	if (nic_port_create(&config, w->app.pool, &port, error) < 0 ||
		nic_port_start(port, error) < 0)
		SW_FAIL("%s", error);
	return port;
}

/* The device that EAL made is not needed: only rings can be looked into from both ends. */
static void put_on_wire(struct appliance_world *w)
{
	for (int l = 0; l < WORLD_LANES; l++) {
		w->in[l] = wire("wire_in", l);
		w->out[l] = wire("wire_out", l);
	}
	nic_port_destroy(w->app.port);
	w->app.port = port_on(w, "here", w->in, w->out, &w->config.port, w->config.port.address);
}

static void stop(void)
{
	appliance_destroy(&the_world->app, &the_world->info);
	config_free(&the_world->config);
	free(the_world);
}

struct appliance_world *appliance_world(void)
{
	static char error[CONFIG_ERROR_MAX];
	static char sealing[300], text[2000];
	static bool tried;
	if (tried)
		return the_world;
	tried = true;
	struct appliance_world *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);
	(void)snprintf(sealing, sizeof(sealing), "seal: {keyring: %s}",
		appliance_world_keyring != NULL ? appliance_world_keyring : "");
	(void)snprintf(text, sizeof(text), form,
		appliance_world_keyring != NULL ? sealing : "insecure: true");
	if (config_load_text("test", text, strlen(text), &w->config, error) < 0) {
		SW_FAIL("%s", error);
		free(w);
		return NULL;
	}
	w->config.lane_count = WORLD_LANES;
	w->config.port.queues = WORLD_LANES;
	the_world = w;
	(void)atexit(stop);
	if (appliance_create(&w->app, &w->config, 0, NULL, &w->info, error) < 0) {
		SW_FAIL("%s", error);
		exit(1);
	}
	put_on_wire(w);
	w->now_ns = w->app.started_ns;
	return w;
}

void appliance_world_settle(struct appliance_world *w)
{
	for (int i = 0;
		i < 10000 && (swim_phase(w->app.swim) != SWIM_RUNNING || !map_ready(w->app.map));
		i++) {
		w->now_ns += 10 * SW_NS_PER_MS;
		swim_tick(w->app.swim, w->now_ns);
		if (swim_phase(w->app.swim) != SWIM_RUNNING)
			continue;
		map_peers_owner(w->app.map, w->now_ns, NULL, 0, true);
		map_tick_owner(w->app.map, w->now_ns);
	}
	SW_EXPECT_EQ(swim_phase(w->app.swim), SWIM_RUNNING);
	SW_EXPECT_TRUE(map_ready(w->app.map));
	SW_EXPECT_TRUE(view_publish_owner(w->app.board, w->app.swim));
}

static void empty(struct rte_ring *r)
{
	void *m;
	while (rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
}

void appliance_world_expect_no_leak(struct appliance_world *w)
{
	for (uint16_t l = 0; l < WORLD_LANES; l++) {
		lane_flush(&w->app.lanes[l]);
		empty(w->in[l]);
		empty(w->out[l]);
		empty(w->app.lanes[l].to_keeper);
		empty(w->app.lanes[l].to_lane0);
		empty(w->app.lanes[l].to_control);
		empty(w->app.lanes[l].from_control);
	}
	empty(w->app.keeper_to_lane);
	SW_EXPECT_EQ(rte_mempool_in_use_count(w->app.pool), 0u);
}

struct nic_port *appliance_world_peer_port(struct appliance_world *w, const char *address)
{
	struct sw_endpoint at;
	SW_EXPECT_EQ(sw_endpoint_parse(address, w->config.port.address.port, &at), 0);
	return port_on(w, "peer", w->out, w->in, &w->config.port, at);
}
