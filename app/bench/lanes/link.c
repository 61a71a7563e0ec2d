#include "link.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "nic/nic.h"

enum { POOL = 16383, ASK_AGAIN_MS = 2000 };

static int fail(const char *what, int error_code)
{
	(void)fprintf(stderr, "swimlane-bench: %s: %s\n", what, rte_strerror(-error_code));
	return error_code;
}

static int start_eal(const struct options *o)
{
	char lcores[32], memory[16], vdev[BENCH_VDEV_MAX + 8];
	int cpu = o->cpu >= 0 ? o->cpu : (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	(void)snprintf(lcores, sizeof(lcores), "--lcores=0@%d", cpu);
	(void)snprintf(memory, sizeof(memory), "%u", o->memory_mib);
	(void)snprintf(vdev, sizeof(vdev), "--vdev=%s", o->vdev);
	char *args[] = {"swimlane-bench", lcores, "-m", memory, "--no-huge", "--no-shconf",
		"--no-pci", "--no-telemetry", "--iova-mode=va", "--log-level=4", vdev};
	return rte_eal_init((int)RTE_DIM(args), args) < 0 ? fail("EAL", -rte_errno) : 0;
}

static int open_port(struct link *link)
{
	static const struct rte_eth_conf conf;
	uint16_t rx = LINK_DESCRIPTORS, tx = LINK_DESCRIPTORS;
	int rc = rte_eth_dev_configure(link->port, link->queues, link->queues, &conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(link->port, &rx, &tx);
	for (uint16_t q = 0; q < link->queues && rc == 0; q++) {
		rc = rte_eth_rx_queue_setup(link->port, q, rx, SOCKET_ID_ANY, NULL, link->pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(link->port, q, tx, SOCKET_ID_ANY, NULL);
	}
	return rc == 0 ? rte_eth_dev_start(link->port) : rc;
}

int link_open(const struct options *o, struct link *link)
{
	char error[NIC_ERROR_MAX];
	int rc = start_eal(o);
	if (rc < 0)
		return rc;
	*link = (struct link){.port = 0, .queues = o->queues};
	if (!rte_eth_dev_is_valid_port(link->port))
		return fail("no port came of --vdev", -ENODEV);
	struct nic_config config = {
		.kind = strncmp(o->vdev, "net_af_xdp", 10) == 0 ? NIC_AF_XDP : NIC_VDEV};
	link->pool = nic_pool_create(&config, "bench", POOL, SOCKET_ID_ANY, error);
	if (link->pool == NULL) {
		(void)fprintf(stderr, "swimlane-bench: %s\n", error);
		return -ENOMEM;
	}
	rc = open_port(link);
	return rc < 0 ? fail("the port cannot be started", rc) : 0;
}

bool link_await(const struct link *link, uint32_t ms)
{
	struct rte_eth_link state;
	for (uint32_t i = 0; i < ms; i++) {
		if (rte_eth_link_get_nowait(link->port, &state) == 0 &&
			state.link_status == RTE_ETH_LINK_UP)
			return true;
		rte_delay_us_sleep(1000);
		/* A memif client asks once, and the server may have been too busy to listen. */
		if (i % ASK_AGAIN_MS == ASK_AGAIN_MS - 1) {
			(void)rte_eth_dev_stop(link->port); /* it is told by the next start */
			(void)rte_eth_dev_start(link->port);
		}
	}
	return false;
}

void link_close(struct link *link)
{
	(void)rte_eth_dev_stop(link->port); /* the process ends */
	(void)rte_eth_dev_close(link->port);
	(void)rte_eal_cleanup();
}
