#include "screen.h"

#include <inttypes.h>

#include "log.h"
#include "sealing.h"
#include "swimlane_version.h"

static void print_core(FILE *out, const struct config *c, const struct start_info *info,
	unsigned lcore, const char *role, const struct config_idle_policy *idle, const char *does)
{
	char where[300], how[64] = "waits in the kernel";
	if (info->place.cpus[0] != '\0')
		(void)snprintf(where, sizeof(where), "any of CPUs %s", info->place.cpus);
	else
		(void)snprintf(where, sizeof(where), "CPU %u", place_cpu(c, lcore));
	if (idle != NULL && idle->policy == IDLE_SPIN)
		(void)snprintf(how, sizeof(how), "spins");
	else if (idle != NULL && idle->policy == IDLE_PAUSE)
		(void)snprintf(how, sizeof(how), "polls with pauses when idle");
	else if (idle != NULL && idle->policy == IDLE_INTERRUPT)
		(void)snprintf(how, sizeof(how), "sleeps until it is woken");
	else if (idle != NULL)
		(void)snprintf(how, sizeof(how), "sleeps up to %u us when idle", idle->ceiling_us);
	(void)fprintf(out, "  lcore %-2u  %-8s %-22s %s; %s\n", lcore, role, where, does, how);
}

static void print_cores(FILE *out, const struct appliance *app, const struct start_info *info)
{
	const struct config *c = app->config;
	char does[64];
	print_core(out, c, info, LCORE_CONTROL, "control", NULL, "RPC, health checks, log");
	print_core(out, c, info, LCORE_KEEPER, "keeper", &c->keeper_idle, "map and ownership");
	for (unsigned i = 0; i < c->lane_count; i++) {
		(void)snprintf(does, sizeof(does), "queue %u%s", c->port.first_queue + i,
			i == 0 ? ", membership" : "");
		print_core(out, c, info, LCORE_LANE + i, "lane", &c->lane_idle, does);
	}
	if (info->place.cpu_count == 1)
		log_line(LOG_WARNING, "one CPU for all roles: answers wait for one another; use "
				      "the profile virtual");
	else if (info->place.shared &&
		 (c->lane_idle.policy == IDLE_SPIN || c->keeper_idle.policy == IDLE_SPIN))
		log_line(LOG_WARNING, "roles that spin share a CPU: each takes time from the "
				      "other; give each a CPU of its "
				      "own, or set the idle policy to sleep");
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

void screen_print(FILE *out, const struct appliance *app, const struct start_info *info)
{
	const struct config *c = app->config;
	struct nic_info p;
	char at[SW_ENDPOINT_TEXT_MAX];
	nic_port_info(app->port, &p);
	(void)fprintf(out, "swimlane %s\n", SWIMLANE_VERSION);
	(void)fprintf(out, "  server    %s, id %016" PRIx64 ", epoch %u, instance %016" PRIx64 "\n",
		c->name, c->id, info->epoch, app->instance);
	(void)fprintf(out, "  cluster   %s, profile %s, weight %u%s%s, %u seed%s\n", c->cluster,
		config_profile_name(c->profile), c->weight, c->zone[0] != '\0' ? ", zone " : "",
		c->zone, c->seed_count, plural(c->seed_count));
	(void)fprintf(out, "  address   %s\n", sw_endpoint_format(&app->at, at));
	(void)fprintf(out,
		"  port      %s, driver %s, %s, MAC %02x:%02x:%02x:%02x:%02x:%02x, MTU %u\n",
		p.name, p.driver, p.exclusive ? "owned whole" : "beside the kernel", p.mac[0],
		p.mac[1], p.mac[2], p.mac[3], p.mac[4], p.mac[5], p.mtu);
	(void)fprintf(out, "  queues    %u, of %u and %u descriptors (receive, send)\n", p.queues,
		p.rx_descriptors, p.tx_descriptors);
	(void)fprintf(out, "  steering  %s\n", p.steering);
	(void)fprintf(out, "  driver    by %s; checksums: %s\n", p.driver_file, p.offloads);
	if (p.numa_node >= 0)
		(void)fprintf(out, "  node      the port is on NUMA node %d\n", p.numa_node);
	(void)fprintf(out, "  memory    %u MiB on %s; map of %u records in %u MiB\n", c->memory_mib,
		info->hugepages ? "hugepages" : "ordinary pages", c->map_records_max, c->map_mib);
	print_cores(out, app, info);
	(void)fprintf(out, "  control   %s\n", c->control_socket);
	if (app->seal != NULL)
		(void)fprintf(out, "  sealing   %u key%s of %s, sending with %u; %s\n",
			app->sealing->key_count, plural(app->sealing->key_count), c->keyring,
			app->sealing->send_id, app->sealing->choice);
	else
		(void)fprintf(out, "  INSECURE  packets are in the clear: anybody on this network "
				   "can forge them\n");
	if (app->seal == NULL)
		log_line(LOG_WARNING,
			"insecure: true: packets are neither encrypted nor authenticated; make a "
			"keyring with swimlanectl key new and give seal.keyring");
	if (c->test_shim)
		(void)fprintf(out, "  TEST      the shim may lose packets when it is told to\n");
	(void)fflush(out);
}
