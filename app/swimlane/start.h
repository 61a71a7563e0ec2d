/* Setting the appliance up and taking it down, on the main thread. */
#pragma once

#include "appliance.h"
#include "place.h"

/* What the start screen says besides the configuration and the port. */
struct start_info {
	struct place place;
	int port_node; /* NUMA; -1: unknown */
	bool hugepages;
	uint32_t epoch;
	bool hugepages_gone; /* EAL failed on hugepages that were free a moment before: try without
			      */
	bool eal;
	bool port_started;
};

/* Everything up to a started port; the cores do not run yet. 0; or -errno with a message in `error`
 * (CONFIG_ERROR_MAX bytes): then still call appliance_destroy(). */
int appliance_create(struct appliance *app, const struct config *config, int extra_count,
	char **extra, struct start_info *info, char *error);
/* Starts keeper and lanes on their lcores. */
int appliance_launch(struct appliance *app, char *error);
/* Ends them, and waits until they are done. */
void appliance_stop(struct appliance *app);
void appliance_destroy(struct appliance *app, struct start_info *info);
