#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <numa.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mempool.h>

#include "appliance.h"
#include "epoch.h"
#include "log.h"
#include "nic/takeover.h"
#include "persist.h"
#include "place.h"
#include "sealing.h"
#include "start.h"
#include "telemetry.h"
#include "ticks.h"

enum { EAL_ARGS_MAX = 64, PORT_ARGS_MAX = 16 };

__attribute__((format(printf, 2, 3))) static int fail(char *error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(error, CONFIG_ERROR_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- EAL ---- */

struct arguments {
	char *list[EAL_ARGS_MAX];
	int count;
};

__attribute__((format(printf, 2, 3))) static void add(
	struct arguments *args, const char *format, ...)
{
	va_list values;
	char *text = NULL;
	va_start(values, format);
	if (args->count < EAL_ARGS_MAX - 1 && vasprintf(&text, format, values) >= 0)
		args->list[args->count++] = text; /* never freed */
	va_end(values);
}

static unsigned free_hugepages_mib(void)
{
	unsigned long pages = 0, size_kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		(void)sscanf(line, "HugePages_Free: %lu", &pages);
		(void)sscanf(line, "Hugepagesize: %lu kB", &size_kib);
	}
	(void)fclose(f);
	return (unsigned)(pages * size_kib / 1024);
}

static int choose_memory(
	const struct config *c, struct arguments *args, struct start_info *info, char *error)
{
	unsigned free_mib = free_hugepages_mib();
	bool enough = free_mib >= c->memory_mib;
	if (c->hugepages == HUGEPAGES_ON && !enough)
		return fail(error,
			"memory: %u MiB of free hugepages, %u wanted; reserve some (echo %u > "
			"/proc/sys/vm/nr_hugepages) or set memory.hugepages to auto or off",
			free_mib, c->memory_mib, c->memory_mib / 2 + 1);
	info->hugepages = c->hugepages != HUGEPAGES_OFF && enough;
	if (c->hugepages == HUGEPAGES_AUTO && !enough)
		log_line(LOG_WARNING,
			"memory: %u MiB of free hugepages, %u wanted: running on ordinary pages, "
			"which is "
			"slower; reserve hugepages for production",
			free_mib, c->memory_mib);
	if (info->hugepages) {
		/* No file is left behind by a crash. */
		add(args, "--in-memory");
	} else {
		add(args, "--no-huge");
		add(args, "--no-shconf");
	}
	return 0;
}

/* As uid 0 of a user namespace, DPDK's usual place is not writable. */
static void choose_runtime_dir(const struct config *c)
{
	char dir[128];
	if (access("/var/run", W_OK) == 0 || getenv("RUNTIME_DIRECTORY") != NULL)
		return;
	(void)snprintf(dir, sizeof(dir), "%s", c->control_socket);
	char *slash = strrchr(dir, '/');
	if (slash != NULL && slash != dir) {
		*slash = '\0';
		(void)setenv("RUNTIME_DIRECTORY", dir, 0);
	}
}

static int node_of_cpu(unsigned cpu)
{
	return numa_available() < 0 ? -1 : numa_node_of_cpu((int)cpu);
}

/* Roles, and memory, on the port's own NUMA node. */
static void stay_near_port(const struct config *c, struct start_info *info)
{
	char text[CONFIG_ERROR_MAX];
	info->port_node = takeover_numa_node("/sys", &c->port);
	if (info->port_node < 0 || numa_available() < 0 || numa_max_node() == 0)
		return;
	if (place_is_far(c, info->port_node, node_of_cpu, text, sizeof(text)))
		log_line(LOG_WARNING, "cores: %s; each packet now crosses between nodes", text);
	if (!c->cpus_given && place_stay_near(info->port_node, node_of_cpu))
		log_line(LOG_INFO, "cores: kept to the CPUs of node %d, where the port is",
			info->port_node);
	/* Ordinary pages, and hugepages as EAL takes them: first from there. */
	numa_set_preferred(info->port_node);
}

/* EAL's share of memory for each node: all of it on the port's. */
static void add_memory(
	const struct config *c, const struct start_info *info, struct arguments *args)
{
	char list[256] = "";
	size_t len = 0;
	if (!info->hugepages || info->port_node < 0 || numa_available() < 0 ||
		numa_max_node() == 0 || info->port_node > 31) {
		add(args, "-m");
		add(args, "%u", c->memory_mib);
		return;
	}
	for (int node = 0; node < info->port_node; node++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "0,");
	(void)snprintf(list + len, sizeof(list) - len, "%u", c->memory_mib);
	add(args, "--socket-mem");
	add(args, "%s", list);
}

static int start_eal(
	const struct config *c, int extra_count, char **extra, struct start_info *info, char *error)
{
	static char port_args[PORT_ARGS_MAX][NIC_ERROR_MAX];
	static struct arguments args; /* once in a process: EAL keeps pointers to the texts … */
	char *given[EAL_ARGS_MAX];    /* … and puts others into the list */
	char message[NIC_ERROR_MAX];
	stay_near_port(c, info);
	int rc = place_roles(c, &info->place, error, CONFIG_ERROR_MAX);
	if (rc < 0)
		return rc;
	int n = nic_eal_arguments(&c->port, port_args, PORT_ARGS_MAX, message);
	if (n < 0)
		return fail(error, "%s", message);
	add(&args, "swimlane");
	add(&args, "--lcores");
	add(&args, "%s", info->place.lcores);
	add(&args, "--main-lcore");
	add(&args, "%d", LCORE_CONTROL);
	add(&args, "--file-prefix");
	add(&args, "swimlane-%s", c->name);
	add(&args, "--log-level");
	add(&args, "%s", c->log_level == LOG_DEBUG ? "*:info" : "*:warning");
	rc = choose_memory(c, &args, info, error);
	if (rc < 0)
		return rc;
	add_memory(c, info, &args);
	for (int i = 0; i < n; i++)
		add(&args, "%s", port_args[i]);
	for (int i = 0; i < extra_count; i++)
		add(&args, "%s", extra[i]);
	choose_runtime_dir(c);
	/* AF_XDP counts its memory against this on old kernels. */
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	memcpy(given, args.list, sizeof(given));
	if (rte_eal_init(args.count, given) < 0) {
		info->hugepages_gone = c->hugepages == HUGEPAGES_AUTO && info->hugepages;
		return fail(error,
			"DPDK did not start: %s (its own messages stand above); check memory, port "
			"and the "
			"arguments behind --",
			rte_strerror(rte_errno));
	}
	ticks_init();
	return 0;
}

/* ---- shared objects ---- */

static struct rte_ring *ring(const char *name, unsigned count, unsigned element, char *error)
{
	struct rte_ring *r = rte_ring_create_elem(name, element, count, SOCKET_ID_ANY,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (r == NULL)
		(void)fail(error, "ring %s of %u: %s; raise memory.megabytes", name, count,
			rte_strerror(rte_errno));
	return r;
}

static int create_rings(struct appliance *app, char *error)
{
	char name[RTE_RING_NAMESIZE];
	const unsigned pointer = sizeof(void *);
	_Static_assert(sizeof(struct swim_event) % 4 == 0 && sizeof(struct lane_command) % 4 == 0,
		"ring elements are whole words");
	app->keeper_to_lane = ring("keeper_to_lane", KEEPER_TO_LANE_MAX, pointer, error);
	app->lane_commands = ring("lane_commands", 16, sizeof(struct lane_command), error);
	app->events = ring("events", EVENTS_MAX, sizeof(struct swim_event), error);
	app->commands = ring("commands", COMMANDS_MAX, pointer, error);
	app->commands_done = ring("commands_done", COMMANDS_MAX, pointer, error);
	app->changes = ring("changes", CHANGES_MAX, pointer, error);
	app->changes_free = ring("changes_free", CHANGES_MAX, pointer, error);
	if (!app->keeper_to_lane || !app->lane_commands || !app->events || !app->commands ||
		!app->commands_done || !app->changes || !app->changes_free)
		return -ENOMEM;
	for (uint16_t i = 0; i < app->config->lane_count; i++) {
		(void)snprintf(name, sizeof(name), "lane%u_to_keeper", i);
		app->lanes[i].to_keeper = ring(name, LANE_TO_KEEPER_MAX, pointer, error);
		(void)snprintf(name, sizeof(name), "lane%u_to_lane0", i);
		app->lanes[i].to_lane0 = ring(name, LANE_TO_LANE_MAX, pointer, error);
		(void)snprintf(name, sizeof(name), "lane%u_to_control", i);
		app->lanes[i].to_control = ring(name, LANE_TO_CONTROL_MAX, pointer, error);
		(void)snprintf(name, sizeof(name), "lane%u_from_control", i);
		app->lanes[i].from_control = ring(name, LANE_TO_CONTROL_MAX, pointer, error);
		if (!app->lanes[i].to_keeper || !app->lanes[i].to_lane0 ||
			!app->lanes[i].to_control || !app->lanes[i].from_control)
			return -ENOMEM;
	}
	return 0;
}

static int create_pools(struct appliance *app, char *error)
{
	const struct config *c = app->config;
	char message[NIC_ERROR_MAX];
	uint32_t mbufs = nic_mbufs_needed(&c->port) + KEEPER_TO_LANE_MAX +
			 c->lane_count * (LANE_TO_KEEPER_MAX + LANE_TO_LANE_MAX +
						 2 * LANE_TO_CONTROL_MAX + 3 * NIC_BURST) +
			 (c->lane_count + 2u) * 2 * RTE_MEMPOOL_CACHE_MAX_SIZE / 4;
	/* No power of two: the next one may be nearly twice as many, of 2 KiB each. */
	app->pool = nic_pool_create(&c->port, "packets", mbufs, SOCKET_ID_ANY, message);
	if (app->pool == NULL)
		return fail(error, "%s", message);
	app->command_pool = calloc(COMMANDS_MAX, sizeof(app->command_pool[0]));
	app->change_pool = calloc(CHANGES_MAX, sizeof(app->change_pool[0]));
	if (app->command_pool == NULL || app->change_pool == NULL)
		return fail(error, "no memory for commands and changes");
	for (uint32_t i = 0; i < CHANGES_MAX; i++)
		(void)rte_ring_sp_enqueue(
			app->changes_free, &app->change_pool[i]); /* as long as they are many */
	return 0;
}

static int create_rcu(struct appliance *app, char *error)
{
	uint32_t threads = (uint32_t)app->config->lane_count + 3;
	size_t size = rte_rcu_qsbr_get_memsize(threads);
	app->rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
	if (app->rcu == NULL || rte_rcu_qsbr_init(app->rcu, threads) != 0)
		return fail(error, "no memory for RCU; raise memory.megabytes");
	for (uint32_t i = 0; i < threads; i++)
		if (rte_rcu_qsbr_thread_register(app->rcu, i) != 0)
			return fail(error, "RCU: thread %u of %u was refused", i, threads);
	for (uint16_t i = 0; i < app->config->lane_count; i++)
		app->lanes[i].thread = i;
	app->keeper.thread = app->config->lane_count;
	app->control_thread = app->config->lane_count + 1u;
	app->telemetry_thread = app->config->lane_count + 2u;
	return 0;
}

static int create_machines(
	struct appliance *app, const struct start_info *info, uint64_t seed, char *error)
{
	const struct config *c = app->config;
	struct swim_config sc = {
		.features = swim_features_all,
		.id = c->id,
		.epoch = info->epoch,
		.instance = app->instance,
		.weight = c->weight,
		.at = app->at,
		.seed_count = c->seed_count,
		.random_seed = seed,
	};
	memcpy(sc.name, c->name, sizeof(sc.name));
	memcpy(sc.zone, c->zone, sizeof(sc.zone));
	memcpy(sc.seeds, c->seeds, sizeof(sc.seeds));
	config_membership_times(c, &sc.profile);
	uint64_t timeout_ns = sc.profile.probe_timeout_ns;
	struct map_config mc = {
		.self = {c->id, info->epoch},
		.cluster_seed = app->cluster_seed,
		.records_max = c->map_records_max,
		.bytes_max = (uint64_t)c->map_mib << 20,
		.pull_interval_ns = c->map_pull_interval_us * SW_NS_PER_US,
		.push_flush_ns = c->map_push_flush_us * SW_NS_PER_US,
		.hole_delay_ns = timeout_ns / 4,
		.resend_ns = timeout_ns,
		.session_timeout_ns = 20 * timeout_ns,
		.first_after_ns = sc.profile.join_wait_ns,
		.packets_per_s_max = c->map_packets_per_s_max,
		.random_seed = seed + 1,
		.on_change = keeper_changed,
		.on_displaced = keeper_displaced,
		.on_event = keeper_event,
		.on_collect = keeper_collected,
		.context = &app->keeper,
	};
	/* Where the keeper may run anywhere, no node is its own. */
	bool pinned = info->place.cpus[0] == '\0';
	mc.memory = map_pages_init(&app->map_pages,
		pinned ? (int)rte_lcore_to_socket_id(LCORE_KEEPER) : MAP_PAGES_ANY_NODE,
		info->hugepages);
	int rc = ownership_create(app, &app->keeper.ownership);
	app->swim = swim_create(&sc, ticks_now_ns());
	app->map = map_create(&mc, ticks_now_ns());
	app->board = view_create(app->rcu);
	app->packet_max = nic_payload_max(&c->port);
	if (app->packet_max > WIRE_PACKET_MAX)
		app->paths = paths_create(app->packet_max, seed + 2);
	if ((app->packet_max > WIRE_PACKET_MAX && app->paths == NULL) || rc < 0 ||
		app->swim == NULL || app->map == NULL || app->board == NULL)
		return fail(error,
			"no memory for membership and a map of %u records and %u MiB; lower "
			"map.records_max "
			"and map.megabytes",
			c->map_records_max, c->map_mib);
	view_paths(app->board, app->paths);
	(void)view_publish_owner(app->board, app->swim); /* nobody reads yet: there is room */
	return 0;
}

static void prepare_cores(struct appliance *app)
{
	const struct config *c = app->config;
	for (uint16_t i = 0; i < c->lane_count; i++) {
		struct lane *lane = &app->lanes[i];
		lane->app = app;
		lane->index = i;
		lane->counter = 1;
		lane->random = sw_random_seed(app->instance + i);
		lane->idle = (struct idle){
			.policy = c->lane_idle, .rcu = app->rcu, .thread = lane->thread};
	}
	app->keeper.app = app;
	app->keeper.idle = (struct idle){
		.policy = c->keeper_idle, .rcu = app->rcu, .thread = app->keeper.thread};
}

static void want_seeds(struct appliance *app)
{
	for (uint32_t i = 0; i < app->config->seed_count; i++)
		(void)nic_want_peer(
			app->port, &app->config->seeds[i]); /* fewer than the table holds */
}

/* A role that cannot be woken sleeps instead. */
static int hang_bell(struct idle *idle, struct idle_bell *bell, struct nic_port *port,
	uint16_t queue, const char *role, char *error)
{
	bell->fd = -1;
	if (idle->policy.policy != IDLE_INTERRUPT)
		return 0;
	int rc = idle_bell_create(bell, port, queue);
	if (rc == 0) {
		idle->bell = bell;
		return 0;
	}
	if (rc != -ENOTSUP)
		return fail(error, "%s: no event counter: %s", role, strerror(-rc));
	log_line(LOG_WARNING,
		"%s: this port's driver has no receive interrupts: it sleeps up to %u us "
		"at a time instead",
		role, idle->policy.ceiling_us);
	idle->policy.policy = IDLE_SLEEP;
	return 0;
}

static int hang_bells(struct appliance *app, char *error)
{
	int rc = hang_bell(&app->keeper.idle, &app->keeper.bell, NULL, 0, "keeper", error);
	for (uint16_t i = 0; i < app->config->lane_count && rc == 0; i++)
		rc = hang_bell(
			&app->lanes[i].idle, &app->lanes[i].bell, app->port, i, "lane", error);
	return rc;
}

int appliance_create(struct appliance *app, const struct config *config, int extra_count,
	char **extra, struct start_info *info, char *error)
{
	uint64_t seeds[2];
	struct nic_info nic;
	char message[NIC_ERROR_MAX];
	memset(app, 0, sizeof(*app));
	memset(info, 0, sizeof(*info));
	app->config = config;
	int rc = epoch_next(config->state_dir, &info->epoch, error, CONFIG_ERROR_MAX);
	if (rc < 0)
		return rc;
	rc = start_eal(config, extra_count, extra, info, error);
	if (rc < 0)
		return rc;
	info->eal = true;
	if (getrandom(seeds, sizeof(seeds), 0) != (ssize_t)sizeof(seeds))
		return fail(error, "the kernel gives no random numbers: %s", strerror(errno));
	app->instance = seeds[0] | 1; /* never zero */
	app->cluster_tag = wire_cluster_tag(config->cluster);
	app->cluster_seed = rendezvous_cluster_seed(config->cluster);
	app->started_ns = ticks_now_ns();
	if ((rc = create_rcu(app, error)) < 0 || (rc = create_rings(app, error)) < 0 ||
		(rc = create_pools(app, error)) < 0)
		return rc;
	struct nic_config port = config->port;
	port.proven = !config->insecure; /* by the tag of every packet */
	port.summed = config->insecure;  /* in its place */
	rc = nic_port_create(&port, app->pool, &app->port, message);
	if (rc < 0)
		return fail(error, "%s", message);
	nic_port_info(app->port, &nic);
	app->at = nic.address;
	prepare_cores(app);
	uint32_t epoch = info->epoch;
	persist_load(config, app->cluster_seed, &epoch);
	if (epoch != info->epoch) {
		info->epoch = epoch;
		rc = epoch_remember(config->state_dir, epoch, error, CONFIG_ERROR_MAX);
	}
	if (rc == 0)
		rc = sealing_create(app, info->epoch, error);
	if (rc == 0)
		rc = create_machines(app, info, seeds[1], error);
	if (rc < 0) {
		persist_forget();
		return rc;
	}
	persist_restore(config, app->map);
	want_seeds(app);
	rc = nic_port_start(app->port, message);
	if (rc < 0)
		return fail(error, "%s", message);
	info->port_started = true;
	rc = telemetry_init(app);
	if (rc < 0)
		return fail(error, "telemetry: %s", strerror(-rc));
	return hang_bells(app, error);
}

static int launch(int (*run)(void *), void *arg, unsigned lcore, char *error)
{
	int rc = rte_eal_remote_launch(run, arg, lcore);
	return rc == 0 ? 0
		       : fail(error, "lcore %u did not take its role: %s", lcore,
				 rte_strerror(-rc));
}

/* In a thread of memif's driver. Bounded: control may be long about something, too, and it is the
 * lanes that matter. */
static void await_new_turns(void *arg)
{
	enum { STEP_US = 50, STEPS_MAX = 40000 };
	const struct appliance *app = arg;
	uint64_t token = rte_rcu_qsbr_start(app->rcu);
	for (int i = 0; i < STEPS_MAX && nic_memif_is_guarded(); i++) {
		if (rte_rcu_qsbr_check(app->rcu, token, false) == 1)
			return;
		rte_delay_us_sleep(STEP_US);
	}
}

int appliance_launch(struct appliance *app, char *error)
{
	if (app->config->port.kind == NIC_MEMIF)
		nic_memif_guard(await_new_turns, app);
	int rc = launch(keeper_run, &app->keeper, LCORE_KEEPER, error);
	for (unsigned i = 0; i < app->config->lane_count && rc == 0; i++)
		rc = launch(lane_run, &app->lanes[i], LCORE_LANE + i, error);
	return rc;
}

void appliance_stop(struct appliance *app)
{
	atomic_store(&app->stop, true);
	rte_eal_mp_wait_lcore();
	nic_memif_guard(NULL, NULL);
}

void appliance_destroy(struct appliance *app, struct start_info *info)
{
	telemetry_fini();
	if (app->port != NULL) {
		if (info->port_started)
			nic_port_stop(app->port);
		nic_port_destroy(app->port);
	}
	if (app->config != NULL && info->port_started) {
		idle_bell_destroy(&app->keeper.bell);
		for (uint16_t i = 0; i < app->config->lane_count; i++)
			idle_bell_destroy(&app->lanes[i].bell);
	}
	view_destroy(app->board);
	map_destroy(app->map);
	if (app->swim != NULL)
		swim_destroy(app->swim);
	paths_destroy(app->paths);
	ownership_destroy(app->keeper.ownership);
	sealing_destroy(app);
	free(app->change_pool);
	free(app->command_pool);
	rte_mempool_free(app->pool);
	if (info->eal)
		(void)rte_eal_cleanup(); /* the process ends now */
}
